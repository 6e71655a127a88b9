"""How much of the plant's hydraulic capacity each day used (design §5, *Headroom*)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from plant_monitor.compliance.means import ENOUGH
from plant_monitor.holds import FlowCurve, sorted_union
from plant_monitor.plant import Plant
from plant_monitor.readings import BoolArray, FloatArray, IntArray
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


def daily_headroom(plant: Plant, curves: Mapping[str, FlowCurve], windows: Windows) -> Headroom:
    """The plant's inflow against its capacity.

    The inflow is the inlet's volume, or the sum of the outfalls' known volumes. ``valid_share`` is the
    time in which the *whole* inflow is known, over the day's length; below 0.75 headroom and used share
    stay unknown. ``curves`` point id -> flow over the hours of ``windows``.
    """
    sources = [plant.inlet] if plant.inlet is not None else [p.id for p in plant.outfalls]
    parts = [curves[point] for point in sources]
    hourly = _sum_known([curve.volume_m3() for curve in parts], windows.hour_day.size)
    days = len(windows.days)
    known_hours = ~np.isnan(hourly)
    some = np.bincount(windows.hour_day, known_hours, days) > 0
    inflow = np.where(some, np.bincount(windows.hour_day, np.where(known_hours, hourly, 0.0), days), np.nan)
    lengths = np.diff(windows.day_edges)
    share = np.bincount(windows.hour_day, _all_known_ms(parts, windows.hour_edges), days) / np.where(
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


def _sum_known(volumes: list[FloatArray], hours: int) -> FloatArray:
    """(H,) the sum of what is known; NaN where nothing is."""
    total, some = np.zeros(hours), np.zeros(hours, dtype=bool)
    for volume in volumes:
        known = ~np.isnan(volume)
        total[known] += volume[known]
        some |= known
    return np.where(some, total, np.nan)


def _all_known_ms(curves: list[FlowCurve], hour_edges: IntArray) -> IntArray:
    """(H,) time in which every curve is metered and known, all at once."""
    hours = hour_edges.size - 1
    if not curves or not all(curve.metered for curve in curves):
        return np.zeros(hours, dtype=np.int64)
    edges = sorted_union(*(curve.edges for curve in curves))
    known: BoolArray = np.ones(edges.size - 1, dtype=bool)
    for curve in curves:
        known &= curve.known[np.searchsorted(curve.edges, edges[:-1], side="right") - 1]
    hour = np.searchsorted(hour_edges, edges[:-1], side="right") - 1
    return np.bincount(hour, np.where(known, np.diff(edges), 0), hours).astype(np.int64)
