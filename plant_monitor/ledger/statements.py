"""Statements of cost (结算单) as documents. A number names one content for ever; a new content gets a new number.

Of a period there may be many drafts, one statement that is issued, and a chain of corrections after it. The
database refuses whatever would change a document (``migrations/versions/v0003``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from plant_monitor.errors import Refused
from plant_monitor.ledger.audit import note
from plant_monitor.ledger.database import Database
from plant_monitor.ledger.tables import statements


@dataclass(frozen=True, slots=True)
class StatementHead:
    """A statement as a list shows it. ``total_fen`` is the sum over all members; of a correction the difference."""

    id: int
    number: str  # PERIOD-NN
    period: str  # 2026-10 or 2026-Q4
    kind: str  # statement | correction
    state: str  # draft | superseded (a newer draft of the period exists) | issued
    created_ms: int
    plant_digest: str
    total_fen: int
    predecessor: str  # corrections: the document before it
    cause: str  # corrections: why
    issued_ms: int | None
    issued_by: str
    override_reason: str  # why it was issued with blocking findings
    lines: tuple[Mapping[str, Any], ...]  # the rows of statement.csv


@dataclass(frozen=True, slots=True)
class StoredStatement(StatementHead):
    """All of a statement."""

    document: Mapping[str, Any]  # statement.json
    volumes: tuple[Mapping[str, Any], ...]  # the rows of volumes.csv
    plant_text: str  # plant.yaml it rests on; empty where nobody kept it


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
        plant_text: str = "",
    ) -> StoredStatement:
        """Keep a draft. The content of the newest document again changes nothing; a new draft supersedes the last.

        Everything must be JSON: numbers that must stay exact are passed as text.
        """
        content = _content(plant_digest, total_fen, document, lines, volumes)
        digest = _digest(content)
        of_period = statements.c.period == period
        with self._database.write() as connection:
            newest = connection.execute(select(statements).where(of_period).order_by(statements.c.id.desc()).limit(1))
            last = newest.one_or_none()
            if last is not None and last.digest == digest:
                return _statement(last)
            drafts = update(statements).where(of_period, statements.c.state == "draft")
            connection.execute(drafts.values(state="superseded"))
            values = {"state": "draft", "digest": digest, "created_ms": now_ms, "plant_text": plant_text, **content}
            row = _add(connection, period, values)
            note(connection, now_ms, actor, "statement.save", row.number, {"digest": digest})
        return _statement(row)

    def issue(self, number: str, *, override_reason: str, now_ms: int, actor: str) -> StoredStatement:
        """Issue a draft: from now on it never changes.

        Raises
        ------
        Refused  it is no draft any more, or its period has an issued statement
        """
        with self._database.write() as connection:
            row = _row(connection, number)
            _require_draft(row)
            first = _chain(connection, row.period)
            if first:
                raise Refused(f"{row.period} is issued as {first[0].number}; what differs now is a correction")
            values = {"state": "issued", "issued_ms": now_ms, "issued_by": actor, "override_reason": override_reason}
            change = update(statements).where(statements.c.number == number).values(**values)
            row = connection.execute(change.returning(statements)).one()
            detail = {"digest": row.digest, "override": override_reason}
            note(connection, now_ms, actor, "statement.issue", number, detail)
        return _statement(row)

    def correct(
        self,
        draft: str,
        *,
        predecessor: str,
        cause: str,
        total_fen: int,
        document: Mapping[str, Any],
        lines: Sequence[Mapping[str, Any]],
        volumes: Sequence[Mapping[str, Any]],
        override_reason: str,
        now_ms: int,
        actor: str,
    ) -> StoredStatement:
        """Issue a correction after ``predecessor``, made from a draft, which it supersedes.

        Raises
        ------
        Refused  the draft is none any more, or ``predecessor`` is not the end of its period's chain
        """
        with self._database.write() as connection:
            row = _row(connection, draft)
            _require_draft(row)
            chain = _chain(connection, row.period)
            if not chain or chain[-1].number != predecessor:
                raise Refused(f"{predecessor} is not the last issued document of {row.period}")
            connection.execute(update(statements).where(statements.c.number == draft).values(state="superseded"))
            content = _content(row.plant_digest, total_fen, document, lines, volumes)
            issued = {"state": "issued", "issued_ms": now_ms, "issued_by": actor, "override_reason": override_reason}
            about = {"kind": "correction", "predecessor": predecessor, "cause": cause, "plant_text": row.plant_text}
            values = {**content, **issued, **about, "digest": _digest(content), "created_ms": now_ms}
            row = _add(connection, row.period, values)
            detail = {"digest": row.digest, "predecessor": predecessor, "cause": cause, "override": override_reason}
            note(connection, now_ms, actor, "statement.correct", row.number, detail)
        return _statement(row)

    def chain(self, period: str) -> tuple[StoredStatement, ...]:
        """The issued documents of a period: the statement, then its corrections."""
        with self._database.read() as connection:
            return tuple(_statement(row) for row in _chain(connection, period))

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

    def plant_text(self, plant_digest: str) -> str | None:
        """The plant.yaml of a digest, where a statement was kept with it."""
        query = select(statements.c.plant_text).where(
            statements.c.plant_digest == plant_digest, statements.c.plant_text != ""
        )
        with self._database.read() as connection:
            return connection.execute(query.limit(1)).scalar_one_or_none()


def _content(
    plant_digest: str,
    total_fen: int,
    document: Mapping[str, Any],
    lines: Sequence[Mapping[str, Any]],
    volumes: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    return {
        "plant_digest": plant_digest,
        "total_fen": total_fen,
        "document": dict(document),
        "lines": [dict(row) for row in lines],
        "volumes": [dict(row) for row in volumes],
    }


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _add(connection: Connection, period: str, values: Mapping[str, Any]) -> Row[Any]:
    """A new row under the next number of its period."""
    of_period = select(func.count()).where(statements.c.period == period)
    number = f"{period}-{connection.execute(of_period).scalar_one() + 1:02d}"
    new = insert(statements).values(number=number, period=period, **values)
    return connection.execute(new.returning(statements)).one()


def _row(connection: Connection, number: str) -> Row[Any]:
    row = connection.execute(select(statements).where(statements.c.number == number)).one_or_none()
    if row is None:
        raise Refused(f"there is no statement {number!r}")
    return row


def _require_draft(row: Row[Any]) -> None:
    if row.state != "draft":
        what = "is issued: it never changes" if row.state == "issued" else "is superseded by a newer draft"
        raise Refused(f"{row.number} {what}")


def _chain(connection: Connection, period: str) -> Sequence[Row[Any]]:
    issued = select(statements).where(statements.c.period == period, statements.c.state == "issued")
    return connection.execute(issued.order_by(statements.c.id)).all()


def _head(row: Row[Any]) -> dict[str, Any]:
    values = {f.name: getattr(row, f.name) for f in fields(StatementHead)}
    return {**values, "lines": tuple(row.lines)}


def _statement(row: Row[Any]) -> StoredStatement:
    return StoredStatement(**_head(row), document=row.document, volumes=tuple(row.volumes), plant_text=row.plant_text)
