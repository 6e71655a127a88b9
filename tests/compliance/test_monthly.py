"""Monthly means against a plain loop over days, and what an evaluation of a part may say."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from fractions import Fraction
from math import isclose
from typing import Any

from compliance.months_world import FIRST, UPPER, ZONE, Day, days, evaluated, make_plant
from hypothesis import given, settings

from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.plant import Limit, Statistic
from plant_monitor.windows import day_start_ms

PLANT = make_plant()


def cod(evaluation: Evaluation, table: str = "monthly") -> list[dict[str, Any]]:
    return [r for r in getattr(evaluation, table).rows() if r["parameter"] == "cod_cr"]


def by_hand(sequence: list[Day]) -> list[dict[str, Any]]:
    """The rule, a day at a time."""
    months: dict[str, list[Day]] = {}
    for i, day in enumerate(sequence):
        months.setdefault(f"{FIRST + timedelta(days=i):%Y-%m}", []).append(day)
    rows = []
    for name, own in months.items():
        of_month = monthrange(int(name[:4]), int(name[5:]))[1]
        good = [d for d in own if d.effective]
        mean = sum(Fraction(d.cod) for d in good) / len(good) if good else None
        if len(own) == of_month and not any(d.due for d in own):
            verdict = "no_discharge"
        elif 4 * len(good) < 3 * of_month:
            verdict = "insufficient_data"
        else:
            assert mean is not None
            verdict = "exceeded" if mean - Fraction(UPPER) > Fraction(UPPER) / 10**9 else "met"
        rows.append({"month": name, "value": mean, "effective_days": len(good), "days": of_month, "verdict": verdict})
    return rows


@settings(max_examples=60, deadline=None)
@given(days)
def test_months_equal_a_plain_loop(sequence: list[Day]) -> None:
    got = cod(evaluated(sequence, PLANT))
    want = by_hand(sequence)
    assert [r["month"] for r in got] == [r["month"] for r in want]
    for row, expected in zip(got, want, strict=True):
        value = expected.pop("value")
        assert {k: row[k] for k in expected} == expected
        assert (row["value"] is None) == (value is None)
        # A daily mean is (c · m³) ÷ m³: its last bits are those of two roundings, so a limit may be touched from either
        # side by 1e-12, far below the 1e-9 that counts.
        assert value is None or isclose(row["value"], value, rel_tol=1e-12)


@settings(max_examples=30, deadline=None)
@given(days)
def test_a_month_alone_has_the_bits_it_has_among_others(sequence: list[Day]) -> None:
    whole = {r["month"]: repr(r) for r in cod(evaluated(sequence, PLANT))}
    dates = [FIRST + timedelta(days=i) for i in range(len(sequence))]
    for month in sorted({(d.year, d.month) for d in dates}):
        places = [i for i, d in enumerate(dates) if (d.year, d.month) == month]
        (row,) = cod(evaluated(sequence, PLANT, first=places[0], last=places[-1]))
        assert repr(row) == whole[row["month"]]


@settings(max_examples=40, deadline=None)
@given(days)
def test_a_higher_value_never_turns_exceeded_into_met(sequence: list[Day]) -> None:
    before = {r["month"]: r["verdict"] for r in cod(evaluated(sequence, PLANT))}
    raised = [Day(d.flow, d.cod * 1.5 + 1, d.valid) for d in sequence]
    for row in cod(evaluated(raised, PLANT)):
        assert (before[row["month"]], row["verdict"]) != ("exceeded", "met")


def test_no_monthly_limit_is_in_the_tables_of_days_and_hours() -> None:
    result = evaluated([Day(10.0, 400.0, True)] * 45, PLANT)
    for table in ("hourly", "daily"):
        assert {(r["limit_set"], r["verdict"]) for r in cod(result, table)} == {("", "no_limit")}
    assert [(r["limit_set"], r["value"]) for r in cod(result)] == [("s", 400.0)] * 2


def test_live_a_month_makes_an_episode_once_it_is_over_and_seen_whole() -> None:
    """September 17th to the end of November; October is whole, September never is."""
    sequence = [Day(10.0, 400.0, True)] * 75
    start, end = (day_start_ms(date(2026, month, 1), ZONE) for month in (10, 11))
    december = day_start_ms(date(2026, 12, 1), ZONE)

    def months(until_ms: int | None, first: int = 0) -> list[tuple[int, int]]:
        found = evaluated(sequence, PLANT, first=first, until_ms=until_ms).episodes
        return [(e.start_ms, e.end_ms) for e in found]

    assert months(None) == [(start, december)], "a file: October and November, 14 days of September are too few"
    assert months(end - 1) == [], "October still runs"
    assert months(end) == [(start, end)]
    assert months(december, first=19) == [(end, december)], "October from the 6th on: 26 of 31 days, but not whole"
    assert months(None, first=19) == [(start, december)], "for a file they are enough"


def test_a_lower_limit_and_several_sets_in_units_of_their_own() -> None:
    plant = make_plant(
        Limit("cod_cr", Statistic.MONTHLY_MEAN, 0.35, None, "g/L"),
        Limit("cod_cr", Statistic.DAILY_MEAN, None, 500.0, "mg/L"),
        Limit("flow", Statistic.MONTHLY_MEAN, None, 2.0, "L/s"),
    )
    sequence = [Day(9.0, 300.0, True)] * 45
    result = evaluated(sequence, plant)
    october = [r for r in result.monthly.rows() if r["month"] == "2026-10"]
    assert [(r["parameter"], r["value"], r["lower"], r["upper"], r["ratio"], r["verdict"]) for r in october] == [
        ("cod_cr", 0.3, 0.35, None, None, "exceeded"),
        ("flow", 2.5, None, 2.0, 1.25, "exceeded"),
    ]
    assert [(e.parameter, e.peak, e.limit, e.unit) for e in result.episodes] == [
        ("cod_cr", 0.3, 0.35, "g/L"),
        ("flow", 2.5, 2.0, "L/s"),
    ]


def test_an_unverified_number_that_decides_is_told() -> None:
    plant = make_plant(Limit("cod_cr", Statistic.MONTHLY_MEAN, None, 500.0, "mg/L", verified=False))
    found = list(evaluated([Day(10.0, 400.0, True)] * 45, plant).findings.rows())
    assert [(f["code"], f["time"]) for f in found] == [("unverified_limit", "2026-10-01T00:00:00+02:00")]
