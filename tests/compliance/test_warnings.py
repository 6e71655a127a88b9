"""Warnings hold what they promise: the day is judged by the evaluation itself once it has gone as supposed."""

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plant_monitor.compliance.evaluate import Evaluation, evaluate
from plant_monitor.compliance.warnings import PlantWarning, WarningKind
from plant_monitor.plant import Limit, LimitSet, Member, Name, Plant, Point, Role, Series, Statistic
from plant_monitor.readings import COMMUNICATION_LOST, NORMAL, Readings
from plant_monitor.windows import HOUR_MS, day_start_ms, local_windows

ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 10, 1)
T0 = day_start_ms(DAY, ZONE)
MINUTE = 60_000
WINDOWS = local_windows(DAY, DAY, ZONE)
FLOW, COD = 0, 1


def plant_with(limit: Limit) -> Plant:
    series = (Series("out", "flow", "m3/h", HOUR_MS), Series("out", "cod_cr", "mg/L", HOUR_MS))
    return Plant(
        id="p",
        name=Name("厂", "plant"),
        zone=ZONE,
        capacity_m3_d=Decimal(1200),
        members=(Member("m", Name("成员", "member")),),
        points=(Point("out", Role.OUTFALL, series, "m", ("agreed",)),),
        limit_sets=(LimitSet("agreed", Name("协议", "agreement"), "", (limit,)),),
    )


MEAN = plant_with(Limit("cod_cr", Statistic.DAILY_MEAN, None, 0.3, "g/L"))
LOAD = plant_with(Limit("cod_cr", Statistic.DAILY_LOAD, None, 60.0, "kg/d"))


def judged(plant: Plant, times: list[int], flow: list[float], cod: list[float]) -> Evaluation:
    parts = [Readings.of(times, FLOW, flow), Readings.of(times, COD, cod)]
    return evaluate(plant, Readings.concat(parts), WINDOWS, warnings=True)


def verdict(evaluation: Evaluation) -> str:
    return next(r["verdict"] for r in evaluation.daily.rows() if r["parameter"] == "cod_cr")


def on_course(evaluation: Evaluation) -> list[PlantWarning]:
    return [w for w in evaluation.warned.rows if w.kind is WarningKind.ON_COURSE]


flows = st.lists(st.sampled_from([0.0, 1.0, 4.0, 7.5, 30.0]), min_size=24, max_size=24)
strengths = st.lists(st.sampled_from([0.0, 120.0, 299.0, 310.0, 800.0]), min_size=24, max_size=24)
HOURS = [T0 + h * HOUR_MS for h in range(24)]


@pytest.mark.parametrize("plant", [MEAN, LOAD], ids=["daily_mean", "daily_load"])
@settings(max_examples=40, deadline=None)
@given(flow=flows, cod=strengths)
def test_a_day_that_goes_on_as_advised_is_met_and_beyond_it_is_not(
    plant: Plant, flow: list[float], cod: list[float]
) -> None:
    for told in on_course(judged(plant, HOURS, flow, cod)):
        hour = (told.end_ms - T0) // HOUR_MS
        rest = 24 - hour

        def if_rest_runs(q: float, c: float, hour: int = hour, rest: int = rest) -> str:
            return verdict(judged(plant, HOURS, flow[:hour] + [q] * rest, cod[:hour] + [c] * rest))

        q, c = flow[hour - 1], cod[hour - 1]
        assert if_rest_runs(q, c) == "exceeded"  # what it warns of
        if told.avoid_mg_l is not None:
            assert if_rest_runs(q, told.avoid_mg_l) == "met"
            assert if_rest_runs(q, told.avoid_mg_l * 1.001 + 0.1) == "exceeded"
        if told.avoid_flow_m3_h is not None:
            assert if_rest_runs(told.avoid_flow_m3_h, c) == "met"
            assert if_rest_runs(told.avoid_flow_m3_h * 1.001 + 0.2, c) == "exceeded"
        if told.avoid_mg_l is None:
            assert if_rest_runs(q, 0.0) in ("exceeded", "no_discharge")


@pytest.mark.parametrize("plant", [MEAN, LOAD], ids=["daily_mean", "daily_load"])
@settings(max_examples=40, deadline=None)
@given(flow=flows, cod=strengths)
def test_until_the_time_it_passes_pure_water_still_saves_the_day_and_then_no_more(
    plant: Plant, flow: list[float], cod: list[float]
) -> None:
    for told in on_course(judged(plant, HOURS, flow, cod)):
        hour = (told.end_ms - T0) // HOUR_MS
        q, c = flow[hour - 1], cod[hour - 1]
        assert told.passes_ms is not None
        assert told.end_ms <= told.passes_ms < WINDOWS.end_ms
        if told.passes_ms == told.end_ms or q == 0:
            continue

        def if_pure_from(turn: int, hour: int = hour, q: float = q, c: float = c) -> str:
            later = sorted({turn, *HOURS[hour:]})
            strength = [c if t < turn else 0.0 for t in later]
            return verdict(judged(plant, HOURS[:hour] + later, flow[:hour] + [q] * len(later), cod[:hour] + strength))

        if told.passes_ms - MINUTE > told.end_ms:
            assert if_pure_from(told.passes_ms - MINUTE) == "met"
        if told.passes_ms + MINUTE < WINDOWS.end_ms:
            assert if_pure_from(told.passes_ms + MINUTE) == "exceeded"


