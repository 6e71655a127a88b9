"""From readings to verdicts: the compliance core, put together.

One function, :func:`evaluate`, serves the live service, the re-evaluation of an old month, tests and
what-ifs. It is pure: the same readings and rules give the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_monitor import units
from plant_monitor.compliance.episodes import Episode, episodes
from plant_monitor.compliance.headroom import Headroom, daily_headroom
from plant_monitor.compliance.limits import (
    EXCEEDED,
    INSUFFICIENT_DATA,
    MET,
    VERDICTS,
    Judged,
    VerdictArray,
    applied_limits,
    exceeded,
    judge,
)
from plant_monitor.compliance.means import WindowStatistics, series_statistics
from plant_monitor.compliance.tables import (
    DAILY_COLUMNS,
    EXCEEDANCE_COLUMNS,
    FINDING_COLUMNS,
    HEADROOM_COLUMNS,
    HOURLY_COLUMNS,
    Table,
    text_column,
)
from plant_monitor.holds import FlowCurve, flow_curve
from plant_monitor.plant import PH, VOLUME, Plant, Point, Series, Statistic
from plant_monitor.readings import Finding, FloatArray, IntArray, Readings
from plant_monitor.windows import Windows, hour_labels, rfc3339


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation says. Tables have the columns and the order of design §4.3."""

    windows: Windows
    hourly: Table
    daily: Table
    exceedances: Table
    headroom: Table
    findings: Table
    episodes: tuple[Episode, ...]  # the rows of ``exceedances``, as records
    volumes: Mapping[str, PointVolume]  # by point
    daily_headroom: Headroom


def evaluate(plant: Plant, readings: Readings, windows: Windows, *, until_ms: int | None = None) -> Evaluation:
    """Means, verdicts, episodes and headroom of the plant over the windows.

    ``readings`` in order of acceptance (of several of one instant the last wins), also those around
    the windows that hold into them: for each series its neighbours, for a totaliser the neighbouring
    *valid* registers, however far. ``until_ms``: a window that ends later is still running, so its
    verdict so far is shown but opens, grows and ends no episode; None: all windows are over.

    Rule: design §5.
    """
    by_series = _split(readings.by_time(), len(plant.series))
    labels = _Labels(windows, plant)
    curves: dict[str, FlowCurve] = {}
    volumes: dict[str, PointVolume] = {}
    hourly, daily, found, findings = [], [], [], []
    for point in sorted(plant.points, key=lambda p: p.id):
        own = {s.parameter: by_series[plant.series_index[point.id, s.parameter]] for s in point.series}
        curve = curves[point.id] = flow_curve(point, plant, own, windows.hour_edges)
        volume = volumes[point.id] = PointVolume(curve, windows)
        for series in sorted(point.series, key=lambda s: s.parameter):
            if series.parameter == VOLUME:
                continue
            result = _judge_series(plant, point, series, own[series.parameter], curve, windows)
            hourly.append(_hourly_rows(result, volume, labels, windows))
            daily.append(_daily_rows(result, volume, labels))
            found.extend(_episodes(result, windows, until_ms))
            findings.extend(_findings(result, curve, volume, windows))
    headroom = daily_headroom(plant, curves, windows)
    return Evaluation(
        windows,
        Table.stack(HOURLY_COLUMNS, hourly),
        Table.stack(DAILY_COLUMNS, daily),
        _exceedance_rows(found, plant),
        _headroom_rows(headroom, plant, labels),
        _finding_rows(findings, plant),
        tuple(found),
        volumes,
        headroom,
    )


@dataclass(frozen=True, slots=True)
class _SeriesResult:
    """One series, its statistics and its verdicts by limit."""

    series: Series
    hourly: WindowStatistics
    daily: WindowStatistics
    judged: tuple[Judged, ...]  # sorted by (limit set, statistic)


class _Labels:
    """The text of every hour and day, made once."""

    def __init__(self, windows: Windows, plant: Plant) -> None:
        self.hours = np.empty(windows.hour_day.size, dtype=object)
        self.hours[:] = hour_labels(windows, plant.zone)
        self.days = np.empty(len(windows.days), dtype=object)
        self.days[:] = [day.isoformat() for day in windows.days]


class PointVolume:
    """Hourly and daily volume of a point, m³; NaN where nothing is known."""

    def __init__(self, curve: FlowCurve, windows: Windows) -> None:
        self.hourly = curve.volume_m3
        known = ~np.isnan(self.hourly)
        days = len(windows.days)
        some = np.bincount(windows.hour_day, known, days) > 0
        self.daily = np.where(some, np.bincount(windows.hour_day, np.where(known, self.hourly, 0.0), days), np.nan)


def _split(sorted_readings: Readings, series: int) -> list[Readings]:
    """The columns of each series, as views."""
    bounds = np.searchsorted(sorted_readings.series, np.arange(series + 1))
    return [sorted_readings.take(slice(a, b)) for a, b in pairwise(bounds)]


