"""The live side on real stores: what arrives when, what is told when, and the same bits as a re-evaluation."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import wait_until

from plant_monitor import monitor
from plant_monitor.alerts.channels import open_senders
from plant_monitor.alerts.desk import AlertDesk
from plant_monitor.alerts.lifecycle import Kind as AlertKind
from plant_monitor.annotations import AnnotatedSource, Annotation, Kind, problem_of
from plant_monitor.answers import Evaluations
from plant_monitor.clock import ManualClock
from plant_monitor.errors import InputError
from plant_monitor.ledger import Ledger
from plant_monitor.notify import Channel, Notify
from plant_monitor.plant import (
    Limit,
    LimitSet,
    Member,
    Name,
    PhysicalRange,
    Plant,
    Point,
    Quality,
    Represents,
    Role,
    Series,
    Statistic,
    Suspicion,
)
from plant_monitor.readings import NORMAL, OVER_RANGE, Readings
from plant_monitor.store.journal import Journal, open_journal
from plant_monitor.store.memory import MemorySource
from plant_monitor.watch import SETTLE_MS, Watch
from plant_monitor.windows import HOUR_MS, day_start_ms, local_day

ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 10, 1)
T0 = day_start_ms(DAY, ZONE)
DAY_MS = 24 * HOUR_MS

PLANT = Plant(
    id="p",
    name=Name("厂", "plant"),
    zone=ZONE,
    capacity_m3_d=Decimal(1200),
    members=(Member("m", Name("成员", "member")),),
    points=(
        Point(
            "out",
            Role.OUTFALL,
            (
                Series("out", "flow", "m3/h", HOUR_MS),
                Series("out", "volume", "m3", None, rollover=Decimal(1000)),
                Series("out", "cod_cr", "mg/L", HOUR_MS, Represents.BEFORE),
                Series("out", "ph", "1", HOUR_MS),
            ),
            "m",
            ("agreed",),
        ),
    ),
    limit_sets=(
        LimitSet(
            "agreed",
            Name("协议", "agreement"),
            "",
            (
                Limit("cod_cr", Statistic.DAILY_MEAN, None, 300.0, "mg/L"),
                Limit("ph", Statistic.HOURLY_MEDIAN, 6.0, 9.0),
            ),
        ),
    ),
    notify=Notify((Channel("folder", "folder:alerts"),), "en"),
)
SERIES = [(s.point, s.parameter) for s in PLANT.series]


@dataclass
class Live:
    """A journal, a ledger, a desk and a watch over one folder; restartable."""

    folder: Path
    clock: ManualClock
    journal: Journal
    ledger: Ledger
    desk: AlertDesk
    watch: Watch
    evaluations: Evaluations

    def at(self, time_ms: int) -> list[str]:
        """Step at an instant; the titles of the messages about exceedances told so far."""
        self.clock.set(time_ms)
        self.watch.step(time_ms)
        self.desk.deliver_due()
        return self.told()

    def told(self) -> list[str]:
        return [title for title in self.titles() if "WARNING" not in title]

    def warned(self, time_ms: int) -> list[str]:
        """Step at an instant; the titles of the warnings told so far."""
        self.at(time_ms)
        return [title for title in self.titles() if "WARNING" in title]

    def titles(self) -> list[str]:
        """In the order they were told."""
        return [path.read_text().splitlines()[0] for path in sorted((self.folder / "alerts").glob("*.txt"))]

    def append(self, readings: Readings) -> None:
        self.journal.append(readings, accepted_ms=self.clock.now_ms())


def opened(folder: Path, clock: ManualClock, results: Any = None, plant: Plant = PLANT) -> Live:
    journal = open_journal(folder / "journal.sqlite", SERIES)
    ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    desk = AlertDesk(ledger, open_senders(plant.notify.channels, base=folder), plant, clock)
    watch = Watch(plant, journal, ledger, desk, results, clock)
    evaluations = Evaluations(plant, journal, journal, ledger.annotations, clock)
    return Live(folder, clock, journal, ledger, desk, watch, evaluations)


def closed(live: Live) -> None:
    live.journal.close()
    live.ledger.close()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    one = opened(tmp_path, ManualClock(T0))
    yield one
    closed(one)


def hours(day: int, value: Any, series: int, *, first: int = 0, count: int = 24) -> Readings:
    """Hourly readings of one series; an analyser's stand at the end of the hour they speak for."""
    late = HOUR_MS if PLANT.series[series].represents is Represents.BEFORE else 0
    times = T0 + day * DAY_MS + (first + np.arange(count)) * HOUR_MS + late
    return Readings.of(times, series, value)


