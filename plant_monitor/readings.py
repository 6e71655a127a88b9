"""Readings as columns, and the marks they carry.

From the decoder on, readings travel as numpy arrays; no object exists for a single reading.
This module knows nothing of devices, files or databases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
SeriesArray = NDArray[np.int32]
FloatArray = NDArray[np.float64]
MarkArray = NDArray[np.uint8]
BoolArray = NDArray[np.bool_]

# A mark (数据标记, HJ 212-2017 table 8) is stored as the ASCII code of its letter. A letter
# outside the table is kept as it came; what is no single ASCII character becomes UNKNOWN_MARK.
MARKS: dict[str, str] = {
    "N": "normal",
    "F": "instrument stopped",
    "M": "maintenance",
    "S": "set by hand",
    "D": "fault",
    "C": "calibration",
    "T": "over range",
    "B": "communication lost",
}
NORMAL = ord("N")
OVER_RANGE = ord("T")
COMMUNICATION_LOST = ord("B")
SET_BY_HAND = ord("S")
UNKNOWN_MARK = ord("?")
_IN_CACHE = 65_536  # rows looked at in one go

# Marks that an annotation gives (``annotations``) have the high bit, so none can come from a device or a file.
# A finite value with such a mark is valid: a person vouches for it, with evidence.
BY_ANNOTATION = 0x80
BACKED = SET_BY_HAND | BY_ANNOTATION  # a reading that came, whose value a person set or confirmed
MADE = COMMUNICATION_LOST | BY_ANNOTATION  # no reading came at this instant; without a value it ends a hold
OPENING = ord("O") | BY_ANNOTATION  # the first register of a new meter


def mark_code(text: str) -> int:
    """The stored code of a mark's text; empty means ``N``. Case-sensitive."""
    if not text:
        return NORMAL
    return ord(text) if len(text) == 1 and 33 <= ord(text) < 127 else UNKNOWN_MARK


def mark_text(code: int) -> str:
    """The letter of a mark."""
    return chr(code & ~BY_ANNOTATION)


@dataclass(frozen=True, slots=True)
class Readings:
    """Columns of readings, all of length n, in order of acceptance unless said otherwise.

    ``time`` ms since 1970 UTC · ``series`` index into ``Plant.series`` · ``value`` in the unit of
    plant.yaml, NaN = no value · ``mark`` ASCII code.
    """

    time: IntArray
    series: SeriesArray
    value: FloatArray
    mark: MarkArray

    def __len__(self) -> int:
        return int(self.time.size)

    @staticmethod
    def of(time: Any, series: Any, value: Any, mark: Any = NORMAL) -> Readings:
        """Columns from anything array-like; a scalar ``series`` or ``mark`` is repeated."""
        times = np.atleast_1d(np.asarray(time, dtype=np.int64))
        n = times.size
        return Readings(
            times,
            np.broadcast_to(np.asarray(series, dtype=np.int32), n).copy(),
            np.broadcast_to(np.asarray(value, dtype=np.float64), n).copy(),
            np.broadcast_to(np.asarray(mark, dtype=np.uint8), n).copy(),
        )

    @staticmethod
    @cache
    def empty() -> Readings:
        """No readings."""
        return Readings.of([], [], [], [])

    @staticmethod
    def concat(parts: Sequence[Readings]) -> Readings:
        """The parts one after the other."""
        if not parts:
            return Readings.empty()
        return Readings(
            np.concatenate([p.time for p in parts]),
            np.concatenate([p.series for p in parts]),
            np.concatenate([p.value for p in parts]),
            np.concatenate([p.mark for p in parts]),
        )

    def take(self, index: NDArray[Any] | slice) -> Readings:
        """The rows chosen by an index or mask array, or a slice (then as views)."""
        return Readings(self.time[index], self.series[index], self.value[index], self.mark[index])

    @property
    def valid(self) -> BoolArray:
        """Readings that may enter a mean: a finite value, and mark ``N`` or an annotation behind it (design §5)."""
        return ((self.mark == NORMAL) | (self.mark >= BY_ANNOTATION)) & np.isfinite(self.value)

    def by_time(self) -> Readings:
        """Sorted by (series, time), one per instant: of several, the later accepted one wins."""
        if self._ascend():
            return self  # as a store gives them
        order = np.lexsort((self.time, self.series))  # stable: acceptance order within ties
        series, time = self.series[order], self.time[order]
        last = np.ones(order.size, dtype=bool)
        last[:-1] = (series[1:] != series[:-1]) | (time[1:] != time[:-1])
        return self.take(order[last])

    def _ascend(self) -> bool:
        """Strictly ascending by (series, time) already."""
        for a in range(0, len(self) - 1, _IN_CACHE):
            rows = slice(a, a + _IN_CACHE + 1)
            series, time = self.series[rows], self.time[rows]
            later = (series[1:] == series[:-1]) & (time[1:] > time[:-1])
            if not (later | (series[1:] > series[:-1])).all():
                return False
        return True

    def of_series(self, series: int) -> Readings:
        """The rows of one series, in the order they stand."""
        return self.take(self.series == series)


@dataclass(frozen=True, slots=True)
class Refused:
    """What intake could not take as a reading: kept apart with its reason (design §6)."""

    source: str  # device id, MQTT topic, or file
    reason: str
    raw: bytes
    time_ms: int  # when it arrived


@dataclass(frozen=True, slots=True)
class Receipt:
    """The time that a message without its own was given, kept until its acknowledgement is out."""

    station: str
    mid: int  # the packet id; another message has it once this one is acknowledged
    stamp_ms: int
    digest: bytes | None  # of topic and payload; None: this receipt is over


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should know about a result; it never changes the result."""

    time_ms: int | None
    point: str
    parameter: str
    code: str
    message: str
    severity: str = field(default="info")  # info | warning | blocking


@dataclass(frozen=True, slots=True)
class Touched:
    """A stretch of a series in which readings came or changed; both times inclusive."""

    series: int  # index into Plant.series
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a pass of the retention, or all passes together, dropped of a store."""

    readings: int = 0
    superseded: int = 0  # readings that those had replaced
    waits_for: str = ""  # why a pass dropped nothing: what is older than the cut and has to be done first


class ReadingSource(Protocol):
    """Where evaluations and bills read from: the journal, InfluxDB, or a file in memory.

    ``series`` is an index into ``Plant.series``. Every answer is sorted by time, one reading per
    instant, the later accepted one standing.
    """

    def read(self, series: int, start_ms: int, end_ms: int) -> Readings:
        """Readings with ``start_ms <= time < end_ms``."""
        ...

    def before(self, series: int, time_ms: int, *, valid: bool = False) -> Readings:
        """The last reading (or last valid one) with time < ``time_ms``: none or one row."""
        ...

    def after(self, series: int, time_ms: int, *, valid: bool = False) -> Readings:
        """The first reading (or first valid one) with time >= ``time_ms``: none or one row."""
        ...

    def extent(self) -> tuple[int, int] | None:
        """Times of the first and the last reading of all series; None where there is none."""
        ...

    def kept_from_ms(self) -> int | None:
        """The instant before which readings were dropped (``store.retention``); None: all that came are there."""
        ...
