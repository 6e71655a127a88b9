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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plant_monitor.errors import StoreError
from plant_monitor.readings import BoolArray, IntArray, Readings, Refused
from plant_monitor.store import outbox, rows, schema
from plant_monitor.store.database import Database
from plant_monitor.store.outbox import BACKFILL, LIVE, OutboxBatch, RefusedPoint
from plant_monitor.store.repeats import Resolution, resolve

__all__ = [
    "BACKFILL",
    "LIVE",
    "Appended",
    "Counts",
    "Journal",
    "Quarantined",
    "Superseded",
    "Touched",
    "open_journal",
]

_VALID = f"AND mark={ord('N')} AND value IS NOT NULL AND abs(value) <= 1.7976931348623157e308"


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch: its readings = new + identical + superseded."""

    new: int
    identical: int  # repeats that changed nothing
    superseded: int  # differing second readings of an instant, which stand now
    refused: int  # set aside in quarantine


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What could not be taken as a reading."""

    id: int
    refused: Refused
    reinjected_ms: int | None  # when it was taken after all


@dataclass(frozen=True, slots=True)
class Superseded:
    """A reading that a differing second one of its instant replaced."""

    series: int  # index into Journal.series
    time_ms: int
    value: float
    mark: int
    accepted_ms: int
    replaced_ms: int


