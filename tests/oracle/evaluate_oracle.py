"""What ``evaluate`` must write, from the sentences of design §4.3 and §5, slowly and exactly.

The rows are dicts with the columns of the files; numbers are exact fractions, None is empty.
Where the text leaves a choice, the choice is named in a comment that starts with "Reading:".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Any

from oracle.timeline import (
    CONCENTRATION,
    FLOW,
    HOUR,
    LOAD,
    Piece,
    Row,
    by_more_than_noise,
    convert,
    day_start,
    days_between,
    exact,
    greater,
    hour_starts,
    measures_flow,
    pieces_of,
    stamp,
    within,
)
from plant_monitor.plant import Limit, Plant, Point, Series, Statistic

Out = dict[str, Any]
ENOUGH = Fraction(3, 4)
HOURLY = (Statistic.HOURLY_MEAN, Statistic.HOURLY_MEDIAN)
JUDGED = (Statistic.DAILY_MEAN, Statistic.HOURLY_MEAN, Statistic.HOURLY_MEDIAN, Statistic.DAILY_LOAD)


# -- one series in one window -----------------------------------------------------------------------


@dataclass(frozen=True)
class Numbers:
    """All that is known of a series in a window; values in the unit of the series, load in kg."""

    due_ms: int
    valid_ms: int
    volume_m3: Fraction | None
    load_kg: Fraction | None
    mean: Fraction | None
    median: Fraction | None
    least: Fraction | None
    most: Fraction | None

    @property
    def share(self) -> Fraction | None:
        """Valid time / due time."""
        return Fraction(self.valid_ms, self.due_ms) if self.due_ms else None

    @property
    def enough(self) -> bool:
        """A valid share of 0.75 or more."""
        return self.share is not None and self.share >= ENOUGH


def volume_of(point: Point, window: Sequence[Piece]) -> Fraction | None:
    """The integral of q over known time; None where nothing is known or nothing is measured."""
    known = [p.q * p.hours for p in window if p.q is not None]
    return sum(known, Fraction(0)) if known and measures_flow(point) else None


def weighted_median(samples: Sequence[tuple[Fraction, int]]) -> Fraction | None:
    """The smallest value whose cumulated time reaches half."""
    total = sum(ms for _, ms in samples)
    cumulated = 0
    for value, ms in sorted(samples):
        cumulated += ms
        if 2 * cumulated >= total:
            return value
    return None


def numbers_of(point: Point, series: Series, window: Sequence[Piece]) -> Numbers:
    """Due and valid time, and the statistics over valid time."""
    if series.parameter == "flow":
        return numbers_of_flow(point, series, window)
    weighted = series.unit in CONCENTRATION
    due = [p for p in window if p.q is None or p.q > 0]
    valid = [p for p in due if p.values[series.parameter] is not None and not (weighted and p.q is None)]
    samples = [(p.values[series.parameter], p.end - p.start) for p in valid]
    valid_ms = sum(ms for _, ms in samples)
    load = mean = None
    if valid and weighted:
        mass = sum(p.values[series.parameter] * p.q * p.hours for p in valid)
        mean = mass / sum(p.q * p.hours for p in valid)
        load = mass * CONCENTRATION[series.unit] / 1000  # mg/L is g/m3
    elif valid:
        mean = sum(value * ms for value, ms in samples) / valid_ms
    elif weighted and not due:
        load = Fraction(0)
    return Numbers(
        due_ms=sum(p.end - p.start for p in due),
        valid_ms=valid_ms,
        volume_m3=volume_of(point, window),
        load_kg=load if measures_flow(point) else None,
        mean=mean,
        median=weighted_median(samples),
        least=min((value for value, _ in samples), default=None),
        most=max((value for value, _ in samples), default=None),
    )


def numbers_of_flow(point: Point, series: Series, window: Sequence[Piece]) -> Numbers:
    """The flow itself: all time is due, valid is that of its own readings, the values are those of q."""
    samples = [(p.own_q / FLOW[series.unit], p.end - p.start) for p in window if p.own_q is not None]
    valid_ms = sum(ms for _, ms in samples)
    return Numbers(
        due_ms=sum(p.end - p.start for p in window),
        valid_ms=valid_ms,
        volume_m3=volume_of(point, window),
        load_kg=None,
        mean=sum(value * ms for value, ms in samples) / valid_ms if samples else None,
        median=weighted_median(samples),
        least=min((value for value, _ in samples), default=None),
        most=max((value for value, _ in samples), default=None),
    )


def window_statistic(series: Series, statistic: Statistic | None, numbers: Numbers) -> Fraction | None:
    """The mean, or the median for pH and for ``hourly_median``."""
    return numbers.median if series.parameter == "ph" or statistic is Statistic.HOURLY_MEDIAN else numbers.mean


# -- limits -----------------------------------------------------------------------------------------


def limits_on(plant: Plant, point: Point, series: Series, day: date) -> list[tuple[str, Limit]]:
    """The limits in force, one per set and statistic: of several, the latest ``valid_from``."""
    found: dict[tuple[str, Statistic], Limit] = {}
    for limit_set in plant.limit_sets:
        for limit in limit_set.limits:
            if limit_set.id not in point.limits or limit.parameter != series.parameter:
                continue
            if limit.valid_from is not None and day < limit.valid_from:
                continue
            if limit.valid_to is not None and day > limit.valid_to:
                continue
            key = (limit_set.id, limit.statistic)
            if key not in found or (found[key].valid_from or date.min) < (limit.valid_from or date.min):
                found[key] = limit
    return [(set_id, limit) for (set_id, statistic), limit in sorted(found.items()) if statistic in JUDGED]


def bounds(limit: Limit) -> tuple[Fraction | None, Fraction | None]:
    """Lower and upper as fractions."""
    return (
        None if limit.lower is None else exact(limit.lower),
        None if limit.upper is None else exact(limit.upper),
    )


def passed_bound(limit: Limit, value: Fraction) -> Fraction | None:
    """The bound that a value passes, or None."""
    lower, upper = bounds(limit)
    if upper is not None and greater(value, upper):
        return upper
    if lower is not None and greater(lower, value):
        return lower
    return None


def margin(limit: Limit, value: Fraction) -> Fraction:
    """min(upper - v, v - lower)."""
    lower, upper = bounds(limit)
    margins = []
    if upper is not None:
        margins.append(upper - value)
    if lower is not None:
        margins.append(value - lower)
    return min(margins)


def clearly_tighter(new: tuple[Limit, Fraction], old: tuple[Limit, Fraction]) -> bool:
    """True where the new margin is smaller by more than 1e-9 of the numbers it is the difference of.

    Reading: a margin of 0 has no relative size of its own, and rounding noise must decide nothing.
    """
    numbers = [new[1], old[1], *bounds(new[0]), *bounds(old[0])]
    scale = max(abs(n) for n in numbers if n is not None)
    return by_more_than_noise(margin(*old) - margin(*new), scale)


def tightest(candidates: Sequence[tuple[Limit, Fraction]]) -> int | None:
    """Which of the (limit, value) has the smallest margin; ties: the earliest."""
    best = None
    for i, candidate in enumerate(candidates):
        if best is None or clearly_tighter(candidate, candidates[best]):
            best = i
    return best


def judge(numbers: Numbers, limit: Limit, value: Fraction | None, an_hour_exceeds: bool = False) -> str:
    """The verdict, in the order of §5."""
    if not numbers.due_ms:
        return "no_discharge"
    if an_hour_exceeds:
        return "exceeded"
    if not numbers.enough:
        return "insufficient_data"
    if value is not None and passed_bound(limit, value) is not None:
        return "exceeded"
    return "met"


# -- the tables -------------------------------------------------------------------------------------


def in_unit(value: Fraction | None, series: Series, limit: Limit) -> Fraction | None:
    """A value of the series in the unit of the limit."""
    return None if value is None else convert(value, series.unit, limit.unit or series.unit)


def hourly_rows(plant: Plant, point: Point, series: Series, day: date, start: int, numbers: Numbers) -> list[Out]:
    """The rows of one hour."""
    base = {
        "point": point.id,
        "parameter": series.parameter,
        "hour": stamp(start, plant.zone),
        "valid_share": numbers.share,
        "volume_m3": numbers.volume_m3,
        "load_kg": numbers.load_kg,
        "_start": start,
    }
    rows = []
    for set_id, limit in limits_on(plant, point, series, day):
        if limit.statistic is Statistic.DAILY_LOAD:
            continue  # Reading: no hourly number is told in kg/d, so an hour is not judged against it
        value = in_unit(window_statistic(series, limit.statistic, numbers), series, limit)
        rows.append(
            base
            | {
                "mean": value,
                "min": in_unit(numbers.least, series, limit),
                "max": in_unit(numbers.most, series, limit),
                "limit_set": set_id,
                "statistic": limit.statistic.value,
                "lower": bounds(limit)[0],
                "upper": bounds(limit)[1],
                "verdict": judge(numbers, limit, value),
                "_limit": limit,
                "_enough": numbers.enough,
            }
        )
    if not rows:
        rows.append(
            base
            | {
                "mean": window_statistic(series, None, numbers),
                "min": numbers.least,
                "max": numbers.most,
                "limit_set": "",
                "statistic": "",
                "lower": None,
                "upper": None,
                "verdict": "no_limit",
            }
        )
    return rows


def daily_value(series: Series, limit: Limit, numbers: Numbers, hours: Sequence[Out]) -> Fraction | None:
    """The day's value for a limit, in its unit; ``hours`` are that limit's hourly rows of the day."""
    if limit.statistic is Statistic.DAILY_LOAD:
        return None if numbers.load_kg is None else numbers.load_kg / LOAD[limit.unit or "kg/d"]
    if limit.statistic in HOURLY:
        candidates = [(limit, h["mean"]) for h in hours if h["_enough"]]
        best = tightest(candidates)
        return None if best is None else candidates[best][1]
    return in_unit(numbers.mean, series, limit)


def daily_rows(
    plant: Plant, point: Point, series: Series, day: date, start: int, numbers: Numbers, hours: Sequence[Out]
) -> list[Out]:
    """The rows of one day; ``hours`` are all hourly rows of the series that day."""
    base = {
        "point": point.id,
        "parameter": series.parameter,
        "date": day.isoformat(),
        "valid_share": numbers.share,
        "volume_m3": numbers.volume_m3,
        "load_kg": numbers.load_kg,
        "_start": start,
    }
    rows = []
    for set_id, limit in limits_on(plant, point, series, day):
        mine = [h for h in hours if (h["limit_set"], h["statistic"]) == (set_id, limit.statistic.value)]
        value = daily_value(series, limit, numbers, mine)
        an_hour_exceeds = limit.statistic in HOURLY and any(h["verdict"] == "exceeded" for h in mine)
        lower, upper = bounds(limit)
        one_sided = upper is not None and lower is None
        rows.append(
            base
            | {
                "statistic": limit.statistic.value,
                "value": value,
                "lower": lower,
                "upper": upper,
                "limit_set": set_id,
                "ratio": value / upper if one_sided and value is not None and upper else None,
                "verdict": judge(numbers, limit, value, an_hour_exceeds),
                "_limit": limit,
            }
        )
    if not rows:
        ph = series.parameter == "ph"
        rows.append(
            base
            | {
                "statistic": "hourly_median" if ph else "daily_mean",
                "value": None if ph else numbers.mean,
                "lower": None,
                "upper": None,
                "limit_set": "",
                "ratio": None,
                "verdict": "no_limit",
            }
        )
    return rows


def episodes(plant: Plant, windows: Sequence[tuple[int, int]], rows: Sequence[Out], value_column: str) -> list[Out]:
    """Runs of exceeded windows of one series, limit set and statistic; ``rows`` are theirs alone."""
    by_start = {row["_start"]: row for row in rows}
    runs: list[list[tuple[int, int, Out]]] = []
    run: list[tuple[int, int, Out]] = []
    for start, end in windows:
        verdict = by_start[start]["verdict"] if start in by_start else "no_limit"
        if verdict == "exceeded":
            run.append((start, end, by_start[start]))
        elif verdict in ("met", "no_limit"):
            runs.append(run)
            run = []
    runs.append(run)
    return [episode(plant, run, value_column) for run in runs if run]


def episode(plant: Plant, run: Sequence[tuple[int, int, Out]], value_column: str) -> Out:
    """One row of exceedances.csv."""
    candidates = [(row["_limit"], row[value_column]) for _, _, row in run]
    best = tightest(candidates)
    assert best is not None
    limit, peak = candidates[best]
    bound = passed_bound(limit, peak)
    assert bound is not None
    over = bound == bounds(limit)[1]
    divisor = bound if over else peak
    return {
        "point": run[0][2]["point"],
        "parameter": run[0][2]["parameter"],
        "limit_set": run[0][2]["limit_set"],
        "statistic": run[0][2]["statistic"],
        "start": stamp(run[0][0], plant.zone),
        "end": stamp(run[-1][1], plant.zone),
        "windows": len(run),
        "peak": peak,
        "limit": bound,
        "peak_ratio": (peak if over else bound) / divisor if divisor else None,
        "_start": run[0][0],
    }


def headroom_row(plant: Plant, day: date, pieces: dict[str, list[Piece]], hours: Sequence[tuple[int, int]]) -> Out:
    """One row of headroom.csv. Reading: in m³/h also of an hour that is cut short."""
    points = [plant.point_by_id[plant.inlet]] if plant.inlet is not None else list(plant.outfalls)

    def inflow(start: int, end: int) -> Fraction | None:
        parts = [volume_of(p, within(pieces[p.id], start, end)) for p in points]
        known = [v for v in parts if v is not None]
        return sum(known, Fraction(0)) if known else None

    start, end = hours[0][0], hours[-1][1]
    known_ms = 0
    for together in zip(*(pieces[p.id] for p in points), strict=True):  # all points share their cuts
        if start <= together[0].start < end and all(x.q is not None for x in together):
            known_ms += together[0].end - together[0].start
    if not points or not all(measures_flow(p) for p in points):
        known_ms = 0
    share = Fraction(known_ms, end - start)
    total = inflow(start, end)
    hourly = [(inflow(*h), Fraction(h[1] - h[0], HOUR)) for h in hours]
    rates = [volume / length for volume, length in hourly if volume is not None]
    capacity = exact(plant.capacity_m3_d)
    told = share >= ENOUGH and total is not None
    return {
        "date": day.isoformat(),
        "inflow_m3": total,
        "capacity_m3": capacity,
        "headroom_m3": capacity - total if told else None,
        "used_share": total / capacity if told and capacity else None,
        "peak_m3_h": max(rates, default=None),
        "valid_share": share,
    }


def evaluate(plant: Plant, rows: Sequence[Row], first: date, last: date) -> dict[str, list[Out]]:
    """hourly, daily, exceedances and headroom for the local days ``first`` … ``last``."""
    days = days_between(first, last)
    hours: dict[date, list[tuple[int, int]]] = {}
    for day in days:
        starts = [*hour_starts(day, plant.zone), *hour_starts_end(plant, day)]
        hours[day] = list(pairwise(starts))
    edges = {t for windows in hours.values() for window in windows for t in window}
    pieces = {p.id: pieces_of(plant, p, rows, edges) for p in plant.points}
    hourly: list[Out] = []
    daily: list[Out] = []
    exceedances: list[Out] = []
    for point in plant.points:
        for series in point.series:
            if series.parameter == "volume":
                continue
            series_hourly: list[Out] = []
            series_daily: list[Out] = []
            for day in days:
                of_day = []
                for start, end in hours[day]:
                    window = within(pieces[point.id], start, end)
                    of_day += hourly_rows(plant, point, series, day, start, numbers_of(point, series, window))
                start, end = hours[day][0][0], hours[day][-1][1]
                window = within(pieces[point.id], start, end)
                numbers = numbers_of(point, series, window)
                series_daily += daily_rows(plant, point, series, day, start, numbers, of_day)
                series_hourly += of_day
            exceedances += series_episodes(plant, hours, series_hourly, series_daily)
            hourly += series_hourly
            daily += series_daily
    return {
        "hourly": in_order(hourly),
        "daily": in_order(daily),
        "exceedances": in_order(exceedances),
        "headroom": [headroom_row(plant, day, pieces, hours[day]) for day in days],
    }


def hour_starts_end(plant: Plant, day: date) -> list[int]:
    """The end of a day's last hour."""
    return [day_start(date.fromordinal(day.toordinal() + 1), plant.zone)]


def series_episodes(
    plant: Plant, hours: dict[date, list[tuple[int, int]]], hourly: Sequence[Out], daily: Sequence[Out]
) -> list[Out]:
    """The episodes of one series: over days for daily statistics, over hours for hourly ones."""
    found: list[Out] = []
    for set_id, statistic in sorted({(r["limit_set"], r["statistic"]) for r in daily if r["limit_set"]}):
        by_hour = statistic in [s.value for s in HOURLY]
        table, column = (hourly, "mean") if by_hour else (daily, "value")
        mine = [r for r in table if (r["limit_set"], r["statistic"]) == (set_id, statistic)]
        windows = [h for of_day in hours.values() for h in of_day]
        if not by_hour:
            windows = [(of_day[0][0], of_day[-1][1]) for of_day in hours.values()]
        found += episodes(plant, windows, mine, column)
    return found


def in_order(rows: list[Out]) -> list[Out]:
    """By point, parameter, instant, limit set, statistic; without the notes of this file."""
    rows.sort(key=lambda r: (r["point"], r["parameter"], r["_start"], r["limit_set"], r["statistic"]))
    return [{k: v for k, v in row.items() if not k.startswith("_")} for row in rows]
