"""``/messages``: what was told to whom, and what could not be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.paging import decode_cursor, encode_cursor
from plant_monitor.api.ranges import PageQuery
from plant_monitor.api.schemas import MessageView, Page
from plant_monitor.api.services import ApiServices, StoredDelivery
from plant_monitor.windows import rfc3339


class MessageQuery(PageQuery):
    """Filters of messages."""

    limit: int = Field(100, ge=1, le=1000, description="messages of a page")
    state: Literal["pending", "sent", "failed"] | None = None


def message_routes(services: ApiServices) -> APIRouter:
    """Routes about messages."""
    router = APIRouter(tags=["alerts"])
    zone = services.plant.zone

    @router.get("/messages", response_model=Page[MessageView])
    def get_messages(
        query: Annotated[MessageQuery, Query()], viewer: Annotated[Viewer, Depends(current_viewer)]
    ) -> Any:
        """Messages of all alerts, reports and hand-overs, the newest first: for operators and admins."""
        viewer.require_service()
        before = None if query.cursor is None else int(decode_cursor(query.cursor, int)[0])
        found = services.ledger.deliveries.find(state=query.state, before_id=before, limit=query.limit + 1)
        items, more = found[: query.limit], len(found) > query.limit
        return {"items": [_view(one, zone) for one in items], "next": encode_cursor((items[-1].id,)) if more else None}

    return router


def _view(one: StoredDelivery, zone: Any) -> dict[str, Any]:
    return {
        "id": one.id,
        "alert": one.alert_id or None,
        "kind": str(one.transition),
        "title": one.message.title,
        "recipient": one.recipient,
        "channel": one.channel,
        "state": str(one.state),
        "pace": str(one.pace),
        "with": one.bundle_of,
        "attempts": one.attempts,
        "created": rfc3339(one.created_ms, zone),
        "sent": None if one.sent_ms is None else rfc3339(one.sent_ms, zone),
        "next_try": rfc3339(one.next_try_ms, zone) if one.state == "pending" else None,
        "error": one.error,
    }
