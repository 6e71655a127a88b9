"""API keys: random, shown once, kept as a digest.

A key reads ``pm_PREFIX_SECRET``. The prefix finds the row and may be shown; the digest is SHA-256 of the
whole key. No salt and no slow hash: the secret has 256 random bits, so nothing can be guessed from it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, insert, select, update

from plant_monitor.errors import InputError
from plant_monitor.ledger.audit import note
from plant_monitor.ledger.database import Database
from plant_monitor.ledger.tables import api_keys

_NO_DIGEST = hashlib.sha256(b"").hexdigest()


class KeyRole(StrEnum):
    """What the holder of a key or an account may do."""

    OPERATOR = "operator"
    MEMBER = "member"
    OFFICER = "officer"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. ``member`` is empty unless the role is member."""

    id: int
    prefix: str
    role: KeyRole
    member: str
    label: str
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None

    def usable(self, now_ms: int) -> bool:
        """False once revoked or expired."""
        return self.revoked_ms is None and (self.expires_ms is None or now_ms < self.expires_ms)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: the only time its ``secret`` is seen."""

    key: ApiKey
    secret: str


class KeyRing:
    """All keys of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        role: str,
        *,
        now_ms: int,
        member: str = "",
        label: str = "",
        expires_ms: int | None = None,
        actor: str = "cli",
    ) -> NewKey:
        """Make a key. Whether ``member`` exists is for the caller to check: the ledger knows no plant.

        Raises
        ------
        InputError  an unknown role; a member's key without member, or another's with one; already expired
        """
        chosen = checked_role(role, member, "key")
        if expires_ms is not None and expires_ms <= now_ms:
            raise InputError("key: found an expiry in the past, expected a later time or none")
        secret = f"pm_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
        row: dict[str, Any] = {
            "prefix": _prefix(secret),
            "digest": _digest(secret),
            "role": str(chosen),
            "member": member,
            "label": label,
            "created_ms": now_ms,
            "expires_ms": expires_ms,
        }
        with self._database.write() as connection:
            found = connection.execute(insert(api_keys).values(**row).returning(api_keys)).one()
            note(connection, now_ms, actor, "key.add", row["prefix"], {"role": str(chosen), "member": member})
        return NewKey(_key(found), secret)

    def find(self, secret: str, now_ms: int) -> ApiKey | None:
        """The usable key that was handed out as ``secret``; None for every other text, in the same time."""
        with self._database.read() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.prefix == _prefix(secret))).one_or_none()
        right = hmac.compare_digest(_digest(secret), row.digest if row is not None else _NO_DIGEST)
        if row is None or not right:
            return None
        key = _key(row)
        return key if key.usable(now_ms) else None

    def list(self) -> tuple[ApiKey, ...]:
        """All keys, also revoked and expired ones, in the order they were made."""
        with self._database.read() as connection:
            rows = connection.execute(select(api_keys).order_by(api_keys.c.id)).all()
        return tuple(_key(row) for row in rows)

    def revoke(self, prefix: str, *, now_ms: int, actor: str = "cli") -> ApiKey:
        """End a key for good; revoking again changes nothing.

        Raises
        ------
        InputError  no key has this prefix
        """
        with self._database.write() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.prefix == prefix)).one_or_none()
            if row is None:
                raise InputError(f"keys: found no key with prefix {prefix!r}, expected one that `keys list` shows")
            if row.revoked_ms is None:
                change = update(api_keys).where(api_keys.c.id == row.id).values(revoked_ms=now_ms)
                row = connection.execute(change.returning(api_keys)).one()
                note(connection, now_ms, actor, "key.revoke", prefix)
        return _key(row)


def checked_role(role: str, member: str, what: str) -> KeyRole:
    """The role of a key or an account.

    Raises
    ------
    InputError  an unknown role; a member's without member, or another's with one
    """
    if role not in list(KeyRole):
        raise InputError(f"{what}: found role {role!r}, expected one of {', '.join(KeyRole)}")
    chosen = KeyRole(role)
    if (chosen is KeyRole.MEMBER) != bool(member):
        expected = "the id of its member" if chosen is KeyRole.MEMBER else "no member"
        raise InputError(f"{what} for role {chosen}: found member {member!r}, expected {expected}")
    return chosen


def _prefix(secret: str) -> str:
    parts = secret.split("_", 2)
    return parts[1][:16] if len(parts) == 3 and parts[0] == "pm" else ""


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        row.id,
        row.prefix,
        KeyRole(row.role),
        row.member,
        row.label,
        row.created_ms,
        row.expires_ms,
        row.revoked_ms,
    )
