"""InfluxDB line protocol from columns: one pass, no object per point (design §4.7).

In tags and field keys a backslash speaks only before a comma, an equals sign or a blank, so it is never doubled
there; in strings before a quote and before itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from plant_monitor.readings import Readings

_TAG = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ ", "\n": "\\ ", "\r": "\\ "})
_STRING = str.maketrans({"\\": "\\\\", '"': '\\"'})


def escape_tag(text: str) -> str:
    """A tag key, tag value, or field key. A line feed has no escape there and becomes a blank."""
    return text.translate(_TAG)


def escape_string(text: str) -> str:
    """A string field's content."""
    return text.translate(_STRING)


def readings_lines(plant_id: str, series: Sequence[tuple[str, str]], readings: Readings) -> list[str]:
    """One line a reading, in the order given: measurement ``readings``, times in ms.

    ``series`` (point, parameter) by index. A reading without a finite value has mark ``-`` and no
    ``value`` field: line protocol knows no NaN.
    """
    heads = [
        f"readings,plant={escape_tag(plant_id)},point={escape_tag(point)},parameter={escape_tag(parameter)} "
        for point, parameter in series
    ]
    marks = [f'mark="{escape_string(chr(code))}"' for code in range(128)]
    has_value = np.isfinite(readings.value).tolist()
    columns = zip(
        readings.series.tolist(), readings.value.tolist(), readings.mark.tolist(), readings.time.tolist(), has_value
    )
    return [
        f"{heads[s]}value={v!r},{marks[m]} {t}" if finite else f'{heads[s]}mark="-" {t}'
        for s, v, m, t, finite in columns
    ]


def result_line(
    measurement: str, tags: Iterable[tuple[str, str]], fields: Iterable[tuple[str, Any]], time_ms: int
) -> str:
    """One line of a result; None and NaN fields are left out. Empty where no field is left."""
    written = ",".join(f"{escape_tag(key)}={_field(value)}" for key, value in fields if not _unknown(value))
    if not written:
        return ""
    labels = "".join(f",{escape_tag(key)}={escape_tag(value)}" for key, value in tags)
    return f"{measurement}{labels} {written} {time_ms}"


def _unknown(value: object) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _field(value: object) -> str:
    """Numbers are always floats: InfluxDB fixes a field's type at its first point."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(float(value))
    return f'"{escape_string(str(value))}"'
