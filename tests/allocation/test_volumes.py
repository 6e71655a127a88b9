"""Volumes for bills, rule by rule of design §5, with numbers small enough to check in the head."""

from decimal import Decimal

import pytest
from allocation.small_plant import (
    END,
    HOUR,
    START,
    at,
    flow,
    member,
    outfall,
    plant,
    readings,
    steady,
    totaliser,
)

from plant_monitor.allocation.documents import volume_rows
from plant_monitor.allocation.statement import Period, bill
from plant_monitor.plant import Point, Represents, Role

A = "a-out"
MIDNIGHT_1, MIDNIGHT_END = "2026-10-01T00:00:00+08:00", "2026-11-01T00:00:00+08:00"


def metered(*rows, series=None, members=None, points=None, **more):
    """The rows of volumes.csv as dicts by column, for an outfall with flow and totaliser."""
    of = plant(
        members or [member("a")],
        points or [outfall("a", *(series or (flow(A), totaliser(A))))],
        **more,
    )
    statement = bill(of, readings(of, rows), Period.parse("2026-10", of.zone), [])
    columns = (
        "member",
        "point",
        "start_time",
        "start_register",
        "end_time",
        "end_register",
        "m3",
        "method",
        "findings",
    )
    return [dict(zip(columns, row)) for row in volume_rows(statement)]


def registers(*pairs, point=A):
    return [(point, "volume", at(time), value) for time, value in pairs]


def one(*rows, **more):
    (row,) = metered(*rows, **more)
    return row


# -- the register ---------------------------------------------------------------------------------


def test_registers_at_both_boundaries():
    row = one(*registers(("10-01", 1000), ("10-15", 2000.5), ("11-01", 3100.25)))
    assert row == {
        "member": "a",
        "point": A,
        "start_time": MIDNIGHT_1,
        "start_register": "1000.000000",
        "end_time": MIDNIGHT_END,
        "end_register": "3100.250000",
        "m3": "2100.250",
        "method": "totaliser",
        "findings": "",
    }


def test_a_boundary_register_is_linear_between_its_neighbours():
    # 23:00 → 01:00 the dial went from 1000 to 1003: at midnight 1001.5. At the end 00:20 of 1 h of 0.1: 2000.033333.
    row = one(*registers(("09-30 23:00", 1000), ("10-01 01:00", 1003), ("10-31 23:40", 2000), ("11-01 00:40", 2000.1)))
    assert (row["start_register"], row["end_register"]) == ("1001.500000", "2000.033333")
    assert row["m3"] == "998.533"  # 998.5333…: the interpolated register is exact, only litres are rounded


def test_a_gap_costs_nothing_since_the_register_spans_it():
    row = one(*registers(("10-01", 0), ("10-02", 50), ("10-30", 1450), ("11-01", 1500)))
    assert (row["m3"], row["findings"]) == ("1500.000", "")


def test_one_step_over_the_whole_period():
    # 61 days from 1 September, 6100 m³: 31 of 61 days fall into October.
    row = one(*registers(("09-01", 0), ("11-01", 6100)))
    assert row["m3"] == "3100.000"
    assert row["start_register"] == "3000.000000"


def test_litres_are_rounded_once_half_up():
    assert one(*registers(("10-01", 0), ("11-01", 1.0005)))["m3"] == "1.001"
    assert one(*registers(("10-01", 0), ("11-01", 1.0004999)))["m3"] == "1.000"


def test_registers_are_decimals_not_floats():
    # As float64 65.1535 − 55.5 is 9.653499999999994; as decimals it is 9.6535, half up 9.654.
    assert 65.1535 - 55.5 < 9.6535
    assert one(*registers(("10-01", 55.5), ("11-01", 65.1535)))["m3"] == "9.654"


