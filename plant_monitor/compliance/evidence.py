"""What each daily verdict rests on: the rule, the limit set, and a digest of the readings that decide it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from plant_monitor.compliance.tables import EVIDENCE_COLUMNS, Table
from plant_monitor.holds import held
from plant_monitor.plant import FLOW, VOLUME, LimitSet, Plant, Point, Series
from plant_monitor.readings import OPENING, IntArray, Readings
from plant_monitor.windows import Windows

#: The rules of judging in this program. Another one: the same readings and limits may be judged otherwise.
RULE_VERSION = "judge-1"

_READING = np.dtype([("time", "<i8"), ("value", "<f8"), ("kind", "u1")])  # packed: nothing undefined is digested


def limit_set_version(limit_set: LimitSet) -> str:
    """A digest of what a limit set says, with all its dates: another one, and it was edited."""
    return hashlib.sha256(repr(limit_set).encode()).hexdigest()[:16]


def evidence_table(
    plant: Plant, point: Point, readings: Mapping[str, Readings], windows: Windows, daily: Table
) -> Table:
    """A row for each row of a point's ``daily`` table, in its order.

    ``readings`` parameter -> the point's readings as judged, sorted by time, one per instant. A row counts those of
    its parameter and of flow that hold into the day, and the registers of the totaliser with a step in the day. Of a
    reading its time counts, whether it is valid, and its value if it is; of a totaliser the valid registers alone.
    """
    parts = {s.parameter: _digests(s, readings[s.parameter], windows.day_edges) for s in point.series}
    versions = {s: limit_set_version(plant.limit_set_by_id[s]) for s in point.limits}
    day_of = {day.isoformat(): i for i, day in enumerate(windows.days)}
    columns = [daily.columns[c] for c in ("point", "parameter", "date", "limit_set", "statistic", "verdict")]
    known: dict[tuple[str, int], tuple[int, str]] = {}
    rows = []
    for key in zip(*columns, strict=True):
        parameter, day, limit_set = key[1], day_of[key[2]], key[3]
        if (parameter, day) not in known:
            used = sorted({parameter, FLOW, VOLUME} & parts.keys())
            whole = hashlib.sha256(b"".join(f"{p}\n".encode() + parts[p][day][1] for p in used))
            known[parameter, day] = sum(parts[p][day][0] for p in used), whole.hexdigest()
        rows.append((*key, RULE_VERSION, versions.get(limit_set, ""), *known[parameter, day]))
    return Table.of_rows(EVIDENCE_COLUMNS, rows)


def _digests(series: Series, readings: Readings, day_edges: IntArray) -> list[tuple[int, bytes]]:
    """How many readings decide each day, and their sha256."""
    if series.parameter == VOLUME:
        readings = readings.take(readings.valid)
        first = np.maximum(np.searchsorted(readings.time, day_edges[:-1], side="right") - 1, 0)
        stop = np.minimum(np.searchsorted(readings.time, day_edges[1:]) + 1, len(readings))
    else:
        holds = held(readings, series)
        first = np.searchsorted(holds.end, day_edges[:-1], side="right")
        stop = np.searchsorted(holds.start, day_edges[1:])
    packed = np.empty(len(readings), dtype=_READING)
    valid = np.asarray(readings.valid)
    packed["time"], packed["kind"] = readings.time, valid + 2 * (readings.mark == OPENING)
    packed["value"] = np.where(valid, readings.value, 0.0) + 0.0  # -0.0 is 0.0
    return [
        (max(b - a, 0), hashlib.sha256(packed[a:b].tobytes()).digest())
        for a, b in zip(first.tolist(), stop.tolist(), strict=True)
    ]
