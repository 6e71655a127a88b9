"""Mutes as they were entered. Nothing is rewritten: lifting one is a further row, with its own reason."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, insert, select

from plant_monitor.alerts.mutes import Mute
from plant_monitor.errors import Refused
from plant_monitor.ledger.audit import note
from plant_monitor.ledger.database import Database
from plant_monitor.ledger.tables import mutes

_SAID = ("kind", "point", "parameter", "start_ms", "end_ms", "reason")


class MuteLog:
    """All mutes of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, mute: Mute, *, now_ms: int, actor: str) -> Mute:
        """Keep a mute. Whether it fits the plant is for the caller to check."""
        said = {name: getattr(mute, name) for name in _SAID}
        with self._database.write() as connection:
            row = insert(mutes).values(**said, entered_ms=now_ms, entered_by=actor).returning(mutes.c.id)
            stored = replace(mute, id=connection.execute(row).scalar_one(), author=actor, entered_ms=now_ms)
            note(connection, now_ms, actor, "mute.add", str(stored.id), {**said, "reason": mute.reason[:200]})
        return stored

    def lift(self, number: int, reason: str, *, now_ms: int, actor: str) -> Mute | None:
        """End a mute before its end; None where there is none of that number.

        Raises
        ------
        Refused  it is over or lifted already
        """
        with self._database.write() as connection:
            was = next((mute for mute in _find(connection) if mute.id == number), None)
            if was is None:
                return None
            if was.until_ms <= now_ms or was.lifted_ms is not None:
                raise Refused(f"mute {number} is over already")
            said = {name: getattr(was, name) for name in _SAID} | {"reason": reason}
            row = {**said, "lifts": number, "entered_ms": now_ms, "entered_by": actor}
            connection.execute(insert(mutes).values(**row))
            note(connection, now_ms, actor, "mute.lift", str(number), {"reason": reason[:200]})
        return replace(was, lifted_ms=now_ms, lifted_by=actor, lifted_reason=reason)

    def find(self) -> tuple[Mute, ...]:
        """All of them, planned ones and those that are over too, the newest first."""
        with self._database.read() as connection:
            return _find(connection)


def _find(connection: Connection) -> tuple[Mute, ...]:
    rows = connection.execute(select(mutes).order_by(mutes.c.id.desc())).all()
    lifted = {row.lifts: row for row in rows if row.lifts is not None}
    found = []
    for row in (row for row in rows if row.lifts is None):
        said = {name: getattr(row, name) for name in _SAID}
        one = Mute(**said, id=row.id, entered_ms=row.entered_ms, author=row.entered_by)
        if (back := lifted.get(row.id)) is not None:
            one = replace(one, lifted_ms=back.entered_ms, lifted_by=back.entered_by, lifted_reason=back.reason)
        found.append(one)
    return tuple(found)
