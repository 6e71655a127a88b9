"""What a list of cost items and a tariff must satisfy before a bill can be made (design §4.5, §5 *Files*)."""

from __future__ import annotations

from collections.abc import Sequence

from plant_monitor import units
from plant_monitor.allocation.loads import EQUIVALENT_KG
from plant_monitor.allocation.split import (
    CAPACITY_SHARE,
    DIRECT_PREFIX,
    EQUAL,
    LOAD,
    LOAD_PREFIX,
    VOLUME_BASIS,
    CostItem,
)
from plant_monitor.allocation.tariff import is_reserved
from plant_monitor.errors import Problem
from plant_monitor.plant import Plant, Role, Tariff

TOTAL = "TOTAL"
_BASES = "volume, capacity_share, equal, load, load:<parameter> or direct:<member>"


def cost_problems(plant: Plant, costs: Sequence[CostItem]) -> tuple[tuple[int, Problem], ...]:
    """Everything wrong with the cost items, each with the index of its row; nothing is billed with any.

    The caller who read the file knows its lines and may replace ``where``.
    """
    problems: list[tuple[int, Problem]] = []
    seen: set[str] = set()
    for row, cost in enumerate(costs):
        where = f"cost item {row + 1}"
        if name := _name_problem(cost.item, seen, plant.tariff):
            problems.append((row, Problem(where, "item", repr(cost.item), name)))
        if basis := _basis_problem(plant, cost.basis):
            problems.append((row, Problem(where, "basis", repr(cost.basis), basis)))
        seen.add(cost.item)
    return tuple(problems)


def tariff_problems(plant: Plant) -> tuple[Problem, ...]:
    """What in the plant itself makes every bill impossible."""
    problems = [
        Problem("plant", f"tariff.strength_steps[{i}].parameter", repr(rule.parameter), expected)
        for i, rule in enumerate(plant.tariff.strength_steps)
        if (expected := _parameter_problem(plant, rule.parameter))
    ]
    if TOTAL in plant.member_by_id:
        problems.append(Problem("plant", "members", "a member TOTAL", "another id: TOTAL rows are the sums"))
    if not plant.members:
        problems.append(Problem("plant", "members", "none", "at least one member to bill"))
    return tuple(problems)


def equivalent_parameters(plant: Plant) -> tuple[str, ...]:
    """The parameters with a pollution equivalent that some outfall measures."""
    measured = {s.parameter for p in plant.outfalls for s in p.series}
    return tuple(p for p in EQUIVALENT_KG if p in measured)


def _name_problem(item: str, seen: set[str], tariff: Tariff) -> str:
    """What is expected of an item's name; empty where it is fine."""
    if not item:
        return "a name"
    if item in seen:
        return "a name that no other item has"
    if item == TOTAL or is_reserved(item, tariff):
        return f"a name other than {TOTAL} and those of tariff lines (volume_price, fixed, strength:…, minimum, vat)"
    return ""


def _basis_problem(plant: Plant, basis: str) -> str:
    """What is expected of a basis; empty where it is fine."""
    if basis in (VOLUME_BASIS, CAPACITY_SHARE, EQUAL):
        return ""
    if basis == LOAD:
        return next((p for e in equivalent_parameters(plant) if (p := _parameter_problem(plant, e))), "")
    if basis.startswith(LOAD_PREFIX):
        return _parameter_problem(plant, basis.removeprefix(LOAD_PREFIX))
    if basis.startswith(DIRECT_PREFIX):
        known = basis.removeprefix(DIRECT_PREFIX) in plant.member_by_id
        return "" if known else f"direct:<member> with one of {', '.join(m.id for m in plant.members)}"
    return _BASES


def _parameter_problem(plant: Plant, parameter: str) -> str:
    """What is expected of a parameter that is to have a load; empty where it is fine."""
    series = [s for p in plant.points for s in p.series if s.parameter == parameter]
    at_outfalls = [s for s in series if plant.point_by_id[s.point].role is Role.OUTFALL]
    if not series:
        return "a parameter that the plant measures"
    for s in at_outfalls or series:
        if not units.is_concentration(s.unit):
            return f"a parameter in a mass per volume; {s.point}.{parameter} is in {s.unit!r}"
    return ""
