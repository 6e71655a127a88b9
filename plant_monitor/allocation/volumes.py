"""Volumes for bills: what went through an outfall (or the inlet) in a period, in whole litres.

From the totaliser where it can be, from the flow where it must be, estimated where nothing is known
(design §5, *Volumes for bills*, *Exactness*). What is billed for a litre is decided elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import fsum

import numpy as np

from plant_monitor import units
from plant_monitor.allocation.exact import decimal_of, half_up, integral
from plant_monitor.allocation.registers import Boundary, counted, end_boundary, overlapping_steps, start_boundary
from plant_monitor.holds import Steps, flow_curve
from plant_monitor.plant import FLOW, VOLUME, Plant, Point, Series
from plant_monitor.readings import FloatArray, Readings

TOTALISER = "totaliser"
FLOW_METHOD = "flow"
ESTIMATE = "estimate"

JUMP = "jump"
METER_EXCHANGE = "meter_exchange"
NO_REGISTER_BEFORE_START = "no_register_before_start"
NO_REGISTER_AFTER_END = "no_register_after_end"
NO_REGISTER = "no_register"
FLOW_INCOMPLETE = "flow_incomplete"
ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class Jump:
    """A step of the register that counts for nothing (jump, reset, exchange); the flow stands in.

    ``announced`` True for an exchange whose registers an annotation states
    """

    start_ms: int
    start_register: Decimal
    end_ms: int
    end_register: Decimal
    flow_m3: Decimal  # the flow's integral over the part inside the period
    announced: bool = False


@dataclass(frozen=True, slots=True)
class Volume:
    """The volume of one point over a period, and everything it rests on.

    ``litres`` None only at an inlet of which nothing is known · ``method`` totaliser | flow | estimate |
    ``""`` · ``codes`` finding codes · ``registers_m3`` exact, from counting steps · ``flow_m3`` the sum
    of the flow's integrals, rounded to 1e-6 · ``known_flow_ms`` time of known flow inside those integrals
    · ``unit`` of the registers
    """

    point: str
    member: str | None
    method: str
    litres: int | None
    start: Boundary
    end: Boundary
    codes: tuple[str, ...] = ()
    registers_m3: Fraction = Fraction(0)
    flow_m3: Decimal = Decimal(0)
    known_flow_ms: int = 0
    unit: str = ""
    jumps: tuple[Jump, ...] = ()


def outfall_volumes(
    plant: Plant, readings: Mapping[str, Mapping[str, Readings]], start_ms: int, end_ms: int, days: int
) -> tuple[Volume, ...]:
    """The volumes of all outfalls in plant.yaml's order, estimated where nothing was measured.

    ``readings`` point -> parameter -> readings sorted by time, one per instant · ``days`` calendar days
    """
    measured = [measured_volume(plant, p, readings.get(p.id, {}), start_ms, end_ms) for p in plant.outfalls]
    unknown = Counter(v.member for v in measured if v.litres is None)
    return tuple(v if v.litres is not None else _estimated(v, plant, days, unknown[v.member]) for v in measured)


def measured_volume(plant: Plant, point: Point, readings: Mapping[str, Readings], start_ms: int, end_ms: int) -> Volume:
    """What the meters of one point say; ``litres`` None where they say nothing.

    ``readings`` parameter -> readings of the point, sorted by time, one per instant. They hold at least
    the period, and of the totaliser the last valid register before it and the first after it.
    """
    totaliser = point.find(VOLUME)
    if totaliser is not None and VOLUME in readings:
        steps = overlapping_steps(readings[VOLUME], totaliser, plant, start_ms, end_ms)
        if steps.counts.size:
            return _from_registers(plant, point, totaliser, steps, readings, start_ms, end_ms)
    return _from_flow(plant, point, readings, start_ms, end_ms)


def _from_registers(
    plant: Plant,
    point: Point,
    totaliser: Series,
    steps: Steps,
    readings: Mapping[str, Readings],
    start_ms: int,
    end_ms: int,
) -> Volume:
    """Counting steps by their registers, everything else by the flow's integral."""
    time, counts = steps.time, steps.counts
    to_m3 = units.ratio(totaliser.unit, "m3")
    registers_m3 = counted(steps, totaliser, start_ms, end_ms) * to_m3
    gaps = [int(i) for i in np.flatnonzero(~counts & ~steps.at_once)]
    spans = [(max(int(time[i]), start_ms), min(int(time[i + 1]), end_ms)) for i in gaps]
    codes = [JUMP] if any(not steps.exchange[i] for i in gaps) else []
    if steps.exchange.any():
        codes.append(METER_EXCHANGE)
    beyond: list[tuple[int, int]] = []
    if time[0] > start_ms:
        beyond.append((start_ms, int(time[0])))
        codes.append(NO_REGISTER_BEFORE_START)
    if time[-1] < end_ms:
        beyond.append((int(time[-1]), end_ms))
        codes.append(NO_REGISTER_AFTER_END)
    flow_m3, known_ms = _flow_integrals(plant, point, readings, spans + beyond)
    flow_total = integral(fsum(flow_m3))
    return Volume(
        point=point.id,
        member=point.member,
        method=TOTALISER,
        litres=half_up((registers_m3 + Fraction(flow_total)) * 1000),
        start=start_boundary(steps, totaliser, start_ms, end_ms),
        end=end_boundary(steps, totaliser, start_ms, end_ms),
        codes=tuple(codes),
        registers_m3=registers_m3,
        flow_m3=flow_total,
        known_flow_ms=known_ms,
        unit=totaliser.unit,
        jumps=_jumps(steps, dict(zip(gaps, flow_m3))),
    )


