"""When a Modbus series is due: at the multiples of its interval from local midnight (design §4.1).

Pure. A :class:`Cycle` knows which due instant is being served, what is still open of it, and which
instants went by without an answer; it is told the time and never asks for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np

from plant_monitor.readings import IntArray
from plant_monitor.windows import day_start_ms, local_day

DAY_MS = 86_400_000
# After a suspension of the host, or a jump of its clock, missed instants older than this get no ``B``
# of their own: their time is missing all the same, and years of rows would help nobody.
MISSED_LIMIT_MS = 7 * DAY_MS
BACK_OFF_LIMIT_MS = 30_000
STAGGER_MS = 1_000  # the devices' tries begin within this time of a due instant, or a tenth of the interval


def effective_interval(interval_ms: int | None, poll_ms: int) -> int:
    """The distance of due instants: the smallest multiple of the interval that is not below ``poll``.

    A totaliser that states no interval is read once per ``poll``.
    """
    if interval_ms is None:
        return poll_ms
    return -(-poll_ms // interval_ms) * interval_ms


def dues(after_ms: int, until_ms: int, interval_ms: int, zone: ZoneInfo) -> IntArray:
    """Due instants with ``after < t <= until``, ascending. Each local day starts its multiples anew."""
    parts = []
    day = local_day(after_ms, zone)
    start = day_start_ms(day, zone)
    while start <= until_ms:
        day += timedelta(days=1)
        end = day_start_ms(day, zone)
        instants = np.arange(start, end, interval_ms, dtype=np.int64)
        parts.append(instants[(instants > after_ms) & (instants <= until_ms)])
        start = end
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def next_due(after_ms: int, interval_ms: int, zone: ZoneInfo) -> int:
    """The first due instant after an instant."""
    day = local_day(after_ms, zone)
    start, end = day_start_ms(day, zone), day_start_ms(day + timedelta(days=1), zone)
    return min(start + ((after_ms - start) // interval_ms + 1) * interval_ms, end)


def stagger(position: int, devices: int, interval_ms: int) -> int:
    """How long after a due instant the tries of one of several devices begin, in ms.

    Devices that share their due instants would else all be asked in the same millisecond. The due instant
    stays the reading's time; so the spread is small beside the interval.
    """
    return min(STAGGER_MS, interval_ms // 10) * position // max(devices, 1)


def back_off(fails: int, poll_ms: int) -> int:
    """Pause in ms, from the start of a failed try to the next, after ``fails`` >= 1 failures in a row."""
    longest = max(poll_ms, BACK_OFF_LIMIT_MS)
    return longest if fails > 10 else min(poll_ms * 2 ** (fails - 1), longest)


@dataclass(slots=True)
class Cycle:
    """The readings of a device that share an interval."""

    interval_ms: int
    zone: ZoneInfo
    poll_ms: int
    readings: tuple[int, ...]  # indices into the device's readings
    next_ms: int  # the next due instant
    offset_ms: int = 0  # how long after a due instant its first try begins
    due_ms: int = 0  # the instant being served
    open: set[int] = field(default_factory=set)  # what of it has no answer yet
    retry_ms: int = 0  # no try before
    fails: int = 0  # tries in a row that left something open

    @staticmethod
    def start(
        interval_ms: int, zone: ZoneInfo, poll_ms: int, readings: tuple[int, ...], now_ms: int, offset_ms: int = 0
    ) -> Cycle:
        """A cycle that begins with the first due instant after now.

        Not with the one just past: a restart would then read one instant twice.
        """
        return Cycle(interval_ms, zone, poll_ms, readings, next_due(now_ms, interval_ms, zone), offset_ms)

    @property
    def wake_ms(self) -> int:
        """When there is something to do next: the next due instant's turn, or a further try before it."""
        if self.open and self.retry_ms < self.next_ms:
            return self.retry_ms
        return self.next_ms + self.offset_ms

    def advance(self, now_ms: int) -> list[tuple[IntArray, tuple[int, ...]]]:
        """Move to the latest due instant whose turn it is.

        Returns what was missed, each once: (instants, indices of the readings that got no answer).
        """
        if now_ms < self.due_ms - self.interval_ms:  # the clock was set back: do not wait for it to catch up
            self.open.clear()
            self.next_ms = next_due(now_ms, self.interval_ms, self.zone)
            self.due_ms = 0
        turn_ms = now_ms - self.offset_ms
        if turn_ms < self.next_ms:
            return []
        missed: list[tuple[IntArray, tuple[int, ...]]] = []
        if self.open:
            missed.append((np.array([self.due_ms], dtype=np.int64), tuple(sorted(self.open))))
        floor = turn_ms - MISSED_LIMIT_MS
        past = dues(max(self.next_ms - 1, floor), turn_ms, self.interval_ms, self.zone)
        if past.size > 1:
            missed.append((past[:-1], self.readings))
        self.due_ms = int(past[-1]) if past.size else self.next_ms
        self.next_ms = next_due(self.due_ms, self.interval_ms, self.zone)
        self.open = set(self.readings)
        self.retry_ms = self.due_ms
        return missed

    def wanted(self, now_ms: int) -> tuple[int, ...]:
        """What may be asked for now: a try serves an instant only before the next one is due."""
        return tuple(self.open) if self.open and self.retry_ms <= now_ms < self.next_ms else ()

    def settle(self, served: Collection[int], started_ms: int) -> None:
        """A try that began at ``started_ms`` is over; ``served`` is what it made durable."""
        self.open.difference_update(served)
        if self.open:
            self.fails += 1
            self.retry_ms = started_ms + back_off(self.fails, self.poll_ms)
        else:
            self.fails = 0
