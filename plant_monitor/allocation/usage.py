"""What the members used in a period: volumes, loads, and how they compare with the inlet.

Readings come in, figures come out; what is charged for them is decided in ``statement``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from plant_monitor.allocation.costs import equivalent_parameters
from plant_monitor.allocation.inputs import ReadingsDigest, readings_digest
from plant_monitor.allocation.loads import MemberLoad, flow_curves, member_loads
from plant_monitor.allocation.period import Period
from plant_monitor.allocation.reconciliation import Reconciliation, reconciled
from plant_monitor.allocation.split import LOAD, LOAD_PREFIX, CostItem, Shares
from plant_monitor.allocation.volumes import Volume, measured_volume, outfall_volumes
from plant_monitor.plant import FLOW, VOLUME, Plant
from plant_monitor.readings import Readings
from plant_monitor.windows import local_windows


@dataclass(frozen=True, slots=True)
class Usage:
    """What the members used in a period: outfalls in plant.yaml's order, the inlet where one is named.

    ``loads`` parameter -> member -> load, of the parameters that the bill needs · ``readings`` the digest of
    what was measured, ``reconciliation`` the volumes by days; None where this is a supposition
    """

    outfalls: tuple[Volume, ...]
    inlet: Volume | None
    loads: dict[str, dict[str, MemberLoad]]
    readings: ReadingsDigest | None = None
    reconciliation: Reconciliation | None = None

    def litres(self, plant: Plant) -> dict[str, int]:
        """Measured litres of every member, estimates included."""
        sums = {m.id: 0 for m in plant.members}
        for volume in self.outfalls:
            if volume.member is not None:
                sums[volume.member] += volume.litres or 0
        return sums


@dataclass(frozen=True, slots=True)
class Difference:
    """Inlet − Σ outfalls, and what each member bears of it. ``parts`` are 0 unless the rule splits it."""

    inlet_litres: int
    outfall_litres: int
    rule: str  # report | proportional | equal
    parts: dict[str, int]
    fallback: str = ""

    @property
    def litres(self) -> int:
        """Positive: more came in than the outfalls measured."""
        return self.inlet_litres - self.outfall_litres


def needed_parameters(plant: Plant, costs: Sequence[CostItem]) -> tuple[str, ...]:
    """The parameters whose means or loads enter the bill."""
    named = [c.basis.removeprefix(LOAD_PREFIX) for c in costs if c.basis.startswith(LOAD_PREFIX)]
    named += [rule.parameter for rule in plant.tariff.strength_steps]
    if any(c.basis == LOAD for c in costs):
        named += equivalent_parameters(plant)
    return tuple(dict.fromkeys(named))


def measure(plant: Plant, readings: Readings, period: Period, parameters: Sequence[str]) -> Usage:
    """What the readings say about the period: volumes, and loads of ``parameters``."""
    by_point = _series_of_interest(plant, readings, period, parameters)
    start, end = period.start_ms, period.end_ms
    outfalls = outfall_volumes(plant, by_point, start, end, period.days)
    inlet = plant.point_by_id[plant.inlet] if plant.inlet else None
    came = measured_volume(plant, inlet, by_point.get(inlet.id, {}), start, end) if inlet else None
    curves = flow_curves(plant, by_point, start, end) if parameters else {}
    windows = local_windows(period.first, period.last, plant.zone)
    return Usage(
        outfalls,
        came,
        {p: member_loads(plant, by_point, curves, outfalls, p) for p in parameters},
        readings_digest(by_point, start, end),
        reconciled(plant, by_point, windows.days, windows.day_edges, outfalls, came),
    )


def unmetered_difference(plant: Plant, usage: Usage, measured: Mapping[str, int]) -> Difference | None:
    """Inlet − Σ outfalls; a positive one is split by the tariff's rule. None without an inlet's volume."""
    if usage.inlet is None or usage.inlet.litres is None:
        return None
    rule = plant.tariff.unmetered_difference
    outfalls = sum(v.litres or 0 for v in usage.outfalls)
    excess = usage.inlet.litres - outfalls
    if rule == "report" or excess <= 0:
        return Difference(usage.inlet.litres, outfalls, rule, dict.fromkeys(measured, 0))
    weights = measured if rule == "proportional" else dict.fromkeys(measured, 1)
    shares = Shares.of(weights, capacity_shares(plant))
    return Difference(usage.inlet.litres, outfalls, rule, shares.split(excess), shares.fallback)


def capacity_shares(plant: Plant) -> dict[str, Fraction]:
    """Relative weights; a member that states none has none."""
    return {m.id: Fraction(m.capacity_share or 0) for m in plant.members}


def _series_of_interest(
    plant: Plant, readings: Readings, period: Period, parameters: Sequence[str]
) -> dict[str, dict[str, Readings]]:
    """Point -> parameter -> readings sorted by time, of what the bill looks at.

    A reading holds for two intervals at most, so only totalisers are looked at beyond that.
    """
    points = {p.id for p in plant.outfalls} | {plant.inlet}
    wanted = [s.point in points and (s.parameter in (FLOW, VOLUME) or s.parameter in parameters) for s in plant.series]
    keep = np.array([*wanted, False])[readings.series]
    totaliser = np.array([*(s.parameter == VOLUME for s in plant.series), False])[readings.series]
    reach = 2 * max((s.interval_ms or 0 for s in plant.series), default=0)
    near = (readings.time >= period.start_ms - reach) & (readings.time <= period.end_ms + reach)
    rows = readings.take(keep & (near | totaliser)).by_time()
    bounds = np.searchsorted(rows.series, np.arange(len(plant.series) + 1))
    by_point: dict[str, dict[str, Readings]] = {}
    for index in np.flatnonzero(wanted):
        series = plant.series[index]
        of_series = rows.take(np.arange(bounds[index], bounds[index + 1]))
        by_point.setdefault(series.point, {})[series.parameter] = of_series
    return by_point
