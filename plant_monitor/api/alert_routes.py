"""``/alerts``: what is wrong, how far people are with it, and what they do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from plant_monitor.alerts.deadlines import deadlines, policy_for
from plant_monitor.alerts.lifecycle import Action, Alert, Exceedance, Kind, State
from plant_monitor.alerts.notices import calendar_of
from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.errors import ApiError, not_found
from plant_monitor.api.paging import decode_cursor, encode_cursor
from plant_monitor.api.ranges import PageQuery, RangeQuery, read_range
from plant_monitor.api.schemas import AlertDetail, AlertView, Page
from plant_monitor.api.services import ApiServices, StoredDelivery, StoredEvent
from plant_monitor.plant import Plant
from plant_monitor.windows import rfc3339

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


def alert_routes(services: ApiServices) -> APIRouter:
    """Routes about alerts."""
    router = APIRouter(tags=["alerts"])
    log, zone = services.ledger.alerts, services.plant.zone

    def visible(alert_id: int, viewer: Viewer) -> Alert:
        alert = log.get(alert_id)
        if alert is None or not viewer.sees_alert(alert.point):
            raise not_found("alert", alert_id, "path.alert")
        return alert

    def shown(alert: Alert, viewer: Viewer) -> dict[str, Any]:
        return {**_alert(alert, zone), "assignee": viewer.assignee_shown(alert.assignee)}

    def detail(alert: Alert, viewer: Viewer) -> dict[str, Any]:
        sent = services.ledger.deliveries.find(alert_id=alert.id, limit=1000) if viewer.sees_service else None
        events = log.events(alert.id)
        return {
            **shown(alert, viewer),
            "deadlines": _deadlines(alert, events, services.plant),
            "episodes": [_episode(e, zone) for e in alert.episodes],
            "events": [_event(e, zone, viewer) for e in events],
            "deliveries": None if sent is None else [_delivery(d, zone) for d in reversed(sent)],
        }

    def check_said(action: Action, said: ActionBody, alert: Alert) -> None:
        """422 for a step without what it has to say."""
        if action is Action.ASSIGN:
            point = services.plant.point_by_id.get(alert.point)
            owner = [point.member] if point is not None and point.member else []
            known = ["operator", *owner, *(p.id for p in services.plant.notify.people)]
            if said.assignee not in known:
                raise ApiError(422, "invalid", f"expected one of: {', '.join(known)}", "body.assignee")
        elif said.assignee:
            raise ApiError(422, "invalid", "only assign hands an alert to somebody", "body.assignee")
        if action in (Action.REPLY, Action.REOPEN) and not said.comment.strip():
            raise ApiError(422, "invalid", f"{action} needs a comment", "body.comment")

    @router.get("/alerts", response_model=Page[AlertView])
    def get_alerts(query: Annotated[AlertQuery, Query()], viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """Alerts, the newest first. `state=open` are those that nobody has acknowledged yet."""
        series = [(p.id, s.parameter) for p in viewer.own_points for s in p.series]
        viewer.check_filters(series, query.point, query.parameter, query.limit_set)
        before = None if query.cursor is None else int(decode_cursor(query.cursor, int)[0])
        span = None
        if query.from_ is not None or query.to is not None:
            now_ms = services.clock.now_ms()
            range_ = read_range(query, zone, now_ms, default_days=DEFAULT_DAYS, max_days=MAX_DAYS)
            if range_ is None:
                return {"items": [], "next": None}
            span = range_.span
        points = viewer.alert_points if query.point is None else frozenset({query.point})
        states = None if query.state is None else [query.state]
        found = log.find(
            points=points,
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
            "items": [shown(a, viewer) for a in items],
            "next": encode_cursor((items[-1].id,)) if more else None,
        }

    @router.get("/alerts/{alert}", response_model=AlertDetail)
    def get_alert(alert: AlertId, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """One alert with its episodes, its trail and, for operators, its messages."""
        return detail(visible(alert, viewer), viewer)

    @router.post("/alerts/{alert}/{action}", response_model=AlertDetail)
    def post_action(
        alert: AlertId,
        action: Literal["acknowledge", "assign", "reply", "close", "reopen"],
        viewer: Annotated[Viewer, Depends(current_viewer)],
        body: ActionBody | None = None,
    ) -> Any:
        """Acknowledge an alert, assign it, reply to it, close it, or reopen it because the answer does not satisfy.

        `assign` needs an `assignee`: the id of a person in plant.yaml, of the company whose outfall it is, or
        `operator`. A member's key may reply to what was assigned to it. An exceedance that goes on after its alert
        was closed opens a new one.
        """
        step, said = Action(action), body or ActionBody()
        before = visible(alert, viewer)
        viewer.require_to_act(step, before.assignee)
        check_said(step, said, before)
        done = services.act(alert, step, actor=viewer.actor, comment=said.comment, assignee=said.assignee)
        if done is None:
            raise not_found("alert", alert, "path.alert")
        return detail(done, viewer)

    return router


def _deadlines(alert: Alert, events: Sequence[StoredEvent], plant: Plant) -> dict[str, Any] | None:
    policy = policy_for(alert, plant.notify.policies)
    if policy is None:
        return None
    at = deadlines(alert, [(e.transition, e.time_ms) for e in events], policy, calendar_of(plant))
    return {
        "acknowledge_by": None if at.acknowledge_ms is None else rfc3339(at.acknowledge_ms, plant.zone),
        "answer_by": None if at.answer_ms is None else rfc3339(at.answer_ms, plant.zone),
        "certain": at.certain,
    }


def _alert(alert: Alert, zone: Any) -> dict[str, Any]:
    worst = alert.told
    return {
        "id": alert.id,
        "kind": str(alert.kind),
        "point": alert.point,
        "parameter": alert.parameter,
        "limit_set": alert.limit_set,
        "state": str(alert.state),
        "assignee": alert.assignee,
        "opened": rfc3339(alert.opened_ms, zone),
        "since": rfc3339(alert.since_ms, zone),
        "until": rfc3339(alert.until_ms, zone),
        "ongoing": alert.ongoing,
        "windows": alert.windows,
        "statistic": worst.statistic,
        "peak": worst.peak,
        "limit": worst.limit,
        "unit": worst.unit,
        "peak_ratio": worst.peak_ratio,
        "evidence": _words(worst),
    }


def _episode(episode: Exceedance, zone: Any) -> dict[str, Any]:
    return {
        "statistic": episode.statistic,
        "start": rfc3339(episode.start_ms, zone),
        "end": rfc3339(episode.end_ms, zone),
        "windows": episode.windows,
        "peak": episode.peak,
        "limit": episode.limit,
        "unit": episode.unit,
        "peak_ratio": episode.peak_ratio,
        "evidence": _words(episode),
        "ongoing": episode.ongoing,
        "withdrawn": episode.withdrawn,
    }


def _words(episode: Exceedance) -> dict[str, str] | None:
    return None if episode.evidence is None else {"zh": episode.evidence.zh, "en": episode.evidence.en}


def _event(event: StoredEvent, zone: Any, viewer: Viewer) -> dict[str, Any]:
    return {
        "time": rfc3339(event.time_ms, zone),
        "transition": str(event.transition),
        "actor": event.actor if viewer.sees_names else event.actor.partition(":")[0],
        "comment": event.comment,
    }


def _delivery(delivery: StoredDelivery, zone: Any) -> dict[str, Any]:
    pending = delivery.state == "pending"
    return {
        "transition": str(delivery.transition),
        "recipient": delivery.recipient,
        "channel": delivery.channel,
        "state": str(delivery.state),
        "attempts": delivery.attempts,
        "created": rfc3339(delivery.created_ms, zone),
        "sent": None if delivery.sent_ms is None else rfc3339(delivery.sent_ms, zone),
        "next_try": rfc3339(delivery.next_try_ms, zone) if pending else None,
        "error": delivery.error,
    }
