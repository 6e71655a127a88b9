"""What ``bill`` must write, from the sentences of design §4.5, §4.6 and §5, slowly and exactly.

``statement.csv`` and ``volumes.csv`` as dicts of text. ``FREE`` stands where the contract leaves the text open.
Where the text leaves a choice, the choice is named in a comment that starts with "Reading:".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor

from oracle.timeline import (
    CONCENTRATION,
    VOLUME,
    Piece,
    Row,
    Step,
    day_start,
    exact,
    pieces_of,
    readings_of,
    stamp,
    steps_of,
    within,
)
from plant_monitor.plant import Member, Plant, Point, StrengthStep

Text = dict[str, str]
FREE = "*"
EQUIVALENT_KG = {  # pollution equivalents, kg each (domain.md §3)
    "ss": Fraction(4),
    "bod5": Fraction(1, 2),
    "cod_cr": Fraction(1),
    "toc": Fraction(49, 100),
    "petroleum_oil": Fraction(1, 10),
    "animal_vegetable_oil": Fraction(16, 100),
    "ammonia_n": Fraction(8, 10),
    "total_p": Fraction(1, 4),
}
ONE_OF = ("cod_cr", "bod5", "toc")
FINDING_ORDER = (
    "jump",
    "no_register_before_start",
    "no_register_after_end",
    "no_register",
    "flow_incomplete",
    "estimated",
)


# -- rounding -----------------------------------------------------------------------------------------


def half_up(number: Fraction) -> int:
    """To the nearest whole number, halves upwards. Reading: what is negative is mirrored, as credits are."""
    return floor(number + Fraction(1, 2)) if number >= 0 else -half_up(-number)


def millionths(number: Fraction) -> Fraction:
    """What comes from an integral, rounded to 1e-6 of its unit."""
    return Fraction(half_up(number * 10**6), 10**6)


def decimals(number: Fraction, places: int) -> str:
    """Text with so many decimals, halves up."""
    units = half_up(number * 10**places)
    sign, units = ("-" if units < 0 else ""), abs(units)
    return f"{sign}{units // 10**places}.{units % 10**places:0{places}d}"


def yuan(fen: int) -> str:
    """Fen as yuan."""
    return decimals(Fraction(fen, 100), 2)


# -- the period -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Period:
    """``[start, end)`` in ms, its local days and months."""

    start: int
    end: int
    days: int
    months: int


def period_of(plant: Plant, text: str) -> Period:
    """``YYYY-MM`` or ``YYYY-Qn``."""
    year, part = int(text[:4]), text[5:]
    first_month, months = (3 * int(part[1]) - 2, 3) if part.startswith("Q") else (int(part), 1)
    first = date(year, first_month, 1)
    following = first
    for _ in range(months):
        following = (following + timedelta(days=31)).replace(day=1)
    return Period(day_start(first, plant.zone), day_start(following, plant.zone), (following - first).days, months)


# -- volumes --------------------------------------------------------------------------------------------


@dataclass
class Volume:
    """What an outfall or the inlet is billed, and how that came about."""

    litres: int | None
    method: str
    start_time: int
    end_time: int
    start_register: Fraction | None = None
    end_register: Fraction | None = None
    findings: set[str] = field(default_factory=set)


def own_flow_m3(pieces: Sequence[Piece], start: int, end: int) -> Fraction:
    """The flow's integral over its valid time."""
    return sum((p.own_q * p.hours for p in within(pieces, start, end) if p.own_q is not None), Fraction(0))


def dial(step: Step, rollover: Fraction | None, time: int) -> Fraction:
    """The register at a moment of a counting step, as the dial would show it."""
    assert step.amount is not None
    register = step.register + step.amount * Fraction(time - step.start, step.end - step.start)
    register = millionths(register)  # Reading: the dial has six decimals, so it never shows its full size
    rolls = step.next_register < step.register
    return register - rollover if rolls and rollover is not None and register >= rollover else register


