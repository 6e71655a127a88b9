"""Statistics of one series per hour and per day of the plant's zone (design §5, *Mean*).

An hour's sums are made from the pieces that hold in it; a day's are the sums of its hours' sums, so
that a daily mean is the mean over the day (never of hourly means) and depends on that day alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plant_monitor import units
from plant_monitor.holds import FlowCurve, Weights, cut, held, weigh
from plant_monitor.plant import FLOW, PH, Series
from plant_monitor.readings import BoolArray, FloatArray, IntArray, Readings
from plant_monitor.windows import Windows

#: Share of the due time that must be valid before a window is judged (HJ 356; regulatory/rules.md §4.2).
ENOUGH = 0.75


@dataclass(frozen=True, slots=True)
class WindowStatistics:
    """One series over W windows (all hours, or all days).

    ``mean``, ``min``, ``max``, ``median`` (W,) in the series' unit, NaN where nothing is valid; min,
    max and median are hourly only (empty for days), and no pH is ever averaged (``mean`` all NaN) ·
    ``due_ms``, ``valid_ms`` (W,) · ``load_kg`` (W,): 0 without due time, NaN where there is due but no
    valid time, all NaN for what has no load · ``weight`` (W,) what the mean is over: m³, or ms of valid
    time where it is time-weighted.
    """

    mean: FloatArray
    min: FloatArray
    max: FloatArray
    median: FloatArray
    due_ms: IntArray
    valid_ms: IntArray
    load_kg: FloatArray
    weight: FloatArray

    @property
    def valid_share(self) -> FloatArray:
        """(W,) valid ÷ due time, NaN without due time."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.due_ms > 0, self.valid_ms / self.due_ms, np.nan)

    @property
    def enough(self) -> BoolArray:
        """(W,) there is due time, and at least 75 % of it is valid."""
        return (self.due_ms > 0) & (self.valid_ms >= ENOUGH * self.due_ms)


class PointVolume:
    """What flowed at a point.

    ``metered`` · ``hourly`` (H,), ``daily`` (D,) m³, NaN where nothing is known · ``known_ms`` (H,) ·
    ``unknown`` start and end (n,) ms of the stretches of unknown flow, none across an hour's edge
    """

    def __init__(self, curve: FlowCurve, windows: Windows) -> None:
        self.metered = curve.metered
        self.hourly = curve.volume_m3
        self.known_ms = curve.known_ms
        self.unknown = curve.edges[:-1][~curve.known], curve.edges[1:][~curve.known]
        known = ~np.isnan(self.hourly)
        days = len(windows.days)
        some = np.bincount(windows.hour_day, known, days) > 0
        self.daily = np.where(some, np.bincount(windows.hour_day, np.where(known, self.hourly, 0.0), days), np.nan)


def series_statistics(
    series: Series, readings: Readings, curve: FlowCurve, windows: Windows, *, medians: bool
) -> tuple[WindowStatistics, WindowStatistics]:
    """Hourly and daily statistics of one series.

    ``readings`` of the series, sorted by time, one per instant · ``curve`` the point's flow over the
    hours of ``windows`` · ``medians`` also the hourly medians (always for pH).

    Flow-weighted for a mass per volume: ∫ c·q dt / ∫ q dt over valid time, load ∫ c·q dt
    (HJ 212-2017 App. D, eqs 12–14, in the limit). Time-weighted otherwise. ``flow`` itself: all time
    is due, and its statistics are those of the flow after the cut-off.
    """
    hours = windows.hour_edges.size - 1
    by_volume = units.is_concentration(series.unit)
    if series.parameter == FLOW:
        due_ms, own = np.diff(windows.hour_edges), curve.own
        weights = Weights(own.value, own.end - own.start, np.empty(0), own.bounds)
    else:
        due_ms = curve.due_ms
        weights = weigh(cut(held(readings, series), windows.hour_edges), curve, by_volume=by_volume)
    valid_ms = _sums(weights.valid_ms, weights.bounds)
    averaged, has_load = series.parameter != PH, by_volume and curve.metered
    total = moment = np.full(hours, np.nan)
    if averaged or has_load:
        total, moment = _moments(weights, valid_ms, has_load)
    low, high = _extremes(weights)
    to_kg = units.factor(series.unit, "kg/m3") if has_load else np.nan
    median = time_weighted_medians(weights) if medians or not averaged else np.full(hours, np.nan)
    hourly = _statistics(total, moment, due_ms, valid_ms, to_kg, averaged, (low, high, median))
    days = len(windows.days)

    def per_day(amount: FloatArray | IntArray) -> FloatArray:
        return np.bincount(windows.hour_day, amount, days).astype(np.float64)

    nothing = np.empty(0)
    daily = _statistics(
        per_day(total),
        per_day(moment),
        per_day(due_ms).astype(np.int64),
        per_day(valid_ms).astype(np.int64),
        to_kg,
        averaged,
        (nothing, nothing, nothing),
    )
    return hourly, daily


