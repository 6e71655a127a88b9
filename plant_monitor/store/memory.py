"""Readings in memory as a ReadingSource: for results from a file, without any store."""

from __future__ import annotations

import numpy as np

from plant_monitor.readings import Readings


class MemorySource:
    """Readings in order of acceptance; of several at one instant the later one stands."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings.by_time()
        self._extent = (int(readings.time.min()), int(readings.time.max())) if len(readings) else None

    def read(self, series: int, start_ms: int, end_ms: int) -> Readings:
        """Readings with ``start_ms <= time < end_ms``."""
        mine = self._series(series)
        first, last = np.searchsorted(mine.time, [start_ms, max(start_ms, end_ms)])
        return mine.take(slice(first, last))

    def before(self, series: int, time_ms: int, *, valid: bool = False) -> Readings:
        """The last reading (or last valid one) with time < ``time_ms``: none or one row."""
        mine = self._series(series)
        at = int(np.searchsorted(mine.time, time_ms))
        near = mine.take(slice(max(at - 1, 0), at))
        if not valid or near.valid.all():
            return near
        return mine.take(np.flatnonzero(mine.take(slice(at)).valid)[-1:])

    def after(self, series: int, time_ms: int, *, valid: bool = False) -> Readings:
        """The first reading (or first valid one) with time >= ``time_ms``: none or one row."""
        mine = self._series(series)
        at = int(np.searchsorted(mine.time, time_ms))
        near = mine.take(slice(at, at + 1))
        if not valid or near.valid.all():
            return near
        return mine.take(at + np.flatnonzero(mine.take(slice(at, None)).valid)[:1])

    def extent(self) -> tuple[int, int] | None:
        """Times of the first and the last reading of all series; None where there is none."""
        return self._extent

    def kept_from_ms(self) -> int | None:
        """Nothing is dropped."""
        return None

    def _series(self, series: int) -> Readings:
        first, last = np.searchsorted(self._readings.series, np.array([series, series + 1], dtype=np.int32))
        return self._readings.take(slice(first, last))
