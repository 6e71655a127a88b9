"""Signs of a wrong sensor: each test on cases that a person would agree with, and laws that hold for any series."""

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from plant_monitor.compliance.suspicion import (
    HISTORY_DAYS,
    Signs,
    drifts,
    flat_lines,
    imbalances,
    jumps,
    outside,
    ratio_shifts,
    spikes,
)
from plant_monitor.windows import HOUR_MS, day_start_ms

RNG = np.random.default_rng(7)
NOISE = RNG.normal(0.0, 1.0, 1000)
HOURS = day_start_ms(date(2026, 1, 1), ZoneInfo("Asia/Shanghai")) + np.arange(1000) * HOUR_MS
NAN = np.nan


def stretches(signs: Signs) -> list[tuple[int, int]]:
    return list(zip(signs.first.tolist(), signs.last.tolist(), strict=True))


def test_noise_and_a_daily_course_are_not_suspect() -> None:
    value = 100 + 20 * np.sin(np.arange(1000) * 2 * np.pi / 24) + NOISE
    assert stretches(spikes(HOURS, value, sigmas=12)) == []
    assert stretches(jumps(HOURS, value, times=4)) == []
    assert stretches(flat_lines(HOURS, value, hours=3)) == []
    assert stretches(drifts(value[:200], sigmas=3)) == []


def test_a_line_is_flat_after_hours_and_not_where_nothing_flows() -> None:
    value = 100 + NOISE
    value[400:406] = value[400]
    (sign,) = stretches(flat_lines(HOURS, value, hours=3))
    assert sign == (400, 405)
    assert stretches(flat_lines(HOURS, value, hours=6)) == []  # from the first to the last: 5 h
    idle = np.zeros(1000, dtype=bool)
    idle[390:420] = True
    assert stretches(flat_lines(HOURS, value, hours=3, idle=idle)) == []


def test_a_coarse_display_has_to_stand_still_for_longer() -> None:
    coarse = np.repeat(np.arange(250) % 2, 4).astype(float)  # four readings of each value: nothing unusual
    assert stretches(flat_lines(HOURS, coarse, hours=3)) == []


def test_a_spike_comes_back_and_an_event_does_not() -> None:
    value = 100 + NOISE
    value[300] += 40
    value[500:502] -= 60
    value[700:703] += 60  # three readings: an event
    signs = spikes(HOURS, value, sigmas=12)
    assert stretches(signs) == [(300, 300), (500, 501)]
    assert signs.value[0] > signs.bound[0] and signs.value[1] < signs.bound[1]
    value[998] += 100
    value[999] += 100
    assert len(spikes(HOURS, value, sigmas=12)) == 2, "what has not come back yet is no spike"


def test_a_jump_stays_and_a_ramp_is_none() -> None:
    value = 100 + NOISE
    value[400:] += 30
    signs = jumps(HOURS, value, times=4)
    assert stretches(signs) == [(400, 400)]
    assert signs.value[0] == pytest.approx(130, abs=1.5)
    away = HOURS + np.where(np.arange(1000) >= 400, 40 * HOUR_MS, 0)
    assert stretches(jumps(away, value, times=4)) == [], "nobody saw whether it was one step"
    ramp = 100 + NOISE + np.clip((np.arange(1000) - 400) / 10, 0, 1) * 30
    assert stretches(jumps(HOURS, ramp, times=4)) == []


def test_a_slow_way_out_of_the_history_is_a_drift_and_a_single_day_is_none() -> None:
    days = 100 + NOISE[:120]
    days[90] += 50
    assert stretches(drifts(days, sigmas=3)) == []
    days[80:100] += np.linspace(0, 10, 20)
    days[100:] += 10
    (first, _), *_ = stretches(drifts(days, sigmas=3))
    assert 84 <= first < 100
    assert stretches(drifts(days[: HISTORY_DAYS - 1], sigmas=3)) == []


def test_out_of_range_is_told_by_runs_with_the_furthest_value() -> None:
    signs = outside(np.array([7.0, 15.0, 16.0, 7.0, -1.0, 14.0]), 0.0, 14.0)
    assert stretches(signs) == [(1, 2), (4, 4)]
    assert (signs.value.tolist(), signs.bound.tolist()) == ([16.0, -1.0], [14.0, 0.0])
    assert len(outside(np.array([1e9, -1e9]), None, None)) == 0


def test_two_ways_to_know_one_amount() -> None:
    signs = imbalances(np.array([100.0, 100.0, 79.0, NAN, 0.0]), np.array([81.0, 60.0, 100.0, 50.0, 0.0]), share=0.2)
    assert stretches(signs) == [(1, 2)]
    assert signs.bound[0] == pytest.approx(75)  # 60 / 0.8
    assert len(imbalances(np.array([100.0]), np.array([0.0]), share=1.0)) == 0


def test_a_ratio_that_leaves_its_history() -> None:
    salt = 1000 + 300 * np.sin(np.arange(60))
    other = salt / 2 * np.exp(NOISE[:60] * 0.01)
    assert len(ratio_shifts(salt, other, share=0.25)) == 0
    salt[50:53] *= 1.5
    signs = ratio_shifts(salt, other, share=0.25)
    assert stretches(signs) == [(50, 52)]
    assert signs.value[0] == pytest.approx(3.0, rel=0.05)


series = arrays.arrays(np.float64, st.integers(0, 300), elements=st.sampled_from([0.0, 1.0, 2.0, 3.5, 100.0, 250.0]))


@given(value=series)
def test_signs_lie_within_the_series_in_order_and_beyond_their_bound(value: np.ndarray) -> None:
    time = HOURS[0] + np.arange(value.size) * HOUR_MS
    flat, lone, level = flat_lines(time, value, hours=3), spikes(time, value, sigmas=12), jumps(time, value, times=4)
    for signs in (flat, lone, level, outside(value, 0.5, 99.0)):
        assert np.all(signs.first <= signs.last)
        assert np.all(signs.first[1:] > signs.last[:-1])
        assert len(signs) == 0 or (signs.first[0] >= 0 and signs.last[-1] < value.size)
        assert np.isfinite(signs.value).all()


@given(value=series, factor=st.sampled_from([0.25, 4.0]))
def test_the_unit_of_a_series_decides_nothing(value: np.ndarray, factor: float) -> None:
    for test in (
        lambda v: spikes(HOURS[: v.size], v, sigmas=12),
        lambda v: jumps(HOURS[: v.size], v, times=4),
        lambda v: drifts(v, sigmas=3),
    ):
        one, other = test(value), test(value * factor)
        assert stretches(one) == stretches(other)
        np.testing.assert_array_equal(one.value * factor, other.value)
