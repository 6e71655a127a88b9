"""What would have been: a plant and its readings, changed by a scenario, for the same evaluation as ever.

A scenario changes what the outfalls send, the capacity, or the limits. What the plant's own inlet and effluent
measured stays what it was; the inflow is then the sum of the outfalls, since the measured inlet knows nothing of
the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from plant_monitor import units
from plant_monitor.plant import FLOW, VOLUME, Plant, Point, Role, Series
from plant_monitor.readings import Readings

ALL = "all"  # every concentration


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is changed. ``flow`` member -> factor, 0 = its outfalls are off · ``strength`` member -> parameter (or
    ``all``) -> factor · ``limits`` point -> the limit sets it has instead · ``capacity_m3_d`` None = as it is."""

    flow: Mapping[str, Decimal] = field(default_factory=dict)
    strength: Mapping[str, Mapping[str, Decimal]] = field(
        default_factory=dict
    )  # member -> parameter or "all" -> factor
    limits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    capacity_m3_d: Decimal | None = None


def changed(plant: Plant, readings: Readings, scenario: Scenario) -> tuple[Plant, Readings]:
    """The plant and the readings of the scenario; the arguments stay as they are.

    A flow × k takes its totaliser's registers and their rollover with it, so that a step that counted counts
    still and a bill sees k times the volume. Strength × k holds for concentrations.
    """
    value = readings.value.copy()
    points = []
    for point in plant.points:
        flow_factor = scenario.flow.get(point.member or "", Decimal(1))
        strength = scenario.strength.get(point.member or "", {})
        series = []
        for one in point.series:
            factor = _factor(one, flow_factor, strength)
            if factor != 1:
                mine = readings.series == plant.series_index[one.point, one.parameter]
                value[mine] *= float(factor)
            series.append(_scaled(one, factor, plant) if one.parameter == VOLUME else one)
        limits = scenario.limits.get(point.id, point.limits)
        points.append(replace(point, series=tuple(series), limits=tuple(limits)))
    capacity = plant.capacity_m3_d if scenario.capacity_m3_d is None else scenario.capacity_m3_d
    touches_water = any(factor != 1 for factor in scenario.flow.values())
    changed_plant = replace(
        plant,
        points=tuple(points),
        capacity_m3_d=capacity,
        inlet=None if touches_water and _has_outfalls(points) else plant.inlet,
    )
    return changed_plant, Readings(readings.time, readings.series, value, readings.mark)


def _has_outfalls(points: list[Point]) -> bool:
    return any(point.role is Role.OUTFALL for point in points)


def _factor(series: Series, flow: Decimal, strength: Mapping[str, Decimal]) -> Decimal:
    if series.parameter in (FLOW, VOLUME):
        return flow
    if units.is_concentration(series.unit):
        return strength.get(series.parameter, strength.get(ALL, Decimal(1)))
    return Decimal(1)


def _scaled(series: Series, factor: Decimal, plant: Plant) -> Series:
    """A totaliser whose steps are tested as before: register, rollover, resolution and rate all times the factor."""
    rate = plant.max_rate_m3_h(series)
    if factor == 0:
        return replace(series, rollover=None, max_rate_m3_h=rate)
    return replace(
        series,
        rollover=None if series.rollover is None else series.rollover * factor,
        resolution=series.resolution * factor,
        max_rate_m3_h=rate * factor,
    )


def unknown_names(plant: Plant, scenario: Scenario) -> list[str]:
    """What a scenario names and the plant does not have."""
    members = {m.id for m in plant.members}
    problems = [f"member {m!r}" for m in sorted({*scenario.flow, *scenario.strength} - members)]
    parameters = {s.parameter for s in plant.series} | {ALL}
    named = {p for factors in scenario.strength.values() for p in factors}
    problems += [f"parameter {p!r}" for p in sorted(named - parameters)]
    problems += [f"point {p!r}" for p in sorted(scenario.limits.keys() - plant.point_by_id.keys())]
    sets = {s for chosen in scenario.limits.values() for s in chosen}
    return problems + [f"limit set {s!r}" for s in sorted(sets - plant.limit_set_by_id.keys())]
