"""``/points/{point}/readings``: what was accepted, as it came or put together by minute, hour or day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from operator import itemgetter
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, Query
from pydantic import Field

from plant_monitor import units
from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.errors import invalid, not_found
from plant_monitor.api.exports import EXPORTED, export
from plant_monitor.api.paging import decode_cursor, encode_cursor, page
from plant_monitor.api.ranges import DAY_MS, Range, TableQuery, instant_of, read_range
from plant_monitor.api.schemas import ReadingPage, ReadingView, WindowView
from plant_monitor.api.services import ApiServices
from plant_monitor.plant import PH, VOLUME, Plant, Point, Series, Statistic
from plant_monitor.readings import Readings, mark_text
from plant_monitor.thinning import curve
from plant_monitor.windows import local_day, rfc3339

MAX_DAYS = {"raw": 93, "minute": 93, "hour": 93, "day": 366}
MAX_DAYS_THINNED = 366
MINUTE_MS = 60_000

RAW_COLUMNS = ("time", "point", "parameter", "value", "mark")  # a readings file (design §4.2)
WINDOW_COLUMNS = ("time", "parameter", "statistic", "value", "min", "max", "count", "valid_share")


class ReadingsQuery(TableQuery):
    """Parameters of a readings query."""

    parameter: str | None = None
    step: Literal["raw", "minute", "hour", "day"] = "raw"
    pixels: int | None = Field(
        None,
        ge=10,
        le=5000,
        description="for charts, with `raw`: so few readings that a line through them fills the same pixels; no peak "
        "and no mark is lost",
        examples=[800],
    )


class RawRow(ReadingView):
    """A row of a readings file."""

    point: str


def readings_routes(services: ApiServices) -> APIRouter:
    """Routes about readings."""
    router = APIRouter(tags=["readings"])
    plant = services.plant

    @router.get("/points/{point}/readings", response_model=ReadingPage, responses=EXPORTED)
    def get_readings(
        point: str,
        query: Annotated[ReadingsQuery, Query()],
        viewer: Annotated[Viewer, Depends(current_viewer)],
    ) -> Any:
        """Readings of a point in the units of plant.yaml.

        `raw`: as accepted; as CSV a readings file that `import` reads. `minute`: the mean (pH: the median) of the
        valid readings. `hour` and `day`: the statistics that verdicts rest on. For charts say `pixels`.
        """
        found = viewer.point(point)
        series = _series(found, query.parameter)
        if query.pixels is not None and query.step != "raw":
            raise invalid("only raw readings are thinned; expected step raw, or no pixels", "query.pixels")
        max_days = MAX_DAYS[query.step] if query.pixels is None else MAX_DAYS_THINNED
        range_ = read_range(query, plant.zone, services.clock.now_ms(), default_days=1, max_days=max_days)
        if query.step == "raw":
            answer = _raw(services, found, series, range_, query)
        else:
            answer = _windows(services, found, series, range_, query)
        if isinstance(answer, dict):
            answer["units"] = {s.parameter: s.unit for s in series}
        return answer

    return router


def _series(point: Point, parameter: str | None) -> list[Series]:
    """The series asked for, by parameter; all of the point where none is named."""
    if parameter is None:
        return sorted(point.series, key=lambda s: s.parameter)
    found = point.find(parameter)
    if found is None:
        raise not_found("parameter", parameter, "query.parameter")
    return [found]


def _days(range_: Range | None, from_ms: int = 0) -> Iterator[tuple[int, int]]:
    """The range in parts of at most a day, from an instant on: what is in memory at a time.

    Parts end at multiples of a day, so that no minute is cut in two.
    """
    if range_ is None:
        return
    at, end = max(range_.span.start_ms, from_ms), range_.span.end_ms
    while at < end:
        until = min((at // DAY_MS + 1) * DAY_MS, end)
        yield at, until
        at = until


# --- raw ------------------------------------------------------------------------------------------


def _raw(services: ApiServices, point: Point, series: list[Series], range_: Range | None, query: ReadingsQuery) -> Any:
    if query.format == "json":
        return _raw_page(services, series, range_, query)
    parts = ((one, part) for one in series for part in _parts(services, one, range_, query.pixels))
    rows = (_file_row(one, row, services.plant) for one, part in parts for row in _rows(part))
    return export(query.format, f"readings-{point.id}", RAW_COLUMNS, rows, RawRow)


def _parts(
    services: ApiServices, series: Series, range_: Range | None, pixels: int | None, from_ms: int = 0
) -> Iterator[Readings]:
    """The readings of a series from an instant on, day by day; thinned they are few, and thinned as a whole."""
    index = _index(services.plant, series)
    if range_ is not None and pixels is not None:
        found = curve(services.source, index, range_.span.start_ms, range_.span.end_ms, pixels)
        yield found.take(found.time >= from_ms)
        return
    for span in _days(range_, from_ms):
        yield services.source.read(index, *span)


def _raw_page(services: ApiServices, series: list[Series], range_: Range | None, query: ReadingsQuery) -> Any:
    """A page that reads no more days than it needs; the cursor is (parameter, time) of its last reading."""
    after = ("", -1) if query.cursor is None else decode_cursor(query.cursor, str, int)
    zone = services.plant.zone
    items: list[dict[str, Any]] = []
    last: tuple[str, int] = ("", -1)
    for one in series:
        if one.parameter < str(after[0]):
            continue
        from_ms = int(after[1]) + 1 if one.parameter == after[0] else 0
        for part in _parts(services, one, range_, query.pixels, from_ms):
            for time_ms, value, mark in _rows(part):
                if len(items) == query.limit:
                    return {"items": items, "next": encode_cursor(last)}
                last = one.parameter, time_ms
                shown = value if np.isfinite(value) else None
                items.append({"time": rfc3339(time_ms, zone), "parameter": one.parameter, "value": shown, "mark": mark})
    return {"items": items, "next": None}


def _index(plant: Plant, series: Series) -> int:
    return plant.series_index[series.point, series.parameter]


def _rows(readings: Readings) -> Iterator[tuple[int, float, str]]:
    marks = [mark_text(code) for code in readings.mark.tolist()]
    return zip(readings.time.tolist(), readings.value.tolist(), marks, strict=True)


def _file_row(series: Series, row: tuple[int, float, str], plant: Plant) -> tuple[Any, ...]:
    time_ms, value, mark = row
    return rfc3339(time_ms, plant.zone), series.point, series.parameter, None if np.isnan(value) else value, mark


# --- windows --------------------------------------------------------------------------------------


def _windows(
    services: ApiServices, point: Point, series: list[Series], range_: Range | None, query: ReadingsQuery
) -> Any:
    rows: Iterator[dict[str, Any]]
    if query.step == "minute":
        rows = (
            row
            for one in series
            for span in _days(range_)
            for row in _minutes(services.source.read(_index(services.plant, one), *span), one, services.plant)
        )
    else:
        if query.parameter == VOLUME:
            raise invalid("a totaliser has no mean; expected step raw or minute, or see usage", "query.step")
        # A page is in the order of the whole, a file of its months.
        today = local_day(services.clock.now_ms(), services.plant.zone)
        groups: Iterable[Iterable[Range]] = ()
        if range_ is not None:
            groups = [range_.parts(today)] if query.format == "json" else range_.months(today)
        by_group = ([row for r in rs for row in _evaluated(services, point, series, r, query.step)] for rs in groups)
        rows = (row for found in by_group for row in sorted(found, key=itemgetter("parameter")))
    if query.format != "json":
        lines = (tuple(row[c] for c in WINDOW_COLUMNS) for row in rows)
        return export(query.format, f"readings-{point.id}-{query.step}", WINDOW_COLUMNS, lines, WindowView)
    zone = services.plant.zone
    return page(
        rows,
        lambda row: (row["parameter"], instant_of(row["time"], zone), row["statistic"]),
        query.limit,
        query.cursor,
    )


def _minutes(readings: Readings, series: Series, plant: Plant) -> Iterator[dict[str, Any]]:
    """Minutes with a valid reading. The mean is the plain one: it is for charts, verdicts weigh by time and flow."""
    valid = readings.take(readings.valid)
    if len(valid) == 0:
        return
    minute = valid.time // MINUTE_MS
    first = np.flatnonzero(np.diff(minute, prepend=minute[0] - 1))
    middle = np.median if series.parameter == PH else np.mean
    for a, b in pairwise([*first.tolist(), len(valid)]):
        values = valid.value[a:b]
        yield {
            "time": rfc3339(int(minute[a]) * MINUTE_MS, plant.zone),
            "parameter": series.parameter,
            "statistic": "minute_median" if series.parameter == PH else "minute_mean",
            "value": float(middle(values)),
            "min": float(values.min()),
            "max": float(values.max()),
            "count": b - a,
            "valid_share": None,
        }


def _evaluated(
    services: ApiServices, point: Point, series: list[Series], range_: Range, step: str
) -> list[dict[str, Any]]:
    """Hours or days as the evaluation has them, each statistic once however many limits judge it."""
    found = services.verdicts(range_.first, range_.last, frozenset({point.id}))
    table, column = (found.hourly, "hour") if step == "hour" else (found.daily, "date")
    zone, span = services.plant.zone, range_.span
    by_parameter = {s.parameter: s for s in series}
    rows: dict[tuple[str, int, str], dict[str, Any]] = {}
    for row in table.rows():
        one = by_parameter.get(row["parameter"])
        statistic = None if one is None else _statistic(row, step)
        if one is None or statistic is None:
            continue
        start_ms = instant_of(row[column], zone)
        if span.start_ms <= start_ms < span.end_ms:
            to_own = _to_own_unit(services.plant, one, row)
            rows.setdefault((one.parameter, start_ms, statistic), _window_row(row, start_ms, statistic, to_own, zone))
    return [rows[key] for key in sorted(rows)]


def _statistic(row: dict[str, Any], step: str) -> str | None:
    """What the row's value is; None where it is none of a concentration (a load)."""
    if step == "day":
        return row["statistic"] if row["statistic"] in _OF_READINGS else None
    median = row["parameter"] == PH or row["statistic"] == Statistic.HOURLY_MEDIAN
    return str(Statistic.HOURLY_MEDIAN if median else Statistic.HOURLY_MEAN)


_OF_READINGS = frozenset(map(str, (Statistic.DAILY_MEAN, Statistic.HOURLY_MEAN, Statistic.HOURLY_MEDIAN)))


def _window_row(
    row: dict[str, Any], start_ms: int, statistic: str, to_own: Callable[[float | None], float | None], zone: Any
) -> dict[str, Any]:
    return {
        "time": rfc3339(start_ms, zone),
        "parameter": row["parameter"],
        "statistic": statistic,
        "value": to_own(row.get("mean", row.get("value"))),
        "min": to_own(row.get("min")),
        "max": to_own(row.get("max")),
        "count": None,
        "valid_share": row["valid_share"],
    }


def _to_own_unit(plant: Plant, series: Series, row: dict[str, Any]) -> Callable[[float | None], float | None]:
    """From the unit of the row's limit to that of the series."""
    rule = plant.limit_set_by_id.get(row["limit_set"])
    wanted = (row["parameter"], row["statistic"])
    unit = next((x.unit for x in rule.limits if (x.parameter, str(x.statistic)) == wanted), None) if rule else None
    factor = 1.0 if unit is None else units.factor(unit, series.unit)
    return lambda value: None if value is None else value * factor
