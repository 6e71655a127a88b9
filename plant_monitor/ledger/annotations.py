"""Annotations as they were entered. Nothing is rewritten: taking one back is a further row, with its own reason.

The ids of all rows are one sequence, so what came after an id is what changed since.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select, update

from plant_monitor.annotations import SINGLE, Annotation, Kind
from plant_monitor.errors import InputError
from plant_monitor.ledger.audit import note
from plant_monitor.ledger.database import Database
from plant_monitor.ledger.tables import annotation_rows as entries
from plant_monitor.ledger.tables import progress

_SAID = ("point", "parameter", "start_ms", "end_ms", "value", "closing", "opening", "reason", "evidence")
_WITHDRAWAL = "withdrawal"
_JUDGED = "annotations judged"


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """When, by whom and why an annotation was taken back."""

    time_ms: int
    author: str
    reason: str


@dataclass(frozen=True, slots=True)
class StoredAnnotation:
    """An annotation; ``withdrawn`` None while it stands."""

    annotation: Annotation
    withdrawn: Withdrawal | None = None


class AnnotationLog:
    """All annotations of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, annotation: Annotation, *, now_ms: int, actor: str) -> Annotation:
        """Keep an annotation; it stands from now on. Whether it fits the plant is for the caller to check.

        Raises
        ------
        InputError  another manual value or meter exchange speaks of the same series and time
        """
        with self._database.write() as connection:
            if annotation.kind in SINGLE:
                _refuse_second(connection, annotation)
            said = {name: getattr(annotation, name) for name in _SAID}
            row = insert(entries).values(kind=str(annotation.kind), **said, entered_ms=now_ms, entered_by=actor)
            key = connection.execute(row).inserted_primary_key
            stored = replace(annotation, id=int(key[0]) if key else 0, author=actor, entered_ms=now_ms)
            about = {"kind": str(stored.kind), "point": stored.point, "parameter": stored.parameter}
            note(connection, now_ms, actor, "annotation.add", str(stored.id), about)
        return stored

    def withdraw(self, number: int, reason: str, *, now_ms: int, actor: str) -> StoredAnnotation | None:
        """Take an annotation back; None where there is none of that number.

        Raises
        ------
        InputError  no reason, or it has been taken back already
        """
        if not reason.strip():
            raise InputError(f"annotation {number}: no reason stated for taking it back")
        with self._database.write() as connection:
            stored = _find(connection, entries.c.id == number)
            if not stored:
                return None
            was = stored[0]
            if was.withdrawn is not None:
                raise InputError(f"annotation {number} has been withdrawn already: {was.withdrawn.reason}")
            said = {name: getattr(was.annotation, name) for name in _SAID} | {"reason": reason, "evidence": ""}
            row = {"kind": _WITHDRAWAL, **said, "withdraws": number, "entered_ms": now_ms, "entered_by": actor}
            connection.execute(insert(entries).values(**row))
            note(connection, now_ms, actor, "annotation.withdraw", str(number), {"reason": reason})
        return replace(was, withdrawn=Withdrawal(now_ms, actor, reason))

    def standing(self, until: int | None = None) -> tuple[Annotation, ...]:
        """Every annotation that stands; or that stood after the row ``until``."""
        with self._database.read() as connection:
            return tuple(s.annotation for s in _find(connection, until=until) if s.withdrawn is None)

    def find(
        self,
        *,
        points: Collection[str] | None = None,
        parameter: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        before_id: int | None = None,
        limit: int | None = None,
    ) -> tuple[StoredAnnotation, ...]:
        """Annotations that touch ``[start_ms, end_ms)``, withdrawn ones too, the newest first."""
        wanted: list[Any] = []
        if points is not None:
            wanted.append(entries.c.point.in_(sorted(points)))
        if parameter is not None:
            wanted.append(entries.c.parameter.in_(("", parameter)))
        if end_ms is not None:
            wanted.append(entries.c.start_ms < end_ms)
        if start_ms is not None:
            wanted.append((entries.c.end_ms > start_ms) | (entries.c.start_ms >= start_ms))
        if before_id is not None:
            wanted.append(entries.c.id < before_id)
        with self._database.read() as connection:
            return _find(connection, *wanted, limit=limit)

    def changed(self, since: int) -> tuple[int, tuple[Annotation, ...]]:
        """The id of the last row, and the annotations that came or were taken back after the row ``since``."""
        with self._database.read() as connection:
            rows = connection.execute(select(entries).where(entries.c.id > since)).all()
            ids = {row.withdraws or row.id for row in rows}
            found = _find(connection, entries.c.id.in_(ids)) if ids else ()
        return max((row.id for row in rows), default=since), tuple(s.annotation for s in found)

    def judged(self) -> int:
        """Up to which row the verdicts know all annotations."""
        with self._database.read() as connection:
            return connection.execute(select(progress.c.done).where(progress.c.name == _JUDGED)).scalar() or 0

    def judged_until(self, row: int) -> None:
        """The verdicts know all annotations up to a row."""
        with self._database.write() as connection:
            done = update(progress).where(progress.c.name == _JUDGED).values(done=row)
            if connection.execute(done).rowcount == 0:
                connection.execute(insert(progress).values(name=_JUDGED, done=row))


def _find(
    connection: Connection, *wanted: Any, limit: int | None = None, until: int | None = None
) -> tuple[StoredAnnotation, ...]:
    """Annotations, each with its withdrawal, as known after the row ``until``; the newest first."""
    taken_back = entries.alias("taken_back")
    withdrawn = taken_back.c.withdraws == entries.c.id
    if until is not None:
        withdrawn = and_(withdrawn, taken_back.c.id <= until)
        wanted = (*wanted, entries.c.id <= until)
    query = (
        select(
            entries,
            taken_back.c.entered_ms.label("back_ms"),
            taken_back.c.entered_by.label("back_by"),
            taken_back.c.reason.label("back_reason"),
        )
        .select_from(entries.outerjoin(taken_back, withdrawn))
        .where(and_(entries.c.withdraws.is_(None), *wanted))
        .order_by(entries.c.id.desc())
    )
    return tuple(_stored(row) for row in connection.execute(query if limit is None else query.limit(limit)).all())


def _stored(row: Row[Any]) -> StoredAnnotation:
    said = {name: getattr(row, name) for name in _SAID}
    one = Annotation(Kind(row.kind), **said, id=row.id, author=row.entered_by, entered_ms=row.entered_ms)
    back = None if row.back_ms is None else Withdrawal(row.back_ms, row.back_by, row.back_reason)
    return StoredAnnotation(one, back)


def _refuse_second(connection: Connection, new: Annotation) -> None:
    """Two values for one instant would leave open which of them counts."""
    same = [entries.c[name] == getattr(new, name) for name in ("point", "parameter")]
    for stored in _find(connection, entries.c.kind == str(new.kind), *same):
        old = stored.annotation
        apart = new.start_ms >= max(old.end_ms, old.start_ms + 1) or old.start_ms >= max(new.end_ms, new.start_ms + 1)
        if stored.withdrawn is None and not apart:
            raise InputError(f"annotation {old.id} is a {new.kind} of that series and time already: withdraw it first")
