"""``/public``: what plant.yaml publishes, for everybody."""

from __future__ import annotations

import time
from datetime import timedelta
from threading import Lock
from typing import Any

from fastapi import APIRouter

from plant_monitor.api.access import published
from plant_monitor.api.errors import ApiError
from plant_monitor.api.latest_routes import latest
from plant_monitor.api.schemas import PublicView
from plant_monitor.api.services import ApiServices
from plant_monitor.plant import Name
from plant_monitor.windows import local_day, rfc3339

FRESH_S = 2.0  # no key limits how often strangers ask, so that long they share an answer
_DAY = ("date", "statistic", "value", "lower", "upper", "limit_set", "valid_share", "verdict")


def public_routes(services: ApiServices) -> APIRouter:
    """The route of what is public."""
    router = APIRouter(tags=["public"])
    lock, kept = Lock(), _Kept()

    @router.get("/public", response_model=PublicView)
    def get_public() -> Any:
        """What `public_screen` of plant.yaml publishes; needs no key. 404 where it publishes nothing."""
        if services.plant.public_screen is None:
            raise ApiError(404, "not_found", "nothing is published here")
        with lock:
            if time.monotonic() >= kept.until_s:
                kept.answer, kept.until_s = _answer(services), time.monotonic() + FRESH_S
            return kept.answer

    return router


class _Kept:
    until_s = 0.0
    answer: Any = None


def _answer(services: ApiServices) -> dict[str, Any]:
    plant, now_ms = services.plant, services.clock.now_ms()
    today = local_day(now_ms, plant.zone)
    daily = services.evaluation(today - timedelta(days=1), today).daily
    units = {(s.id, x.parameter, str(x.statistic)): x.unit for s in plant.limit_sets for x in s.limits}
    days: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in daily.rows():
        unit = units.get((row["limit_set"], row["parameter"], row["statistic"]))
        if row["verdict"] != "no_limit":
            told = {name: row[name] for name in _DAY} | {"unit": unit}
            days.setdefault((row["point"], row["parameter"]), []).append(told)
    series = [
        {
            **latest(services, one, now_ms),
            "name": _name(plant.point_by_id[one.point].name),
            "days": days.get((one.point, one.parameter), []),
        }
        for one in published(plant)
    ]
    room = None
    if plant.public_screen is not None and plant.public_screen.headroom:
        rows = services.outlook(now_ms).standing.rows()
        water = ("", "volume", "last_24_h")
        room = next((r for r in rows if (r["member"], r["quantity"], r["span"]) == water), None)
    return {"plant": _name(plant.name), "time": rfc3339(now_ms, plant.zone), "series": series, "headroom": room}


def _name(name: Name | None) -> dict[str, str] | None:
    return None if name is None else {"zh": name.zh, "en": name.en}
