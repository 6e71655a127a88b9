"""Laboratory results: what a result decides, and the analyser beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from compliance.months_world import DAY_MS, FIRST, ZONE, Day, days, evaluated, make_plant, readings_of
from hypothesis import given, settings
from hypothesis import strategies as st

from plant_monitor import monitor
from plant_monitor.compliance.laboratory import (
    LabResult,
    OnlineMean,
    compare,
    lab_table,
    parse_result,
    problem_of,
    verdict,
)
from plant_monitor.plant import Limit, Quality, Statistic, Tolerance
from plant_monitor.store.memory import MemorySource
from plant_monitor.windows import day_start_ms

NONE = float("nan")
START = day_start_ms(FIRST, ZONE)
RESULT = LabResult("out", "cod_cr", START, START + DAY_MS, 310.0, False, "mg/L", "HJ 828-2017", "county", "Wang")
PLANT = replace(
    make_plant(Limit("cod_cr", Statistic.DAILY_MEAN, None, 300.0, "mg/L")), standard_units={"bod5": "mg/L", "ph": "1"}
)


@pytest.mark.parametrize(
    ("text", "value", "below"),
    [("312.4", 312.4, False), ("<0.05", 0.05, True), (" < 2 ", 2, True), ("＜0.5", 0.5, True), ("1e-3", 0.001, False)],
)
def test_results_as_laboratories_write_them(text: str, value: float, below: bool) -> None:
    assert parse_result(text) == (value, below)


@pytest.mark.parametrize("text", ["", "nd", "未检出", "<", ">5", "1,5", "nan", "inf", "1e999", "<<1", "0x10", "١"])
def test_what_is_no_result(text: str) -> None:
    with pytest.raises(ValueError, match="no number and no <"):
        parse_result(text)


@pytest.mark.parametrize(
    ("value", "below", "lower", "upper", "word"),
    [
        (300, False, NONE, 300, "met"),
        (300 * (1 + 1e-12), False, NONE, 300, "met"),
        (300.1, False, NONE, 300, "exceeded"),
        (5.9, False, 6, 9, "exceeded"),
        (9.1, False, 6, 9, "exceeded"),
        (7, False, 6, 9, "met"),
        (0.05, True, NONE, 0.05, "met"),
        (0.1, True, NONE, 0.05, "insufficient_data"),
        (0.1, True, NONE, 0, "met"),  # not detectable, and not detected
        (0.1, False, NONE, 0, "exceeded"),
        (2, True, 2, NONE, "exceeded"),  # below 2 for sure
        (3, True, 2, NONE, "insufficient_data"),
        (3, True, 2, 9, "insufficient_data"),
        (3, True, 0, 9, "met"),
    ],
)
def test_verdicts(value: float, below: bool, lower: float, upper: float, word: str) -> None:
    assert verdict(value, below, lower, upper) == word


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_below_a_limit_of_detection_says_what_every_value_below_it_would(lod: float, upper: float) -> None:
    """Met only if all values below would be; never exceeded, since 0 would not."""
    word = verdict(lod, True, NONE, upper)
    assert word == ("met" if verdict(lod, False, NONE, upper) == "met" else "insufficient_data")


@given(st.floats(1e-6, 1e4), st.booleans(), st.sampled_from([0.3, 300.0, 310.0, 1e5]))
def test_units_change_no_verdict(value: float, below: bool, upper: float) -> None:
    words = set()
    for unit, factor in (("mg/L", 1.0), ("ug/L", 1000.0), ("g/L", 0.001)):
        for limit_unit, limit_factor in (("mg/L", 1.0), ("ug/L", 1000.0)):
            limit = Limit("cod_cr", Statistic.DAILY_MEAN, None, upper * limit_factor, limit_unit)
            one = replace(RESULT, value=value * factor, unit=unit, below_lod=below)
            words |= {r["verdict"] for r in lab_table(make_plant(limit), [(one, None)]).rows()}
    assert len(words) == 1


@settings(max_examples=40, deadline=None)
@given(days)
def test_the_analyser_over_a_day_is_its_daily_mean(sequence: list[Day]) -> None:
    source = MemorySource(readings_of(sequence))
    results = []
    for i in range(len(sequence)):
        start, end = (day_start_ms(FIRST + timedelta(days=k), ZONE) for k in (i, i + 1))
        results.append(replace(RESULT, start_ms=start, end_ms=end))
    pairs = {r["date"]: r for r in monitor.laboratory(PLANT, source, results).rows()}
    for row in evaluated(sequence, PLANT).daily.rows():
        if row["parameter"] == "cod_cr":
            pair = pairs[row["date"]]
            assert pair["online_valid_share"] == row["valid_share"]
            mean = row["value"]
            assert pair["online_mean"] == (mean if mean is None else pytest.approx(mean, rel=1e-12))


def test_results_change_nothing_in_the_tables_of_readings() -> None:
    """They are no readings: evaluate does not even take them."""
    sequence = [Day(10.0, 400.0, True)] * 3
    source = MemorySource(readings_of(sequence))
    before = repr(list(evaluated(sequence, PLANT).daily.rows()))
    table = monitor.laboratory(PLANT, source, [RESULT])
    assert [r["verdict"] for r in table.rows()] == ["exceeded"]
    assert repr(list(evaluated(sequence, PLANT).daily.rows())) == before


def rows(result: LabResult) -> list[dict[str, Any]]:
    return list(lab_table(PLANT, [(result, None)]).rows())


def test_a_sample_is_judged_on_every_day_it_covers() -> None:
    two = replace(RESULT, start_ms=START + 8 * 3_600_000, end_ms=START + DAY_MS + 8 * 3_600_000)
    assert [r["date"] for r in rows(two)] == ["2026-09-17", "2026-09-18"]
    assert [r["date"] for r in rows(RESULT)] == ["2026-09-17"], "midnight belongs to the day that begins"
    grab = replace(RESULT, start_ms=START + DAY_MS, end_ms=START + DAY_MS)
    assert [r["date"] for r in rows(grab)] == ["2026-09-18"]


def test_what_the_plant_has_no_place_for_any_more_is_shown_and_not_judged() -> None:
    for gone in (replace(RESULT, point="gone"), replace(RESULT, unit="1")):
        assert problem_of(PLANT, gone) is not None
        assert [(r["verdict"], r["limit_set"]) for r in rows(gone)] == [("insufficient_data", "")]
    bod = replace(RESULT, parameter="bod5")
    assert [(r["verdict"], r["limit_set"]) for r in rows(bod)] == [("no_limit", "")]


STEPS = (
    Tolerance("cod_cr", "mg/L", below=30, absolute=5, mark="M"),
    Tolerance("cod_cr", "mg/L", below=60, relative=0.3, mark="1"),
    Tolerance("cod_cr", "mg/L", relative=0.15, mark="V"),
    Tolerance("ph", "1", absolute=0.5, mark="1"),
)


@pytest.mark.parametrize(
    ("laboratory", "online", "tolerance", "mark", "agrees"),
    [
        (29.9, 34.9, 5, "M", "yes"),
        (29.9, 35, 5, "M", "no"),
        (30, 39, 9, "1", "yes"),
        (30, 20.9, 9, "1", "no"),
        (60, 69, 9, "V", "yes"),
        (0, 5, 5, "M", "yes"),
    ],
)
def test_the_laboratory_value_chooses_the_tolerance(
    laboratory: float, online: float, tolerance: float, mark: str, agrees: str
) -> None:
    one = replace(RESULT, value=float(laboratory))
    found = compare(one, OnlineMean(float(online), 1.0, "mg/L"), STEPS)
    assert found[2] == pytest.approx(online - laboratory)
    assert found[4:] == (pytest.approx(tolerance), mark, agrees)
    # Other units, the same answer.
    micro = replace(one, value=laboratory * 1000.0, unit="ug/L")
    assert compare(micro, OnlineMean(float(online), 1.0, "mg/L"), STEPS)[6] == agrees
    assert compare(one, OnlineMean(online / 1000, 1.0, "g/L"), STEPS)[6] == agrees


def test_pairs_that_cannot_be_told() -> None:
    sound = OnlineMean(310.0, 1.0, "mg/L")
    assert compare(RESULT, None, STEPS) == (None, None, None, None, None, "", "")
    assert compare(RESULT, OnlineMean(None, 0.0, "mg/L"), STEPS) == (None, 0.0, None, None, None, "", "")
    assert compare(replace(RESULT, below_lod=True), sound, STEPS) == (310.0, 1.0, None, None, None, "", "")
    assert compare(RESULT, sound, ())[4:] == (None, "", "")
    assert compare(RESULT, replace(sound, valid_share=0.74), STEPS)[6] == ""
    assert compare(RESULT, replace(sound, valid_share=0.75), STEPS)[6] == "yes"
    zero = compare(replace(RESULT, value=0.0), sound, STEPS)
    assert (zero[2], zero[3]) == (310.0, None)


def test_a_plant_without_tolerances_has_pairs_all_the_same() -> None:
    assert make_plant().quality == Quality(substitution_days=make_plant().quality.substitution_days)
    table = monitor.laboratory(PLANT, MemorySource(readings_of([Day(10.0, 400.0, True)])), [RESULT])
    (row,) = table.rows()
    assert (row["online_mean"], row["difference"], row["tolerance"], row["agrees"]) == (400, 90, None, "")
