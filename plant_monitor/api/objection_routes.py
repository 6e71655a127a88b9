"""``/objections``: a member objects to a line of an issued statement; it is answered, decided, never edited away."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from plant_monitor.alerts.lifecycle import Action
from plant_monitor.alerts.notices import problem_of
from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.alert_views import deadlines_view
from plant_monitor.api.attachments import AttachmentBody, Files, decoded, download
from plant_monitor.api.errors import invalid, not_found
from plant_monitor.api.paging import decode_cursor, encode_cursor
from plant_monitor.api.ranges import PageQuery
from plant_monitor.api.schemas import AlertFileView, ObjectionView, Page
from plant_monitor.api.services import ApiServices, StoredObjection
from plant_monitor.api.statement_routes import require_statement
from plant_monitor.errors import InputError
from plant_monitor.plant import Plant
from plant_monitor.settlement import check_objection
from plant_monitor.windows import rfc3339

# Ids and places are integers of 64 bits at most: a larger one exists nowhere.
ObjectionId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class ObjectionBody(BaseModel):
    """What is objected to, and why."""

    model_config = ConfigDict(extra="forbid")

    item: str = Field(description="item of one of the member's lines, or TOTAL", examples=["电费 electricity"])
    reason: str = Field(min_length=1, max_length=4000)
    attachments: list[AttachmentBody] = Files


class StepBody(BaseModel):
    """What is said with a step; closing decides."""

    model_config = ConfigDict(extra="forbid")

    comment: str = Field(min_length=1, max_length=4000)
    assignee: str = Field("", max_length=128, description="with `assign`: a person, the company, or `operator`")
    decision: Literal["", "granted", "rejected"] = Field("", description="with `close`")
    correction: str = Field("", max_length=64, description="with `granted`: the correction it led to")
    annotation: int | None = Field(None, ge=1, le=2**63 - 1, description="or the annotation")
    attachments: list[AttachmentBody] = Files


class ObjectionQuery(PageQuery):
    """Filters of objections."""

    limit: int = Field(100, ge=1, le=500, description="objections of a page")
    statement: str | None = None


def objection_routes(services: ApiServices) -> APIRouter:
    """Routes about objections."""
    router = APIRouter(tags=["statements"])
    book, plant = services.ledger.objections, services.plant

    def found(objection: int, viewer: Viewer) -> StoredObjection:
        viewer.require_costs()
        stored = book.get(objection)
        if stored is None or stored.member not in {m.id for m in viewer.members}:
            raise not_found("objection", objection, "path.objection")
        return stored

    @router.post("/statements/{number}/objections", response_model=ObjectionView)
    def post_objection(number: str, body: ObjectionBody, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """Object to a line of an issued statement or correction: with a member's key.

        It is a case: told, due and answered like an alert of the kind `objection`.
        """
        statement = require_statement(services.ledger.statements, number, viewer)
        viewer.require_to_object()
        try:
            check_objection(statement, viewer.member_id, body.item)
        except InputError as error:
            raise invalid(str(error), "body.item") from None
        about = {"statement": number, "member": viewer.member_id, "item": body.item, "reason": body.reason}
        files, now_ms = decoded(body.attachments), services.clock.now_ms()
        stored = services.desk.telling(
            lambda notices: book.add(**about, files=files, now_ms=now_ms, actor=viewer.actor, notices=notices)
        )
        return _objection(stored, viewer, plant)

    @router.get("/objections", response_model=Page[ObjectionView])
    def get_objections(
        query: Annotated[ObjectionQuery, Query()], viewer: Annotated[Viewer, Depends(current_viewer)]
    ) -> Any:
        """Objections, the newest first: for a member its own."""
        viewer.require_costs()
        before = None if query.cursor is None else int(decode_cursor(query.cursor, int)[0])
        member, limit = viewer.member_id or None, query.limit + 1
        stored = book.find(member=member, statement=query.statement, before_id=before, limit=limit)
        items = stored[: query.limit]
        more = len(stored) > query.limit
        return {
            "items": [_objection(o, viewer, plant) for o in items],
            "next": encode_cursor((items[-1].id,)) if more else None,
        }

    @router.get("/objections/{objection}", response_model=ObjectionView)
    def get_objection(objection: ObjectionId, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """One objection with its trail and its deadlines."""
        return _objection(found(objection, viewer), viewer, plant)

    @router.get("/objections/{objection}/attachments/{place}", response_class=Response)
    def get_attachment(
        objection: ObjectionId,
        place: ObjectionId,
        viewer: Annotated[Viewer, Depends(current_viewer)],
    ) -> Response:
        """An attachment, by its place from 1."""
        file = services.ledger.alerts.file(found(objection, viewer).alert.id, place)
        if file is None:
            raise not_found("attachment", place, "path.place")
        return download(file.content, file.media_type)

    @router.post("/objections/{objection}/{action}", response_model=ObjectionView)
    def post_step(
        objection: ObjectionId,
        action: Literal["acknowledge", "assign", "reply", "close", "reopen"],
        body: StepBody,
        viewer: Annotated[Viewer, Depends(current_viewer)],
    ) -> Any:
        """Operators acknowledge, assign, reply and close, which decides; the member reopens what does not satisfy."""
        before, step = found(objection, viewer), Action(action)
        if step is Action.REOPEN:
            viewer.require_to_object()
        else:
            viewer.require_to_settle()
        said: dict[str, Any] = {"comment": body.comment, "assignee": body.assignee}
        if step is Action.ASSIGN and (problem := problem_of(step, before.alert, plant, **said)) is not None:
            raise invalid(problem[1], f"body.{problem[0]}")
        decided: dict[str, Any] = body.model_dump(include={"decision", "correction", "annotation"})
        who: dict[str, Any] = {"actor": viewer.actor, "now_ms": services.clock.now_ms()}
        files = decoded(body.attachments)
        stored = services.desk.telling(
            lambda notices: book.act(objection, step, **said, **decided, **who, files=files, notices=notices)
        )
        return _objection(stored, viewer, plant)

    return router


def _objection(stored: StoredObjection, viewer: Viewer, plant: Plant) -> dict[str, Any]:
    return {
        "id": stored.id,
        "alert": stored.alert.id,
        "statement": stored.statement,
        "member": stored.member,
        "item": stored.item,
        "reason": stored.reason,
        "state": str(stored.state),
        "assignee": viewer.assignee_shown(stored.alert.assignee),
        "deadlines": deadlines_view(stored.alert, stored.events, plant),
        "decision": stored.events[-1].decision or None,
        "correction": stored.events[-1].correction or None,
        "annotation": stored.events[-1].annotation,
        "attachments": [{n: getattr(f, n) for n in AlertFileView.model_fields} for f in stored.files],
        "events": [
            {
                "time": rfc3339(e.time_ms, plant.zone),
                "transition": str(e.transition),
                "state": e.state,
                "actor": e.actor if viewer.sees_names else e.actor.partition(":")[0],
                "comment": e.comment,
                "decision": e.decision or None,
                "correction": e.correction or None,
                "annotation": e.annotation,
            }
            for e in stored.events
        ],
    }
