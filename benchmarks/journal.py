"""Rates of the journal: `python -m benchmarks.journal` prints them; nothing is asserted.

The plant of the bench: 50 series each 10 s, values with two decimals, every seventh with all digits of a
float32; commits of 500 readings. The bare loop writes the same rows with sqlite3 alone.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from plant_monitor.readings import Readings
from plant_monitor.store.journal import Journal, open_journal

SERIES = [(f"point{i // 5}", f"parameter{i % 5}") for i in range(50)]
START_MS = 1_790_000_000_000
COMMIT = 500
ROWS = 1_000_000
REPEATS = 200_000
ONE_SERIES = 259_200  # a month of 10 s
FAR_MS = 1 << 60


def field(rows: int) -> Readings:
    """Rows in the order in which they would arrive."""
    rng = np.random.default_rng(7)
    series = np.arange(rows, dtype=np.int32) % len(SERIES)
    times = START_MS + np.arange(rows, dtype=np.int64) // len(SERIES) * 10_000
    values = 50 + 10 * np.sin(np.arange(rows) / 9000) + rng.normal(0, 0.3, rows)
    values = np.where(series % 7 == 0, values.astype(np.float32), np.round(values, 2))
    return Readings.of(times, series, values, 78)


def batches(readings: Readings, size: int) -> Iterator[Readings]:
    """Consecutive parts."""
    for first in range(0, len(readings), size):
        yield readings.take(slice(first, first + size))


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def bare_loop(path: Path, readings: Readings) -> None:
    """The same rows and commits with sqlite3 and nothing else."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE hot (time INTEGER, series INTEGER, value REAL, mark INTEGER, accepted_ms INTEGER,"
        " PRIMARY KEY (time, series)) WITHOUT ROWID"
    )
    for batch in batches(readings, COMMIT):
        columns = (batch.time.tolist(), batch.series.tolist(), batch.value.tolist(), batch.mark.tolist())
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO hot VALUES (?,?,?,?,0)", zip(*columns, strict=True))
        connection.execute("COMMIT")
    connection.close()


def append_all(journal: Journal, readings: Readings) -> tuple[float, float]:
    """Seconds that all commits take, and the longest of them."""
    spent = [
        timed(partial(journal.append, batch, accepted_ms=int(batch.time[-1]) + 37))
        for batch in batches(readings, COMMIT)
    ]
    return sum(spent), max(spent)


def say(name: str, value: float, unit: str, note: str = "") -> None:
    """One line."""
    print(f"{name:32s} {value:14,.2f} {unit}{note}" if value < 100 else f"{name:32s} {value:14,.0f} {unit}{note}")


def many_series(folder: Path, readings: Readings) -> None:
    """Append, repeat, seal, in the file of the whole plant."""
    bare = timed(partial(bare_loop, folder / "bare.db", readings))
    say("bare sqlite3 loop", ROWS / bare, "readings/s")
    forwarded = open_journal(folder / "forwarded.db", SERIES, outbox=True)
    spent, worst = append_all(forwarded, readings)
    forwarded.close()
    say("append, with outbox", ROWS / spent, "readings/s", f", {bare / spent:.2f} of bare, worst {1e3 * worst:.0f} ms")
    journal = open_journal(folder / "journal.db", SERIES)
    spent, worst = append_all(journal, readings)
    say("append", ROWS / spent, "readings/s", f", {bare / spent:.2f} of bare, worst {1e3 * worst:.0f} ms")
    again = readings.take(slice(REPEATS))
    say("append of repeats, hot", REPEATS / append_all(journal, again)[0], "readings/s")
    say(
        "read of one series, hot", 1e3 * timed(partial(journal.read, 7, 0, FAR_MS)), "ms", f", {ROWS:,} hot rows in all"
    )
    say("seal", ROWS / timed(partial(journal.seal, FAR_MS)), "readings/s")
    say("append of repeats, sealed", REPEATS / append_all(journal, again)[0], "readings/s")
    journal.close()
    connection = sqlite3.connect(folder / "journal.db")
    columns, accepted = connection.execute("SELECT sum(length(columns)), sum(length(accepted)) FROM chunks").fetchone()
    connection.close()
    say("sealed, values and times", columns / ROWS, "bytes/reading")
    say("sealed, when accepted", accepted / ROWS, "bytes/reading")
    say("file once sealed", (folder / "journal.db").stat().st_size / ROWS, "bytes/reading", ", free pages included")


def one_series(folder: Path, readings: Readings) -> None:
    """A sealed month of one series into numpy."""
    journal = open_journal(folder / "one.db", SERIES)
    times = START_MS + np.arange(ONE_SERIES) * 10_000
    journal.append(Readings.of(times, 7, readings.value[:ONE_SERIES]), accepted_ms=START_MS)
    journal.seal(FAR_MS)
    best = min(timed(partial(journal.read, 7, 0, FAR_MS)) for _ in range(6))
    say("read of one series, sealed", ONE_SERIES / best, "readings/s", f", {1e3 * best:.0f} ms a month of 10 s")
    journal.close()


def main() -> None:
    """Print the rates."""
    readings = field(ROWS)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        many_series(Path(folder), readings)
        one_series(Path(folder), readings)


if __name__ == "__main__":
    main()
