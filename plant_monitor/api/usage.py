"""A member's usage: the volumes and loads of its outfalls, put together by hour, day or month."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from plant_monitor import units
from plant_monitor.alerts.lifecycle import Span
from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.plant import Member, Plant, Point
from plant_monitor.windows import local_day, rfc3339


@dataclass(slots=True)
class _Window:
    """One hour or day of one outfall."""

    volume_m3: float | None = None
    load_kg: dict[str, float | None] = field(default_factory=dict)


def usage_rows(plant: Plant, member: Member, evaluation: Evaluation, span: Span, step: str) -> list[dict[str, Any]]:
    """Rows by time, for the windows of ``evaluation`` that begin within ``span``; ``step`` hour, day or month."""
    outfalls = [p for p in plant.outfalls if p.member == member.id]
    hours = step == "hour"
    windows = evaluation.windows
    edges = (windows.hour_edges if hours else windows.day_edges).tolist()
    inside = [(a, b) for a, b in pairwise(edges) if span.start_ms <= a < span.end_ms]
    measured = {p.id: _windows(evaluation, p, hours, plant.zone) for p in outfalls}
    rows = []
    for group in _grouped(inside, step, plant.zone):
        labels = [_label(a, hours, plant.zone) for a, _ in group]
        points = [_point_usage(p, [measured[p.id].get(label, _Window()) for label in labels]) for p in outfalls]
        quota = None if hours or member.quota_m3_d is None else float(member.quota_m3_d) * len(group)
        rows.append(
            {
                "start": rfc3339(group[0][0], plant.zone),
                "end": rfc3339(group[-1][1], plant.zone),
                "volume_m3": _sum(p["volume_m3"] for p in points),
                "load_kg": _sum_by_parameter([p["load_kg"] for p in points], outfalls),
                "quota_m3": quota,
                "points": points,
            }
        )
    return rows


def loaded_parameters(plant: Plant, member: Member) -> list[str]:
    """The parameters of which a row has a load, in its order."""
    return _loaded([p for p in plant.outfalls if p.member == member.id])


def _grouped(windows: Sequence[tuple[int, int]], step: str, zone: ZoneInfo) -> list[list[tuple[int, int]]]:
    if step != "month":
        return [[w] for w in windows]
    days = groupby(windows, key=lambda w: local_day(w[0], zone).replace(day=1))
    return [list(group) for _, group in days]


def _label(start_ms: int, hours: bool, zone: ZoneInfo) -> str:
    return rfc3339(start_ms, zone) if hours else local_day(start_ms, zone).isoformat()


def _windows(evaluation: Evaluation, point: Point, hours: bool, zone: ZoneInfo) -> dict[str, _Window]:
    """Volume and loads of a point by window. A series has a row for each limit, all with the same load."""
    volume, windows = evaluation.volumes[point.id], evaluation.windows
    starts = (windows.hour_edges if hours else windows.day_edges)[:-1].tolist()
    volumes = (volume.hourly if hours else volume.daily).tolist()
    found = {
        _label(start, hours, zone): _Window(None if math.isnan(m3) else m3)
        for start, m3 in zip(starts, volumes, strict=True)
    }
    table, column = (evaluation.hourly, "hour") if hours else (evaluation.daily, "date")
    loaded = {s.parameter for s in point.series if units.is_concentration(s.unit)}
    for row in table.take(table.columns["point"] == point.id).rows():
        if row["parameter"] in loaded:
            found[row[column]].load_kg[row["parameter"]] = row["load_kg"]
    return found


def _point_usage(point: Point, windows: Sequence[_Window]) -> dict[str, Any]:
    return {
        "point": point.id,
        "volume_m3": _sum(w.volume_m3 for w in windows),
        "load_kg": _sum_by_parameter([w.load_kg for w in windows], [point]),
    }


def _sum_by_parameter(loads: Sequence[Mapping[str, float | None]], points: Sequence[Point]) -> dict[str, float | None]:
    return {parameter: _sum(load.get(parameter) for load in loads) for parameter in _loaded(points)}


def _loaded(points: Sequence[Point]) -> list[str]:
    return sorted({s.parameter for p in points for s in p.series if units.is_concentration(s.unit)})


def _sum(values: Iterable[float | None]) -> float | None:
    """The sum of what is known; None where nothing is."""
    known = [v for v in values if v is not None]
    return sum(known) if known else None
