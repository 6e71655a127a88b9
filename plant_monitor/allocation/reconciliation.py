"""The water of a period by days: the outfalls against the inlet, and each register against the flow beside it.

Nothing here is billed. It says on which day, and by whose meters, inlet and outfalls drift apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np

from plant_monitor import units
from plant_monitor.allocation.exact import half_up
from plant_monitor.allocation.loads import ENOUGH_VALID
from plant_monitor.allocation.registers import overlapping_steps
from plant_monitor.allocation.volumes import ESTIMATE, FLOW_METHOD, Volume
from plant_monitor.holds import Steps, flow_curve, sorted_union
from plant_monitor.plant import FLOW, VOLUME, Plant, Point
from plant_monitor.readings import BoolArray, FloatArray, IntArray, Readings


@dataclass(frozen=True, slots=True)
class DailyVolume:
    """The volume of one point by days, and its two meters beside each other; all (D,) in litres.

    ``litres`` sum to the volume's · ``register``, ``flow`` what totaliser and flow say of the time over which
    the register's steps count; None on a day of which they know too little to be compared
    """

    point: str
    member: str | None
    litres: tuple[int, ...]
    register: tuple[int | None, ...]
    flow: tuple[int | None, ...]
    resolution: Fraction = Fraction(0)  # of the register, in litres

    @property
    def apart(self) -> tuple[int | None, ...]:
        """(D,) flow − register; None where they are not compared."""
        return tuple(None if r is None or f is None else f - r for r, f in zip(self.register, self.flow))

    def compared(self, day: int | None = None) -> tuple[int, int]:
        """(register, flow) in litres of a day, or of all days that are compared; (0, 0) where none is."""
        days = range(len(self.register)) if day is None else [day]
        pairs = [(r, f) for i in days if (r := self.register[i]) is not None and (f := self.flow[i]) is not None]
        return sum(r for r, _ in pairs), sum(f for _, f in pairs)

    def beyond(self, tolerance: Decimal, day: int | None = None) -> bool:
        """Whether the meters differ by more than a part of the register's volume and one step of its dial."""
        register, flow = self.compared(day)
        return abs(flow - register) > Fraction(tolerance) * register + self.resolution


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """All points by days: outfalls in plant.yaml's order; the inlet, where its volume is known."""

    days: tuple[date, ...]
    outfalls: tuple[DailyVolume, ...]
    inlet: DailyVolume | None

    def outfall_litres(self, day: int) -> int:
        """What all outfalls let out on a day."""
        return sum(v.litres[day] for v in self.outfalls)

    def difference_litres(self, day: int) -> int | None:
        """Inlet − Σ outfalls of a day; None without an inlet."""
        return None if self.inlet is None else self.inlet.litres[day] - self.outfall_litres(day)

    def member_litres(self, member: str, day: int) -> int:
        """What a member's outfalls let out on a day."""
        return sum(v.litres[day] for v in self.outfalls if v.member == member)

    def days_beyond(self, tolerance: Decimal) -> list[int]:
        """The days on which inlet and outfalls differ by more than a part of the inlet."""
        if self.inlet is None:
            return []
        inlet = self.inlet.litres
        differences = [self.difference_litres(d) or 0 for d in range(len(self.days))]
        return [d for d, litres in enumerate(differences) if abs(litres) > Fraction(tolerance) * inlet[d]]


def reconciled(
    plant: Plant,
    readings: Mapping[str, Mapping[str, Readings]],
    days: tuple[date, ...],
    day_edges: IntArray,
    outfalls: Iterable[Volume],
    inlet: Volume | None,
) -> Reconciliation | None:
    """The volumes of a period by days; None where the plant has neither an inlet nor two meters at one outfall.

    ``readings`` point -> parameter -> readings as for the volumes · ``day_edges`` (D+1,) ms
    """
    if inlet is None and not any(p.find(FLOW) and p.find(VOLUME) for p in plant.outfalls):
        return None

    def daily(volume: Volume) -> DailyVolume:
        point = plant.point_by_id[volume.point]
        return _daily(plant, point, readings.get(point.id, {}), volume, day_edges)

    known = inlet if inlet is not None and inlet.litres is not None else None
    return Reconciliation(days, tuple(daily(v) for v in outfalls), None if known is None else daily(known))


