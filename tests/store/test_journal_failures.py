"""Design §6, row "a commit fails (disk full, file lost)": nothing is stored, it is said, it resumes by itself."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from plant_monitor.errors import StoreError, StoreUnavailable
from plant_monitor.readings import Readings, Refused
from plant_monitor.store import schema
from plant_monitor.store.journal import Journal, open_journal

SERIES = [("a", "flow"), ("a", "ph")]
FAR_MS = 1 << 50


def rows(first: int, count: int) -> Readings:
    return Readings.of(np.arange(first, first + count) * 1000, 0, np.arange(first, first + count) / 7)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = open_journal(tmp_path / "journal.db", SERIES, outbox=True)
    yield opened
    opened.close()


@contextmanager
def no_file_grows_beyond(size: int) -> Iterator[None]:
    """Writes beyond ``size`` bytes of any file fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_that_cannot_grow(journal: Journal) -> None:
    journal.append(rows(0, 100), accepted_ms=1)
    with no_file_grows_beyond(journal.counts().wal_bytes + 8192):
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match=r"journal\.db: "):
                journal.append(rows(100, 5000), [Refused("s", "r", b"x" * 9000, 1)], accepted_ms=2)
        assert len(journal.read(0, 0, FAR_MS)) == 100
    assert journal.quarantine() == []
    assert journal.append(rows(100, 5000), accepted_ms=3).new == 5000
    assert journal.counts().outbox_rows == 5100
    assert journal.touched()[1][0].last_ms == 5_099_000


def test_sealing_that_fails_loses_nothing(journal: Journal) -> None:
    noise = np.random.default_rng(1).normal(size=20_000)
    journal.append(Readings.of(np.arange(20_000), 0, noise), accepted_ms=1)
    with no_file_grows_beyond(8192), pytest.raises(StoreUnavailable):
        journal.seal(FAR_MS)
    assert journal.append(Readings.of([5, 6], 0, [1.0, noise[6]]), accepted_ms=2).superseded == 1
    assert journal.seal(FAR_MS) == 20_000
    noise[5] = 1.0
    assert journal.read(0, 0, FAR_MS).value.tolist() == noise.tolist()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk(small_disk: Path) -> None:
    journal = open_journal(small_disk / "journal.db", SERIES)
    stored = 0
    with pytest.raises(StoreUnavailable, match="full"):
        while stored < 1_000_000:
            journal.append(rows(stored, 500), accepted_ms=1)
            stored += 500
    assert len(journal.read(0, 0, FAR_MS)) == stored
    with pytest.raises(StoreUnavailable, match="full"):
        journal.append(rows(stored, 500), accepted_ms=1)
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    assert journal.append(rows(stored, 500), accepted_ms=2).new == 500
    journal.seal(FAR_MS)
    assert len(journal.read(0, 0, FAR_MS)) == stored + 500
    journal.close()


def moved(path: Path, to: Path) -> None:
    for end in ("", "-wal", "-shm"):
        Path(f"{path}{end}").rename(f"{to}{end}")


def test_a_file_that_is_moved_away_and_back(journal: Journal, tmp_path: Path) -> None:
    journal.append(rows(0, 10), accepted_ms=1)
    moved(journal.path, tmp_path / "elsewhere.db")
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            journal.append(rows(10, 10), accepted_ms=2)
        assert not journal.path.exists(), "an empty journal in its place would hide the loss"
    with pytest.raises(StoreUnavailable):
        journal.read(0, 0, FAR_MS)
    moved(tmp_path / "elsewhere.db", journal.path)
    journal.append(rows(10, 10), accepted_ms=3)
    assert len(journal.read(0, 0, FAR_MS)) == 20


def test_another_journal_in_its_place(journal: Journal, tmp_path: Path) -> None:
    """A restored backup, whose ids of the series differ."""
    other = open_journal(tmp_path / "other.db", [("a", "ph"), ("a", "flow")])
    other.append(Readings.of(1, [0], [3.0]), accepted_ms=1)
    other.close()
    journal.append(rows(0, 10), accepted_ms=1)
    for end in ("-wal", "-shm"):
        Path(f"{journal.path}{end}").unlink()
    (tmp_path / "other.db").rename(journal.path)
    with pytest.raises(StoreUnavailable):
        journal.append(rows(10, 10), accepted_ms=2)
    journal.append(rows(10, 10), accepted_ms=2)
    assert journal.read(1, 0, FAR_MS).value.tolist() == [3.0]
    assert journal.read(0, 0, FAR_MS).value.tolist() == rows(10, 10).value.tolist()


def test_a_lost_wal_is_noticed(journal: Journal) -> None:
    journal.append(rows(0, 10), accepted_ms=1)
    Path(f"{journal.path}-wal").unlink()
    with pytest.raises(StoreUnavailable):
        journal.append(rows(10, 10), accepted_ms=2)
    journal.append(rows(10, 10), accepted_ms=3)
    journal.close()
    again = open_journal(journal.path, SERIES)
    assert len(again.read(0, 0, FAR_MS)) == 20
    again.close()


def test_what_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_text("readings, " * 2000)
    with pytest.raises(StoreUnavailable, match="not a database"):
        open_journal(text, SERIES)
    foreign = tmp_path / "foreign.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    before = foreign.read_bytes()
    for read_only in (True, False):
        with pytest.raises(StoreError, match="another application"):
            open_journal(foreign, SERIES, read_only=read_only)
    assert foreign.read_bytes() == before
    with pytest.raises(StoreError, match="no journal"):
        open_journal(tmp_path / "none.db", SERIES, read_only=True)
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(StoreUnavailable, match="folder"):
        open_journal(tmp_path / "no" / "journal.db", SERIES)


def test_a_newer_format_is_not_touched(journal: Journal) -> None:
    journal.close()
    connection = sqlite3.connect(journal.path)
    connection.execute(f"PRAGMA user_version={schema.VERSION + 1}")
    connection.close()
    for read_only in (True, False):
        with pytest.raises(StoreError, match=f"format {schema.VERSION + 1}, expected {schema.VERSION}"):
            open_journal(journal.path, SERIES, read_only=read_only)


def test_one_writer(journal: Journal) -> None:
    with pytest.raises(StoreUnavailable, match="is writing it, expected one writer"):
        open_journal(journal.path, SERIES)
    reader = open_journal(journal.path, SERIES, read_only=True)
    with pytest.raises(StoreError, match="reading only"):
        reader.append(rows(0, 1), accepted_ms=1)
    with pytest.raises(StoreError, match="reading only"):
        reader.seal(1)
    reader.close()
    journal.close()
    open_journal(journal.path, SERIES).close()


def test_a_series_of_no_plant_is_a_mistake_of_the_caller(journal: Journal) -> None:
    for series in (-1, 2):
        with pytest.raises(StoreError, match="expected ind"):
            journal.append(Readings.of(1, series, 1.0), accepted_ms=1)
    assert journal.extent() is None
