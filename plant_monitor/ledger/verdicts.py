"""The verdicts as they were last given, and every change of one: what, when, why. Changes are never rewritten."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, fields
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, delete, insert, select, tuple_

from plant_monitor.compliance.history import JudgedDay, VerdictChange, changes
from plant_monitor.ledger.database import Database
from plant_monitor.ledger.tables import judged_days, verdict_changes

_CHANGE = tuple(f.name for f in fields(VerdictChange))


class VerdictBook:
    """All verdicts of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def give(self, days: Mapping[date, JudgedDay], zone: ZoneInfo, *, now_ms: int) -> tuple[VerdictChange, ...]:
        """Keep the verdicts of days; those that differ from what was given before become changes, and are returned.

        ``zone`` that of the plant. What is the same again changes nothing.
        """
        with self._database.read() as connection:
            known = _days(connection, days)
        fresh = {day: judged for day, judged in days.items() if known.get(day) != judged}
        if not fresh:
            return ()
        found = [x for day, judged in fresh.items() if day in known for x in changes(known[day], judged, zone)]
        with self._database.write() as connection:
            connection.execute(delete(judged_days).where(judged_days.c.day.in_([day.isoformat() for day in fresh])))
            connection.execute(insert(judged_days), [_row(day, judged) for day, judged in fresh.items()])
            if found:
                rows = [{**asdict(x), "annotations": list(x.annotations), "changed_ms": now_ms} for x in found]
                connection.execute(insert(verdict_changes), [{k: v for k, v in r.items() if k != "id"} for r in rows])
        return tuple(found)

    def under_other_limits(self, limits: str) -> set[date]:
        """Days whose verdicts were given by other limits than those of this digest."""
        with self._database.read() as connection:
            rows = connection.execute(select(judged_days.c.day).where(judged_days.c.limits != limits)).all()
        return {date.fromisoformat(row.day) for row in rows}

    def changed(
        self,
        *,
        series: Collection[tuple[str, str]] | None = None,
        limit_set: str | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        before_id: int | None = None,
        limit: int | None = None,
    ) -> tuple[VerdictChange, ...]:
        """Changes of verdicts of ``series`` (point, parameter) whose window begins in ``[start_ms, end_ms)``, the
        newest first."""
        query = select(verdict_changes).order_by(verdict_changes.c.id.desc())
        if series is not None:
            pairs = tuple_(verdict_changes.c.point, verdict_changes.c.parameter)
            query = query.where(pairs.in_(sorted(series)))
        if limit_set is not None:
            query = query.where(verdict_changes.c.limit_set == limit_set)
        if start_ms is not None:
            query = query.where(verdict_changes.c.start_ms >= start_ms)
        if end_ms is not None:
            query = query.where(verdict_changes.c.start_ms < end_ms)
        if before_id is not None:
            query = query.where(verdict_changes.c.id < before_id)
        with self._database.read() as connection:
            return tuple(_change(row) for row in connection.execute(query.limit(limit)).all())


def _days(connection: Connection, days: Iterable[date]) -> dict[date, JudgedDay]:
    query = select(judged_days).where(judged_days.c.day.in_([day.isoformat() for day in days]))
    found = {}
    for row in connection.execute(query).all():
        said = {series: tuple(ids) for series, ids in row.said.items()}
        found[date.fromisoformat(row.day)] = JudgedDay(tuple(map(tuple, row.verdicts)), row.limits, said)
    return found


def _row(day: date, judged: JudgedDay) -> dict[str, Any]:
    said = {series: list(ids) for series, ids in judged.said.items()}
    verdicts = [list(x) for x in judged.verdicts]
    return {"day": day.isoformat(), "verdicts": verdicts, "limits": judged.limits, "said": said}


def _change(row: Row[Any]) -> VerdictChange:
    values = {name: getattr(row, name) for name in _CHANGE}
    return VerdictChange(**{**values, "annotations": tuple(row.annotations)})
