"""A process that appends to a journal until it is killed: ``python writer_process.py FILE FIRST``.

Batch n holds 40 readings of two series and repeats of the batch before it; every tenth is late by two days.
It prints a batch's number once the append has returned, which is the promise that it is durable.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from plant_monitor.readings import Readings, Refused
from plant_monitor.store.journal import open_journal

SERIES = [("a", "flow"), ("a", "ph")]
START_MS = 1_790_000_000_000
DAY_MS = 86_400_000


def batch(number: int) -> Readings:
    """40 readings that are nobody else's."""
    late = 2 * DAY_MS if number % 10 == 9 else 0
    places = np.arange(number * 20, number * 20 + 20)
    times = START_MS + places * 60_000 - late + (1 if late else 0)
    values = np.where(places % 9 == 0, np.nan, places / 8)
    return Readings.concat([Readings.of(times, 0, values), Readings.of(times, 1, values + 0.5)])


def main() -> None:
    path, first = Path(sys.argv[1]), int(sys.argv[2])
    journal = open_journal(path, SERIES, outbox=True)
    for number in range(first, 1_000_000):
        rows = Readings.concat([batch(number), batch(max(number - 1, 0))])
        journal.append(rows, [Refused("s", str(number), b"", number)] if number % 5 == 0 else (), accepted_ms=number)
        print(number, flush=True)
        if number % 7 == 0:
            journal.seal(int(rows.time.max()) - DAY_MS // 4)


if __name__ == "__main__":
    main()
