"""The bill of one period: readings → volumes and loads → shares and tariff lines → statement.

Read :func:`bill` from top to bottom. What was measured (:class:`Usage`) and what is charged for it
(:func:`settle`) are apart, so that a what-if bills other volumes or strengths by the same code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from plant_monitor.allocation.costs import cost_problems, equivalent_parameters, tariff_problems
from plant_monitor.allocation.dated import change_notes, in_period
from plant_monitor.allocation.exact import EQUIVALENT_PLACES, KG_PLACES, M3_PLACES, to_places
from plant_monitor.allocation.findings import (
    BillFinding,
    day_findings,
    difference_findings,
    finding,
    load_findings,
    mean_findings,
    volume_findings,
    zero_weights,
)
from plant_monitor.allocation.loads import equivalents
from plant_monitor.allocation.period import Period as Period  # callers bill by this module alone
from plant_monitor.allocation.split import (
    CAPACITY_SHARE,
    DIRECT_PREFIX,
    EQUAL,
    LOAD,
    LOAD_PREFIX,
    VOLUME_BASIS,
    CostItem,
    Shares,
)
from plant_monitor.allocation.tariff import TARIFF_BASIS, TariffLine, minimum_line, tariff_lines, vat_line
from plant_monitor.allocation.usage import (
    Difference,
    Usage,
    capacity_shares,
    measure,
    needed_parameters,
    unmetered_difference,
)
from plant_monitor.errors import InputError
from plant_monitor.plant import Plant
from plant_monitor.readings import Readings

#: Changes whenever the same inputs would give another figure. Statements name it.
RULE_VERSION = "bill-1"


@dataclass(frozen=True, slots=True)
class Item:
    """One cost item or tariff line over all members, by member id.

    ``quantities`` carry their decimals, None = none · ``shares`` empty for tariff lines ·
    ``fallback`` the basis that stood in because all weights were zero
    """

    item: str
    basis: str
    unit: str
    quantities: dict[str, Decimal | None]
    amounts_fen: dict[str, int]
    shares: dict[str, Fraction] = field(default_factory=dict)
    fallback: str = ""
    note: str = ""
    details: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def total_fen(self) -> int:
        """Exactly the cost item's amount, or the sum of the tariff line."""
        return sum(self.amounts_fen.values())


@dataclass(frozen=True, slots=True)
class Statement:
    """A draft statement: every figure and what it rests on. Its files are made by ``documents``."""

    plant: Plant
    period: Period
    usage: Usage
    difference: Difference | None
    measured_litres: dict[str, int]  # estimates included
    billed_litres: dict[str, int]  # with the part of the unmetered difference
    items: tuple[Item, ...]  # cost items in their order, then tariff lines
    findings: tuple[BillFinding, ...]
    rule_version: str = RULE_VERSION

    def member_total_fen(self, member: str) -> int:
        """What a member pays in all."""
        return sum(i.amounts_fen[member] for i in self.items)

    @property
    def total_fen(self) -> int:
        """What all members pay together."""
        return sum(i.total_fen for i in self.items)


#: Weights by member, and the quantities and unit in which people read them.
Weighed = tuple[Mapping[str, int | Fraction], dict[str, Decimal | None], str]
#: What the items of one basis have in common: their shares, quantities and unit.
Basis = tuple[Shares, dict[str, Decimal | None], str]


def bill(plant: Plant, readings: Readings, period: Period, costs: Sequence[CostItem]) -> Statement:
    """The draft statement of a period.

    ``readings`` in order of acceptance, as many as there are: at least those of the period, per series the
    last before it and the first after it, and per totaliser the last *valid* register before it and the
    first after it.

    Raises
    ------
    InputError  a cost item or a tariff rule cannot be billed; carries all problems
    """
    problems = [*tariff_problems(plant), *(problem for _, problem in cost_problems(plant, costs))]
    if problems:
        raise InputError("the bill cannot be made", problems)
    of_period = in_period(plant, period)
    usage = measure(of_period, readings, period, needed_parameters(of_period, costs))
    return settle(plant, period, costs, usage)


