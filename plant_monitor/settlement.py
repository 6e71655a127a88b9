"""Statements from draft to issue to correction, and proof that one is what the store says.

    readings, costs --draft--> draft --issue--> statement --correct--> correction --correct--> …

A draft may be replaced as often as one likes. What is issued never changes: later it can only be followed by
a correction, which holds the differences and their cause, so the chain of a period always sums to the
recomputed truth. The book of statements and the readings are handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from plant_monitor import monitor
from plant_monitor.allocation.correction import (
    changes_nothing,
    correction,
    correction_rows,
    correction_volume_rows,
    differences,
    truth,
)
from plant_monitor.allocation.documents import STATEMENT_HEADER, VOLUMES_HEADER, document, statement_rows, volume_rows
from plant_monitor.allocation.exact import decimal_of, plain_text
from plant_monitor.allocation.explain import explain_statement
from plant_monitor.allocation.findings import BLOCKING
from plant_monitor.allocation.running import Running, running_document
from plant_monitor.allocation.split import CostItem
from plant_monitor.allocation.statement import RULE_VERSION, Period, Statement
from plant_monitor.allocation.tariff import TARIFF_BASIS
from plant_monitor.errors import InputError, Refused
from plant_monitor.plant import VOLUME, Name, Plant, Point
from plant_monitor.readings import ReadingSource
from plant_monitor.windows import local_day, parse_rfc3339, rfc3339

# ruff: noqa: D102  the ledger's own docstrings say what these are

Row = Mapping[str, Any]


class StatementHead(Protocol):
    """A statement of the book as a list shows it."""

    @property
    def id(self) -> int: ...
    @property
    def number(self) -> str: ...
    @property
    def period(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def created_ms(self) -> int: ...
    @property
    def plant_digest(self) -> str: ...
    @property
    def total_fen(self) -> int: ...
    @property
    def predecessor(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def issued_ms(self) -> int | None: ...
    @property
    def issued_by(self) -> str: ...
    @property
    def override_reason(self) -> str: ...
    @property
    def lines(self) -> tuple[Row, ...]: ...


class StoredStatement(StatementHead, Protocol):
    """All of a statement."""

    @property
    def document(self) -> Mapping[str, Any]: ...
    @property
    def volumes(self) -> tuple[Row, ...]: ...


class Book(Protocol):
    """Where statements are kept."""

    def get(self, number: str) -> StoredStatement | None: ...
    def chain(self, period: str) -> Sequence[StoredStatement]: ...
    def find(
        self, *, period: str | None = None, before_id: int | None = None, limit: int = 100
    ) -> Sequence[StatementHead]: ...
    def save(
        self,
        *,
        period: str,
        plant_digest: str,
        total_fen: int,
        document: Mapping[str, Any],
        lines: Sequence[Row],
        volumes: Sequence[Row],
        now_ms: int,
        actor: str = "monitor",
        plant_text: str = "",
    ) -> StoredStatement: ...
    def issue(self, number: str, *, override_reason: str, now_ms: int, actor: str) -> StoredStatement: ...
    def correct(
        self,
        draft: str,
        *,
        predecessor: str,
        cause: str,
        total_fen: int,
        document: Mapping[str, Any],
        lines: Sequence[Row],
        volumes: Sequence[Row],
        override_reason: str,
        now_ms: int,
        actor: str,
    ) -> StoredStatement: ...


@dataclass(frozen=True, slots=True)
class Deed:
    """Who acts, when, and why although something is blocking."""

    actor: str
    now_ms: int
    override_reason: str = ""


def draft(book: Book, made: Statement | Running, deed: Deed) -> StoredStatement:
    """Keep a statement, or the bill so far of a running period, as the period's draft."""
    statement = made.so_far if isinstance(made, Running) else made
    return book.save(
        period=statement.period.label,
        plant_digest=statement.plant.digest,
        total_fen=statement.total_fen,
        document=running_document(made) if isinstance(made, Running) else document(made),
        lines=_rows(STATEMENT_HEADER, statement_rows(statement)),
        volumes=_rows(VOLUMES_HEADER, volume_rows(statement)),
        now_ms=deed.now_ms,
        actor=deed.actor,
        plant_text=statement.plant.source_text,
    )