def test_rollover_is_unwrapped_and_the_dial_shows_it():
    # 999 990 → (10) is +20 across the boundary; half of it falls before midnight: the dial stands at 0.
    row = one(*registers(("09-30 23:00", 999_990), ("10-01 01:00", 10), ("11-01", 510)))
    assert (row["start_register"], row["m3"], row["findings"]) == ("0.000000", "510.000", "")


def test_the_dial_before_it_rolls_over():
    row = one(*registers(("09-30 23:00", 999_990), ("10-01 03:00", 10), ("11-01", 510)))
    assert (row["start_register"], row["m3"]) == ("999995.000000", "515.000")


def test_a_dial_never_shows_its_own_size():
    # 999 999.9999999… at midnight would print as 1000000.000000; a six-digit dial shows 0.
    row = one(*registers(("09-30 23:00", 999_999.9999998), ("10-01 01:00", 0.0), ("11-01", 500)))
    assert row["start_register"] == "0.000000"


def test_two_rollovers_in_one_period():
    # 800 + 400 + 500 + 300 on a dial of 1000.
    meter = totaliser(A, rollover=Decimal(1000))
    rows = registers(("10-01", 100), ("10-08", 900), ("10-15", 300), ("10-22", 800), ("11-01", 100))
    assert one(*rows, series=(flow(A), meter))["m3"] == "2000.000"


def test_without_a_rollover_a_fall_is_a_jump():
    row = one(*registers(("10-01", 990), ("10-02", 5), ("11-01", 505)), series=(totaliser(A, rollover=None),))
    assert (row["m3"], row["findings"]) == ("500.000", "jump")


def test_litres_on_the_dial():
    meter = totaliser(A, unit="L", resolution=Decimal(10), rollover=Decimal(10**9))
    row = one(*registers(("10-01", 1_000_000), ("11-01", 4_100_250)), series=(meter,))
    assert (row["start_register"], row["m3"]) == ("1000000.000000", "3100.250")


# -- steps that do not count ------------------------------------------------------------------------


def test_reset_is_paid_by_the_flow_not_by_the_register():
    # 500 counted, reset over 10 h at 7 m³/h, 400 counted.
    rows = registers(("10-01", 9000), ("10-10 00:00", 9500), ("10-10 10:00", 0), ("11-01", 400))
    row = one(*rows, *steady(A, "flow", 7.0, at("10-10 00:00"), at("10-10 10:00")))
    assert (row["m3"], row["findings"], row["method"]) == ("970.000", "jump", "totaliser")
    assert (row["start_register"], row["end_register"]) == ("9000.000000", "400.000000")


def test_a_jump_without_valid_flow_counts_nothing():
    rows = registers(("10-01", 0), ("10-10", 500), ("10-11", 90_000), ("11-01", 90_400))
    assert one(*rows)["m3"] == "900.000"


def test_only_valid_flow_time_stands_in_for_a_jump():
    # 24 h of jump, flow valid for 10 h and marked D for 14.
    rows = registers(("10-01", 0), ("10-10", 500), ("10-11", 90_000), ("11-01", 90_400))
    good = steady(A, "flow", 5.0, at("10-10 00:00"), at("10-10 10:00"))
    bad = [(A, "flow", t, 5.0, "D") for t in range(at("10-10 10:00"), at("10-11 00:00"), HOUR)]
    assert one(*rows, *good, *bad)["m3"] == "950.000"


def test_the_largest_step_itself_still_counts():
    # 200 m³/h for an hour and the resolution of 1: 201 counts, 201.001 is a jump.
    for step, m3, findings in ((201, "201.000", ""), (201.001, "0.000", "jump")):
        rows = registers(("10-01 00:00", 0), ("10-01 01:00", step), ("11-01", step))
        row = one(*rows)
        assert (row["m3"], row["findings"]) == (m3, findings)


