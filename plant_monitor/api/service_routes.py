"""``/health`` and ``/metrics``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.metrics import CONTENT_TYPE, ApiMetrics
from plant_monitor.api.schemas import HealthView
from plant_monitor.api.services import ApiServices


def service_routes(services: ApiServices, metrics: ApiMetrics) -> APIRouter:
    """Routes about the service itself."""
    router = APIRouter(tags=["service"])

    @router.get("/health", response_model=HealthView)
    def get_health(request: Request) -> dict[str, Any]:
        """`ok`, `degraded` or `not storing`; needs no key. With the key of an operator: why."""
        health = dict(services.health())
        viewer: Viewer | None = request.state.viewer
        return health if viewer is not None and viewer.sees_service else {"status": health["status"]}

    @router.get("/metrics", response_class=Response)
    def get_metrics(viewer: Annotated[Viewer, Depends(current_viewer)]) -> Response:
        """Metrics in Prometheus' text format, for operators."""
        viewer.require_service()
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    return router