def _daily(
    plant: Plant, point: Point, readings: Mapping[str, Readings], volume: Volume, day_edges: IntArray
) -> DailyVolume:
    """One point by days, from the cells between day edges and the ends of what the register does not count."""
    count = day_edges.size - 1
    total = volume.litres or 0
    nothing: tuple[int | None, ...] = (None,) * count
    if volume.method == ESTIMATE:
        ends = [half_up(Fraction(total * d, count)) for d in range(count + 1)]
        return DailyVolume(point.id, volume.member, tuple(b - a for a, b in pairwise(ends)), nothing, nothing)
    totaliser = point.find(VOLUME)
    steps = None
    if totaliser is not None and VOLUME in readings:
        start_ms, end_ms = day_edges[[0, -1]].tolist()
        steps = overlapping_steps(readings[VOLUME], totaliser, plant, start_ms, end_ms)
    edges = day_edges if steps is None else _cells(steps, day_edges)
    day = np.searchsorted(day_edges, edges[:-1], side="right") - 1
    rise, counts = np.zeros(day.size), np.zeros(day.size, dtype=bool)
    if steps is not None and totaliser is not None and steps.counts.size:
        rise, counts = _registers(steps, edges)
        rise = rise * units.factor(totaliser.unit, "m3")
    flowed, known_ms = np.zeros(day.size), np.zeros(day.size, dtype=np.int64)
    if point.find(FLOW) is not None:
        curve = flow_curve(point, plant, readings, edges, totaliser=False)
        flowed, known_ms = np.nan_to_num(curve.volume_m3), curve.known_ms

    def by_day(values: FloatArray | IntArray) -> FloatArray:
        sums: FloatArray = np.bincount(day, values, count).astype(np.float64)
        return sums

    whole = float(known_ms.sum()) / float(edges[-1] - edges[0]) if volume.method == FLOW_METHOD else 1.0
    volumes = by_day(np.where(counts, rise, flowed / (whole or 1.0)))
    daily = DailyVolume(point.id, volume.member, _adding_up(volumes, total), nothing, nothing)
    if totaliser is None or point.find(FLOW) is None or not counts.any():
        return daily
    known = by_day(known_ms * counts)
    enough = known >= float(ENOUGH_VALID) * np.diff(day_edges)
    flow = by_day(flowed * counts) * by_day(np.diff(edges) * counts) / np.maximum(known, 1.0)
    return replace(
        daily,
        register=_compared(by_day(rise * counts), enough),
        flow=_compared(flow, enough),
        resolution=Fraction(totaliser.resolution) * units.ratio(totaliser.unit, "m3") * 1000,
    )


def _cells(steps: Steps, day_edges: IntArray) -> IntArray:
    """The day edges, and the ends of steps between which the register does not count."""
    apart = np.flatnonzero(np.diff(np.concatenate([[False], steps.counts, [False]])))
    inside = steps.time[apart] if steps.counts.size else steps.time[:0]
    return sorted_union(day_edges, inside[(inside > day_edges[0]) & (inside < day_edges[-1])])


def _registers(steps: Steps, edges: IntArray) -> tuple[FloatArray, BoolArray]:
    """(K,) by how much the register rose in each cell, in its unit; whether it counts there."""
    risen = np.concatenate([[0.0], np.cumsum(np.where(steps.counts, steps.increase, 0.0))])
    rise = np.diff(np.interp(edges, steps.time, risen))
    step = np.searchsorted(steps.time, edges[:-1], side="right") - 1
    counts = (step >= 0) & (step < steps.counts.size)
    counts[counts] = steps.counts[step[counts]]
    return rise, counts


def _adding_up(volumes_m3: FloatArray, total: int | None = None) -> tuple[int, ...]:
    """Litres by day that sum to the total: what has run by each midnight is rounded, not each day."""
    # As everywhere: an integral is rounded to 1e-6 m³ first, so that noise decides nothing.
    ends = np.floor(np.rint(np.cumsum(volumes_m3) * 1e6) / 1e3 + 0.5).astype(np.int64).tolist()
    return tuple(b - a for a, b in pairwise([0, *ends[:-1], ends[-1] if total is None else total]))


def _compared(volumes_m3: FloatArray, enough: BoolArray) -> tuple[int | None, ...]:
    litres = _adding_up(np.where(enough, volumes_m3, 0.0))
    return tuple(one if there else None for one, there in zip(litres, enough.tolist()))
