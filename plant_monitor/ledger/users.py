"""Accounts of people and their sessions.

A password is kept as its argon2id hash. A session is a random token of 256 bits that only the browser has; the
ledger keeps its SHA-256, so that a copy of the ledger opens nothing. A session ends by signing out, after
``IDLE_MS`` without a request, after ``LONGEST_MS`` in any case, and with a new password or a disabled account.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from dataclasses import dataclass
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Row, delete, insert, select, update

from plant_monitor.errors import InputError
from plant_monitor.ledger.audit import note
from plant_monitor.ledger.database import Database
from plant_monitor.ledger.keys import KeyRole, checked_role
from plant_monitor.ledger.tables import sessions, users

HOUR_MS = 3_600_000
IDLE_MS = 8 * HOUR_MS  # a shift
LONGEST_MS = 24 * HOUR_MS
SEEN_EVERY_MS = 60_000  # how exactly it is kept when a session was last used
SHORTEST, LONGEST = 12, 256  # characters of a password
_NAME = re.compile(r"[\w.@-]{1,64}")


@dataclass(frozen=True, slots=True)
class User:
    """An account. ``member`` is empty unless the role is member."""

    id: int
    name: str
    role: KeyRole
    member: str
    created_ms: int
    disabled_ms: int | None


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in."""

    id: int
    user: User
    expires_ms: int  # the latest


