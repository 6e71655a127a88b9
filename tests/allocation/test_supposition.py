"""A bill at another volume or strength: the bill's own code, so what is supposed and then measured costs the same."""

from dataclasses import replace
from decimal import Decimal

import pytest
from allocation.small_plant import (
    END,
    HOUR,
    OCTOBER,
    START,
    analyser,
    cost,
    flow,
    member,
    outfall,
    plant,
    readings,
    steady,
    totaliser,
)
from allocation.test_bill_laws import cases
from hypothesis import given, settings
from hypothesis import strategies as st

from plant_monitor.allocation.statement import bill, settle
from plant_monitor.allocation.supposition import Supposition, supposed, supposition
from plant_monitor.errors import InputError
from plant_monitor.plant import Point, Role, StrengthStep, Tariff

RULE = StrengthStep("cod_cr", Decimal(300), Decimal(100), Decimal("0.30"))
COSTS = [cost("power", "volume", "1000.01"), cost("lab", "load:cod_cr", "77.70"), cost("rent", "equal", "10")]


def metered(**tariff):
    points = [
        outfall("a", flow("pa"), totaliser("pa"), analyser("pa")),
        outfall("b", flow("pb"), totaliser("pb"), analyser("pb")),
        Point("in", Role.INLET, (totaliser("in"),)),
    ]
    prices = Tariff(Decimal("4.50"), (), (RULE,), "proportional", **tariff)
    return plant([member("a", "0.5"), member("b", "0.5")], points, prices, inlet="in")


def measured(a_m3=400.0, a_cod=350.0, inlet=800.0):
    """Two members; what is measured of ``a`` is chosen."""
    rows = []
    for point, m3, cod in (("pa", a_m3, a_cod), ("pb", 300.0, 200.0)):
        rows += [(point, "volume", START, 5.0), (point, "volume", END, 5.0 + m3)]
        rows += steady(point, "flow", 1.0) + steady(point, "cod_cr", cod, step=HOUR)
    return [*rows, ("in", "volume", START, 5.0), ("in", "volume", END, 5.0 + inlet)]


def paid(statement):
    return [(i.item, i.amounts_fen, i.quantities) for i in statement.items]


@pytest.mark.parametrize(
    ("wish", "then"),
    [
        ({}, {}),
        ({"litres": 250_000}, {"a_m3": 250.0, "inlet": 650.0}),
        ({"litres": 0}, {"a_m3": 0.0, "inlet": 400.0}),
        ({"means_mg_l": {"cod_cr": Decimal("512.5")}}, {"a_cod": 512.5}),
        (
            {"litres": 1_000_001, "means_mg_l": {"cod_cr": Decimal(10)}},
            {"a_m3": 1000.001, "a_cod": 10.0, "inlet": 1400.001},
        ),
    ],
    ids=["nothing", "less water", "no water", "stronger", "both"],
)
def test_what_is_supposed_costs_what_it_would_cost_if_it_were_measured(wish, then):
    of = metered()
    was = bill(of, readings(of, measured()), OCTOBER, COSTS)
    would = settle(of, OCTOBER, COSTS, supposed(of, was.usage, Supposition("a", **wish)))
    assert paid(would) == paid(bill(of, readings(of, measured(**then)), OCTOBER, COSTS))


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(0, 10**7))
def test_parts_still_sum_and_only_one_member_is_changed(case, litres):
    of, rows, costs = case
    was = bill(of, readings(of, rows), OCTOBER, costs)
    usage = supposed(of, was.usage, Supposition("a", litres))
    would = settle(of, OCTOBER, costs, usage)
    assert would.measured_litres == {**was.measured_litres, "a": litres}
    assert [i.total_fen for i in would.items[: len(costs)]] == [c.amount_fen for c in costs]
    same = settle(of, OCTOBER, costs, supposed(of, was.usage, Supposition("a", was.measured_litres["a"])))
    assert paid(same) == paid(was)
    if was.difference is not None and usage.inlet.litres:
        assert would.difference.litres == was.difference.litres  # the inlet takes the other water in


def test_what_no_bill_knows_is_refused():
    of = metered()
    usage = bill(of, readings(of, measured()), OCTOBER, COSTS).usage
    with pytest.raises(InputError, match="no line of this bill rests on ph; those that count: cod_cr"):
        supposed(of, usage, Supposition("a", means_mg_l={"ph": Decimal(7)}))
    dry = replace(of, members=(*of.members, member("c")))
    usage = bill(dry, readings(dry, measured()), OCTOBER, COSTS).usage
    with pytest.raises(InputError, match="c has no outfall"):
        supposed(dry, usage, Supposition("c", 1))
    for volume, means, words in (
        ("-1", {}, "volume: found '-1', expected m3"),
        ("1e3", {}, "expected m3"),
        ("1.0005", {}, "3 decimals"),
        (None, {"cod_cr": "nan"}, "cod_cr: found 'nan', expected mg/L"),
    ):
        with pytest.raises(InputError, match=words):
            supposition("a", volume, means)
