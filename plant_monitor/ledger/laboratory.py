"""Laboratory results as they were entered. Nothing is rewritten: a corrected result is a further row.

Of several for one sample (point, parameter, start, end, laboratory, method) the one entered last stands; the
others stay, with who entered them and when.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, select

from plant_monitor.compliance.laboratory import LabResult
from plant_monitor.ledger.audit import note
from plant_monitor.ledger.database import Database
from plant_monitor.ledger.tables import lab_results

_SAMPLE = ("point", "parameter", "start_ms", "end_ms", "laboratory", "method")
_RESULT = tuple(f.name for f in fields(LabResult))


@dataclass(frozen=True, slots=True)
class StoredLabResult:
    """A result, who entered it, and when."""

    id: int
    result: LabResult
    entered_ms: int
    entered_by: str


@dataclass(frozen=True, slots=True)
class LabTaken:
    """What became of results that were handed in."""

    new: int = 0
    known: int = 0
    replaced: int = 0


class LabBook:
    """All laboratory results of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, results: Iterable[LabResult], *, now_ms: int, actor: str) -> LabTaken:
        """Keep results, all or none. The standing one of a sample again changes nothing; another replaces it.

        Whether point, parameter and unit fit the plant is for the caller to check: the ledger knows no plant.
        """
        new = known = replaced = 0
        with self._database.write() as connection:
            for result in results:
                standing = _standing(connection, result)
                if standing == result:
                    known += 1
                    continue
                values = {name: getattr(result, name) for name in _RESULT}
                row = insert(lab_results).values(**values, entered_ms=now_ms, entered_by=actor)
                connection.execute(row)
                new, replaced = (new + 1, replaced) if standing is None else (new, replaced + 1)
            if new or replaced:
                note(connection, now_ms, actor, "lab.add", "", {"new": new, "known": known, "replaced": replaced})
        return LabTaken(new, known, replaced)

    def find(
        self,
        *,
        points: Collection[str] | None = None,
        parameter: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
    ) -> tuple[StoredLabResult, ...]:
        """The standing results whose sample touches ``[start_ms, end_ms)``, by point, parameter and time."""
        query = _latest()
        if points is not None:
            query = query.where(lab_results.c.point.in_(sorted(points)))
        if parameter is not None:
            query = query.where(lab_results.c.parameter == parameter)
        if end_ms is not None:
            query = query.where(lab_results.c.start_ms < end_ms)
        if start_ms is not None:
            # A grab sample has no length; it lies where it starts.
            query = query.where((lab_results.c.end_ms > start_ms) | (lab_results.c.start_ms >= start_ms))
        order = (lab_results.c[name] for name in (*_SAMPLE, "id"))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(*order)).all()
        return tuple(_stored(row) for row in rows)

    def history(self, result: LabResult) -> tuple[StoredLabResult, ...]:
        """Everything that was entered for the sample of a result, in the order it was."""
        query = select(lab_results).where(_same_sample(result)).order_by(lab_results.c.id)
        with self._database.read() as connection:
            return tuple(_stored(row) for row in connection.execute(query).all())


def _latest() -> Select[Any]:
    newest = select(func.max(lab_results.c.id)).group_by(*(lab_results.c[name] for name in _SAMPLE))
    return select(lab_results).where(lab_results.c.id.in_(newest))


def _standing(connection: Connection, result: LabResult) -> LabResult | None:
    query = select(lab_results).where(_same_sample(result)).order_by(lab_results.c.id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else _stored(row).result


def _same_sample(result: LabResult) -> Any:
    return and_(*(lab_results.c[name] == getattr(result, name) for name in _SAMPLE))


def _stored(row: Row[Any]) -> StoredLabResult:
    result = LabResult(**{name: getattr(row, name) for name in _RESULT})
    return StoredLabResult(row.id, result, row.entered_ms, row.entered_by)