class UserBook:
    """All accounts of a ledger, and who is signed in."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hasher = PasswordHasher()  # argon2id with the library's parameters: RFC 9106, 64 MiB
        self._one_at_a_time = threading.Lock()  # of those 64 MiB
        self._no_password = ""

    # --- accounts --------------------------------------------------------------------------------

    def add(self, name: str, role: str, *, password: str, now_ms: int, member: str = "", actor: str = "cli") -> User:
        """Make an account. Whether ``member`` exists is for the caller to check: the ledger knows no plant.

        Raises
        ------
        InputError  the name is taken or none; role and member do not fit; the password is too short
        """
        if not _NAME.fullmatch(name):
            raise InputError(f"user: found the name {name!r}, expected up to 64 letters, digits and . _ - @")
        chosen = checked_role(role, member, "user")
        digest = self._hashed(name, password)
        row = {"name": name, "role": str(chosen), "member": member, "password": digest, "created_ms": now_ms}
        with self._database.write() as connection:
            if _row_of(connection, name) is not None:
                raise InputError(f"users: there is already an account {name!r}; `users password` changes its password")
            found = connection.execute(insert(users).values(**row).returning(users)).one()
            note(connection, now_ms, actor, "user.add", name, {"role": str(chosen), "member": member})
        return _user(found)

    def list(self) -> tuple[User, ...]:
        """All accounts, also disabled ones, by name."""
        with self._database.read() as connection:
            return tuple(_user(row) for row in connection.execute(select(users).order_by(users.c.name)))

    def set_password(self, name: str, password: str, *, now_ms: int, actor: str = "cli") -> None:
        """Another password; every session of the account ends.

        Raises
        ------
        InputError  no such account; the password is too short
        """
        digest = self._hashed(name, password)
        with self._database.write() as connection:
            row = _existing(connection, name)
            connection.execute(update(users).where(users.c.id == row.id).values(password=digest))
            _end_sessions(connection, row.id, now_ms)
            note(connection, now_ms, actor, "user.password", name)

    def set_disabled(self, name: str, disabled: bool, *, now_ms: int, actor: str = "cli") -> None:
        """Close an account and end its sessions, or open it again; the same again changes nothing.

        Raises
        ------
        InputError  no such account
        """
        with self._database.write() as connection:
            row = _existing(connection, name)
            if (row.disabled_ms is not None) == disabled:
                return
            since_ms = now_ms if disabled else None
            connection.execute(update(users).where(users.c.id == row.id).values(disabled_ms=since_ms))
            _end_sessions(connection, row.id, now_ms)
            note(connection, now_ms, actor, "user.disable" if disabled else "user.enable", name)

    # --- sessions --------------------------------------------------------------------------------

    def sign_in(self, name: str, password: str, *, address: str, now_ms: int) -> str | None:
        """The token of a new session; None where name and password are not those of an open account.

        Either takes as long for a name that does not exist. Both are kept in the audit trail; of a wrong name
        nothing is kept but that it was wrong, since people type passwords there.
        """
        with self._database.read() as connection:
            row = _row_of(connection, name)
        right = self._fits(None if row is None else row.password, password)
        token, where = secrets.token_urlsafe(32), {"address": address}
        with self._database.write() as connection:
            known = _row_of(connection, name)
            unchanged = row is not None and known is not None and known.password == row.password
            if known is None or not right or not unchanged or known.disabled_ms is not None:
                note(connection, now_ms, "", "login.refused", name if known is not None else "", where)
                return None
            dead = (sessions.c.ended_ms.is_not(None)) | (sessions.c.created_ms <= now_ms - LONGEST_MS)
            connection.execute(delete(sessions).where(dead))
            new = {"user_id": known.id, "digest": _digest(token), "created_ms": now_ms, "seen_ms": now_ms}
            connection.execute(insert(sessions).values(**new))
            if self._hasher.check_needs_rehash(known.password):
                again = self._hasher.hash(password)
                connection.execute(update(users).where(users.c.id == known.id).values(password=again))
            note(connection, now_ms, f"{known.role}:{name}", "login", name, where)
        return token

    def session(self, token: str, now_ms: int) -> Session | None:
        """The session that a token stands for while it lasts; asking keeps it from becoming idle."""
        joined = select(sessions.c.id.label("session_id"), sessions.c.created_ms.label("since_ms"), sessions.c.seen_ms)
        joined = joined.add_columns(users).join(users, users.c.id == sessions.c.user_id)
        with self._database.read() as connection:
            found = connection.execute(
                joined.where(sessions.c.digest == _digest(token), sessions.c.ended_ms.is_(None))
            ).one_or_none()
        if found is None or found.disabled_ms is not None:
            return None
        idle = now_ms - found.seen_ms
        expires_ms = found.since_ms + LONGEST_MS
        if now_ms >= expires_ms or idle >= IDLE_MS:
            return None
        if idle >= SEEN_EVERY_MS:
            with self._database.write() as connection:
                seen = update(sessions).where(sessions.c.id == found.session_id, sessions.c.ended_ms.is_(None))
                connection.execute(seen.values(seen_ms=now_ms))
        return Session(found.session_id, _user(found), expires_ms)

    def sign_out(self, token: str, now_ms: int) -> None:
        """End a session for good; a token of none changes nothing."""
        with self._database.write() as connection:
            ended = update(sessions).where(sessions.c.digest == _digest(token), sessions.c.ended_ms.is_(None))
            row = connection.execute(ended.values(ended_ms=now_ms).returning(sessions.c.user_id)).one_or_none()
            if row is not None:
                who = connection.execute(select(users).where(users.c.id == row.user_id)).one()
                note(connection, now_ms, f"{who.role}:{who.name}", "logout", who.name)

    # --- passwords -------------------------------------------------------------------------------

    def _hashed(self, name: str, password: str) -> str:
        if not SHORTEST <= len(password) <= LONGEST:
            raise InputError(f"password: found {len(password)} characters, expected {SHORTEST} to {LONGEST}")
        if name.casefold() in password.casefold():
            raise InputError("password: found the account's name in it, expected something nobody guesses")
        with self._one_at_a_time:
            return self._hasher.hash(password)

    def _fits(self, digest: str | None, password: str) -> bool:
        with self._one_at_a_time:
            if not self._no_password:
                self._no_password = self._hasher.hash(secrets.token_urlsafe())
            try:
                self._hasher.verify(digest or self._no_password, password[: LONGEST + 1])
            except (VerificationError, InvalidHashError):
                return False
            return digest is not None


def _row_of(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(users).where(users.c.name == name)).one_or_none()


def _existing(connection: Connection, name: str) -> Row[Any]:
    row = _row_of(connection, name)
    if row is None:
        raise InputError(f"users: found no account {name!r}, expected one that `users list` shows")
    return row


def _end_sessions(connection: Connection, user_id: int, now_ms: int) -> None:
    open_ones = update(sessions).where(sessions.c.user_id == user_id, sessions.c.ended_ms.is_(None))
    connection.execute(open_ones.values(ended_ms=now_ms))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _user(row: Any) -> User:
    return User(row.id, row.name, KeyRole(row.role), row.member, row.created_ms, row.disabled_ms)
