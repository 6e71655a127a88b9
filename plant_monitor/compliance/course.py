"""Where a day is heading (design §5, *Warnings*): its projection, when it is too late, what still helps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plant_monitor import units
from plant_monitor.compliance.limits import EXCEEDED, INSUFFICIENT_DATA, MET, NO_LIMIT, Judged, VerdictArray, exceeded
from plant_monitor.compliance.means import WindowStatistics
from plant_monitor.holds import MS_PER_HOUR
from plant_monitor.plant import Series, Statistic
from plant_monitor.readings import FloatArray, IntArray
from plant_monitor.windows import Windows


@dataclass(frozen=True, slots=True)
class Course:
    """Where a day stands at the end of each of its hours, if it goes on like the hour just over; all (H,).

    ``projected`` the day's statistic then, in the limit's unit, NaN unknown · ``verdict`` exceeded where that is
    on course to exceed, else met; insufficient data where the hour says too little, and in a day's last
    hour, which leaves nothing to project · ``passes_ms``, ``avoid_mg_l``, ``avoid_flow_m3_h`` NaN where there is none
    · ``so_far`` the statistic up to now · ``volume_m3`` so far · ``mean``, ``flow_m3_h`` of the hour.
    """

    projected: FloatArray
    verdict: VerdictArray
    passes_ms: FloatArray
    avoid_mg_l: FloatArray
    avoid_flow_m3_h: FloatArray
    so_far: FloatArray
    volume_m3: FloatArray
    mean: FloatArray
    flow_m3_h: FloatArray


def day_course(series: Series, one: Judged, hourly: WindowStatistics, windows: Windows, *, metered: bool) -> Course:
    """The course of each day against a daily mean or a daily load.

    On course: (load so far + current value × expected remaining volume) ÷ (volume so far + expected remaining
    volume) > limit (design §5). The current value is the mean of the hour just over, the expected remaining volume
    its flow until midnight. *For certain*: even pure water in all of the expected volume would no longer keep
    the limit. A larger flow of weaker water would dilute and is never offered as a way out.
    """
    is_load = one.limit.statistic is Statistic.DAILY_LOAD
    by_volume = metered and units.is_concentration(series.unit)
    to_weight = 1.0 if by_volume else 1 / MS_PER_HOUR
    day, ends = windows.hour_day, windows.hour_edges[1:]
    left_h = (windows.day_edges[1:][day] - ends) / MS_PER_HOUR
    weight = hourly.weight * to_weight
    mean = np.where(weight > 0, hourly.mean, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Where a part of the due time is not valid, the valid part speaks for it.
        rate = np.where(hourly.valid_ms > 0, weight * (hourly.due_ms / hourly.valid_ms), 0.0)
    rate = rate / (np.diff(windows.hour_edges) / MS_PER_HOUR)
    factor = one.limit.factor * (units.factor(series.unit, "kg/m3") if is_load else 1.0)  # moment -> limit's unit
    upper, lower = one.limit.upper[day], one.limit.lower[day]
    volume, moment = (_within_days(x, day, len(windows.days)) for x in (weight, mean * weight * factor))
    current, rest = mean * factor, rate * left_h
    total = np.ones(day.size) if is_load else volume + rest
    so_far_of = np.ones(day.size) if is_load else volume
    with np.errstate(invalid="ignore", divide="ignore"):
        projected = np.where(total > 0, (moment + current * rest) / total, np.nan)
        so_far = np.where(so_far_of > 0, moment / so_far_of, np.nan)
        allowed = upper * total - moment  # what may still come
        certain_h = np.where(allowed > 0, allowed / (current * rate), 0.0)
        avoid = np.where((rest > 0) & (allowed >= 0), allowed / rest, np.nan)
        spare = upper * so_far_of - moment
        above = current if is_load else current - upper
        flow = np.where((spare >= 0) & (above > 0) & (left_h > 0), spare / (above * left_h), np.nan)
    known = (hourly.enough | (hourly.due_ms == 0)) & ~np.isnan(projected) & (left_h > 0)
    verdict = np.where(known, np.where(exceeded(projected, lower, upper), EXCEEDED, MET), INSUFFICIENT_DATA)
    verdict = np.where(one.limit.in_force[day], verdict, NO_LIMIT).astype(np.int8)
    over = (verdict == EXCEEDED) & (projected > upper)
    mass = units.is_concentration(series.unit)
    to_mg_l = (1000.0 / one.limit.factor if is_load else units.factor(one.limit.unit, "mg/L")) if mass else np.nan
    nothing = np.full(day.size, np.nan)
    return Course(
        projected,
        verdict,
        np.where(over, ends + certain_h * MS_PER_HOUR, np.nan),
        np.where(over, avoid * to_mg_l, np.nan),
        np.where(over, flow, np.nan) if by_volume else nothing,
        so_far,
        volume if by_volume else nothing,
        np.where(weight > 0, hourly.mean, np.nan),
        rate if by_volume else nothing,
    )


def _within_days(amount: FloatArray, day: IntArray, days: int) -> FloatArray:
    """(H,) the sum of the day's hours up to and with each; it starts anew every day."""
    total = np.cumsum(amount)
    first = np.searchsorted(day, np.arange(days))
    return np.asarray(total - (total[first] - amount[first])[day])
