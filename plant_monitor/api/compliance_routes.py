"""``/compliance/…``, ``/exceedances``, ``/headroom``, ``/warnings``: the tables of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from plant_monitor import monitor
from plant_monitor.alerts.lifecycle import Span
from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.errors import not_found
from plant_monitor.api.exports import EXPORTED, export
from plant_monitor.api.paging import Key, Row, decode_cursor, encode_cursor, page
from plant_monitor.api.ranges import (
    PageQuery,
    Range,
    RangeQuery,
    ResultQuery,
    TableQuery,
    VerdictQuery,
    WarningQuery,
    instant_of,
    read_instant,
    read_range,
)
from plant_monitor.api.schemas import (
    DayView,
    ExceedanceView,
    ExplanationView,
    HeadroomNowView,
    HeadroomView,
    HourView,
    Page,
    VerdictChangeView,
    WarningView,
)
from plant_monitor.api.services import ApiServices
from plant_monitor.compliance.tables import (
    DAILY_COLUMNS,
    EXCEEDANCE_COLUMNS,
    HEADROOM_COLUMNS,
    HOURLY_COLUMNS,
    WARNING_COLUMNS,
    Table,
)
from plant_monitor.compliance.warnings import PlantWarning, warning_rows
from plant_monitor.readings import BoolArray
from plant_monitor.windows import local_day, rfc3339

DEFAULT_DAYS = 7
MAX_DAYS = 366
MAX_DAYS_HOURLY = 93
WARNING_FILTERS = ("point", "parameter", "limit_set", "kind")


class HistoryQuery(RangeQuery, PageQuery):
    """Filters of changed verdicts; the range is that of their windows, all where none is given."""

    point: str | None = None
    parameter: str | None = None
    limit_set: str | None = None


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one table is cut and ordered."""

    name: str
    columns: tuple[str, ...]
    instant: str  # the column that a row is placed by
    row: type[BaseModel]


_DAILY = _Kind("daily", DAILY_COLUMNS, "date", DayView)
_HOURLY = _Kind("hourly", HOURLY_COLUMNS, "hour", HourView)
_EXCEEDANCES = _Kind("exceedances", EXCEEDANCE_COLUMNS, "start", ExceedanceView)
_HEADROOM = _Kind("headroom", HEADROOM_COLUMNS, "date", HeadroomView)


