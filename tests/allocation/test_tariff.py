"""Tariff lines: quantity × price, rounded once to fen."""

from decimal import Decimal

import pytest
from allocation.small_plant import member, plant

from plant_monitor.allocation.tariff import is_reserved, steps_above, strength_items, tariff_lines
from plant_monitor.plant import StrengthStep, Tariff


def rule(partial_step="ceil", above="300", step="100", price="0.30", parameter="cod_cr"):
    return StrengthStep(parameter, Decimal(above), Decimal(step), Decimal(price), partial_step)


def lines(tariff, litres, means=None, months=1):
    of = plant([member(m) for m in litres], [], tariff)
    return {line.item: line for line in tariff_lines(of, months, litres, means or {})}


@pytest.mark.parametrize(
    ("mean", "partial_step", "steps"),
    [
        ("540", "ceil", "3"),
        ("540", "floor", "2"),
        ("540", "proportional", "2.4"),
        ("500", "ceil", "2"),
        ("500.000001", "ceil", "3"),
        ("499.999999", "floor", "1"),
        ("300", "ceil", "0"),
        ("300.000001", "ceil", "1"),
        ("12", "ceil", "0"),
        ("12", "proportional", "0"),
        ("-5", "floor", "0"),
    ],
)
def test_steps(mean, partial_step, steps):
    assert steps_above(Decimal(mean), rule(partial_step)) == Decimal(steps)


def test_steps_are_exact_decimals():
    # (6.1 − 6) / 0.1 is one step; in floats it is 0.99999999999999645.
    assert (6.1 - 6) / 0.1 < 1
    assert steps_above(Decimal("6.1"), rule("floor", above="6", step="0.1")) == 1


def test_volume_price_is_rounded_once_half_up():
    found = lines(Tariff(Decimal("0.333")), {"a": 15, "b": 14, "c": 1_000_000})["volume_price"]
    # 0.015 m³ × 0.333 = 0.004995 yuan = 0.4995 fen → 0; 3 m³-cents: 1000 m³ → 333.00
    assert found.amounts_fen == {"a": 0, "b": 0, "c": 33_300}
    assert lines(Tariff(Decimal("0.5")), {"a": 10})["volume_price"].amounts_fen == {"a": 1}  # 0.5 fen → 1


def test_fixed_part_by_months_with_zero_rows():
    found = lines(Tariff(None, (("a", Decimal("3000")),)), {"a": 0, "b": 5}, months=3)["fixed"]
    assert found.amounts_fen == {"a": 900_000, "b": 0}


def test_no_mean_no_surcharge():
    tariff = Tariff(strength_steps=(rule(),))
    found = lines(tariff, {"a": 10_000, "b": 10_000}, {"cod_cr": {"a": None, "b": Decimal("301")}})["strength:cod_cr"]
    assert found.amounts_fen == {"a": 0, "b": 300}
    assert (found.details["a"]["mean_mg_l"], found.details["b"]["steps"]) == ("", "1")


def test_lines_stand_in_their_order_and_a_second_rule_is_numbered():
    rules = (rule(), rule(parameter="ss"), rule("floor"), rule("proportional"))
    tariff = Tariff(Decimal(1), (("a", Decimal(1)),), rules)
    means = {"cod_cr": {"a": Decimal(310)}, "ss": {"a": Decimal(310)}}
    expected = ["volume_price", "fixed", "strength:cod_cr", "strength:ss", "strength:cod_cr:2", "strength:cod_cr:3"]
    assert list(lines(tariff, {"a": 1000}, means)) == expected
    assert strength_items(plant([member("a")], [], tariff)) == tuple(expected[2:])


def test_without_a_tariff_there_are_no_lines():
    assert lines(Tariff(), {"a": 1000}) == {}


@pytest.mark.parametrize(
    ("item", "reserved"),
    [
        ("volume_price", True),
        ("fixed", True),
        ("strength:cod_cr", True),
        ("strength:x:2", True),
        ("strength", False),
        ("power", False),
    ],
)
def test_names_of_tariff_lines_are_reserved(item, reserved):
    assert is_reserved(item, Tariff()) is reserved
