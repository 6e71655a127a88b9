"""Calendar months of the plant's zone, and which of their days were effective.

A day is *effective* (有效日均值) when at least 75 % of its due time is valid (HJ 356; regulatory rules
4.2). What is told of a month is made of its effective days alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from plant_monitor.compliance.means import ENOUGH, WindowStatistics
from plant_monitor.readings import BoolArray, FloatArray, IntArray
from plant_monitor.windows import day_start_ms


@dataclass(frozen=True, slots=True)
class Months:
    """The calendar months that D consecutive days touch, M of them.

    ``first_days`` (M,) dates · ``edges`` (M+1,) ms, those of whole months · ``day_month`` (D,) index of
    each day's month · ``days`` (M,) days of the calendar month · ``seen`` (M,) how many of them are among
    the D
    """

    first_days: tuple[date, ...]
    edges: IntArray
    day_month: IntArray
    days: IntArray
    seen: IntArray

    @property
    def names(self) -> tuple[str, ...]:
        """As ``2026-10``."""
        return tuple(f"{day:%Y-%m}" for day in self.first_days)

    @property
    def whole(self) -> BoolArray:
        """(M,) every day of the month is among the days."""
        return self.seen == self.days

    def count(self, daily: BoolArray | IntArray) -> IntArray:
        """(M,) of (D,) flags, how many are set; of (D,) counts, their sums."""
        return np.bincount(self.day_month, daily, len(self.first_days)).astype(np.int64)

    def total(self, amount: FloatArray, where: BoolArray) -> FloatArray:
        """(M,) sums of (D,) amounts over the days of ``where``; 0 without any."""
        return np.bincount(self.day_month, np.where(where, amount, 0.0), len(self.first_days)).astype(np.float64)

    def enough(self, days: IntArray) -> BoolArray:
        """(M,) that many days are at least 75 % of those of the calendar month."""
        return np.asarray(days >= ENOUGH * self.days)


def calendar_months(days: Sequence[date], zone: ZoneInfo) -> Months:
    """The months of consecutive days; none without days."""
    number = np.array([12 * day.year + day.month - 1 for day in days], dtype=np.int64)
    first = np.arange(number[0], number[-1] + 2) if number.size else np.zeros(1, dtype=np.int64)
    starts = [date(n // 12, n % 12 + 1, 1) for n in first.tolist()] if number.size else []
    edges = np.array([day_start_ms(day, zone) for day in starts], dtype=np.int64)
    lengths = np.array([(b - a).days for a, b in pairwise(starts)], dtype=np.int64)
    day_month = number - first[0]
    seen = np.bincount(day_month, minlength=lengths.size).astype(np.int64)
    return Months(tuple(starts[:-1]), edges, day_month, lengths, seen)


def effective_days(daily: WindowStatistics) -> BoolArray:
    """(D,) days with an effective daily mean (of pH, which has no mean: with enough data)."""
    return daily.enough


def effective_load_kg(daily: WindowStatistics, volume_m3: FloatArray, to_kg_m3: float) -> FloatArray:
    """(D,) daily mean × the day's volume, in kg; NaN where the day is not effective or has no volume.

    At a valid share of 1 this is ``load_kg``. Below it, ``load_kg`` knows of the valid time alone, and two
    points compared by it would differ by their gaps (HJ 212 App. D: load = mean × volume).
    """
    return np.where(daily.enough, daily.mean * volume_m3 * to_kg_m3, np.nan)
