"""Signs that a sensor may be wrong, from its own readings: flat line, spike, jump, drift, out of physical range.

Suspicion is a finding with evidence and never changes or deletes a reading (design §5, *Warnings*): a person
decides. Every test compares a series with its own history, since what is noise at one point is an event at another.
Pure: arrays in, :class:`Signs` out. Thresholds are arguments (``quality.suspicion``); they were tuned on the first
half of real plant data and measured on the second (``benchmarks/suspicion.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from plant_monitor.readings import BoolArray, FloatArray, IntArray

#: A normal distribution's standard deviation is this many times its median absolute deviation.
SIGMA_OF_MAD = 1.4826
#: Readings on each side in a Hampel window.
SPIKE_REACH = 5
#: At most so many readings in a row are a spike; more are an event.
SPIKE_LONGEST = 2
#: Readings before and after that a jump is told by.
JUMP_REACH = 12
#: The part of a jump that one step must make up; else it is an event that takes its time.
JUMP_SHARE = 0.8
#: Windows from which the usual noise of a long series is taken.
SAMPLE = 20_000
#: A run of equal readings as unlikely as this by chance is a flat line.
FLAT_CHANCE = 1e-6
FLAT_FEWEST = 5
#: Days: whose median is compared, that are left out before them (a drift has begun by then), and of history.
DRIFT_RECENT, DRIFT_BETWEEN, DRIFT_HISTORY = 5, 10, 28
#: Days before the time that is asked about, which the tests learn from.
HISTORY_DAYS = DRIFT_RECENT + DRIFT_BETWEEN + DRIFT_HISTORY


@dataclass(frozen=True, slots=True)
class Signs:
    """Stretches of a series that look wrong, all (n,).

    ``first``, ``last`` indices of readings (of days, for a drift), both inclusive · ``value`` against ``bound``: the
    evidence, in the series' unit; of a flat line in hours.
    """

    first: IntArray
    last: IntArray
    value: FloatArray
    bound: FloatArray

    def __len__(self) -> int:
        return int(self.first.size)


def flat_lines(time: IntArray, value: FloatArray, *, hours: float, idle: BoolArray | None = None) -> Signs:
    """Runs of exactly equal readings that last ``hours`` or more and are no chance.

    ``time``, ``value`` (T,) of the valid readings · ``idle`` (T,) readings that may well be equal (no flow). How
    often a reading repeats the one before is taken from the series itself, by runs and not by readings, so that a
    long flat line does not excuse itself: a coarse display repeats often and has to stand still for longer.
    """
    if value.size == 0:
        return _none()
    start = np.flatnonzero(np.concatenate(([True], value[1:] != value[:-1])))
    last = np.append(start[1:], value.size) - 1
    count = last - start + 1
    repeats = min(max(float(np.mean(count > 1)), 1e-3), 0.999)
    fewest = max(float(FLAT_FEWEST), 1 + np.log(FLAT_CHANCE) / np.log(repeats))
    lasted = (time[last] - time[start]) / 3_600_000
    found = (count >= fewest) & (lasted >= hours)
    if idle is not None:
        found &= ~idle[start]
    return Signs(start[found], last[found], lasted[found], np.full(int(found.sum()), hours))


def spikes(time: IntArray, value: FloatArray, *, sigmas: float) -> Signs:
    """Single readings, or two, that stand out of the readings around them and are gone again (Hampel).

    A reading stands out by more than ``sigmas`` times the larger of the noise around it and the series' usual
    noise, and by five times what 95 % of its readings do. The last two are not judged: nothing has come back yet.
    Where readings are missing around it nothing is said.
    What is usual is taken from a sample of a long series, and only readings far from both their third neighbours
    are looked at closely, so a year costs a few passes.
    """
    if value.size < 3 * (2 * SPIKE_REACH + 1):
        return _none()
    padded = np.concatenate((value[:SPIKE_REACH][::-1], value, value[-SPIKE_REACH:][::-1]))
    windows = sliding_window_view(padded, 2 * SPIKE_REACH + 1)
    sample = np.arange(0, value.size, 1 + value.size // SAMPLE)
    middle, noise = _hampel(windows[sample])
    usual = float(np.median(noise[noise > 0])) if (noise > 0).any() else 0.0
    least = max(sigmas * SIGMA_OF_MAD * usual, 5 * float(np.quantile(np.abs(value[sample] - middle), 0.95)))
    apart = SPIKE_LONGEST + 1
    before, after = padded[SPIKE_REACH - apart :][: value.size], padded[SPIKE_REACH + apart :][: value.size]
    alone = np.minimum(np.abs(value - before), np.abs(value - after))
    alone[(value - before) * (value - after) < 0] = 0.0
    near = np.flatnonzero(alone > 0.3 * least)
    near = near[near < value.size - SPIKE_LONGEST]
    near = near[~_gap(time, near - SPIKE_REACH, near + SPIKE_REACH)]
    middle, noise = _hampel(windows[near])
    out, bound = np.abs(value[near] - middle), np.maximum(sigmas * SIGMA_OF_MAD * noise, least)
    stands = np.zeros(value.size, dtype=bool)
    stands[near] = out > bound
    first, last = _runs(stands)
    short = last - first < SPIKE_LONGEST
    first, last = first[short], last[short]
    a, b = np.searchsorted(near, first), np.searchsorted(near, last)
    worst = np.where(out[b] > out[a], b, a) if near.size else a
    sign = np.sign(value[near[worst]] - middle[worst])
    return Signs(first, last, value[near[worst]], middle[worst] + sign * bound[worst])


def _hampel(windows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(N,) median of each window, and the median distance from it."""
    middle = np.median(windows, axis=1) if len(windows) else np.empty(0)
    noise = np.median(np.abs(windows - middle[:, np.newaxis]), axis=1) if len(windows) else np.empty(0)
    return middle, noise