def test_a_day_is_judged_when_it_is_over_and_told_once(live: Live) -> None:
    live.append(Readings.concat([hours(0, 10.0, 0), hours(0, 400.0, 2), hours(0, 7.0, 3)]))
    assert live.at(T0 + 23 * HOUR_MS) == [], "the day still runs"
    assert live.at(T0 + DAY_MS + SETTLE_MS - 1) == [], "the last result may still come"
    told = live.at(T0 + DAY_MS + SETTLE_MS)
    assert len(told) == 1 and "400 mg/L > 300 mg/L" in told[0]
    assert live.at(T0 + DAY_MS + SETTLE_MS + 60_000) == told, "told once"


def test_a_restart_neither_repeats_nor_loses(live: Live) -> None:
    live.append(Readings.concat([hours(0, 10.0, 0), hours(0, 400.0, 2)]))
    told = live.at(T0 + DAY_MS + SETTLE_MS)
    closed(live)
    again = opened(live.folder, live.clock)
    assert again.at(T0 + DAY_MS + 2 * SETTLE_MS) == told
    again.append(Readings.concat([hours(1, 10.0, 0), hours(1, 5.0, 3, first=8, count=1)]))
    closed(again)  # ends before it has looked at what came in …
    third = opened(live.folder, live.clock)
    after = third.at(T0 + 3 * DAY_MS)  # … and comes back two days later
    assert len(after) == 2 and "pH" in after[1], after  # COD's episode neither ended nor grew
    closed(third)


def test_late_data_reopens_its_day(live: Live) -> None:
    live.append(Readings.concat([hours(0, 10.0, 0), hours(0, 200.0, 2, count=20)]))
    assert live.at(T0 + DAY_MS + SETTLE_MS) == []
    assert live.at(T0 + 2 * DAY_MS) == []
    live.append(hours(0, 900.0, 2, first=20, count=4))  # the analyser's last results come a day late
    (told,) = live.at(T0 + 2 * DAY_MS + HOUR_MS)
    assert "316.7 mg/L > 300 mg/L" in told  # (20 · 200 + 4 · 900) / 24


def test_a_silent_hour_is_still_judged(live: Live) -> None:
    """The hour's exceedance is known from its readings, though nothing more comes in afterwards."""
    live.append(Readings.concat([hours(0, 10.0, 0, count=1), hours(0, 5.0, 3, count=1)]))
    assert live.at(T0 + HOUR_MS) == []
    (told,) = live.at(T0 + HOUR_MS + SETTLE_MS)
    assert "pH" in told


def test_a_day_on_course_is_told_hours_before_it_is_exceeded(live: Live) -> None:
    cod = Readings.concat([hours(0, 200.0, 2, count=6), hours(0, 500.0, 2, first=6, count=18)])
    live.append(Readings.concat([hours(0, 10.0, 0), cod.take(cod.time <= T0 + 7 * HOUR_MS)]))
    assert live.warned(T0 + 6 * HOUR_MS + SETTLE_MS) == []
    early = live.warned(T0 + 7 * HOUR_MS + SETTLE_MS)
    assert early == [
        "[WARNING] member outfall: COD, hour above the daily limit",
        "[WARNING] member outfall: COD, day on course to exceed",
    ]
    body = next(p.read_text() for p in (live.folder / "alerts").glob("*.txt") if "on course for" in p.read_text())
    assert "on course for 425 mg/L (limit 300)" in body  # (6 · 200 + 18 · 500) / 24
    assert "at most 323.5 mg/L" in body  # (24 · 300 − 6 · 200 − 500) / 17
    assert live.told() == [], "a warning is no exceedance"
    live.append(cod)
    assert live.warned(T0 + DAY_MS - HOUR_MS + SETTLE_MS) == early, "told once"
    (told,) = live.at(T0 + DAY_MS + SETTLE_MS)
    assert told.startswith("[EXCEEDED]")
    alerts = {a.kind: a for a in live.ledger.alerts.find(parameter="cod_cr")}
    assert set(alerts) == {AlertKind.EXCEEDANCE, AlertKind.HOUR_ABOVE_LIMIT, AlertKind.ON_COURSE}
    assert alerts[AlertKind.ON_COURSE].told.end_ms == T0 + 23 * HOUR_MS, "the day's last hour leaves nothing to warn of"