def issue(book: Book, plant: Plant, source: ReadingSource, number: str, deed: Deed) -> StoredStatement:
    """Issue the draft of a period that is over.

    Raises
    ------
    Refused  it is no draft, its period runs or is issued, the store says something else by now, or a blocking
             finding is open and no reason to override it is given
    """
    _ready(book, plant, source, number, deed)
    reason = deed.override_reason.strip()
    return book.issue(number, override_reason=reason, now_ms=deed.now_ms, actor=deed.actor)


def correct(book: Book, plant: Plant, source: ReadingSource, number: str, cause: str, deed: Deed) -> StoredStatement:
    """Issue what a draft differs by from the issued documents of its period, with the cause.

    Raises
    ------
    Refused  as for :func:`issue`; nothing is issued yet, nothing differs, or no cause is given
    """
    found = _ready(book, plant, source, number, deed)
    chain = book.chain(found.period)
    if not chain:
        raise Refused(f"nothing of {found.period} is issued yet: issue {number} instead")
    if not cause.strip():
        raise Refused("a correction names its cause: an annotation, late data, an objection")
    made = correction(shown(chain[-1], plant.zone), found.document, cause.strip())
    if changes_nothing(made):
        raise Refused(f"{number} differs in no line from what {chain[-1].number} stands for: nothing to correct")
    return book.correct(
        number,
        predecessor=chain[-1].number,
        cause=cause.strip(),
        total_fen=int(Decimal(made["total_yuan"]).scaleb(2)),
        document=made,
        lines=_rows(STATEMENT_HEADER, correction_rows(made)),
        volumes=_rows(VOLUMES_HEADER, correction_volume_rows(made)),
        override_reason=deed.override_reason.strip(),
        now_ms=deed.now_ms,
        actor=deed.actor,
    )


def _ready(book: Book, plant: Plant, source: ReadingSource, number: str, deed: Deed) -> StoredStatement:
    """The draft of a number, if it may go out."""
    found = book.get(number)
    if found is None:
        raise Refused(f"there is no statement {number!r}")
    if found.state != "draft":
        what = "is issued: it never changes" if found.state == "issued" else "is superseded by a newer draft"
        raise Refused(f"{number} {what}")
    if "projection" in found.document:
        raise Refused(f"{number} is a bill so far; bill the whole of {found.period} once it is over")
    if parse_rfc3339(found.document["period"]["end"]) > deed.now_ms:
        raise Refused(f"{found.period} is not over yet; until then {number} stays a draft")
    if found.plant_digest != plant.digest:
        raise Refused(f"{number} was made with another plant.yaml; bill {found.period} again")
    if differs := differences(found.document, recomputed(plant, source, found.document)):
        path, was, now = differs[0]
        raise Refused(f"{number} is not what the store says now ({path}: {was!r} → {now!r}); bill {found.period} again")
    blocking = [f for f in found.document["findings"] if f["severity"] == BLOCKING]
    if blocking and not deed.override_reason.strip():
        told = "; ".join(f"{f['code']} {f['point'] or f['member']}: {f['message']['en']}" for f in blocking)
        raise Refused(
            f"{number} has blocking findings: {told}. Resolve them, or give a reason to override, which is printed"
        )
    return found


def check_objection(kept: StoredStatement, member: str, item: str) -> None:
    """Whether a member may object to a line.

    Raises
    ------
    Refused     the document is not issued
    InputError  it has no such line of the member's
    """
    if kept.state != "issued":
        raise Refused(f"{kept.number} is not issued: a draft may still change; tell the operator")
    items = [row["item"] for row in kept.lines if row["member"] == member]
    if item not in items:
        expected = f"one of {', '.join(items)}" if items else f"a statement with lines of {member}"
        raise InputError(f"found {item!r}, expected {expected}")