def metered(plant: Plant, point: Point, rows: Sequence[Row], period: Period, pieces: Sequence[Piece]) -> Volume | None:
    """By the totaliser; None where no step overlaps the period."""
    series = point.find("volume")
    if series is None:
        return None
    to_m3 = VOLUME[series.unit]
    registers = [(t, v) for t, v in readings_of(rows, point.id, "volume") if v is not None]
    steps = [s for s in steps_of(plant, series, rows) if s.start < period.end and s.end > period.start]
    if not steps:
        return None
    found: set[str] = set()
    counted = by_flow = Fraction(0)
    for step in steps:
        start, end = max(step.start, period.start), min(step.end, period.end)
        if step.amount is None:
            by_flow += own_flow_m3(pieces, start, end)
            found.add("jump")
        else:
            counted += step.amount * to_m3 * Fraction(end - start, step.end - step.start)
    first, last = registers[0][0], registers[-1][0]
    if first > period.start:
        by_flow += own_flow_m3(pieces, period.start, first)
        found.add("no_register_before_start")
    if last < period.end:
        by_flow += own_flow_m3(pieces, last, period.end)
        found.add("no_register_after_end")
    volume = Volume(
        half_up((counted + millionths(by_flow)) * 1000), "totaliser", period.start, period.end, findings=found
    )
    rollover = None if series.rollover is None else exact(series.rollover)
    # Reading: "inside" takes a register at the very start or end of the period as inside.
    inside = [(t, v) for t, v in registers if period.start <= t <= period.end]
    over_start = [s for s in steps if s.amount is not None and s.start <= period.start < s.end]
    over_end = [s for s in steps if s.amount is not None and s.start < period.end <= s.end]
    if over_start:
        volume.start_register = dial(over_start[0], rollover, period.start)
    elif inside:
        volume.start_time, volume.start_register = inside[0]
    if over_end:
        volume.end_register = dial(over_end[0], rollover, period.end)
    elif inside:
        volume.end_time, volume.end_register = inside[-1]
    return volume


def by_flow_alone(period: Period, pieces: Sequence[Piece]) -> Volume | None:
    """The flow's integral, unknown time at the mean of the known; None where the flow is never known."""
    known = sum(p.end - p.start for p in pieces if p.own_q is not None)
    if not known:
        return None
    total = own_flow_m3(pieces, period.start, period.end) * Fraction(period.end - period.start, known)
    found = {"no_register"} | ({"flow_incomplete"} if known < period.end - period.start else set())
    return Volume(half_up(millionths(total) * 1000), "flow", period.start, period.end, findings=found)


def estimated_m3(plant: Plant, member: Member, period: Period) -> Fraction:
    """What a member is taken to have discharged in the period."""
    if member.quota_m3_d is not None:
        return exact(member.quota_m3_d) * period.days
    if member.capacity_share is not None:
        return exact(member.capacity_share) * exact(plant.capacity_m3_d) * period.days
    return Fraction(0)


def outfall_volumes(
    plant: Plant, rows: Sequence[Row], period: Period, pieces: Mapping[str, Sequence[Piece]]
) -> dict[str, Volume]:
    """Point id -> volume, of every outfall."""
    found: dict[str, Volume] = {}
    silent: dict[str, list[str]] = {}
    for point in plant.outfalls:
        volume = metered(plant, point, rows, period, pieces[point.id]) or by_flow_alone(period, pieces[point.id])
        if volume is None:
            assert point.member is not None
            silent.setdefault(point.member, []).append(point.id)
        else:
            found[point.id] = volume
    for member_id, points in silent.items():
        each = estimated_m3(plant, plant.member_by_id[member_id], period) / len(points)
        for point_id in points:
            # Reading: each outfall's part is rounded by itself ("litres per outfall … then summed per member").
            found[point_id] = Volume(
                half_up(each * 1000), "estimate", period.start, period.end, findings={"no_register", "estimated"}
            )
    return found


# -- strength and load ------------------------------------------------------------------------------------


