"""What a journal file holds, in numbers."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from plant_monitor.readings import Dropped, IntArray
from plant_monitor.store import retention


@dataclass(frozen=True, slots=True)
class Counts:
    """What the file holds. ``hot`` and ``sealed`` per series, in the order of ``Journal.series``;
    an instant that is sealed and has a later row over it counts in both."""

    hot: IntArray
    sealed: IntArray
    superseded: int
    quarantined: int  # not re-injected
    outbox_batches: int
    outbox_rows: int
    outbox_refused: int
    dropped: Dropped  # ever, by retention
    kept_from_ms: int | None  # readings before were dropped
    file_bytes: int
    wal_bytes: int


def counted(connection: sqlite3.Connection, index: Mapping[int, int], series: int, sizes: tuple[int, int]) -> Counts:
    """Count. ``index`` of each series id · ``series`` how many there are · ``sizes`` of the file and its WAL."""
    hot, sealed = (np.zeros(series, dtype=np.int64) for _ in range(2))
    for number, count in connection.execute("SELECT series, count(*) FROM hot GROUP BY series"):
        hot[index[number]] = count
    for number, count in connection.execute("SELECT series, sum(rows) FROM chunks GROUP BY series"):
        sealed[index[number]] = count
    numbers = connection.execute(
        "SELECT (SELECT count(*) FROM superseded),"
        " (SELECT count(*) FROM quarantine WHERE reinjected_ms IS NULL),"
        " (SELECT count(*) FROM outbox), (SELECT ifnull(sum(rows), 0) FROM outbox),"
        " (SELECT count(*) FROM outbox_refused)"
    ).fetchone()
    superseded, quarantined, batches, waiting, refused = (int(n) for n in numbers)
    dropped, kept_from_ms = retention.all_dropped(connection), retention.kept_from_ms(connection)
    return Counts(hot, sealed, superseded, quarantined, batches, waiting, refused, dropped, kept_from_ms, *sizes)