def test_noise_of_large_registers_decides_nothing():
    # 36 m³/h for 10 s and a resolution of 0.1 allow 0.2; as floats these two are 0.2000000011 apart.
    before, after = 12_345_678.1, 12_345_678.3
    assert after - before > 0.2 * (1 + 5e-9)
    meter = totaliser(A, max_rate_m3_h=Decimal(36), resolution=Decimal("0.1"), rollover=Decimal(10**8))
    row = one(*registers(("10-01 00:00:00", before), ("10-01 00:00:10", after), ("11-01", after)), series=(meter,))
    assert (row["m3"], row["findings"]) == ("0.200", "")


def test_greater_means_by_more_than_a_part_in_1e9():
    for step, m3 in ((201.0000001, "201.000"), (201.000001, "0.000")):
        assert one(*registers(("10-01 00:00", 0), ("10-01 01:00", step), ("11-01", step)))["m3"] == m3


def test_the_default_rate_is_four_times_the_capacity():
    # 1200 m³/d · 4 / 24 = 200 m³/h
    meter = totaliser(A, max_rate_m3_h=None)
    assert one(*registers(("10-01 00:00", 0), ("10-01 01:00", 201), ("11-01", 201)), series=(meter,))["findings"] == ""
    assert (
        one(*registers(("10-01 00:00", 0), ("10-01 01:00", 202), ("11-01", 202)), series=(meter,))["findings"] == "jump"
    )


def test_jump_across_the_start_gives_the_flow_of_the_part_inside():
    # Jump 22:00 → 04:00; 4 h inside at 3 m³/h, then 100 counted from the register at 04:00.
    rows = registers(("09-30 22:00", 50_000), ("10-01 04:00", 10), ("11-01", 110))
    row = one(*rows, *steady(A, "flow", 3.0, at("09-30 20:00"), at("10-01 06:00")))
    assert (row["m3"], row["findings"]) == ("112.000", "jump")
    assert (row["start_time"], row["start_register"]) == ("2026-10-01T04:00:00+08:00", "10.000000")


def test_jump_across_the_end_gives_the_flow_of_the_part_inside():
    rows = registers(("10-01", 0), ("10-31 22:00", 100), ("11-01 04:00", 50_000))
    row = one(*rows, *steady(A, "flow", 3.0, at("10-31 20:00"), at("11-01 06:00")))
    assert row["m3"] == "106.000"
    assert (row["end_time"], row["end_register"]) == ("2026-10-31T22:00:00+08:00", "100.000000")


def test_jump_over_the_whole_period_leaves_no_register():
    row = one(*registers(("09-30", 90_000), ("11-02", 5)), *steady(A, "flow", 2.0))
    assert (row["m3"], row["method"], row["findings"]) == ("1488.000", "totaliser", "jump")
    assert (row["start_register"], row["end_register"]) == ("", "")
    assert (row["start_time"], row["end_time"]) == (MIDNIGHT_1, MIDNIGHT_END)


def test_jumps_on_both_sides_of_the_only_register_inside():
    rows = registers(("09-30", 90_000), ("10-15", 7), ("11-02", 500_000))
    row = one(*rows, *steady(A, "flow", 2.0))
    assert row["m3"] == "1488.000"
    assert (row["start_time"], row["start_register"]) == ("2026-10-15T00:00:00+08:00", "7.000000")
    assert (row["end_time"], row["end_register"]) == ("2026-10-15T00:00:00+08:00", "7.000000")


def test_a_register_exactly_on_the_boundary_parts_the_steps():
    # The jump ends at midnight: it lies wholly before the period and is none of its business.
    row = one(*registers(("09-30", 90_000), ("10-01", 7), ("11-01", 507)))
    assert (row["m3"], row["findings"], row["start_register"]) == ("500.000", "", "7.000000")


