"""``/health``, ``/session``, ``/quarantine`` and ``/metrics``."""

from __future__ import annotations

import time
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.metrics import CONTENT_TYPE, ApiMetrics
from plant_monitor.api.paging import decode_cursor, encode_cursor
from plant_monitor.api.ranges import PageQuery
from plant_monitor.api.schemas import HealthView, Page, RefusalView, SessionView
from plant_monitor.api.services import ApiServices, StoredRefusal
from plant_monitor.windows import rfc3339

MOST_SHOWN = 2_000  # characters of what was refused


def service_routes(services: ApiServices, metrics: ApiMetrics) -> APIRouter:
    """Routes about the service itself."""
    router = APIRouter(tags=["service"])
    word = _Word(services)

    @router.get("/health", response_model=HealthView)
    def get_health(request: Request) -> dict[str, Any]:
        """`ok`, `degraded` or `not storing`; needs no key. With the key of an operator: why."""
        viewer: Viewer | None = request.state.viewer
        if viewer is not None and viewer.sees_service:
            return dict(services.health())
        return {"status": word.now()}

    @router.get("/session", response_model=SessionView)
    def get_session(viewer: Annotated[Viewer, Depends(current_viewer)]) -> dict[str, Any]:
        """Who you are: the role, member and name of your key or account."""
        now = rfc3339(services.clock.now_ms(), services.plant.zone)
        return {"role": str(viewer.role), "member": viewer.member_id or None, "name": viewer.name, "time": now}

    @router.get("/quarantine", response_model=Page[RefusalView])
    def get_quarantine(query: Annotated[PageQuery, Query()], viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """What was refused and is still waiting, the oldest first, with the reason; for operators."""
        viewer.require_service()
        after = 0 if query.cursor is None else int(decode_cursor(query.cursor, int)[0])
        found = services.quarantine(query.limit + 1, after_id=after)
        items = found[: query.limit]
        return {
            "items": [_refusal(one, services.plant.zone) for one in items],
            "next": encode_cursor((items[-1].id,)) if len(found) > query.limit else None,
        }

    @router.get("/metrics", response_class=Response)
    def get_metrics(viewer: Annotated[Viewer, Depends(current_viewer)]) -> Response:
        """Metrics in Prometheus' text format, for operators."""
        viewer.require_service()
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return router


def _refusal(one: StoredRefusal, zone: ZoneInfo) -> dict[str, Any]:
    refused = one.refused
    return {
        "number": one.id,
        "arrived": rfc3339(refused.time_ms, zone),
        "source": refused.source,
        "reason": refused.reason,
        "content": refused.raw.decode("utf-8", "replace")[:MOST_SHOWN],
    }


class _Word:
    """The status, asked at most twice a second: no key limits how often strangers ask, and a full answer costs."""

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._until_s, self._status = 0.0, ""

    def now(self) -> str:
        now_s = time.monotonic()
        if now_s >= self._until_s:
            self._status = str(self._services.health()["status"])
            self._until_s = now_s + 0.5
        return self._status
