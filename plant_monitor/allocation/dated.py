"""Shares and prices that change inside a period: each counts by its days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from plant_monitor.allocation.exact import SHARE_PLACES, plain_text, to_places
from plant_monitor.allocation.findings import BillFinding, finding
from plant_monitor.allocation.period import Period
from plant_monitor.plant import Member, Plant, StrengthStep, Tariff


def in_period(plant: Plant, period: Period) -> Plant:
    """The plant with one share and one price for the whole period.

    What changes inside it is the mean over its days, rounded half up to 12 decimals; what does not stays the
    number that is written. A strength rule that is in force on some of the days has that part of its price.
    """
    members = tuple(_member(m, period) for m in plant.members)
    tariff = _tariff(plant.tariff, period)
    if members == plant.members and tariff == plant.tariff:
        return plant
    return replace(plant, members=members, tariff=tariff)


def change_notes(plant: Plant, period: Period) -> list[BillFinding]:
    """What changed inside the period, by which days, and the mean that is billed."""
    notes = []
    for m in (m for m in plant.members if m.share_changes):
        values = _by_day(m.capacity_share, ((c.valid_from, c.capacity_share) for c in m.share_changes), period)
        notes += _note("share_changed", {"member": m.id}, values)
    changes = plant.tariff.price_changes
    if not changes:
        return notes
    notes += _note("price_changed", {}, _by_day(plant.tariff.volume_price_yuan_m3, _prices(plant.tariff), period))
    fixed = dict(plant.tariff.fixed_yuan_month)
    for m in plant.members:
        own = [(c.valid_from, dict(c.fixed_yuan_month).get(m.id)) for c in changes]
        notes += _note("fixed_changed", {"member": m.id}, _by_day(fixed.get(m.id), own, period))
    return notes


_Values = Mapping[Decimal | None, int]  # value -> days, in the order of the days


def _note(code: str, about: Mapping[str, str], values: _Values) -> list[BillFinding]:
    if len(values) < 2:
        return []
    told = ", ".join(f"{'–' if v is None else plain_text(v)} × {days} d" for v, days in values.items())
    return [finding(code, about, values=told, mean=plain_text(_mean(values) or Decimal(0)))]


def _by_day(first: Decimal | None, changes: Iterable[tuple[date, Decimal | None]], period: Period) -> _Values:
    """How many days of the period each value is in force. A change without the value leaves it as it is."""
    steps = sorted(((day, value) for day, value in changes if value is not None), key=lambda step: step[0])
    days: dict[Decimal | None, int] = {}
    for offset in range(period.days):
        day = period.first + timedelta(days=offset)
        value = next((v for since, v in reversed(steps) if since <= day), first)
        days[value] = days.get(value, 0) + 1
    return days


def _mean(values: _Values) -> Decimal | None:
    """The mean over the days; the value itself where it does not change."""
    if len(values) == 1:
        return next(iter(values))
    total = sum((Fraction(v or 0) * days for v, days in values.items()), Fraction(0))
    return to_places(total / sum(values.values()), SHARE_PLACES)


def _member(member: Member, period: Period) -> Member:
    if not member.share_changes:
        return member
    changes = ((c.valid_from, c.capacity_share) for c in member.share_changes)
    return replace(member, capacity_share=_mean(_by_day(member.capacity_share, changes, period)), share_changes=())


def _prices(tariff: Tariff) -> list[tuple[date, Decimal | None]]:
    return [(c.valid_from, c.volume_price_yuan_m3) for c in tariff.price_changes]


def _tariff(tariff: Tariff, period: Period) -> Tariff:
    steps = tuple(rule for step in tariff.strength_steps if (rule := _rule(step, period)) is not None)
    if tariff.price_changes:
        fixed = dict(tariff.fixed_yuan_month)
        members = dict.fromkeys([*fixed, *(m for c in tariff.price_changes for m, _ in c.fixed_yuan_month)])
        means = {
            m: _mean(
                _by_day(
                    fixed.get(m),
                    ((c.valid_from, dict(c.fixed_yuan_month).get(m)) for c in tariff.price_changes),
                    period,
                )
            )
            for m in members
        }
        tariff = replace(
            tariff,
            volume_price_yuan_m3=_mean(_by_day(tariff.volume_price_yuan_m3, _prices(tariff), period)),
            fixed_yuan_month=tuple((m, mean) for m, mean in means.items() if mean is not None),
            price_changes=(),
        )
    return tariff if steps == tariff.strength_steps else replace(tariff, strength_steps=steps)


def _rule(step: StrengthStep, period: Period) -> StrengthStep | None:
    """A strength rule with the price of its days in force; None where it has none."""
    if step.valid_from is None and step.valid_to is None:
        return step
    first = max(step.valid_from or period.first, period.first)
    last = min(step.valid_to or period.last, period.last)
    days = (last - first).days + 1
    if days <= 0:
        return None
    part = Fraction(days, period.days)
    price = step.yuan_m3 if part == 1 else to_places(Fraction(step.yuan_m3) * part, SHARE_PLACES)
    return replace(step, yuan_m3=price, valid_from=None, valid_to=None)
