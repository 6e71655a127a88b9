"""Prices on top of the shared costs: volume price, fixed part, strength surcharges (design §4.6, §5 *Shares*).

Each line is quantity × price per member, rounded once to fen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from plant_monitor.allocation.exact import M3_PLACES, half_up, plain_text, to_places, yuan_text
from plant_monitor.plant import Plant, StrengthStep, Tariff

TARIFF_BASIS = "tariff"
VOLUME_PRICE = "volume_price"
FIXED = "fixed"
STRENGTH_PREFIX = "strength:"
MINIMUM = "minimum"
VAT = "vat"
MONTH_PLACES = 6


@dataclass(frozen=True, slots=True)
class TariffLine:
    """One line of the tariff for all members, by member id.

    ``quantities`` with their decimals, in ``unit`` · ``details`` what else a member needs to check it
    """

    item: str
    unit: str
    quantities: dict[str, Decimal]
    amounts_fen: dict[str, int]
    details: dict[str, dict[str, str]] = field(default_factory=dict)


def tariff_lines(
    plant: Plant,
    months: Fraction,
    billed_litres: Mapping[str, int],
    means_mg_l: Mapping[str, Mapping[str, Decimal | None]],
) -> tuple[TariffLine, ...]:
    """The lines of the plant's tariff in their fixed order: volume price, fixed part, strength rules.

    ``months`` of the fixed part, not whole in a period that is still running · ``billed_litres`` by member ·
    ``means_mg_l`` parameter -> member -> mean, rounded to 1e-6; None = no mean, so no surcharge.
    """
    tariff, lines = plant.tariff, []
    if tariff.volume_price_yuan_m3 is not None:
        lines.append(_volume_price(tariff.volume_price_yuan_m3, billed_litres))
    if tariff.fixed_yuan_month:
        lines.append(_fixed(dict(tariff.fixed_yuan_month), months, billed_litres))
    for item, rule in zip(strength_items(plant), tariff.strength_steps):
        lines.append(_strength(item, rule, billed_litres, means_mg_l[rule.parameter]))
    return tuple(lines)


def strength_items(plant: Plant) -> tuple[str, ...]:
    """The item names of the strength rules: a second rule on a parameter ends in ``:2``, and so on."""
    items: list[str] = []
    seen: dict[str, int] = {}
    for rule in plant.tariff.strength_steps:
        seen[rule.parameter] = seen.get(rule.parameter, 0) + 1
        suffix = f":{seen[rule.parameter]}" if seen[rule.parameter] > 1 else ""
        items.append(f"{STRENGTH_PREFIX}{rule.parameter}{suffix}")
    return tuple(items)


def is_reserved(item: str, tariff: Tariff) -> bool:
    """True for a name that only a tariff line may bear; ``minimum`` and ``vat`` only where the tariff has them."""
    added = (MINIMUM,) * bool(tariff.minimum_yuan_month) + (VAT,) * bool(tariff.vat)
    return item in (VOLUME_PRICE, FIXED, *added) or item.startswith(STRENGTH_PREFIX)


def minimum_line(tariff: Tariff, months: Fraction, totals_fen: Mapping[str, int]) -> TariffLine:
    """What is missing to a member's least charge; 0 for a member that has none, or that pays more.

    ``totals_fen`` what each member pays without it.
    """
    least = dict(tariff.minimum_yuan_month)
    rate = {m: least.get(m, Decimal(0)) for m in totals_fen}
    missing = {
        m: max(0, _fen(months * Fraction(rate[m])) - total) if m in least else 0 for m, total in totals_fen.items()
    }
    details = {m: {"yuan_month": plain_text(rate[m]), "without_yuan": yuan_text(t)} for m, t in totals_fen.items()}
    return TariffLine(MINIMUM, "month", {m: _months(months) for m in totals_fen}, missing, details)


def vat_line(tariff: Tariff, amounts_fen: Mapping[str, Mapping[str, int]], members: Sequence[str]) -> TariffLine:
    """Value added tax: Σ rate × amount over the taxed items of a member, rounded once.

    ``amounts_fen`` item -> member -> fen
    """
    taxed = [(item, rate) for item, rate in tariff.vat if item in amounts_fen]
    tax = {m: half_up(sum((Fraction(r) * amounts_fen[i][m] for i, r in taxed), Fraction(0))) for m in members}
    details = {m: {i: f"{plain_text(r)} × {yuan_text(amounts_fen[i][m])}" for i, r in taxed} for m in members}
    base = {m: to_places(Fraction(sum(amounts_fen[i][m] for i, _ in taxed), 100), 2) for m in members}
    return TariffLine(VAT, "yuan", base, tax, details)


def steps_above(mean_mg_l: Decimal, rule: StrengthStep) -> Fraction:
    """How many steps a mean lies above the threshold; never negative.

    The mean is a decimal already, so a mean exactly on a step is on it: ``ceil`` adds nothing.
    """
    steps = max(Fraction(0), Fraction(mean_mg_l) - Fraction(rule.above)) / Fraction(rule.step)
    if rule.partial_step == "proportional":
        return steps
    return Fraction(floor(steps) if rule.partial_step == "floor" else ceil(steps))


def _volume_price(price: Decimal, billed_litres: Mapping[str, int]) -> TariffLine:
    return TariffLine(
        VOLUME_PRICE,
        "m3",
        {m: to_places(Fraction(litres, 1000), M3_PLACES) for m, litres in billed_litres.items()},
        {m: _fen(Fraction(litres, 1000) * Fraction(price)) for m, litres in billed_litres.items()},
        {m: {"yuan_m3": plain_text(price)} for m in billed_litres},
    )


def _fixed(yuan_month: Mapping[str, Decimal], months: Fraction, members: Mapping[str, int]) -> TariffLine:
    """Months × the member's monthly amount; 0 for a member that has none."""
    rate = {m: yuan_month.get(m, Decimal(0)) for m in members}
    return TariffLine(
        FIXED,
        "month",
        {m: _months(months) for m in members},
        {m: _fen(months * Fraction(rate[m])) for m in members},
        {m: {"yuan_month": plain_text(rate[m])} for m in members},
    )


def _months(months: Fraction) -> Decimal:
    """Whole months as they are; a part of one with 6 decimals."""
    return Decimal(int(months)) if months.denominator == 1 else to_places(months, MONTH_PLACES)


def _strength(
    item: str, rule: StrengthStep, billed_litres: Mapping[str, int], means_mg_l: Mapping[str, Decimal | None]
) -> TariffLine:
    """Steps above the threshold × yuan per m³ and step × billed m³."""
    amounts, details = {}, {}
    for member, litres in billed_litres.items():
        mean = means_mg_l[member]
        steps = steps_above(mean, rule) if mean is not None else Fraction(0)
        amounts[member] = _fen(steps * Fraction(rule.yuan_m3) * Fraction(litres, 1000))
        details[member] = {
            "mean_mg_l": "" if mean is None else plain_text(mean),
            "above": plain_text(rule.above),
            "step": plain_text(rule.step),
            "partial_step": rule.partial_step,
            "steps": str(steps),  # exact: an integer, or a fraction of two
            "yuan_m3": plain_text(rule.yuan_m3),
        }
    quantities = {m: to_places(Fraction(litres, 1000), M3_PLACES) for m, litres in billed_litres.items()}
    return TariffLine(item, "m3", quantities, amounts, details)


def _fen(yuan: Fraction) -> int:
    return half_up(yuan * 100)
