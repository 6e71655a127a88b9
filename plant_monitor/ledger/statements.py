"""Statements of cost (结算单) as documents. A number names one content for ever; a new content gets a new number."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from plant_monitor.ledger.audit import note
from plant_monitor.ledger.database import Database
from plant_monitor.ledger.tables import statements


@dataclass(frozen=True, slots=True)
class StatementHead:
    """A statement as a list shows it. ``total_fen`` is the sum over all members."""

    id: int
    number: str  # PERIOD-NN
    period: str  # 2026-10 or 2026-Q4
    state: str  # draft | superseded (a newer draft of the period exists) | issued
    created_ms: int
    plant_digest: str
    total_fen: int
    lines: tuple[Mapping[str, Any], ...]  # the rows of statement.csv


@dataclass(frozen=True, slots=True)
class StoredStatement(StatementHead):
    """All of a statement."""

    document: Mapping[str, Any]  # statement.json
    volumes: tuple[Mapping[str, Any], ...]  # the rows of volumes.csv


_HEAD = [statements.c[f.name] for f in fields(StatementHead)]


class StatementBook:
    """All statements of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(
        self,
        *,
        period: str,
        plant_digest: str,
        total_fen: int,
        document: Mapping[str, Any],
        lines: Sequence[Mapping[str, Any]],
        volumes: Sequence[Mapping[str, Any]],
        now_ms: int,
        actor: str = "monitor",
    ) -> StoredStatement:
        """Keep a draft. The content of the current draft again changes nothing; a new one supersedes it.

        Everything must be JSON: numbers that must stay exact are passed as text.
        """
        content = {
            "plant_digest": plant_digest,
            "total_fen": total_fen,
            "document": dict(document),
            "lines": [dict(row) for row in lines],
            "volumes": [dict(row) for row in volumes],
        }
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, allow_nan=False)
        digest = hashlib.sha256(text.encode()).hexdigest()
        of_period = statements.c.period == period
        with self._database.write() as connection:
            newest = connection.execute(select(statements).where(of_period).order_by(statements.c.id.desc()).limit(1))
            last = newest.one_or_none()
            if last is not None and last.digest == digest:
                return _statement(last)
            count = connection.execute(select(func.count()).where(of_period)).scalar_one()
            drafts = update(statements).where(of_period, statements.c.state == "draft")
            connection.execute(drafts.values(state="superseded"))
            values = {"number": f"{period}-{count + 1:02d}", "period": period, "state": "draft", "digest": digest}
            new = insert(statements).values(**values, created_ms=now_ms, **content)
            row = connection.execute(new.returning(statements)).one()
            note(connection, now_ms, actor, "statement.save", values["number"], {"digest": digest})
        return _statement(row)

    def get(self, number: str) -> StoredStatement | None:
        """The statement of a number, or None."""
        with self._database.read() as connection:
            row = connection.execute(select(statements).where(statements.c.number == number)).one_or_none()
        return None if row is None else _statement(row)

    def find(
        self, *, period: str | None = None, before_id: int | None = None, limit: int = 100
    ) -> tuple[StatementHead, ...]:
        """The newest first; ``before_id`` goes on below a page."""
        query = select(*_HEAD).order_by(statements.c.id.desc()).limit(limit)
        if period is not None:
            query = query.where(statements.c.period == period)
        if before_id is not None:
            query = query.where(statements.c.id < before_id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(StatementHead(**_head(row)) for row in rows)


def _head(row: Row[Any]) -> dict[str, Any]:
    values = {f.name: getattr(row, f.name) for f in fields(StatementHead)}
    return {**values, "lines": tuple(row.lines)}


def _statement(row: Row[Any]) -> StoredStatement:
    return StoredStatement(**_head(row), document=row.document, volumes=tuple(row.volumes))
