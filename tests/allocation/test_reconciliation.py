"""The water by days: it sums to the bill, and it says on which day and by whose meters it does not add up."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from allocation.small_plant import (
    DAY,
    END,
    HOUR,
    OCTOBER,
    START,
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

from plant_monitor.allocation.documents import document
from plant_monitor.allocation.statement import bill
from plant_monitor.allocation.volumes import TOTALISER, measured_volume
from plant_monitor.plant import Point, Role, Tariff

MEMBERS = [member("a", "0.5", "100"), member("b", "0.5", "100")]
POINTS = [
    outfall("a", flow("pa"), totaliser("pa")),
    outfall("b", flow("pb"), totaliser("pb")),
    Point("in", Role.INLET, (flow("in"), totaliser("in"))),
]


def metered(tariff=None):
    return plant(MEMBERS, POINTS, tariff or Tariff(), inlet="in")


def dial(point, m3_h, wrong=None):
    """A register each hour; on the days ``wrong`` it runs at another rate."""
    register, rows = 1000.0, []
    for time in range(START, END + HOUR, HOUR):
        rows.append((point, "volume", time, round(register, 3)))
        register += (wrong or {}).get((time - START) // DAY, m3_h)
    return rows


def honest():
    rows = []
    for point, m3_h in (("pa", 4.0), ("pb", 2.0), ("in", 6.0)):
        rows += dial(point, m3_h) + steady(point, "flow", m3_h)
    return rows


def slipping():
    """On the 11th the register of ``a`` runs at a quarter of what its flow says: 72 m³ are missing."""
    rows = [r for r in honest() if r[:2] != ("pa", "volume")]
    return rows + dial("pa", 4.0, wrong={10: 1.0})


def found(of, rows):
    return {(f.code, f.point): f for f in bill(of, readings(of, rows), OCTOBER, []).findings}


@settings(max_examples=60, deadline=None)
@given(cases())
def test_the_days_of_every_point_sum_to_what_is_billed(case):
    of, rows, costs = case
    usage = bill(of, readings(of, rows), OCTOBER, costs).usage
    by_days = usage.reconciliation
    for daily, volume in zip(by_days.outfalls, usage.outfalls, strict=True):
        assert len(daily.litres) == OCTOBER.days and sum(daily.litres) == volume.litres
    if usage.inlet.litres is not None:
        assert sum(by_days.inlet.litres) == usage.inlet.litres


@settings(max_examples=40, deadline=None)
@given(cases())
def test_a_day_is_what_the_bill_of_that_day_alone_would_say(case):
    """The bill's own code, a day at a time, beside one pass over all days."""
    of, rows, costs = case
    taken = readings(of, rows).by_time()
    usage = bill(of, readings(of, rows), OCTOBER, costs).usage
    for daily, volume in zip(usage.reconciliation.outfalls, usage.outfalls, strict=True):
        if volume.method != TOTALISER:
            continue
        point = of.point_by_id[volume.point]
        own = {s.parameter: taken.of_series(of.series_index[point.id, s.parameter]) for s in point.series}
        for i, (start, end) in enumerate(pairwise(range(START, END + DAY, DAY))):
            alone = measured_volume(of, point, own, start, end)
            if alone.method == TOTALISER:  # else what is unknown of the day is filled up
                assert abs(daily.litres[i] - alone.litres) <= 1


def test_the_document_tells_member_and_day():
    of = metered(Tariff(difference_tolerance=Decimal("0.1"), meter_tolerance=Decimal("0.05")))
    told = document(bill(of, readings(of, slipping()), OCTOBER, []))["reconciliation"]
    (worst,) = [day for day in told["days"] if day["beyond_tolerance"]]
    assert worst == {
        "date": "2026-10-11",
        "members_m3": {"a": "24.000", "b": "48.000"},
        "outfalls_m3": "72.000",
        "inlet_m3": "144.000",
        "difference_m3": "72.000",
        "beyond_tolerance": True,
        "flow_minus_register_m3": {"pa": "72.000", "pb": "0.000", "in": "0.000"},
    }
    assert [(m["point"], m["days_compared"], m["difference_m3"]) for m in told["meters"]] == [
        ("pa", 31, "72.000"), ("pb", 31, "0.000"), ("in", 31, "0.000"),
    ]  # fmt: skip
    assert told["meters"][0]["days_beyond_tolerance"] == ["2026-10-11"]


