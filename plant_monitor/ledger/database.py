"""The database under the ledger: connections, transactions, migrations, and errors in the product's words.

SQLite is the default, PostgreSQL (psycopg 3) the alternative. All writes go one after the other: in this
process through a lock, between processes through ``BEGIN IMMEDIATE`` or an advisory lock, so a transaction
may read, decide and write without another one coming between.

SQLite's write-ahead log has a bug up to 3.51.2 that can damage a file when two connections write and
checkpoint at the same moment, and a ledger is written by more than one process (service, ``keys add``). It
is used from 3.51.3 on; before that the rollback journal is, which a ledger of a few writes a minute does not
feel.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from plant_monitor.errors import StoreError, StoreUnavailable

HEAD = "0013"  # the newest migration; alembic is only loaded where a database is not there yet
BUSY_MS = 10_000
WAL_IS_SAFE = sqlite3.sqlite_version_info >= (3, 51, 3)
_ADVISORY_LOCK = 7_316_549_027  # any number, the same in every process


class Database:
    """Connections to one ledger, its schema brought up to date at the start.

    Raises
    ------
    StoreUnavailable  the database is out of reach
    StoreError        the URL is wrong, or a newer version of the product has written the ledger
    """

    def __init__(self, url: str) -> None:
        self._lock = threading.Lock()
        self._engine = _engine(url)
        self.name = self._engine.url.render_as_string(hide_password=True)
        try:
            self._migrate()
        except StoreError:
            self.close()
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self._translated(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes; no other one writes meanwhile. Rolled back by any exception."""
        with self._lock, self._translated(), self._engine.connect() as connection:
            connection = connection.execution_options(ledger_write=True)
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
                yield connection

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise translated(error, self.name) from error

    def _migrate(self) -> None:
        with self.read() as connection:
            if _revision(connection) == HEAD:
                return
        with self.write() as connection:
            if _revision(connection) != HEAD:
                _upgrade(connection, self.name)


def translated(error: SQLAlchemyError, name: str) -> StoreError:
    """The product's error for one of SQLAlchemy's: try again later, or give up."""
    cause = getattr(error, "orig", None) or (error.args[0] if error.args else type(error).__name__)
    message = f"ledger {name}: {str(cause).strip().partition(chr(10))[0]}"
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if isinstance(error, OperationalError | PoolTimeout) or lost:
        return StoreUnavailable(message)
    if isinstance(error, IntegrityError):
        return StoreError(f"{message} (another writer was first, or the rule is broken)")
    return StoreError(message)


def _engine(url: str) -> Engine:
    expected = "expected sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME"
    try:
        parsed = make_url(url)
        shown = parsed.render_as_string(hide_password=True)
        backend = parsed.get_backend_name()
        if backend == "postgresql":
            return create_engine(parsed, pool_pre_ping=True, pool_size=10, max_overflow=20)
        if backend != "sqlite" or not parsed.database or parsed.database == ":memory:":
            raise StoreError(f"ledger: found {shown}, {expected}")
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, pool_size=10, max_overflow=20)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(f"ledger: {error}; {expected}") from error
    except OSError as error:
        raise StoreUnavailable(f"ledger {shown}: {error}") from error
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Our own BEGIN; wait for other processes; keep every commit through a power cut."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    connection.execute(f"PRAGMA journal_mode = {'WAL' if WAL_IS_SAFE else 'DELETE'}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("ledger_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def alembic_config(connection: Connection) -> Any:
    """Alembic's settings for the migrations that this package carries."""
    from alembic.config import Config  # slow to load, and needed once in the life of a ledger

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection, name: str) -> None:
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(alembic_config(connection), "head")
    except CommandError as error:
        raise StoreError(
            f"ledger {name}: {error}; it was probably written by a newer version of plant-monitor: install that"
        ) from error