def _statistics(
    total: FloatArray,
    moment: FloatArray,
    due_ms: IntArray,
    valid_ms: IntArray,
    to_kg: float,
    averaged: bool,
    extremes: tuple[FloatArray, FloatArray, FloatArray],
) -> WindowStatistics:
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where((valid_ms > 0) & averaged, moment / total, np.nan)
    load = np.where((valid_ms > 0) | (due_ms == 0), moment * to_kg, np.nan)
    low, high, median = extremes
    return WindowStatistics(mean, low, high, median, due_ms, valid_ms, load, total)


def _moments(weights: Weights, valid_ms: IntArray, by_volume: bool) -> tuple[FloatArray, FloatArray]:
    """(W,) what the values of each window weigh, and the sum of them so weighted."""
    windows = weights.bounds.size - 1
    window = np.repeat(np.arange(windows), np.diff(weights.bounds))

    weight = weights.volume_m3 if by_volume else weights.valid_ms
    moment = np.bincount(window, weight * weights.value, windows)
    total = np.bincount(window, weight, windows) if by_volume else valid_ms
    return total.astype(np.float64), moment.astype(np.float64)


def _sums(amount: IntArray, bounds: IntArray) -> IntArray:
    """(W,) sums of integers over ``bounds[w]:bounds[w+1]``."""
    sums = np.zeros(bounds.size - 1, dtype=np.int64)
    present = np.flatnonzero(np.diff(bounds))
    if present.size:
        sums[present] = np.add.reduceat(amount, bounds[present])
    return sums


def _extremes(weights: Weights) -> tuple[FloatArray, FloatArray]:
    """(W,) smallest and largest value with valid time in each window, NaN where there is none."""
    windows = weights.bounds.size - 1
    low, high = np.full(windows, np.nan), np.full(windows, np.nan)
    present = np.flatnonzero(np.diff(weights.bounds))
    if present.size:
        first = weights.bounds[present]
        low[present] = np.minimum.reduceat(weights.value, first)
        high[present] = np.maximum.reduceat(weights.value, first)
    return low, high


def time_weighted_medians(weights: Weights) -> FloatArray:
    """(W,) the smallest value whose cumulated valid time reaches half, NaN where nothing is valid."""
    median = np.full(weights.bounds.size - 1, np.nan)
    count = np.diff(weights.bounds)
    for n in np.unique(count[count > 0]):
        # Windows of equally many values at once: sorting short rows is cheap.
        windows = np.flatnonzero(count == n)
        rows = weights.bounds[windows, np.newaxis] + np.arange(n)
        value, valid_ms = weights.value[rows], weights.valid_ms[rows]
        even = (valid_ms == valid_ms[:, :1]).all(axis=1)
        median[windows[even]] = np.sort(value[even], axis=1)[:, (n - 1) // 2]
        median[windows[~even]] = _uneven_medians(value[~even], valid_ms[~even])
    return median


def _uneven_medians(value: FloatArray, valid_ms: IntArray) -> FloatArray:
    """(R,) the same for rows (R, n) of values that weigh differently."""
    order = np.argsort(value, axis=1)
    elapsed = np.cumsum(np.take_along_axis(valid_ms, order, axis=1), axis=1)
    half = np.count_nonzero(2 * elapsed < elapsed[:, -1:], axis=1)  # integers: half is reached exactly
    found: FloatArray = value[np.arange(half.size), order[np.arange(half.size), half]]
    return found
