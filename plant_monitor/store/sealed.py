"""Sealed days in the file: folding hot rows into chunks, and finding what stands in them.

A chunk holds one series' readings of one storage day as far as they were sealed. Later rows at its
instants stay hot and stand before it; the next sealing folds them in.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterator

import numpy as np

from plant_monitor.errors import StoreError
from plant_monitor.readings import BoolArray, IntArray, Readings
from plant_monitor.store import chunks
from plant_monitor.store.repeats import Known
from plant_monitor.store.rows import DAY_MS, known_from, spans

SLICE_ROWS = 50_000  # hot rows sealed in one transaction: appends wait for it about 0.1 s
CACHED_ROWS = 500_000  # rows of decoded chunks kept for late rows (25 bytes each)


Day = tuple[int, int]  # series id, storage day


class SealedDays:
    """The writer's view: which instants lie within a chunk, and what stands there."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        found = connection.execute("SELECT series, day, first_ms, last_ms FROM chunks")
        self._spans = {(series, day): (first, last) for series, day, first, last in found}
        self._until = max((last for _, last in self._spans.values()), default=-(1 << 63))
        self._decoded: OrderedDict[Day, Known] = OrderedDict()
        self._decoded_rows = 0

    def meeting(self, batch: Readings) -> list[Day]:
        """The chunks that may hold an instant of the batch: live, nearly always none."""
        if not len(batch) or int(batch.time.min()) > self._until:
            return []
        found = []
        for number, day, first, last in zip(*(c.tolist() for c in spans(batch)), strict=True):
            start, end = self._spans.get((number, day), (1, 0))
            if first <= end and last >= start:
                found.append((number, day))
        return found

    def known(self, connection: sqlite3.Connection, batch: Readings, days: list[Day]) -> list[Known]:
        """What those chunks hold at the instants of a batch."""
        found = []
        wanted = set(days)
        for day, rows in _by_day(batch):
            if day in wanted:
                chunk = self._chunk(connection, *day)
                if not len(chunk.readings):
                    continue
                at = np.searchsorted(chunk.readings.time, batch.time[rows])
                at = np.minimum(at, len(chunk.readings) - 1)
                here = at[chunk.readings.time[at] == batch.time[rows]]  # an instant may come twice
                found.append(Known(chunk.readings.take(here), chunk.accepted_ms[here]))
        return found

    def seal(self, connection: sqlite3.Connection, start_ms: int, end_ms: int) -> int:
        """Fold the hot rows of ``[start, end)`` into chunks; how many there were."""
        select = "SELECT * FROM hot WHERE time>=? AND time<?"
        hot = known_from(connection.execute(select, (start_ms, end_ms)).fetchall())
        for day, rows in _by_day(hot.readings):
            self._fold(connection, day, Known(hot.readings.take(rows), hot.accepted_ms[rows]))
        connection.execute("DELETE FROM hot WHERE time>=? AND time<?", (start_ms, end_ms))
        return len(hot.readings)

    def dropped(self, days: list[Day]) -> None:
        """These chunks are no more; to be called after the commit."""
        for day in days:
            self._spans.pop(day, None)
            self._forget(day)

    def _fold(self, connection: sqlite3.Connection, day: Day, late: Known) -> None:
        if day in self._spans:
            late = overlaid([self._chunk(connection, *day), late])
            self._forget(day)
        time = late.readings.time
        first, last = int(time[0]), int(time[-1])
        connection.execute(
            "INSERT OR REPLACE INTO chunks (series, day, rows, first_ms, last_ms, columns, accepted)"
            " VALUES (?,?,?,?,?,?,?)",
            (
                *(*day, int(time.size), first, last),
                chunks.encode(time, late.readings.value, late.readings.mark),
                chunks.encode_accepted(late.accepted_ms, time),
            ),
        )
        self._spans[day] = (first, last)
        self._until = max(self._until, last)

    def _chunk(self, connection: sqlite3.Connection, number: int, day: int) -> Known:
        """The readings of a chunk; of none where its sealing was rolled back."""
        known = self._decoded.pop((number, day), None)
        if known is None:
            select = "SELECT columns, accepted FROM chunks WHERE series=? AND day=?"
            row = connection.execute(select, (number, day)).fetchone()
            if row is None:
                return known_from([])
            time, value, mark = chunks.decode(row[0])
            series = np.full(time.size, number, dtype=np.int32)
            known = Known(Readings(time, series, value, mark), chunks.decode_accepted(row[1], time))
            self._decoded_rows += time.size
        self._decoded[(number, day)] = known
        while self._decoded_rows > CACHED_ROWS and len(self._decoded) > 1:
            self._decoded_rows -= len(self._decoded.popitem(last=False)[1].readings)
        return known

    def _forget(self, day: Day) -> None:
        gone = self._decoded.pop(day, None)
        self._decoded_rows -= 0 if gone is None else len(gone.readings)


def next_slice(connection: sqlite3.Connection, before_ms: int) -> tuple[int, int] | None:
    """The oldest stretch of hot rows before an instant that is worth one transaction: up to
    ``SLICE_ROWS`` rows, whole storage days where it holds any; None where there are no rows."""
    first = connection.execute("SELECT min(time) FROM hot WHERE time<?", (before_ms,)).fetchone()[0]
    if first is None:
        return None
    select = "SELECT time FROM hot WHERE time>=? AND time<? ORDER BY time LIMIT 1 OFFSET ?"
    row = connection.execute(select, (first, before_ms, SLICE_ROWS)).fetchone()
    if row is None:
        return first, before_ms
    day = row[0] // DAY_MS * DAY_MS
    return first, day if day > first else max(row[0], first + 1)


def overlaid(parts: list[Known]) -> Known:
    """Sorted by (series, time), one per instant: of several, that of the later part."""
    rows = Readings.concat([p.readings for p in parts])
    accepted: IntArray = np.concatenate([p.accepted_ms for p in parts])
    order = np.lexsort((rows.time, rows.series))
    series, time = rows.series[order], rows.time[order]
    last: BoolArray = np.ones(order.size, dtype=bool)
    last[:-1] = (series[1:] != series[:-1]) | (time[1:] != time[:-1])
    return Known(rows.take(order[last]), accepted[order[last]])


def _by_day(readings: Readings) -> Iterator[tuple[Day, IntArray]]:
    """The rows of each series and storage day, in order of time."""
    order = np.lexsort((readings.time, readings.series))
    series, day = readings.series[order], readings.time[order] // DAY_MS
    cuts = np.flatnonzero((np.diff(series) != 0) | (np.diff(day) != 0)) + 1
    for rows in np.split(order, cuts) if order.size else ():
        yield (int(readings.series[rows[0]]), int(readings.time[rows[0]] // DAY_MS)), rows


def damaged(connection: sqlite3.Connection) -> list[str]:
    """The chunks that cannot be read, each with its series and day."""
    problems = []
    names = {number: f"{point}/{parameter}" for number, point, parameter in connection.execute("SELECT * FROM series")}
    for series, day, columns, accepted in connection.execute("SELECT series, day, columns, accepted FROM chunks"):
        try:
            time, _, _ = chunks.decode(columns)
            chunks.decode_accepted(accepted, time)
        except StoreError as error:
            problems.append(f"{names.get(series, series)}, storage day {day}: {error}")
    return problems