def test_a_warning_that_turns_out_otherwise_is_over(live: Live) -> None:
    cod = Readings.concat([hours(0, 200.0, 2, count=6), hours(0, 500.0, 2, first=6, count=1)])
    live.append(Readings.concat([hours(0, 10.0, 0), cod]))
    assert len(live.warned(T0 + 7 * HOUR_MS + SETTLE_MS)) == 2
    live.append(hours(0, 100.0, 2, first=7, count=17))
    after = live.warned(T0 + 8 * HOUR_MS + SETTLE_MS)
    assert [t.split("]")[0] for t in after[2:]] == ["[WARNING OVER"] * 2
    assert live.at(T0 + DAY_MS + SETTLE_MS) == []


def test_silence_is_told_and_ends_with_the_next_reading(live: Live) -> None:
    live.append(Readings.concat([hours(0, 10.0, 0), hours(0, 100.0, 2, count=4)]))
    assert live.warned(T0 + 6 * HOUR_MS) == []
    first = live.warned(T0 + 8 * HOUR_MS + SETTLE_MS)
    assert first == ["[WARNING] member outfall: COD, silent"]
    closed(live)
    again = opened(live.folder, live.clock)
    assert again.warned(T0 + 9 * HOUR_MS + SETTLE_MS) == first, "a restart repeats nothing"
    again.append(hours(0, 100.0, 2, first=9, count=15))
    assert again.warned(T0 + 10 * HOUR_MS + SETTLE_MS) == [*first, "[WARNING OVER] member outfall: COD, silent"]
    closed(again)


def test_warnings_of_days_long_gone_are_not_told(live: Live) -> None:
    live.append(Readings.concat([hours(0, 10.0, 0), hours(0, 200.0, 2)]))
    live.at(T0 + DAY_MS + SETTLE_MS)
    before = live.warned(T0 + 5 * DAY_MS)
    live.append(hours(0, 900.0, 2))  # the analyser's day comes again, corrected
    assert [t for t in live.warned(T0 + 5 * DAY_MS + HOUR_MS) if "limit" in t or "course" in t] == []
    assert len(live.told()) == 1
    assert [t.rpartition(" ")[2] for t in before] == ["silent"] * 2, "flow and COD are due, and still silent"


def test_a_suspect_sensor_is_told_once_and_its_readings_still_count(tmp_path: Path) -> None:
    ranges = (PhysicalRange("ph", "1", 0.0, 14.0),)
    quality = Quality(suspicion=Suspicion(3.0, 12.0, 4.0, 3.0, 0.2, 0.25, ranges))
    live = opened(tmp_path, ManualClock(T0), plant=replace(PLANT, quality=quality))
    ph = hours(0, 7.0, 3)
    ph.value[:] += np.arange(24) % 5 / 10
    ph.value[3:9] = 7.77
    ph.value[15] = 15.5
    live.append(Readings.concat([hours(0, 0.0, 0), ph.take(np.arange(0))]))  # nothing flows: nothing is suspect
    live.at(T0 + DAY_MS + SETTLE_MS)
    assert [t for t in live.titles() if "suspect" in t] == []
    live.append(Readings.concat([hours(0, 10.0 + (np.arange(24) % 7), 0), ph]))
    live.at(T0 + DAY_MS + HOUR_MS + SETTLE_MS)
    suspect = [t for t in live.titles() if "suspect" in t]
    assert suspect == ["[WARNING] member outfall: pH, suspect sensor"]
    (alert,) = live.ledger.alerts.find(kind=AlertKind.SUSPECT_SENSOR)
    assert {e.statistic for e in alert.episodes} == {"flat_line", "out_of_range"}
    assert any("pH, hourly median 15.5" in title for title in live.told()), "it is suspect, and still judged"
    live.at(T0 + DAY_MS + 3 * HOUR_MS + SETTLE_MS)
    assert [t for t in live.titles() if "suspect" in t] == suspect
    assert {w.kind for w in live.evaluations.warnings(DAY, DAY)} == {"flat_line", "out_of_range", "silence"}
    closed(live)