def jumps(time: IntArray, value: FloatArray, *, times: float) -> Signs:
    """Steps to another level from one reading to the next: calibration, exchange, fouling that came off.

    The medians of :data:`JUMP_REACH` readings before and after differ by more than ``times`` the difference that
    90 % of the series' own moments stay below, and the one step makes up most of it. Where readings are missing
    nothing is said: the level may have gone there slowly. ``value`` of a sign is the level after, ``bound`` the
    furthest level that would have been nothing.
    """
    n = JUMP_REACH
    if value.size < 6 * n:
        return _none()
    windows = sliding_window_view(value, n)
    sample = np.arange(0, value.size - 2 * n + 1, 1 + value.size // SAMPLE)
    usual = np.abs(np.median(windows[sample + n], axis=1) - np.median(windows[sample], axis=1))
    bound = times * float(np.quantile(usual, 0.9))
    step = np.diff(value)[n - 1 : value.size - n]  # at i: from reading i+n-1 to i+n
    steep = np.flatnonzero(np.abs(step) > JUMP_SHARE * bound)
    steep = steep[~_gap(time, steep, steep + 2 * n - 1)]
    if steep.size == 0:
        return _none()
    before, after = np.median(windows[steep], axis=1), np.median(windows[steep + n], axis=1)
    change = after - before
    found = np.flatnonzero((np.abs(change) > bound) & (step[steep] * np.sign(change) >= JUMP_SHARE * np.abs(change)))
    if found.size == 0:
        return _none()
    # Of moments less than a window apart the largest one is the jump.
    group = np.concatenate(([0], np.cumsum(np.diff(steep[found]) > n)))
    order = np.lexsort((-np.abs(change[found]), group))
    chosen = found[order[np.flatnonzero(np.diff(group[order], prepend=-1))]]
    at = steep[chosen] + n
    return Signs(at, at, after[chosen], before[chosen] + np.sign(change[chosen]) * bound)


def drifts(daily: FloatArray, *, sigmas: float) -> Signs:
    """Days on which the level has slowly left the series' own history.

    ``daily`` (D,) typical values of days, NaN unknown. The median of the last days is further from the history's
    median than ``sigmas`` of its spread, and every third of the days between stands beyond the one before: a slow,
    steady way, no event. Indices are days; days in a row are one sign, from where it was noticed.
    """
    span = HISTORY_DAYS
    if daily.size < span:
        return _none()
    windows = sliding_window_view(daily, span)
    known = np.sum(~np.isnan(windows), axis=1)
    with np.errstate(invalid="ignore"):
        past, way = windows[:, :DRIFT_HISTORY], windows[:, DRIFT_HISTORY:]
        level = _median(past)
        spread = SIGMA_OF_MAD * _median(np.abs(past - level[:, np.newaxis]))
        thirds = [_median(part) for part in np.array_split(way, 3, axis=1)]
        shift = [np.sign(thirds[-1] - level) * (third - level) for third in thirds]
        steady = (shift[0] < shift[1]) & (shift[1] < shift[2]) & (shift[0] > 0)
        found = steady & (spread > 0) & (shift[2] > sigmas * spread) & (known >= 0.75 * span)
    first, last = _runs(found)
    at = first  # as noticed
    sign = np.sign(thirds[-1][at] - level[at])
    bound = level[at] + sign * sigmas * spread[at]
    return Signs(first + span - 1, last + span - 1, thirds[-1][at], bound)


def outside(value: FloatArray, lower: float | None, upper: float | None) -> Signs:
    """Runs of readings that the quantity, or its instrument, cannot have."""
    low, high = -np.inf if lower is None else lower, np.inf if upper is None else upper
    first, last = _runs((value < low) | (value > high))
    furthest = np.array(
        [a + int(np.argmax(np.maximum(low - value[a : b + 1], value[a : b + 1] - high))) for a, b in zip(first, last)],
        dtype=np.int64,
    )
    return Signs(first, last, value[furthest], np.where(value[furthest] > high, high, low))


def imbalances(left: FloatArray, right: FloatArray, *, share: float) -> Signs:
    """Windows in which two ways to know one amount differ by more than ``share`` of the larger; NaN is unknown."""
    if share >= 1:
        return _none()  # amounts cannot differ by more
    with np.errstate(invalid="ignore"):
        larger = np.maximum(np.abs(left), np.abs(right))
        first, last = _runs((larger > 0) & (np.abs(left - right) > share * larger))
    value = left[first]
    return Signs(first, last, value, right[first] * np.where(value > right[first], 1 / (1 - share), 1 - share))


def ratio_shifts(left: FloatArray, right: FloatArray, *, share: float, history: int = DRIFT_HISTORY) -> Signs:
    """Windows in which the ratio of two quantities that go together leaves its own history.

    The ratio is further than ``share``, and six times its usual spread, from its median over the ``history`` windows
    before. ``value`` is the ratio, ``bound`` where it should have stayed within.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where((left > 0) & (right > 0), np.log(left / right), np.nan)
    if ratio.size <= history:
        return _none()
    past = sliding_window_view(ratio, history)[:-1]
    known = np.sum(~np.isnan(past), axis=1)
    level = _median(past)
    spread = SIGMA_OF_MAD * _median(np.abs(past - level[:, np.newaxis]))
    allowed = np.maximum(np.log1p(share), 6 * spread)
    now = ratio[history:]
    with np.errstate(invalid="ignore"):
        first, last = _runs((known >= history / 2) & (np.abs(now - level) > allowed))
    bound = np.exp(level[first] + np.sign(now[first] - level[first]) * allowed[first])
    return Signs(first + history, last + history, np.exp(now[first]), bound)


def _gap(time: IntArray, first: IntArray, last: IntArray) -> BoolArray:
    """Stretches, cut to the series, that take more than twice as long as usual."""
    first, last = np.maximum(first, 0), np.minimum(last, time.size - 1)
    return np.asarray(time[last] - time[first] > 2 * np.median(np.diff(time)) * (last - first))


def _median(rows: FloatArray) -> FloatArray:
    """(N,) the median of what is known in each row, NaN where nothing is."""
    empty: BoolArray = np.asarray(np.isnan(rows).all(axis=1))
    filled = np.where(empty[:, np.newaxis], 0.0, rows)
    return np.where(empty, np.nan, np.nanmedian(filled, axis=1))


def _runs(flags: BoolArray) -> tuple[IntArray, IntArray]:
    """First and last index of each run of True."""
    step = np.diff(np.asarray(flags).astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(step == 1), np.flatnonzero(step == -1) - 1


def _none() -> Signs:
    return Signs(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))
