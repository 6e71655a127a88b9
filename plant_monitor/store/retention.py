"""Dropping sealed days that plant.yaml no longer asks for (``store.retention``), and what is remembered of it.

Dropped are whole chunks. Of each series the day of its last reading before the cut stays, and that of its
last valid one, so that nothing which is computed after the cut can tell the difference: a reading holds into
it, a register is what a period begins with.
"""

from __future__ import annotations

import sqlite3

import numpy as np

from plant_monitor.readings import Dropped
from plant_monitor.store import lookup
from plant_monitor.store.rows import DAY_MS

CHUNKS_AT_ONCE = 300  # dropped in one transaction: appends wait for it some 50 ms

Day = tuple[int, int]  # series id, storage day


def kept_from_ms(connection: sqlite3.Connection) -> int | None:
    """The instant before which readings were dropped; None where all that ever came is there."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name='dropped'").fetchone():
        return None  # a file that no writer of today has opened
    found: int | None = connection.execute("SELECT max(before_ms) FROM dropped").fetchone()[0]
    return found


def all_dropped(connection: sqlite3.Connection) -> Dropped:
    """What was ever dropped."""
    if kept_from_ms(connection) is None:
        return Dropped()
    return Dropped(*connection.execute("SELECT sum(readings), sum(superseded) FROM dropped").fetchone())


def waits_for(connection: sqlite3.Connection, before_ms: int) -> str:
    """What stands against dropping: readings before the instant that are not judged, or not forwarded."""
    if connection.execute("SELECT 1 FROM touched WHERE first_ms<? LIMIT 1", (before_ms,)).fetchone():
        return "readings before it are still to be evaluated"
    for rows, columns in connection.execute("SELECT rows, columns FROM outbox"):
        if int(np.frombuffer(columns, "<i8", rows).min()) < before_ms:  # the times come first
            return "readings before it are still to be forwarded"
    return ""


def next_days(connection: sqlite3.Connection, before_ms: int) -> list[Day]:
    """Chunks to be dropped in one transaction: wholly before the instant, the oldest first; none when done."""
    kept = set()
    for (number,) in connection.execute("SELECT id FROM series").fetchall():
        for valid in (False, True):
            last = lookup.last_before(connection, number, before_ms, valid=valid).time
            kept |= {(number, int(time) // DAY_MS) for time in last}
    found = connection.execute(
        "SELECT series, day FROM chunks WHERE day<? ORDER BY day, series", (before_ms // DAY_MS,)
    )
    return [day for day in found if day not in kept][:CHUNKS_AT_ONCE]


def drop(connection: sqlite3.Connection, days: list[Day], before_ms: int, now_ms: int) -> Dropped:
    """Drop chunks with what later readings had replaced in them, and write down that it was done."""
    readings = superseded = 0
    for series, day in days:
        chunk = connection.execute("DELETE FROM chunks WHERE series=? AND day=? RETURNING rows", (series, day))
        readings += sum(rows for (rows,) in chunk.fetchall())
    last = max(day for _, day in days)
    chosen = set(days)
    old = connection.execute("SELECT id, series, time FROM superseded WHERE time<?", ((last + 1) * DAY_MS,)).fetchall()
    gone = [(number,) for number, series, time in old if (series, time // DAY_MS) in chosen]
    connection.executemany("DELETE FROM superseded WHERE id=?", gone)
    superseded = len(gone)
    connection.execute(
        "INSERT INTO dropped VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET dropped_ms=excluded.dropped_ms,"
        " readings=readings+excluded.readings, superseded=superseded+excluded.superseded",
        (before_ms, readings, superseded, now_ms),
    )
    return Dropped(readings, superseded)
