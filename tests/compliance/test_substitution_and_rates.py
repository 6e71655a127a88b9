"""Substituted loads and transmission rates against plain loops; neither ever touches a verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import isclose

import numpy as np
from compliance.months_world import DAY_MS, FIRST, ZONE, Day, days, evaluated, make_plant
from hypothesis import given, settings
from hypothesis import strategies as st

from plant_monitor.compliance.evaluate import evaluate
from plant_monitor.compliance.substitution import largest_before
from plant_monitor.plant import MarkedNumber, Plant, Quality, Represents, Series
from plant_monitor.readings import COMMUNICATION_LOST, NORMAL, Readings
from plant_monitor.windows import day_start_ms, local_windows


@given(
    st.lists(st.one_of(st.none(), st.sampled_from([0.0, 1.0, 2.0, 2.0, 3.0])), max_size=40),
    st.sets(st.integers(0, 39)),
    st.integers(1, 8),
)
def test_the_largest_of_the_last_loads(loads: list[float | None], wanted: set[int], count: int) -> None:
    asked = sorted(i for i in wanted if i < len(loads))
    array = np.array([np.nan if x is None else x for x in loads], dtype=np.float64)
    chosen, basis = largest_before(array, np.array(asked, dtype=np.int64), count)
    for day, at, n in zip(asked, chosen.tolist(), basis.tolist(), strict=True):
        before = [(i, x) for i, x in enumerate(loads[:day]) if x is not None][-count:]
        assert n == len(before)
        assert at == (max(before, key=lambda one: (one[1], one[0]))[0] if before else -1)


@settings(max_examples=40, deadline=None)
@given(days, st.integers(1, 40))
def test_days_that_lack_a_mean_get_a_load_beside_and_no_other_verdict(sequence: list[Day], count: int) -> None:
    rule = Quality(substitution_days=MarkedNumber(count, "M"))
    result = evaluated(sequence, make_plant(quality=rule))
    rows = {r["date"]: r for r in result.substituted.rows()}
    seen: list[float] = []
    for i, day in enumerate(sequence):
        date = FIRST + timedelta(days=i)
        row = rows.pop(date.isoformat(), None)
        assert (row is not None) == (day.due and not day.effective)
        if row is not None:
            assert row["basis_days"] == min(len(seen), count) and row["mark"] == "M"
            want = max(seen[-count:], default=None)
            got = row["substituted_load_kg"]
            assert got == want if want is None else isclose(got, want, rel_tol=1e-12)
        if day.effective:
            assert day.flow is not None
            hours = (day_start_ms(date + timedelta(days=1), ZONE) - day_start_ms(date, ZONE)) / 3_600_000
            seen.append(day.flow * hours * day.cod / 1000)
    assert not rows
    without = evaluated(sequence, make_plant(quality=Quality()))
    assert len(without.substituted) == 0
    for name in ("hourly", "daily", "monthly", "exceedances", "findings"):
        assert repr(list(getattr(result, name).rows())) == repr(list(getattr(without, name).rows()))


def rates(plant: Plant, readings: Readings, count: int) -> dict[str, dict[str, object]]:
    windows = local_windows(FIRST, FIRST + timedelta(days=count - 1), ZONE)
    table = evaluate(plant, readings, windows, rates=True).rates
    return {f"{r['parameter']} {r['month']}": r for r in table.rows()}


marks = st.sampled_from([NORMAL] * 5 + [ord("D"), COMMUNICATION_LOST])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-2, 60), st.integers(0, 59), st.sampled_from([NORMAL] * 5 + [ord("D"), COMMUNICATION_LOST])
        ),
        max_size=150,
    ),
    st.sampled_from(list(Represents)),
)
def test_readings_that_came_against_a_plain_loop(arrivals: list[tuple[int, int, int]], represents: Represents) -> None:
    """COD every 2 h over two days, at a point that always discharges: 12 a day are due."""
    plant = make_plant(quality=Quality(required_rate=MarkedNumber(0.9, "1")))
    cod = Series("out", "cod_cr", "mg/L", DAY_MS // 12, represents)
    point = replace(plant.points[0], series=(plant.points[0].series[0], cod))
    plant = replace(plant, points=(point,))
    start = day_start_ms(FIRST, ZONE)
    flow = Readings.of([start, start + DAY_MS], 0, 10.0)
    instants = {start + hour * 3_600_000 + minute * 60_000: mark for hour, minute, mark in arrivals}  # later ones win
    times = list(instants)
    row = rates(plant, Readings.concat([flow, Readings.of(times, 1, 100.0, list(instants.values()))]), 2)[
        "cod_cr 2026-09"
    ]
    received = valid = 0
    for day in range(2):
        first = start + day * DAY_MS
        own = [
            mark
            for time, mark in instants.items()
            if (first < time <= first + DAY_MS if represents is Represents.BEFORE else first <= time < first + DAY_MS)
        ]
        came = min(12, sum(mark != COMMUNICATION_LOST for mark in own))
        received += came
        valid += min(came, sum(mark == NORMAL for mark in own))
    assert (row["expected"], row["received"], row["valid"]) == (24, received, valid)
    assert row["reached"] == ("yes" if valid >= 0.9 * 24 else "no")
    assert row["effective_rate"] == valid / 24


def test_rates_are_counted_only_when_asked_for() -> None:
    assert len(evaluated([Day(10.0, 1.0, True)], make_plant()).rates) == 0


def test_what_is_not_due_is_not_missed() -> None:
    """Nothing is discharged on the second day: the analyser owes nothing, the flow meter still does."""
    plant = make_plant(quality=Quality(required_rate=MarkedNumber(0.9, "1")))
    start = day_start_ms(FIRST, ZONE)
    readings = Readings.concat([Readings.of([start, start + DAY_MS], 0, [10.0, 0.0]), Readings.of([start], 1, 100.0)])
    found = rates(plant, readings, 2)
    assert [found["cod_cr 2026-09"][k] for k in ("expected", "received", "effective_rate")] == [1, 1, 1]
    assert [found["flow 2026-09"][k] for k in ("expected", "received")] == [2, 2]


def test_a_month_in_which_nothing_is_due_has_no_rate() -> None:
    plant = make_plant(quality=Quality(required_rate=MarkedNumber(0.9, "1")))
    start = day_start_ms(FIRST, ZONE)
    row = rates(plant, Readings.of([start], 0, 0.0), 1)["cod_cr 2026-09"]
    assert [row[k] for k in ("expected", "transmission_rate", "validity_rate", "effective_rate", "reached")] == [
        0, None, None, None, "",
    ]  # fmt: skip