def test_answers_are_fresh(live: Live) -> None:
    live.append(Readings.concat([hours(0, 10.0, 0), hours(0, 200.0, 2)]))
    live.clock.set(T0 + 2 * DAY_MS)
    assert value(live.evaluations(DAY, DAY)) == 200
    live.append(hours(0, 260.0, 2))
    live.clock.set(T0 + 2 * DAY_MS + 60_000)
    assert value(live.evaluations(DAY, DAY)) == 260


def value(evaluation: monitor.Evaluation) -> float:
    (row,) = [r for r in evaluation.daily.rows() if r["parameter"] == "cod_cr"]
    return row["value"]


def note(kind: Kind, parameter: str, start: float, end: float, **more: Any) -> Annotation:
    return Annotation(kind, "out", parameter, T0 + int(start * HOUR_MS), T0 + int(end * HOUR_MS), "why", **more)


def test_an_annotation_reopens_its_day_and_its_withdrawal_restores_it(live: Live) -> None:
    """An exceedance told in the morning is a calibration that nobody had marked."""
    live.append(
        Readings.concat([hours(0, 10.0, 0), hours(0, 200.0, 2, count=20), hours(0, 900.0, 2, first=20, count=4)])
    )
    (told,) = live.at(T0 + DAY_MS + SETTLE_MS)
    assert "316.7 mg/L > 300 mg/L" in told
    before = list(live.evaluations(DAY, DAY).daily.rows())
    said = note(Kind.CALIBRATION, "cod_cr", 20, 24)
    stored = live.ledger.annotations.add(said, now_ms=live.clock.now_ms(), actor="cli:li")
    assert value(live.evaluations(DAY, DAY)) == 200, "at once"
    assert len(live.at(T0 + DAY_MS + 2 * SETTLE_MS)) == 2, "the exceedance is withdrawn"
    (alert,) = live.ledger.alerts.find(kind=AlertKind.EXCEEDANCE)
    assert alert.episodes[0].withdrawn
    assert live.journal.read(2, T0, T0 + 2 * DAY_MS).valid.all(), "what came is as it came"
    live.ledger.annotations.withdraw(stored.id, "it was water", now_ms=live.clock.now_ms(), actor="cli:li")
    live.at(T0 + DAY_MS + 3 * SETTLE_MS)
    assert not live.ledger.alerts.find(kind=AlertKind.EXCEEDANCE)[0].episodes[0].withdrawn
    assert list(live.evaluations(DAY, DAY).daily.rows()) == before


def test_an_annotation_made_while_the_service_was_off_is_judged_at_the_start(live: Live) -> None:
    live.append(Readings.concat([hours(0, 10.0, 0), hours(0, 400.0, 2)]))
    live.at(T0 + DAY_MS + SETTLE_MS)
    live.at(T0 + 2 * DAY_MS + SETTLE_MS)  # a midnight has passed: the day is done with
    closed(live)
    ledger = Ledger(f"sqlite:///{live.folder / 'ledger.sqlite'}")
    ledger.annotations.add(note(Kind.FAULT, "", 0, 24), now_ms=live.clock.now_ms(), actor="cli:li")
    ledger.close()
    for _ in range(2):
        again = opened(live.folder, live.clock)
        told = again.at(T0 + 2 * DAY_MS + 2 * SETTLE_MS)
        assert len(told) == 2, "withdrawn, and told once"
        closed(again)


KINDS = {
    Kind.MAINTENANCE: {},
    Kind.CALIBRATION: {},
    Kind.FAULT: {},
    Kind.EXCLUSION: {},
    Kind.MANUAL_VALUE: {"value": 321.0, "evidence": "report"},
    Kind.METER_EXCHANGE: {"closing": 450.0, "opening": 3.0},
}


