"""Objections (异议) of members to lines of issued statements, with their trail. Nothing is rewritten.

An objection lives like an alert (``alerts.lifecycle``): open → acknowledged → replied → closed, or reopened by
the member. Closing it decides it. A granted one names the correction it led to: a statement is never edited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from plant_monitor.alerts.lifecycle import NEXT, Action, State
from plant_monitor.errors import Refused
from plant_monitor.ledger.audit import note
from plant_monitor.ledger.database import Database
from plant_monitor.ledger.tables import objection_events, objections, statements

GRANTED, REJECTED = "granted", "rejected"


@dataclass(frozen=True, slots=True)
class ObjectionEvent:
    """A step: who did what, when, in which words. ``decision`` and ``correction`` only where it was closed."""

    seq: int
    time_ms: int
    state: str  # after the step
    actor: str
    comment: str
    decision: str  # granted | rejected | empty
    correction: str  # number of the correction that a granted one led to


@dataclass(frozen=True, slots=True)
class Objection:
    """What a member objects to, and how far it has come."""

    id: int
    statement: str  # number
    member: str
    item: str  # the line; TOTAL: the whole
    reason: str
    attachments: tuple[Mapping[str, str], ...]  # name, media_type, sha256, content (base64)
    events: tuple[ObjectionEvent, ...]

    @property
    def state(self) -> State:
        """As the last step left it."""
        return State(self.events[-1].state)


class ObjectionBook:
    """All objections of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        *,
        statement: str,
        member: str,
        item: str,
        reason: str,
        attachments: Sequence[Mapping[str, str]],
        now_ms: int,
        actor: str,
    ) -> Objection:
        """Keep an objection. Whether statement, member and line fit is for the caller to check."""
        values = {"statement": statement, "member": member, "item": item, "reason": reason}
        with self._database.write() as connection:
            row = connection.execute(
                insert(objections).values(**values, attachments=[dict(a) for a in attachments]).returning(objections)
            ).one()
            _step(connection, row.id, now_ms, State.OPEN, actor, reason)
            note(connection, now_ms, actor, "objection.add", str(row.id), {**values, "reason": reason[:200]})
            return _objection(connection, row)

    def act(
        self,
        objection_id: int,
        action: Action,
        *,
        comment: str,
        now_ms: int,
        actor: str,
        decision: str = "",
        correction: str = "",
    ) -> Objection:
        """Take a step.

        Raises
        ------
        Refused  its state does not take the action; it would be closed without a decision; or it would be granted
                 without a correction that follows its statement
        """
        with self._database.write() as connection:
            found = connection.execute(select(objections).where(objections.c.id == objection_id)).one_or_none()
            if found is None:
                raise Refused(f"there is no objection {objection_id}")
            known = _objection(connection, found)
            after = NEXT.get((known.state, action))
            if after is None:
                raise Refused(f"an objection that is {known.state} does not take the action {action!s}")
            if action is Action.CLOSE:
                _check_decision(connection, known, decision, correction)
            _step(connection, objection_id, now_ms, after, actor, comment, decision, correction)
            detail = {"decision": decision, "correction": correction}
            note(connection, now_ms, actor, f"objection.{action!s}", str(objection_id), detail)
            return _objection(connection, found)

    def get(self, objection_id: int) -> Objection | None:
        """The objection of an id, or None."""
        with self._database.read() as connection:
            row = connection.execute(select(objections).where(objections.c.id == objection_id)).one_or_none()
            return None if row is None else _objection(connection, row)

    def find(
        self,
        *,
        member: str | None = None,
        statement: str | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> tuple[Objection, ...]:
        """The newest first; ``before_id`` goes on below a page."""
        query = select(objections).order_by(objections.c.id.desc()).limit(limit)
        if member is not None:
            query = query.where(objections.c.member == member)
        if statement is not None:
            query = query.where(objections.c.statement == statement)
        if before_id is not None:
            query = query.where(objections.c.id < before_id)
        with self._database.read() as connection:
            return tuple(_objection(connection, row) for row in connection.execute(query).all())


def _check_decision(connection: Connection, known: Objection, decision: str, correction: str) -> None:
    if decision not in (GRANTED, REJECTED):
        raise Refused(f"closing an objection decides it: found {decision!r}, expected {GRANTED} or {REJECTED}")
    if decision == REJECTED:
        if correction:
            raise Refused("a rejected objection leads to no correction")
        return
    of = {n: connection.execute(select(statements).where(statements.c.number == n)).one_or_none()
          for n in (known.statement, correction)}  # fmt: skip
    objected, follows = of[known.statement], of[correction]
    fits = (
        objected is not None
        and follows is not None
        and follows.kind == "correction"
        and follows.period == objected.period
        and follows.id > objected.id
    )
    if not fits:
        expected = f"the number of a correction issued after {known.statement}"
        raise Refused(f"a granted objection leads to a correction: found {correction!r}, expected {expected}")


def _step(
    connection: Connection,
    objection_id: int,
    now_ms: int,
    state: State,
    actor: str,
    comment: str,
    decision: str = "",
    correction: str = "",
) -> None:
    last = select(func.count()).where(objection_events.c.objection_id == objection_id)
    row = {
        "objection_id": objection_id,
        "seq": connection.execute(last).scalar_one() + 1,
        "time_ms": now_ms,
        "state": str(state),
        "actor": actor,
        "comment": comment,
        "decision": decision,
        "correction": correction,
    }
    connection.execute(insert(objection_events).values(**row))


def _objection(connection: Connection, row: Row[Any]) -> Objection:
    columns = [objection_events.c[f.name] for f in fields(ObjectionEvent)]
    query = select(*columns).where(objection_events.c.objection_id == row.id).order_by(objection_events.c.seq)
    events = tuple(ObjectionEvent(*event) for event in connection.execute(query).all())
    return Objection(row.id, row.statement, row.member, row.item, row.reason, tuple(row.attachments), events)
