"""``/latest``: the last reading of each series, as fresh as it is."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends

from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.schemas import LatestView
from plant_monitor.api.services import ApiServices
from plant_monitor.plant import Series
from plant_monitor.readings import mark_text
from plant_monitor.windows import rfc3339

HOLDS = 2  # intervals (design §5): from then on a value says nothing about now


def latest_routes(services: ApiServices) -> APIRouter:
    """The route of what is measured now."""
    router = APIRouter(tags=["readings"])

    @router.get("/latest", response_model=list[LatestView])
    def get_latest(viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """The last reading of each series that you see the readings of, in the units of plant.yaml.

        `stale`: it holds no longer, two intervals have passed without another.
        """
        now_ms = services.clock.now_ms()
        return [latest(services, series, now_ms) for point in viewer.own_points for series in point.series]

    return router


def latest(services: ApiServices, series: Series, now_ms: int) -> dict[str, Any]:
    """The last reading of a series."""
    found = services.source.before(services.plant.series_index[series.point, series.parameter], now_ms + 1)
    row: dict[str, Any] = {
        "point": series.point,
        "parameter": series.parameter,
        "unit": series.unit,
        "time": None,
        "age_s": None,
        "value": None,
        "mark": None,
        "stale": True,
    }
    if len(found):
        time_ms, value = int(found.time[0]), float(found.value[0])
        interval_ms = series.interval_ms
        row["time"], row["age_s"] = rfc3339(time_ms, services.plant.zone), max(0, now_ms - time_ms) / 1000
        row["value"], row["mark"] = value if np.isfinite(value) else None, mark_text(int(found.mark[0]))
        row["stale"] = interval_ms is not None and now_ms - time_ms >= HOLDS * interval_ms
    return row