def compliance_routes(services: ApiServices) -> APIRouter:
    """Routes about means, verdicts, exceedances and headroom."""
    router = APIRouter(tags=["compliance"])

    @router.get("/compliance/daily", response_model=Page[DayView], responses=EXPORTED)
    def get_daily(query: Annotated[VerdictQuery, Query()], viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """Daily statistics and verdicts, one row per series, day and limit. A day counts where it begins."""
        viewer.check_filters(viewer.result_series, query.point, query.parameter, query.limit_set)
        return _verdicts(services, _DAILY, query, viewer, MAX_DAYS)

    @router.get("/compliance/hourly", response_model=Page[HourView], responses=EXPORTED)
    def get_hourly(query: Annotated[VerdictQuery, Query()], viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """Hourly statistics and verdicts. An hour above a *daily* limit is an early warning, no exceedance."""
        viewer.check_filters(viewer.result_series, query.point, query.parameter, query.limit_set)
        return _verdicts(services, _HOURLY, query, viewer, MAX_DAYS_HOURLY)

    @router.get("/compliance/history", response_model=Page[VerdictChangeView])
    def get_history(query: Annotated[HistoryQuery, Query()], viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """Verdicts that changed after they had been given, the newest change first; the range is that of windows."""
        viewer.check_filters(viewer.result_series, query.point, query.parameter, query.limit_set)
        zone = services.plant.zone
        series = {
            (point, parameter)
            for point, parameter in viewer.result_series
            if query.point in (None, point) and query.parameter in (None, parameter)
        }
        found = services.ledger.verdicts.changed(
            series=series,
            limit_set=query.limit_set,
            start_ms=None if query.from_ is None else read_instant(query.from_, zone, "query.from"),
            end_ms=None if query.to is None else read_instant(query.to, zone, "query.to"),
            before_id=None if query.cursor is None else int(decode_cursor(query.cursor, int)[0]),
            limit=query.limit + 1,
        )
        items = found[: query.limit]
        return {
            "items": [{**asdict(x), "changed": rfc3339(x.changed_ms, zone)} for x in items],
            "next": encode_cursor((items[-1].id,)) if len(found) > query.limit else None,
        }

    @router.get("/compliance/explanation", response_model=ExplanationView)
    def get_explanation(
        point: str,
        parameter: str,
        day: Annotated[date, Query(alias="date", description="local day")],
        viewer: Annotated[Viewer, Depends(current_viewer)],
    ) -> Any:
        """How a day's verdicts on a series came about, in both languages: readings, hold, flow, mean, limit."""
        found = viewer.point(point)
        if found.find(parameter) is None:
            raise not_found("parameter", parameter, "query.parameter")
        lines = monitor.explained(services.plant, services.judged(), point, parameter, day)
        return {"zh": [line.zh for line in lines], "en": [line.en for line in lines]}

    @router.get("/exceedances", response_model=Page[ExceedanceView], responses=EXPORTED)
    def get_exceedances(
        query: Annotated[ResultQuery, Query()], viewer: Annotated[Viewer, Depends(current_viewer)]
    ) -> Any:
        """Runs of exceeded windows that touch the range; one that reaches beyond its days is cut there."""
        viewer.check_filters(viewer.result_series, query.point, query.parameter, query.limit_set)
        range_ = _range(services, query, MAX_DAYS)
        if range_ is None:
            return _answer(services, _EXCEEDANCES, query, [])
        # An episode must be seen whole, so the whole range; and point by point, as a year of all of them is large.
        points = sorted(p.id for p in viewer.result_points if query.point in (None, p.id))
        found = (services.verdicts(range_.first, range_.last, frozenset({p})).exceedances for p in points)
        tables = (_within(t.take(_chosen(t, viewer, query)), _EXCEEDANCES, range_.span, services) for t in found)
        return _answer(services, _EXCEEDANCES, query, tables)

    @router.get(
        "/headroom", response_model=Page[HeadroomView], responses=EXPORTED, dependencies=[Depends(current_viewer)]
    )
    def get_headroom(query: Annotated[TableQuery, Query()]) -> Any:
        """Inflow, capacity and what is left of it, by day."""
        range_ = _range(services, query, MAX_DAYS)
        parts = () if range_ is None else range_.parts(local_day(services.clock.now_ms(), services.plant.zone))
        tables = (_within(services.evaluation(r.first, r.last).headroom, _HEADROOM, r.span, services) for r in parts)
        return _answer(services, _HEADROOM, query, tables)

    @router.get("/headroom/now", response_model=HeadroomNowView)
    def get_headroom_now(viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """What is left of capacity, design loads and quotas now, and a forecast of the inflow of seven days.

        A member sees the plant and itself.
        """
        outlook = services.outlook(services.clock.now_ms())
        shown = {"", *(m.id for m in viewer.members)}
        return {
            "time": rfc3339(outlook.now_ms, services.plant.zone),
            "items": [row for row in outlook.standing.rows() if row["member"] in shown],
            "forecast": list(outlook.forecast.rows()),
            "known_days": outlook.known_days,
            "needed_days": outlook.needed_days,
        }

    @router.get("/warnings", response_model=Page[WarningView], responses=EXPORTED)
    def get_warnings(
        query: Annotated[WarningQuery, Query()], viewer: Annotated[Viewer, Depends(current_viewer)]
    ) -> Any:
        """Warnings that touch the range: what is not a verdict, or not yet. Of the points whose alerts you see."""
        shown = {(p.id, s.parameter) for p in viewer.own_points for s in p.series}
        viewer.check_filters(shown, query.point, query.parameter, query.limit_set)
        found: list[PlantWarning] = []
        range_ = _range(services, query, MAX_DAYS_HOURLY)
        if range_ is not None:
            span = range_.span
            found = [
                w
                for w in services.warnings(range_.first, range_.last)
                if (w.point, w.parameter) in shown and w.start_ms < span.end_ms and w.end_ms > span.start_ms
                if all(getattr(query, name) in (None, getattr(w, name)) for name in WARNING_FILTERS)
            ]
        table = warning_rows(found, services.plant.zone)
        if query.format != "json":
            return export(query.format, "warnings", WARNING_COLUMNS, table.tuples(), WarningView)
        return page(table.rows(), _warning_key(services), query.limit, query.cursor)

    return router


def _verdicts(services: ApiServices, kind: _Kind, query: VerdictQuery, viewer: Viewer, max_days: int) -> Any:
    """Hours or days of the points that the viewer may see and the filters ask for, whose readings alone are read."""
    points = frozenset(p.id for p in viewer.result_points if query.point in (None, p.id))
    range_ = _range(services, query, max_days)
    today = local_day(services.clock.now_ms(), services.plant.zone)

    def table(parts: Iterable[Range]) -> Table:
        tables = []
        for part in parts:
            found = services.verdicts(part.first, part.last, points)
            rows = found.daily if kind is _DAILY else found.hourly
            tables.append(_within(rows.take(_chosen(rows, viewer, query)), kind, part.span, services))
        return _ordered(Table.stack(kind.columns, tables))

    if range_ is None:
        return _answer(services, kind, query, [])
    # A page is in the order of the whole table, a file of its months.
    groups = [range_.parts(today)] if query.format == "json" else range_.months(today)
    return _answer(services, kind, query, (table(parts) for parts in groups))


def _ordered(table: Table) -> Table:
    """Rows of parts that follow each other, by point and parameter."""
    keys = list(zip(table.columns["point"], table.columns["parameter"], strict=True))
    return table.take(np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64))


def _answer(services: ApiServices, kind: _Kind, query: TableQuery, tables: Iterable[Table]) -> Any:
    """A page, or the whole as a file that is made table by table."""
    if query.format != "json":
        return export(query.format, kind.name, kind.columns, (row for t in tables for row in t.tuples()), kind.row)
    rows = (row for table in tables for row in table.rows())
    return page(rows, _key(kind, services), query.limit, query.cursor)


def _range(services: ApiServices, query: RangeQuery, max_days: int) -> Range | None:
    now_ms = services.clock.now_ms()
    return read_range(query, services.plant.zone, now_ms, default_days=DEFAULT_DAYS, max_days=max_days)


def _chosen(table: Table, viewer: Viewer, query: ResultQuery) -> BoolArray:
    """The rows that the viewer may see and the filters ask for."""
    points, parameters = table.columns["point"], table.columns["parameter"]
    mask = np.array([pair in viewer.result_series for pair in zip(points, parameters, strict=True)], dtype=bool)
    for name in ("point", "parameter", "limit_set", "verdict"):
        wanted = getattr(query, name, None)
        if wanted is not None:
            mask &= table.columns[name] == wanted
    return mask


def _within(table: Table, kind: _Kind, span: Span, services: ApiServices) -> Table:
    """Rows whose window begins within the span; an episode only has to touch it."""
    starts = _instants(table, kind.instant, services)
    if kind is _EXCEEDANCES:
        return table.take((starts < span.end_ms) & (_instants(table, "end", services) > span.start_ms))
    return table.take((starts >= span.start_ms) & (starts < span.end_ms))


def _instants(table: Table, column: str, services: ApiServices) -> Any:
    texts = table.columns[column].tolist()
    zone = services.plant.zone
    known = {text: instant_of(text, zone) for text in set(texts)}
    return np.array([known[text] for text in texts], dtype=np.int64)


def _key(kind: _Kind, services: ApiServices) -> Callable[[Row], Key]:
    """What orders the rows of a table, as the files of design §4.3 are ordered."""
    if kind is _HEADROOM:
        return lambda row: (row["date"],)
    zone = services.plant.zone

    def key(row: Row) -> Key:
        instant = instant_of(row[kind.instant], zone)
        return row["point"], row["parameter"], instant, row["limit_set"], row["statistic"]

    return key


def _warning_key(services: ApiServices) -> Callable[[Row], Key]:
    zone = services.plant.zone

    def key(row: Row) -> Key:
        start = instant_of(row["start"], zone)
        return row["point"], row["parameter"], start, row["kind"], row["limit_set"], row["statistic"]

    return key
