"""One year of a plant through the compliance core, against a plain pandas version and against the numpy floor.

The plant: 7 points; flow and pH each minute, six analysers hourly; faults, gaps, an over-range now and then; about
7.7 million readings. All in one process, one run after the other, so that only the ratios count.

The *floor* is what any plain numpy version must do at least: one cumsum per minute series, one searchsorted of each
series into the flow's times, one lexsort((value, hour)) per pH series (design §7).
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from plant_monitor.compliance.evaluate import Evaluation, Span, evaluate, evaluate_point, points_in_order
from plant_monitor.plant import (
    Limit,
    LimitSet,
    Member,
    Name,
    Plant,
    Point,
    Represents,
    Role,
    Series,
    Statistic,
)
from plant_monitor.readings import Readings
from plant_monitor.windows import HOUR_MS, Windows, local_windows

ZONE = ZoneInfo("Asia/Shanghai")
MINUTE_MS = 60_000
ANALYSERS = ("cod_cr", "ammonia_n", "total_n", "total_p", "ss", "chloride")
LIMITS = {"cod_cr": 500.0, "ammonia_n": 35.0, "total_p": 8.0, "ss": 400.0}


def plant_of(points: int) -> Plant:
    """``points`` alike points with limits on five of eight series."""
    made = []
    for k in range(points):
        name = f"p{k}"
        series = [Series(name, "flow", "m3/h", MINUTE_MS), Series(name, "ph", "1", MINUTE_MS)]
        series += [Series(name, analyser, "mg/L", HOUR_MS, Represents.BEFORE) for analyser in ANALYSERS]
        made.append(Point(name, Role.OUTFALL, tuple(series), "m", ("limits",)))
    limits = [Limit(p, Statistic.DAILY_MEAN, None, upper, "mg/L") for p, upper in LIMITS.items()]
    limits.append(Limit("ph", Statistic.HOURLY_MEDIAN, 6.0, 9.0))
    sets = (LimitSet("limits", Name("l", "l"), "", tuple(limits)),)
    members = (Member("m", Name("m", "m")),)
    return Plant("bench", Name("b", "b"), ZONE, Decimal(1200), members, tuple(made), sets)


def year_of(plant: Plant, windows: Windows, seed: int = 1) -> Readings:
    """Readings by series and time, with 1 % gaps and 1 % faults."""
    rng = np.random.default_rng(seed)
    minutes = np.arange(windows.start_ms, windows.end_ms, MINUTE_MS)
    hours = np.arange(windows.start_ms + HOUR_MS, windows.end_ms + 1, HOUR_MS)
    parts = []
    for index, series in enumerate(plant.series):
        times = minutes if series.interval_ms == MINUTE_MS else hours
        times = times[rng.random(times.size) > 0.01]
        value = rng.gamma(4.0, 100.0, times.size)
        if series.parameter == "flow":
            value = np.where(rng.random(times.size) < 0.3, 0.0, rng.uniform(1, 30, times.size))
        elif series.parameter == "ph":
            value = rng.normal(7.3, 0.4, times.size).round(2)
        mark = np.where(rng.random(times.size) < 0.01, ord("D"), ord("N"))
        parts.append(Readings.of(times, index, value, mark))
    return Readings.concat(parts)


def pandas_evaluate(plant: Plant, readings: Readings, windows: Windows) -> dict[str, pd.DataFrame]:
    """The same hourly and daily statistics and verdicts, as one would write them in a notebook: a minute grid a point.

    It can do less than the rule asks: instants between minutes, totalisers, dated limits and episodes are left out.
    """
    frame = pd.DataFrame({"t": readings.time, "s": readings.series, "v": readings.value, "ok": readings.valid})
    grid = pd.DataFrame({"t": np.arange(windows.start_ms, windows.end_ms, MINUTE_MS)})
    local = pd.to_datetime(grid["t"], unit="ms", utc=True).dt.tz_convert(ZONE.key)
    grid["day"], grid["hour"] = local.dt.date, local.dt.floor("h")
    found = {}
    for point in plant.points:
        own = {s.parameter: frame[frame["s"] == plant.series_index[point.id, s.parameter]] for s in point.series}
        on_grid = grid.copy()
        on_grid["q"] = _held(grid, own["flow"], 2 * MINUTE_MS, "backward")
        on_grid.loc[on_grid["q"] <= 0.1, "q"] = 0.0
        on_grid["due"] = on_grid["q"].isna() | (on_grid["q"] > 0)
        for series in point.series:
            direction = "backward" if series.represents is Represents.AFTER else "forward"
            on_grid["c"] = _held(grid, own[series.parameter], 2 * (series.interval_ms or 0), direction)
            for window in ("hour", "day"):
                found[f"{point.id}.{series.parameter}.{window}"] = _statistics(on_grid, series.parameter, window)
    return found


def _statistics(on_grid: pd.DataFrame, parameter: str, window: str) -> pd.DataFrame:
    if parameter == "flow":
        return on_grid.groupby(window)["q"].agg(["mean", "min", "max", "count"])
    valid = on_grid[on_grid["due"] & on_grid["c"].notna() & (on_grid["q"].notna() | (parameter == "ph"))]
    by_window = valid.groupby(window)
    result = by_window["c"].agg(["min", "max"])
    result["share"] = by_window.size() / on_grid[on_grid["due"]].groupby(window).size()
    if parameter == "ph":
        result["value"] = by_window["c"].quantile(0.5, interpolation="lower")
        exceeded = (result["value"] < 6) | (result["value"] > 9)
    else:
        sums = pd.DataFrame({window: valid[window], "load": valid["c"] * valid["q"], "volume": valid["q"]})
        sums = sums.groupby(window).sum()
        result["load_kg"] = sums["load"] / 60 / 1000
        result["value"] = sums["load"] / sums["volume"]
        exceeded = result["value"] > LIMITS.get(parameter, np.inf)
    result["verdict"] = np.where(result["share"] < 0.75, "insufficient_data", np.where(exceeded, "exceeded", "met"))
    return result


def _held(grid: pd.DataFrame, readings: pd.DataFrame, reach_ms: int, direction: str) -> pd.Series:
    """The reading that holds at each minute, NaN where none or an invalid one does."""
    if direction == "forward":  # a reading at t speaks for the minutes before it
        readings = readings.assign(t=readings["t"] - 1)
    held = pd.merge_asof(grid[["t"]], readings[["t", "v", "ok"]], on="t", direction=direction, tolerance=reach_ms - 1)
    return held["v"].where(held["ok"].fillna(False).astype(bool))


def floor(plant: Plant, readings: Readings) -> None:
    """The passes that no plain numpy version can do without."""
    for point in plant.points:
        own = {s.parameter: readings.of_series(plant.series_index[point.id, s.parameter]) for s in point.series}
        flow = own["flow"]
        for parameter, series in own.items():
            if parameter in ("flow", "ph"):
                np.cumsum(series.value)
            np.searchsorted(flow.time, series.time)
        np.lexsort((own["ph"].value, own["ph"].time // HOUR_MS))


def timed(work: Callable[[], object], runs: int = 3) -> float:
    """The median of a few runs, seconds."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[runs // 2]


