"""InfluxDB line protocol from columns: a few list passes over a batch, no object per point (design §4.7).

Escaping follows the line-protocol corpus of InfluxData: in measurements, tags and field keys a backslash
speaks only before a comma, an equals sign or a blank, so it is never doubled; in strings before a quote and
before itself. A name that ends in a backslash cannot be written at all; no id of a plant can hold one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from plant_monitor.readings import Readings

NO_VALUE = "-"  # the mark of a reading without a value (design §4.7)

_MEASUREMENT = str.maketrans({",": "\\,", " ": "\\ ", "\n": "\\ ", "\r": "\\ "})
_TAG = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ ", "\n": "\\ ", "\r": "\\ "})
_STRING = str.maketrans({"\\": "\\\\", '"': '\\"'})


def escape_measurement(text: str) -> str:
    """A measurement's name. A line feed has no escape there and becomes a blank."""
    return text.translate(_MEASUREMENT)


def escape_tag(text: str) -> str:
    """A tag key, tag value, or field key. A line feed has no escape there and becomes a blank."""
    return text.translate(_TAG)


def escape_string(text: str) -> str:
    """A string field's content."""
    return text.translate(_STRING)


def encode_lines(plant_id: str, series: Sequence[tuple[str, str]], readings: Readings) -> bytes:
    """One line a reading, in the order given: measurement ``readings``, times in ms.

    ``series`` (point, parameter) by index. A reading without a finite value has mark ``-`` and no
    ``value`` field: line protocol knows no NaN.
    """
    rows = len(readings)
    tags = [
        f"readings,plant={escape_tag(plant_id)},point={escape_tag(point)},parameter={escape_tag(parameter)} "
        for point, parameter in series
    ]
    heads = [f"{tag}value=" for tag in tags]
    tails = [f',mark="{escape_string(chr(code))}" ' for code in range(256)]
    # Four pieces a line, one list, one join: each piece is made in a pass of its own. Instants repeat over the
    # series of a plant, so each is written once.
    pieces: list[str] = [""] * (4 * rows)
    pieces[0::4] = [heads[s] for s in readings.series.tolist()]
    pieces[1::4] = map(repr, readings.value.tolist())
    pieces[2::4] = [tails[m] for m in readings.mark.tolist()]
    instants, which = np.unique(readings.time, return_inverse=True)
    ends = [f"{t}\n" for t in instants.tolist()]
    pieces[3::4] = [ends[i] for i in which.tolist()]
    for row in np.flatnonzero(~np.isfinite(readings.value)).tolist():
        pieces[4 * row : 4 * row + 3] = tags[readings.series[row]], f'mark="{NO_VALUE}"', " "
    return "".join(pieces).encode()


def result_line(
    measurement: str, tags: Iterable[tuple[str, str]], fields: Iterable[tuple[str, Any]], time_ms: int
) -> str:
    """One line of a result; None and NaN fields are left out. Empty where no field is left."""
    written = ",".join(f"{escape_tag(key)}={_field(value)}" for key, value in fields if not _unknown(value))
    if not written:
        return ""
    labels = "".join(f",{escape_tag(key)}={escape_tag(value)}" for key, value in tags)
    return f"{escape_measurement(measurement)}{labels} {written} {time_ms}"


def _unknown(value: object) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _field(value: object) -> str:
    """Numbers are always floats: InfluxDB fixes a field's type at its first point."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(float(value))
    return f'"{escape_string(str(value))}"'
