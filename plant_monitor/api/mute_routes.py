"""``/mutes``: stretches of time in which messages about alerts are held back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from plant_monitor.alerts.lifecycle import Kind
from plant_monitor.alerts.mutes import Mute, problem_of
from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.errors import invalid, not_found
from plant_monitor.api.ranges import read_instant
from plant_monitor.api.services import ApiServices
from plant_monitor.windows import rfc3339

MuteNumber = Annotated[int, Path(ge=1, le=2**63 - 1)]


class MuteBody(BaseModel):
    """What is muted, until when, and why."""

    model_config = ConfigDict(extra="forbid")

    to: str = Field(description="when it ends: RFC 3339, or a local date", examples=["2026-10-03T17:00:00+08:00"])
    reason: str = Field(min_length=1, max_length=2000)
    from_: str | None = Field(None, alias="from", description="when it begins; left out: now")
    kind: Kind | None = Field(None, description="left out: every kind")
    point: str = Field("", max_length=128, description="left out: everything")
    parameter: str = Field("", max_length=64, description="left out: every one")


class LiftBody(BaseModel):
    """Why a mute ends early."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=2000, pattern=r"\S")


class MuteView(BaseModel):
    """A mute. Alerts open and count all the while; only messages are held back."""

    id: int
    state: str = Field(description="planned, in force, over or lifted")
    kind: str = Field(description="empty: every kind")
    point: str
    parameter: str
    from_: str = Field(alias="from")
    to: str
    reason: str
    author: str
    entered: str
    lifted: str | None
    lifted_by: str
    lifted_reason: str


def mute_routes(services: ApiServices) -> APIRouter:
    """Routes about mutes."""
    router = APIRouter(tags=["alerts"])
    plant, log, clock = services.plant, services.ledger.mutes, services.clock

    @router.get("/mutes", response_model=list[MuteView])
    def get_mutes(viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """Mutes, planned ones and those that are over too, the newest first. A member reads those of its points."""
        shown = viewer.alert_points
        found = [m for m in log.find() if shown is None or m.point in shown]
        return [_view(mute, viewer, clock.now_ms()) for mute in found]

    @router.post("/mutes", response_model=MuteView)
    def post_mute(body: MuteBody, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """Hold messages back: for operators. After its end, what is still open is told."""
        viewer.require_service()
        now_ms = clock.now_ms()
        start_ms = now_ms if body.from_ is None else read_instant(body.from_, plant.zone, "body.from")
        end_ms = read_instant(body.to, plant.zone, "body.to")
        mute = Mute(start_ms, end_ms, body.reason, str(body.kind or ""), body.point, body.parameter)
        problem = problem_of(mute, plant, now_ms)
        if problem is not None:
            raise invalid(problem[1], f"body.{problem[0]}")
        return _view(log.add(mute, now_ms=now_ms, actor=viewer.actor), viewer, now_ms)

    @router.post("/mutes/{number}/lift", response_model=MuteView)
    def post_lift(number: MuteNumber, body: LiftBody, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """End a mute before its end. Both stay in the ledger."""
        viewer.require_service()
        now_ms = clock.now_ms()
        done = log.lift(number, body.reason, now_ms=now_ms, actor=viewer.actor)
        if done is None:
            raise not_found("mute", number, "path.number")
        return _view(done, viewer, now_ms)

    return router


def _view(mute: Mute, viewer: Viewer, now_ms: int) -> dict[str, Any]:
    zone = viewer.plant.zone

    def name(actor: str) -> str:
        return actor if viewer.sees_names else actor.partition(":")[0]

    return {
        "id": mute.id,
        "state": mute.state(now_ms),
        "kind": mute.kind,
        "point": mute.point,
        "parameter": mute.parameter,
        "from": rfc3339(mute.start_ms, zone),
        "to": rfc3339(mute.end_ms, zone),
        "reason": mute.reason,
        "author": name(mute.author),
        "entered": rfc3339(mute.entered_ms, zone),
        "lifted": None if mute.lifted_ms is None else rfc3339(mute.lifted_ms, zone),
        "lifted_by": name(mute.lifted_by),
        "lifted_reason": mute.lifted_reason,
    }
