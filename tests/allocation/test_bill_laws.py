"""Laws of every bill: sums, orders, cuts and units decide nothing."""

from decimal import Decimal
from fractions import Fraction

import pytest
from allocation.small_plant import (
    DAY,
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
    totaliser,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from plant_monitor.allocation.documents import statement_rows, volume_rows
from plant_monitor.allocation.statement import bill
from plant_monitor.allocation.volumes import measured_volume
from plant_monitor.plant import Point, Role, StrengthStep, Tariff

NAMES = ["b", "a", "Z", "神"]
BASES = ["volume", "capacity_share", "equal", "load", "load:cod_cr", "direct:a"]
RULES = ["report", "proportional", "equal"]


@st.composite
def dials(draw, point, spacing=8 * HOUR):
    """A register read every now and then from before the period to after it: water, gaps, rollovers, resets."""
    register, time, rows = Decimal(draw(st.sampled_from(["0", "990", "55.5"]))), START - DAY, []
    pattern = draw(st.lists(st.sampled_from(["0", "0.07", "3.333", "41.5", "reset", "skip"]), min_size=1, max_size=7))
    i = 0
    while time < END + DAY:
        now = pattern[i % len(pattern)]
        register = Decimal(0) if now == "reset" else (register + Decimal(now if now != "skip" else "1")) % 1000
        if now != "skip":
            rows.append((point, "volume", time, float(register)))
        time += spacing + (i % 3) * 1_234_567
        i += 1
    return rows


@st.composite
def sampled(draw, point, parameter, values):
    """Readings at a steady pace, some of them invalid, over a part of the period."""
    pattern = draw(st.lists(st.sampled_from([*values, None]), min_size=1, max_size=5))
    start = START + draw(st.sampled_from([-HOUR, 0, 3 * DAY]))
    stop = draw(st.sampled_from([END + HOUR, END, START + 20 * DAY]))
    rows = []
    for i, time in enumerate(range(start, stop, 4 * HOUR)):
        value = pattern[i % len(pattern)]
        rows.append((point, parameter, time, 1.0, "D") if value is None else (point, parameter, time, value))
    return rows


@st.composite
def cases(draw):
    """A plant, its readings as rows, and costs."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, 4))]
    names = names if "a" in names else [*names, "a"]
    members = [
        member(m, draw(st.sampled_from([None, "0.3", "0"])), draw(st.sampled_from([None, "7.7"]))) for m in names
    ]
    points, rows = [], []
    for i, name in enumerate([*names, *draw(st.lists(st.sampled_from(names), max_size=2))]):
        point = f"p{i}"
        slow = {"interval_ms": 4 * HOUR}
        meter = totaliser(point, rollover=Decimal(1000), max_rate_m3_h=Decimal(6))
        points.append(outfall(name, flow(point, **slow), meter, analyser(point, **slow), analyser(point, "ss", **slow)))
        rows += draw(st.one_of(st.just([]), dials(point)))
        rows += draw(st.one_of(st.just([]), sampled(point, "flow", [0.0, 0.1, 1.37, 5.0])))
        rows += draw(sampled(point, "cod_cr", [0.0, 88.25, 512.0]))
        rows += draw(sampled(point, "ss", [10.0, 300.5]))
    points.append(Point("in", Role.INLET, (totaliser("in", rollover=Decimal(1000), max_rate_m3_h=Decimal(12)),)))
    rows += draw(st.one_of(st.just([]), dials("in")))
    tariff = Tariff(
        draw(st.sampled_from([None, Decimal("4.503")])),
        (("a", Decimal("12.345")),),
        (
            StrengthStep(
                "cod_cr", Decimal(50), Decimal(7), Decimal("0.031"), draw(st.sampled_from(["ceil", "proportional"]))
            ),
        ),
        draw(st.sampled_from(RULES)),
    )
    costs = [
        cost(f"item {i}", basis, amount)
        for i, (basis, amount) in enumerate(
            draw(
                st.lists(
                    st.tuples(st.sampled_from(BASES), st.sampled_from(["0.01", "-7.77", "12345.67", "0"])), max_size=4
                )
            )
        )
    ]
    return plant(members, points, tariff, inlet="in"), rows, costs


@settings(max_examples=60, deadline=None)
@given(cases())
def test_parts_sum_to_their_items_and_totals_to_the_total(case):
    of, rows, costs = case
    statement = bill(of, readings(of, rows), OCTOBER, costs)
    assert [i.total_fen for i in statement.items[: len(costs)]] == [c.amount_fen for c in costs]
    table = {(m, i): Decimal(amount) for m, i, *_, amount in statement_rows(statement)}
    for item in statement.items:
        assert sum(table[m.id, item.item] for m in of.members) == table["TOTAL", item.item]
    assert sum(table[m.id, "TOTAL"] for m in of.members) == table["TOTAL", "TOTAL"]
    if statement.difference:
        assert sum(statement.billed_litres.values()) - sum(statement.measured_litres.values()) in (
            0,
            statement.difference.litres,
        )


@settings(max_examples=60, deadline=None)
@given(cases(), st.randoms())
def test_the_order_of_rows_members_and_points_changes_nothing(case, random):
    of, rows, costs = case
    statement = bill(of, readings(of, rows), OCTOBER, costs)
    members, points, shuffled = list(of.members), list(of.points), list(rows)
    for of_them in (members, points, shuffled):
        random.shuffle(of_them)
    other = plant(members, points, of.tariff, inlet="in")
    again = bill(other, readings(other, shuffled), OCTOBER, costs)
    assert sorted(statement_rows(again)) == sorted(statement_rows(statement))
    assert sorted(volume_rows(again)) == sorted(volume_rows(statement))


@settings(max_examples=60, deadline=None)
@given(cases())
def test_who_has_no_water_pays_no_volume_item(case):
    of, rows, costs = case
    statement = bill(of, readings(of, rows), OCTOBER, [*costs, cost("by volume", "volume", "99.99")])
    if any(statement.billed_litres.values()):
        for m, litres in statement.billed_litres.items():
            if litres == 0:
                assert statement.items[len(costs)].amounts_fen[m] == 0


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_period_cut_in_two_has_the_same_volume_within_a_litre(data):
    of = plant(
        [member("a")], [outfall("a", flow("p"), totaliser("p", rollover=Decimal(1000), max_rate_m3_h=Decimal(6)))]
    )
    rows = data.draw(dials("p")) + data.draw(sampled("p", "flow", [0.0, 0.2, 1.37, 5.0]))
    cut = data.draw(st.integers(START + 1, END - 1))
    tidy = readings(of, rows).by_time()
    by_parameter = {s.parameter: tidy.of_series(i) for i, s in enumerate(of.series)}
    whole, first, second = (
        measured_volume(of, of.points[0], by_parameter, a, b) for a, b in ((START, END), (START, cut), (cut, END))
    )
    if first.end.register is not None and first.end.time_ms == cut:  # a register holds at the cut
        assert abs(whole.litres - first.litres - second.litres) <= 1
        assert first.end == second.start


@settings(max_examples=60, deadline=None)
@given(cases())
def test_units_decide_nothing(case):
    """Registers in litres, flows in L/h and strengths in ug/L: the same bill but for the dial."""
    of, rows, costs = case
    units = {"volume": "L", "flow": "L/h", "cod_cr": "ug/L", "ss": "ug/L"}
    points = [
        Point(
            p.id,
            p.role,
            tuple(
                type(s)(
                    s.point,
                    s.parameter,
                    units[s.parameter],
                    s.interval_ms,
                    s.represents,
                    s.no_flow_below_m3_h,
                    None if s.rollover is None else s.rollover * 1000,
                    s.resolution * 1000,
                    s.max_rate_m3_h,
                )
                for s in p.series
            ),
            p.member,
        )
        for p in of.points
    ]
    other = plant(of.members, points, of.tariff, inlet="in")
    scaled = [(p, q, t, float(Fraction(repr(v)) * 1000), *mark) for p, q, t, v, *mark in rows]
    statement = bill(of, readings(of, rows), OCTOBER, costs)
    again = bill(other, readings(other, scaled), OCTOBER, costs)
    assert statement_rows(again) == statement_rows(statement)
    dial = (3, 5)  # columns of the registers
    for mine, its in zip(volume_rows(statement), volume_rows(again)):
        for column, (text, other_text) in enumerate(zip(mine, its)):
            if column in dial and text:
                assert Decimal(other_text) == pytest.approx(Decimal(text) * 1000, abs=Decimal("0.0006"))
            else:
                assert other_text == text
