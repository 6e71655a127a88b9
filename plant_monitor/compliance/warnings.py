"""Warnings: what a person should know before it is a verdict (design §5, *Warnings*). They never change a verdict.

An hour above a daily limit · a day *on course* to exceed · readings over range · an instrument that is silent.
Suspect sensors are in ``suspicion``. Everything is a function of the readings up to the instant a warning
speaks of, so a re-evaluation of an old day tells what could have been known when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np

from plant_monitor.compliance.course import Course, day_course
from plant_monitor.compliance.episodes import Episode, episodes
from plant_monitor.compliance.limits import (
    EXCEEDED,
    INSUFFICIENT_DATA,
    Judged,
    VerdictArray,
)
from plant_monitor.compliance.rows import SeriesResult
from plant_monitor.compliance.tables import WARNING_COLUMNS, Table
from plant_monitor.holds import MS_PER_HOUR, FlowCurve, held
from plant_monitor.plant import FLOW, VOLUME, Name, Series, Statistic
from plant_monitor.readings import COMMUNICATION_LOST, OVER_RANGE, FloatArray, IntArray, Readings
from plant_monitor.windows import Windows, rfc3339

#: An instrument is silent after so many intervals without a reading: one more than a reading can hold for, ...
SILENT_INTERVALS = 3
#: ... and after half an hour at the earliest, so that a short break of a line is no alarm.
SILENT_AT_LEAST_MS = 1_800_000


class WarningKind(StrEnum):
    """What a warning says; the last six suspect the sensor."""

    HOUR_ABOVE_LIMIT = "hour_above_limit"
    ON_COURSE = "on_course"
    OVER_RANGE = "over_range"
    SILENCE = "silence"
    FLAT_LINE = "flat_line"
    SPIKE = "spike"
    JUMP = "jump"
    DRIFT = "drift"
    OUT_OF_RANGE = "out_of_range"
    BALANCE = "balance"


@dataclass(frozen=True, slots=True)
class PlantWarning:
    """One warning with its evidence: ``value`` against ``bound``, in ``unit``.

    ``[start_ms, end_ms)`` the time it speaks of · ``count`` windows or readings · ``ongoing`` nothing seen later
    has ended it · of a day on course: ``passes_ms`` when the limit will have been passed for certain,
    ``avoid_mg_l`` and ``avoid_flow_m3_h`` the concentration, or the flow, that would still keep the limit if
    the rest of the day ran at it (None: there is none).
    """

    kind: WarningKind
    point: str
    parameter: str
    start_ms: int
    end_ms: int
    value: float | None
    bound: float | None
    unit: str
    count: int
    ongoing: bool
    evidence: Name
    limit_set: str = ""
    statistic: str = ""
    passes_ms: int | None = None
    avoid_mg_l: float | None = None
    avoid_flow_m3_h: float | None = None


@dataclass(frozen=True, slots=True)
class _HourByHour:
    """Warnings of one limit that are asked for at the end of each hour, worded when they are read."""

    at: Callable[[int], PlantWarning]  # what the end of an hour tells
    found: tuple[Episode, ...]  # hours in a row
    hours: dict[int, int]  # end of the hour (ms) -> its number, of each that tells something

    def rows(self) -> Iterator[PlantWarning]:
        return map(self.at, self.hours.values())

    def runs(self) -> Iterator[PlantWarning]:
        """Each with what its last hour says."""
        for e in self.found:
            last = self.at(self.hours[e.end_ms])
            yield replace(
                last, start_ms=e.start_ms, count=e.windows, ongoing=e.ongoing, value=e.peak, bound=e.limit
            )  # fmt: skip


@dataclass(frozen=True)
class Warned:
    """What was, or would have been, warned of. Nobody pays for the words of what is not read."""

    told: tuple[PlantWarning, ...] = ()
    hourly: tuple[_HourByHour, ...] = ()

    @cached_property
    def rows(self) -> tuple[PlantWarning, ...]:
        """A warning each time it would have been told, of hours one each."""
        return (*self.told, *(w for one in self.hourly for w in one.rows()))

    @cached_property
    def runs(self) -> tuple[PlantWarning, ...]:
        """The same with hours in a row as one."""
        return (*self.told, *(w for one in self.hourly for w in one.runs()))

    @staticmethod
    def all(parts: Sequence[Warned]) -> Warned:
        """All together."""
        return Warned(tuple(w for p in parts for w in p.told), tuple(h for p in parts for h in p.hourly))


def early_warnings(
    result: SeriesResult, windows: Windows, zone: ZoneInfo, *, metered: bool, until_ms: int | None
) -> Warned:
    """Hours above a daily limit, and days on course, over the hours that are over by ``until_ms``."""
    parts = []
    for one in result.judged:
        if one.limit.statistic is Statistic.DAILY_MEAN:
            parts.append(_hours_above(result.series, one, windows, until_ms))
        if one.limit.statistic in (Statistic.DAILY_MEAN, Statistic.DAILY_LOAD):
            course = day_course(result.series, one, result.hourly, windows, metered=metered)
            parts.append(_on_course(result.series, one, course, windows, zone, until_ms))
    return Warned(hourly=tuple(parts))


def _hours_above(series: Series, one: Judged, windows: Windows, until_ms: int | None) -> _HourByHour:
    def at(hour: int) -> PlantWarning:
        value, bound = float(one.hour_value[hour]), _bound(one, one.hour_value, windows, hour)
        limit, sign = f"{bound:.6g} {one.limit.unit}", ("高于", "above") if value > bound else ("低于", "below")
        text = Name(
            f"小时均值 {value:.4g} {sign[0]}日限值 {limit};是预警,不是超标",
            f"the hour's mean {value:.4g} is {sign[1]} the daily limit of {limit}: an early warning, no exceedance",
        )
        return _of_hour(WarningKind.HOUR_ABOVE_LIMIT, series, one, windows, hour, value, bound, text)

    return _told(at, one.hour_value, one.hour_verdict, one, windows, until_ms)


def _on_course(
    series: Series, one: Judged, course: Course, windows: Windows, zone: ZoneInfo, until_ms: int | None
) -> _HourByHour:
    def at(hour: int) -> PlantWarning:
        value, bound = float(course.projected[hour]), _bound(one, course.projected, windows, hour)
        passes = float(course.passes_ms[hour])
        warning = _of_hour(WarningKind.ON_COURSE, series, one, windows, hour, value, bound, Name("", ""))
        warning = replace(
            warning,
            passes_ms=None if np.isnan(passes) else int(np.ceil(passes)),
            avoid_mg_l=_known(course.avoid_mg_l[hour]),
            avoid_flow_m3_h=_known(course.avoid_flow_m3_h[hour]),
        )
        return replace(warning, evidence=_course_text(warning, course, hour, series.unit, zone))

    return _told(at, course.projected, course.verdict, one, windows, until_ms)


def _course_text(warning: PlantWarning, course: Course, hour: int, own_unit: str, zone: ZoneInfo) -> Name:
    def clock(time_ms: int) -> str:
        return f"{datetime.fromtimestamp(time_ms / 1000, zone):%H:%M}"

    unit, end = warning.unit, warning.end_ms
    flow = "" if np.isnan(course.flow_m3_h[hour]) else f" × {course.flow_m3_h[hour]:.4g} m3/h"
    now = f"{course.mean[hour]:.4g} {own_unit}{flow}"
    zh = f"{clock(end)} 预计当日 {warning.value:.4g} {unit}(限值 {warning.bound:.6g});"
    en = f"at {clock(end)} the day is on course for {warning.value:.4g} {unit} (limit {warning.bound:.6g}); "
    if not np.isnan(course.so_far[hour]):
        zh, en = f"{zh}目前 {course.so_far[hour]:.4g},", f"{en}so far {course.so_far[hour]:.4g}, "
    if not np.isnan(course.mean[hour]):
        zh, en = f"{zh}上一小时 {now};", f"{en}last hour {now}; "
    if warning.passes_ms is not None and warning.passes_ms <= end:
        return Name(f"{zh}按预计水量已无法避免", f"{en}no longer to be avoided with the expected volume")
    if warning.passes_ms is not None:
        zh = f"{zh}照此 {clock(warning.passes_ms)} 起无法避免;"
        en = f"{en}as it goes, from {clock(warning.passes_ms)} it can no longer be avoided; "
    ways_zh, ways_en = [], []
    if warning.avoid_mg_l is not None:
        ways_zh.append(f"浓度不高于 {warning.avoid_mg_l:.4g} mg/L")
        ways_en.append(f"at most {warning.avoid_mg_l:.4g} mg/L")
    if warning.avoid_flow_m3_h is not None:
        ways_zh.append(f"流量不高于 {warning.avoid_flow_m3_h:.4g} m3/h")
        ways_en.append(f"at most {warning.avoid_flow_m3_h:.4g} m3/h")
    if ways_zh:
        zh, en = f"{zh}此后{'或'.join(ways_zh)}仍可避免", f"{en}avoided with {' or '.join(ways_en)} from now on"
    return Name(zh.rstrip(";"), en.rstrip("; "))


def _bound(one: Judged, value: FloatArray, windows: Windows, hour: int) -> float:
    """The bound that the hour's value has passed."""
    day = windows.hour_day[hour]
    lower, upper = float(one.limit.lower[day]), float(one.limit.upper[day])
    return upper if value[hour] > upper else lower


