"""Amounts that pass what is allowed, and sums that do not agree: what alerts of the plant as a whole tell. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from plant_monitor.compliance.headroom import all_known_ms
from plant_monitor.compliance.means import PointVolume
from plant_monitor.compliance.standing import standing
from plant_monitor.holds import flow_curve
from plant_monitor.plant import Plant, Point
from plant_monitor.readings import Readings
from plant_monitor.windows import HOUR_MS, Windows

#: A day is compared where so much of it is known on both sides.
WHOLE = 0.95
#: Spans in which an amount is held against what is allowed in a day.
_DAYS = ("last_24_h", "midnight")


@dataclass(frozen=True, slots=True)
class Passed:
    """At two full hours in a row a quantity has passed what is allowed, now in ``span``: of the plant, or a member."""

    member: str  # empty: the plant
    quantity: str
    span: str
    start_ms: int
    end_ms: int
    amount: float
    allowed: float
    unit: str


@dataclass(frozen=True, slots=True)
class Difference:
    """On a day the inlet and the sum of the outfalls differ by more than what is tolerated (m³)."""

    start_ms: int
    end_ms: int
    inlet_m3: float
    outfalls_m3: float
    tolerated_m3: float


def passed(plant: Plant, readings: Readings, hour_ms: int) -> list[Passed]:
    """What passes capacity, design load or a quota now and did an hour ago: one hour alone is no tendency.

    ``readings`` as for ``standing.standing``, from an hour earlier on.
    """
    before = _beyond(plant, readings, hour_ms - HOUR_MS).keys()
    found = []
    for (member, quantity), row in _beyond(plant, readings, hour_ms).items():
        if (member, quantity) in before:
            numbers = row["amount"], row["allowed"], row["unit"]
            found.append(Passed(member, quantity, row["span"], hour_ms - 2 * HOUR_MS, hour_ms, *numbers))
    return found


def _beyond(plant: Plant, readings: Readings, hour_ms: int) -> dict[tuple[str, str], dict[str, Any]]:
    """The worse of the two spans, by member and quantity."""
    rows = standing(plant, readings, hour_ms).rows()
    over = [r for r in rows if r["span"] in _DAYS and r["used_share"] is not None and r["used_share"] > 1 + 1e-9]
    return {(row["member"], row["quantity"]): row for row in sorted(over, key=lambda r: r["used_share"])}


def daily_differences(plant: Plant, readings: Readings, windows: Windows, until_ms: int) -> list[Difference]:
    """Days that are over, on which inlet and outfalls do not agree by the tariff's tolerance.

    ``readings`` around the windows, in order of acceptance. Without inlet, outfalls or tolerance there are none.
    """
    tolerance = plant.tariff.difference_tolerance
    if tolerance is None or plant.inlet is None or not plant.outfalls or not windows.days:
        return []
    sides = [(plant.point_by_id[plant.inlet],), plant.outfalls]
    (inlet, inlet_share), (outfalls, outfalls_share) = (_days(plant, side, readings, windows) for side in sides)
    edges, limit = windows.day_edges, float(tolerance) * inlet
    off = np.abs(inlet - outfalls) > limit * (1 + 1e-9)
    known = (np.minimum(inlet_share, outfalls_share) >= WHOLE) & (edges[1:] <= until_ms)
    return [
        Difference(int(edges[i]), int(edges[i + 1]), float(inlet[i]), float(outfalls[i]), float(limit[i]))
        for i in np.flatnonzero(off & known)
    ]


def _days(plant: Plant, points: tuple[Point, ...], readings: Readings, windows: Windows) -> tuple[np.ndarray, ...]:
    """(D,) m³ of points together, and the share of each day in which all of them are known."""
    by_series = readings.by_time()
    parts = []
    for point in points:
        own = {s.parameter: by_series.of_series(plant.series_index[point.id, s.parameter]) for s in point.series}
        parts.append(PointVolume(flow_curve(point, plant, own, windows.hour_edges), windows))
    known = np.bincount(windows.hour_day, all_known_ms(parts, windows.hour_edges), len(windows.days))
    return np.sum([part.daily for part in parts], axis=0), known / np.diff(windows.day_edges)