def _jumps(steps: Steps, flow_m3: Mapping[int, float]) -> tuple[Jump, ...]:
    """The steps that count for nothing, with the flow [m³] that stands in for them, by step."""
    found = []
    for i in (int(i) for i in np.flatnonzero(~steps.counts)):
        start, end = int(steps.time[i + 1] if steps.at_once[i] else steps.time[i]), int(steps.time[i + 1])
        registers = decimal_of(steps.register[i]), decimal_of(steps.register[i + 1])
        flowed = integral(flow_m3.get(i, 0.0))
        found.append(Jump(start, registers[0], end, registers[1], flowed, bool(steps.exchange[i])))
    return tuple(found)


def _flow_integrals(
    plant: Plant, point: Point, readings: Mapping[str, Readings], spans: Sequence[tuple[int, int]]
) -> tuple[list[float], int]:
    """The flow's integral [m³] over each span (0 where no flow is valid), and the known time in all [ms].

    The spans do not overlap. The totaliser never stands in here: where it could, it is counted itself.
    """
    if not spans or point.find(FLOW) is None:
        return [0.0] * len(spans), 0
    edges = np.unique(np.array(spans, dtype=np.int64))
    curve = flow_curve(point, plant, readings, edges, totaliser=False)
    cell = np.searchsorted(edges, np.array([start for start, _ in spans], dtype=np.int64))
    volume: FloatArray = np.nan_to_num(curve.volume_m3)[cell]
    return volume.tolist(), int(curve.known_ms[cell].sum())


def _from_flow(plant: Plant, point: Point, readings: Mapping[str, Readings], start_ms: int, end_ms: int) -> Volume:
    """No step overlaps the period: the flow's integral, unknown time at the mean of the known."""
    (flow_m3,), known_ms = _flow_integrals(plant, point, readings, [(start_ms, end_ms)])
    unmeasured = Volume(
        point=point.id,
        member=point.member,
        method="",
        litres=None,
        start=Boundary(start_ms, None),
        end=Boundary(end_ms, None),
        codes=(NO_REGISTER,),
    )
    if known_ms == 0:
        return unmeasured
    length_ms = end_ms - start_ms
    complete = integral(flow_m3 * length_ms / known_ms if known_ms < length_ms else flow_m3)
    return replace(
        unmeasured,
        method=FLOW_METHOD,
        litres=half_up(Fraction(complete) * 1000),
        codes=(NO_REGISTER, FLOW_INCOMPLETE) if known_ms < length_ms else (NO_REGISTER,),
        flow_m3=complete,
        known_flow_ms=known_ms,
    )


def _estimated(unmeasured: Volume, plant: Plant, days: int, outfalls: int) -> Volume:
    """An equal part, among the member's unmeasured outfalls, of its quota or else its capacity share."""
    member = plant.member_by_id[unmeasured.member] if unmeasured.member is not None else None
    m3_d = Fraction(0)
    if member is not None and member.quota_m3_d is not None:
        m3_d = Fraction(member.quota_m3_d)
    elif member is not None and member.capacity_share is not None:
        m3_d = Fraction(member.capacity_share) * Fraction(plant.capacity_m3_d)
    return replace(
        unmeasured,
        method=ESTIMATE,
        litres=half_up(m3_d * days * 1000 / outfalls),
        codes=(*unmeasured.codes, ESTIMATED),
    )