@given(flow=flows, cod=strengths, hour=st.integers(1, 23))
def test_what_comes_later_changes_no_warning_of_the_hours_before(
    flow: list[float], cod: list[float], hour: int
) -> None:
    whole = [w for w in on_course(judged(MEAN, HOURS, flow, cod)) if w.end_ms <= HOURS[hour]]
    until = evaluate(
        MEAN,
        Readings.concat(
            [Readings.of(HOURS[: hour + 1], FLOW, flow[: hour + 1]), Readings.of(HOURS[:hour], COD, cod[:hour])]
        ),
        WINDOWS,
        until_ms=HOURS[hour],
        warnings=True,
    )
    assert on_course(until) == whole


def test_hours_in_a_row_are_one_run_that_speaks_of_its_last_hour() -> None:
    cod = [100.0] * 3 + [800.0] * 4 + [100.0] * 17
    evaluation = judged(MEAN, HOURS, [10.0] * 24, cod)
    above = [w for w in evaluation.warned.runs if w.kind is WarningKind.HOUR_ABOVE_LIMIT]
    assert [(w.start_ms, w.end_ms, w.count, w.ongoing) for w in above] == [(HOURS[3], HOURS[7], 4, False)]
    assert len([w for w in evaluation.warned.rows if w.kind is WarningKind.HOUR_ABOVE_LIMIT]) == 4
    (course,) = [w for w in evaluation.warned.runs if w.kind is WarningKind.ON_COURSE]
    assert (course.start_ms, course.end_ms) == (HOURS[3], HOURS[7])
    assert course.avoid_mg_l == pytest.approx((7200 - 300 - 3200) / 17)


def test_unknown_hours_neither_end_a_run_nor_open_one() -> None:
    times = [t for h, t in enumerate(HOURS) if h not in (6, 7, 8, 9)]
    parts = [Readings.of(HOURS, FLOW, 10.0), Readings.of(times, COD, 800.0)]
    found = evaluate(MEAN, Readings.concat(parts), WINDOWS, until_ms=HOURS[9], warnings=True).warned.runs
    (above,) = [w for w in found if w.kind is WarningKind.HOUR_ABOVE_LIMIT]
    assert (above.start_ms, above.end_ms, above.ongoing) == (HOURS[0], HOURS[7], True)  # the last one holds for 2 h


def silences(times: list[int], flow: float = 10.0, until_ms: int | None = None) -> list[PlantWarning]:
    marks = [NORMAL if t >= 0 else COMMUNICATION_LOST for t in times]
    cod = Readings.of([abs(t) for t in times], COD, 100.0, marks)
    readings = Readings.concat([Readings.of(HOURS, FLOW, flow), cod])
    found = evaluate(MEAN, readings, WINDOWS, until_ms=until_ms, warnings=True).warned.runs
    return [w for w in found if w.kind is WarningKind.SILENCE]


def test_an_instrument_is_silent_after_three_intervals_and_what_says_lost_is_no_reading() -> None:
    times = [*HOURS[:6], -HOURS[7], *HOURS[10:]]
    (told,) = silences(times)
    assert (told.start_ms, told.end_ms, told.value, told.bound, told.ongoing) == (HOURS[5], HOURS[10], 5.0, 3.0, False)
    assert silences([*HOURS[:6], *HOURS[8:]]) == []  # exactly three intervals


def test_silence_goes_on_until_now_and_counts_only_while_the_point_discharges() -> None:
    now = HOURS[9] + 5 * MINUTE
    (told,) = silences(HOURS[:6], until_ms=now)
    assert (told.parameter, told.end_ms, told.ongoing) == ("cod_cr", now, True)
    assert silences(HOURS[:6], until_ms=HOURS[8]) == []
    assert silences(HOURS[:6], flow=0.0, until_ms=now) == []  # nothing flows: an analyser may rest
    assert silences([-t for t in HOURS[1:9]], until_ms=now)[0].start_ms == HOURS[1]  # lost from the first
    assert silences([], until_ms=now) == []  # never reported: since when should it have?


def test_an_unmetered_point_is_told_a_concentration_and_no_flow() -> None:
    point = Point("out", Role.PROCESS, (Series("out", "cod_cr", "mg/L", HOUR_MS),), None, ("agreed",))
    plant = Plant("p", Name("厂", "plant"), ZONE, Decimal(1200), (), (point,), MEAN.limit_sets)
    values = np.where(np.arange(24) < 6, 200.0, 600.0)
    told = on_course(evaluate(plant, Readings.of(HOURS, 0, values), WINDOWS, warnings=True))[0]
    assert (told.start_ms, told.avoid_flow_m3_h) == (HOURS[6], None)
    assert told.avoid_mg_l == pytest.approx((24 * 300 - 6 * 200 - 600) / 17)
