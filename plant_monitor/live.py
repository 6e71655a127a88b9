"""What has just happened, for those who watch: stored readings, windows whose numbers changed, alerts.

A ring of the last events in memory, each with a number that only grows. Nobody has a queue of its own: who watches
keeps the number of the last event it has seen and asks for what came since, so a slow one costs nothing, and one
that falls behind the ring is told that it has missed some. Everything here can be read again from its store.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np

from plant_monitor.alerts.lifecycle import Alert
from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.compliance.tables import Table
from plant_monitor.plant import Plant
from plant_monitor.readings import Readings
from plant_monitor.windows import rfc3339

EVENTS_KEPT = 1_000
OF_A_SERIES = 10  # readings of one commit: a backlog that drains is no news
DAYS_TOLD = 2  # the running day and the one before; what changes of older ones is in their history

Kind = Literal["readings", "hours", "days", "alert"]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``content``: the readings that were stored, rows of hourly or daily results, an alert."""

    number: int
    kind: Kind
    content: Readings | tuple[Row, ...] | Alert


class Feed:
    """The events of one process, told by any thread, watched by any other."""

    def __init__(self, plant: Plant, started_ms: int, *, kept: int = EVENTS_KEPT) -> None:
        self.started_ms = started_ms  # numbers of another process mean nothing here
        self._plant = plant
        self._events: deque[Event] = deque(maxlen=kept)
        self._newest = 0
        self._lock = threading.Lock()
        self._watchers: set[Callable[[], None]] = set()
        self._today: date | None = None  # the newest day that was evaluated
        self._told: dict[tuple[str, ...], tuple[Any, ...]] = {}  # rows of it and the day before, as they were told
        self.closed = False

    # --- telling -------------------------------------------------------------------------------

    def readings(self, readings: Readings) -> None:
        """These are stored. Of each series the newest few are told."""
        if len(readings) > OF_A_SERIES:
            readings = readings.by_time()
            ends = np.flatnonzero(np.diff(readings.series, append=-1)) + 1
            lengths = np.diff(ends, prepend=0)
            behind = np.repeat(ends, lengths) - np.arange(len(readings))  # 1 = the newest of its series
            readings = readings.take(behind <= OF_A_SERIES)
        if len(readings):
            self._tell("readings", readings)

    def alerts(self, alerts: Iterable[Alert]) -> None:
        """These alerts were opened, have grown, ended, or somebody did something with them."""
        for alert in alerts:
            self._tell("alert", alert)

    def evaluated(self, evaluation: Evaluation, now_ms: int, news: bool = True) -> None:
        """These windows were judged: those that have begun and differ from what was told before.

        What is evaluated at a start is no news: it is what the next is compared with.
        """
        windows, zone = evaluation.windows, self._plant.zone
        if not windows.days:
            return
        self._today = today = max(windows.days[-1], self._today or windows.days[-1])
        recent = {(today - timedelta(days=i)).isoformat() for i in range(DAYS_TOLD)}
        told = {key: row for key, row in self._told.items() if key[1][:10] in recent}
        hours = {rfc3339(t, zone) for t in windows.hour_edges[:-1].tolist() if t <= now_ms}
        changed: dict[Kind, tuple[Row, ...]] = {
            "hours": tuple(_changed(evaluation.hourly, "hour", {h for h in hours if h[:10] in recent}, told)),
            "days": tuple(_changed(evaluation.daily, "date", recent, told)),
        }
        self._told = told
        for kind, rows in changed.items():
            if rows and news:
                self._tell(kind, rows)

    def _tell(self, kind: Kind, content: Readings | tuple[Row, ...] | Alert) -> None:
        with self._lock:
            self._newest += 1
            self._events.append(Event(self._newest, kind, content))
            watchers = list(self._watchers)
        for wake in watchers:
            wake()

    # --- watching ------------------------------------------------------------------------------

    @property
    def newest(self) -> int:
        """The number of the last event; 0 before the first."""
        return self._newest

    def since(self, number: int) -> list[Event] | None:
        """The events after ``number``, in order; None where some of them are not kept any more, or it is not ours."""
        with self._lock:
            oldest = self._newest - len(self._events)
            if not oldest <= number <= self._newest:
                return None
            return [e for e in self._events if e.number > number]

    @contextmanager
    def watching(self, wake: Callable[[], None]) -> Iterator[None]:
        """While this lasts ``wake`` is called, from any thread, whenever there is something new, or the end."""
        with self._lock:
            self._watchers.add(wake)
        try:
            yield
        finally:
            with self._lock:
                self._watchers.discard(wake)

    def close(self) -> None:
        """Nothing comes any more: who watches may go."""
        self.closed = True
        with self._lock:
            watchers = list(self._watchers)
        for wake in watchers:
            wake()


def _changed(table: Table, column: str, begun: set[str], told: dict[tuple[str, ...], tuple[Any, ...]]) -> Iterator[Row]:
    """Rows of windows that have begun which are not as they were told, and are told now."""
    for row in table.take(np.isin(table.columns[column], list(begun))).rows():
        key = (column, row[column], row["point"], row["parameter"], row["limit_set"], row["statistic"])
        values = tuple(row.values())
        if told.get(key) != values:
            told[key] = values
            yield row
