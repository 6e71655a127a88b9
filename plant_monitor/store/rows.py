"""Readings between numpy columns and the rows of the hot table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from plant_monitor.readings import IntArray, Readings
from plant_monitor.store.repeats import Known

DAY_MS = 86_400_000  # a storage day, of UTC

HotRow = tuple[int, int, float, int, int]


def hot_rows(readings: Readings, accepted_ms: int) -> Iterator[HotRow]:
    """Rows ``(time, series, value, mark, accepted_ms)``; a NaN becomes NULL on its way."""
    return zip(
        readings.time.tolist(),
        readings.series.tolist(),
        readings.value.tolist(),
        readings.mark.tolist(),
        repeat(accepted_ms),
        strict=False,
    )


def known_from(rows: Sequence[Sequence[Any]]) -> Known:
    """Columns of rows ``(time, series, value, mark, accepted_ms)``; NULL becomes NaN."""
    time, series, value, mark, accepted = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return Known(
        Readings(
            np.array(time, dtype=np.int64),
            np.array(series, dtype=np.int32),
            np.array(value, dtype=np.float64),
            np.array(mark, dtype=np.uint8),
        ),
        np.array(accepted, dtype=np.int64),
    )


def insert_new(connection: sqlite3.Connection, rows: Iterable[HotRow]) -> int:
    """Insert what has no row yet; how many were inserted."""
    return connection.executemany("INSERT OR IGNORE INTO hot VALUES (?,?,?,?,?)", rows).rowcount


def put(connection: sqlite3.Connection, rows: Iterable[HotRow]) -> None:
    """Insert or replace."""
    connection.executemany("INSERT OR REPLACE INTO hot VALUES (?,?,?,?,?)", rows)


def standing(connection: sqlite3.Connection, readings: Readings) -> list[Any]:
    """The hot rows at the instants of ``readings``, one look-up each."""
    look_up = "SELECT * FROM hot WHERE time=? AND series=?"
    keys = set(zip(readings.time.tolist(), readings.series.tolist(), strict=True))
    return [row for key in sorted(keys) if (row := connection.execute(look_up, key).fetchone())]


def spans(readings: Readings) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """First and last time per (series, day): columns ``series, day, first, last``."""
    day = readings.time // DAY_MS
    order = np.lexsort((readings.time, day, readings.series))
    series, days, times = readings.series[order].astype(np.int64), day[order], readings.time[order]
    starts = np.ones(order.size, dtype=bool)
    starts[1:] = (series[1:] != series[:-1]) | (days[1:] != days[:-1])
    first = np.flatnonzero(starts)
    last = np.append(first[1:], order.size) - 1 if first.size else first
    return series[first], days[first], times[first], times[last]