def settle(plant: Plant, period: Period, costs: Sequence[CostItem], usage: Usage) -> Statement:
    """What each member pays for a usage: shares of the costs, then the tariff's lines."""
    notes = change_notes(plant, period)
    plant = in_period(plant, period)
    measured = usage.litres(plant)
    difference = unmetered_difference(plant, usage, measured)
    billed = {m: litres + (difference.parts[m] if difference else 0) for m, litres in measured.items()}
    means = {p: {m: load.mean_mg_l for m, load in loads.items()} for p, loads in usage.loads.items()}
    capacity = capacity_shares(plant)
    bases: dict[str, Basis] = {}
    for basis in {cost.basis for cost in costs}:
        weights, quantities, unit = _weights(plant, basis, usage, billed)
        bases[basis] = Shares.of(weights, capacity), quantities, unit
    items = [_cost_item(cost, bases[cost.basis]) for cost in costs]
    months = period.months * period.part
    items += [_tariff_item(line) for line in tariff_lines(plant, months, billed, means)]
    items += _least_and_tax(plant, months, items)
    findings = [
        *notes,
        *volume_findings(plant, period, usage),
        *difference_findings(plant, difference),
        *day_findings(plant, usage.reconciliation),
        *mean_findings(usage),
        *load_findings(plant, costs, usage, billed),
        *(zero_weights(i.item, i.fallback) for i in items if i.fallback),
        *(finding("vat_item_unknown", {}, item=i) for i, _ in plant.tariff.vat if i not in {x.item for x in items}),
    ]
    return Statement(plant, period, usage, difference, measured, billed, tuple(items), tuple(findings))


def _least_and_tax(plant: Plant, months: Fraction, items: Sequence[Item]) -> list[Item]:
    """What is missing to the least charge, then the tax on all of it; no line where the tariff has none."""
    members = [m.id for m in plant.members]
    added: list[Item] = []
    if plant.tariff.minimum_yuan_month:
        totals = {m: sum(i.amounts_fen[m] for i in items) for m in members}
        added.append(_tariff_item(minimum_line(plant.tariff, months, totals)))
    if plant.tariff.vat:
        amounts = {i.item: i.amounts_fen for i in (*items, *added)}
        added.append(_tariff_item(vat_line(plant.tariff, amounts, members)))
    return added


def _cost_item(cost: CostItem, of_basis: Basis) -> Item:
    """A cost item, split by its basis."""
    shares, quantities, unit = of_basis
    parts = shares.split(cost.amount_fen)
    return Item(cost.item, cost.basis, unit, quantities, parts, shares.shares, shares.fallback, cost.note)


def _weights(plant: Plant, basis: str, usage: Usage, billed: Mapping[str, int]) -> Weighed:
    """Those of a basis."""
    members = [m.id for m in plant.members]
    if basis == VOLUME_BASIS:
        return billed, {m: to_places(Fraction(billed[m], 1000), M3_PLACES) for m in members}, "m3"
    if basis == LOAD:
        counting = [usage.loads[p] for p in equivalent_parameters(plant)]
        weights = {m: equivalents({loads[m].parameter: loads[m].grams for loads in counting}) for m in members}
        return weights, {m: to_places(weights[m], EQUIVALENT_PLACES) for m in members}, "equivalent"
    if basis.startswith(LOAD_PREFIX):
        grams = {m: load.grams for m, load in usage.loads[basis.removeprefix(LOAD_PREFIX)].items()}
        return grams, {m: to_places(Fraction(grams[m], 1000), KG_PLACES) for m in members}, "kg"
    if basis == CAPACITY_SHARE:
        return capacity_shares(plant), {m.id: m.capacity_share or Decimal(0) for m in plant.members}, "share"
    if basis == EQUAL:
        return dict.fromkeys(members, 1), dict.fromkeys(members, Decimal(1)), "member"
    payer = basis.removeprefix(DIRECT_PREFIX)
    return {m: int(m == payer) for m in members}, dict.fromkeys(members), ""


def _tariff_item(line: TariffLine) -> Item:
    """A tariff line in the shape of a cost item."""
    return Item(line.item, TARIFF_BASIS, line.unit, dict(line.quantities), line.amounts_fen, details=line.details)
