"""The inflow of the next seven days, with its uncertainty, from past days alone (design §5, *Headroom*).

On the square root of the flow, which calms storms, stands a day without flow and lets the forecast scale with the
flow:

1. A fast level that falls back to a slow one, times the weekday: the centre.
2. Around it the errors that this very forecast made so far at the same distance, as large as errors were lately.
3. Both tails as much wider or narrower as past intervals were missed too often or too seldom (adaptive conformal
   inference, Gibbs & Candès 2021).

Nothing is fitted beforehand and no day is used before its time. ``benchmarks/forecast.py`` measures it on real flows
against the same weekday last week.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plant_monitor.readings import FloatArray, IntArray

#: Days ahead.
HORIZONS = 7
#: Known days without which nothing is said: intervals made of fewer do not hold what they promise.
DAYS_NEEDED = 28
#: The last days that are looked at.
DAYS_USED = 365

#: Paces (a day) at which the levels follow the days, the fast one falls back, and weekdays are learned.
_FAST, _SLOW, _BACK, _WEEKDAY = 0.6, 0.03, 0.75, 0.05
#: Days after which the levels know enough for their errors to count.
_BURN_IN = 7
#: Errors that must be known before there is an interval to be judged.
_FEWEST = 9
#: By how much a missed interval widens its tail (as a power of e), and how far that goes either way.
_STEP, _WIDEST = 0.05, 1.0
#: Pace at which the recent size of errors is followed, and the power of it that intervals grow with.
_RECENT, _RESTLESS = 0.1, 0.5


@dataclass(frozen=True, slots=True)
class Forecast:
    """For each day ahead the volumes that it may bring, ascending and equally likely.

    ``outcomes`` HORIZONS arrays (n,) m³: the k-th is passed with the chance 1 − k/(n + 1).
    """

    outcomes: tuple[FloatArray, ...]

    def quantile(self, chance: float) -> FloatArray:
        """(HORIZONS,) m³ that the day stays below with this chance."""
        return np.array([_quantile(one, chance) for one in self.outcomes])

    def passing(self, volume_m3: float) -> FloatArray:
        """(HORIZONS,) the chance that the day brings more than ``volume_m3``.

        Beyond what past errors reach it falls off exponentially: it gets small, and is never nothing.
        """
        return np.array([_share_above(one, volume_m3) for one in self.outcomes])


def forecast(daily_m3: FloatArray, first_weekday: int) -> Forecast | None:
    """What the next seven days may bring; None where fewer than ``DAYS_NEEDED`` days are known.

    ``daily_m3`` (T,) of consecutive days up to yesterday, NaN = unknown (never 0), of which the last ``DAYS_USED``
    are looked at · ``first_weekday`` of the first of them, 0 = Monday.

    Cost   O(T), some 30 ms for a year.
    """
    first_weekday += max(daily_m3.size - DAYS_USED, 0)
    daily_m3 = daily_m3[-DAYS_USED:]
    known = daily_m3[np.isfinite(daily_m3)]
    if known.size < DAYS_NEEDED:
        return None
    unit = float(known.mean()) or 1.0
    root = np.sqrt(np.maximum(daily_m3, 0.0) / unit)
    said = _centres(root, (first_weekday + np.arange(root.size + HORIZONS)) % 7)
    return Forecast(tuple(np.maximum(one, 0.0) ** 2 * unit for one in _outcomes(root, said)))


def _centres(root: FloatArray, weekday: IntArray) -> FloatArray:
    """(T, H) what the levels say on the evening of day t of day t + 1 + h."""
    said = np.full((root.size, HORIZONS), np.nan)
    ahead = _BACK ** np.arange(1, HORIZONS + 1)
    factor, seen = np.ones(7), [0] * 7
    fast = slow = 0.0
    days = 0
    for t, value in enumerate(root.tolist()):
        fast = slow + _BACK * (fast - slow)
        if math.isfinite(value):
            days, day = days + 1, int(weekday[t])
            seen[day] += 1
            usual = float(factor[day])
            gain = usual / max(usual * usual, 1.0)  # a weekday that brings little says little of the level
            slow += max(_SLOW, 1 / days) * gain * (value - usual * slow)
            fast += max(_FAST, 1 / days) * gain * (value - usual * fast)
            if slow > 0:
                factor[day] += max(_WEEKDAY, 1 / seen[day]) * (value / slow - usual)
                factor /= factor.mean()
        if days:
            said[t] = (slow + ahead * (fast - slow)) * factor[weekday[t + 1 : t + 1 + HORIZONS]]
    return said


def _outcomes(root: FloatArray, said: FloatArray) -> list[FloatArray]:
    """The last forecast with all errors before it around it, ascending, by days ahead.

    Evening by evening, as it went: what was said of the day is judged, the errors are learned, and the intervals of
    the next days are told.
    """
    past = [_Past() for _ in range(HORIZONS)]
    told: list[list[tuple[float, float] | None]] = []  # by evening
    scale = [1.0] * root.size
    recent, count = 0.0, 0
    came, centres = root.tolist(), said.tolist()  # plain floats: nothing here is long
    for t, value in enumerate(came):
        if math.isfinite(value):
            for h in range(min(HORIZONS, t - _BURN_IN)):
                made = t - 1 - h
                past[h].learn(value, told[made][h], (value - centres[made][h]) / scale[made])
            if t > 0 and math.isfinite(centres[t - 1][0]):
                count += 1
                recent += max(_RECENT, 1 / count) * (abs(value - centres[t - 1][0]) - recent)
        if recent > 0:
            scale[t] = recent**_RESTLESS
        told.append([one.interval(centres[t][h], scale[t]) for h, one in enumerate(past)])
    return [np.array([said[-1, h] + scale[-1] * e for e in one.stretched(one.errors)]) for h, one in enumerate(past)]


class _Past:
    """The errors at one distance, and how much wider than they the tails are taken."""

    def __init__(self) -> None:
        self.errors: list[float] = []  # ascending, in the scale of their time
        self._below = self._above = 0.0  # as powers of e

    def learn(self, value: float, told: tuple[float, float] | None, error: float) -> None:
        """A day came: was it within the interval told of it, and by how much did the centre err?"""
        insort(self.errors, error)
        if told is not None:
            self._below = min(max(self._below + _STEP * ((value < told[0]) - 0.1), -_WIDEST), _WIDEST)
            self._above = min(max(self._above + _STEP * ((value > told[1]) - 0.1), -_WIDEST), _WIDEST)

    def interval(self, centre: float, scale: float) -> tuple[float, float] | None:
        """P10 and P90 around a centre; None where too few errors are known."""
        if len(self.errors) < _FEWEST:
            return None
        low, high = self.stretched([_quantile(self.errors, 0.1), _quantile(self.errors, 0.9)])
        return centre + scale * low, centre + scale * high

    def stretched(self, errors: Sequence[float]) -> list[float]:
        """The errors with both tails stretched from the middle."""
        middle = _quantile(self.errors, 0.5)
        below, above = math.exp(self._below), math.exp(self._above)
        return [middle + (e - middle) * (below if e < middle else above) for e in errors]


def _quantile(ascending: Sequence[float] | FloatArray, chance: float) -> float:
    """Between the k-th and the next of n values, that have the chances k/(n + 1): n more of them prove it right."""
    at = min(max(chance * (len(ascending) + 1) - 1, 0.0), len(ascending) - 1.0)
    below = int(at)
    low, high = ascending[below], ascending[min(below + 1, len(ascending) - 1)]
    return float(low + (at - below) * (high - low))


def _share_above(ascending: FloatArray, bound: float) -> float:
    """The chance of more than the bound, by the same rule as :func:`_quantile`; small beyond the outermost values."""
    n, middle = ascending.size, _quantile(ascending, 0.5)
    if bound < 0:
        return 1.0
    if bound > ascending[-1]:
        far = (bound - middle) / (ascending[-1] - middle) if ascending[-1] > middle else math.inf
        return float((1 / (n + 1)) ** far)
    if bound < ascending[0]:
        return 1.0 - float((1 / (n + 1)) ** ((middle - bound) / (middle - ascending[0])))
    return 1.0 - float(np.interp(bound, ascending, np.arange(1, n + 1) / (n + 1)))