def _of_hour(
    kind: WarningKind, series: Series, one: Judged, windows: Windows, hour: int, value: float, bound: float, text: Name
) -> PlantWarning:
    start, end = int(windows.hour_edges[hour]), int(windows.hour_edges[hour + 1])
    limit = one.limit
    return PlantWarning(
        kind, series.point, series.parameter, start, end, value, bound, limit.unit, 1, False, text,
        limit.limit_set, str(limit.statistic),
    )  # fmt: skip


def _told(
    at: Callable[[int], PlantWarning],
    value: FloatArray,
    verdict: VerdictArray,
    one: Judged,
    windows: Windows,
    until_ms: int | None,
) -> _HourByHour:
    """The hours that are beyond the limit, each and in runs."""
    edges, day, limit = windows.hour_edges, windows.hour_day, one.limit
    if until_ms is not None:
        verdict = np.where(edges[1:] <= until_ms, verdict, INSUFFICIENT_DATA).astype(np.int8)
    hours = np.flatnonzero(verdict == EXCEEDED)
    key = ("", "", limit.limit_set, limit.statistic, limit.unit)
    found = episodes(key, value, limit.lower[day], limit.upper[day], verdict, edges)
    return _HourByHour(at, tuple(found), dict(zip(edges[hours + 1].tolist(), hours.tolist(), strict=True)))