def _judge_series(
    plant: Plant, point: Point, series: Series, readings: Readings, curve: FlowCurve, windows: Windows
) -> _SeriesResult:
    limits = applied_limits(plant, point, series, windows.days)
    medians = any(x.statistic is Statistic.HOURLY_MEDIAN for x in limits)
    hourly, daily = series_statistics(series, readings, curve, windows, medians=medians)
    judged = tuple(
        judge(x, hourly, daily, windows.hour_day) for x in limits if x.statistic is not Statistic.MONTHLY_MEAN
    )
    return _SeriesResult(series, hourly, daily, judged)


def _unlimited(judged: Sequence[Judged], count: int, hour_day: IntArray | None = None) -> NDArray[np.bool_]:
    """Windows in which no limit is in force."""
    free = np.ones(count, dtype=bool)
    for one in judged:
        free &= ~(one.limit.in_force if hour_day is None else one.limit.in_force[hour_day])
    return free


def _hourly_rows(result: _SeriesResult, volume: PointVolume, labels: _Labels, windows: Windows) -> Table:
    hours, hour_day = windows.hour_day.size, windows.hour_day
    stats = result.hourly
    own = stats.median if result.series.parameter == PH else stats.mean
    with_hours = [x for x in result.judged if x.hour_verdict.size]
    free = _unlimited(with_hours, hours, hour_day)
    nan = np.full(hours, np.nan)
    blocks = [(free, "", "", own, 1.0, nan, nan, np.zeros(hours, dtype=np.int8))]
    for one in with_hours:
        limit = one.limit
        on, lower, upper = limit.in_force[hour_day], limit.lower[hour_day], limit.upper[hour_day]
        key = (limit.limit_set, str(limit.statistic))
        blocks.append((on, *key, one.hour_value, limit.factor, lower, upper, one.hour_verdict))
    share = stats.valid_share
    order, rows = [], []
    for on, limit_set, statistic, value, factor, lower, upper, verdict in blocks:
        at = np.flatnonzero(on)
        order.append(at)
        rows.append({
            "hour": labels.hours[at],
            "mean": value[at],
            "min": stats.min[at] * factor,
            "max": stats.max[at] * factor,
            "valid_share": share[at],
            "volume_m3": volume.hourly[at],
            "load_kg": stats.load_kg[at],
            "limit_set": text_column(limit_set, at.size),
            "statistic": text_column(statistic, at.size),
            "lower": lower[at],
            "upper": upper[at],
            "verdict": _VERDICT_TEXT[verdict[at]],
        })  # fmt: skip
    return _interleave(result.series, HOURLY_COLUMNS, order, rows)


