"""How much of the plant's hydraulic capacity each day used (design §5, *Headroom*)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plant_monitor.compliance.means import ENOUGH, PointVolume
from plant_monitor.plant import Plant, Point
from plant_monitor.readings import FloatArray, IntArray
from plant_monitor.windows import Windows


@dataclass(frozen=True, slots=True)
class Headroom:
    """Per day (D,): ``inflow_m3``, ``headroom_m3``, ``used_share``, ``peak_m3_h``, ``valid_share``; NaN = unknown."""

    inflow_m3: FloatArray
    headroom_m3: FloatArray
    used_share: FloatArray
    peak_m3_h: FloatArray
    valid_share: FloatArray
    hourly_inflow_m3: FloatArray  # (H,)


def daily_headroom(plant: Plant, volumes: Mapping[str, PointVolume], windows: Windows) -> Headroom:
    """The plant's inflow against its capacity.

    The inflow is the inlet's volume, or the sum of the outfalls' known volumes. ``valid_share`` is the
    time in which the *whole* inflow is known, over the day's length; below 0.75 headroom and used share
    stay unknown. ``volumes`` by point.
    """
    parts = [volumes[point.id] for point in inflow_points(plant)]
    hourly = sum_known([part.hourly for part in parts], windows.hour_day.size)
    days = len(windows.days)
    known_hours = ~np.isnan(hourly)
    some = np.bincount(windows.hour_day, known_hours, days) > 0
    inflow = np.where(some, np.bincount(windows.hour_day, np.where(known_hours, hourly, 0.0), days), np.nan)
    lengths = np.diff(windows.day_edges)
    share = np.bincount(windows.hour_day, all_known_ms(parts, windows.hour_edges), days) / np.where(
        lengths > 0, lengths, 1
    )
    capacity = float(plant.capacity_m3_d)
    enough = share >= ENOUGH
    rate = hourly / (np.diff(windows.hour_edges) / 3_600_000)
    peak = np.full(days, -np.inf)
    np.maximum.at(peak, windows.hour_day[known_hours], rate[known_hours])
    return Headroom(
        inflow,
        np.where(enough, capacity - inflow, np.nan),
        np.where(enough, inflow / capacity, np.nan),
        np.where(some, peak, np.nan),
        share,
        hourly,
    )


def inflow_points(plant: Plant) -> tuple[Point, ...]:
    """The points whose flow is the plant's inflow: the inlet, or else all outfalls."""
    return plant.outfalls if plant.inlet is None else (plant.point_by_id[plant.inlet],)


def sum_known(volumes: Sequence[FloatArray], hours: int) -> FloatArray:
    """(H,) the sum of what is known; NaN where nothing is."""
    total, some = np.zeros(hours), np.zeros(hours, dtype=bool)
    for volume in volumes:
        known = ~np.isnan(volume)
        total[known] += volume[known]
        some |= known
    return np.where(some, total, np.nan)


def all_known_ms(parts: Sequence[PointVolume], hour_edges: IntArray) -> IntArray:
    """(H,) time in which every part is metered and known, all at once."""
    if not parts or not all(part.metered for part in parts):
        return np.zeros(hour_edges.size - 1, dtype=np.int64)
    if len(parts) == 1:
        return parts[0].known_ms
    # The union of what is unknown, which is little: its intervals by start, each from where the others have ended.
    starts = np.concatenate([part.unknown[0] for part in parts])
    ends = np.concatenate([part.unknown[1] for part in parts])
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], ends[order]
    covered = np.maximum.accumulate(np.concatenate(([hour_edges[0]], ends)))[:-1]
    fresh = np.maximum(ends - np.maximum(starts, covered), 0)  # unknown segments never cross an hour
    hour = np.searchsorted(hour_edges, starts, side="right") - 1
    return np.diff(hour_edges) - np.bincount(hour, fresh, hour_edges.size - 1).astype(np.int64)