def recomputed(plant: Plant, source: ReadingSource, told: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a statement, made again from the store: by its own costs, for its own days.

    Raises
    ------
    Refused  it was made by another rule version than this program has
    """
    made = billed_again(plant, source, told)
    return running_document(made) if isinstance(made, Running) else document(made)


def billed_again(plant: Plant, source: ReadingSource, told: Mapping[str, Any]) -> Statement | Running:
    """The bill of a full statement's document, made again from the store.

    Raises
    ------
    Refused  it was made by another rule version than this program has
    """
    if told["rule_version"] != RULE_VERSION:
        raise Refused(f"the statement follows rule {told['rule_version']}, this program {RULE_VERSION}")
    period, costs = Period.parse(told["period"]["label"], plant.zone), costs_of(told)
    if "projection" not in told:
        return monitor.bill_period(plant, source, period, costs)
    until = local_day(parse_rfc3339(told["period"]["end"]), plant.zone)
    return monitor.bill_running(plant, source, period, costs, until)


def costs_of(told: Mapping[str, Any]) -> list[CostItem]:
    """The costs that a full statement splits; of a running period those of the whole."""
    return [
        CostItem(i["item"], i["basis"], int(Decimal(i["amount_yuan"]).scaleb(2)), i["note"])
        for i in told.get("projection", {}).get("costs", told["items"])
        if i["basis"] != TARIFF_BASIS
    ]


def shown(kept: StoredStatement, zone: ZoneInfo) -> dict[str, Any]:
    """The document as it is handed out: its content, its number and state, and who issued it when."""
    issue_ = None
    if kept.issued_ms is not None:
        time = rfc3339(kept.issued_ms, zone)
        issue_ = {"time": time, "by": kept.issued_by, "override_reason": kept.override_reason}
    return {**kept.document, "number": kept.number, "state": kept.state, "issue": issue_}


def explained(plant: Plant, source: ReadingSource, told: Mapping[str, Any], member: str) -> list[Name]:
    """How a member's total came about, line by line, down to the readings of its registers around the period.

    Raises
    ------
    InputError  the statement has no such member
    """
    members = [m["member"] for m in truth(told)["members"]]
    if member not in members:
        raise InputError(f"found no member {member!r} in the statement, expected one of {', '.join(members)}")
    ends = (truth(told)["period"]["start"], truth(told)["period"]["end"])
    registers = {p.id: _registers(plant, source, p, [parse_rfc3339(t) for t in ends]) for p in plant.outfalls}
    return explain_statement(told, member, registers)


def _registers(plant: Plant, source: ReadingSource, point: Point, times: Sequence[int]) -> list[str]:
    """The valid registers nearest to each of the times, at or before it and at or after it."""
    totaliser = point.find(VOLUME)
    if totaliser is None:
        return []
    index = plant.series_index[point.id, VOLUME]
    found: dict[int, str] = {}
    for time in times:
        for one in (source.before(index, time + 1, valid=True), source.after(index, time, valid=True)):
            for at, value in zip(one.time.tolist(), one.value.tolist()):
                found[at] = f"{plain_text(decimal_of(value).normalize())} {totaliser.unit} ({rfc3339(at, plant.zone)})"
    return [found[at] for at in sorted(found)]


#: What :func:`shown` adds; no part of what is recomputed.
ADDED = ("number", "state", "issue")


def _rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    return [dict(zip(header, row, strict=True)) for row in rows]


def verified(book: Book, plant: Plant, source: ReadingSource, told: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Every place in which a statement or a correction differs from what the store says now; none: identical.

    Raises
    ------
    Refused  another rule version made it, or it corrects a document that the book does not hold
    """
    content = {key: value for key, value in told.items() if key not in ADDED}
    now = recomputed(plant, source, {**truth(content)})
    if content.get("kind") == "correction":
        before = book.get(content["predecessor"])
        if before is None:
            raise Refused(f"the ledger has no statement {content['predecessor']!r}, which this one corrects")
        now = correction(shown(before, plant.zone), now, content["cause"])
    return differences(content, {key: value for key, value in now.items() if key not in ADDED})