def _daily_rows(result: _SeriesResult, volume: PointVolume, labels: _Labels) -> Table:
    days = labels.days.size
    stats = result.daily
    free = _unlimited(result.judged, days)
    nan = np.full(days, np.nan)
    statistic = Statistic.HOURLY_MEDIAN if result.series.parameter == PH else Statistic.DAILY_MEAN
    blocks = [(free, "", statistic, stats.mean, nan, nan, np.zeros(days, dtype=np.int8))]
    for one in result.judged:
        limit = one.limit
        bounds = (limit.lower, limit.upper)
        blocks.append((limit.in_force, limit.limit_set, limit.statistic, one.day_value, *bounds, one.day_verdict))
    share = stats.valid_share
    order, rows = [], []
    for on, limit_set, statistic, value, lower, upper, verdict in blocks:
        at = np.flatnonzero(on)
        order.append(at)
        one_sided = np.isnan(lower[at]) & (upper[at] != 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(one_sided, value[at] / upper[at], np.nan)
        rows.append({
            "date": labels.days[at],
            "statistic": text_column(str(statistic), at.size),
            "value": value[at],
            "lower": lower[at],
            "upper": upper[at],
            "limit_set": text_column(limit_set, at.size),
            "ratio": ratio,
            "valid_share": share[at],
            "volume_m3": volume.daily[at],
            "load_kg": stats.load_kg[at],
            "verdict": _VERDICT_TEXT[verdict[at]],
        })  # fmt: skip
    return _interleave(result.series, DAILY_COLUMNS, order, rows)


_VERDICT_TEXT = np.array(VERDICTS, dtype=object)


def _interleave(
    series: Series, names: Sequence[str], order: Sequence[IntArray], rows: Sequence[Mapping[str, NDArray[Any]]]
) -> Table:
    """The blocks of a series' rows by window; the blocks' own order decides within one."""
    rank = np.argsort(np.concatenate(order), kind="stable")
    columns = {
        "point": text_column(series.point, rank.size),
        "parameter": text_column(series.parameter, rank.size),
        **{name: np.concatenate([row[name] for row in rows])[rank] for name in rows[0]},
    }
    return Table({name: columns[name] for name in names})


def _episodes(result: _SeriesResult, windows: Windows, until_ms: int | None) -> list[Episode]:
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
    return sorted(found, key=lambda e: (e.start_ms, e.limit_set, e.statistic))


def _of_ended(verdict: VerdictArray, edges: IntArray, until_ms: int | None) -> VerdictArray:
    """The verdicts, with windows that still run as undecided."""
    if until_ms is None:
        return verdict
    return np.where(edges[1:] <= until_ms, verdict, INSUFFICIENT_DATA).astype(np.int8)


def _findings(result: _SeriesResult, curve: FlowCurve, volume: PointVolume, windows: Windows) -> list[Finding]:
    found = []
    for one in result.judged:
        found.extend(_unverified(result.series, one, windows))
        if one.limit.statistic is Statistic.DAILY_MEAN and units.is_concentration(result.series.unit):
            found.extend(_certain(result, one, curve, volume, windows))
        elif one.limit.statistic is Statistic.DAILY_LOAD:
            found.extend(_certain_load(result.series, one, windows))
    return found


def _unverified(series: Series, one: Judged, windows: Windows) -> list[Finding]:
    """One finding per series and limit whose number nobody has seen in the standard, where it decides."""
    verdict = one.day_verdict
    deciding = np.flatnonzero(~one.limit.verified & ((verdict == EXCEEDED) | (verdict == MET)))
    if deciding.size == 0:
        return []
    first = int(deciding[0])
    message = (
        f"{one.limit.limit_set} {one.limit.statistic}: the number was not seen in the text of the standard; "
        f"it decides {deciding.size} day(s) from {windows.days[first]} on"
    )
    return [
        Finding(int(windows.day_edges[first]), series.point, series.parameter, "unverified_limit", message, "warning")
    ]


def _certain(
    result: _SeriesResult, one: Judged, curve: FlowCurve, volume: PointVolume, windows: Windows
) -> list[Finding]:
    """Days with too little data whose known load alone already passes the limit.

    Certain only where the whole day's flow is known: concentrations are never negative, so the daily
    mean is at least the known load over the whole volume.
    """
    days = len(windows.days)
    unknown_ms = np.bincount(windows.hour_day, np.diff(windows.hour_edges) - curve.known_ms, days)
    with np.errstate(divide="ignore", invalid="ignore"):
        least = result.daily.load_kg / volume.daily / units.factor(result.series.unit, "kg/m3") * one.limit.factor
    certain = (one.day_verdict == INSUFFICIENT_DATA) & (unknown_ms == 0) & _above(least, one)
    return [
        _certain_finding(result.series, one, int(day), f"the daily mean is at least {least[day]:.6g}", windows)
        for day in np.flatnonzero(certain)
    ]


def _certain_load(series: Series, one: Judged, windows: Windows) -> list[Finding]:
    certain = (one.day_verdict == INSUFFICIENT_DATA) & _above(one.day_value, one)
    return [
        _certain_finding(series, one, int(day), f"the known load alone is {one.day_value[day]:.6g}", windows)
        for day in np.flatnonzero(certain)
    ]


def _above(value: FloatArray, one: Judged) -> NDArray[np.bool_]:
    return exceeded(value, np.full(value.size, np.nan), one.limit.upper)


def _certain_finding(series: Series, one: Judged, day: int, what: str, windows: Windows) -> Finding:
    message = (
        f"{one.limit.limit_set} {one.limit.statistic} on {windows.days[day]}: data are insufficient, but {what} "
        f"{one.limit.unit}, above the limit of {one.limit.upper[day]:.6g}: an exceedance is certain"
    )
    time_ms = int(windows.day_edges[day])
    return Finding(time_ms, series.point, series.parameter, "exceedance_certain", message, "warning")


def _exceedance_rows(found: Sequence[Episode], plant: Plant) -> Table:
    rows = [
        (
            e.point, e.parameter, e.limit_set, str(e.statistic), rfc3339(e.start_ms, plant.zone),
            rfc3339(e.end_ms, plant.zone), e.windows, e.peak, e.limit, e.peak_ratio,
        )
        for e in found
    ]  # fmt: skip
    return Table.of_rows(EXCEEDANCE_COLUMNS, rows)


def _headroom_rows(headroom: Headroom, plant: Plant, labels: _Labels) -> Table:
    days = labels.days.size
    return Table(
        dict(
            zip(
                HEADROOM_COLUMNS,
                (
                    labels.days, headroom.inflow_m3, np.full(days, float(plant.capacity_m3_d)), headroom.headroom_m3,
                    headroom.used_share, headroom.peak_m3_h, headroom.valid_share,
                ),
                strict=True,
            )
        )
    )  # fmt: skip


def _finding_rows(findings: Sequence[Finding], plant: Plant) -> Table:
    ordered = sorted(findings, key=lambda f: (f.point, f.parameter, f.time_ms or 0, f.code))
    rows = [
        (None if f.time_ms is None else rfc3339(f.time_ms, plant.zone), f.point, f.parameter, f.code, f.message)
        for f in ordered
    ]
    return Table.of_rows(FINDING_COLUMNS, rows)
