"""``/members/{member}/comparison`` and ``…/whatif``: a member's period beside others, and as it might have been."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from plant_monitor import comparison, settlement
from plant_monitor.allocation.statement import Period
from plant_monitor.allocation.supposition import supposition
from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.errors import invalid
from plant_monitor.api.services import ApiServices
from plant_monitor.api.statement_routes import require_statement
from plant_monitor.errors import InputError
from plant_monitor.windows import local_day


class UsedView(BaseModel):
    """What a member used in the days of a period that are over, as a bill counts it."""

    days: int
    volume_m3: float
    m3_per_day: float
    estimated: bool = Field(description="true: nothing measured one of its outfalls")
    quota_share: float | None = Field(description="part of quota × days; null: it has none")
    load_kg: dict[str, float]
    mean_mg_l: dict[str, float | None]


class ChargedView(BaseModel):
    """What a period costs: the sum of all issued documents, else the draft."""

    statements: list[str]
    state: str
    so_far: bool = Field(description="true: a draft of the days that are over")
    billed_m3: str
    total_yuan: str
    yuan_m3: str | None = Field(description="per billed m³, about a tonne")


class ComparisonRow(BaseModel):
    """One period; `used` is null where the store has nothing of it, `charged` without a statement."""

    which: str = Field(description="period, previous, year_before")
    period: str
    used: UsedView | None
    charged: ChargedView | None


class SuppositionBody(BaseModel):
    """What is supposed; what is left out stays as it was."""

    model_config = ConfigDict(extra="forbid")

    statement: str = Field(max_length=64, description="a draft or an issued document: its period, its costs")
    volume_m3: str | None = Field(None, examples=["3200"])
    mean_mg_l: dict[str, str] = Field({}, max_length=50, examples=[{"cod_cr": "450"}])


class PairView(BaseModel):
    """A figure before and after."""

    before: str | None
    after: str | None


class SupposedLine(BaseModel):
    """A line that would be another."""

    item: str
    basis: str
    unit: str
    quantity: PairView
    amount_yuan: PairView


class SupposedView(BaseModel):
    """What a statement would ask of a member; all others as they were."""

    statement: str
    member: str
    billed_m3: PairView
    total_yuan: PairView
    yuan_m3: PairView
    difference_yuan: str
    lines: list[SupposedLine]


def member_routes(services: ApiServices) -> APIRouter:
    """Routes of what members want to know."""
    router = APIRouter(tags=["members"])
    plant, book = services.plant, services.ledger.statements

    @router.get("/members/{member}/comparison", response_model=list[ComparisonRow])
    def get_comparison(
        member: str,
        viewer: Annotated[Viewer, Depends(current_viewer)],
        period: Annotated[str | None, Query(examples=["2026-10", "2026-Q4"])] = None,
    ) -> Any:
        """A month or quarter beside the one before and the same a year ago: volume, quota, loads, cost per tonne.

        Without `period` the month that runs. Volumes are those a bill counts, of the days that are over; an officer
        reads no costs.
        """
        found, now_ms = viewer.member(member), services.clock.now_ms()
        try:
            label = period or f"{local_day(now_ms, plant.zone):%Y-%m}"
            chosen = Period.parse(label, plant.zone)
            rows = comparison.compared(
                plant, services.judged(), book if viewer.sees_costs else None, found, chosen, now_ms
            )
        except InputError as error:
            raise invalid(str(error), "query.period") from None
        return [_row(row) for row in rows]

    @router.post("/members/{member}/whatif", response_model=SupposedView)
    def post_whatif(
        member: str, body: SuppositionBody, viewer: Annotated[Viewer, Depends(current_viewer)]
    ) -> dict[str, Any]:
        """What a statement would ask of a member at another volume or strength, by the bill's own code.

        By today's plant.yaml and readings; of a running period its projection. Nothing is kept.
        """
        viewer.member(member)
        told = settlement.shown(require_statement(book, body.statement, viewer), plant.zone)
        try:
            wish = supposition(member, body.volume_m3, body.mean_mg_l)
            entry = comparison.as_it_might_be(plant, services.judged(), told, wish)
        except InputError as error:
            raise invalid(str(error), "body") from None
        return {
            "statement": body.statement,
            "member": member,
            **{name: _pair(entry, name) for name in ("billed_m3", "total_yuan")},
            "yuan_m3": entry["yuan_m3"],
            "difference_yuan": entry["total_yuan"],
            "lines": [
                {
                    **{name: line[name] for name in ("item", "basis", "unit")},
                    **{name: _pair(line, name) for name in ("quantity", "amount_yuan")},
                }
                for line in entry["lines"]
            ],
        }

    return router


def _pair(entry: dict[str, Any], name: str) -> dict[str, Any]:
    return {side: entry[side][name] for side in ("before", "after")}


def _row(row: comparison.Row) -> dict[str, Any]:
    used = row.used and {
        "days": row.used.days,
        "volume_m3": row.used.litres / 1000,
        "m3_per_day": row.used.m3_per_day,
        "estimated": row.used.estimated,
        "quota_share": row.used.quota_share,
        "load_kg": row.used.load_kg,
        "mean_mg_l": row.used.mean_mg_l,
    }
    names = ChargedView.model_fields
    charged = row.charged and {name: getattr(row.charged, name) for name in names}
    return {"which": row.which, "period": row.period, "used": used, "charged": charged}
