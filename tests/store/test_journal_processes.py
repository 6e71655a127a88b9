"""The journal and processes: killed at any instant, read by others while it is written."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from plant_monitor.readings import Readings
from plant_monitor.store import database
from plant_monitor.store.journal import Journal, open_journal
from tests.store import writer_process
from tests.store.writer_process import SERIES, START_MS, batch

FAR_MS = 1 << 50


@contextmanager
def writer(path: Path, first: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, writer_process.__file__, str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_killed_at_any_instant_what_was_acknowledged_is_there_once(tmp_path: Path) -> None:
    """Design §6, row "process killed at any instant"."""
    path = tmp_path / "journal.db"
    chance = random.Random(5)
    acknowledged = -1
    for _ in range(12):
        with writer(path, acknowledged + 1) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 0.12))
            process.send_signal(signal.SIGKILL)
            last = [line for line in process.stdout if line.endswith("\n")][-1:]
            acknowledged = max([acknowledged + 1, *(int(line) for line in last)])
    assert acknowledged > 50
    check_all_there(path, acknowledged)


def check_all_there(path: Path, acknowledged: int) -> None:
    journal = open_journal(path, SERIES, outbox=True)
    sent = Readings.concat([batch(number) for number in range(acknowledged + 1)]).by_time()
    assert journal.has(sent).all()
    assert journal.counts().superseded == 0, "a repeat was taken for another reading"
    maybe = Readings.concat([sent, batch(acknowledged + 1)]).by_time()  # committed, but killed before it could say so
    for series in range(2):
        got = journal.read(series, 0, FAR_MS)
        wanted = next(w.of_series(series) for w in (sent, maybe) if len(w.of_series(series)) == len(got))
        for column in ("time", "value", "mark"):
            assert getattr(got, column).tobytes() == getattr(wanted, column).tobytes()
    waiting = Readings.concat([b.readings for b in journal.outbox_next(1 << 40)])
    assert len(waiting) == len(waiting.by_time()) == len(journal.read(0, 0, FAR_MS)) * 2, "forwarded once each"
    kept = [int(q.refused.reason) for q in journal.quarantine(100_000)]
    assert set(range(0, acknowledged + 1, 5)) <= set(kept) <= set(range(0, acknowledged + 2, 5))
    journal.close()


def test_another_process_reads_while_this_one_writes(tmp_path: Path) -> None:
    """Each answer is one state: whole batches, in order, none twice, while rows move into sealed days."""
    path = tmp_path / "journal.db"
    with writer(path, 0) as process:
        assert process.stdout is not None
        process.stdout.readline()
        reader = open_journal(path, SERIES, read_only=True)
        seen = 0
        deadline = time.monotonic() + 20
        while seen < 400 and time.monotonic() < deadline:
            got = reader.read(0, 0, FAR_MS)
            assert (np.diff(got.time) > 0).all()
            assert len(got) % 20 == 0
            assert len(got) >= seen
            extent = reader.extent()
            assert extent is not None
            assert extent[1] >= got.time[-1]
            last = reader.before(0, FAR_MS)
            assert len(last) == 1
            seen = len(got)
        assert seen >= 400
        assert reader.counts().sealed.sum() > 0
        reader.close()


def test_the_wal_stays_small_under_constant_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They keep SQLite's own checkpoints from starting the WAL anew; ours wait for a moment without them."""
    monkeypatch.setattr(database, "WAL_BYTES", 6 << 20)
    journal = open_journal(tmp_path / "journal.db", SERIES)
    stop = threading.Event()
    readers = [threading.Thread(target=read_until, args=(journal, stop)) for _ in range(2)]
    for reader in readers:
        reader.start()
    largest = 0
    try:
        for number in range(300):
            times = START_MS + np.arange(number * 1000, number * 1000 + 1000)
            journal.append(Readings.of(times, 0, times / 3), accepted_ms=1)
            largest = max(largest, (tmp_path / "journal.db-wal").stat().st_size)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert largest < 12 << 20
    journal.close()


def read_until(journal: Journal, stop: threading.Event) -> None:
    while not stop.is_set():
        journal.read(0, START_MS, START_MS + 300)


def test_several_threads_append_at_once(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db", SERIES)
    tokens: list[int] = []

    def append(part: int) -> None:
        for number in range(part, 120, 4):
            journal.append(batch(number), accepted_ms=number)
            tokens.append(journal.touched()[0])

    threads = [threading.Thread(target=append, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.has(Readings.concat([batch(number) for number in range(120)])).all()
    assert sorted(tokens)[-1] == 120
    journal.close()
