"""``/statements``: bills, each key its own rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from plant_monitor import settlement
from plant_monitor.api.access import TOTAL, Viewer, current_viewer
from plant_monitor.api.errors import ApiError, invalid, not_found
from plant_monitor.api.exports import export
from plant_monitor.api.paging import decode_cursor, encode_cursor
from plant_monitor.api.ranges import PageQuery
from plant_monitor.api.schemas import ExplanationView, Page, StatementHeadView, StatementView
from plant_monitor.api.services import ApiServices
from plant_monitor.settlement import Book, StatementHead, StoredStatement
from plant_monitor.windows import rfc3339

COLUMNS = ("member", "item", "basis", "quantity", "unit", "share", "amount_yuan")  # statement.csv
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PDF = "application/pdf"


class StatementQuery(PageQuery):
    """Filters of statements."""

    limit: int = Field(100, ge=1, le=500, description="statements of a page")
    period: str | None = Field(None, examples=["2026-10"])


def statement_routes(services: ApiServices) -> APIRouter:
    """Routes about statements."""
    router = APIRouter(tags=["statements"])
    book, zone = services.ledger.statements, services.plant.zone

    def found(number: str, viewer: Viewer) -> StoredStatement:
        return require_statement(book, number, viewer)

    @router.get("/statements", response_model=Page[StatementHeadView])
    def get_statements(
        query: Annotated[StatementQuery, Query()], viewer: Annotated[Viewer, Depends(current_viewer)]
    ) -> Any:
        """Statements, the newest first."""
        viewer.require_costs()
        before = None if query.cursor is None else int(decode_cursor(query.cursor, int)[0])
        heads = book.find(period=query.period, before_id=before, limit=query.limit + 1)
        items = heads[: query.limit]
        more = len(heads) > query.limit
        return {
            "items": [_head(h, viewer, zone) for h in items],
            "next": encode_cursor((items[-1].id,)) if more else None,
        }

    @router.get("/statements/{number}.csv", response_model=None)
    def get_statement_csv(number: str, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """The rows of a statement as CSV: for a member its own and the totals."""
        statement = found(number, viewer)
        rows = [[row.get(c) for c in COLUMNS] for row in viewer.statement_rows(statement.lines)]
        return export("csv", f"statement-{statement.number}", COLUMNS, rows)

    @router.get("/statements/{number}.xlsx", response_class=Response, responses=_file(XLSX))
    def get_statement_workbook(number: str, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Response:
        """The workbook of a statement, which shows every member: for operators."""
        statement = found(number, viewer)
        if not viewer.sees_documents:
            raise not_found("statement", number, "path.number")
        if services.workbook is None:
            raise ApiError(503, "unavailable", "no workbook can be made here")
        return _download(services.workbook(settlement.shown(statement, zone)), f"statement-{number}.xlsx", XLSX)

    @router.get("/statements/{number}.pdf", response_class=Response, responses=_file(PDF))
    def get_statement_pdf(
        number: str,
        viewer: Annotated[Viewer, Depends(current_viewer)],
        member: Annotated[str | None, Query(description="whose; a member's key need not say")] = None,
    ) -> Response:
        """A member's statement as PDF."""
        statement = found(number, viewer)
        whose = _whose(viewer, member)
        if services.member_pdf is None:
            raise ApiError(503, "unavailable", "no PDF can be made here")
        document = settlement.shown(statement, zone)
        return _download(services.member_pdf(document, whose), f"statement-{number}-{whose}.pdf", PDF)

    @router.get("/statements/{number}/explanation", response_model=ExplanationView)
    def get_explanation(
        number: str,
        viewer: Annotated[Viewer, Depends(current_viewer)],
        member: Annotated[str | None, Query(description="whose; a member's key need not say")] = None,
    ) -> Any:
        """How a member's total came about: from cost item to share to litres to registers to readings."""
        statement = found(number, viewer)
        whose = _whose(viewer, member)
        lines = settlement.explained(services.plant, services.judged(), settlement.shown(statement, zone), whose)
        return {"zh": [line.zh for line in lines], "en": [line.en for line in lines]}

    @router.get("/statements/{number}", response_model=StatementView)
    def get_statement(number: str, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """A statement: for a member its own rows and the totals; the whole document for operators."""
        return statement_view(found(number, viewer), viewer, zone)

    return router


def _whose(viewer: Viewer, member: str | None) -> str:
    """The member that is meant: the key's own, or the one named, if the viewer may know of it."""
    whose = member or viewer.member_id
    if not whose:
        raise invalid("found no member, expected whose statement it is to be", "query.member")
    if whose not in {m.id for m in viewer.members}:
        raise not_found("member", whose, "query.member")
    return whose


def require_statement(book: Book, number: str, viewer: Viewer) -> StoredStatement:
    """A statement that the viewer may know of, else 404."""
    viewer.require_costs()
    statement = book.get(number)
    if statement is None:
        raise not_found("statement", number, "path.number")
    return statement


def statement_view(statement: StoredStatement, viewer: Viewer, zone: ZoneInfo) -> dict[str, Any]:
    """A statement as the viewer may see it."""
    return {
        **_head(statement, viewer, zone),
        "lines": viewer.statement_rows(statement.lines),
        "volumes": viewer.volume_rows(statement.volumes),
        "document": settlement.shown(statement, zone) if viewer.sees_documents else None,
    }


def _file(media_type: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {}}, "description": "the file"}}


def _download(content: bytes, name: str, media_type: str) -> Response:
    return Response(content, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _head(head: StatementHead, viewer: Viewer, zone: ZoneInfo) -> dict[str, Any]:
    own = next((r for r in head.lines if (r["member"], r["item"]) == (viewer.member_id, TOTAL)), None)
    return {
        "number": head.number,
        "period": head.period,
        "kind": head.kind,
        "state": head.state,
        "created": rfc3339(head.created_ms, zone),
        "issued": None if head.issued_ms is None else rfc3339(head.issued_ms, zone),
        "predecessor": head.predecessor or None,
        "cause": head.cause or None,
        "override_reason": head.override_reason or None,
        "plant_digest": head.plant_digest,
        "total_yuan": f"{Decimal(head.total_fen).scaleb(-2):.2f}",
        "member_total_yuan": None if own is None else str(own["amount_yuan"]),
    }
