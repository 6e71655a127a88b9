"""The one door to the journal: submissions of all receivers, grouped into durable commits.

Whoever submits is told afterwards, once per submission: ``on_durable`` when the rows are on disk,
``on_failed`` when they are not. Only then may a message be acknowledged. Callbacks run in the intake
thread and must be short. This module knows nothing of Modbus or MQTT.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from plant_monitor.clock import Clock
from plant_monitor.errors import StoreError, StoreUnavailable
from plant_monitor.readings import Readings, Receipt, Refused

log = structlog.get_logger()

OnDurable = Callable[[], None]
OnFailed = Callable[[Exception], None]


class AppendCounts(Protocol):
    """What the journal did with a batch, in rows."""

    @property
    def new(self) -> int:
        """Readings of instants not known before."""
        ...

    @property
    def identical(self) -> int:
        """Readings that were there already, as they are."""
        ...

    @property
    def superseded(self) -> int:
        """Readings that replaced a differing one of their instant."""
        ...

    @property
    def refused(self) -> int:
        """Rows put into quarantine."""
        ...


class ReadingJournal(Protocol):
    """The part of the journal that intake needs."""

    def append(
        self,
        readings: Readings,
        refused: Sequence[Refused] = (),
        *,
        accepted_ms: int,
        receipts: Sequence[Receipt] = (),
    ) -> AppendCounts:
        """Make all of it durable in one commit, or raise and keep nothing."""
        ...


@dataclass(slots=True)  # frozen ones take three times as long to make
class Submission:
    """Rows that become durable together, and whom to tell: one of the two is called, once."""

    readings: Readings
    refused: Sequence[Refused] = ()
    receipts: Sequence[Receipt] = ()
    on_durable: OnDurable | None = None
    on_failed: OnFailed | None = None

    @property
    def rows(self) -> int:
        """Readings and refused ones."""
        return len(self.readings) + len(self.refused)


@dataclass(slots=True)
class IntakeCounters:
    """Since start. ``readings`` and ``refused`` count what was made durable, repeats included."""

    readings: int = 0
    new: int = 0
    identical: int = 0
    superseded: int = 0
    refused: int = 0
    commits: int = 0
    failed_commits: int = 0


class Intake:
    """A thread that commits what others submit.

    Parameters
    ----------
    group_rows     rows after which a commit is made without waiting for more
    linger_s       how long a first submission waits for company; 0 = not at all: while one commit runs
                   the next group gathers by itself
    capacity_rows  rows that may wait; beyond, :meth:`submit` blocks
    stored         told of the readings of each commit
    """

    def __init__(
        self,
        journal: ReadingJournal,
        clock: Clock,
        *,
        group_rows: int = 500,
        linger_s: float = 0.0,
        capacity_rows: int = 50_000,
        stored: Callable[[Readings], None] | None = None,
    ) -> None:
        self._journal, self._clock, self._stored = journal, clock, stored
        self._group_rows, self._linger_s, self._capacity = group_rows, linger_s, capacity_rows
        self._queue: deque[Submission] = deque()
        self._queued_rows = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.counters = IntakeCounters()
        self._error: str | None = None  # why nothing is stored at present
        self._error_since_ms: int | None = None
        self._last_commit_ms: int | None = None

    # --- for receivers -------------------------------------------------------------------------

    def submit(
        self,
        readings: Readings,
        refused: Sequence[Refused] = (),
        *,
        receipts: Sequence[Receipt] = (),
        on_durable: OnDurable | None = None,
        on_failed: OnFailed | None = None,
    ) -> None:
        """Hand over rows; blocks while the queue is full. One of the two callbacks follows, once.

        After :meth:`stop` nothing is taken: ``on_failed`` is called at once.
        """
        self.submit_all([Submission(readings, refused, receipts, on_durable, on_failed)])

    def submit_all(self, submissions: Sequence[Submission]) -> None:
        """The same for several at once, which stay apart: one that cannot be stored does not fail the others."""
        with self._changed:
            while self._queued_rows >= self._capacity and not self._stopping:
                self._changed.wait()
            if not self._stopping:
                self._queue.extend(submissions)
                self._queued_rows += sum(one.rows for one in submissions)
                self._changed.notify_all()
                return
        for one in submissions:
            self._call(one.on_failed, StoreUnavailable("the intake is stopped"))

    def commit(self, readings: Readings, refused: Sequence[Refused] = ()) -> None:
        """Hand over rows and wait until they are durable. Not for the intake's own callbacks.

        Raises
        ------
        StoreError  the commit failed; nothing of it is stored
        """
        over = threading.Event()
        failure: list[Exception] = []

        def failed(error: Exception) -> None:
            failure.append(error)
            over.set()

        self.submit(readings, refused, on_durable=over.set, on_failed=failed)
        over.wait()
        if failure:
            error = failure[0]
            if isinstance(error, StoreError):
                raise error
            raise StoreError(f"cannot be stored: {type(error).__name__}: {error}") from error

    # --- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more, commit what waits, end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @property
    def storing(self) -> bool:
        """False from a failed commit to the next that succeeds."""
        return self._error is None

    def health(self) -> dict[str, Any]:
        """State, backlog and counters."""
        c = self.counters
        return {
            "state": "storing" if self.storing else "not storing",
            "error": self._error,
            "since_ms": self._error_since_ms,
            "last_commit_ms": self._last_commit_ms,
            "queued_rows": self._queued_rows,
            "readings": c.readings,
            "new": c.new,
            "identical": c.identical,
            "superseded": c.superseded,
            "refused": c.refused,
            "commits": c.commits,
            "failed_commits": c.failed_commits,
        }

    # --- the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        while group := self._next_group():
            self._store(group)

    def _next_group(self) -> list[Submission]:
        """The next submissions to commit together; none when stopped and drained."""
        with self._changed:
            while not self._queue and not self._stopping:
                self._changed.wait()
            if self._linger_s > 0:
                self._changed.wait_for(lambda: self._stopping or self._queued_rows >= self._group_rows, self._linger_s)
            group: list[Submission] = []
            rows = 0
            while self._queue and (not group or rows + self._queue[0].rows <= self._group_rows):
                group.append(self._queue.popleft())
                rows += group[-1].rows
            self._queued_rows -= rows
            self._changed.notify_all()
            return group

    def _store(self, group: list[Submission]) -> None:
        """Commit a group; where one submission spoils it, each for itself."""
        error = self._append(group)
        if error is not None and not isinstance(error, StoreUnavailable) and len(group) > 1:
            for one in group:
                self._tell([one], self._append([one]))
            return
        self._tell(group, error)

    def _append(self, group: list[Submission]) -> Exception | None:
        """One commit; the exception where it failed. Nothing a submission holds may end the thread."""
        if not any(s.rows or s.receipts for s in group):
            return None  # nothing to store: only its turn was waited for
        try:
            readings = group[0].readings if len(group) == 1 else Readings.concat([s.readings for s in group])
            refused = [r for s in group for r in s.refused]
            receipts = [r for s in group for r in s.receipts]
            counts = self._journal.append(readings, refused, accepted_ms=self._clock.now_ms(), receipts=receipts)
        except Exception as error:  # noqa: BLE001 - the supervisor of all submissions: told to each, never swallowed
            self._failed(error)
            return error
        self._succeeded(len(readings), counts)
        self._call(self._stored, readings)
        return None

    def _succeeded(self, readings: int, counts: AppendCounts) -> None:
        c = self.counters
        c.commits += 1
        c.readings += readings
        c.new += counts.new
        c.identical += counts.identical
        c.superseded += counts.superseded
        c.refused += counts.refused
        self._last_commit_ms = self._clock.now_ms()
        if self._error is not None:
            log.info("storing again", after=self._error)
            self._error = self._error_since_ms = None

    def _failed(self, error: Exception) -> None:
        self.counters.failed_commits += 1
        if not isinstance(error, StoreUnavailable):
            log.error("a submission cannot be stored", error=f"{type(error).__name__}: {error}")
            return
        if self._error is None:
            self._error_since_ms = self._clock.now_ms()
            log.error("not storing: nothing is acknowledged until the store is back", error=str(error))
        self._error = str(error)

    def _tell(self, group: list[Submission], error: Exception | None) -> None:
        for submission in group:
            if error is None:
                self._call(submission.on_durable)
            else:
                self._call(submission.on_failed, error)

    def _call(self, callback: Callable[..., None] | None, *arguments: Exception | Readings) -> None:
        if callback is None:
            return
        try:
            callback(*arguments)
        except Exception:  # a mistake of who is told must not stop the others, nor what comes after
            log.exception("a callback of the intake failed")
