"""``/plant`` and ``/members/{member}/usage``."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.exports import EXPORTED, export
from plant_monitor.api.paging import page
from plant_monitor.api.ranges import TableQuery, instant_of, read_range
from plant_monitor.api.schemas import Page, PlantView, UsageView
from plant_monitor.api.services import ApiServices
from plant_monitor.api.usage import loaded_parameters, usage_rows
from plant_monitor.plant import Limit, LimitSet, Member, Name, Point
from plant_monitor.windows import local_day

MAX_DAYS = {"hour": 93, "day": 366, "month": 366}


class UsageQuery(TableQuery):
    """Parameters of a usage query."""

    step: Literal["hour", "day", "month"] = "day"


def plant_routes(services: ApiServices) -> APIRouter:
    """Routes about the plant and its members."""
    router = APIRouter(tags=["plant"])
    plant = services.plant

    @router.get("/plant", response_model=PlantView)
    def get_plant(viewer: Annotated[Viewer, Depends(current_viewer)]) -> dict[str, Any]:
        """The plant: members, points and limits that this key may see."""
        return {
            "id": plant.id,
            "name": _name(plant.name),
            "operator": None if plant.operator is None else _name(plant.operator),
            "timezone": plant.zone.key,
            "capacity_m3_d": float(plant.capacity_m3_d),
            "design_load_kg_d": {parameter: float(load) for parameter, load in plant.design_load_kg_d},
            "inlet": plant.inlet,
            "effluent": plant.effluent,
            "digest": plant.digest,
            "members": [_member(m) for m in viewer.members],
            "points": [_point(p, viewer) for p in viewer.result_points],
            "limit_sets": [_limit_set(s) for s in viewer.limit_sets],
        }

    @router.get("/members/{member}/usage", response_model=Page[UsageView], responses=EXPORTED)
    def get_usage(
        member: str,
        query: Annotated[UsageQuery, Query()],
        viewer: Annotated[Viewer, Depends(current_viewer)],
    ) -> Any:
        """What a member discharged: volume and load by hour, day or month.

        These are measured flows. A bill counts litres between the registers of the totalisers instead.
        """
        found = viewer.member(member)
        now_ms = services.clock.now_ms()
        outfalls = frozenset(p.id for p in plant.outfalls if p.member == found.id)
        range_ = read_range(query, plant.zone, now_ms, default_days=7, max_days=MAX_DAYS[query.step])
        ranges = () if range_ is None else range_.parts(local_day(now_ms, plant.zone))
        parts = (services.verdicts(part.first, part.last, outfalls) for part in ranges)
        rows = iter(()) if range_ is None else usage_rows(plant, found, parts, range_.span, query.step)
        if query.format != "json":
            parameters = loaded_parameters(plant, found)
            header = ["start", "end", "volume_m3", *(f"{p}_kg" for p in parameters)]
            lines = ([r["start"], r["end"], r["volume_m3"], *r["load_kg"].values()] for r in rows)
            return export(query.format, f"usage-{found.id}-{query.step}", header, lines, UsageView)
        return page(rows, lambda row: (instant_of(row["start"], plant.zone),), query.limit, query.cursor)

    return router


def _name(name: Name) -> dict[str, str]:
    return {"zh": name.zh, "en": name.en}


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _member(member: Member) -> dict[str, Any]:
    return {
        "id": member.id,
        "name": _name(member.name),
        "quota_m3_d": _number(member.quota_m3_d),
        "capacity_share": _number(member.capacity_share),
    }


def _point(point: Point, viewer: Viewer) -> dict[str, Any]:
    shown = [s for s in point.series if (point.id, s.parameter) in viewer.result_series]
    return {
        "id": point.id,
        "role": str(point.role),
        "name": None if point.name is None else _name(point.name),
        "member": point.member,
        "limits": list(point.limits),
        "series": [
            {
                "parameter": s.parameter,
                "unit": s.unit,
                "interval_s": None if s.interval_ms is None else s.interval_ms / 1000,
            }
            for s in shown
        ],
        "readings": point in viewer.own_points,
    }


def _limit_set(limit_set: LimitSet) -> dict[str, Any]:
    return {
        "id": limit_set.id,
        "title": _name(limit_set.title),
        "source": limit_set.source,
        "limits": [_limit(x) for x in limit_set.limits],
    }


def _limit(limit: Limit) -> dict[str, Any]:
    return {
        "parameter": limit.parameter,
        "statistic": str(limit.statistic),
        "lower": limit.lower,
        "upper": limit.upper,
        "unit": limit.unit,
        "valid_from": None if limit.valid_from is None else limit.valid_from.isoformat(),
        "valid_to": None if limit.valid_to is None else limit.valid_to.isoformat(),
        "clause": limit.clause,
        "source": limit.source,
        "verified": limit.verified,
    }
