"""What is kept beside the readings: what was refused, what was replaced, and what was not yet acknowledged."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plant_monitor.readings import IntArray, Readings, Receipt, Refused
from plant_monitor.store.rows import hot_rows


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What could not be taken as a reading."""

    id: int
    refused: Refused
    reinjected_ms: int | None  # when it was taken after all


@dataclass(frozen=True, slots=True)
class Superseded:
    """A reading that a differing second one of its instant replaced."""

    id: int
    series: int  # index into Journal.series
    time_ms: int
    value: float
    mark: int
    accepted_ms: int
    replaced_ms: int


def quarantine(connection: sqlite3.Connection, refused: Sequence[Refused]) -> None:
    """Keep what was refused."""
    connection.executemany(
        "INSERT INTO quarantine (source, reason, raw, arrived_ms) VALUES (?,?,?,?)",
        [(r.source, r.reason, r.raw, r.time_ms) for r in refused],
    )


def quarantined(connection: sqlite3.Connection, limit: int, after_id: int, reinjected: bool) -> list[Quarantined]:
    """A page of the quarantine, oldest first; with ``reinjected`` also what was taken after all."""
    found = connection.execute(
        "SELECT id, source, reason, raw, arrived_ms, reinjected_ms FROM quarantine"
        f" WHERE id>? {'' if reinjected else 'AND reinjected_ms IS NULL'} ORDER BY id LIMIT ?",
        (after_id, limit),
    )
    return [Quarantined(n, Refused(source, reason, raw, at), back) for n, source, reason, raw, at, back in found]


def release(connection: sqlite3.Connection, ids: Sequence[int], now_ms: int) -> None:
    """Mark quarantined entries as taken after all."""
    connection.executemany(
        "UPDATE quarantine SET reinjected_ms=? WHERE id=? AND reinjected_ms IS NULL", [(now_ms, n) for n in ids]
    )


def supersede(connection: sqlite3.Connection, gone: Readings, accepted_ms: IntArray, replaced_ms: int) -> None:
    """Keep readings that others replace, with both acceptance times."""
    connection.executemany(
        "INSERT INTO superseded (time, series, value, mark, accepted_ms, replaced_ms) VALUES (?,?,?,?,?,?)",
        [
            (*row[:4], accepted, replaced_ms)
            for row, accepted in zip(hot_rows(gone, 0), accepted_ms.tolist(), strict=True)
        ],
    )


def superseded(connection: sqlite3.Connection, index: Mapping[int, int], limit: int, after_id: int) -> list[Superseded]:
    """A page of the replaced readings, in the order in which that happened."""
    found = connection.execute(
        "SELECT id, series, time, value, mark, accepted_ms, replaced_ms FROM superseded WHERE id>? ORDER BY id LIMIT ?",
        (after_id, limit),
    )
    return [Superseded(n, index[s], t, number(v), *rest) for n, s, t, v, *rest in found]


def keep_receipts(connection: sqlite3.Connection, receipts: Sequence[Receipt]) -> None:
    """Keep receipts, and delete those that are over."""
    connection.executemany(
        "DELETE FROM receipts WHERE station=? AND mid=? AND stamp_ms=?",
        [(r.station, r.mid, r.stamp_ms) for r in receipts if r.digest is None],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO receipts VALUES (?,?,?,?)",
        [(r.station, r.mid, r.stamp_ms, r.digest) for r in receipts if r.digest is not None],
    )


def receipts(connection: sqlite3.Connection, station: str) -> list[Receipt]:
    """Those of a station."""
    found = connection.execute("SELECT station, mid, stamp_ms, digest FROM receipts WHERE station=?", (station,))
    return [Receipt(*row) for row in found]


def number(value: float | None) -> float:
    """A value as it was: NULL stands for NaN."""
    return np.nan if value is None else value
