"""The makers' water: amounts, rhythm, strength."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_field import HOUR, at, paper_example

from plant_monitor.plant import Plant, Point
from simulators.slots import SLOT_MS, slots_of_days
from simulators.water import BRINE, Discharge, Shock, discharge, profile_of


@pytest.fixture(scope="module")
def plant() -> Plant:
    return paper_example()


def year_of(plant: Plant, member: str, seed: int = 1) -> Discharge:
    point = next(p for p in plant.outfalls if p.member == member)
    return over(plant, point, date(2026, 1, 1), date(2026, 12, 31), seed)


def over(plant: Plant, point: Point, first: date, last: date, seed: int) -> Discharge:
    return discharge(seed, point.id, profile_of(plant, point), slots_of_days(first, last, plant.zone))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shennong_sends_about_100_m3_a_day(plant: Plant, seed: int) -> None:
    assert year_of(plant, "shennong", seed).volume_m3.sum() / 365 == pytest.approx(100, rel=0.2)


def test_the_plant_has_slack_most_of_the_year_and_is_full_in_the_pickling_season(plant: Plant) -> None:
    days = sum(year_of(plant, m.id).volume_m3.reshape(365, 144).sum(axis=1) for m in plant.members)
    assert isinstance(days, np.ndarray)
    assert 450 < days.mean() < 800  # capacity 1200
    assert 1000 < days.max() < 1500
    april, february = days[90:120].mean(), days[31:59].mean()
    assert april > 1.5 * february
    assert 90 <= np.convolve(days, np.ones(28) / 28, "valid").argmax() + 14 <= 120  # the busiest weeks are in April


def test_days_have_shifts_and_weeks_have_sundays(plant: Plant) -> None:
    water = year_of(plant, "longqiao")
    slots = slots_of_days(date(2026, 1, 1), date(2026, 12, 31), plant.zone)
    night = (slots.hour >= 22) | (slots.hour < 7)
    assert water.volume_m3[night].sum() == 0
    week = [water.volume_m3[slots.weekday == d].sum() for d in range(7)]
    assert week[6] < 0.6 * min(week[:5])
    # Keqiao sells to tourists and works at weekends.
    tourism = year_of(plant, "keqiao").volume_m3
    assert tourism[slots.weekday == 5].sum() > 0.9 * tourism[slots.weekday == 2].sum()


def test_pulses_lie_within_their_slots_and_last_whole_seconds(plant: Plant) -> None:
    water = year_of(plant, "tianma")
    assert (water.pump_from_s >= 0).all() and (water.pump_from_s + water.pump_for_s <= SLOT_MS / 1000).all()
    assert (water.pump_for_s == np.rint(water.pump_for_s)).all()
    runs = water.pump_for_s[water.pump_for_s > 0]
    assert runs.min() >= 15 and 100 < np.median(runs) < 500


def test_water_is_as_strong_as_pickle_wastewater_and_brine_makes_it_sour(plant: Plant) -> None:
    for member in plant.members:
        water = year_of(plant, member.id)
        volume = water.volume_m3
        cod, ammonia, nitrogen, phosphorus, _, chloride = np.average(water.concentration, axis=0, weights=volume)
        assert 1500 <= cod <= 5000 and 30 <= ammonia <= 150 and 60 <= nitrogen <= 250, member.id
        assert 10 <= phosphorus <= 50 and 1400 <= chloride <= 12_000, member.id
        assert water.ph.min() >= 4.5 and water.ph.max() <= 7.5
        dumps = water.brine_share > 0.2
        assert dumps.any() and not dumps[volume == 0].any()
        assert water.ph[dumps].max() < water.ph[~dumps].mean() - 1
        assert water.concentration[dumps, 0].min() > 2.5 * cod


def test_a_day_is_the_same_however_it_is_asked_for(plant: Plant) -> None:
    point = plant.outfalls[0]
    whole = over(plant, point, date(2026, 4, 1), date(2026, 4, 10), 7)
    alone = over(plant, point, date(2026, 4, 6), date(2026, 4, 6), 7)
    for name in Discharge.__slots__:
        np.testing.assert_array_equal(getattr(whole, name)[5 * 144 : 6 * 144], getattr(alone, name))
    other = over(plant, point, date(2026, 4, 6), date(2026, 4, 6), 8)
    assert not np.array_equal(alone.pump_for_s, other.pump_for_s)


@given(hour=st.floats(0, 20), length=st.floats(0.2, 30), volume=st.floats(1, 500))
def test_a_scripted_dump_adds_its_volume_and_its_salt(hour: float, length: float, volume: float) -> None:
    plant = paper_example()
    point = plant.outfalls[1]
    slots = slots_of_days(date(2026, 7, 1), date(2026, 7, 3), plant.zone)
    start = at(plant, date(2026, 7, 1), hour)
    shock = Shock(point.id, start, start + round(length * HOUR), volume)
    quiet = discharge(1, point.id, profile_of(plant, point), slots)
    loud = discharge(1, point.id, profile_of(plant, point), slots, [shock])
    assert loud.volume_m3.sum() - quiet.volume_m3.sum() == pytest.approx(volume, rel=1e-9)
    salt = [(d.volume_m3 * d.concentration[:, 5]).sum() for d in (quiet, loud)]
    assert salt[1] - salt[0] == pytest.approx(volume * BRINE.chloride, rel=1e-9)
    np.testing.assert_array_equal(loud.pump_for_s, quiet.pump_for_s)


def test_a_day_of_summer_time_has_its_own_number_of_slots() -> None:
    from zoneinfo import ZoneInfo

    slots = slots_of_days(date(2026, 3, 28), date(2026, 3, 30), ZoneInfo("Europe/Berlin"))
    assert np.bincount(slots.day_number - slots.day_number[0]).tolist() == [144, 138, 144]
    assert (np.diff(slots.number) == 1).all()
