"""Rates of the journal: `python -m benchmarks.journal` prints them; nothing is asserted.

The plant of the bench: 50 series each 10 s, values with two decimals, every seventh with all digits of a
float32; commits of 500 readings. The bare loop writes the same rows with sqlite3 alone.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from plant_monitor.readings import Readings
from plant_monitor.store.journal import open_journal

SERIES = [(f"point{i // 5}", f"parameter{i % 5}") for i in range(50)]
START_MS = 1_790_000_000_000
COMMIT = 500
ROWS = 1_000_000
ONE_SERIES = 259_200  # a month of 10 s


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


def main() -> None:
    """Print the rates."""
    readings = field(ROWS)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        bare = timed(lambda: bare_loop(Path(folder) / "bare.db", readings))
        print(f"bare sqlite3 loop             {ROWS / bare:12,.0f} readings/s")
        for outbox in (True, False):
            path = Path(folder) / f"journal{outbox:d}.db"
            journal = open_journal(path, SERIES, outbox=outbox)
            spent = 0.0
            worst = 0.0
            for batch in batches(readings, COMMIT):
                accepted = int(batch.time[-1]) + 37
                one = timed(lambda batch=batch, accepted=accepted: journal.append(batch, accepted_ms=accepted))
                spent, worst = spent + one, max(worst, one)
            name = "append, with outbox" if outbox else "append"
            print(f"{name:29s} {ROWS / spent:12,.0f} readings/s  {bare / spent:.2f} of bare, worst {1e3 * worst:.0f} ms")
            if outbox:
                journal.close()
        again = timed(lambda: [journal.append(b, accepted_ms=1) for b in batches(readings.take(slice(200_000)), COMMIT)])
        print(f"append of repeats, hot        {200_000 / again:12,.0f} readings/s")
        hot = timed(lambda: journal.read(7, 0, 1 << 60))
        print(f"read of one series, hot       {ROWS / hot:12,.0f} rows passed/s, {1e3 * hot:.0f} ms")
        sealing = timed(lambda: journal.seal(1 << 60))
        print(f"seal                          {ROWS / sealing:12,.0f} readings/s")
        again = timed(lambda: [journal.append(b, accepted_ms=1) for b in batches(readings.take(slice(200_000)), COMMIT)])
        print(f"append of repeats, sealed     {200_000 / again:12,.0f} readings/s")
        sizes = sqlite3.connect(path).execute("SELECT sum(length(columns)), sum(length(accepted)) FROM chunks").fetchone()
        print(f"sealed                        {sizes[0] / ROWS:.2f} + {sizes[1] / ROWS:.2f} bytes/reading (+ acceptance)")
        journal.close()
        path = Path(folder) / "one.db"
        journal = open_journal(path, SERIES)
        month = Readings.of(START_MS + np.arange(ONE_SERIES) * 10_000, 7, readings.value[:ONE_SERIES])
        journal.append(month, accepted_ms=START_MS)
        journal.seal(1 << 60)
        journal.close()
        print(f"file of one sealed month      {path.stat().st_size / ONE_SERIES:.2f} bytes/reading, free pages included")
        journal = open_journal(path, SERIES, read_only=True)
        journal.read(7, 0, 1 << 60)
        reading = min(timed(lambda: journal.read(7, 0, 1 << 60)) for _ in range(5))
        print(f"read of one sealed series     {ONE_SERIES / reading:12,.0f} readings/s, {1e3 * reading:.0f} ms")
        journal.close()


if __name__ == "__main__":
    main()
