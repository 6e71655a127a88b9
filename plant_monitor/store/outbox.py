"""What InfluxDB has not taken yet: written in the transaction of the readings themselves (design §1).

A batch is one row. Its id sorts live batches before backfill and each in the order of acceptance. A
reading that replaces an earlier one always goes to the end of the backfill, so that it can never be
overtaken by the one it replaces.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plant_monitor.readings import IntArray, Readings
from plant_monitor.store.aside import number

LIVE = 0
BACKFILL = 1
_PRIORITY_SHIFT = 48  # 2.8e14 batches of each priority


@dataclass(frozen=True, slots=True)
class OutboxBatch:
    """One batch to be forwarded; ``readings.series`` index ``Journal.series``."""

    id: int
    readings: Readings

    @property
    def priority(self) -> int:
        """LIVE or BACKFILL."""
        return self.id >> _PRIORITY_SHIFT


@dataclass(frozen=True, slots=True)
class RefusedPoint:
    """A reading that InfluxDB does not take."""

    series: int  # index into Journal.series
    time_ms: int
    value: float
    mark: int
    reason: str
    refused_ms: int


def pack(readings: Readings) -> bytes:
    """The columns one after the other, little-endian, widest first."""
    return b"".join(
        (
            readings.time.astype("<i8").tobytes(),
            readings.value.astype("<f8").tobytes(),
            readings.series.astype("<i4").tobytes(),
            readings.mark.astype("u1").tobytes(),
        )
    )


def unpack(blob: bytes, rows: int) -> Readings:
    """The inverse of :func:`pack`."""
    return Readings(
        np.frombuffer(blob, "<i8", rows).astype(np.int64),
        np.frombuffer(blob, "<i4", rows, 16 * rows).astype(np.int32),
        np.frombuffer(blob, "<f8", rows, 8 * rows).astype(np.float64),
        np.frombuffer(blob, "u1", rows, 20 * rows).astype(np.uint8),
    )


def next_ids(connection: sqlite3.Connection, at_least: Sequence[int] = (0, 0)) -> list[int]:
    """The id of the next batch of each priority. Within a process no id comes twice, so that a batch
    reported as done once more is never another one: ``at_least`` are the ids known so far."""
    found = []
    for priority in (LIVE, BACKFILL):
        low, high = priority << _PRIORITY_SHIFT, (priority + 1) << _PRIORITY_SHIFT
        last = connection.execute("SELECT max(id) FROM outbox WHERE id>=? AND id<?", (low, high)).fetchone()[0]
        found.append(max(low if last is None else last + 1, at_least[priority]))
    return found


def put(connection: sqlite3.Connection, readings: Readings, priority: int, ids: list[int]) -> None:
    """Add one batch at the end of its priority; none for no readings. ``ids`` from :func:`next_ids`."""
    if len(readings):
        connection.execute("INSERT INTO outbox VALUES (?,?,?)", (ids[priority], len(readings), pack(readings)))
        ids[priority] += 1


def first(connection: sqlite3.Connection, limit: int) -> list[OutboxBatch]:
    """The batches to be sent first: whole ones, up to ``limit`` readings but at least one."""
    batches: list[OutboxBatch] = []
    rows = 0
    for key, count, blob in connection.execute("SELECT id, rows, columns FROM outbox ORDER BY id"):
        if batches and rows + count > limit:
            break
        batches.append(OutboxBatch(key, unpack(blob, count)))
        rows += count
    return batches


def refuse_points(connection: sqlite3.Connection, ids: IntArray, points: Sequence[RefusedPoint]) -> None:
    """Keep points that the server refused; ``ids`` are the file ids of the series indices."""
    connection.executemany(
        "INSERT INTO outbox_refused (series, time, value, mark, reason, refused_ms) VALUES (?,?,?,?,?,?)",
        [(int(ids[p.series]), p.time_ms, p.value, p.mark, p.reason, p.refused_ms) for p in points],
    )


def refused_points(connection: sqlite3.Connection, index: Mapping[int, int], limit: int) -> list[RefusedPoint]:
    """Points that the server refused, newest first."""
    found = connection.execute(
        "SELECT series, time, value, mark, reason, refused_ms FROM outbox_refused ORDER BY id DESC LIMIT ?", (limit,)
    )
    return [RefusedPoint(index[s], t, number(v), *rest) for s, t, v, *rest in found]
