"""The journal: where a reading is durable before anything else happens to it (design §1).

One SQLite file. New readings are rows of the table ``hot``; :meth:`Journal.seal` folds old ones into
compressed chunks per series and day, which later rows overlay. Whatever a reading does, it does in one
transaction: the row, what it replaces, what was refused, what is to be forwarded, what must be evaluated.

Series are indices into the plant's series everywhere outside; inside they are the stable ids of the
file, so that plant.yaml may be reordered, grow, or lose a series.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from plant_monitor.errors import StoreError
from plant_monitor.readings import BoolArray, Dropped, IntArray, Readings, Receipt, Refused, Touched
from plant_monitor.store import aside, lookup, outbox, retention, rows, schema
from plant_monitor.store.aside import Quarantined, Superseded
from plant_monitor.store.counts import Counts, counted
from plant_monitor.store.database import Database
from plant_monitor.store.outbox import BACKFILL, LIVE, OutboxBatch, RefusedPoint
from plant_monitor.store.repeats import Resolution, resolve
from plant_monitor.store.sealed import SealedDays, damaged, next_slice, overlaid
from plant_monitor.store.touched import TouchLog

__all__ = [
    "BACKFILL",
    "LIVE",
    "Appended",
    "Counts",
    "Journal",
    "OutboxBatch",
    "Quarantined",
    "RefusedPoint",
    "Superseded",
    "open_journal",
]


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch: its readings = new + identical + superseded."""

    new: int
    identical: int  # repeats that changed nothing
    superseded: int  # differing second readings of an instant, which stand now
    refused: int  # set aside in quarantine


def open_journal(
    path: Path, series: Sequence[tuple[str, str]], *, outbox: bool = False, read_only: bool = False
) -> Journal:
    """The journal at ``path``; it is made where there is none (not with ``read_only``).

    ``series`` the plant's (point, parameter) in the order of ``Plant.series`` · ``outbox`` write what is
    to be forwarded to InfluxDB.

    Raises
    ------
    StoreUnavailable  another process writes it, or the file cannot be opened
    StoreError        no journal, or one of another version
    """
    return Journal(path, series, keep_outbox=outbox, read_only=read_only)


