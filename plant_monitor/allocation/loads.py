"""How strong a member's water is over a period, and the load it is billed for.

Means follow the compliance definition (flow-weighted over valid time, the totaliser's slope standing in
for missing flow); a load is mean × measured litres, so an analyser that is off for a week does not halve
a share (design §5, *Strength and load*).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import fsum

import numpy as np

from plant_monitor import units
from plant_monitor.allocation.exact import half_up, integral
from plant_monitor.allocation.volumes import ESTIMATE, Volume
from plant_monitor.holds import FlowCurve, cut, flow_curve, held, weigh
from plant_monitor.plant import Plant, Point
from plant_monitor.readings import Readings

# 污染当量值, kg per pollution equivalent: 环境保护税法 附表二 (regulatory/domain.md §3).
EQUIVALENT_KG: dict[str, Fraction] = {
    "ss": Fraction(4),
    "bod5": Fraction(1, 2),
    "cod_cr": Fraction(1),
    "toc": Fraction(49, 100),
    "petroleum_oil": Fraction(1, 10),
    "animal_vegetable_oil": Fraction(16, 100),
    "ammonia_n": Fraction(8, 10),
    "total_p": Fraction(1, 4),
}
# Of these only the one with the most equivalents counts (same table, note).
OXYGEN_DEMAND = frozenset({"cod_cr", "bod5", "toc"})

ENOUGH_VALID = Fraction(3, 4)


@dataclass(frozen=True, slots=True)
class PointLoad:
    """What one outfall brings into its member's mean.

    ``load_kg``, ``volume_m3`` over its valid time, or of the estimate · ``valid_ms``, ``due_ms`` exact ·
    ``time_weighted`` True for an estimated outfall
    """

    point: str
    load_kg: float
    volume_m3: float
    valid_ms: int
    due_ms: int
    time_weighted: bool

    @property
    def valid_share(self) -> Fraction | None:
        """Valid ÷ due time; None without due time."""
        return Fraction(self.valid_ms, self.due_ms) if self.due_ms else None


@dataclass(frozen=True, slots=True)
class MemberLoad:
    """Strength and billed load of one parameter of one member.

    ``mean_mg_l`` rounded to 1e-6, None = no valid time · ``grams`` billed, >= 0 · ``points`` the outfalls
    that measure the parameter
    """

    member: str
    parameter: str
    mean_mg_l: Decimal | None
    grams: int
    points: tuple[PointLoad, ...]


def flow_curves(
    plant: Plant, readings: Mapping[str, Mapping[str, Readings]], start_ms: int, end_ms: int
) -> dict[str, FlowCurve]:
    """The flow of every outfall over the period, as compliance sees it."""
    edges = np.array([start_ms, end_ms], dtype=np.int64)
    return {p.id: flow_curve(p, plant, readings.get(p.id, {}), edges) for p in plant.outfalls}


def member_loads(
    plant: Plant,
    readings: Mapping[str, Mapping[str, Readings]],
    curves: Mapping[str, FlowCurve],
    volumes: Sequence[Volume],
    parameter: str,
) -> dict[str, MemberLoad]:
    """Strength and load of every member for one parameter, whose unit is a mass per volume.

    ``volumes`` of all outfalls. Means are computed from what is unrounded and rounded once; grams come
    from the unrounded mean, rounded to 1e-6 kg first.
    """
    loads = {}
    of_member: dict[str | None, list[Volume]] = {}
    for volume in volumes:
        of_member.setdefault(volume.member, []).append(volume)
    for member in plant.members:
        own = of_member.get(member.id, [])
        points = tuple(
            _point_load(plant.point_by_id[v.point], readings.get(v.point, {}), curves[v.point], v, parameter)
            for v in own
            if plant.point_by_id[v.point].find(parameter) is not None
        )
        litres = sum(v.litres or 0 for v in own)
        loads[member.id] = billed_load(member.id, parameter, points, litres)
    return loads


def billed_load(member: str, parameter: str, points: tuple[PointLoad, ...], litres: int) -> MemberLoad:
    """Σ load ÷ Σ volume, and that mean × the measured litres."""
    volume_m3 = fsum(p.volume_m3 for p in points)
    if volume_m3 <= 0:
        return MemberLoad(member, parameter, None, 0, points)
    mean_mg_l = fsum(p.load_kg for p in points) / volume_m3 * 1000
    return MemberLoad(member, parameter, integral(mean_mg_l), grams_of(mean_mg_l, litres), points)


def grams_of(mean_mg_l: float, litres: int) -> int:
    """A mean × litres, rounded to 1e-6 kg and then to grams; never negative."""
    return max(0, half_up(Fraction(integral(mean_mg_l * litres / 1_000_000)) * 1000))


def _point_load(
    point: Point, readings: Mapping[str, Readings], curve: FlowCurve, volume: Volume, parameter: str
) -> PointLoad:
    """∫ c·q dt and ∫ q dt over valid time; of an estimated outfall its time-weighted mean and its estimate."""
    series = point.find(parameter)
    if series is None:
        raise ValueError(f"{point.id} does not measure {parameter}")
    to_mg_l = units.factor(series.unit, "mg/L")
    estimated = volume.method == ESTIMATE
    edges = curve.edges[[0, -1]]
    pieces = cut(held(readings.get(parameter, Readings.empty()), series), edges)
    weights = weigh(pieces, curve, by_volume=not estimated)
    valid_ms, due_ms = int(weights.valid_ms.sum()), int(curve.due_ms.sum())
    if not estimated:
        load_kg = float(np.sum(weights.value * weights.volume_m3)) * to_mg_l / 1000
        return PointLoad(point.id, load_kg, float(np.sum(weights.volume_m3)), valid_ms, due_ms, False)
    if valid_ms == 0:
        return PointLoad(point.id, 0.0, 0.0, 0, due_ms, True)
    mean_mg_l = float(np.sum(weights.value * weights.valid_ms)) / valid_ms * to_mg_l
    volume_m3 = (volume.litres or 0) / 1000
    return PointLoad(point.id, mean_mg_l * volume_m3 / 1000, volume_m3, valid_ms, due_ms, True)


def equivalents(grams: Mapping[str, int]) -> Fraction:
    """Pollution equivalents (污染当量数) of a member from its billed grams per parameter, exact.

    Of COD, BOD5 and TOC only the one with the most equivalents counts.
    """
    each = {p: Fraction(g, 1000) / EQUIVALENT_KG[p] for p, g in grams.items()}
    others = sum((e for p, e in each.items() if p not in OXYGEN_DEMAND), Fraction(0))
    return others + max((e for p, e in each.items() if p in OXYGEN_DEMAND), default=Fraction(0))
