"""What a late reading costs, by the length of the history before it: it should not matter.

A point with flow and pH each minute and COD each hour, in a journal sealed as the service seals it. A reading of the
last week comes late; the days it touches are found and evaluated again from the journal.
"""

from __future__ import annotations

import tempfile
import time
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from plant_monitor.monitor import affected_days, evaluate_days, runs_of_days
from plant_monitor.plant import Limit, LimitSet, Member, Name, Plant, Point, Represents, Role, Series, Statistic
from plant_monitor.readings import Readings, Touched
from plant_monitor.store.journal import Journal, open_journal
from plant_monitor.windows import HOUR_MS, local_windows

ZONE = ZoneInfo("Asia/Shanghai")
LAST = date(2025, 12, 31)
MINUTE_MS = 60_000
HISTORY_DAYS = (10, 90, 365)
RUNS = 9


def plant() -> Plant:
    """One outfall."""
    series = (
        Series("p", "flow", "m3/h", MINUTE_MS),
        Series("p", "ph", "1", MINUTE_MS),
        Series("p", "cod_cr", "mg/L", HOUR_MS, Represents.BEFORE),
    )
    limits = (
        Limit("ph", Statistic.HOURLY_MEDIAN, 6.0, 9.0),
        Limit("cod_cr", Statistic.DAILY_MEAN, None, 500.0, "mg/L"),
    )
    name = Name("b", "b")
    points = (Point("p", Role.OUTFALL, series, "m", ("l",)),)
    return Plant("b", name, ZONE, Decimal(1200), (Member("m", name),), points, (LimitSet("l", name, "", limits),))


def history(days: int) -> Readings:
    """Readings up to the end of the last day."""
    windows = local_windows(LAST - timedelta(days=days - 1), LAST, ZONE)
    rng = np.random.default_rng(3)
    parts = []
    for index, step in enumerate((MINUTE_MS, MINUTE_MS, HOUR_MS)):
        times = np.arange(windows.start_ms, windows.end_ms, step)
        parts.append(Readings.of(times, index, rng.uniform(1, 9, times.size).round(2)))
    return Readings.concat(parts)


def late(journal: Journal, of: Plant, run: int) -> float:
    """Seconds of a core to take a late reading in, find what it touches and evaluate that again."""
    end_ms = local_windows(LAST, LAST, ZONE).end_ms
    time_ms = end_ms - (run % 7) * 24 * HOUR_MS - 9 * HOUR_MS + 30_000
    started = time.process_time()
    journal.append(Readings.of(time_ms, 1, 7.77 + run), accepted_ms=end_ms)
    for first, last in runs_of_days(affected_days(of, journal, [Touched(1, time_ms, time_ms)])):
        evaluate_days(of, journal, first, last)
    return time.process_time() - started


def main() -> None:
    """Print the cost by length of history."""
    of = plant()
    names = [(s.point, s.parameter) for s in of.series]
    for days in HISTORY_DAYS:
        with tempfile.TemporaryDirectory() as folder:
            journal = open_journal(Path(folder) / "journal.sqlite", names)
            journal.append(history(days), accepted_ms=0)
            journal.seal(local_windows(LAST, LAST, ZONE).end_ms)
            seconds = sorted(late(journal, of, run) for run in range(RUNS))
            journal.close()
        print(f"history of {days:3d} days: a late reading takes {1000 * seconds[RUNS // 2]:.1f} ms")


if __name__ == "__main__":
    main()
