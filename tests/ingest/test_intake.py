"""The intake: grouped durable commits, and who is told what."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from field_parts import MIDNIGHT, SECOND, journal_of, plant_of, rows, series, soon

from plant_monitor.clock import ManualClock
from plant_monitor.errors import StoreError, StoreUnavailable
from plant_monitor.ingest.intake import AppendCounts, Intake
from plant_monitor.readings import Readings, Refused
from plant_monitor.store.journal import Journal

PLANT = plant_of(series("p", "ph"))


def one(second: int, value: float = 7.0) -> Readings:
    return Readings.of(MIDNIGHT + second * SECOND, 0, value)


@dataclass
class Gate:
    """The real journal behind a gate that can be held, and that can refuse."""

    journal: Journal
    held: threading.Event = field(default_factory=threading.Event)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    full: bool = False
    batches: list[int] = field(default_factory=list)  # readings of each commit tried

    def append(self, readings: Readings, refused: Sequence[Refused] = (), **how: Any) -> AppendCounts:
        self.entered.release()
        assert self.held.wait(30)
        self.batches.append(len(readings))
        if self.full:
            raise StoreUnavailable("disk full")
        return self.journal.append(readings, refused, **how)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    made = Gate(journal_of(PLANT, tmp_path / "journal.db"))
    made.held.set()
    yield made
    made.journal.close()


def started(gate: Gate, **options: int) -> Intake:
    intake = Intake(gate, ManualClock(MIDNIGHT), **options)  # type: ignore[arg-type]
    intake.start()
    return intake


def test_durable_means_it_can_be_read(gate: Gate) -> None:
    intake = started(gate)
    seen: list[int] = []
    intake.submit(one(1), on_durable=lambda: seen.append(len(rows(gate.journal))))
    intake.submit(one(2), on_durable=lambda: seen.append(len(rows(gate.journal))))
    intake.stop()
    assert len(seen) == 2 and seen[0] >= 1 and seen[1] == 2
    assert rows(gate.journal) == [(1000, 7.0, "N"), (2000, 7.0, "N")]


def test_what_comes_during_a_commit_is_committed_together_and_told_in_order(gate: Gate) -> None:
    intake = started(gate)
    told: list[int] = []
    gate.held.clear()
    intake.submit(one(0), on_durable=lambda: told.append(0))
    gate.entered.acquire()
    for i in range(1, 700):
        intake.submit(one(i), on_durable=lambda i=i: told.append(i))  # type: ignore[misc]
    assert told == []
    gate.held.set()
    intake.stop()
    assert gate.batches == [1, 500, 199]  # at most 500 rows
    assert told == list(range(700))


def test_a_large_submission_is_one_commit(gate: Gate) -> None:
    intake = started(gate)
    intake.commit(Readings.of(MIDNIGHT + np.arange(2000), 0, 1.0))
    intake.stop()
    assert gate.batches == [2000]


def test_a_full_queue_blocks_and_loses_nothing(gate: Gate) -> None:
    intake = started(gate, capacity_rows=10)
    gate.held.clear()
    intake.submit(one(0))
    gate.entered.acquire()

    def flood() -> None:
        for i in range(1, 100):
            intake.submit(one(i))

    submitter = threading.Thread(target=flood)
    submitter.start()
    soon(lambda: intake.health()["queued_rows"] == 10)
    assert submitter.is_alive()
    gate.held.set()
    submitter.join(30)
    intake.stop()
    assert len(rows(gate.journal)) == 100


def test_a_failed_commit_is_told_to_each_and_storing_resumes_by_itself(gate: Gate) -> None:
    intake = started(gate)
    failures: list[Exception] = []
    gate.full = True
    for i in range(3):
        intake.submit(one(i), on_durable=lambda: pytest.fail("not durable"), on_failed=failures.append)
    soon(lambda: len(failures) == 3)
    assert all(isinstance(e, StoreUnavailable) for e in failures)
    assert not intake.storing
    health = intake.health()
    assert (health["state"], health["error"], health["since_ms"]) == ("not storing", "disk full", MIDNIGHT)
    with pytest.raises(StoreUnavailable, match="disk full"):
        intake.commit(one(9))
    gate.full = False
    intake.commit(one(4))
    assert intake.storing and intake.health()["error"] is None
    intake.stop()
    assert rows(gate.journal) == [(4000, 7.0, "N")]


def test_one_spoilt_submission_spoils_no_other(gate: Gate) -> None:
    """A mistake in a program, such as a series that does not exist, must not stop what came beside it."""
    intake = started(gate)
    durable: list[int] = []
    failures: list[Exception] = []
    gate.held.clear()
    intake.submit(one(0))
    gate.entered.acquire()
    intake.submit(one(1), on_durable=lambda: durable.append(1))
    intake.submit(Readings.of(MIDNIGHT, 99, 1.0), on_durable=lambda: durable.append(99), on_failed=failures.append)
    intake.submit(one(2), on_durable=lambda: durable.append(2))
    gate.held.set()
    soon(lambda: len(durable) + len(failures) == 3)
    assert durable == [1, 2] and len(failures) == 1
    assert intake.storing  # the store is not at fault
    with pytest.raises(StoreError):
        intake.commit(Readings.of(MIDNIGHT, 99, 1.0))
    intake.stop()
    assert [v for _, v, _ in rows(gate.journal)] == [7.0] * 3


def test_a_callback_that_fails_stops_nothing(gate: Gate) -> None:
    intake = started(gate)

    def bad() -> None:
        raise RuntimeError("a mistake of the receiver")

    intake.submit(one(1), on_durable=bad)
    intake.commit(one(2))
    intake.stop()
    assert len(rows(gate.journal)) == 2


def test_who_is_told_of_each_commit_cannot_stop_storing(gate: Gate) -> None:
    def broken(readings: Readings) -> None:
        raise RuntimeError(f"cannot show {len(readings)}")

    intake = Intake(gate, ManualClock(MIDNIGHT), stored=broken)  # type: ignore[arg-type]
    intake.start()
    told: list[int] = []
    for second in range(2):
        intake.submit(one(second), on_durable=lambda second=second: told.append(second))
    soon(lambda: told == [0, 1])
    intake.stop()
    assert len(rows(gate.journal, 0)) == 2


def test_stop_commits_what_waits_and_refuses_what_comes_after(gate: Gate) -> None:
    intake = started(gate)
    gate.held.clear()
    for i in range(20):
        intake.submit(one(i))
    stopper = threading.Thread(target=intake.stop)
    stopper.start()
    gate.held.set()
    stopper.join(30)
    assert len(rows(gate.journal)) == 20
    failures: list[Exception] = []
    intake.submit(one(99), on_failed=failures.append)
    assert isinstance(failures[0], StoreUnavailable)
    with pytest.raises(StoreUnavailable, match="stopped"):
        intake.commit(one(99))


def test_counters_and_quarantine(gate: Gate) -> None:
    intake = started(gate)
    intake.commit(one(1), [Refused("topic", "why", b"raw", MIDNIGHT)])
    intake.commit(one(1))
    intake.commit(one(1, 8.0))
    intake.stop()
    health = intake.health()
    assert {k: health[k] for k in ("readings", "new", "identical", "superseded", "refused", "commits")} == {
        "readings": 3,
        "new": 1,
        "identical": 1,
        "superseded": 1,
        "refused": 1,
        "commits": 3,
    }
    assert gate.journal.counts().quarantined == 1