def mean_mg_l(
    plant: Plant, member: Member, parameter: str, volumes: Mapping[str, Volume], pieces: Mapping[str, Sequence[Piece]]
) -> Fraction | None:
    """A member's mean over the period, unrounded."""
    grams = cubic_metres = Fraction(0)
    for point in plant.outfalls:
        series = point.find(parameter)
        if point.member != member.id or series is None:
            continue
        factor = CONCENTRATION[series.unit]
        volume = volumes[point.id]
        if volume.method == "estimate":
            valid = [p for p in pieces[point.id] if p.values[parameter] is not None]
            if valid:
                hours = sum(p.hours for p in valid)
                mean = sum(p.values[parameter] * p.hours for p in valid) * factor / hours  # type: ignore[operator]
                grams += mean * Fraction(volume.litres or 0, 1000)
                cubic_metres += Fraction(volume.litres or 0, 1000)
            continue
        for p in pieces[point.id]:
            value = p.values[parameter]
            if p.q is not None and p.q > 0 and value is not None:
                grams += value * factor * p.q * p.hours
                cubic_metres += p.q * p.hours
    return grams / cubic_metres if cubic_metres else None


def grams_of(mean: Fraction | None, litres: int) -> int:
    """Mean x measured litres; never negative."""
    if mean is None:
        return 0
    kilograms = millionths(mean * litres / 10**6)
    return max(half_up(kilograms * 1000), 0)


def equivalents_of(grams: Mapping[str, int]) -> Fraction:
    """Pollution equivalents; of COD, BOD5 and TOC only the one with the most."""
    each = {p: Fraction(g, 1000) / EQUIVALENT_KG[p] for p, g in grams.items()}
    return sum((e for p, e in each.items() if p not in ONE_OF), Fraction(0)) + max(
        (each[p] for p in ONE_OF if p in each), default=Fraction(0)
    )


# -- shares -----------------------------------------------------------------------------------------------


