"""Means and loads of members, by design §5 *Strength and load*."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from allocation.small_plant import (
    DAY,
    END,
    HOUR,
    START,
    analyser,
    flow,
    member,
    outfall,
    plant,
    readings,
    steady,
    totaliser,
)

from plant_monitor.allocation.loads import EQUIVALENT_KG, equivalents, flow_curves, member_loads
from plant_monitor.allocation.volumes import outfall_volumes

A, B = "a-out", "b-out"


def loads(of, rows, parameter="cod_cr"):
    """The loads of all members in October."""
    tidy = readings(of, rows).by_time()
    by_point = {}
    for i, series in enumerate(of.series):
        by_point.setdefault(series.point, {})[series.parameter] = tidy.of_series(i)
    volumes = outfall_volumes(of, by_point, START, END, 31)
    return member_loads(of, by_point, flow_curves(of, by_point, START, END), volumes, parameter)


def test_the_mean_is_flow_weighted_over_valid_time():
    # 1 m³/h at 100 mg/L, then 3 m³/h at 300 mg/L, half the month each: (100 + 900) / 4 = 250.
    middle = START + 15 * DAY + 12 * HOUR
    of = plant([member("a")], [outfall("a", flow(A), analyser(A))])
    rows = [*steady(A, "flow", 1.0, START, middle), *steady(A, "flow", 3.0, middle)]
    rows += [*steady(A, "cod_cr", 100.0, START, middle), *steady(A, "cod_cr", 300.0, middle)]
    load = loads(of, rows)["a"]
    assert load.mean_mg_l == Decimal("250.000000")
    assert load.grams == 250 * 744 * 2  # 250 g/m³ × 1488 m³


def test_a_point_that_does_not_discharge_weighs_nothing():
    of = plant([member("a")], [outfall("a", flow(A), analyser(A))])
    rows = [*steady(A, "flow", 2.0, START, START + 5 * DAY), *steady(A, "flow", 0.05, START + 5 * DAY)]
    rows += [*steady(A, "cod_cr", 100.0, START, START + 5 * DAY), *steady(A, "cod_cr", 9000.0, START + 5 * DAY)]
    load = loads(of, rows)["a"]
    assert load.mean_mg_l == Decimal(100)
    assert load.points[0].valid_share == 1


def test_several_outfalls_sum_loads_over_volumes():
    of = plant(
        [member("a")],
        [outfall("a", flow(A), analyser(A)), outfall("a", flow(B), analyser(B)), outfall("a", flow("c"))],
    )
    rows = [*steady(A, "flow", 1.0), *steady(B, "flow", 3.0), *steady("c", "flow", 4.0)]
    rows += [*steady(A, "cod_cr", 400.0), *steady(B, "cod_cr", 200.0)]
    load = loads(of, rows)["a"]
    assert load.mean_mg_l == Decimal(250)
    assert load.grams == 250 * 8 * 744  # the third does not measure COD, but its litres count
    assert [p.point for p in load.points] == [A, B]


def test_units_of_mass_per_volume_are_converted():
    of = plant([member("a")], [outfall("a", flow(A, unit="L/s"), analyser(A, unit="g/L"))])
    rows = [*steady(A, "flow", 0.5), *steady(A, "cod_cr", 1.25)]
    load = loads(of, rows)["a"]
    assert load.mean_mg_l == Decimal(1250)
    assert load.grams == round(1250 * 1.8 * 744)


def test_grams_come_from_the_unrounded_mean():
    # COD 1000 mg/L for a third of the time, else 0: mean 333.333…; three million m³ by the dial: 10⁹ g.
    meter = totaliser(A, max_rate_m3_h=Decimal(9999), rollover=Decimal(10**9))
    of = plant([member("a")], [outfall("a", flow(A), meter, analyser(A))])
    rows = [*steady(A, "flow", 1.0), (A, "volume", START, 0.0), (A, "volume", END, 3_000_000.0)]
    rows += [(A, "cod_cr", t, 1000.0 if (t - START) // HOUR % 3 == 0 else 0.0) for t in range(START, END, HOUR)]
    load = loads(of, rows)["a"]
    assert load.mean_mg_l == Decimal("333.333333")
    assert load.grams == 1_000_000_000
    assert round(333.333333 * 3_000_000) == 999_999_999  # what the rounded mean would give


def test_grams_are_never_negative():
    of = plant([member("a")], [outfall("a", flow(A), analyser(A))])
    load = loads(of, [*steady(A, "flow", 1.0), *steady(A, "cod_cr", -3.0)])["a"]
    assert (load.mean_mg_l, load.grams) == (Decimal(-3), 0)


def test_no_valid_time_is_no_mean():
    of = plant([member("a"), member("b")], [outfall("a", flow(A), analyser(A)), outfall("b", flow(B))])
    bad = [(A, "cod_cr", t, 100.0, "C") for t in range(START, END, HOUR)]
    found = loads(of, [*steady(A, "flow", 1.0), *bad, *steady(B, "flow", 1.0)])
    assert [(found[m].mean_mg_l, found[m].grams) for m in "ab"] == [(None, 0), (None, 0)]
    assert found["a"].points[0].valid_share == 0
    assert found["b"].points == ()


def test_valid_share_is_of_due_time():
    # 31 days: 10 valid, 11 marked M, 10 without discharge.
    of = plant([member("a")], [outfall("a", flow(A), analyser(A))])
    rows = [*steady(A, "flow", 1.0, START, START + 21 * DAY), *steady(A, "flow", 0.0, START + 21 * DAY)]
    rows += steady(A, "cod_cr", 100.0, START, START + 10 * DAY)
    rows += [(A, "cod_cr", t, 1.0, "M") for t in range(START + 10 * DAY, END, HOUR)]
    assert loads(of, rows)["a"].points[0].valid_share == Fraction(10, 21)


def test_an_estimated_outfall_without_its_analyser_takes_no_part():
    of = plant([member("a", quota="10")], [outfall("a", flow(A), analyser(A)), outfall("a", analyser(B))])
    rows = [*steady(A, "flow", 1.0), *steady(A, "cod_cr", 100.0)]
    load = loads(of, rows)["a"]
    assert load.mean_mg_l == Decimal(100)
    assert load.grams == 100 * (744 + 310)


def test_equivalents_count_the_strongest_oxygen_demand_once():
    # kg: COD 10 → 10; BOD5 6 → 12; TOC 5 → 10.204…; NH3-N 0.8 → 1; TP 1 → 4; SS 8 → 2: 12 + 7 = 19
    grams = {"cod_cr": 10_000, "bod5": 6_000, "toc": 5_000, "ammonia_n": 800, "total_p": 1_000, "ss": 8_000}
    assert equivalents(grams) == 19


@pytest.mark.parametrize(("parameter", "kg"), sorted(EQUIVALENT_KG.items()))
def test_one_equivalent_of_each(parameter, kg):
    assert equivalents({parameter: int(kg * 1000)}) == 1


def test_mean_is_the_same_in_any_order_of_outfalls():
    rng = np.random.default_rng(4)
    points = [outfall("a", flow(f"p{i}"), analyser(f"p{i}")) for i in range(4)]
    rows = []
    for i in range(4):
        for t in range(START, END, 6 * HOUR):
            rows += [(f"p{i}", "flow", t, float(rng.random() * 10)), (f"p{i}", "cod_cr", t, float(rng.random() * 900))]
    forward, backward = plant([member("a")], points), plant([member("a")], points[::-1])
    first, second = loads(forward, rows)["a"], loads(backward, rows)["a"]
    assert (first.mean_mg_l, first.grams) == (second.mean_mg_l, second.grams)
