"""Dropping old sealed days: what is computed after the cut cannot tell; what is still to be done is never dropped."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from plant_monitor import monitor
from plant_monitor.allocation.documents import document
from plant_monitor.allocation.period import Period
from plant_monitor.errors import InputError
from plant_monitor.plant import Limit, LimitSet, Member, Name, Plant, Point, Represents, Role, Series, Statistic
from plant_monitor.readings import Dropped, Readings
from plant_monitor.store import schema
from plant_monitor.store.journal import Journal, open_journal
from plant_monitor.windows import HOUR_MS, day_start_ms

DAY_MS = 24 * HOUR_MS
DAY = date(2026, 10, 1)
NOW_MS = 1 << 45


def plant_of(zone: str) -> Plant:
    series = (
        Series("out", "flow", "m3/h", HOUR_MS),
        Series("out", "volume", "m3", None, rollover=Decimal(1000)),
        Series("out", "cod_cr", "mg/L", 4 * HOUR_MS, Represents.BEFORE),
        Series("out", "ph", "1", 20 * HOUR_MS),
    )
    limits = (
        Limit("cod_cr", Statistic.DAILY_MEAN, None, 300.0, "mg/L"),
        Limit("ph", Statistic.HOURLY_MEDIAN, 6.0, 9.0),
    )
    return Plant(
        id="p",
        name=Name("厂", "plant"),
        zone=ZoneInfo(zone),
        capacity_m3_d=Decimal(1200),
        members=(Member("m", Name("成员", "member")),),
        points=(Point("out", Role.OUTFALL, series, "m", ("agreed",)),),
        limit_sets=(LimitSet("agreed", Name("协议", "agreement"), "", limits),),
    )


PLANT = plant_of("Asia/Shanghai")
SERIES = [(s.point, s.parameter) for s in PLANT.series]
T0 = day_start_ms(DAY, PLANT.zone)


def filled(path: Path, readings: Readings, *, outbox: bool = False) -> Journal:
    """A journal in which all is sealed and judged."""
    journal = open_journal(path, SERIES, outbox=outbox)
    journal.append(readings, accepted_ms=1)
    journal.seal(NOW_MS)
    journal.touched_done(journal.touched()[0])
    return journal


def hourly(days: int) -> Readings:
    times = T0 + np.arange(days * 24) * HOUR_MS
    return Readings.concat([Readings.of(times, series, np.arange(times.size) + 0.5) for series in range(4)])


def results(plant: Plant, journal: Journal, first: date, last: date) -> list[object]:
    """Everything that is computed of these days."""
    evaluation = monitor.evaluate_days(plant, journal, first, last)
    tables = (evaluation.hourly, evaluation.daily, evaluation.headroom, evaluation.findings, evaluation.exceedances)
    end = day_start_ms(last + timedelta(days=1), plant.zone)
    period = Period("some days", first, last, 1, day_start_ms(first, plant.zone), end)
    return [*(list(table.rows()) for table in tables), document(monitor.bill_period(plant, journal, period, []))]


CUT = DAY + timedelta(days=3)
near, anywhere = st.integers(-12, 12), st.integers(-3 * 24, 4 * 24)
sparse = st.tuples(st.integers(0, 3), st.one_of(near, anywhere), st.floats(0, 900), st.sampled_from([78, 68]))


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40)
@given(
    rows=st.lists(sparse, min_size=1, max_size=12),
    late=st.lists(sparse, max_size=4),
    zone=st.sampled_from(["UTC", "Asia/Shanghai", "America/Chicago"]),
)
@example(rows=[(1, -60, 10.0, 78), (1, -30, 20.0, 68), (1, 5, 30.0, 78)], late=[], zone="UTC")
@example(rows=[(3, -6, 7.0, 68), (3, -30, 7.0, 78), (3, 15, 7.0, 78)], late=[], zone="UTC")
def test_no_window_after_the_cut_can_tell(
    rows: list[tuple[int, int, float, int]], late: list[tuple[int, int, float, int]], zone: str
) -> None:
    """Holds, slopes of the totaliser, registers at the boundary: bit for bit, with late rows over sealed ones."""
    plant = plant_of(zone)
    cut_ms = day_start_ms(CUT, plant.zone)
    spans = [(CUT, CUT), (CUT, CUT + timedelta(days=3)), (CUT + timedelta(days=2),) * 2]
    with tempfile.TemporaryDirectory() as folder:
        journal = open_journal(Path(folder) / "journal.db", SERIES)
        for part in (rows, late):
            series, slot, value, mark = zip(*part, strict=True) if part else ((), (), (), ())
            times = cut_ms + np.array(slot, dtype=np.int64) * HOUR_MS
            journal.append(Readings.of(times, series, value, mark), accepted_ms=1)
            if part is rows:
                journal.seal(NOW_MS)
        journal.touched_done(journal.touched()[0])
        journal.seal(cut_ms)
        held = journal.counts()
        before = [results(plant, journal, *span) for span in spans]
        dropped = journal.drop(cut_ms, NOW_MS)
        after = journal.counts()
        assert after.dropped == dropped
        assert int(held.sealed.sum()) == int(after.sealed.sum()) + dropped.readings
        assert held.superseded == after.superseded + dropped.superseded
        assert repr([results(plant, journal, *span) for span in spans]) == repr(before)
        assert journal.check() == []
        journal.close()


def test_old_days_go_and_it_is_written_down(tmp_path: Path) -> None:
    journal = filled(tmp_path / "journal.db", hourly(5))
    journal.append(Readings.of([T0, T0 + 4 * DAY_MS], 0, 9.0), accepted_ms=2)
    journal.touched_done(journal.touched()[0])
    cut = T0 + 3 * DAY_MS
    dropped = journal.drop(cut, NOW_MS)
    assert dropped == Dropped(4 * (3 * 24 - 16), 1), "whole UTC days; that of the cut stays"
    assert [one.time_ms for one in journal.superseded()] == [T0 + 4 * DAY_MS]
    assert journal.drop(cut, NOW_MS) == Dropped(), "done once"
    counts = journal.counts()
    assert (counts.dropped, counts.kept_from_ms) == (dropped, cut)
    assert journal.extent() == (cut, T0 + 5 * DAY_MS - HOUR_MS)
    assert monitor.days_with_readings(PLANT, journal) == (DAY + timedelta(days=3), DAY + timedelta(days=4))
    journal.close()
    again = open_journal(tmp_path / "journal.db", SERIES, read_only=True)
    assert (again.kept_from_ms(), again.counts().dropped) == (cut, dropped)
    again.close()


def test_what_is_left_of_dropped_days_is_no_result(tmp_path: Path) -> None:
    journal = filled(tmp_path / "journal.db", hourly(5))
    journal.drop(T0 + 3 * DAY_MS, NOW_MS)
    with pytest.raises(
        InputError, match=r"2026-10-03T00:00:00\+08:00 lies before 2026-10-04T00:00:00\+08:00.*retention"
    ):
        monitor.evaluate_days(PLANT, journal, DAY + timedelta(days=2), DAY + timedelta(days=3))
    with pytest.raises(InputError, match="dropped"):
        monitor.bill_period(PLANT, journal, Period.parse("2026-10", PLANT.zone), [])
    journal.close()


def test_an_instrument_that_is_long_silent_keeps_its_last_word(tmp_path: Path) -> None:
    registers = Readings.of([T0, T0 + HOUR_MS, T0 + DAY_MS], 1, [10.0, 20.0, np.nan])
    journal = filled(tmp_path / "journal.db", Readings.concat([registers, Readings.of(T0 + 9 * DAY_MS, 0, 1.0)]))
    journal.drop(T0 + 8 * DAY_MS, NOW_MS)
    assert journal.before(1, T0 + 8 * DAY_MS, valid=True).value.tolist() == [20.0]
    assert journal.before(1, T0 + 8 * DAY_MS).time.tolist() == [T0 + DAY_MS]
    journal.close()


def test_never_what_is_not_forwarded(tmp_path: Path) -> None:
    journal = filled(tmp_path / "journal.db", hourly(5), outbox=True)
    assert "forwarded" in journal.drop(T0 + 3 * DAY_MS, NOW_MS).waits_for
    assert journal.counts().dropped == Dropped() and journal.kept_from_ms() is None
    journal.outbox_done([batch.id for batch in journal.outbox_next()])
    journal.append(Readings.of(T0 + 5 * DAY_MS, 0, 1.0), accepted_ms=2)  # waits too, but is younger than the cut
    journal.touched_done(journal.touched()[0])
    assert journal.drop(T0 + 3 * DAY_MS, NOW_MS).readings > 0
    journal.close()


def test_never_what_is_not_judged(tmp_path: Path) -> None:
    journal = filled(tmp_path / "journal.db", hourly(5))
    journal.append(Readings.of(T0 + 1, 0, 1.0), accepted_ms=2)
    assert "evaluated" in journal.drop(T0 + 3 * DAY_MS, NOW_MS).waits_for
    assert journal.counts().dropped == Dropped()
    journal.touched_done(journal.touched()[0])
    assert journal.drop(T0 + 3 * DAY_MS, NOW_MS).readings > 0
    journal.close()


def test_a_reading_of_a_dropped_day_is_new_again(tmp_path: Path) -> None:
    """The writer remembers what is in sealed days: not longer than they are there."""
    journal = filled(tmp_path / "journal.db", hourly(5))
    journal.append(Readings.of(T0, 0, 0.5), accepted_ms=2)  # known: its chunk is decoded now
    journal.drop(T0 + 3 * DAY_MS, NOW_MS)
    assert journal.append(Readings.of(T0, 0, 0.5), accepted_ms=3).new == 1
    assert journal.read(0, T0, T0 + 1).value.tolist() == [0.5]
    journal.close()


def test_a_file_of_the_first_format_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    filled(path, hourly(5)).close()
    with closing(sqlite3.connect(path)) as older:
        older.execute("DROP TABLE dropped")
        older.execute("DROP TABLE receipts")
        older.execute("PRAGMA user_version=1")
    reader = open_journal(path, SERIES, read_only=True)
    assert (reader.kept_from_ms(), reader.counts().dropped) == (None, Dropped())
    reader.close()
    journal = open_journal(path, SERIES)
    assert journal.drop(T0 + 3 * DAY_MS, NOW_MS).readings > 0
    assert journal.receipts("station") == []
    journal.close()
    with closing(sqlite3.connect(path)) as newer:
        assert newer.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)


_DROPPING = """
import sys
from pathlib import Path
from plant_monitor.store import retention
from plant_monitor.store.journal import open_journal
retention.CHUNKS_AT_ONCE = 2
journal = open_journal(Path(sys.argv[1]), [("out", p) for p in ("flow", "volume", "cod_cr", "ph")])
print("open", flush=True)
journal.drop(int(sys.argv[2]), 1)
"""


def test_killed_while_dropping(tmp_path: Path) -> None:
    """Design §6, row "process killed at any instant": what is after the cut is untouched, and the rest goes on."""
    path, chance = tmp_path / "journal.db", random.Random(3)
    journal = filled(path, hourly(120))
    cut = T0 + 100 * DAY_MS
    days = DAY + timedelta(days=100), DAY + timedelta(days=119)
    before = results(PLANT, journal, *days)
    journal.close()
    total = 120 * 24 * 4
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", _DROPPING, str(path), str(cut)], stdout=subprocess.PIPE
        ) as dropping:
            assert dropping.stdout is not None
            dropping.stdout.readline()
            time.sleep(chance.uniform(0, 0.1))
            dropping.send_signal(signal.SIGKILL)
        journal = open_journal(path, SERIES)
        counts = journal.counts()
        assert int(counts.sealed.sum()) + counts.dropped.readings == total
        assert repr(results(PLANT, journal, *days)) == repr(before)
        assert journal.check() == []
        journal.close()
    journal = open_journal(path, SERIES)
    journal.drop(cut, NOW_MS)
    assert journal.counts().dropped.readings == 4 * (100 * 24 - 16)
    assert repr(results(PLANT, journal, *days)) == repr(before)
    journal.close()