def effective_weights(plant: Plant, weights: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """The weights; all zero: the capacity shares; those too: equal."""
    capacity = {m.id: exact(m.capacity_share or Decimal(0)) for m in plant.members}
    for candidate in (weights, capacity):
        if any(candidate.values()):
            return dict(candidate)
    return {m.id: Fraction(1) for m in plant.members}


def split(amount: int, weights: Mapping[str, Fraction]) -> dict[str, int]:
    """By largest remainder, ties to the smaller id; a negative amount is the mirror image."""
    if amount < 0:
        return {m: -part for m, part in split(-amount, weights).items()}
    total = sum(weights.values())
    ideal = {m: amount * w / total for m, w in weights.items()}
    parts = {m: floor(x) for m, x in ideal.items()}
    by_remainder = sorted(ideal, key=lambda m: (parts[m] - ideal[m], m))
    for m in by_remainder[: amount - sum(parts.values())]:
        parts[m] += 1
    return parts


@dataclass
class Measured:
    """Per member: litres, billed litres, means, grams."""

    litres: dict[str, int]
    billed: dict[str, int]
    means: dict[tuple[str, str], Fraction | None]

    def grams(self, member: str, parameter: str) -> int:
        """The billed load."""
        return grams_of(self.means[member, parameter], self.litres[member])


def billed_litres(plant: Plant, litres: Mapping[str, int], inlet: Volume | None) -> dict[str, int]:
    """Measured litres and the part of the unmetered difference."""
    rule = plant.tariff.unmetered_difference
    if inlet is None or inlet.litres is None or rule == "report":
        return dict(litres)
    difference = inlet.litres - sum(litres.values())
    if difference <= 0:
        return dict(litres)
    weights = {m: Fraction(x) if rule == "proportional" else Fraction(1) for m, x in litres.items()}
    parts = split(difference, effective_weights(plant, weights))
    return {m: x + parts[m] for m, x in litres.items()}


def weights_of(plant: Plant, basis: str, measured: Measured) -> tuple[dict[str, Fraction], dict[str, str], str]:
    """Weights, quantity texts and unit of a cost item's basis."""
    kind, _, what = basis.partition(":")
    ids = [m.id for m in plant.members]
    free = dict.fromkeys(ids, FREE)
    if basis == "volume":
        litres = measured.billed
        return {m: Fraction(x) for m, x in litres.items()}, {m: cubic(x) for m, x in litres.items()}, "m3"
    if basis == "capacity_share":
        return {m.id: exact(m.capacity_share or Decimal(0)) for m in plant.members}, free, FREE
    if basis == "equal":
        return {m: Fraction(1) for m in ids}, free, FREE
    if kind == "direct":
        return {m: Fraction(m == what) for m in ids}, free, FREE
    if kind == "load" and what:
        grams = {m: measured.grams(m, what) for m in ids}
        return {m: Fraction(g) for m, g in grams.items()}, {m: cubic(g) for m, g in grams.items()}, "kg"
    counted = sorted({p for _, p in measured.means if p in EQUIVALENT_KG})
    equivalents = {m: equivalents_of({p: measured.grams(m, p) for p in counted}) for m in ids}
    return equivalents, {m: decimals(e, 6) for m, e in equivalents.items()}, FREE


def cubic(thousandths: int) -> str:
    """Litres as m³, grams as kg."""
    return decimals(Fraction(thousandths, 1000), 3)


# -- tariff -----------------------------------------------------------------------------------------------


def surcharge_yuan_m3(rule: StrengthStep, mean: Fraction | None) -> Fraction:
    """What a strength rule adds per m³."""
    if mean is None:
        return Fraction(0)
    steps = max(Fraction(0), millionths(mean) - exact(rule.above)) / exact(rule.step)
    if rule.partial_step == "ceil":
        steps = Fraction(-floor(-steps))
    elif rule.partial_step == "floor":
        steps = Fraction(floor(steps))
    return steps * exact(rule.yuan_m3)


def tariff_lines(plant: Plant, measured: Measured, period: Period) -> list[tuple[str, dict[str, tuple[int, str, str]]]]:
    """Item -> member -> (fen, quantity, unit). Reading: in the order in which §5 names them."""
    tariff = plant.tariff
    lines: list[tuple[str, dict[str, tuple[int, str, str]]]] = []
    cubic_metres = {m.id: Fraction(measured.billed[m.id], 1000) for m in plant.members}
    if tariff.volume_price_yuan_m3 is not None:
        price = exact(tariff.volume_price_yuan_m3)
        lines.append(
            (
                "volume_price",
                {m: (half_up(v * price * 100), cubic(measured.billed[m]), "m3") for m, v in cubic_metres.items()},
            )
        )
    if tariff.fixed_yuan_month:
        fixed = dict(tariff.fixed_yuan_month)
        fen = {m: half_up(exact(fixed.get(m, Decimal(0))) * period.months * 100) for m in cubic_metres}
        lines.append(("fixed", {m: (x, FREE, FREE) for m, x in fen.items()}))
    seen: dict[str, int] = {}
    for rule in tariff.strength_steps:
        seen[rule.parameter] = seen.get(rule.parameter, 0) + 1
        name = f"strength:{rule.parameter}" + (f":{seen[rule.parameter]}" if seen[rule.parameter] > 1 else "")
        prices = {m: surcharge_yuan_m3(rule, measured.means[m, rule.parameter]) for m in cubic_metres}
        lines.append((name, {m: (half_up(prices[m] * v * 100), FREE, FREE) for m, v in cubic_metres.items()}))
    return lines


# -- the files --------------------------------------------------------------------------------------------


def statement_rows(
    plant: Plant, measured: Measured, period: Period, costs: Sequence[tuple[str, str, str]]
) -> list[Text]:
    """statement.csv."""
    columns: list[tuple[str, str, dict[str, tuple[int, str, str, str]]]] = []
    for item, basis, amount in costs:
        weights, quantities, unit = weights_of(plant, basis, measured)
        weights = effective_weights(plant, weights)
        fen = split(half_up(Fraction(amount) * 100), weights)
        total = sum(weights.values())
        shares = {m: decimals(w / total, 12) for m, w in weights.items()}
        columns.append((item, basis, {m: (fen[m], quantities[m], unit, shares[m]) for m in fen}))
    for item, cells in tariff_lines(plant, measured, period):
        columns.append((item, "tariff", {m: (*cell, FREE) for m, cell in cells.items()}))
    rows: list[Text] = []
    for member in plant.members:
        for item, basis, by_member in columns:
            fen_of, quantity, unit, share = by_member[member.id]
            rows.append(line(member.id, item, basis, quantity, unit, share, yuan(fen_of)))
        total_fen = sum(by_member[member.id][0] for _, _, by_member in columns)
        rows.append(line(member.id, "TOTAL", FREE, FREE, FREE, FREE, yuan(total_fen)))
    for item, _, by_member in columns:
        rows.append(line("TOTAL", item, FREE, FREE, FREE, FREE, yuan(sum(c[0] for c in by_member.values()))))
    everything = sum(c[0] for _, _, by_member in columns for c in by_member.values())
    rows.append(line("TOTAL", "TOTAL", FREE, FREE, FREE, FREE, yuan(everything)))
    return rows


def line(member: str, item: str, basis: str, quantity: str, unit: str, share: str, amount: str) -> Text:
    """One row of statement.csv."""
    return {
        "member": member,
        "item": item,
        "basis": basis,
        "quantity": quantity,
        "unit": unit,
        "share": share,
        "amount_yuan": amount,
    }


def volume_row(plant: Plant, member: str, point: str, volume: Volume) -> Text:
    """One row of volumes.csv."""
    return {
        "member": member,
        "point": point,
        "start_time": stamp(volume.start_time, plant.zone),
        "start_register": "" if volume.start_register is None else decimals(volume.start_register, 6),
        "end_time": stamp(volume.end_time, plant.zone),
        "end_register": "" if volume.end_register is None else decimals(volume.end_register, 6),
        "volume_m3": "" if volume.litres is None else cubic(volume.litres),
        "method": volume.method,
        "findings": ";".join(c for c in FINDING_ORDER if c in volume.findings),
    }


def bill(
    plant: Plant, rows: Sequence[Row], period: str, costs: Sequence[tuple[str, str, str]]
) -> dict[str, list[Text]]:
    """``statement`` and ``volumes`` as the files hold them."""
    span = period_of(plant, period)
    billed_points = [*plant.outfalls, *([plant.point_by_id[plant.inlet]] if plant.inlet is not None else [])]
    pieces = {p.id: pieces_of(plant, p, rows, [span.start, span.end]) for p in billed_points}
    volumes = outfall_volumes(plant, rows, span, pieces)
    inlet = None
    if plant.inlet is not None:
        own = pieces[plant.inlet]
        inlet = metered(plant, plant.point_by_id[plant.inlet], rows, span, own) or by_flow_alone(span, own)
        # Reading: an inlet without a volume has a row without one; its method is left open.
        inlet = inlet or Volume(None, FREE, span.start, span.end, findings={"no_register"})
    litres = {m.id: sum(volumes[p.id].litres or 0 for p in plant.outfalls if p.member == m.id) for m in plant.members}
    parameters = {s.parameter for p in plant.outfalls for s in p.series if s.unit in CONCENTRATION}
    parameters |= {r.parameter for r in plant.tariff.strength_steps}
    parameters |= {basis[5:] for _, basis, _ in costs if basis.startswith("load:")}
    means = {(m.id, x): mean_mg_l(plant, m, x, volumes, pieces) for m in plant.members for x in parameters}
    measured = Measured(litres, billed_litres(plant, litres, inlet), means)
    volume_rows = [volume_row(plant, p.member or "", p.id, volumes[p.id]) for p in plant.outfalls]
    if inlet is not None and plant.inlet is not None:
        volume_rows.append(volume_row(plant, "", plant.inlet, inlet))
    return {"statement": statement_rows(plant, measured, span, costs), "volumes": volume_rows}