@dataclass(frozen=True, slots=True)
class Touched:
    """A stretch of a series in which readings came or changed; both times inclusive."""

    series: int
    first_ms: int
    last_ms: int


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
    file_bytes: int
    wal_bytes: int


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
        self._keep_outbox = keep_outbox
        self._ids: IntArray = np.full(len(series), -1, dtype=np.int64)  # file id of each index of ``series``
        self._next_token = 1
        self._db = Database(path, self._prepare, read_only=read_only)
        if read_only:
            with self._db.reading() as connection:
                schema.check(connection, path)
                self._load_series(connection)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # -- writing ---------------------------------------------------------------------------------

    def append(
        self, readings: Readings, refused: Sequence[Refused] = (), *, accepted_ms: int, priority: int = LIVE
    ) -> Appended:
        """Make readings, and what was refused beside them, durable in one transaction.

        ``readings`` in order of acceptance, any times, series of the plant · ``accepted_ms`` now ·
        ``priority`` of the forwarding: LIVE or BACKFILL.

        Raises
        ------
        StoreUnavailable  nothing of it was stored, nothing may be acknowledged; trying again is right
        """
        batch = Readings(readings.time, self._to_ids(readings), readings.value, readings.mark)
        with self._db.writing() as connection:
            done = self._store(connection, batch, accepted_ms)
            _quarantine(connection, refused)
            if len(done.stands):
                self._touch(connection, done.stands)
                if self._keep_outbox:
                    outbox.put(connection, done.stands.take(~done.changed), priority)
                    outbox.put(connection, done.stands.take(done.changed), BACKFILL)
        return Appended(done.new, done.identical, done.superseding, len(refused))

    def _store(self, connection: sqlite3.Connection, batch: Readings, accepted_ms: int) -> Resolution:
        if rows.insert_new(connection, rows.hot_rows(batch, accepted_ms)) in (len(batch), -1):
            return _all_new(batch)
        connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
        known = rows.known_from(rows.standing(connection, batch))
        done = resolve(batch, accepted_ms, known)
        rows.put(connection, rows.hot_rows(done.stands, accepted_ms))
        gone = done.replaced
        connection.executemany(
            "INSERT INTO superseded (time, series, value, mark, accepted_ms, replaced_ms) VALUES (?,?,?,?,?,?)",
            [
                (*row[:4], accepted, accepted_ms)
                for row, accepted in zip(rows.hot_rows(gone, 0), done.replaced_accepted_ms.tolist(), strict=False)
            ],
        )
        return done

    def _touch(self, connection: sqlite3.Connection, changed: Readings) -> None:
        token, self._next_token = self._next_token, self._next_token + 1
        connection.executemany(
            f"INSERT INTO touched VALUES (?,?,?,?,{token}) ON CONFLICT DO UPDATE SET token={token},"
            " first_ms=min(first_ms, excluded.first_ms), last_ms=max(last_ms, excluded.last_ms)",
            zip(*(column.tolist() for column in rows.spans(changed)), strict=True),
        )

    # -- reading (ReadingSource) -----------------------------------------------------------------

    def read(self, series: int, start_ms: int, end_ms: int) -> Readings:
        """Readings with ``start_ms <= time < end_ms``, sorted by time, one per instant."""
        found = self._id(series)
        with self._db.reading() as connection:
            hot = connection.execute(
                "SELECT time, value, mark FROM hot WHERE series=? AND time>=? AND time<? ORDER BY time",
                (found, start_ms, end_ms),
            ).fetchall()
        time, value, mark = zip(*hot, strict=True) if hot else ((), (), ())
        return Readings.of(time, series, np.array(value, dtype=np.float64), mark)

    def before(self, series: int, time_ms: int, *, valid: bool = False) -> Readings:
        """The last reading (or last valid one) with time < ``time_ms``: none or one row."""
        return self._nearest(series, f"time<? {_VALID if valid else ''} ORDER BY time DESC", time_ms)

    def after(self, series: int, time_ms: int, *, valid: bool = False) -> Readings:
        """The first reading (or first valid one) with time >= ``time_ms``: none or one row."""
        return self._nearest(series, f"time>=? {_VALID if valid else ''} ORDER BY time", time_ms)

    def _nearest(self, series: int, condition: str, time_ms: int) -> Readings:
        with self._db.reading() as connection:
            row = connection.execute(
                f"SELECT time, value, mark FROM hot WHERE series=? AND {condition} LIMIT 1",
                (self._id(series), time_ms),
            ).fetchone()
        if row is None:
            return Readings.empty()
        return Readings.of(row[0], series, np.nan if row[1] is None else row[1], row[2])

    def extent(self) -> tuple[int, int] | None:
        """Times of the first and the last reading of the plant's series; None where there is none."""
        ids = self._id_list()
        with self._db.reading() as connection:
            select = f"SELECT time FROM hot WHERE series IN ({ids}) ORDER BY time"
            first = connection.execute(f"{select} LIMIT 1").fetchone()
            last = connection.execute(f"{select} DESC LIMIT 1").fetchone()
        return None if first is None else (first[0], last[0])

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
        """What came or changed after the token ``since`` and was not yet reported as done, per series and
        UTC day, and the token that stands for it. A new process starts with 0, so nothing is missed."""
        index = self._index()
        with self._db.reading() as connection:
            found = connection.execute(
                "SELECT series, first_ms, last_ms, token FROM touched WHERE token>? ORDER BY series, day", (since,)
            ).fetchall()
        spans = [Touched(index[s], first, last) for s, first, last, _ in found if index[s] < len(self.plant_series)]
        return max((row[3] for row in found), default=since), spans

    def touched_done(self, token: int) -> None:
        """All that :meth:`touched` gave with ``token`` has been evaluated for good."""
        with self._db.writing() as connection:
            connection.execute("DELETE FROM touched WHERE token<=?", (token,))

    # -- kept apart ------------------------------------------------------------------------------

    def quarantine(self, limit: int = 100, *, after_id: int = 0, reinjected: bool = False) -> list[Quarantined]:
        """What was refused, oldest first; with ``reinjected`` also what was taken after all."""
        with self._db.reading() as connection:
            found = connection.execute(
                "SELECT id, source, reason, raw, arrived_ms, reinjected_ms FROM quarantine"
                f" WHERE id>? {'' if reinjected else 'AND reinjected_ms IS NULL'} ORDER BY id LIMIT ?",
                (after_id, limit),
            ).fetchall()
        return [Quarantined(n, Refused(source, reason, raw, at), back) for n, source, reason, raw, at, back in found]

    def reinject(self, ids: Sequence[int], readings: Readings, *, accepted_ms: int) -> Appended:
        """Take readings that were decoded from quarantined bytes, and mark those, in one transaction."""
        batch = Readings(readings.time, self._to_ids(readings), readings.value, readings.mark)
        with self._db.writing() as connection:
            done = self._store(connection, batch, accepted_ms)
            connection.executemany(
                "UPDATE quarantine SET reinjected_ms=? WHERE id=? AND reinjected_ms IS NULL",
                [(accepted_ms, number) for number in ids],
            )
            if len(done.stands):
                self._touch(connection, done.stands)
                if self._keep_outbox:
                    outbox.put(connection, done.stands, BACKFILL)
        return Appended(done.new, done.identical, done.superseding, 0)

    def superseded(self, limit: int = 100, *, after_id: int = 0) -> list[Superseded]:
        """Readings that others replaced, in the order in which that happened."""
        index = self._index()
        with self._db.reading() as connection:
            found = connection.execute(
                "SELECT series, time, value, mark, accepted_ms, replaced_ms FROM superseded"
                " WHERE id>? ORDER BY id LIMIT ?",
                (after_id, limit),
            ).fetchall()
        return [Superseded(index[s], t, np.nan if v is None else v, *rest) for s, t, v, *rest in found]

    # -- forwarding ------------------------------------------------------------------------------

    def outbox_next(self, limit: int = 10_000) -> list[OutboxBatch]:
        """What is to be sent first: whole batches, live before backfill, up to ``limit`` readings."""
        index = self._index()
        with self._db.reading() as connection:
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
            connection.executemany(
                "INSERT INTO outbox_refused (series, time, value, mark, reason, refused_ms) VALUES (?,?,?,?,?,?)",
                [(int(self._ids[r.series]), r.time_ms, r.value, r.mark, r.reason, r.refused_ms) for r in refused],
            )

    def outbox_refused(self, limit: int = 100) -> list[RefusedPoint]:
        """Points that the server refused, newest first."""
        index = self._index()
        with self._db.reading() as connection:
            found = connection.execute(
                "SELECT series, time, value, mark, reason, refused_ms FROM outbox_refused ORDER BY id DESC LIMIT ?",
                (limit,),
            ).fetchall()
        return [RefusedPoint(index[s], t, np.nan if v is None else v, *rest) for s, t, v, *rest in found]

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
        index = self._index()
        hot, sealed = (np.zeros(len(self.series), dtype=np.int64) for _ in range(2))
        with self._db.reading() as connection:
            for series, count in connection.execute("SELECT series, count(*) FROM hot GROUP BY series"):
                hot[index[series]] = count
            for series, count in connection.execute("SELECT series, sum(rows) FROM chunks GROUP BY series"):
                sealed[index[series]] = count
            numbers = connection.execute(
                "SELECT (SELECT count(*) FROM superseded),"
                " (SELECT count(*) FROM quarantine WHERE reinjected_ms IS NULL),"
                " (SELECT count(*) FROM outbox), (SELECT ifnull(sum(rows), 0) FROM outbox),"
                " (SELECT count(*) FROM outbox_refused)"
            ).fetchone()
        superseded, quarantined, batches, waiting, refused = (int(n) for n in numbers)
        return Counts(hot, sealed, superseded, quarantined, batches, waiting, refused, *self._db.sizes())

    # -- series ----------------------------------------------------------------------------------

    def _prepare(self, connection: sqlite3.Connection) -> None:
        schema.ensure(connection, self.path)
        connection.executemany("INSERT OR IGNORE INTO series (point, parameter) VALUES (?,?)", self.plant_series)
        self._load_series(connection)
        last = connection.execute("SELECT ifnull(max(token), 0) FROM touched").fetchone()[0]
        self._next_token = max(self._next_token, last + 1)

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

    def _id(self, series: int) -> int:
        return int(self._ids[series])

    def _id_list(self) -> str:
        return ",".join(str(n) for n in self._ids[: len(self.plant_series)].tolist())

    def _index(self) -> dict[int, int]:
        return {number: index for index, number in enumerate(self._ids.tolist())}


def _all_new(batch: Readings) -> Resolution:
    nothing = Readings.empty()
    return Resolution(batch, np.zeros(len(batch), dtype=bool), nothing, nothing.time, len(batch), 0, 0)


def _quarantine(connection: sqlite3.Connection, refused: Sequence[Refused]) -> None:
    connection.executemany(
        "INSERT INTO quarantine (source, reason, raw, arrived_ms) VALUES (?,?,?,?)",
        [(r.source, r.reason, r.raw, r.time_ms) for r in refused],
    )