def over_range(series: Series, readings: Readings, windows: Windows) -> Warned:
    """Runs of readings with mark ``T``: no number, but evidence of one beyond what the instrument can tell.

    ``readings`` of the series, sorted by time, one per instant.
    """
    marked = readings.mark == OVER_RANGE
    if series.interval_ms is None or not marked.any():
        return Warned()
    holds = held(readings, series)
    step = np.diff(marked.astype(np.int8), prepend=0, append=0)
    found = []
    for first, stop in zip(np.flatnonzero(step == 1), np.flatnonzero(step == -1), strict=True):
        start, end = int(holds.start[first]), int(holds.end[stop - 1])
        if end <= windows.start_ms or start >= windows.end_ms:
            continue
        values = readings.value[first:stop]
        values = values[np.isfinite(values)]
        count = int(stop - first)
        text = Name(f"{count} 个读数超量程(标记 T)", f"{count} reading(s) over range (mark T)")
        found.append(
            PlantWarning(
                WarningKind.OVER_RANGE, series.point, series.parameter, start, end,
                float(values.max()) if values.size else None, None, series.unit, count,
                bool(stop == marked.size), text,
            )
        )  # fmt: skip
    return Warned(tuple(found))


def came(readings: Readings) -> IntArray:
    """When something came; where only lost ones are known, silent since the first of them at least."""
    some = readings.mark != COMMUNICATION_LOST
    some[:1] = True
    return readings.time[some]


