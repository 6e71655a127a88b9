"""Which sensors of a plant are suspect: the tests of ``suspicion`` over its series, and cross-checks between them.

One point at a time, so that a service needs the memory of one. Days and hours that the point does not discharge
are left out: what stands still there is no sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from plant_monitor import units
from plant_monitor.compliance.means import PointVolume, series_statistics
from plant_monitor.compliance.suspicion import (
    Signs,
    drifts,
    flat_lines,
    imbalances,
    jumps,
    outside,
    ratio_shifts,
    spikes,
)
from plant_monitor.compliance.warnings import PlantWarning, WarningKind
from plant_monitor.holds import FlowCurve, discharging, flow_curve
from plant_monitor.plant import FLOW, VOLUME, Name, PhysicalRange, Plant, Point, Represents, Series, Suspicion
from plant_monitor.readings import BoolArray, FloatArray, IntArray, Readings
from plant_monitor.windows import Windows

CONDUCTIVITY, CHLORIDE = "conductivity", "chloride"
#: A day takes part in a balance where so much of it is known on both sides.
WHOLE = 0.95

_WORDS = {
    WarningKind.FLAT_LINE: Name(
        "{value:.3g} 小时内读数完全相同(门槛 {bound:g} 小时)",
        "equal readings for {value:.3g} h ({bound:g} h are suspect)",
    ),
    WarningKind.SPIKE: Name(
        "孤立读数 {value:.4g} {unit},按前后读数应以 {bound:.4g} 为界",
        "a lone reading of {value:.4g} {unit}; by its neighbours nothing beyond {bound:.4g} was to be expected",
    ),
    WarningKind.JUMP: Name(
        "水平突变至 {value:.4g} {unit},按自身历史应以 {bound:.4g} 为界",
        "the level jumped to {value:.4g} {unit}; by its own history nothing beyond {bound:.4g} was to be expected",
    ),
    WarningKind.DRIFT: Name(
        "水平缓慢漂移至 {value:.4g} {unit},按自身历史应以 {bound:.4g} 为界",
        "the level drifted to {value:.4g} {unit}; by its own history nothing beyond {bound:.4g} was to be expected",
    ),
    WarningKind.OUT_OF_RANGE: Name(
        "{count} 个读数超出物理范围,如 {value:.6g} {unit},界限 {bound:g}",
        "{count} reading(s) out of the physical range, such as {value:.6g} {unit}; the bound is {bound:g}",
    ),
}


@dataclass(frozen=True, slots=True)
class PointDays:
    """What a point has passed on each day (D,), NaN where not all of the day is known: m³, and kg by parameter."""

    volume_m3: FloatArray
    load_kg: Mapping[str, FloatArray]


def suspect_sensors(
    plant: Plant, point: Point, own: Mapping[str, Readings], windows: Windows
) -> tuple[list[PlantWarning], PointDays]:
    """The suspicions about the sensors of one point, and its days for :func:`balances`.

    ``own`` parameter -> readings, sorted by time, one per instant; also those that hold into the windows.
    The windows should begin a month and a half before the time that is asked about: that is the history.
    """
    rule = plant.quality.suspicion
    curve = flow_curve(point, plant, own, windows.hour_edges)
    found: list[PlantWarning] = []
    if rule is None:
        return found, PointDays(np.empty(0), {})
    for series in point.series:
        if series.parameter != VOLUME:
            found.extend(_of_series(series, own[series.parameter], curve, windows, rule))
    found.extend(_salt(point, own, curve, windows, rule))
    return found, _days(plant, point, own, curve, windows)


def _of_series(
    series: Series, readings: Readings, curve: FlowCurve, windows: Windows, rule: Suspicion
) -> list[PlantWarning]:
    inside = (readings.time >= windows.start_ms) & (readings.time < windows.end_ms)
    good = readings.take(readings.valid & inside)
    if len(good) == 0:
        return []
    idle = _idle(series, good, curve)
    busy = np.flatnonzero(~idle)
    time, value = good.time[busy], good.value[busy]
    every = [
        (WarningKind.FLAT_LINE, good.time, flat_lines(good.time, good.value, hours=rule.flat_hours, idle=idle)),
        (WarningKind.SPIKE, time, spikes(time, value, sigmas=rule.spike_sigmas)),
        (WarningKind.OUT_OF_RANGE, good.time, _outside(series, good.value, rule.ranges)),
    ]
    if series.parameter != FLOW:  # a flow jumps with every pump
        every.append((WarningKind.JUMP, time, jumps(time, value, times=rule.jump_times)))
    found = [w for kind, times, signs in every for w in _warnings(kind, series, times, signs)]
    days = drifts(_medians(time, value, windows), sigmas=rule.drift_sigmas)
    return found + _of_days(WarningKind.DRIFT, series.point, series.parameter, series.unit, days, windows)


def _idle(series: Series, readings: Readings, curve: FlowCurve) -> BoolArray:
    """Readings taken while nothing was discharged."""
    if series.parameter == FLOW:
        return np.asarray(discharging(readings.value, series) == 0)
    time = readings.time - 1 if series.represents is Represents.BEFORE else readings.time
    segment = np.clip(np.searchsorted(curve.edges, time, side="right") - 1, 0, curve.due.size - 1)
    return np.asarray(~curve.due[segment])


def _outside(series: Series, value: FloatArray, ranges: tuple[PhysicalRange, ...]) -> Signs:
    mine = [r for r in ranges if r.parameter == series.parameter and units.convertible(r.unit, series.unit)]
    if not mine:
        return outside(value, None, None)
    factor = units.factor(mine[0].unit, series.unit)
    low, high = (None if x is None else x * factor for x in (mine[0].lower, mine[0].upper))
    return outside(value, low, high)


def _medians(time: IntArray, value: FloatArray, windows: Windows) -> FloatArray:
    """(D,) the median reading of each day; NaN without readings."""
    bounds = np.searchsorted(time, windows.day_edges)
    return np.array([_median(value[a:b]) if b > a else np.nan for a, b in pairwise(bounds)])


def _median(values: FloatArray) -> float:
    """The same as numpy's, which takes three times as long for a day's readings."""
    half = values.size // 2
    below, middle = np.partition(values, (max(half - 1, 0), half))[[max(half - 1, 0), half]]
    return float(middle) if values.size % 2 else float((below + middle) / 2)


def _salt(
    point: Point, own: Mapping[str, Readings], curve: FlowCurve, windows: Windows, rule: Suspicion
) -> list[PlantWarning]:
    """Conductivity against chloride: both tell of salt, so their ratio stays what it was."""
    pair = point.find(CONDUCTIVITY), point.find(CHLORIDE)
    if pair[0] is None or pair[1] is None:
        return []
    means = [_daily_mean(s, own[s.parameter], curve, windows) for s in pair if s is not None]
    signs = ratio_shifts(*means, share=rule.ratio_share)
    unit = f"{pair[0].unit} / {pair[1].unit}"
    found = _of_days(WarningKind.BALANCE, point.id, CONDUCTIVITY, unit, signs, windows)
    words = Name("电导率与氯化物日均值之比", "ratio of the daily means of conductivity and chloride")
    return [_worded(w, words) for w in found]


def _daily_mean(series: Series, readings: Readings, curve: FlowCurve, windows: Windows) -> FloatArray:
    _, daily = series_statistics(series, readings, curve, windows, medians=False)
    return np.where(daily.enough, daily.mean, np.nan)


def _days(plant: Plant, point: Point, own: Mapping[str, Readings], curve: FlowCurve, windows: Windows) -> PointDays:
    days = len(windows.days)
    known = np.bincount(windows.hour_day, curve.known_ms, days) >= WHOLE * np.diff(windows.day_edges)
    loads = {}
    for parameter in balanced_parameters(plant):
        series = point.find(parameter)
        if series is not None:
            _, daily = series_statistics(series, own[parameter], curve, windows, medians=False)
            whole = known & (daily.valid_ms >= WHOLE * daily.due_ms)
            loads[parameter] = np.where(whole, daily.load_kg, np.nan)
    return PointDays(np.where(known, PointVolume(curve, windows).daily, np.nan), loads)


def balanced_parameters(plant: Plant) -> list[str]:
    """Masses per volume that the inlet and every outfall measure: only for them there is a balance of loads."""
    if plant.inlet is None or not plant.outfalls:
        return []
    points = [plant.point_by_id[plant.inlet], *plant.outfalls]
    if not all(p.find(FLOW) or p.find(VOLUME) for p in points):
        return []
    shared = set.intersection(*({s.parameter for s in p.series if units.is_concentration(s.unit)} for p in points))
    return sorted(shared)


def balances(plant: Plant, days: Mapping[str, PointDays], windows: Windows) -> list[PlantWarning]:
    """Cross-checks by day: the inlet's volume, and its loads, against the sum of the outfalls."""
    rule = plant.quality.suspicion
    if rule is None or plant.inlet is None or not plant.outfalls:
        return []
    inlet, outfalls = days[plant.inlet], [days[p.id] for p in plant.outfalls]
    checks = [(FLOW, "m3/d", inlet.volume_m3, sum(o.volume_m3 for o in outfalls))]
    for parameter in balanced_parameters(plant):
        checks.append((parameter, "kg/d", inlet.load_kg[parameter], sum(o.load_kg[parameter] for o in outfalls)))
    found = []
    for parameter, unit, left, right in checks:
        signs = imbalances(left, np.asarray(right), share=rule.balance_share)
        words = Name("进口与各排放口之和不符", "the inlet and the sum of the outfalls differ")
        for warning in _of_days(WarningKind.BALANCE, plant.inlet, parameter, unit, signs, windows):
            found.append(_worded(warning, words))
    return found