@pytest.mark.parametrize(("m3_h", "m3"), [(0.0000996, "0.000"), (0.0001, "0.001")])
def test_the_flow_of_several_jumps_is_rounded_once(m3_h, m3):
    # Five jumps of 1 h. 5 × 0.0996 L = 0.498 L: 0. Each rounded to 1e-6 m³ first they were 5 × 0.1 = 0.5 L: 1.
    times = [f"10-0{day} 0{hour}:00" for day in range(1, 6) for hour in (0, 1)]
    dial = [9000, 90_000, 90_000, 5, 5, 90_000, 90_000, 5, 5, 90_000]
    trickle = flow(A, no_flow_below_m3_h=0.0)
    rows = registers(*zip(times, dial), ("11-01", 90_000))
    row = one(*rows, *steady(A, "flow", m3_h), series=(trickle, totaliser(A)))
    assert (row["m3"], row["findings"]) == (m3, "jump")


def test_an_invalid_register_is_no_register():
    rows = [*registers(("10-01", 0), ("11-01", 400)), (A, "volume", at("10-05"), 70_000.0, "D")]
    rows.append((A, "volume", at("10-06"), float("nan")))
    assert one(*rows)["m3"] == "400.000"


def test_the_later_accepted_reading_of_an_instant_stands():
    rows = registers(("10-01", 0), ("11-01", 400), ("11-01", 450))
    assert one(*rows)["m3"] == "450.000"
    assert (
        one(*registers(("10-01", 0), ("10-20", 300), ("11-01", 400)), (A, "volume", at("11-01"), 9.0, "M"))["m3"]
        == "300.000"
    )


# -- no register on one side ----------------------------------------------------------------------------


def test_no_register_before_the_start():
    # From the first register by the dial; of the 10 h before it 6 h of flow are known.
    rows = registers(("10-01 10:00", 20), ("11-01", 520))
    row = one(*rows, *steady(A, "flow", 4.0, at("10-01 02:00"), at("10-01 07:00")))
    assert row["m3"] == "524.000"  # readings at 02:00 … 06:00, the last one holding two intervals: 6 h × 4
    assert (row["start_time"], row["start_register"]) == ("2026-10-01T10:00:00+08:00", "20.000000")
    assert row["findings"] == "no_register_before_start"


def test_no_register_after_the_end():
    rows = registers(("10-01", 20), ("10-31 20:00", 520))
    row = one(*rows, *steady(A, "flow", 4.0, at("10-31 18:00"), END))
    assert (row["m3"], row["findings"]) == ("516.000", "no_register_after_end")
    assert (row["end_time"], row["end_register"]) == ("2026-10-31T20:00:00+08:00", "520.000000")


def test_no_register_on_either_side_and_a_jump_between():
    rows = registers(("10-02", 0), ("10-03", 100), ("10-04", 90_000), ("10-05", 90_100))
    row = one(*rows, *steady(A, "flow", 1.0))
    # 200 by the dial, 24 h of the jump, 1 day before and 27 days after by the flow.
    assert row["m3"] == f"{200 + 24 + 24 + 27 * 24}.000"
    assert row["findings"] == "jump;no_register_before_start;no_register_after_end"


# -- no step at all ---------------------------------------------------------------------------------------


def test_one_register_is_no_step():
    row = one(*registers(("10-10", 77)), *steady(A, "flow", 2.5))
    assert row == {
        "member": "a",
        "point": A,
        "start_time": MIDNIGHT_1,
        "start_register": "",
        "end_time": MIDNIGHT_END,
        "end_register": "",
        "m3": "1860.000",
        "method": "flow",
        "findings": "no_register",
    }


@pytest.mark.parametrize("times", [("09-01", "09-20"), ("09-20", "10-01"), ("11-01", "11-20")])
def test_steps_outside_the_period_are_no_steps(times):
    row = one(*registers((times[0], 0), (times[1], 500)), *steady(A, "flow", 1.0))
    assert (row["method"], row["m3"]) == ("flow", "744.000")