def any_note(data: st.DataObject) -> Annotation:
    kind = data.draw(st.sampled_from(list(KINDS)))
    parameter = data.draw(st.sampled_from(["", "flow", "volume", "cod_cr", "ph"]))
    if kind is Kind.METER_EXCHANGE:
        parameter = "volume"
    elif kind is Kind.MANUAL_VALUE:
        parameter = parameter or "cod_cr"
    start, end = sorted((data.draw(st.integers(-4, 150)) / 2, data.draw(st.integers(-4, 150)) / 2))
    if kind is Kind.MANUAL_VALUE and parameter == "volume":
        end = start
    return note(kind, parameter, start, end, **KINDS[kind])


def say_something(live: Live, data: st.DataObject) -> None:
    """Enter an annotation, or take one back; what makes no sense is left."""
    log, now_ms = live.ledger.annotations, live.clock.now_ms()
    standing = log.standing()
    if standing and data.draw(st.booleans()):
        log.withdraw(data.draw(st.sampled_from(standing)).id, "why not", now_ms=now_ms, actor="a")
        return
    one = any_note(data)
    if problem_of(PLANT, one) is None:
        with suppress(InputError):  # a second value for one instant
            log.add(one, now_ms=now_ms, actor="a")


class Published:
    """Results as panels have them: the rows of a day as they were last written."""

    def __init__(self) -> None:
        self.days: dict[date, list[Any]] = {}
        self.days_unpublished = 0

    def publish(self, evaluation: Any) -> None:
        for day in evaluation.windows.days:
            text = day.isoformat()
            rows = [r for r in evaluation.daily.rows() if r["date"] == text]
            self.days[day] = rows + [r for r in evaluation.hourly.rows() if r["hour"].startswith(text)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=25)
