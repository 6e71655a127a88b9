"""A monthly limit, live: judged when the month is over, told once, corrected by late data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from live.test_watch import PLANT, SERIES, ZONE

from plant_monitor import monitor
from plant_monitor.alerts.channels import open_senders
from plant_monitor.alerts.desk import AlertDesk
from plant_monitor.clock import ManualClock
from plant_monitor.ledger import Ledger
from plant_monitor.plant import Limit, LimitSet, Name, Plant, Statistic
from plant_monitor.readings import Readings
from plant_monitor.store.journal import Journal, open_journal
from plant_monitor.watch import SETTLE_MS, Watch
from plant_monitor.windows import HOUR_MS, day_start_ms

DAY_MS = 24 * HOUR_MS
OCTOBER, NOVEMBER, DECEMBER = (day_start_ms(date(2026, month, 1), ZONE) for month in (10, 11, 12))
LIMIT = Limit("cod_cr", Statistic.MONTHLY_MEAN, None, 300.0, "mg/L")
MONTHLY = replace(PLANT, limit_sets=(LimitSet("agreed", Name("协议", "agreement"), "", (LIMIT,)),))


class Live:
    """A journal, a ledger, a desk and a watch over one folder."""

    def __init__(self, folder: Path, plant: Plant) -> None:
        self.folder, self.clock = folder, ManualClock(OCTOBER)
        self.journal: Journal = open_journal(folder / "journal.sqlite", SERIES)
        self.ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
        self.desk = AlertDesk(self.ledger, open_senders(plant.notify.channels, base=folder), plant, self.clock)
        self.watch = Watch(plant, self.journal, self.ledger, self.desk, None, self.clock)

    def at(self, time_ms: int) -> list[str]:
        """Step at an instant; the titles about exceedances told so far."""
        self.clock.set(time_ms)
        self.watch.step(time_ms)
        self.desk.deliver_due()
        titles = [path.read_text().splitlines()[0] for path in sorted((self.folder / "alerts").glob("*.txt"))]
        return [title for title in titles if "WARNING" not in title]

    def append(self, start_ms: int, days: int, cod: float) -> None:
        """Hourly flow and COD of some days."""
        times = start_ms + np.arange(24 * days) * HOUR_MS
        parts = [Readings.of(times, 0, 10.0), Readings.of(times + HOUR_MS, 2, cod)]
        self.journal.append(Readings.concat(parts), accepted_ms=self.clock.now_ms())


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    one = Live(tmp_path, MONTHLY)
    yield one
    one.journal.close()
    one.ledger.close()


def test_a_month_is_judged_when_it_is_over_and_told_once(live: Live) -> None:
    live.append(OCTOBER, 30, 400.0)
    assert live.at(OCTOBER + 30 * DAY_MS) == [], "the month still runs, though 30 of 31 days are above"
    live.append(OCTOBER + 30 * DAY_MS, 1, 400.0)
    assert live.at(NOVEMBER + SETTLE_MS - 1) == []
    told = live.at(NOVEMBER + SETTLE_MS)
    assert len(told) == 1 and "monthly mean 400 mg/L > 300 mg/L" in told[0]
    body = next((live.folder / "alerts").glob("*.txt")).read_text()
    assert "1 month)" in body and "over since 2026-11-01" in body
    live.append(NOVEMBER, 3, 400.0)
    for hours in (1, 30, 80):
        assert live.at(NOVEMBER + hours * HOUR_MS) == told, "November says nothing yet, and October is told"


def test_late_data_reopens_the_month(live: Live) -> None:
    live.append(OCTOBER, 31, 310.0)
    (first,) = live.at(NOVEMBER + SETTLE_MS)
    assert "EXCEEDED" in first
    live.append(OCTOBER + 4 * DAY_MS, 7, 200.0)  # a week was wrong: (24 x 310 + 7 x 200) / 31 = 285
    told = live.at(NOVEMBER + 5 * DAY_MS)
    assert len(told) == 2 and any("WITHDRAWN" in title for title in told)


def test_another_month_above_is_told_again(live: Live) -> None:
    live.append(OCTOBER, 61, 400.0)
    assert len(live.at(NOVEMBER + SETTLE_MS)) == 1
    told = live.at(DECEMBER + SETTLE_MS)
    assert len(told) == 2 and any("EXCEEDED AGAIN" in title for title in told)


def test_without_a_monthly_limit_no_month_is_looked_at() -> None:
    days = {date(2026, 10, 31), date(2026, 11, 1)}
    assert monitor.with_ended_months(PLANT, days, DECEMBER) == days
    assert len(monitor.with_ended_months(MONTHLY, days, NOVEMBER)) == 32
    assert monitor.with_ended_months(MONTHLY, days, NOVEMBER - 1) == days