def test_unknown_flow_time_counts_at_the_mean_of_the_known():
    # Known for the first 15.5 days, half at 2 and half at 4 m³/h: 3 m³/h over 744 h.
    half = (END - START) // 4
    rows = [
        *steady(A, "flow", 2.0, START, START + half),
        *steady(A, "flow", 4.0, START + half, START + 2 * half - HOUR),
    ]
    row = one(*rows, series=(flow(A),))
    assert (row["m3"], row["method"], row["findings"]) == ("2232.000", "flow", "no_register;flow_incomplete")


def test_flow_at_or_below_the_cut_off_is_known_and_zero():
    row = one(*steady(A, "flow", 0.1), series=(flow(A),))
    assert (row["m3"], row["method"]) == ("0.000", "flow")
    row = one(*steady(A, "flow", -0.3), series=(flow(A),))
    assert (row["m3"], row["method"], row["findings"]) == ("0.000", "flow", "no_register")


def test_flow_in_another_unit():
    row = one(*steady(A, "flow", 0.5), series=(flow(A, unit="L/s"),))
    assert row["m3"] == "1339.200"  # 1.8 m³/h × 744 h


def test_readings_outside_hold_into_the_period():
    # Before: one reading an hour before midnight, holding two hours; after: represents before.
    rows = [(A, "flow", START - HOUR, 6.0)]
    assert one(*rows, series=(flow(A),))["m3"] == "4464.000"  # 6 m³ in the known hour; 743 at the same mean
    row = one((A, "flow", END + HOUR, 6.0), series=(flow(A, represents=Represents.BEFORE),))
    assert row["m3"] == "4464.000"


# -- estimates ------------------------------------------------------------------------------------------


def test_estimate_from_the_quota():
    row = one(members=[member("a", share="0.5", quota="10.5")])
    assert (row["m3"], row["method"], row["findings"]) == ("325.500", "estimate", "no_register;estimated")
    assert (row["start_time"], row["start_register"], row["end_register"]) == (MIDNIGHT_1, "", "")


def test_estimate_from_the_capacity_share():
    assert one(members=[member("a", share="0.30")])["m3"] == "11160.000"  # 0.30 × 1200 × 31


def test_a_quota_of_zero_is_a_quota():
    assert one(members=[member("a", share="0.30", quota="0")])["m3"] == "0.000"


def test_estimate_is_divided_among_the_estimated_outfalls_only():
    points = [
        outfall("a", flow("x"), totaliser("x")),
        outfall("a", flow("y"), totaliser("y")),
        outfall("a", flow("z")),
    ]
    rows = registers(("10-01", 0), ("11-01", 100), point="x")
    volumes = metered(*rows, members=[member("a", quota="1")], points=points)
    assert [(v["m3"], v["method"]) for v in volumes] == [
        ("100.000", "totaliser"),
        ("15.500", "estimate"),
        ("15.500", "estimate"),
    ]


def test_nothing_to_estimate_from_is_zero():
    row = one()
    assert (row["m3"], row["method"]) == ("0.000", "estimate")


# -- the inlet ----------------------------------------------------------------------------------------------


def test_the_inlet_stands_last_with_an_empty_member():
    inlet = Point("in", Role.INLET, (totaliser("in"),))
    points = [inlet, outfall("a", totaliser(A))]
    rows = [*registers(("10-01", 0), ("11-01", 100)), *registers(("10-01", 0), ("11-01", 130), point="in")]
    volumes = metered(*rows, points=points, inlet="in")
    assert [(v["member"], v["point"], v["m3"]) for v in volumes] == [("a", A, "100.000"), ("", "in", "130.000")]


def test_the_inlet_is_never_estimated():
    inlet = Point("in", Role.INLET, (totaliser("in"),))
    points = [outfall("a", totaliser(A)), inlet]
    volumes = metered(*registers(("10-01", 0), ("11-01", 100)), points=points, inlet="in")
    assert (volumes[1]["m3"], volumes[1]["method"], volumes[1]["findings"]) == ("", "", "no_register")
