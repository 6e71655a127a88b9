"""From readings to verdicts: the compliance core, put together.

One function, :func:`evaluate`, serves the live service, the re-evaluation of an old month, tests and
what-ifs. It is pure: the same readings and rules give the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from plant_monitor.compliance.means import WindowStatistics, series_statistics
from plant_monitor.compliance.monthly import judge_months, monthly_episodes, monthly_findings, monthly_rows
from plant_monitor.compliance.months import calendar_months
from plant_monitor.compliance.rates import count_readings, rates_table
from plant_monitor.compliance.removal import removal_table
from plant_monitor.compliance.rows import (
    Labels,
    PointVolume,
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
    HOURLY_COLUMNS,
    MONTHLY_COLUMNS,
    RATES_COLUMNS,
    SUBSTITUTED_COLUMNS,
    Table,
)
from plant_monitor.holds import FlowCurve, flow_curve
from plant_monitor.plant import VOLUME, Plant, Point, Series, Statistic
from plant_monitor.readings import IntArray, Readings
from plant_monitor.windows import Windows


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


def evaluate(
    plant: Plant, readings: Readings, windows: Windows, *, until_ms: int | None = None, rates: bool = False
) -> Evaluation:
    """Means, verdicts, episodes and headroom of the plant over the windows.

    ``readings`` in order of acceptance (of several of one instant the last wins), also those around
    the windows that hold into them: for each series its neighbours, for a totaliser the neighbouring
    *valid* registers, however far. ``until_ms``: a window that ends later is still running, so its
    verdict so far is shown but opens, grows and ends no episode; None: all windows are over.
    ``rates``: count the readings that came, too.

    Rule: design §5.
    """
    by_series = _split(readings.by_time(), len(plant.series))
    labels, months = Labels(windows, plant), calendar_months(windows.days, plant.zone)
    curves: dict[str, FlowCurve] = {}
    volumes: dict[str, PointVolume] = {}
    days: dict[tuple[str, str], WindowStatistics] = {}
    parts: dict[str, list[Table]] = {name: [] for name in ("hourly", "daily", "monthly", "substituted", "rates")}
    found, findings = [], []
    for point in sorted(plant.points, key=lambda p: p.id):
        own = {s.parameter: by_series[plant.series_index[point.id, s.parameter]] for s in point.series}
        curve = curves[point.id] = flow_curve(point, plant, own, windows.hour_edges)
        volume = volumes[point.id] = PointVolume(curve, windows)
        for series in sorted(point.series, key=lambda s: s.parameter):
            if series.parameter == VOLUME:
                continue
            result = _judge_series(plant, point, series, own[series.parameter], curve, windows)
            daily = days[point.id, series.parameter] = result.daily
            by_month = judge_months(plant, point, series, daily, months)
            parts["hourly"].append(hourly_rows(result, volume, labels, windows))
            parts["daily"].append(daily_rows(result, volume, labels))
            parts["monthly"].append(monthly_rows(by_month, months))
            rule = plant.quality.substitution_days
            parts["substituted"].append(substituted_table(series, daily, volume, labels.days.tolist(), rule))
            if rates:
                counts = count_readings(series, own[series.parameter], curve, windows)
                parts["rates"].append(rates_table(series, counts, months, plant.quality.required_rate))
            runs = _episodes(result, windows, until_ms) + monthly_episodes(by_month, months, until_ms)
            found.extend(sorted(runs, key=lambda e: (e.start_ms, e.limit_set, e.statistic)))
            findings.extend(findings_of(result, curve, volume, windows) + monthly_findings(by_month, months))
    headroom = daily_headroom(plant, curves, windows)
    return Evaluation(
        windows,
        Table.stack(HOURLY_COLUMNS, parts["hourly"]),
        Table.stack(DAILY_COLUMNS, parts["daily"]),
        Table.stack(MONTHLY_COLUMNS, parts["monthly"]),
        exceedance_rows(found, plant),
        headroom_rows(headroom, plant, labels),
        finding_rows(findings, plant),
        removal_table(plant, days, volumes, months, labels.days.tolist()),
        Table.stack(SUBSTITUTED_COLUMNS, parts["substituted"]),
        Table.stack(RATES_COLUMNS, parts["rates"]),
        tuple(found),
        volumes,
        headroom,
    )


def _split(sorted_readings: Readings, series: int) -> list[Readings]:
    """The columns of each series, as views."""
    bounds = np.searchsorted(sorted_readings.series, np.arange(series + 1))
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
