"""Objections (异议) of members to lines of issued statements. Nothing is rewritten.

An objection is a case, an alert of its own kind: its life, deadlines, messages, words and files are the case's. Here
stands what it objects to, and how it was decided: closing it decides it, and a granted one names the correction or the
annotation it led to, since a statement is never edited.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from plant_monitor.alerts.attachments import Attachment
from plant_monitor.alerts.lifecycle import Action, Alert, Kind, State, Transition, case
from plant_monitor.alerts.notices import Notices
from plant_monitor.errors import Refused
from plant_monitor.ledger.alerts import AlertFile, acted, alert_of, events_of, files_of, opened
from plant_monitor.ledger.audit import note
from plant_monitor.ledger.database import Database
from plant_monitor.ledger.tables import annotation_rows, objection_decisions, objections, statements

GRANTED, REJECTED = "granted", "rejected"
_LONGEST_ITEM = 96  # of a case's title


@dataclass(frozen=True, slots=True)
class ObjectionEvent:
    """A step of the case. ``decision`` and what it led to only where it was closed."""

    seq: int
    time_ms: int
    transition: Transition
    state: str  # after the step
    actor: str
    comment: str
    decision: str  # granted | rejected | empty
    correction: str  # number of the correction that a granted one led to
    annotation: int | None  # or of the annotation


@dataclass(frozen=True, slots=True)
class Objection:
    """What a member objects to, and how far its case has come."""

    id: int
    statement: str  # number
    member: str
    item: str  # the line; TOTAL: the whole
    reason: str
    alert: Alert
    files: tuple[AlertFile, ...]
    events: tuple[ObjectionEvent, ...]

    @property
    def state(self) -> State:
        """That of its case."""
        return self.alert.state


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
        files: Sequence[Attachment] = (),
        now_ms: int,
        actor: str,
        notices: Notices = lambda _change, _trail: (),
    ) -> Objection:
        """Open the case of an objection. Whether statement, member and line fit is for the caller to check.

        Raises
        ------
        Refused  the member's objection to that line is not closed yet
        """
        subject = f"{statement} {item[:_LONGEST_ITEM]} {member}"
        about = case(Kind.OBJECTION, subject=subject, text=reason, now_ms=now_ms, member=member, series=("", ""))
        with self._database.write() as connection:
            alert = opened(connection, about, actor=actor, comment=reason, files=files, notices=notices)
            values = {"alert_id": alert.id, "statement": statement, "member": member, "item": item, "reason": reason}
            row = connection.execute(insert(objections).values(**values).returning(objections)).one()
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
        annotation: int | None = None,
        assignee: str = "",
        files: Sequence[Attachment] = (),
        notices: Notices = lambda _change, _trail: (),
    ) -> Objection:
        """Take a step of its case; closing decides.

        Raises
        ------
        ActionRefused  the state of its case does not take the action
        Refused        it would be closed without a decision, or granted without a correction that follows its
                       statement or an annotation that stands
        """
        with self._database.write() as connection:
            found = connection.execute(select(objections).where(objections.c.id == objection_id)).one_or_none()
            if found is None:
                raise Refused(f"there is no objection {objection_id}")
            acted(
                connection,
                found.alert_id,
                action,
                actor=actor,
                now_ms=now_ms,
                comment=comment,
                assignee=assignee,
                files=files,
                notices=notices,
            )
            if action is Action.CLOSE:
                _check_decision(connection, found, decision, correction, annotation)
                seq = events_of(connection, found.alert_id)[-1].seq
                led_to = {"correction": correction, "annotation": annotation}
                decided = {"objection_id": objection_id, "seq": seq, "decision": decision, **led_to}
                connection.execute(insert(objection_decisions).values(**decided))
            detail = {"decision": decision, "correction": correction, "annotation": annotation}
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


def _check_decision(
    connection: Connection, known: Row[Any], decision: str, correction: str, annotation: int | None
) -> None:
    if decision not in (GRANTED, REJECTED):
        raise Refused(f"closing an objection decides it: found {decision!r}, expected {GRANTED} or {REJECTED}")
    if decision == REJECTED:
        if correction or annotation is not None:
            raise Refused("a rejected objection leads to no correction and no annotation")
        return
    if annotation is not None:
        _check_annotation(connection, annotation)
    if correction or annotation is None:
        _check_correction(connection, known, correction)


def _check_correction(connection: Connection, known: Row[Any], correction: str) -> None:
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
        expected = f"the number of a correction issued after {known.statement}, or an annotation"
        raise Refused(f"a granted objection leads to a correction: found {correction!r}, expected {expected}")


def _check_annotation(connection: Connection, annotation: int) -> None:
    withdrawal = annotation_rows.alias()
    of = select(annotation_rows.c.withdraws, withdrawal.c.id.label("taken_back")).where(
        annotation_rows.c.id == annotation
    )
    row = connection.execute(
        of.outerjoin_from(annotation_rows, withdrawal, withdrawal.c.withdraws == annotation_rows.c.id)
    ).one_or_none()
    if row is None or row.withdraws is not None or row.taken_back is not None:
        raise Refused(f"found annotation {annotation}, expected one that stands; `annotations list` shows them")


def _objection(connection: Connection, row: Row[Any]) -> Objection:
    query = select(objection_decisions).where(objection_decisions.c.objection_id == row.id)
    decided = {d.seq: (d.decision, d.correction, d.annotation) for d in connection.execute(query)}
    events = tuple(
        ObjectionEvent(
            e.seq, e.time_ms, e.transition, e.snapshot["state"], e.actor, e.comment, *decided.get(e.seq, ("", "", None))
        )
        for e in events_of(connection, row.alert_id)
    )
    alert = alert_of(connection, row.alert_id)
    if alert is None:
        raise LookupError(f"objection {row.id} has no case")  # a foreign key that the database keeps
    return Objection(
        row.id, row.statement, row.member, row.item, row.reason, alert, files_of(connection, row.alert_id), events
    )
