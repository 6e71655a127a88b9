"""The totaliser over a period: which steps count, what they add up to, what the dial shows at the ends.

Registers are exact decimals from the first to the last line. Between two jumps the steps telescope, so
only the ends, the jumps and what rounding noise could decide are looked at one by one; the rest is numpy
(design §5, *Volumes for bills*).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np

from plant_monitor.allocation.exact import REGISTER_PLACES, fraction_of, to_places
from plant_monitor.holds import Steps, exact_rise, totaliser_steps
from plant_monitor.plant import Plant, Series
from plant_monitor.readings import BoolArray, Readings


@dataclass(frozen=True, slots=True)
class Boundary:
    """Where a volume begins or ends: the register then, as the dial shows it; None = no register."""

    time_ms: int
    register: Decimal | None  # in the totaliser's unit, 6 decimals


def overlapping_steps(readings: Readings, totaliser: Series, plant: Plant, start_ms: int, end_ms: int) -> Steps:
    """The steps that overlap the period; no step where none does."""
    valid = readings.take(readings.valid)
    first = max(int(np.searchsorted(valid.time, start_ms, side="right")) - 1, 0)
    last = int(np.searchsorted(valid.time, end_ms, side="left"))
    near = valid.take(np.arange(first, min(last + 1, len(valid))))
    return totaliser_steps(near, totaliser, plant)


def _wrapped(steps: Steps) -> BoolArray:
    """Steps over which the register went down."""
    return np.asarray(np.diff(steps.register) < 0)


def counted(steps: Steps, totaliser: Series, start_ms: int, end_ms: int) -> Fraction:
    """What the counting steps added inside the period, exact, in the register's unit.

    Between two jumps the steps telescope to the difference of the outer registers and the rollovers.
    """
    jumps = np.flatnonzero(~steps.counts)
    firsts = [0, *(int(i) + 1 for i in jumps)]
    lasts = [*(int(i) for i in jumps), steps.counts.size]
    total = Fraction(0)
    for first, last in zip(firsts, lasts):
        if last > first:
            total += fraction_of(steps.register[last]) - fraction_of(steps.register[first])
    rollovers = int(np.count_nonzero(_wrapped(steps) & steps.counts))
    if rollovers and totaliser.rollover is not None:
        total += rollovers * Fraction(totaliser.rollover)
    if steps.counts[0] and steps.time[0] < start_ms:
        total -= _rise(steps, totaliser, 0) * _part(steps, 0, start_ms)
    last_step = steps.counts.size - 1
    if steps.counts[last_step] and steps.time[-1] > end_ms:
        total -= _rise(steps, totaliser, last_step) * (1 - _part(steps, last_step, end_ms))
    return total


def _rise(steps: Steps, totaliser: Series, step: int) -> Fraction:
    """The exact increase over one counting step, unwrapped."""
    return exact_rise(float(steps.register[step]), float(steps.register[step + 1]), totaliser)


def _part(steps: Steps, step: int, time_ms: int) -> Fraction:
    """The part of a step that has passed at ``time_ms``."""
    begin, end = int(steps.time[step]), int(steps.time[step + 1])
    return Fraction(time_ms - begin, end - begin)


def start_boundary(steps: Steps, totaliser: Series, start_ms: int, end_ms: int) -> Boundary:
    """The register at the period's start; else the nearest one inside; else none."""
    if steps.counts[0] and steps.time[0] <= start_ms:
        return Boundary(start_ms, _dial(steps, totaliser, 0, start_ms))
    inside = np.flatnonzero((steps.time >= start_ms) & (steps.time <= end_ms))
    return _register_read(steps, int(inside[0])) if inside.size else Boundary(start_ms, None)


def end_boundary(steps: Steps, totaliser: Series, start_ms: int, end_ms: int) -> Boundary:
    """The register at the period's end; else the nearest one inside; else none."""
    if steps.counts[-1] and steps.time[-1] >= end_ms:
        return Boundary(end_ms, _dial(steps, totaliser, steps.counts.size - 1, end_ms))
    if steps.exchange[-1] and steps.time[-1] == end_ms:  # the new meter belongs to what follows
        closing = _register_read(steps, -2)
        return replace(closing, time_ms=end_ms) if steps.at_once[-1] else closing
    inside = np.flatnonzero((steps.time >= start_ms) & (steps.time <= end_ms))
    return _register_read(steps, int(inside[-1])) if inside.size else Boundary(end_ms, None)


def _register_read(steps: Steps, index: int) -> Boundary:
    """A register as it was read, with its own time."""
    return Boundary(int(steps.time[index]), to_places(fraction_of(steps.register[index]), REGISTER_PLACES))


def _dial(steps: Steps, totaliser: Series, step: int, time_ms: int) -> Decimal:
    """The register inside a counting step, linear in time, wrapped as the dial would show it."""
    for end in (step, step + 1):
        if steps.time[end] == time_ms:
            return to_places(fraction_of(steps.register[end]), REGISTER_PLACES)
    register = fraction_of(steps.register[step]) + _rise(steps, totaliser, step) * _part(steps, step, time_ms)
    shown = to_places(register, REGISTER_PLACES)
    if (
        totaliser.rollover is not None
        and steps.register[step + 1] < steps.register[step]
        and shown >= totaliser.rollover
    ):
        return to_places(Fraction(shown) - Fraction(totaliser.rollover), REGISTER_PLACES)
    return shown
