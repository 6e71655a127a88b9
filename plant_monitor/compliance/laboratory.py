"""Laboratory results: verdicts of their own, and how far the online analyser is from them.

What is never measured online (BOD5, oil, metals) is judged here alone, and no laboratory result ever enters a
mean of readings. A result is compared with the limits of a daily mean (for pH: of an hourly median) that are in
force on each local day its sample covers; what "below the limit of detection" decides is in :func:`verdict`.
The pair (analyser's mean over the sample, laboratory) follows HJ 355 in style; its tolerances are settings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from plant_monitor import units
from plant_monitor.compliance.limits import AppliedLimit, applied_limits, exceeded
from plant_monitor.compliance.means import ENOUGH, series_statistics
from plant_monitor.compliance.tables import LAB_COLUMNS, Table
from plant_monitor.holds import exceeds, flow_curve
from plant_monitor.plant import PH, VOLUME, Plant, Point, Series, Statistic, Tolerance
from plant_monitor.readings import Readings
from plant_monitor.windows import Windows, local_day, rfc3339

_RESULT = re.compile(r"([<＜]?)\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)", re.ASCII)
MAX_SAMPLE_DAYS = 31
_LENGTHS = {"unit": 32, "method": 256, "laboratory": 256, "who": 128}


@dataclass(frozen=True, slots=True)
class LabResult:
    """What a laboratory found in one sample.

    ``[start_ms, end_ms)`` the time the sample was drawn over; equal for a grab sample · ``value`` in
    ``unit``; with ``below_lod`` the limit of detection that it is below · ``who`` took the sample
    """

    point: str
    parameter: str
    start_ms: int
    end_ms: int
    value: float
    below_lod: bool
    unit: str
    method: str
    laboratory: str
    who: str

    @property
    def text(self) -> str:
        """As reported: ``312.4`` or ``<0.05``."""
        return ("<" if self.below_lod else "") + repr(self.value).removesuffix(".0")


@dataclass(frozen=True, slots=True)
class OnlineMean:
    """The analyser over the time of a sample: ``value`` in ``unit`` (None: nothing valid), and its valid share."""

    value: float | None
    valid_share: float | None
    unit: str


def parse_result(text: str) -> tuple[float, bool]:
    """(value, below the limit of detection) of ``312.4`` or ``<0.05``.

    Raises
    ------
    ValueError  the text is neither
    """
    match = _RESULT.fullmatch(text.strip())
    if match is None or not math.isfinite(float(match[2])):
        raise ValueError(f"result {text[:40]!r} is no number and no < with the limit of detection")
    return float(match[2]), bool(match[1])


def own_unit(plant: Plant, point: Point, parameter: str) -> str | None:
    """The unit of a parameter at a point: that of the series, else the usual one, else None."""
    series = point.find(parameter)
    return plant.standard_units.get(parameter) if series is None else series.unit


def problem_of(plant: Plant, result: LabResult) -> str | None:
    """Why a result cannot be taken, or None."""
    point = plant.point_by_id.get(result.point)
    if point is None:
        return f"point {result.point!r} is not declared"
    limits = [x for s in point.limits for x in plant.limit_set_by_id[s].limits if x.parameter == result.parameter]
    usual = own_unit(plant, point, result.parameter)
    if result.parameter == VOLUME or (usual is None and not limits):
        return f"parameter {result.parameter!r} is not known: no series, no limit of the point, no usual unit"
    for unit in (usual, *(x.unit for x in limits if x.statistic is _statistic(result))):
        if unit is not None and not units.convertible(result.unit, unit):
            return f"unit {result.unit!r} of {result.parameter} cannot be told in {unit}"
    if result.end_ms < result.start_ms:
        return "the sample ends before it starts"
    if result.end_ms - result.start_ms > MAX_SAMPLE_DAYS * 86_400_000:
        return f"the sample is longer than {MAX_SAMPLE_DAYS} days"
    if not math.isfinite(result.value) or (units.is_concentration(result.unit) and result.value < 0):
        return f"result {result.text} is impossible"
    if result.below_lod and result.value <= 0:
        return f"result {result.text}: a limit of detection is above 0"
    empty = [name for name in ("unit", "method", "laboratory", "who") if not getattr(result, name).strip()]
    if empty:
        return f"{', '.join(empty)} not stated"
    long = [name for name, most in _LENGTHS.items() if len(getattr(result, name)) > most]
    return f"{long[0]} is longer than {_LENGTHS[long[0]]} letters" if long else None


def online_mean(plant: Plant, result: LabResult, readings: Mapping[str, Readings]) -> OnlineMean | None:
    """The online analyser over the time of a sample, weighted as a window's mean is (pH: the median).

    ``readings`` parameter -> the point's readings, sorted by time, one per instant; those around the sample that
    hold into it included. A grab sample is compared with what holds at its instant. None: not measured online.
    """
    point = plant.point_by_id.get(result.point)
    series = None if point is None else point.find(result.parameter)
    if point is None or series is None or series.parameter == VOLUME:
        return None
    edges = np.array([result.start_ms, max(result.end_ms, result.start_ms + 1)], dtype=np.int64)
    windows = Windows((local_day(result.start_ms, plant.zone),), edges, edges, np.zeros(1, dtype=np.int64))
    curve = flow_curve(point, plant, readings, edges)
    own = readings.get(series.parameter, Readings.empty())
    stats, _ = series_statistics(series, own, curve, windows, medians=series.parameter == PH)
    value = float((stats.median if series.parameter == PH else stats.mean)[0])
    share = float(stats.valid_share[0])
    return OnlineMean(None if math.isnan(value) else value, None if math.isnan(share) else share, series.unit)


def verdict(value: float, below_lod: bool, lower: float, upper: float) -> str:
    """Met, exceeded or insufficient_data; NaN is no bound, all in one unit.

    Below a limit of detection L the true value is somewhere in [0, L): an upper limit is met where L ≤ limit, and
    nothing is known where L > limit; a lower limit is broken where L ≤ limit. An upper limit of 0 ("not
    detectable", 不得检出) is met by what was not detected.
    """
    if not below_lod:
        over = exceeded(*(np.array([x]) for x in (value, lower, upper)))
        return "exceeded" if over[0] else "met"
    if not math.isnan(lower) and lower > 0:
        return "insufficient_data" if exceeds(value, lower) else "exceeded"
    return "insufficient_data" if upper != 0 and exceeds(value, upper) else "met"


def lab_table(plant: Plant, paired: Iterable[tuple[LabResult, OnlineMean | None]]) -> Table:
    """Rows of ``lab.csv``: each result against every limit in force on each day of its sample."""
    ordered = sorted(
        paired, key=lambda p: (p[0].point, p[0].parameter, p[0].start_ms, p[0].end_ms, p[0].laboratory, p[0].method)
    )
    return Table.of_rows(LAB_COLUMNS, [row for result, online in ordered for row in _rows(plant, result, online)])


def days_of(plant: Plant, result: LabResult) -> list[date]:
    """The local days a sample covers."""
    first = local_day(result.start_ms, plant.zone)
    last = local_day(max(result.end_ms - 1, result.start_ms), plant.zone)
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def _rows(plant: Plant, result: LabResult, online: OnlineMean | None) -> list[tuple[object, ...]]:
    days, sound = days_of(plant, result), problem_of(plant, result) is None
    limits = _limits(plant, result, days) if sound else []
    pair = compare(result, online if sound else None, plant.quality.tolerances)
    sample = (rfc3339(result.start_ms, plant.zone), rfc3339(result.end_ms, plant.zone))
    rows: list[tuple[object, ...]] = []
    for i, day in enumerate(days):
        judged = [_judged(result, limit, i) for limit in limits if limit.in_force[i]]
        # What plant.yaml no longer has a place for (its point, its unit) is shown, and cannot be judged.
        free = _unjudged(result, "no_limit" if sound else "insufficient_data")
        rows.extend(
            (
                result.point, result.parameter, *sample, day.isoformat(), result.text, result.unit, *verdict_columns,
                *pair, result.method, result.laboratory, result.who,
            )
            for verdict_columns in judged or [free]
        )  # fmt: skip
    return rows


def _judged(result: LabResult, limit: AppliedLimit, day: int) -> tuple[object, ...]:
    """Columns ``value`` … ``limit_verified`` against one limit on one day."""
    value = result.value * units.factor(result.unit, limit.unit)
    lower, upper = float(limit.lower[day]), float(limit.upper[day])
    told = None if result.below_lod else value
    ratio = value / upper if told is not None and math.isnan(lower) and upper != 0 else None
    word = verdict(value, result.below_lod, lower, upper)
    bounds = (None if math.isnan(lower) else lower, None if math.isnan(upper) else upper)
    verified = "yes" if limit.verified[day] else "no"
    return told, limit.unit, limit.limit_set, str(limit.statistic), *bounds, ratio, word, verified


def _unjudged(result: LabResult, word: str) -> tuple[object, ...]:
    told = None if result.below_lod else result.value
    return told, result.unit, "", str(_statistic(result)), None, None, None, word, ""


def _limits(plant: Plant, result: LabResult, days: Sequence[date]) -> list[AppliedLimit]:
    """The limits that speak of samples, by limit set."""
    point = plant.point_by_id.get(result.point)
    if point is None:
        return []
    unit = own_unit(plant, point, result.parameter) or result.unit
    series = Series(result.point, result.parameter, unit, None)
    return applied_limits(plant, point, series, days, only=_statistic(result))


def _statistic(result: LabResult) -> Statistic:
    return Statistic.HOURLY_MEDIAN if result.parameter == PH else Statistic.DAILY_MEAN


Pair = tuple[float | None, float | None, float | None, float | None, float | None, str, str]


def compare(result: LabResult, online: OnlineMean | None, tolerances: Sequence[Tolerance]) -> Pair:
    """Analyser x beside laboratory B, in the laboratory's unit.

    (mean, valid share, ΔC = x − B, ΔC ÷ B, tolerance, its mark, agrees ``yes`` or ``no``). Empty is what cannot be
    told: without a value on both sides, below a limit of detection, without a tolerance; and ``agrees`` below a
    valid share of 0.75.
    """
    if online is None:
        return None, None, None, None, None, "", ""
    if online.value is None:
        return None, online.valid_share, None, None, None, "", ""
    mean = online.value * units.factor(online.unit, result.unit)
    if result.below_lod:
        return mean, online.valid_share, None, None, None, "", ""
    difference = mean - result.value
    share = difference / result.value if result.value != 0 else None
    tolerance, mark = _tolerance(result, tolerances)
    agrees = ""
    if tolerance is not None and (online.valid_share or 0) >= ENOUGH:
        agrees = "no" if exceeds(abs(difference), tolerance) else "yes"
    return mean, online.valid_share, difference, share, tolerance, mark, agrees


def _tolerance(result: LabResult, tolerances: Sequence[Tolerance]) -> tuple[float | None, str]:
    """(tolerance in the unit of the result, mark) of the first entry that speaks of the value."""
    for one in tolerances:
        if one.parameter != result.parameter or not units.convertible(one.unit, result.unit):
            continue
        factor = units.factor(one.unit, result.unit)
        if one.below is not None and not exceeds(one.below * factor, result.value):
            continue
        if one.relative is not None:
            return one.relative * abs(result.value), one.mark
        return None if one.absolute is None else one.absolute * factor, one.mark
    return None, ""
