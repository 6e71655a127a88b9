"""``/lab``: laboratory results, their verdicts, and how far the online analyser is from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from plant_monitor import monitor
from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.errors import ApiError, invalid
from plant_monitor.api.exports import EXPORTED, export
from plant_monitor.api.paging import Key, Row, page
from plant_monitor.api.ranges import VerdictQuery, instant_of, read_range
from plant_monitor.api.schemas import LabTakenView, LabView, Page
from plant_monitor.api.services import ApiServices
from plant_monitor.compliance.laboratory import LabResult, lab_table, parse_result, problem_of
from plant_monitor.compliance.tables import LAB_COLUMNS
from plant_monitor.plant import PH, Plant
from plant_monitor.windows import parse_rfc3339

DEFAULT_DAYS = 31
MAX_DAYS = 366
MAX_RESULTS = 2_000  # of one CSV: each is looked up beside its analyser


class LabQuery(VerdictQuery):
    """Filters of laboratory results; the range is that of their samples."""

    limit: int = Field(200, ge=1, le=1000, description="rows of a page")


class LabEntry(BaseModel):
    """One result, as the laboratory reports it."""

    model_config = ConfigDict(extra="forbid")

    sample_start: str = Field(description="RFC 3339 with offset")
    sample_end: str | None = Field(None, description="exclusive; left out for a grab sample")
    point: str
    parameter: str
    value: float | str = Field(description="a number, or `<` with the limit of detection", examples=["<0.06", 312.4])
    unit: str = Field("", max_length=32, description="as mg/L; only pH has none")
    method: str = Field(max_length=256, examples=["HJ 828-2017"])
    laboratory: str = Field(max_length=256)
    who: str = Field(max_length=128, description="who took the sample")


class LabBody(BaseModel):
    """Results to keep, all or none."""

    model_config = ConfigDict(extra="forbid")

    results: list[LabEntry] = Field(min_length=1, max_length=1000)


def lab_routes(services: ApiServices) -> APIRouter:
    """Routes about laboratory results."""
    router = APIRouter(tags=["laboratory"])
    plant, book = services.plant, services.ledger.lab

    @router.get("/lab", response_model=Page[LabView], responses=EXPORTED)
    def get_lab(query: Annotated[LabQuery, Query()], viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """Laboratory results whose sample touches the range: a row for each limit and day, never mixed with online
        data. The analyser's mean over the sample stands beside it."""
        seen = [stored.result for stored in book.find(points=viewer.lab_points)]
        viewer.check_filters(_known_series(viewer, seen), query.point, query.parameter, query.limit_set)
        now_ms = services.clock.now_ms()
        range_ = read_range(query, plant.zone, now_ms, default_days=DEFAULT_DAYS, max_days=MAX_DAYS)
        found: Sequence[LabResult] = ()
        if range_ is not None:
            span = {"start_ms": range_.span.start_ms, "end_ms": range_.span.end_ms}
            points = viewer.lab_points if query.point is None else {query.point}
            found = [s.result for s in book.find(points=points, parameter=query.parameter, **span)]
        judged = [row for row in lab_table(plant, [(r, None) for r in found]).rows() if _wanted(row, query)]
        if query.format != "json":
            rows = _paired(services, judged, found, viewer)
            lines = ([row[name] for name in LAB_COLUMNS] for row in rows)
            return export(query.format, "lab", LAB_COLUMNS, lines, LabView)
        answer = page(judged, lambda row: _key(row, plant), query.limit, query.cursor)
        return {**answer, "items": _paired(services, answer["items"], found, viewer)}

    @router.post("/lab", response_model=LabTakenView)
    def post_lab(body: LabBody, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """Keep results, all or none. The same again changes nothing; another for the same sample, laboratory and
        method replaces it, and the first one stays in the ledger."""
        viewer.require_to_enter()
        results = [_result(entry, plant, f"body.results.{i}") for i, entry in enumerate(body.results)]
        taken = book.add(results, now_ms=services.clock.now_ms(), actor=viewer.actor)
        return {"new": taken.new, "known": taken.known, "replaced": taken.replaced}

    return router


def _known_series(viewer: Viewer, seen: Iterable[LabResult]) -> set[tuple[str, str]]:
    """(point, parameter) that a filter may name: what is measured, limited or was analysed there."""
    known = {(r.point, r.parameter) for r in seen}
    for point in (viewer.plant.point_by_id[p] for p in viewer.lab_points):
        known |= {(point.id, s.parameter) for s in point.series}
        known |= {(point.id, x.parameter) for s in point.limits for x in viewer.plant.limit_set_by_id[s].limits}
    return known


def _wanted(row: Row, query: LabQuery) -> bool:
    return query.limit_set in (None, row["limit_set"]) and query.verdict in (None, row["verdict"])


def _key(row: Row, plant: Plant) -> Key:
    start, end = (instant_of(row[name], plant.zone) for name in ("sample_start", "sample_end"))
    return row["point"], row["parameter"], start, end, row["laboratory"], row["method"], row["date"], row["limit_set"]


def _paired(services: ApiServices, rows: Sequence[Row], found: Iterable[LabResult], viewer: Viewer) -> list[Row]:
    """The rows again, with the analyser beside them: looked up for the samples that are shown, and no others."""
    plant = services.plant
    keys = [_key(row, plant) for row in rows]
    samples = {key[:6] for key in keys}
    if len(samples) > MAX_RESULTS:
        message = f"found {len(samples)} results, expected at most {MAX_RESULTS}: ask for them in parts"
        raise ApiError(422, "range_too_long", message, "query.from")
    shown = [r for r in found if (r.point, r.parameter, r.start_ms, r.end_ms, r.laboratory, r.method) in samples]
    full = {_key(row, plant): row for row in monitor.laboratory(plant, services.judged(), shown).rows()}
    return [{**full[key], **({} if viewer.sees_names else {"who": ""})} for key in keys]


def _result(entry: LabEntry, plant: Plant, where: str) -> LabResult:
    try:
        start_ms = parse_rfc3339(entry.sample_start)
        end_ms = start_ms if entry.sample_end is None else parse_rfc3339(entry.sample_end)
        value, below_lod = parse_result(str(entry.value))
    except ValueError as error:
        raise invalid(str(error), where) from None
    unit = entry.unit or ("1" if entry.parameter == PH else "")
    texts = (entry.method.strip(), entry.laboratory.strip(), entry.who.strip())
    result = LabResult(entry.point, entry.parameter, start_ms, end_ms, value, below_lod, unit, *texts)
    problem = problem_of(plant, result)
    if problem is not None:
        raise invalid(problem, where)
    return result
