"""``/analysis``: what a month's alerts come to."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from plant_monitor import monitor
from plant_monitor.allocation.period import Period
from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.errors import ApiError
from plant_monitor.api.services import ApiServices
from plant_monitor.errors import InputError
from plant_monitor.windows import local_day


class AnalysisRow(BaseModel):
    """One member (null: the plant) and kind of alert in one month. Hours are medians since the alert opened."""

    month: str
    member: str | None
    kind: str
    opened: int
    days_exceeded: int
    hours_exceeded: int
    worst_ratio: float | None
    acknowledged_hours: float | None
    answered_hours: float | None
    closed_hours: float | None
    overdue: int
    sent_back: int
    satisfied: int
    unclosed: int
    repeated: int
    earlier_mean: float | None
    earlier_months: int
    tendency: str
    p_value: float | None


def analysis_routes(services: ApiServices) -> APIRouter:
    """Routes about months of alerts."""
    router = APIRouter(tags=["alerts"])

    @router.get("/analysis", response_model=list[AnalysisRow])
    def get_analysis(
        viewer: Annotated[Viewer, Depends(current_viewer)],
        month: Annotated[str | None, Query(pattern=r"^[0-9]{4}-[0-9]{2}$", examples=["2026-10"])] = None,
    ) -> Any:
        """A month of alerts: how many, how long people took, what came again, what is rising.

        Without `month` the one that runs. A member reads its own rows.
        """
        plant = services.plant
        try:
            today = local_day(services.clock.now_ms(), plant.zone)
            period = Period.parse(month or f"{today:%Y-%m}", plant.zone)
            kept = services.ledger.alerts.opened_between(monitor.compared_from_ms(plant, period), period.end_ms)
            rows = monitor.month_of_alerts(plant, services.judged(), kept, period, services.evaluation)
        except InputError as error:
            raise ApiError(422, "invalid", str(error), "query.month") from error
        own = {p.member or "" for p in viewer.own_points}
        columns = AnalysisRow.model_fields
        return [
            {**{name: getattr(row, name) for name in columns if name != "member"}, "member": row.owner or None}
            for row in rows
            if row.owner in own and row.kind not in viewer.hidden_kinds
        ]

    return router
