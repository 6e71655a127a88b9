"""``/alerts``: what is wrong, how far people are with it, and what they do about it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from plant_monitor.alerts.lifecycle import Action, Kind, State
from plant_monitor.alerts.notices import problem_of
from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.alert_views import AlertViews
from plant_monitor.api.attachments import AttachmentBody, Files, decoded, download
from plant_monitor.api.errors import invalid, not_found
from plant_monitor.api.paging import decode_cursor, encode_cursor
from plant_monitor.api.ranges import PageQuery, RangeQuery, read_range
from plant_monitor.api.schemas import AlertDetail, AlertView, Page
from plant_monitor.api.services import ApiServices

MAX_DAYS = 366 * 20  # a look-up by index: any range
DEFAULT_DAYS = MAX_DAYS - 1
# Ids are integers of 64 bits at most: a larger one exists nowhere.
AlertId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class AlertQuery(RangeQuery, PageQuery):
    """Filters of alerts. The range is that of their exceeded windows."""

    kind: Kind | None = None
    state: State | None = None
    point: str | None = None
    parameter: str | None = None
    limit_set: str | None = None


class ActionBody(BaseModel):
    """What is said with an action."""

    model_config = ConfigDict(extra="forbid")

    comment: str = Field("", max_length=4000)
    assignee: str = Field("", max_length=128, description="to whom it is handed (assign alone)")
    attachments: list[AttachmentBody] = Files


class EnquiryBody(BaseModel):
    """A question that somebody is to answer."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(min_length=1, max_length=200, pattern=r"\S", examples=["COD of the night of 3 October"])
    text: str = Field(min_length=1, max_length=4000, pattern=r"\S")
    point: str = Field("", max_length=128, description="the point it is about, if any")
    parameter: str = Field("", max_length=64, description="the parameter there, if any")
    attachments: list[AttachmentBody] = Files


def alert_routes(services: ApiServices) -> APIRouter:
    """Routes about alerts."""
    router = APIRouter(tags=["alerts"])
    plant, log, views = services.plant, services.ledger.alerts, AlertViews(services)

    @router.get("/alerts", response_model=Page[AlertView])
    def get_alerts(query: Annotated[AlertQuery, Query()], viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """Alerts, the newest first. `state=open` are those that nobody has acknowledged yet."""
        series = [(p.id, s.parameter) for p in viewer.own_points for s in p.series]
        viewer.check_filters(series, query.point, query.parameter, query.limit_set)
        before = None if query.cursor is None else int(decode_cursor(query.cursor, int)[0])
        span = None
        if query.from_ is not None or query.to is not None:
            now_ms = services.clock.now_ms()
            range_ = read_range(query, plant.zone, now_ms, default_days=DEFAULT_DAYS, max_days=MAX_DAYS)
            if range_ is None:
                return {"items": [], "next": None}
            span = range_.span
        points = viewer.alert_points if query.point is None else frozenset({query.point})
        states = None if query.state is None else [query.state]
        found = log.find(
            points=points,
            member=(viewer.member_id or None) if query.point is None else None,
            without=viewer.hidden_kinds,
            states=states,
            kind=query.kind,
            parameter=query.parameter,
            limit_set=query.limit_set,
            span=span,
            before_id=before,
            limit=query.limit + 1,
        )
        items = found[: query.limit]
        more = len(found) > query.limit
        return {
            "items": [views.shown(a, viewer) for a in items],
            "next": encode_cursor((items[-1].id,)) if more else None,
        }

    @router.get("/alerts/{alert}", response_model=AlertDetail)
    def get_alert(alert: AlertId, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """One alert with its episodes, its trail and, for operators, its messages."""
        return views.detail(views.visible(alert, viewer), viewer)

    @router.get("/alerts/{alert}/attachments/{place}", response_class=Response)
    def get_attachment(alert: AlertId, place: AlertId, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Response:
        """A file of an alert, by its place from 1."""
        file = log.file(views.visible(alert, viewer).id, place)
        if file is None:
            raise not_found("attachment", place, "path.place")
        return download(file.content, file.media_type)

    @router.post("/alerts", response_model=AlertDetail)
    def post_enquiry(body: EnquiryBody, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """Open an enquiry: it is told, answered within the deadline, and closed like any alert.

        A member asks about its own points, about what is public of the plant, or about no point at all; whether the
        answer satisfies, it says with `close` or `reopen`.
        """
        viewer.require_to_ask(body.point)
        if body.parameter and (not body.point or plant.point_by_id[body.point].find(body.parameter) is None):
            raise invalid(f"found {body.parameter!r}, expected a parameter of the point named", "body.parameter")
        done = services.desk.open_case(
            Kind.ENQUIRY,
            actor=viewer.actor,
            subject=body.subject.strip(),
            text=body.text,
            member=viewer.member_id,
            point=body.point,
            parameter=body.parameter,
            files=decoded(body.attachments),
        )
        return views.detail(done, viewer)

    @router.post("/alerts/{alert}/{action}", response_model=AlertDetail)
    def post_action(
        alert: AlertId,
        action: Literal["acknowledge", "assign", "reply", "close", "reopen"],
        viewer: Annotated[Viewer, Depends(current_viewer)],
        body: ActionBody | None = None,
    ) -> Any:
        """Acknowledge an alert, assign it, reply to it, close it, or reopen it because the answer does not satisfy.

        `assign` needs an `assignee`, one of the alert's `assignees`: the id of a person in plant.yaml (of another
        company none), of the company whose outfall it is, or `operator`. A member's key may reply to what was assigned
        to it, and close or reopen its own enquiry once it is answered. An exceedance that goes on after its alert was
        closed opens a new one.
        """
        step, said = Action(action), body or ActionBody()
        before = views.visible(alert, viewer)
        viewer.require_to_act(step, before)
        problem = problem_of(step, before, plant, comment=said.comment, assignee=said.assignee)
        if problem is not None:
            raise invalid(problem[1], f"body.{problem[0]}")
        files = decoded(said.attachments)
        done = services.desk.act(
            alert, step, actor=viewer.actor, comment=said.comment, assignee=said.assignee, files=files
        )
        if done is None:
            raise not_found("alert", alert, "path.alert")
        return views.detail(done, viewer)

    return router
