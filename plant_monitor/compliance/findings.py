"""What a person should know about verdicts: numbers nobody has verified, exceedances certain despite missing data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plant_monitor import units
from plant_monitor.compliance.limits import EXCEEDED, INSUFFICIENT_DATA, MET, Judged, exceeded
from plant_monitor.compliance.means import PointVolume
from plant_monitor.compliance.rows import SeriesResult
from plant_monitor.holds import FlowCurve
from plant_monitor.plant import Series, Statistic
from plant_monitor.readings import Finding, FloatArray
from plant_monitor.windows import Windows


def findings_of(result: SeriesResult, curve: FlowCurve, volume: PointVolume, windows: Windows) -> list[Finding]:
    """The findings about a series' verdicts over the days."""
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
    result: SeriesResult, one: Judged, curve: FlowCurve, volume: PointVolume, windows: Windows
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
