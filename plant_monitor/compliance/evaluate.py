"""From readings to verdicts: the compliance core, put together.

One function, :func:`evaluate`, serves the live service, the re-evaluation of an old month, tests and
what-ifs. It is pure: the same readings and rules give the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from plant_monitor.compliance.episodes import Episode, episodes
from plant_monitor.compliance.findings import findings_of
from plant_monitor.compliance.headroom import Headroom, daily_headroom
from plant_monitor.compliance.limits import (
    INSUFFICIENT_DATA,
    VerdictArray,
    applied_limits,
    judge,
)
from plant_monitor.compliance.means import PointVolume, WindowStatistics, series_statistics
from plant_monitor.compliance.monthly import judge_months, monthly_episodes, monthly_findings, monthly_rows
from plant_monitor.compliance.months import Months, calendar_months
from plant_monitor.compliance.rates import count_readings, rates_table
from plant_monitor.compliance.removal import removal_table
from plant_monitor.compliance.rows import (
    Labels,
    SeriesResult,
    daily_rows,
    exceedance_rows,
    finding_rows,
    headroom_rows,
    hourly_rows,
)
from plant_monitor.compliance.substitution import substituted_table
from plant_monitor.compliance.tables import (
    DAILY_COLUMNS,
    EXCEEDANCE_COLUMNS,
    FINDING_COLUMNS,
    HOURLY_COLUMNS,
    MONTHLY_COLUMNS,
    RATES_COLUMNS,
    SUBSTITUTED_COLUMNS,
    Table,
)
from plant_monitor.compliance.warnings import Warned, early_warnings, over_range, silence
from plant_monitor.holds import FlowCurve, flow_curve
from plant_monitor.plant import VOLUME, Plant, Point, Series, Statistic
from plant_monitor.readings import Finding, IntArray, Readings
from plant_monitor.windows import Windows

#: The tables that are told point by point, and their columns.
POINT_TABLES = {
    "hourly": HOURLY_COLUMNS,
    "daily": DAILY_COLUMNS,
    "monthly": MONTHLY_COLUMNS,
    "exceedances": EXCEEDANCE_COLUMNS,
    "findings": FINDING_COLUMNS,
    "substituted": SUBSTITUTED_COLUMNS,
    "rates": RATES_COLUMNS,
}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation says. Tables have the columns and the order of design §4.3."""

    windows: Windows
    hourly: Table
    daily: Table
    monthly: Table
    exceedances: Table
    headroom: Table
    findings: Table
    removal: Table
    substituted: Table
    rates: Table  # no rows unless asked for
    episodes: tuple[Episode, ...]  # the rows of ``exceedances``, as records
    volumes: Mapping[str, PointVolume]  # by point
    daily_headroom: Headroom
    warned: Warned  # none unless asked for


@dataclass(frozen=True, slots=True)
class Span:
    """The days of an evaluation, with their texts and months: made once for all points."""

    windows: Windows
    labels: Labels
    months: Months

    @staticmethod
    def of(plant: Plant, windows: Windows) -> Span:
        """Those of the plant's zone."""
        return Span(windows, Labels(windows, plant), calendar_months(windows.days, plant.zone))


@dataclass(frozen=True, slots=True)
class Figures:
    """What the plant's own results are made of, point by point: daily statistics by parameter, and what flowed."""

    point: str
    daily: Mapping[str, WindowStatistics]
    volume: PointVolume


@dataclass(frozen=True, slots=True)
class PointResult:
    """What an evaluation says about one point: its rows of :data:`POINT_TABLES`, its episodes and warnings."""

    tables: Mapping[str, Table]
    episodes: tuple[Episode, ...]
    figures: Figures
    warned: Warned  # none unless asked for


def evaluate(
    plant: Plant,
    readings: Readings,
    windows: Windows,
    *,
    until_ms: int | None = None,
    rates: bool = False,
    warnings: bool = False,
) -> Evaluation:
    """Means, verdicts, episodes and headroom of the plant over the windows.

    ``readings`` in order of acceptance (of several of one instant the last wins), also those around
    the windows that hold into them: for each series its neighbours, for a totaliser the neighbouring
    *valid* registers, however far. ``until_ms``: a window that ends later is still running, so its
    verdict so far is shown but opens, grows and ends no episode; None: all windows are over.
    ``rates``: count the readings that came, too. ``warnings``: what would have been warned of, too.

    Rule: design §5.
    """
    by_series, span = _split(readings.by_time(), len(plant.series)), Span.of(plant, windows)
    results = []
    for point in points_in_order(plant):
        own = {s.parameter: by_series[plant.series_index[point.id, s.parameter]] for s in point.series}
        results.append(evaluate_point(plant, point, own, span, until_ms=until_ms, rates=rates, warnings=warnings))
    headroom, tables = evaluate_plant(plant, [result.figures for result in results], span)
    for name, columns in POINT_TABLES.items():
        tables[name] = Table.stack(columns, [result.tables[name] for result in results])
    return Evaluation(
        windows,
        **tables,
        episodes=tuple(episode for result in results for episode in result.episodes),
        volumes={result.figures.point: result.figures.volume for result in results},
        daily_headroom=headroom,
        warned=Warned.all([result.warned for result in results]),
    )


