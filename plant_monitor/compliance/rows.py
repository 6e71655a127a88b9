"""The results of a series as rows of the files: columns in the order of design §4.3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_monitor.compliance.episodes import Episode
from plant_monitor.compliance.headroom import Headroom
from plant_monitor.compliance.limits import VERDICTS, Judged
from plant_monitor.compliance.means import PointVolume, WindowStatistics
from plant_monitor.compliance.tables import (
    DAILY_COLUMNS,
    EXCEEDANCE_COLUMNS,
    FINDING_COLUMNS,
    HEADROOM_COLUMNS,
    HOURLY_COLUMNS,
    Table,
    text_column,
)
from plant_monitor.plant import PH, Plant, Series, Statistic
from plant_monitor.readings import Finding, FloatArray, IntArray
from plant_monitor.windows import Windows, hour_labels, rfc3339

VERDICT_TEXT = np.array(VERDICTS, dtype=object)


@dataclass(frozen=True, slots=True)
class SeriesResult:
    """One series, its statistics and its verdicts by limit."""

    series: Series
    hourly: WindowStatistics
    daily: WindowStatistics
    judged: tuple[Judged, ...]  # sorted by (limit set, statistic)


class Labels:
    """The text of every hour and day, made once."""

    def __init__(self, windows: Windows, plant: Plant) -> None:
        self.hours = np.empty(windows.hour_day.size, dtype=object)
        self.hours[:] = hour_labels(windows, plant.zone)
        self.days = np.empty(len(windows.days), dtype=object)
        self.days[:] = [day.isoformat() for day in windows.days]


def hourly_rows(result: SeriesResult, volume: PointVolume, labels: Labels, windows: Windows) -> Table:
    """Rows of ``hourly.csv``: every hour against every limit that speaks of hours."""
    hours, hour_day = windows.hour_day.size, windows.hour_day
    stats = result.hourly
    own = stats.median if result.series.parameter == PH else stats.mean
    with_hours = [x for x in result.judged if x.hour_verdict.size]
    free = unlimited(with_hours, hours, hour_day)
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
            "verdict": VERDICT_TEXT[verdict[at]],
        })  # fmt: skip
    return interleave(result.series, HOURLY_COLUMNS, order, rows)


def daily_rows(result: SeriesResult, volume: PointVolume, labels: Labels) -> Table:
    """Rows of ``daily.csv``."""
    days = labels.days.size
    stats = result.daily
    free = unlimited(result.judged, days)
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
        rows.append({
            "date": labels.days[at],
            "statistic": text_column(str(statistic), at.size),
            "value": value[at],
            "lower": lower[at],
            "upper": upper[at],
            "limit_set": text_column(limit_set, at.size),
            "ratio": one_sided_ratio(value[at], lower[at], upper[at]),
            "valid_share": share[at],
            "volume_m3": volume.daily[at],
            "load_kg": stats.load_kg[at],
            "verdict": VERDICT_TEXT[verdict[at]],
        })  # fmt: skip
    return interleave(result.series, DAILY_COLUMNS, order, rows)


def one_sided_ratio(value: FloatArray, lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Value ÷ upper of one-sided upper limits; NaN for others and where it would divide by 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.isnan(lower) & (upper != 0), value / upper, np.nan)


def unlimited(judged: Sequence[Judged], count: int, hour_day: IntArray | None = None) -> NDArray[np.bool_]:
    """Windows in which no limit is in force."""
    free = np.ones(count, dtype=bool)
    for one in judged:
        free &= ~(one.limit.in_force if hour_day is None else one.limit.in_force[hour_day])
    return free


def interleave(
    series: Series, names: Sequence[str], order: Sequence[IntArray], rows: Sequence[Mapping[str, NDArray[Any]]]
) -> Table:
    """The blocks of a series' rows by window; the blocks' own order decides within one."""
    parts = [(at, row) for at, row in zip(order, rows, strict=True) if at.size] or [(order[0], rows[0])]
    columns = dict(parts[0][1])
    if len(parts) > 1:
        rank = np.argsort(np.concatenate([at for at, _ in parts]), kind="stable")
        columns = {name: np.concatenate([row[name] for _, row in parts])[rank] for name in columns}
    count = next(iter(columns.values())).size
    columns |= {"point": text_column(series.point, count), "parameter": text_column(series.parameter, count)}
    return Table({name: columns[name] for name in names})


def exceedance_rows(found: Sequence[Episode], plant: Plant) -> Table:
    """Rows of ``exceedances.csv``."""
    rows = [
        (
            e.point, e.parameter, e.limit_set, str(e.statistic), rfc3339(e.start_ms, plant.zone),
            rfc3339(e.end_ms, plant.zone), e.windows, e.peak, e.limit, e.peak_ratio,
        )
        for e in found
    ]  # fmt: skip
    return Table.of_rows(EXCEEDANCE_COLUMNS, rows)


def headroom_rows(headroom: Headroom, plant: Plant, labels: Labels) -> Table:
    """Rows of ``headroom.csv``."""
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


def finding_rows(findings: Sequence[Finding], plant: Plant) -> Table:
    """Rows of ``findings.csv``."""
    ordered = sorted(findings, key=lambda f: (f.point, f.parameter, f.time_ms or 0, f.code))
    rows = [
        (None if f.time_ms is None else rfc3339(f.time_ms, plant.zone), f.point, f.parameter, f.code, f.message)
        for f in ordered
    ]
    return Table.of_rows(FINDING_COLUMNS, rows)
