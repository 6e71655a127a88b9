"""A member's period beside others: the one before, the same a year ago, its quota, and as it might have been.

Volumes, loads and prices come from the code of the bill; what was charged is what stands in the book of statements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from plant_monitor import units
from plant_monitor.allocation.correction import correction, truth
from plant_monitor.allocation.documents import document
from plant_monitor.allocation.exact import plain_text, to_places
from plant_monitor.allocation.running import Running
from plant_monitor.allocation.statement import Period, settle
from plant_monitor.allocation.supposition import Supposition, supposed
from plant_monitor.allocation.usage import Usage, measure
from plant_monitor.allocation.volumes import ESTIMATE
from plant_monitor.errors import InputError
from plant_monitor.monitor import is_kept, readings_around
from plant_monitor.plant import FLOW, VOLUME, Member, Plant
from plant_monitor.readings import ReadingSource
from plant_monitor.settlement import Book, billed_again, costs_of
from plant_monitor.windows import local_day

PRICE_PLACES = 4


@dataclass(frozen=True, slots=True)
class Used:
    """What a member used in the days of a period that are over."""

    days: int
    litres: int
    estimated: bool
    quota_share: float | None  # of quota × days
    load_kg: dict[str, float]
    mean_mg_l: dict[str, float | None]

    @property
    def m3_per_day(self) -> float:
        """What periods of different length are compared by."""
        return self.litres / 1000 / self.days


@dataclass(frozen=True, slots=True)
class Charged:
    """What a period costs a member: the sum of what is issued, else the draft. ``yuan_m3`` per billed m³, a tonne."""

    statements: tuple[str, ...]
    state: str  # issued | draft
    so_far: bool  # a draft of the days of a running period that are over
    billed_m3: str
    total_yuan: str
    yuan_m3: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One of the periods; ``used`` None where the store has nothing of it, ``charged`` None without a statement."""

    which: str  # period | previous | year_before
    period: str
    used: Used | None
    charged: Charged | None


def compared(
    plant: Plant, source: ReadingSource, book: Book | None, member: Member, period: Period, now_ms: int
) -> tuple[Row, ...]:
    """The period, the one before it and the same a year ago. ``book`` None: costs are not told."""
    periods = {
        "period": period,
        "previous": period.before(period.months, plant.zone),
        "year_before": period.before(12, plant.zone),
    }
    return tuple(
        Row(
            which,
            one.label,
            _used(plant, source, member, one, now_ms),
            None if book is None else _charged(book, member.id, one.label),
        )
        for which, one in periods.items()
    )


def as_it_might_be(plant: Plant, source: ReadingSource, told: Mapping[str, Any], wish: Supposition) -> dict[str, Any]:
    """What a statement would ask of a member at another volume or strength: its entry of a correction.

    By today's plant.yaml and readings, with the statement's costs; of a running period its projection.

    Raises
    ------
    InputError  the supposition speaks of what the bill does not know
    Refused     the statement follows another rule version
    """
    full = truth(told)
    made = billed_again(plant, source, full)
    was = made.projection if isinstance(made, Running) else made
    if wish.member not in was.billed_litres:
        raise InputError(f"found no member {wish.member!r}, expected one of {', '.join(was.billed_litres)}")
    period = Period.parse(was.period.label, plant.zone)
    would = settle(plant, period, costs_of(full), supposed(plant, was.usage, wish))
    entries = correction(document(was), document(would), "what if")["members"]
    entry: dict[str, Any] = next(m for m in entries if m["member"] == wish.member)
    price = {side: _price(entry[side]["total_yuan"], entry[side]["billed_m3"]) for side in ("before", "after")}
    return {**entry, "yuan_m3": price}


def _used(plant: Plant, source: ReadingSource, member: Member, period: Period, now_ms: int) -> Used | None:
    """None before the first reading, of readings that were dropped, and on the first day of a period."""
    today, extent = local_day(now_ms, plant.zone), source.extent()
    if period.first >= today or extent is None or extent[0] >= period.end_ms or not is_kept(source, period.start_ms):
        return None
    if period.last >= today:
        period = period.so_far(today, plant.zone)
    own = [s for p in plant.outfalls if p.member == member.id for s in p.series]
    strong = tuple(dict.fromkeys(s.parameter for s in own if units.is_concentration(s.unit)))
    chosen = {plant.series_index[s.point, s.parameter] for s in own if s.parameter in (FLOW, VOLUME, *strong)}
    readings = readings_around(plant, source, period.start_ms, period.end_ms, chosen=chosen)
    usage = measure(plant, readings, period, strong)
    litres = usage.litres(plant)[member.id]
    quota = None if not member.quota_m3_d else float(member.quota_m3_d) * period.days
    return Used(
        period.days,
        litres,
        _estimated(usage, member.id),
        None if quota is None else litres / 1000 / quota,
        {p: usage.loads[p][member.id].grams / 1000 for p in strong},
        {p: _number(usage.loads[p][member.id].mean_mg_l) for p in strong},
    )


def _estimated(usage: Usage, member: str) -> bool:
    return any(v.method == ESTIMATE for v in usage.outfalls if v.member == member)


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _charged(book: Book, member: str, period: str) -> Charged | None:
    kept = book.chain(period)
    if not kept:
        drafts = [head for head in book.find(period=period, limit=1) if head.state == "draft"]
        kept = [found for head in drafts if (found := book.get(head.number)) is not None]
    entries = [m for one in kept for m in one.document["members"] if m["member"] == member]
    if not entries:
        return None
    total = sum(Decimal(m["total_yuan"]) for m in entries)
    billed = sum(Decimal(m["billed_m3"]) for m in entries)  # of corrections the differences
    texts = plain_text(Decimal(total)), plain_text(Decimal(billed))
    so_far = "projection" in kept[-1].document
    return Charged(tuple(s.number for s in kept), kept[-1].state, so_far, texts[1], texts[0], _price(*texts))


def _price(total_yuan: str, billed_m3: str) -> str | None:
    """Yuan per billed m³; None without water."""
    billed = Fraction(billed_m3)
    return None if billed <= 0 else plain_text(to_places(Fraction(total_yuan) / billed, PRICE_PLACES))
