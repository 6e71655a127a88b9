"""``/objections``: a member objects to a line of an issued statement; it is answered, decided, never edited away."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from plant_monitor.alerts.attachments import Attachment
from plant_monitor.alerts.lifecycle import Action
from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.attachments import AttachmentBody, Files, decoded, download
from plant_monitor.api.errors import ApiError, invalid, not_found
from plant_monitor.api.paging import decode_cursor, encode_cursor
from plant_monitor.api.ranges import PageQuery
from plant_monitor.api.schemas import ObjectionView, Page
from plant_monitor.api.services import ApiServices, StoredObjection
from plant_monitor.api.statement_routes import require_statement
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
    decision: Literal["", "granted", "rejected"] = Field("", description="with `close`")
    correction: str = Field("", max_length=64, description="with `granted`: the correction it led to")


class ObjectionQuery(PageQuery):
    """Filters of objections."""

    limit: int = Field(100, ge=1, le=500, description="objections of a page")
    statement: str | None = None


def objection_routes(services: ApiServices) -> APIRouter:
    """Routes about objections."""
    router = APIRouter(tags=["statements"])
    book, zone = services.ledger.objections, services.plant.zone

    def found(objection: int, viewer: Viewer) -> StoredObjection:
        viewer.require_costs()
        stored = book.get(objection)
        if stored is None or stored.member not in {m.id for m in viewer.members}:
            raise not_found("objection", objection, "path.objection")
        return stored

    @router.post("/statements/{number}/objections", response_model=ObjectionView)
    def post_objection(number: str, body: ObjectionBody, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """Object to a line of an issued statement or correction: with a member's key."""
        statement = require_statement(services.ledger.statements, number, viewer)
        viewer.require_to_object()
        if statement.state != "issued":
            raise ApiError(409, "conflict", f"{number} is not issued: a draft may still change; tell the operator")
        items = [row["item"] for row in statement.lines if row["member"] == viewer.member_id]
        if body.item not in items:
            raise invalid(f"found {body.item!r}, expected one of {', '.join(items)}", "body.item")
        stored = book.add(
            statement=number,
            member=viewer.member_id,
            item=body.item,
            reason=body.reason,
            attachments=[_stored(file) for file in decoded(body.attachments)],
            now_ms=services.clock.now_ms(),
            actor=viewer.actor,
        )
        return _objection(stored, viewer, zone)

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
            "items": [_objection(o, viewer, zone) for o in items],
            "next": encode_cursor((items[-1].id,)) if more else None,
        }

    @router.get("/objections/{objection}", response_model=ObjectionView)
    def get_objection(objection: ObjectionId, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """One objection with its trail."""
        return _objection(found(objection, viewer), viewer, zone)

    @router.get("/objections/{objection}/attachments/{place}", response_class=Response)
    def get_attachment(
        objection: ObjectionId,
        place: ObjectionId,
        viewer: Annotated[Viewer, Depends(current_viewer)],
    ) -> Response:
        """An attachment, by its place from 1."""
        stored = found(objection, viewer)
        if place > len(stored.attachments):
            raise not_found("attachment", place, "path.place")
        one = stored.attachments[place - 1]
        return download(base64.b64decode(one["content"]), one["media_type"])

    @router.post("/objections/{objection}/{action}", response_model=ObjectionView)
    def post_step(
        objection: ObjectionId,
        action: Literal["acknowledge", "reply", "close", "reopen"],
        body: StepBody,
        viewer: Annotated[Viewer, Depends(current_viewer)],
    ) -> Any:
        """Operators acknowledge, reply and close, which decides; the member reopens what does not satisfy it."""
        found(objection, viewer)
        if action == "reopen":
            viewer.require_to_object()
        else:
            viewer.require_to_settle()
        stored = book.act(
            objection,
            Action(action),
            comment=body.comment,
            now_ms=services.clock.now_ms(),
            actor=viewer.actor,
            decision=body.decision,
            correction=body.correction,
        )
        return _objection(stored, viewer, zone)

    return router


def _stored(file: Attachment) -> dict[str, str]:
    content = base64.b64encode(file.content).decode()
    return {"name": file.name, "media_type": file.media_type, "sha256": file.sha256, "content": content}


def _objection(stored: StoredObjection, viewer: Viewer, zone: Any) -> dict[str, Any]:
    names = ("name", "media_type", "sha256")
    return {
        "id": stored.id,
        "statement": stored.statement,
        "member": stored.member,
        "item": stored.item,
        "reason": stored.reason,
        "state": str(stored.state),
        "decision": stored.events[-1].decision or None,
        "correction": stored.events[-1].correction or None,
        "attachments": [{n: a[n] for n in names} for a in stored.attachments],
        "events": [
            {
                "time": rfc3339(e.time_ms, zone),
                "state": e.state,
                "actor": e.actor if viewer.sees_names else e.actor.partition(":")[0],
                "comment": e.comment,
                "decision": e.decision or None,
                "correction": e.correction or None,
            }
            for e in stored.events
        ],
    }
