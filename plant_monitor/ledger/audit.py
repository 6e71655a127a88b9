"""The audit trail: who did what, when. Rows are added in the transaction of the deed, and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from plant_monitor.ledger.database import Database
from plant_monitor.ledger.tables import audit


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One deed. ``detail`` never holds a secret."""

    id: int
    time_ms: int
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]


def note(
    connection: Connection, now_ms: int, actor: str, action: str, subject: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Add an entry, within the transaction of the deed itself."""
    row = {"time_ms": now_ms, "actor": actor, "action": action, "subject": subject, "detail": dict(detail or {})}
    connection.execute(insert(audit).values(**row))


class AuditTrail:
    """The trail as a whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, now_ms: int, actor: str, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        """What is a deed by itself."""
        with self._database.write() as connection:
            note(connection, now_ms, actor, action, subject, detail)

    def list(self, *, limit: int = 1000) -> tuple[AuditEntry, ...]:
        """The newest entries, the newest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(audit).order_by(audit.c.id.desc()).limit(limit)).all()
        return tuple(AuditEntry(*row) for row in rows)