def points_in_order(plant: Plant) -> list[Point]:
    """The points as their rows follow each other."""
    return sorted(plant.points, key=lambda p: p.id)


def evaluate_point(
    plant: Plant,
    point: Point,
    readings: Mapping[str, Readings],
    span: Span,
    *,
    until_ms: int | None = None,
    rates: bool = False,
    warnings: bool = False,
) -> PointResult:
    """The same of one point, which no other point has a part in.

    ``readings`` parameter -> the point's readings, sorted by time, one per instant.
    """
    windows, labels, months = span.windows, span.labels, span.months
    curve = flow_curve(point, plant, readings, windows.hour_edges)
    volume = PointVolume(curve, windows)
    days: dict[str, WindowStatistics] = {}
    parts: dict[str, list[Table]] = {name: [] for name in POINT_TABLES}
    found: list[Episode] = []
    findings: list[Finding] = []
    warned: list[Warned] = []
    for series in sorted(point.series, key=lambda s: s.parameter):
        own = readings[series.parameter]
        if warnings:
            warned.append(over_range(series, own, windows))
            warned.append(silence(series, own, curve, windows, until_ms))
        if series.parameter == VOLUME:
            continue
        result = _judge_series(plant, point, series, own, curve, windows)
        daily = days[series.parameter] = result.daily
        by_month = judge_months(plant, point, series, daily, months)
        parts["hourly"].append(hourly_rows(result, volume, labels, windows))
        parts["daily"].append(daily_rows(result, volume, labels))
        parts["monthly"].append(monthly_rows(by_month, months))
        rule = plant.quality.substitution_days
        parts["substituted"].append(substituted_table(series, daily, volume, labels.days.tolist(), rule))
        if rates:
            counts = count_readings(series, own, curve, windows)
            parts["rates"].append(rates_table(series, counts, months, plant.quality.required_rate))
        if warnings:
            metered = curve.metered
            warned.append(early_warnings(result, windows, plant.zone, metered=metered, until_ms=until_ms))
        runs = _episodes(result, windows, until_ms) + monthly_episodes(by_month, months, until_ms)
        found.extend(sorted(runs, key=lambda e: (e.start_ms, e.limit_set, e.statistic)))
        findings.extend(findings_of(result, curve, volume, windows) + monthly_findings(by_month, months))
    parts["exceedances"].append(exceedance_rows(found, plant))
    parts["findings"].append(finding_rows(findings, plant))
    tables = {name: Table.stack(columns, parts[name]) for name, columns in POINT_TABLES.items()}
    return PointResult(tables, tuple(found), Figures(point.id, days, volume), Warned.all(warned))


def evaluate_plant(plant: Plant, figures: Sequence[Figures], span: Span) -> tuple[Headroom, dict[str, Table]]:
    """What is told of the plant as a whole: its headroom, and the tables ``headroom`` and ``removal``."""
    volumes = {one.point: one.volume for one in figures}
    daily = {(one.point, parameter): of_day for one in figures for parameter, of_day in one.daily.items()}
    headroom = daily_headroom(plant, volumes, span.windows)
    removal = removal_table(plant, daily, volumes, span.months, span.labels.days.tolist())
    return headroom, {"headroom": headroom_rows(headroom, plant, span.labels), "removal": removal}


def _split(sorted_readings: Readings, series: int) -> list[Readings]:
    """The columns of each series, as views."""
    bounds = np.searchsorted(sorted_readings.series, np.arange(series + 1, dtype=np.int32))
    return [sorted_readings.take(slice(a, b)) for a, b in pairwise(bounds)]


def _judge_series(
    plant: Plant, point: Point, series: Series, readings: Readings, curve: FlowCurve, windows: Windows
) -> SeriesResult:
    limits = applied_limits(plant, point, series, windows.days)
    medians = any(x.statistic is Statistic.HOURLY_MEDIAN for x in limits)
    hourly, daily = series_statistics(series, readings, curve, windows, medians=medians)
    judged = tuple(
        judge(x, hourly, daily, windows.hour_day) for x in limits if x.statistic is not Statistic.MONTHLY_MEAN
    )
    return SeriesResult(series, hourly, daily, judged)


def _episodes(result: SeriesResult, windows: Windows, until_ms: int | None) -> list[Episode]:
    found = []
    for one in result.judged:
        limit, series = one.limit, result.series
        key = (series.point, series.parameter, limit.limit_set, limit.statistic, limit.unit)
        if one.episodes_over_hours:
            day = windows.hour_day
            bounds = limit.lower[day], limit.upper[day]
            verdict = _of_ended(one.hour_verdict, windows.hour_edges, until_ms)
            found.extend(episodes(key, one.hour_value, *bounds, verdict, windows.hour_edges))
        else:
            bounds = limit.lower, limit.upper
            verdict = _of_ended(one.day_verdict, windows.day_edges, until_ms)
            found.extend(episodes(key, one.day_value, *bounds, verdict, windows.day_edges))
    return found


def _of_ended(verdict: VerdictArray, edges: IntArray, until_ms: int | None) -> VerdictArray:
    """The verdicts, with windows that still run as undecided."""
    if until_ms is None:
        return verdict
    return np.where(edges[1:] <= until_ms, verdict, INSUFFICIENT_DATA).astype(np.int8)