@given(data=st.data())
def test_live_equals_re_evaluation_bit_for_bit(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any order of arrival, any chunks, annotations that come and go, restarts in between: the live tables, and what
    was last published of every day, are those of one evaluation of it all."""
    n = data.draw(st.integers(5, 60))
    slots = data.draw(st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 74)), min_size=n, max_size=n, unique=True))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    readings = Readings.concat(
        [
            Readings.of(T0 + slot * HOUR_MS + int(rng.integers(0, 3)) * 1_200_000, series, rng.uniform(0, 500), mark)
            for (series, slot), mark in zip(slots, rng.choice([78, 78, 78, 68], n).tolist(), strict=True)
        ]
    )
    folder = tmp_path_factory.mktemp("live")
    published = Published()
    live = opened(folder, ManualClock(T0), published)
    start = 0
    while start < n:
        stop = min(n, start + data.draw(st.integers(1, 25)))
        live.append(readings.take(np.arange(start, stop)))
        for _ in range(data.draw(st.integers(0, 2))):
            say_something(live, data)
        live.at(live.clock.now_ms() + 7 * HOUR_MS)
        if data.draw(st.booleans()):
            closed(live)
            live = opened(folder, live.clock, published)
        start = stop
    live.at(max(live.clock.now_ms(), T0 + 6 * DAY_MS))
    days = [DAY + timedelta(days=i) for i in range(3)]
    notes = list(live.ledger.annotations.standing())
    rng.shuffle(notes)  # type: ignore[arg-type]
    all_of_it = MemorySource(
        Readings.concat([live.journal.read(i, T0 - 9 * DAY_MS, T0 + 9 * DAY_MS) for i in range(4)])
    )
    judged = AnnotatedSource(PLANT, all_of_it, notes)
    whole = monitor.evaluate_days(PLANT, judged, days[0] - timedelta(days=2), days[-1] + timedelta(days=2))
    extent = live.journal.extent()
    assert extent is not None
    for day in days:
        one = monitor.evaluate_days(PLANT, judged, day, day)
        wanted = [r for r in whole.daily.rows() if r["date"] == day.isoformat()]
        assert list(one.daily.rows()) == wanted
        stamp = day.isoformat()
        hourly = [r for r in whole.hourly.rows() if r["hour"].startswith(stamp)]
        assert list(one.hourly.rows()) == hourly
        if local_day(extent[0], ZONE) <= day <= local_day(extent[1], ZONE):
            assert published.days[day] == wanted + hourly
        assert list(live.evaluations(day, day).daily.rows()) == wanted
    closed(live)


def test_old_months_are_dropped_and_stay_judged(tmp_path: Path) -> None:
    """``store.retention``: whole months, at the end of a day and at a start; a late reading judges none anew."""
    plant = replace(PLANT, retention_days=400)
    live = opened(tmp_path, ManualClock(T0 + DAY_MS), plant=plant)
    live.append(Readings.concat([hours(0, 10.0, 0), hours(0, 400.0, 2), hours(45, 10.0, 0), hours(45, 7.0, 3)]))
    assert len(live.at(T0 + 2 * DAY_MS)) == 1
    november = date(2026, 11, 1)
    later = day_start_ms(november + timedelta(days=400), ZONE) + SETTLE_MS
    live.at(later - DAY_MS)
    assert live.journal.counts().dropped.readings == 0, "its 400th day is of October"
    live.at(later)
    assert live.journal.counts().dropped.readings == 0
    assert "goes on since 2026-10-01" in live.watch.health()["retention_waits"], "nothing has ended the exceedance"
    live.append(hours(45, 200.0, 2))
    live.at(later + DAY_MS)
    live.at(later + 2 * DAY_MS)
    counts = live.journal.counts()
    assert counts.dropped.readings == 8 + 7, "flow and COD of the first UTC day; the last of each before the cut stays"
    assert counts.kept_from_ms == day_start_ms(november, ZONE)
    with pytest.raises(InputError, match="dropped"):
        live.evaluations(DAY, DAY)
    kinds = {w.kind for w in live.evaluations.warnings(november, november)}
    assert kinds == {"silence"}, "what is suspect is learnt from what is kept alone"
    told = live.told()
    live.append(hours(0, 900.0, 2))
    assert live.at(later + 2 * DAY_MS + HOUR_MS) == told, "what was judged of it stands"
    closed(live)
    again = opened(tmp_path, ManualClock(later + 3 * DAY_MS), plant=plant)
    again.at(later + 3 * DAY_MS)
    assert "evaluated" in again.watch.health()["retention_waits"]
    again.at(later + 4 * DAY_MS)
    assert again.watch.health()["retention_waits"] is None
    assert again.journal.counts().dropped.readings == 8 + 7 + 7, "and so does the late reading's day"
    closed(again)


def history(live: Live) -> list[tuple[str, str, str, str, str, tuple[int, ...]]]:
    """What changed, the oldest first."""
    found = reversed(live.ledger.verdicts.changed())
    return [(x.table, x.window, x.old_verdict, x.new_verdict, x.cause, x.annotations) for x in found]


def test_a_verdict_that_changes_keeps_its_history(live: Live) -> None:
    """Late data, an annotation, its withdrawal: each leaves a line, and what is judged for the first time none."""
    flow, ph = hours(0, 10.0, 0), hours(0, 7.0, 3)
    live.append(Readings.concat([flow, ph, hours(0, 200.0, 2, count=20)]))
    live.at(T0 + 9 * HOUR_MS)
    live.at(T0 + DAY_MS + SETTLE_MS)
    live.at(T0 + DAY_MS + 2 * SETTLE_MS)
    assert history(live) == []
    live.append(hours(0, 900.0, 2, first=20, count=4))
    live.at(T0 + DAY_MS + HOUR_MS)
    late = ("daily", "2026-10-01", "met", "exceeded", "late_data", ())
    assert history(live) == [late]
    (change,) = live.ledger.verdicts.changed(series={("out", "cod_cr")}, start_ms=T0, end_ms=T0 + 1)
    assert (change.old_value, change.limit_set, change.changed_ms) == (200.0, "agreed", T0 + DAY_MS + HOUR_MS)
    assert change.new_value == pytest.approx((20 * 200 + 4 * 900) / 24)
    said = note(Kind.EXCLUSION, "ph", 9, 10)
    stored = live.ledger.annotations.add(said, now_ms=live.clock.now_ms(), actor="cli:li")
    live.at(T0 + DAY_MS + 2 * HOUR_MS)
    hour = "2026-10-01T09:00:00+08:00"
    excluded = ("hourly", hour, "met", "insufficient_data", "annotation", (stored.id,))
    assert history(live) == [late, excluded]
    closed(live)
    again = opened(live.folder, live.clock)
    again.ledger.annotations.withdraw(stored.id, "it was water", now_ms=live.clock.now_ms(), actor="cli:li")
    again.at(T0 + DAY_MS + 3 * HOUR_MS)
    back = ("hourly", hour, "insufficient_data", "met", "annotation", (stored.id,))
    assert history(again) == [late, excluded, back]
    again.at(T0 + DAY_MS + 4 * HOUR_MS)
    assert history(again) == [late, excluded, back], "told once"
    closed(again)


def test_late_data_and_an_annotation_of_one_look_are_told_apart(live: Live) -> None:
    live.append(Readings.concat([hours(0, 10.0, 0), hours(0, 7.0, 3), hours(0, 200.0, 2, count=20)]))
    live.at(T0 + DAY_MS + SETTLE_MS)
    live.at(T0 + DAY_MS + 2 * SETTLE_MS)
    live.append(hours(0, 900.0, 2, first=20, count=4))
    said = note(Kind.EXCLUSION, "cod_cr", 0, 20)
    stored = live.ledger.annotations.add(said, now_ms=live.clock.now_ms(), actor="cli:li")
    live.at(T0 + DAY_MS + HOUR_MS)
    late = ("daily", "2026-10-01", "met", "exceeded", "late_data", ())
    excluded = ("daily", "2026-10-01", "exceeded", "insufficient_data", "annotation", (stored.id,))
    assert history(live) == [late, excluded]


def test_another_limit_judges_old_days_anew_and_opens_no_alert(live: Live) -> None:
    live.append(Readings.concat([hours(0, 10.0, 0), hours(0, 200.0, 2), hours(9, 10.0, 0)]))
    live.at(T0 + DAY_MS + SETTLE_MS)
    live.at(T0 + 10 * DAY_MS + SETTLE_MS)
    closed(live)
    strict = replace(PLANT.limit_sets[0], limits=(Limit("cod_cr", Statistic.DAILY_MEAN, None, 150.0, "mg/L"),))
    again = opened(live.folder, live.clock, plant=replace(PLANT, limit_sets=(strict,)))
    assert again.at(T0 + 10 * DAY_MS + 2 * SETTLE_MS) == []
    daily = [x for x in history(again) if x[1] == "2026-10-01" and x[3]]
    assert daily == [("daily", "2026-10-01", "met", "exceeded", "limit", ())]
    count = len(history(again))
    closed(again)
    third = opened(live.folder, live.clock, plant=replace(PLANT, limit_sets=(strict,)))
    third.at(T0 + 10 * DAY_MS + 3 * SETTLE_MS)
    assert len(history(third)) == count, "once"
    closed(third)


def test_what_proves_something_by_itself_is_looked_at_before_the_minute_is_over(live: Live) -> None:
    """A late reading of a day that was judged, and a mark T; what merely goes on waits for the minute."""
    live.append(Readings.concat([hours(0, 10.0, 0), hours(0, 100.0, 2, count=20)]))
    now = T0 + DAY_MS + 10 * 60_000
    live.clock.set(now)
    live.watch.start()
    try:
        wait_until(lambda: live.watch.health()["judged_until_ms"] == now - SETTLE_MS, what="the first look")
        wait_until(lambda: live.clock.waits("watch"), what="the end of the look")
        live.clock.set(now + 1_000)  # the pause after a look
        late = hours(0, 2000.0, 2, first=20, count=4)
        live.append(late)
        live.watch.note(Readings.of(np.array([now]), 0, np.array([9.0]), np.array([NORMAL])))
        assert live.ledger.alerts.find(kind=AlertKind.EXCEEDANCE) == ()
        live.watch.note(late)
        wait_until(lambda: live.ledger.alerts.find(kind=AlertKind.EXCEEDANCE), what="the alert of a late reading")
        wait_until(lambda: live.clock.waits("watch"), what="the end of the look")
        live.clock.set(now + 2_000)
        over = Readings.of(np.array([now]), 2, np.array([np.nan]), np.array([OVER_RANGE]))
        live.append(over)
        live.watch.note(over)
        wait_until(lambda: live.ledger.alerts.find(kind=AlertKind.OVER_RANGE), what="the alert of a mark T")
        assert live.clock.now_ms() < now + 60_000
    finally:
        live.watch.stop()
