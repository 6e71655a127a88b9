"""A member's usage: the volumes and loads of its outfalls, put together by hour, day or month."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from plant_monitor import units
from plant_monitor.alerts.lifecycle import Span
from plant_monitor.monitor import Verdicts
from plant_monitor.plant import Member, Plant, Point
from plant_monitor.windows import local_day, rfc3339


@dataclass(slots=True)
class _Window:
    """One hour or day of one outfall."""

    volume_m3: float | None = None
    load_kg: dict[str, float | None] = field(default_factory=dict)


def usage_rows(
    plant: Plant, member: Member, parts: Iterable[Verdicts], span: Span, step: str
) -> Iterator[dict[str, Any]]:
    """Rows by time, of windows that begin within ``span``; ``step`` hour, day or month.

    ``parts`` follow each other; one is looked at when its first row is asked for. A month may lie in several.
    """
    outfalls = [p for p in plant.outfalls if p.member == member.id]
    windows = (w for part in parts for w in _inside(part, outfalls, span, step == "hour", plant.zone))
    for _, found in groupby(windows, key=lambda w: _begin(w[0], step, plant.zone)):
        group = list(found)
        points = [_point_usage(p, [w[2][i] for w in group]) for i, p in enumerate(outfalls)]
        quota = None if step == "hour" or member.quota_m3_d is None else float(member.quota_m3_d) * len(group)
        yield {
            "start": rfc3339(group[0][0], plant.zone),
            "end": rfc3339(group[-1][1], plant.zone),
            "volume_m3": _sum(p["volume_m3"] for p in points),
            "load_kg": _sum_by_parameter([p["load_kg"] for p in points], outfalls),
            "quota_m3": quota,
            "points": points,
        }


def _begin(start_ms: int, step: str, zone: ZoneInfo) -> Any:
    """What the windows of one row have in common."""
    return local_day(start_ms, zone).replace(day=1) if step == "month" else start_ms


def _inside(
    part: Verdicts, outfalls: Sequence[Point], span: Span, hours: bool, zone: ZoneInfo
) -> Iterator[tuple[int, int, list[_Window]]]:
    """Start and end of each window, and what each outfall has in it."""
    edges = (part.windows.hour_edges if hours else part.windows.day_edges).tolist()
    measured = [_windows(part, p, hours, zone) for p in outfalls]
    for start, end in pairwise(edges):
        if span.start_ms <= start < span.end_ms:
            yield start, end, [found.get(_label(start, hours, zone), _Window()) for found in measured]


def loaded_parameters(plant: Plant, member: Member) -> list[str]:
    """The parameters of which a row has a load, in its order."""
    return _loaded([p for p in plant.outfalls if p.member == member.id])


def _label(start_ms: int, hours: bool, zone: ZoneInfo) -> str:
    return rfc3339(start_ms, zone) if hours else local_day(start_ms, zone).isoformat()


def _windows(verdicts: Verdicts, point: Point, hours: bool, zone: ZoneInfo) -> dict[str, _Window]:
    """Volume and loads of a point by window. A series has a row for each limit, all with the same load."""
    volume, windows = verdicts.volumes[point.id], verdicts.windows
    starts = (windows.hour_edges if hours else windows.day_edges)[:-1].tolist()
    volumes = (volume.hourly if hours else volume.daily).tolist()
    found = {
        _label(start, hours, zone): _Window(None if math.isnan(m3) else m3)
        for start, m3 in zip(starts, volumes, strict=True)
    }
    table, column = (verdicts.hourly, "hour") if hours else (verdicts.daily, "date")
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