def _worded(warning: PlantWarning, words: Name) -> PlantWarning:
    value, bound, unit = warning.value, warning.bound, warning.unit
    zh = f"{words.zh}:{value:.4g} {unit},应以 {bound:.4g} 为界"
    return replace(warning, evidence=Name(zh, f"{words.en}: {value:.4g} {unit}, beyond {bound:.4g}"))


def _warnings(kind: WarningKind, series: Series, time: IntArray, signs: Signs) -> list[PlantWarning]:
    """Signs over readings; the last reading of each holds for an interval."""
    unit = "h" if kind is WarningKind.FLAT_LINE else series.unit
    stays = kind in (WarningKind.FLAT_LINE, WarningKind.OUT_OF_RANGE)
    return [
        _warning(
            kind, series.point, series.parameter, unit,
            int(time[a]), int(time[b]) + (series.interval_ms or 1), v, bound, int(b - a + 1),
            stays and int(b) == time.size - 1,
        )
        for a, b, v, bound in zip(signs.first, signs.last, signs.value, signs.bound, strict=True)
    ]  # fmt: skip


def _of_days(
    kind: WarningKind, point: str, parameter: str, unit: str, signs: Signs, windows: Windows
) -> list[PlantWarning]:
    """Signs over days."""
    return [
        _warning(
            kind, point, parameter, unit, int(windows.day_edges[a]), int(windows.day_edges[b + 1]), v, bound,
            int(b - a + 1), int(b) == len(windows.days) - 1,
        )
        for a, b, v, bound in zip(signs.first, signs.last, signs.value, signs.bound, strict=True)
    ]  # fmt: skip


def _warning(
    kind: WarningKind, point: str, parameter: str, unit: str, start: int, end: int, value: float, bound: float,
    count: int, ongoing: bool,
) -> PlantWarning:  # fmt: skip
    words = _WORDS.get(kind, Name("", ""))
    facts = {"value": value, "bound": bound, "unit": unit if unit != "1" else "", "count": count}
    evidence = Name(words.zh.format(**facts), words.en.format(**facts))
    return PlantWarning(kind, point, parameter, start, end, float(value), float(bound), unit, count, ongoing, evidence)
