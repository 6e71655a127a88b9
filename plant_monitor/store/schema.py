"""The tables of a journal file, and its format version."""

from __future__ import annotations

import sqlite3

from plant_monitor.errors import StoreError

APPLICATION_ID = 0x504C4E54  # "PLNT": the file says that it is a journal
VERSION = 3

# ``value`` has no type on purpose: a REAL column would store -0.0 as 0.0, and a repeat would differ.
# NULL stands for NaN, which SQLite cannot store. Days are those of UTC (time // 86,400,000): they only
# cut the storage, so a change of the plant's zone moves nothing. ``chunk_spans`` answers without the blobs.
_TABLES = """
CREATE TABLE series (
  id INTEGER PRIMARY KEY, point TEXT NOT NULL, parameter TEXT NOT NULL, UNIQUE (point, parameter));
CREATE TABLE hot (
  time INTEGER NOT NULL, series INTEGER NOT NULL, value, mark INTEGER NOT NULL, accepted_ms INTEGER NOT NULL,
  PRIMARY KEY (time, series)) WITHOUT ROWID;
CREATE TABLE chunks (
  id INTEGER PRIMARY KEY, series INTEGER NOT NULL, day INTEGER NOT NULL,
  rows INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  columns BLOB NOT NULL, accepted BLOB NOT NULL, UNIQUE (series, day));
CREATE INDEX chunk_spans ON chunks (series, day, rows, first_ms, last_ms);
CREATE TABLE superseded (
  id INTEGER PRIMARY KEY, series INTEGER NOT NULL, time INTEGER NOT NULL, value, mark INTEGER NOT NULL,
  accepted_ms INTEGER NOT NULL, replaced_ms INTEGER NOT NULL);
CREATE TABLE touched (
  series INTEGER NOT NULL, day INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  token INTEGER NOT NULL, PRIMARY KEY (series, day)) WITHOUT ROWID;
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY AUTOINCREMENT, arrived_ms INTEGER NOT NULL, source TEXT NOT NULL, reason TEXT NOT NULL,
  raw BLOB NOT NULL, reinjected_ms INTEGER);
CREATE TABLE outbox (id INTEGER PRIMARY KEY, rows INTEGER NOT NULL, columns BLOB NOT NULL);
CREATE TABLE outbox_refused (
  id INTEGER PRIMARY KEY, series INTEGER NOT NULL, time INTEGER NOT NULL, value, mark INTEGER NOT NULL,
  reason TEXT NOT NULL, refused_ms INTEGER NOT NULL);
CREATE TABLE plants (digest TEXT PRIMARY KEY, accepted_ms INTEGER NOT NULL, text TEXT NOT NULL) WITHOUT ROWID;
"""


# What later versions added; a writer adds it to an older file, which loses nothing by it.
_ADDED = """
CREATE TABLE IF NOT EXISTS dropped (
  before_ms INTEGER PRIMARY KEY, readings INTEGER NOT NULL, superseded INTEGER NOT NULL, dropped_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS receipts (
  station TEXT NOT NULL, mid INTEGER NOT NULL, stamp_ms INTEGER NOT NULL, digest BLOB NOT NULL,
  PRIMARY KEY (station, mid)) WITHOUT ROWID;
"""


def check(connection: sqlite3.Connection, path: object) -> None:
    """See that the file is a journal of this version, or empty.

    Raises
    ------
    StoreError  it is another application's, or of another version
    """
    if _empty(connection):
        return
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StoreError(f"{path}: a database of another application, expected a plant-monitor journal")
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if not 1 <= found <= VERSION:
        raise StoreError(
            f"{path}: journal format {found}, expected {VERSION}: use the plant-monitor that wrote it, or a newer one"
        )


def ensure(connection: sqlite3.Connection) -> None:
    """Create the tables that are missing, in the transaction that is open."""
    missing = _TABLES + _ADDED if _empty(connection) else _ADDED
    for statement in missing.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={VERSION}")


def _empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
