"""What came or changed since when, per series and storage day: so that exactly that is judged anew.

A token stands for each commit. The table keeps what nobody has reported as done, so that a restart
misses nothing; memory keeps all since the process began, so that any token it gave out stays good.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict

from plant_monitor.readings import Readings
from plant_monitor.store.rows import spans

Span = tuple[int, int, int]  # first ms, last ms (both inclusive), token
Day = tuple[int, int]  # series id, storage day


class TouchLog:
    """Kept by the writer. ``note`` belongs into the transaction, ``publish`` comes right after its commit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: OrderedDict[Day, Span] = OrderedDict()  # in the order of their tokens
        self._pending: list[tuple[Day, Span]] = []
        self._next_token = 1

    def load(self, connection: sqlite3.Connection) -> None:
        """Take up what the file knows, at each opening."""
        found = connection.execute(
            "SELECT series, day, first_ms, last_ms, token FROM touched ORDER BY token"
        ).fetchall()
        with self._lock:
            for series, day, first, last, token in found:
                if token > self._spans.get((series, day), (0, 0, 0))[2]:
                    self._spans[series, day] = first, last, token
            self._spans = OrderedDict(sorted(self._spans.items(), key=lambda item: item[1][2]))
            self._next_token = max([self._next_token, *(span[2] + 1 for span in self._spans.values())])

    def note(self, connection: sqlite3.Connection, changed: Readings) -> None:
        """Write down the spans of readings that came or changed."""
        token, self._next_token = self._next_token, self._next_token + 1
        rows = list(zip(*(column.tolist() for column in spans(changed)), strict=True))
        connection.executemany(
            f"INSERT INTO touched VALUES (?,?,?,?,{token}) ON CONFLICT DO UPDATE SET token={token},"
            " first_ms=min(first_ms, excluded.first_ms), last_ms=max(last_ms, excluded.last_ms)",
            rows,
        )
        self._pending = [((series, day), (first, last, token)) for series, day, first, last in rows]

    def publish(self) -> None:
        """What was noted is committed."""
        with self._lock:
            for day, (first, last, token) in self._pending:
                if day in self._spans:
                    earlier = self._spans.pop(day)
                    first, last = min(first, earlier[0]), max(last, earlier[1])
                self._spans[day] = first, last, token
            self._pending = []

    def since(self, token: int) -> tuple[int, list[tuple[int, int, int]]]:
        """The last token, and (series id, first, last) of what was touched after ``token``, by series and day."""
        found = []
        newest = token
        with self._lock:
            for (series, day), (first, last, at) in reversed(self._spans.items()):
                if at <= token:
                    break
                newest = max(newest, at)
                found.append((series, day, first, last))
        return newest, [(series, first, last) for series, _, first, last in sorted(found)]
