"""One SQLite file: one connection writes and checkpoints, others read at any time.

SQLite before 3.51.3 can lose commits when several connections write or checkpoint one WAL, so this
process keeps exactly one that does (a lock file keeps other processes from being a second), and every
reader opens the file read-only. What is in the tables is not known here.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from plant_monitor.errors import StoreError, StoreUnavailable

# What the file system says the file is: device and inode of the database and of its WAL.
Identity = tuple[int, int, int, int]
Check = Callable[[sqlite3.Connection, Path], None]
Prepare = Callable[[sqlite3.Connection], None]

WAL_PAGES = 1000  # the writer checkpoints, without waiting, once the WAL holds that many pages
WAL_BYTES = 32 << 20  # where readers kept the WAL from starting anew: wait for them for a moment
READER_WAIT_MS = 200  # that moment
BUSY_MS = 5000  # how long a statement waits for a lock
FREE_PAGES = 1024  # free pages (4 MiB) that are worth keeping
IDLE_READERS = 8  # read connections kept open for the next reader


class Database:
    """The file at ``path``. With each new writing connection ``check`` is called before anything is done to
    the file, then ``prepare`` in a transaction; for reading only, ``check`` once.

    Raises
    ------
    StoreUnavailable  another process writes the file, or it cannot be opened
    StoreError        ``check`` does not know what it is
    """

    def __init__(self, path: Path, check: Check, prepare: Prepare, *, read_only: bool = False) -> None:
        self.path = path
        self._wal = path.with_name(path.name + "-wal")
        self._check, self._prepare = check, prepare
        self._lock = threading.RLock()
        self._writer: sqlite3.Connection | None = None
        self._identity: Identity | None = None
        self._truncate_at = WAL_BYTES
        self._readers: list[tuple[Identity, sqlite3.Connection]] = []
        self._readers_lock = threading.Lock()
        self._lock_file: int | None = None
        self._closed = False
        if read_only:
            if not path.exists():
                raise StoreError(f"{path}: there is no journal here, expected one that import or run has made")
            with self.reading() as connection:
                check(connection, path)
        else:
            self._lock_file = _claim(path)
            try:
                with self.translated():
                    self._writer = self._open_writer("rwc")
            except BaseException:
                self.close()
                raise

    @contextmanager
    def writing(self, committed: Callable[[], None] | None = None) -> Iterator[sqlite3.Connection]:
        """A transaction of the one writer: durable when the block has ended, or nothing of it is there.
        ``committed`` is called after the commit, before any other transaction begins.

        Raises
        ------
        StoreUnavailable  it could not be made durable (disk full, file lost); the next one opens anew
        """
        if self._lock_file is None:
            raise StoreError(f"{self.path}: opened for reading only or closed, so nothing can be written")
        with self._lock, self.translated():
            if self._writer is None:
                self._writer = self._open_writer("rw")
            writer = self._writer
            try:
                writer.execute("BEGIN IMMEDIATE")
                yield writer
                writer.execute("COMMIT")
                if committed is not None:
                    committed()
                self._settle(writer)
            except BaseException as error:
                self._abandon(writer, keep=not isinstance(error, sqlite3.Error | OSError | StoreUnavailable))
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection on one snapshot of the file, for as short as possible.

        Raises
        ------
        StoreUnavailable  the file cannot be read
        """
        with self.translated():
            identity, connection = self._borrow()
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.close()
                raise
            with self._readers_lock:
                if not self._closed and len(self._readers) < IDLE_READERS:
                    self._readers.append((identity, connection))
                    return
            connection.close()

    def close(self) -> None:
        """Close all connections; the last one of the machine folds the WAL into the file."""
        with self._lock, self._readers_lock:
            self._closed = True
            for _, connection in self._readers:
                connection.close()
            self._readers.clear()
            if self._writer is not None:
                with suppress(sqlite3.Error):
                    self._writer.close()
                self._writer = None
            if self._lock_file is not None:
                os.close(self._lock_file)
                self._lock_file = None

    @contextmanager
    def translated(self) -> Iterator[None]:
        """The errors of SQLite and of the file system as :class:`StoreUnavailable`."""
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError):
            raise  # a mistake of ours, not a state of the disk
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"journal {self.path}: {error}") from error

    def shrink(self) -> None:
        """Give pages that have become free back to the file system, in short transactions; some are kept,
        since they will be needed again. The file itself gets shorter at a checkpoint."""
        while True:
            with self.writing() as writer:
                free, pages = (writer.execute(f"PRAGMA {n}").fetchone()[0] for n in ("freelist_count", "page_count"))
                spare = free - max(FREE_PAGES, pages // 4)
                if spare <= 0:
                    return
                writer.execute(f"PRAGMA incremental_vacuum({min(spare, FREE_PAGES)})").fetchall()

    def sizes(self) -> tuple[int, int]:
        """Bytes of the file and of its WAL."""
        sizes = []
        for file in (self.path, self._wal):
            try:
                sizes.append(file.stat().st_size)
            except FileNotFoundError:
                sizes.append(0)
        return sizes[0], sizes[1]

    def _open_writer(self, mode: str) -> sqlite3.Connection:
        writer = self._connect(mode)
        try:
            self._check(writer, self.path)
            writer.execute("PRAGMA synchronous=FULL")
            writer.execute("PRAGMA secure_delete=OFF")  # else each freed page is written once more
            writer.execute("PRAGMA cache_size=-16384")
            writer.execute("PRAGMA auto_vacuum=INCREMENTAL")  # heard by an empty file only
            if writer.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
                raise StoreError(f"{self.path}: this file system cannot hold a WAL database, expected a local disk")
            writer.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
            writer.execute("BEGIN IMMEDIATE")
            self._prepare(writer)
            writer.execute("COMMIT")
            self._identity = self._look()
        except BaseException:
            writer.close()
            raise
        self._truncate_at = WAL_BYTES
        return writer

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_MS / 1000,
        )

    def _borrow(self) -> tuple[Identity, sqlite3.Connection]:
        found = self.path.stat()
        with self._readers_lock:
            if self._closed:
                raise StoreError(f"{self.path}: the journal is closed")
            while self._readers:
                identity, connection = self._readers.pop()
                if identity[:2] == (found.st_dev, found.st_ino):
                    return identity, connection
                connection.close()  # the file was replaced under it
        return (found.st_dev, found.st_ino, 0, 0), self._connect("ro")

    def _look(self) -> Identity:
        """Raises OSError where the database or its WAL has no name in the file system any more."""
        base, wal = self.path.stat(), self._wal.stat()
        self._wal_bytes = wal.st_size
        return base.st_dev, base.st_ino, wal.st_dev, wal.st_ino

    def _settle(self, writer: sqlite3.Connection) -> None:
        """After a commit: it must be in the file that others see, and the WAL must not grow for ever."""
        if self._look() != self._identity:
            raise StoreUnavailable(f"journal {self.path}: another file has taken its place, it is opened anew")
        if self._wal_bytes >= self._truncate_at:
            with suppress(sqlite3.Error):  # a checkpoint that fails takes nothing back: the WAL is durable
                writer.execute(f"PRAGMA busy_timeout={READER_WAIT_MS}")
                busy = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                writer.execute(f"PRAGMA busy_timeout={BUSY_MS}")
                self._truncate_at = self._wal_bytes + WAL_BYTES if busy else WAL_BYTES

    def _abandon(self, writer: sqlite3.Connection, *, keep: bool) -> None:
        """Roll back; after an error of the file the connection is opened anew by the next transaction."""
        with suppress(sqlite3.Error):
            if writer.in_transaction:
                writer.execute("ROLLBACK")
        if not keep:
            with suppress(sqlite3.Error):
                writer.close()
            self._writer = None


def _claim(path: Path) -> int:
    """Be the one process that writes ``path``: a lock that ends with the process, however it ends.

    It is on a file of its own, since closing any descriptor of the database would drop SQLite's locks.
    """
    try:
        handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreUnavailable(f"journal {path}: {error}, expected a folder that can be written") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(handle)
        raise StoreUnavailable(
            f"journal {path}: process {owner} is writing it, expected one writer: stop the service or command first"
        ) from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle
