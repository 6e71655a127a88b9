"""What stands in the file for one series: hot rows laid over sealed chunks, on one snapshot.

Series are file ids here; answers are columns without one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from plant_monitor.readings import NORMAL, FloatArray, IntArray, MarkArray
from plant_monitor.store import chunks
from plant_monitor.store.rows import DAY_MS

# A valid reading (mark N, finite value) in SQL.
_VALID = f"AND mark={NORMAL} AND value IS NOT NULL AND abs(value) <= 1.7976931348623157e308"


@dataclass(frozen=True, slots=True)
class Column:
    """Readings of one series, sorted by time."""

    time: IntArray
    value: FloatArray
    mark: MarkArray

    def part(self, first: int, last: int) -> Column:
        """Rows ``first:last``."""
        return Column(self.time[first:last], self.value[first:last], self.mark[first:last])

    def valid(self) -> Column:
        """Those that may enter a mean."""
        good = (self.mark == NORMAL) & np.isfinite(self.value)
        return Column(self.time[good], self.value[good], self.mark[good])


def between(connection: sqlite3.Connection, series: int, start_ms: int, end_ms: int) -> Column:
    """Readings with ``start_ms <= time < end_ms``, one per instant."""
    hot = connection.execute(
        "SELECT time, value, mark FROM hot WHERE series=? AND time>=? AND time<? ORDER BY time",
        (series, start_ms, end_ms),
    ).fetchall()
    sealed = list(_sealed(connection, series, start_ms, end_ms))
    if not sealed:
        return _column(hot)
    joined = _joined(sealed)
    first, last = np.searchsorted(joined.time, [start_ms, end_ms]).tolist()
    joined = joined.part(first, last)
    return _overlaid(joined, _column(hot)) if hot else joined


def last_before(connection: sqlite3.Connection, series: int, time_ms: int, *, valid: bool) -> Column:
    """The last reading, or the last valid one, before an instant: none or one row."""
    hot = _nearest_hot(connection, series, f"time<? {_VALID if valid else ''} ORDER BY time DESC", time_ms)
    spans = connection.execute(
        "SELECT first_ms, last_ms FROM chunks WHERE series=? AND day<=? ORDER BY day DESC", (series, time_ms // DAY_MS)
    )
    for first, last in spans:
        if hot.time.size and last <= hot.time[0]:
            break
        found = between(connection, series, first, min(last + 1, time_ms))
        found = found.valid() if valid else found
        if found.time.size:
            return _later(found.part(found.time.size - 1, found.time.size), hot, max)
    return hot


def first_after(connection: sqlite3.Connection, series: int, time_ms: int, *, valid: bool) -> Column:
    """The first reading, or the first valid one, at an instant or after it: none or one row."""
    hot = _nearest_hot(connection, series, f"time>=? {_VALID if valid else ''} ORDER BY time", time_ms)
    spans = connection.execute(
        "SELECT first_ms, last_ms FROM chunks WHERE series=? AND day>=? ORDER BY day", (series, time_ms // DAY_MS)
    )
    for first, last in spans:
        if hot.time.size and first >= hot.time[0]:
            break
        found = between(connection, series, max(first, time_ms), last + 1)
        found = found.valid() if valid else found
        if found.time.size:
            return _later(found.part(0, 1), hot, min)
    return hot


def extent(connection: sqlite3.Connection, series: list[int]) -> tuple[int, int] | None:
    """Times of the first and the last reading of these series; None where there is none."""
    among = f"series IN ({','.join(map(str, series))})"
    found = [connection.execute(f"SELECT min(first_ms), max(last_ms) FROM chunks WHERE {among}").fetchone()]
    for order in ("", "DESC"):
        row = connection.execute(f"SELECT time, time FROM hot WHERE {among} ORDER BY time {order} LIMIT 1").fetchone()
        found.append(row or (None, None))
    first = [row[0] for row in found if row[0] is not None]
    last = [row[1] for row in found if row[1] is not None]
    return (min(first), max(last)) if first else None


def _sealed(connection: sqlite3.Connection, series: int, start_ms: int, end_ms: int) -> Iterator[Column]:
    days = (series, start_ms // DAY_MS, (end_ms - 1) // DAY_MS)
    for (blob,) in connection.execute(
        "SELECT columns FROM chunks WHERE series=? AND day BETWEEN ? AND ? ORDER BY day", days
    ):
        yield Column(*chunks.decode(blob))


def _nearest_hot(connection: sqlite3.Connection, series: int, condition: str, time_ms: int) -> Column:
    select = f"SELECT time, value, mark FROM hot WHERE series=? AND {condition} LIMIT 1"
    return _column(connection.execute(select, (series, time_ms)).fetchall())


def _later(one: Column, other: Column, choose: Callable[[int, int], int]) -> Column:
    if not other.time.size:
        return one
    return one if choose(int(one.time[0]), int(other.time[0])) == one.time[0] else other


def _column(rows: list[tuple[int, float | None, int]]) -> Column:
    time, value, mark = zip(*rows, strict=True) if rows else ((), (), ())
    return Column(np.array(time, np.int64), np.array(value, np.float64), np.array(mark, np.uint8))


def _joined(parts: list[Column]) -> Column:
    return Column(
        np.concatenate([p.time for p in parts]),
        np.concatenate([p.value for p in parts]),
        np.concatenate([p.mark for p in parts]),
    )


def _overlaid(sealed: Column, hot: Column) -> Column:
    both = _joined([sealed, hot])
    if not sealed.time.size or hot.time[0] > sealed.time[-1]:
        return both
    order = np.argsort(both.time, kind="stable")  # at one instant the hot row comes last
    time = both.time[order]
    stands = order[np.append(time[1:] != time[:-1], True)]
    return Column(both.time[stands], both.value[stands], both.mark[stands])
