"""From the outfalls to the effluent: nothing is lost, and the works behave."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_field import DAY, HOUR, at, paper_example

from simulators.catchment import Catchment
from simulators.sludge import Works
from simulators.water import SUBSTANCES, Shock

EPOCH = date(2026, 9, 1)


def balance(catchment: Catchment, at_first: np.ndarray) -> None:
    """What the outfalls sent (and leaked in) = went out + was removed + is in sewer, tank and basin."""
    ledger = catchment.works.ledger
    source = catchment.sent()
    source[0] += catchment.leaked_in_m3()
    end = ledger.went_out + ledger.removed + catchment.works.stored() + catchment.in_sewer()
    np.testing.assert_allclose(source + at_first, end, rtol=1e-9, err_msg=f"m3 and g of {SUBSTANCES}")


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000), days=st.integers(1, 12), brine=st.floats(0, 400))
def test_mass_from_the_outfalls_is_in_the_effluent_removed_or_still_there(seed: int, days: int, brine: float) -> None:
    plant = paper_example()
    start = at(plant, EPOCH, 30)
    catchment = Catchment(plant, seed, EPOCH, [Shock("tianma-outfall", start, start + 5 * HOUR, brine)])
    at_first = catchment.works.stored()
    catchment.streams(at(plant, EPOCH + timedelta(days=days)))
    balance(catchment, at_first)
    ledger = catchment.works.ledger
    assert (ledger.came_in > 0).all()
    # Salt passes; most of the rest does not.
    assert ledger.removed[1 + SUBSTANCES.index("chloride")] < 0.1 * ledger.came_in[1 + SUBSTANCES.index("chloride")]


def test_a_year_balances_and_meets_its_limits_unless_brine_is_dumped() -> None:
    plant = paper_example()
    catchment = Catchment(plant, 1, date(2026, 1, 1))
    at_first = catchment.works.stored()
    effluent = catchment.streams(at(plant, date(2027, 1, 1)) - 1)["plant-effluent"]
    balance(catchment, at_first)
    edges = at(plant, date(2026, 1, 3)) + DAY * np.arange(364)
    for parameter, limit in {"cod_cr": 500, "ammonia_n": 35, "total_p": 8, "ss": 400}.items():
        assert effluent.mean(parameter, edges[:-1], edges[1:]).max() < limit, parameter
    removed = 1 - catchment.works.ledger.went_out[1] / catchment.works.ledger.came_in[1]
    assert 0.8 < removed < 0.98
    assert catchment.leaked_in_m3() == pytest.approx(0.012 * catchment.sent()[0], rel=0.1)


@pytest.mark.parametrize("month", [2, 4, 6, 8, 10, 12])
def test_emptied_brine_pits_push_the_effluent_over_its_cod_limit(month: int) -> None:
    plant = paper_example()
    day = date(2026, month, 15)
    start = at(plant, day, -6)
    catchment = Catchment(plant, 1, day - timedelta(days=20), [Shock("longqiao-outfall", start, start + 8 * HOUR, 150)])
    effluent = catchment.streams(at(plant, day, 24 * 12))["plant-effluent"]
    edges = at(plant, day) + DAY * np.arange(12)
    cod = effluent.mean("cod_cr", edges[:-1], edges[1:])
    ammonia = effluent.mean("ammonia_n", edges[:-1], edges[1:])
    assert cod.max() > 500 and cod[-1] < 300  # and it recovers
    assert ammonia.max() > 3 * ammonia[-1]


def test_the_effluent_is_the_inflow_without_its_pulses() -> None:
    plant = paper_example()
    streams = Catchment(plant, 1, EPOCH).streams(at(plant, EPOCH, 24 * 30))
    edges = at(plant, EPOCH) + DAY * np.array([5, 29])
    inlet, effluent = (np.diff(streams[p].volume(edges))[0] for p in ("plant-inlet", "plant-effluent"))
    assert effluent == pytest.approx(inlet, rel=0.08)
    times = np.arange(edges[0], edges[1], 600_000)
    assert streams["plant-effluent"].flow(times).std() < 0.4 * streams["plant-inlet"].flow(times).std()


def test_it_is_the_same_water_day_by_day_as_at_once() -> None:
    plant = paper_example()
    at_once, by_days = Catchment(plant, 3, EPOCH), Catchment(plant, 3, EPOCH)
    for k in range(10):
        by_days.streams(at(plant, EPOCH, 24 * k + 7))
    end = at(plant, EPOCH, 24 * 10)
    times = np.arange(at(plant, EPOCH), end, 60_000)
    whole, parts = at_once.streams(end), by_days.streams(end)
    for point in plant.point_by_id:
        np.testing.assert_array_equal(whole[point].volume(times), parts[point].volume(times))
        for parameter, values in whole[point].quality.items():
            n = min(values.size, parts[point].quality[parameter].size)
            np.testing.assert_array_equal(values[:n], parts[point].quality[parameter][:n])


def test_sludge_that_knows_the_salt_keeps_working_and_a_sudden_change_stops_it() -> None:
    steady, sudden = Works(1200.0), Works(1200.0)
    volume = np.full(144 * 60, 600 / 144)
    mass = volume[:, None] * np.array([2500.0, 50.0, 120.0, 20.0, 400.0, 3500.0])
    warm = np.full(volume.size, 20.0)
    calm = steady.run(volume, mass, warm)
    mass[144 * 55 :, 5] *= 4
    shaken = sudden.run(volume, mass, warm)
    ammonia = 2  # column of the effluent's NH3-N
    assert calm[-1, ammonia] < 3
    assert shaken[-1, ammonia] > 3 * calm[-1, ammonia]
    assert (calm >= 0).all() and (shaken >= 0).all()


def test_no_water_at_all_leaves_the_works_standing() -> None:
    works = Works(1200.0)
    n = 144 * 30
    rows = works.run(np.zeros(n), np.zeros((n, len(SUBSTANCES))), np.full(n, 15.0))
    assert np.isfinite(rows).all() and rows[-1, 0] < rows[0, 0]