def extra_mb(work: Callable[[], object]) -> float:
    """Memory that the work holds at most beside what was there before, as numpy and Python count it."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def agreement(evaluation: Evaluation, found: dict[str, pd.DataFrame]) -> float:
    """Largest relative difference of the daily means of one series between the two."""
    ours = {
        row["date"]: row["value"]
        for row in evaluation.daily.rows()
        if row["point"] == "p0" and row["parameter"] == "cod_cr" and row["value"] is not None
    }
    theirs = found["p0.cod_cr.day"]["value"].dropna()
    return max(abs(ours[str(day)] - mean) / mean for day, mean in theirs.items())


def point_years(counts: tuple[int, ...], windows: Windows) -> list[float]:
    """Seconds of a core for so many point-years, evaluated point by point: readings are made one point at a time."""
    spent, done, taken = 0.0, 0, []
    plant = plant_of(max(counts))
    span, one = Span.of(plant, windows), plant_of(1)
    for number, point in enumerate(points_in_order(plant), 1):
        readings = year_of(one, windows, seed=number)
        own = {s.parameter: readings.of_series(i) for i, s in enumerate(one.series)}
        started = time.process_time()
        evaluate_point(plant, point, own, span)
        spent, done = spent + time.process_time() - started, done + 1
        if done in counts:
            taken.append(spent)
    return taken


def main() -> None:
    """Print the ratios."""
    windows = local_windows(date(2025, 1, 1), date(2025, 12, 31), ZONE)
    plant = plant_of(7)
    readings = year_of(plant, windows)
    size_mb = sum(getattr(readings, c).nbytes for c in ("time", "series", "value", "mark")) / 2**20
    print(f"one year, 7 points, {len(readings):,} readings, {size_mb:.0f} MiB of columns")
    extra = extra_mb(lambda: evaluate(plant, readings, windows))
    print(f"memory: {extra / size_mb:.2f} x the input on top of it")
    ours = timed(lambda: evaluate(plant, readings, windows))
    floor_s = timed(lambda: floor(plant, readings))
    print(f"evaluate: {ours:.2f} s = {ours / floor_s:.2f} x the numpy floor ({floor_s:.2f} s)")
    counts = (1, 10, 100)
    told = (f"{count}: {seconds:.2f} s" for count, seconds in zip(counts, point_years(counts, windows), strict=True))
    print(f"point-years, seconds of a core: {', '.join(told)}")
    one = plant_of(1)
    readings_one = year_of(one, windows)
    small = timed(lambda: evaluate(one, readings_one, windows))
    print(f"cost of 7 points: {ours / small:.1f} x that of 1 (linear: 7)")
    start = time.perf_counter()
    found = pandas_evaluate(one, readings_one, windows)
    pandas_s = time.perf_counter() - start
    print(f"pandas, one point: {pandas_s:.1f} s = {pandas_s / small:.0f} x ours")
    apart = agreement(evaluate(one, readings_one, windows), found)
    print(f"largest relative difference of their daily means: {apart:.1e}")


if __name__ == "__main__":
    main()