def test_findings_name_the_day_the_meter_and_what_it_should_have_said():
    of = metered(Tariff(difference_tolerance=Decimal("0.1"), meter_tolerance=Decimal("0.05")))
    of_slipping = found(of, slipping())
    day = of_slipping["difference_on_days", "in"]
    assert day.severity == "warning"
    assert day.message.en == (
        "inlet and outfalls apart by more than 10.0 %, days: 1; most 2026-10-11: 72.000 of 144.000 m3;"
        " flow − register: pa 72.000 m3"
    )
    meters = of_slipping["meters_differ_on_days", "pa"]
    assert (meters.severity, meters.member) == ("warning", "a")
    assert meters.message.en == (
        "register and flow apart by more than 5.0 %, days: 1; most 2026-10-11: 24.000 and 96.000 m3"
    )
    assert not {code for code, _ in found(of, honest())} & {"difference_on_days", "meters_differ_on_days"}


@pytest.mark.parametrize(("tolerance", "blocks"), [("0.024", True), ("0.0246", False), ("0.5", False)])
def test_over_the_period_meters_that_differ_block(tolerance, blocks):
    """2904 m³ by the register, 2976 by the flow: 72 apart; 0.024 of it and the dial's 1 are 70.7, 0.0246 are 72.4."""
    of = metered(Tariff(meter_tolerance=Decimal(tolerance)))
    meters = found(of, slipping()).get(("meters_differ", "pa"))
    assert (meters is not None) is blocks
    if meters is not None:
        assert meters.severity == "blocking"
        assert meters.message.en.startswith("2904.000 m3 by the register, 2976.000 m3 by the flow")


def test_without_a_tolerance_it_is_told_and_nothing_is_found():
    of = metered()
    assert {code for code, _ in found(of, slipping())} == {"unmetered_difference"}
    assert document(bill(of, readings(of, slipping()), OCTOBER, []))["reconciliation"]["meters"]


def test_a_day_of_which_the_flow_says_too_little_is_not_compared():
    of = metered(Tariff(meter_tolerance=Decimal("0.05")))
    gap = range(START + 10 * DAY, START + 10 * DAY + 8 * HOUR, HOUR)  # the last reading before it holds for one of them
    rows = [r for r in slipping() if not (r[:2] == ("pa", "flow") and r[2] in gap)]
    told = document(bill(of, readings(of, rows), OCTOBER, []))["reconciliation"]
    assert told["days"][10]["flow_minus_register_m3"]["pa"] is None
    assert told["meters"][0]["days_compared"] == 30 and told["meters"][0]["difference_m3"] == "0.000"
    # An hour more of flow, 18 of 24, is enough; what is unknown of the day counts at the mean of what is known.
    rows = [r for r in slipping() if not (r[:2] == ("pa", "flow") and r[2] in gap[1:])]
    told = document(bill(of, readings(of, rows), OCTOBER, []))["reconciliation"]
    assert told["days"][10]["flow_minus_register_m3"]["pa"] == "72.000"


def test_units_change_nothing():
    """The same water in litres and litres per minute."""
    of = metered(Tariff(meter_tolerance=Decimal("0.05")))
    points = [
        replace(
            p, series=(flow(p.id, unit="L/min"), totaliser(p.id, unit="L", rollover=None, resolution=Decimal(1000)))
        )
        for p in POINTS
    ]
    factor = {"flow": 1000 / 60, "volume": 1000.0}
    rows = [(p, q, t, round(v * factor[q], 6)) for p, q, t, v in slipping()]
    other = plant(MEMBERS, points, of.tariff, inlet="in")
    told = [
        document(bill(x, readings(x, r), OCTOBER, []))["reconciliation"] for x, r in ((of, slipping()), (other, rows))
    ]
    assert told[0] == told[1]


def test_a_plant_with_nothing_to_compare_has_none():
    of = plant(MEMBERS, [outfall("a", totaliser("pa")), outfall("b", totaliser("pb"))])
    assert document(bill(of, readings(of, []), OCTOBER, []))["reconciliation"] is None
