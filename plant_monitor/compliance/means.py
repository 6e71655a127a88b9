"""Statistics of one series per hour and per day of the plant's zone (design §5, *Mean*).

An hour's sums are made from the pieces that hold in it; a day's are the sums of its hours' sums, so
that a daily mean is the mean over the day (never of hourly means) and depends on that day alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plant_monitor import units
from plant_monitor.holds import FlowCurve, Holds, Weights, cut, discharging, held, weigh
from plant_monitor.plant import FLOW, PH, Series
from plant_monitor.readings import BoolArray, FloatArray, IntArray, Readings
from plant_monitor.windows import Windows

#: Share of the due time that must be valid before a window is judged (HJ 356; regulatory/rules.md §4.2).
ENOUGH = 0.75
#: Values a window up to which rows of equal weight are sorted as rows (one row length at a time).
FEW = 400


@dataclass(frozen=True, slots=True)
class WindowStatistics:
    """One series over W windows (all hours, or all days).

    ``mean``, ``min``, ``max``, ``median`` (W,) in the series' unit, NaN where nothing is valid; min,
    max and median are hourly only (empty for days), and no pH is ever averaged (``mean`` all NaN) ·
    ``due_ms``, ``valid_ms`` (W,) · ``load_kg`` (W,): 0 without due time, NaN where there is due but no
    valid time, all NaN for what has no load.
    """

    mean: FloatArray
    min: FloatArray
    max: FloatArray
    median: FloatArray
    due_ms: IntArray
    valid_ms: IntArray
    load_kg: FloatArray

    @property
    def valid_share(self) -> FloatArray:
        """(W,) valid ÷ due time, NaN without due time."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.due_ms > 0, self.valid_ms / self.due_ms, np.nan)

    @property
    def enough(self) -> BoolArray:
        """(W,) there is due time, and at least 75 % of it is valid."""
        return (self.due_ms > 0) & (self.valid_ms >= ENOUGH * self.due_ms)


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
    holds = held(readings, series)
    if series.parameter == FLOW:
        due_ms = np.diff(windows.hour_edges)
        pieces = cut(Holds(holds.start, holds.end, discharging(holds.value, series), holds.valid), windows.hour_edges)
        weights = Weights(pieces.window, pieces.value, pieces.end - pieces.start, np.empty(0))
    else:
        due_ms = curve.due_ms
        weights = weigh(cut(holds, windows.hour_edges), curve, by_volume=by_volume)
    weight = weights.volume_m3 if by_volume and curve.metered else weights.valid_ms.astype(np.float64)
    total: FloatArray = np.bincount(weights.window, weight, hours).astype(np.float64)
    moment: FloatArray = np.bincount(weights.window, weight * weights.value, hours).astype(np.float64)
    valid_ms = np.bincount(weights.window, weights.valid_ms, hours).astype(np.int64)
    low, high = _extremes(weights, hours)
    averaged = series.parameter != PH
    has_load = by_volume and curve.metered
    to_kg = units.factor(series.unit, "kg/m3") if has_load else np.nan
    median = time_weighted_medians(weights, hours) if medians or not averaged else np.full(hours, np.nan)
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
    return WindowStatistics(mean, low, high, median, due_ms, valid_ms, load)


def _extremes(weights: Weights, windows: int) -> tuple[FloatArray, FloatArray]:
    """(W,) smallest and largest value with valid time in each window, NaN where there is none."""
    low, high = np.full(windows, np.nan), np.full(windows, np.nan)
    if weights.window.size:
        first = np.flatnonzero(np.diff(weights.window, prepend=-1))
        present = weights.window[first]
        low[present] = np.minimum.reduceat(weights.value, first)
        high[present] = np.maximum.reduceat(weights.value, first)
    return low, high


def time_weighted_medians(weights: Weights, windows: int) -> FloatArray:
    """(W,) the smallest value whose cumulated valid time reaches half, NaN where nothing is valid."""
    median = np.full(windows, np.nan)
    if weights.window.size == 0:
        return median
    first = np.flatnonzero(np.diff(weights.window, prepend=-1))
    count = np.diff(np.append(first, weights.window.size))
    lightest = np.minimum.reduceat(weights.valid_ms, first)
    even = (lightest == np.maximum.reduceat(weights.valid_ms, first)) & (count <= FEW)
    for n in np.unique(count[even]):
        # All n values weigh the same: half is reached with the ⌈n/2⌉th smallest, and sorting short rows is cheap.
        rows = first[even & (count == n)]
        values = np.sort(weights.value[rows[:, np.newaxis] + np.arange(n)], axis=1)
        median[weights.window[rows]] = values[:, (n + 1) // 2 - 1]
    uneven = np.repeat(~even, count)
    _uneven_medians(weights.window[uneven], weights.value[uneven], weights.valid_ms[uneven], median)
    return median


def _uneven_medians(window: IntArray, value: FloatArray, valid_ms: IntArray, median: FloatArray) -> None:
    """The same where the values of a window weigh differently; written into ``median``."""
    if window.size == 0:
        return
    order = np.lexsort((value, window))
    window, value = window[order], value[order]
    elapsed = np.cumsum(valid_ms[order])
    first = np.flatnonzero(np.diff(window, prepend=-1))
    last = np.append(first[1:], window.size) - 1
    before = np.where(first > 0, elapsed[first - 1], 0)
    # Integers: 2·cumulated ≥ total, found as the first elapsed ≥ before + total/2 rounded up.
    half = before + (elapsed[last] - before + 1) // 2
    median[window[first]] = value[np.searchsorted(elapsed, half, side="left")]
