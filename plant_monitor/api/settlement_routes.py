"""What operators do with ``/statements``: draft, issue, correct."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from plant_monitor import monitor, settlement
from plant_monitor.allocation.running import Running
from plant_monitor.allocation.split import CostItem
from plant_monitor.allocation.statement import Period, Statement
from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.errors import invalid
from plant_monitor.api.schemas import StatementView
from plant_monitor.api.services import ApiServices
from plant_monitor.api.statement_routes import require_statement, statement_view
from plant_monitor.errors import InputError
from plant_monitor.settlement import Deed


class CostEntry(BaseModel):
    """One cost, as a row of costs.csv."""

    model_config = ConfigDict(extra="forbid")

    item: str = Field(min_length=1, max_length=256)
    basis: str = Field(max_length=128, examples=["volume", "direct:shennong"])
    amount_yuan: str = Field(pattern=r"^[+-]?[0-9]{1,15}(\.[0-9]{1,2})?$", examples=["58320.60"])
    note: str = Field("", max_length=1000)


class DraftBody(BaseModel):
    """What a bill is made of."""

    model_config = ConfigDict(extra="forbid")

    period: str = Field(examples=["2026-10", "2026-Q4"])
    costs: list[CostEntry] = Field(max_length=1000)
    until: date | None = Field(None, description="so far: the days before it alone, with a projection of the period")


class IssueBody(BaseModel):
    """How a draft is issued."""

    model_config = ConfigDict(extra="forbid")

    override_reason: str = Field("", max_length=2000, description="why it goes out with blocking findings; printed")


class CorrectBody(IssueBody):
    """Why what is issued is corrected."""

    cause: str = Field(min_length=1, max_length=2000, description="annotation, late data, objection; printed")


def settlement_routes(services: ApiServices) -> APIRouter:
    """Routes by which statements come about."""
    router = APIRouter(tags=["statements"])
    book, plant = services.ledger.statements, services.plant

    def deed(viewer: Viewer, override_reason: str = "") -> Deed:
        return Deed(viewer.actor, services.clock.now_ms(), override_reason)

    @router.post("/statements", response_model=StatementView)
    def post_statement(body: DraftBody, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """A draft from the readings in the store; the same inputs give the same draft. It replaces the period's last
        draft."""
        viewer.require_to_settle()
        kept = settlement.draft(book, _made(services, body), deed(viewer))
        return statement_view(kept, viewer, plant.zone)

    @router.post("/statements/{number}/issue", response_model=StatementView)
    def post_issue(
        number: str, viewer: Annotated[Viewer, Depends(current_viewer)], body: IssueBody | None = None
    ) -> Any:
        """Issue a draft of a period that is over: from then on it never changes."""
        require_statement(book, number, viewer)
        viewer.require_to_settle()
        done = deed(viewer, body.override_reason if body else "")
        kept = settlement.issue(book, plant, services.judged(), number, done)
        return statement_view(kept, viewer, plant.zone)

    @router.post("/statements/{number}/correct", response_model=StatementView)
    def post_correct(number: str, body: CorrectBody, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """Issue what this draft differs by from the issued documents of its period, as a correction with a number of
        its own."""
        require_statement(book, number, viewer)
        viewer.require_to_settle()
        done = deed(viewer, body.override_reason)
        kept = settlement.correct(book, plant, services.judged(), number, body.cause, done)
        return statement_view(kept, viewer, plant.zone)

    return router


def _made(services: ApiServices, body: DraftBody) -> Statement | Running:
    """The bill of a body, from the store."""
    costs = [
        CostItem(c.item.strip(), c.basis.strip(), int(Decimal(c.amount_yuan).scaleb(2)), c.note.strip())
        for c in body.costs
    ]
    try:
        period = Period.parse(body.period, services.plant.zone)
        if body.until is not None:
            return monitor.bill_running(services.plant, services.judged(), period, costs, body.until)
        return monitor.bill_period(services.plant, services.judged(), period, costs)
    except InputError as error:
        raise invalid(str(error), "body") from None