def patience_ms(interval_ms: int) -> int:
    """How long nothing may come of what is due each interval."""
    return max(SILENT_INTERVALS * interval_ms, SILENT_AT_LEAST_MS)


def silence(series: Series, readings: Readings, curve: FlowCurve, windows: Windows, until_ms: int | None) -> Warned:
    """Stretches without a reading for more than three intervals and half an hour; ``B`` is no reading.

    ``readings`` as for an evaluation: with the neighbours around the windows. Of what is not flow or
    totaliser, only time in which the point discharges, or its flow is unknown, counts: an analyser may rest with
    the pump.
    A series that has never reported is not told of: nothing says since when it should have.
    """
    time = came(readings)
    now_ms = windows.end_ms if until_ms is None else until_ms
    if series.interval_ms is None or time.size == 0 or now_ms <= windows.start_ms:
        return Warned()
    allowed = patience_ms(series.interval_ms)
    last = bool(time[-1] < now_ms)
    start, end = (time, np.append(time[1:], now_ms)) if last else (time[:-1], time[1:])
    long = np.flatnonzero((end - start > allowed) & (end > windows.start_ms) & (start < windows.end_ms))
    found = []
    for i in long:
        since, until = int(start[i]), int(end[i])
        if series.parameter not in (FLOW, VOLUME) and _due_ms(curve, since, until, windows) <= allowed:
            continue
        hours = (until - since) / MS_PER_HOUR
        text = Name(
            f"{hours:.3g} 小时无读数(应每 {series.interval_ms / 60_000:g} 分钟一次)",
            f"no reading for {hours:.3g} h (one every {series.interval_ms / 60_000:g} min is due)",
        )
        ongoing = last and int(i) == start.size - 1
        found.append(
            PlantWarning(
                WarningKind.SILENCE, series.point, series.parameter, since, until, hours, allowed / MS_PER_HOUR,
                "h", 0, ongoing, text,
            )
        )  # fmt: skip
    return Warned(tuple(found))


def _due_ms(curve: FlowCurve, since: int, until: int, windows: Windows) -> int:
    """Due time of a stretch; what lies outside the windows, whose flow is not looked at, counts as due."""
    inside = np.clip(np.array([since, until]), windows.start_ms, windows.end_ms)
    segment = np.searchsorted(curve.edges, inside, side="right") - 1
    due = np.diff(curve.due_time.at(inside, segment))[0]
    return int(due) + (until - since) - int(inside[1] - inside[0])


def warning_rows(warnings: Sequence[PlantWarning], zone: ZoneInfo) -> Table:
    """Rows of ``warnings.csv``."""
    order = sorted(warnings, key=lambda w: (w.point, w.parameter, w.start_ms, w.kind, w.limit_set, w.statistic))
    rows = [
        (
            w.point, w.parameter, str(w.kind), rfc3339(w.start_ms, zone), rfc3339(w.end_ms, zone), w.limit_set,
            w.statistic, w.value, w.bound, w.unit, w.count,
            None if w.passes_ms is None else rfc3339(w.passes_ms, zone), w.avoid_mg_l, w.avoid_flow_m3_h,
            w.evidence.zh, w.evidence.en,
        )
        for w in order
    ]  # fmt: skip
    return Table.of_rows(WARNING_COLUMNS, rows)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
