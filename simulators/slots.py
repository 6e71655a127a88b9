"""Slots of ten minutes and the local calendar around them: hour, weekday, season.

Slots are counted from 1970 UTC, so a slot has one number however it is reached. A local day begins on a slot edge in
every zone whose offset is a multiple of ten minutes, which is every zone in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from plant_monitor.windows import day_start_ms

SLOT_MS = 600_000
SLOTS_PER_DAY = 144
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Slots:
    """Consecutive slots of whole local days; every array has one entry per slot."""

    number: IntArray  # since 1970 UTC
    day_number: IntArray  # local date as its ordinal
    within_day: IntArray  # 0 … 143; more on a day of 25 hours
    hour: NDArray[np.float64]  # hours since local midnight
    weekday: IntArray  # 0 = Monday
    day_of_year: IntArray

    @property
    def count(self) -> int:
        """How many."""
        return int(self.number.size)


def slots_of_days(first: date, last: date, zone: ZoneInfo) -> Slots:
    """The slots of the local days ``first`` … ``last``, both inclusive."""
    days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    edges = np.array([day_start_ms(d, zone) for d in [*days, last + timedelta(days=1)]], dtype=np.int64) // SLOT_MS
    lengths = np.diff(edges)
    within = np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(edges[:-1] - edges[0], lengths)
    return Slots(
        number=np.arange(edges[0], edges[-1], dtype=np.int64),
        day_number=np.repeat(np.array([d.toordinal() for d in days], dtype=np.int64), lengths),
        within_day=within,
        hour=within * (SLOT_MS / 3_600_000),
        weekday=np.repeat(np.array([d.weekday() for d in days], dtype=np.int64), lengths),
        day_of_year=np.repeat(np.array([d.timetuple().tm_yday for d in days], dtype=np.int64), lengths),
    )
