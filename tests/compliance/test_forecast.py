"""The seven-day forecast: what it promises of any history, and that it earns its place on real flows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.forecast import DailyFlow, manresa, memphis, naive, ours, scores
from plant_monitor.compliance.forecast import DAYS_NEEDED, DAYS_USED, HORIZONS, Forecast, forecast
from plant_monitor.readings import FloatArray

CHANCES = (0.01, 0.1, 0.5, 0.9, 0.99)
DAYS = st.floats(0, 1e6).map(lambda x: round(x, 3))
HISTORIES = st.lists(DAYS | st.just(float("nan")), min_size=DAYS_NEEDED, max_size=90).map(np.array)


def forecast_of(history: FloatArray, weekday: int = 0) -> Forecast:
    told = forecast(history, weekday)
    assert told is not None
    return told


def known(history: FloatArray) -> bool:
    return int(np.isfinite(history).sum()) >= DAYS_NEEDED


def noisy(days: int, seed: int = 1, spread: float = 0.1) -> FloatArray:
    week = np.array([1.2, 1.1, 1.0, 1.0, 0.9, 0.5, 0.4])
    return np.asarray(900 * week[np.arange(days) % 7] * np.exp(spread * np.random.default_rng(seed).normal(size=days)))


@settings(max_examples=60, deadline=None)
@given(HISTORIES, st.integers(0, 6))
def test_quantiles_are_in_order_and_no_volume_is_negative(history: FloatArray, weekday: int) -> None:
    told = forecast(history, weekday)
    if not known(history):
        assert told is None
        return
    assert told is not None
    quantiles = np.array([told.quantile(chance) for chance in CHANCES])
    assert quantiles.shape == (len(CHANCES), HORIZONS)
    assert np.isfinite(quantiles).all()
    assert (quantiles >= 0).all()
    assert (np.diff(quantiles, axis=0) >= 0).all()


@settings(max_examples=40, deadline=None)
@given(HISTORIES.filter(known), st.floats(0.001, 1000), st.integers(0, 6))
def test_scaling_the_flow_scales_the_forecast(history: FloatArray, factor: float, weekday: int) -> None:
    one, other = forecast_of(history, weekday), forecast_of(history * factor, weekday)
    for chance in CHANCES:
        size = np.nanmax(history) * factor
        np.testing.assert_allclose(other.quantile(chance), one.quantile(chance) * factor, rtol=1e-6, atol=1e-6 * size)


@settings(max_examples=60, deadline=None)
@given(HISTORIES.filter(known), st.lists(st.floats(0, 2e6), min_size=2, max_size=6))
def test_the_chance_of_passing_falls_with_the_volume(history: FloatArray, volumes: list[float]) -> None:
    told = forecast_of(history)
    chances = np.array([told.passing(volume) for volume in sorted(volumes)])
    assert ((chances >= 0) & (chances <= 1)).all()
    assert (np.diff(chances, axis=0) <= 1e-12).all()
    assert (told.passing(-1.0) == 1).all()


@pytest.mark.parametrize("chance", [0.1, 0.25, 0.5, 0.9])
def test_a_quantile_is_passed_with_the_chance_that_is_left(chance: float) -> None:
    told = forecast_of(noisy(120))
    passed = [told.passing(volume)[h] for h, volume in enumerate(told.quantile(chance))]
    np.testing.assert_allclose(passed, 1 - chance, atol=1e-9)


def test_beyond_what_was_seen_the_chance_is_small_and_not_nothing() -> None:
    told = forecast_of(noisy(120))
    assert ((told.passing(3000.0) > 0) & (told.passing(3000.0) < 0.01)).all()


def test_a_regular_week_is_told_as_it_is() -> None:
    history = np.tile([1000.0, 900.0, 800.0, 700.0, 600.0, 0.0, 0.0], 10)
    told = forecast_of(history)  # from the Monday after
    np.testing.assert_allclose(told.quantile(0.5), history[:7], atol=60)
    other_days = forecast_of(history[:-3], 0)  # the last day known is a Thursday
    np.testing.assert_allclose(other_days.quantile(0.5), np.roll(history[:7], 3), atol=60)


def test_only_the_last_days_count() -> None:
    history = noisy(DAYS_USED + 7 * 10)
    late = forecast_of(history[-DAYS_USED:], (history.size - DAYS_USED) % 7)
    np.testing.assert_array_equal(forecast_of(history, 0).quantile(0.9), late.quantile(0.9))


@pytest.mark.parametrize(
    "history",
    [
        np.empty(0),
        np.full(60, np.nan),
        noisy(6),
        noisy(DAYS_NEEDED - 1),
        np.where(np.arange(54) % 2 == 0, noisy(54), np.nan),  # every other day: 27 known
    ],
)
def test_too_few_known_days_are_not_enough(history: FloatArray) -> None:
    assert forecast(history, 3) is None


@pytest.mark.parametrize("history", [np.zeros(40), np.full(40, 500.0), np.where(np.arange(40) < 20, 500.0, np.nan)])
def test_histories_without_news(history: FloatArray) -> None:
    told = forecast(history, 0)
    if int(np.isfinite(history).sum()) < DAYS_NEEDED:
        assert told is None
        return
    assert told is not None
    np.testing.assert_allclose(told.quantile(0.9), history[0])
    assert (told.passing(1200.0) == 0).all()


@pytest.mark.parametrize("flow", [memphis(), manresa()], ids=lambda flow: flow.name)
def test_better_than_last_week_on_real_flows(flow: DailyFlow) -> None:
    """Every eleventh evening, so that all weekdays take part; benchmarks/forecast.py takes every one."""
    us, them = scores(flow.m3, 0, flow.m3.size, ours(flow, every=11), naive(flow.m3))
    assert us.count > 200
    assert us.loss < 0.9 * them.loss
    assert 0.75 <= us.coverage <= 0.85
