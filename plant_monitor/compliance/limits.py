"""Which limit is in force, and the verdict against it (design §5, *Verdict*).

Values are compared unrounded (全数值比较法). Equal is met; "greater" is by more than rounding noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from plant_monitor import units
from plant_monitor.compliance.means import WindowStatistics
from plant_monitor.holds import RELATIVE_NOISE, exceeds
from plant_monitor.plant import HOURLY, Limit, Plant, Point, Series, Statistic
from plant_monitor.readings import BoolArray, FloatArray, IntArray

VerdictArray = NDArray[np.int8]

NO_LIMIT, NO_DISCHARGE, INSUFFICIENT_DATA, EXCEEDED, MET = range(5)
VERDICTS = ("no_limit", "no_discharge", "insufficient_data", "exceeded", "met")


@dataclass(frozen=True, slots=True)
class AppliedLimit:
    """One (limit set, statistic) of a series over D days.

    ``lower``, ``upper`` (D,) in ``unit``, NaN where there is no such bound · ``in_force`` (D,) ·
    ``verified`` (D,) False where the number was not seen in the standard's text · ``factor`` from the
    series' unit to ``unit`` (of a load: from kg per day).
    """

    limit_set: str
    statistic: Statistic
    unit: str
    factor: float
    lower: FloatArray
    upper: FloatArray
    in_force: BoolArray
    verified: BoolArray


def applied_limits(
    plant: Plant, point: Point, series: Series, days: Sequence[date], only: Statistic | None = None
) -> list[AppliedLimit]:
    """The limits of a series, by (limit set, statistic); those never in force on ``days`` are left out.

    Of several for one (set, parameter, statistic) the one with the latest ``valid_from`` is in force. ``only``:
    those of one statistic.
    """
    applied = []
    for set_id in sorted(set(point.limits)):
        limits = [x for x in plant.limit_set_by_id[set_id].limits if x.parameter == series.parameter]
        for statistic in sorted({x.statistic for x in limits if only in (None, x.statistic)}):
            dated = sorted((x for x in limits if x.statistic is statistic), key=lambda x: x.valid_from or date.min)
            one = _over_days(set_id, statistic, dated, series, days)
            if one.in_force.any():
                applied.append(one)
    return applied


def _over_days(
    set_id: str, statistic: Statistic, dated: Sequence[Limit], series: Series, days: Sequence[date]
) -> AppliedLimit:
    """``dated`` ascending by ``valid_from``: the last one in force wins."""
    lower, upper = np.full(len(days), np.nan), np.full(len(days), np.nan)
    in_force, verified = np.zeros(len(days), dtype=bool), np.ones(len(days), dtype=bool)
    own_unit = "kg/d" if statistic is Statistic.DAILY_LOAD else series.unit
    unit = dated[0].unit or own_unit
    for limit in dated:
        on = np.array([limit.in_force(day) for day in days], dtype=bool)
        lower[on] = np.nan if limit.lower is None else limit.lower
        upper[on] = np.nan if limit.upper is None else limit.upper
        in_force |= on
        verified[on] = limit.verified
    return AppliedLimit(set_id, statistic, unit, units.factor(own_unit, unit), lower, upper, in_force, verified)


def exceeded(value: FloatArray, lower: FloatArray, upper: FloatArray) -> BoolArray:
    """Above the upper or below the lower bound, by more than rounding noise; a NaN bound is none."""
    below = np.subtract(lower, value) > RELATIVE_NOISE * np.abs(lower)
    return np.asarray(exceeds(value, upper) | below)


def margin(value: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """min(upper − v, v − lower) over the bounds there are; NaN where the value is."""
    return np.asarray(np.fmin(upper - value, value - lower))


def closest(value: FloatArray, lower: FloatArray, upper: FloatArray, group: IntArray, groups: int) -> IntArray:
    """(groups,) index of the value with the smallest margin in each group, ties: the earliest; −1: none.

    ``group`` ascending. Margins within rounding noise of their values are ties.
    """
    chosen = np.full(groups, -1, dtype=np.int64)
    margins = margin(value, lower, upper)
    usable = np.flatnonzero(~np.isnan(margins))
    if usable.size == 0:
        return chosen
    group, margins = group[usable], margins[usable]
    first = np.flatnonzero(np.diff(group, prepend=-1))
    smallest = np.minimum.reduceat(margins, first)
    scale = np.fmax(np.fmax(np.abs(lower[usable]), np.abs(upper[usable])), np.abs(value[usable]))
    run = np.repeat(np.arange(first.size), np.diff(np.append(first, group.size)))
    ties = np.flatnonzero(margins - smallest[run] <= RELATIVE_NOISE * scale)
    earliest = ties[np.flatnonzero(np.diff(run[ties], prepend=-1))]
    chosen[group[first]] = usable[earliest]
    return chosen


def verdicts(
    value: FloatArray, statistics: WindowStatistics, lower: FloatArray, upper: FloatArray, in_force: BoolArray
) -> VerdictArray:
    """(W,) verdict of each window: no limit, no discharge, insufficient data, exceeded, met, in this order."""
    decided = np.where(exceeded(value, lower, upper), EXCEEDED, MET)
    decided = np.where(statistics.enough, decided, INSUFFICIENT_DATA)
    decided = np.where(statistics.due_ms > 0, decided, NO_DISCHARGE)
    return np.where(in_force, decided, NO_LIMIT).astype(np.int8)


@dataclass(frozen=True, slots=True)
class Judged:
    """A series against one applied limit. Values in the limit's unit.

    ``hour_value``, ``hour_verdict`` (H,): empty where the limit does not speak of hours (a load) ·
    ``day_value``, ``day_verdict`` (D,).
    """

    limit: AppliedLimit
    hour_value: FloatArray
    hour_verdict: VerdictArray
    day_value: FloatArray
    day_verdict: VerdictArray

    @property
    def episodes_over_hours(self) -> bool:
        """Exceedances of this limit are runs of hours (else of days)."""
        return self.limit.statistic in HOURLY


def judge(limit: AppliedLimit, hourly: WindowStatistics, daily: WindowStatistics, hour_day: IntArray) -> Judged:
    """Hours and days of a series against one limit.

    Against a daily limit an hour is judged in the same words: an early warning, not an exceedance. The
    day's value for an hourly statistic is that of the hour, with enough data, with the smallest margin.
    """
    lower, upper, in_force = limit.lower[hour_day], limit.upper[hour_day], limit.in_force[hour_day]
    if limit.statistic is Statistic.DAILY_LOAD:
        value = daily.load_kg * limit.factor
        verdict = verdicts(value, daily, limit.lower, limit.upper, limit.in_force)
        return Judged(limit, np.empty(0), np.empty(0, dtype=np.int8), value, verdict)
    hour_value = (hourly.median if limit.statistic is Statistic.HOURLY_MEDIAN else hourly.mean) * limit.factor
    hour_verdict = verdicts(hour_value, hourly, lower, upper, in_force)
    if limit.statistic is Statistic.DAILY_MEAN:
        value = daily.mean * limit.factor
        verdict = verdicts(value, daily, limit.lower, limit.upper, limit.in_force)
        return Judged(limit, hour_value, hour_verdict, value, verdict)
    days = limit.in_force.size
    eligible = np.where(hourly.enough, hour_value, np.nan)
    worst = closest(eligible, lower, upper, hour_day, days)
    day_value = np.where(worst >= 0, eligible[worst], np.nan) if eligible.size else np.full(days, np.nan)
    met = np.where(daily.enough, MET, INSUFFICIENT_DATA)
    any_exceeded = np.bincount(hour_day, hour_verdict == EXCEEDED, days) > 0
    verdict = np.where(any_exceeded, EXCEEDED, met)
    verdict = np.where(daily.due_ms > 0, verdict, NO_DISCHARGE)
    verdict = np.where(limit.in_force, verdict, NO_LIMIT).astype(np.int8)
    return Judged(limit, hour_value, hour_verdict, day_value, verdict)