class Journal:
    """See the module; made by :func:`open_journal`. Safe to use from several threads.

    ``series``: (point, parameter) of every index that is ever returned: first the plant's, then those
    that only the file knows.
    """

    def __init__(
        self, path: Path, series: Sequence[tuple[str, str]], *, keep_outbox: bool = False, read_only: bool = False
    ) -> None:
        self.path = path
        self.plant_series = tuple(series)
        self.series = self.plant_series
        self._keep_outbox, self._read_only = keep_outbox, read_only
        self._ids: IntArray = np.full(len(series), -1, dtype=np.int64)  # file id of each index of ``series``
        self._touches = TouchLog()
        self._next_batch = [0, 0]  # of each priority
        self._db = Database(path, schema.check, self._prepare, read_only=read_only)
        if read_only:
            with self._db.reading() as connection:
                self._load_series(connection)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # -- writing ---------------------------------------------------------------------------------

    def append(
        self,
        readings: Readings,
        refused: Sequence[Refused] = (),
        *,
        accepted_ms: int,
        priority: int = LIVE,
        receipts: Sequence[Receipt] = (),
    ) -> Appended:
        """Make readings, and what was refused beside them, durable in one transaction.

        ``readings`` in order of acceptance, any times, series of the plant · ``accepted_ms`` now ·
        ``priority`` of the forwarding: LIVE or BACKFILL · ``receipts`` to keep, or to delete.

        Raises
        ------
        StoreUnavailable  nothing of it was stored, nothing may be acknowledged; trying again is right
        """
        with self._db.writing(committed=self._touches.publish) as connection:
            done = self._take(connection, readings, accepted_ms, priority)
            aside.quarantine(connection, refused)
            aside.keep_receipts(connection, receipts)
        return Appended(done.new, done.identical, done.superseding, len(refused))

    def _take(self, connection: sqlite3.Connection, readings: Readings, accepted_ms: int, priority: int) -> Resolution:
        """All that a batch does but for what was refused; to be called first in a transaction."""
        batch = Readings(readings.time, self._to_ids(readings), readings.value, readings.mark)
        done = self._store(connection, batch, accepted_ms)
        if len(done.stands):
            self._touches.note(connection, done.stands)
            if self._keep_outbox:
                outbox.put(connection, done.stands.take(~done.changed), priority, self._next_batch)
                outbox.put(connection, done.stands.take(done.changed), BACKFILL, self._next_batch)
        return done

    def _store(self, connection: sqlite3.Connection, batch: Readings, accepted_ms: int) -> Resolution:
        if not len(batch):
            return _all_new(batch)
        days = self._sealed.meeting(batch)
        if not days:
            if rows.insert_new(connection, rows.hot_rows(batch, accepted_ms)) == len(batch):
                return _all_new(batch)
            connection.execute("ROLLBACK")  # some repeat: begin again, knowing what stands
            connection.execute("BEGIN IMMEDIATE")
        hot = rows.known_from(rows.standing(connection, batch))
        done = resolve(batch, accepted_ms, overlaid([*self._sealed.known(connection, batch, days), hot]))
        rows.put(connection, rows.hot_rows(done.stands, accepted_ms))
        aside.supersede(connection, done.replaced, done.replaced_accepted_ms, accepted_ms)
        return done

    def seal(self, before_ms: int) -> int:
        """Fold the readings before an instant into compressed chunks, in small transactions; how many.

        To be called often (each hour, up to an hour ago): a hot row costs every reader of any series.

        Raises
        ------
        StoreUnavailable  what was not sealed yet stays hot, and nothing is lost
        """
        count = 0
        while True:
            with self._db.writing() as connection:
                part = next_slice(connection, before_ms)
                if part is None:
                    break
                count += self._sealed.seal(connection, *part)
            time.sleep(0.001)  # let an append in that waits for the writer
        self._db.shrink()
        return count

    def drop(self, before_ms: int, now_ms: int) -> Dropped:
        """Drop whole sealed days before an instant, in small transactions, but for what :mod:`~.retention` says must
        stay; nothing as long as a reading before the instant is still to be forwarded or evaluated.

        Raises
        ------
        StoreUnavailable  what was not dropped yet is there, and the next pass goes on
        """
        self.seal(before_ms)
        done = Dropped()
        while (part := self._drop_some(before_ms, now_ms)).readings:
            done = Dropped(done.readings + part.readings, done.superseded + part.superseded)
            time.sleep(0.001)  # let an append in that waits for the writer
        self._db.shrink()
        return replace(done, waits_for=part.waits_for)

    def _drop_some(self, before_ms: int, now_ms: int) -> Dropped:
        days: list[tuple[int, int]] = []
        with self._db.writing(committed=lambda: self._sealed.dropped(days)) as connection:
            if why := retention.waits_for(connection, before_ms):
                return Dropped(waits_for=why)
            days += retention.next_days(connection, before_ms)
            return retention.drop(connection, days, before_ms, now_ms) if days else Dropped()

    # -- reading (ReadingSource) -----------------------------------------------------------------

    def read(self, series: int, start_ms: int, end_ms: int) -> Readings:
        """Readings with ``start_ms <= time < end_ms``, sorted by time, one per instant."""
        with self._db.reading() as connection:
            return _of(series, lookup.between(connection, self._id(series, connection), start_ms, end_ms))

    def before(self, series: int, time_ms: int, *, valid: bool = False) -> Readings:
        """The last reading (or last valid one) with time < ``time_ms``: none or one row."""
        with self._db.reading() as connection:
            return _of(series, lookup.last_before(connection, self._id(series, connection), time_ms, valid=valid))

    def after(self, series: int, time_ms: int, *, valid: bool = False) -> Readings:
        """The first reading (or first valid one) with time >= ``time_ms``: none or one row."""
        with self._db.reading() as connection:
            return _of(series, lookup.first_after(connection, self._id(series, connection), time_ms, valid=valid))

    def extent(self) -> tuple[int, int] | None:
        """Times of the first and the last reading of the plant's series; None where there is none. What stayed of
        dropped days is not counted."""
        with self._db.reading() as connection:
            found = lookup.extent(connection, self._ids[: len(self.plant_series)].tolist())
            kept = retention.kept_from_ms(connection)
        return found if found is None or kept is None else (min(max(found[0], kept), found[1]), found[1])

    def kept_from_ms(self) -> int | None:
        """Readings before this instant were dropped, but for the last of each series; None: all are there."""
        with self._db.reading() as connection:
            return retention.kept_from_ms(connection)

    def has(self, readings: Readings) -> BoolArray:
        """Where a reading of that series and instant stands, whatever its value."""
        there = np.zeros(len(readings), dtype=bool)
        for series in np.unique(readings.series).tolist():
            mine = np.flatnonzero(readings.series == series)
            times = readings.time[mine]
            there[mine] = np.isin(times, self.read(series, int(times.min()), int(times.max()) + 1).time)
        return there

    # -- what changed ----------------------------------------------------------------------------

    def touched(self, since: int = 0) -> tuple[int, list[Touched]]:
        """What came or changed after the token ``since``, per series and UTC day, and the token that stands
        for now. A new process begins with 0 and is told all that was not reported as done."""
        token, found = self._touches.since(since)
        index = {number: index for index, number in enumerate(self._ids[: len(self.plant_series)].tolist())}
        return token, [Touched(index[s], first, last) for s, first, last in found if s in index]

    def touched_done(self, token: int) -> None:
        """All that :meth:`touched` gave with ``token`` has been evaluated for good: not again after a restart."""
        with self._db.writing() as connection:
            connection.execute("DELETE FROM touched WHERE token<=?", (token,))

    # -- kept apart ------------------------------------------------------------------------------

    def quarantine(self, limit: int = 100, *, after_id: int = 0, reinjected: bool = False) -> list[Quarantined]:
        """What was refused, oldest first; with ``reinjected`` also what was taken after all."""
        with self._db.reading() as connection:
            return aside.quarantined(connection, limit, after_id, reinjected)

    def reinject(self, ids: Sequence[int], readings: Readings, *, accepted_ms: int) -> Appended:
        """Take readings that were decoded from quarantined bytes, and mark those, in one transaction."""
        with self._db.writing(committed=self._touches.publish) as connection:
            done = self._take(connection, readings, accepted_ms, BACKFILL)
            aside.release(connection, ids, accepted_ms)
        return Appended(done.new, done.identical, done.superseding, 0)

    def receipts(self, station: str) -> list[Receipt]:
        """Of messages that may come again with the packet id they had; only where the journal is written."""
        with self._db.reading() as connection:
            return aside.receipts(connection, station)

    def superseded(self, limit: int = 100, *, after_id: int = 0) -> list[Superseded]:
        """Readings that others replaced, in the order in which that happened."""
        with self._db.reading() as connection:
            return aside.superseded(connection, self._index(connection), limit, after_id)

    def check(self) -> list[str]:
        """What is damaged in the file: its pages, its sealed days. Empty where all is sound."""
        with self._db.reading() as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA quick_check") if row[0] != "ok"]
            return [f"{self.path}: {problem}" for problem in [*found, *damaged(connection)]]

    # -- forwarding ------------------------------------------------------------------------------

    def outbox_next(self, limit: int = 10_000) -> list[OutboxBatch]:
        """What is to be sent first: whole batches, live before backfill, up to ``limit`` readings."""
        with self._db.reading() as connection:
            index = self._index(connection)
            batches = outbox.first(connection, limit)
        to_index = np.zeros(max(index, default=0) + 1, dtype=np.int32)
        to_index[list(index)] = list(index.values())
        return [
            OutboxBatch(b.id, Readings(b.readings.time, to_index[b.readings.series], b.readings.value, b.readings.mark))
            for b in batches
        ]

    def outbox_done(self, ids: Sequence[int], refused: Sequence[RefusedPoint] = ()) -> None:
        """The server has taken these batches, but for the ``refused`` points, which are kept apart."""
        with self._db.writing() as connection:
            connection.executemany("DELETE FROM outbox WHERE id=?", [(number,) for number in ids])
            outbox.refuse_points(connection, self._ids, refused)

    def outbox_refused(self, limit: int = 100) -> list[RefusedPoint]:
        """Points that the server refused, newest first."""
        with self._db.reading() as connection:
            return outbox.refused_points(connection, self._index(connection), limit)

    # -- the plant's versions, counts ------------------------------------------------------------

    def keep_plant(self, text: str, *, accepted_ms: int) -> str:
        """Keep the text of an accepted plant.yaml for good; its digest, by which results name it."""
        digest = hashlib.sha256(text.encode()).hexdigest()
        with self._db.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO plants VALUES (?,?,?)", (digest, accepted_ms, text))
        return digest

    def plant_text(self, digest: str) -> str | None:
        """The plant.yaml of a digest, or None where it was never accepted here."""
        with self._db.reading() as connection:
            found = connection.execute("SELECT text FROM plants WHERE digest=?", (digest,)).fetchone()
        return None if found is None else str(found[0])

    def counts(self) -> Counts:
        """What the file holds; a look at every hot row, so not for each second."""
        with self._db.reading() as connection:
            return counted(connection, self._index(connection), len(self.series), self._db.sizes())

    # -- series ----------------------------------------------------------------------------------

    def _prepare(self, connection: sqlite3.Connection) -> None:
        schema.ensure(connection)
        connection.executemany("INSERT OR IGNORE INTO series (point, parameter) VALUES (?,?)", self.plant_series)
        self._load_series(connection)
        self._touches.load(connection)
        self._next_batch = outbox.next_ids(connection, self._next_batch)
        self._sealed = SealedDays(connection)

    def _load_series(self, connection: sqlite3.Connection) -> None:
        known = {(p, q): n for n, p, q in connection.execute("SELECT id, point, parameter FROM series ORDER BY id")}
        mine = set(self.plant_series)
        series = (*self.plant_series, *(names for names in known if names not in mine))
        self._ids = np.array([known.get(names, -1) for names in series], dtype=np.int64)
        self.series = series

    def _to_ids(self, readings: Readings) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        if len(readings) and not 0 <= int(readings.series.min()) <= int(readings.series.max()) < len(self.plant_series):
            raise StoreError(
                f"a series outside 0 … {len(self.plant_series) - 1}, expected indices of the plant's series"
            )
        return self._ids[readings.series].astype(np.int32)

    def _id(self, series: int, connection: sqlite3.Connection) -> int:
        if self._ids[series] < 0:
            self._load_series(connection)  # another process may have added it since
        return int(self._ids[series])

    def _index(self, connection: sqlite3.Connection) -> dict[int, int]:
        if self._read_only:
            self._load_series(connection)
        return {number: index for index, number in enumerate(self._ids.tolist())}


def _of(series: int, column: lookup.Column) -> Readings:
    return Readings(column.time, np.full(column.time.size, series, dtype=np.int32), column.value, column.mark)


def _all_new(batch: Readings) -> Resolution:
    nothing = Readings.empty()
    return Resolution(batch, np.zeros(len(batch), dtype=bool), nothing, nothing.time, len(batch), 0, 0)
