"""Bills worked by hand, with the arithmetic beside them. Oracle and product must both give them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from oracle.bill_oracle import Text, bill
from oracle.cases import HOUR, BillCase, at, member, plant, series
from oracle.test_bill_against_oracle import differences
from oracle.timeline import Row
from plant_monitor.plant import Plant, Point, Role, Series, StrengthStep, Tariff

DAY = 24 * HOUR
START, END = at("2026-10-01 00:00"), at("2026-11-01 00:00")  # 31 days, 744 h
NOTHING = [("nothing", "equal", "0")]


def outfall(point: str, owner: str, *own: Series) -> Point:
    """An outfall."""
    return Point(point, Role.OUTFALL, own, member=owner)


def totaliser(point: str, **more: Decimal) -> Series:
    """A register in m³."""
    return series(point, "volume", "m3", None, **more)


def registers(point: str, *of: tuple[int, float]) -> list[Row]:
    """Normal registers."""
    return [(time, point, "volume", value, "N") for time, value in of]


def files(
    plant: Plant, rows: list[Row], costs: Sequence[tuple[str, str, str]] = NOTHING, period: str = "2026-10"
) -> dict[str, list[Text]]:
    """The oracle's files, after the product's were found to be the same."""
    assert differences(BillCase(plant, rows, period, list(costs))) == []
    return bill(plant, rows, period, costs)


def volumes(result: dict[str, list[Text]]) -> list[str]:
    """The volumes, in the order of the file."""
    return [row["volume_m3"] for row in result["volumes"]]


def amounts(result: dict[str, list[Text]], item: str) -> dict[str, str]:
    """Member -> yuan of an item."""
    return {row["member"]: row["amount_yuan"] for row in result["statement"] if row["item"] == item}


def test_a_register_between_two_readings_lies_on_the_line() -> None:
    # 100 one day before the start, 131 at 30 days after it: 1 m3/d; 101 at the start.
    # 131 at day 30, 135 at day 32: 2 m3/d; 133 at the end (day 31). 133 - 101 = 32.
    p = plant([outfall("o", "m", totaliser("o"))])
    rows = registers("o", (START - DAY, 100.0), (START + 30 * DAY, 131.0), (END + DAY, 135.0))
    assert files(p, rows)["volumes"] == [
        {
            "member": "m",
            "point": "o",
            "start_time": "2026-10-01T00:00:00+08:00",
            "start_register": "101.000000",
            "end_time": "2026-11-01T00:00:00+08:00",
            "end_register": "133.000000",
            "volume_m3": "32.000",
            "method": "totaliser",
            "findings": "",
        }
    ]


def test_the_dial_after_a_rollover() -> None:
    # 990 at -1 d, 20 at +2 d with a rollover at 1000: +30 in 3 d; at the start 1000 = 0 on the dial.
    # 20 -> 50 at the end: 20 + 30 = 50 m3 in the period.
    p = plant([outfall("o", "m", totaliser("o", rollover=Decimal(1000)))])
    row = files(p, registers("o", (START - DAY, 990.0), (START + 2 * DAY, 20.0), (END, 50.0)))["volumes"][0]
    assert (row["start_register"], row["end_register"], row["volume_m3"]) == ("0.000000", "50.000000", "50.000")


def test_half_a_litre_is_rounded_up() -> None:
    # 1/3 of 0.0015 m3 falls into the period: 0.0005 m3 = 0.5 litre -> 1.
    p = plant([outfall("o", "m", totaliser("o"))])
    rows = registers("o", (START - 2 * DAY, 7.0), (START + DAY, 7.0015), (END, 7.0015))
    assert volumes(files(p, rows)) == ["0.001"]


def test_the_flow_stands_in_for_a_jump() -> None:
    # 10 -> 20 counts. 20 -> 90020 in 10 d: 90000 > 200*240 + 1. The flow in that time: 2 m3/h held for 12 h
    # (one reading, interval 6 h) = 24 m3. 90020 -> 90021 counts. 10 + 24 + 1 = 35.
    p = plant([outfall("o", "m", series("o", "flow", "m3/h", 6 * HOUR), totaliser("o"))])
    rows = registers("o", (START, 10.0), (START + 10 * DAY, 20.0), (START + 20 * DAY, 90020.0), (END, 90021.0))
    rows.append((START + 15 * DAY, "o", "flow", 2.0, "N"))
    (row,) = files(p, rows)["volumes"]
    assert (row["volume_m3"], row["findings"], row["method"]) == ("35.000", "jump", "totaliser")
    assert (row["start_register"], row["end_register"]) == ("10.000000", "90021.000000")


def test_a_jump_over_the_boundary_counts_by_the_flow_inside() -> None:
    # Reset 500 (day -1) -> 3 (day +1). Flow 1 m3/h from 12 h before the start to 12 h after it: 12 m3 inside.
    # 3 -> 8 at the end. 12 + 5 = 17. The start register is the nearest inside, with its own time.
    p = plant([outfall("o", "m", series("o", "flow", "m3/h", 12 * HOUR), totaliser("o"))])
    rows = registers("o", (START - DAY, 500.0), (START + DAY, 3.0), (END, 8.0))
    rows.append((START - 12 * HOUR, "o", "flow", 1.0, "N"))
    (row,) = files(p, rows)["volumes"]
    assert (row["volume_m3"], row["findings"]) == ("17.000", "jump")
    assert (row["start_time"], row["start_register"]) == ("2026-10-02T00:00:00+08:00", "3.000000")


def test_without_a_register_outside_the_flow_fills_the_ends() -> None:
    # Registers 5 (day 1) and 45 (day 30); flow 0.5 m3/h over the whole period (one reading an hour would do; here
    # one of 16 d interval holds 32 d). 24 h * 0.5 = 12 before, 12 after: 40 + 12 + 12 = 64.
    p = plant([outfall("o", "m", series("o", "flow", "m3/h", 16 * DAY), totaliser("o"))])
    rows = [*registers("o", (START + DAY, 5.0), (START + 30 * DAY, 45.0)), (START, "o", "flow", 0.5, "N")]
    (row,) = files(p, rows)["volumes"]
    assert row["volume_m3"] == "64.000"
    assert row["findings"] == "no_register_before_start;no_register_after_end"
    assert (row["start_time"], row["end_time"]) == ("2026-10-02T00:00:00+08:00", "2026-10-31T00:00:00+08:00")


def test_flow_alone_counts_unknown_time_at_its_mean() -> None:
    # 2 m3/h for 10 d, 4 m3/h for 10 d, 11 d unknown: mean 3 m3/h * 744 h = 2232 m3.
    p = plant([outfall("o", "m", series("o", "flow", "m3/h", 5 * DAY))])
    rows: list[Row] = [(START, "o", "flow", 2.0, "N"), (START + 10 * DAY, "o", "flow", 4.0, "N")]
    (row,) = files(p, rows)["volumes"]
    assert (row["volume_m3"], row["method"]) == ("2232.000", "flow")
    assert row["findings"] == "no_register;flow_incomplete"
    assert (row["start_register"], row["start_time"]) == ("", "2026-10-01T00:00:00+08:00")


def test_a_silent_outfall_is_estimated_and_shared_by_its_siblings() -> None:
    # m: quota 10 m3/d * 31 = 310 over two silent outfalls: 155 each. n: 0.25 * 1200 * 31 = 9300. k: neither: 0.
    p = plant(
        [
            outfall("a", "m", series("a", "flow", "m3/h")),
            outfall("b", "m", totaliser("b")),
            outfall("c", "n", totaliser("c")),
            outfall("d", "k", series("d", "ph", "1")),
        ],
        members=(member("m", "0.5", "10"), member("n", "0.25"), member("k")),
    )
    result = files(p, registers("c", (START, 3.0)))
    assert volumes(result) == ["155.000", "155.000", "9300.000", "0.000"]
    assert {row["method"] for row in result["volumes"]} == {"estimate"}


def test_largest_remainder_with_ties_to_the_smaller_id() -> None:
    # 1.00 yuan = 100 fen by three equal parts: 33 each, one fen left: to "a" (a < b < c). -1.00 is mirrored.
    p = plant([outfall("o", "b", totaliser("o"))], members=(member("b"), member("c"), member("a")))
    result = files(p, [], [("x", "equal", "1.00"), ("y", "equal", "-1.00"), ("z", "volume", "0.05")])
    assert amounts(result, "x") == {"b": "0.33", "c": "0.33", "a": "0.34", "TOTAL": "1.00"}
    assert amounts(result, "y") == {"b": "-0.33", "c": "-0.33", "a": "-0.34", "TOTAL": "-1.00"}
    # nobody discharged and nobody has a capacity share: equally, 5 fen = 1 + 1 + 1, two left: a and b
    assert amounts(result, "z") == {"b": "0.02", "c": "0.01", "a": "0.02", "TOTAL": "0.05"}
    assert amounts(result, "TOTAL") == {"b": "0.02", "c": "0.01", "a": "0.02", "TOTAL": "0.05"}
    assert [r["member"] for r in result["statement"]][::4] == ["b", "c", "a", "TOTAL"]


def two_members(inlet: float | None, rule: str) -> tuple[Plant, list[Row]]:
    """m discharges 30 m³, n 10 m³; the inlet's register goes up by ``inlet``."""
    points = [outfall("a", "m", totaliser("a")), outfall("b", "n", totaliser("b"))]
    points.append(Point("in", Role.INLET, (totaliser("in"),)))
    p = plant(
        points,
        members=(member("m"), member("n")),
        inlet="in",
        tariff=Tariff(volume_price_yuan_m3=Decimal("2"), unmetered_difference=rule),
    )
    rows = registers("a", (START, 0.0), (END, 30.0)) + registers("b", (START, 0.0), (END, 10.0))
    return p, rows + ([] if inlet is None else registers("in", (START, 0.0), (END, inlet)))


@pytest.mark.parametrize(
    ("inlet", "rule", "m", "n"),
    [
        (41.001, "report", "60.00", "20.00"),
        # 1001 litres by 30000:10000: 750.75 and 250.25 -> 751 and 250: 30.751 and 10.250 m3, x 2
        (41.001, "proportional", "61.50", "20.50"),
        # 1001 litres equally: 500.5 each -> m 501, n 500: 61.002 and 21.000
        (41.001, "equal", "61.00", "21.00"),
        (39.0, "equal", "60.00", "20.00"),  # negative: reported only
        (None, "equal", "60.00", "20.00"),  # no inlet volume, no difference
    ],
)
def test_the_unmetered_difference(inlet: float | None, rule: str, m: str, n: str) -> None:
    p, rows = two_members(inlet, rule)
    result = files(p, rows)
    assert amounts(result, "volume_price") == {"m": m, "n": n, "TOTAL": str(Decimal(m) + Decimal(n))}
    assert volumes(result)[2] == ("" if inlet is None else f"{inlet:.3f}")


def test_load_is_the_mean_times_all_measured_litres() -> None:
    # m: 744 m3 at 1 m3/h; cod 400 mg/L known for 2 d only: mean 400, load 400 * 744 = 297.6 kg all the same.
    # n: 744 m3; cod 100 for 1 d and 300 for 1 d: mean 200: 148.8 kg. 446.40 yuan by 297.6 : 148.8 = 2 : 1.
    own = [(x, series(x, "cod_cr", "mg/L", 12 * HOUR), totaliser(x)) for x in ("a", "b")]
    p = plant([outfall("a", "m", *own[0][1:]), outfall("b", "n", *own[1][1:])], members=(member("m"), member("n")))
    rows = registers("a", (START, 0.0), (END, 744.0)) + registers("b", (START, 0.0), (END, 744.0))
    rows += [(START + i * DAY, "a", "cod_cr", 400.0, "N") for i in (0, 1)]
    rows += [(START, "b", "cod_cr", 100.0, "N"), (START + DAY, "b", "cod_cr", 300.0, "N")]
    result = files(p, rows, [("x", "load:cod_cr", "446.40"), ("e", "load", "3.00")])
    x = [r for r in result["statement"] if r["item"] == "x"]
    assert [(r["quantity"], r["unit"]) for r in x[:2]] == [("297.600", "kg"), ("148.800", "kg")]
    assert amounts(result, "x") == {"m": "297.60", "n": "148.80", "TOTAL": "446.40"}
    assert x[0]["share"] == "0.666666666667"


def test_equivalents_take_one_of_cod_bod_toc() -> None:
    # 100 m3. cod 50 mg/L: 5 kg / 1 = 5. bod5 30: 3 kg / 0.5 = 6. ss 40: 4 kg / 4 = 1. 6 + 1 = 7 equivalents.
    def at_all_times(parameter: str) -> Series:
        return series("a", parameter, "mg/L", 16 * DAY)

    p = plant([outfall("a", "m", totaliser("a"), *[at_all_times(x) for x in ("cod_cr", "bod5", "ss")])])
    rows = registers("a", (START, 0.0), (END, 100.0))
    rows += [(START, "a", x, v, "N") for x, v in (("cod_cr", 50.0), ("bod5", 30.0), ("ss", 40.0))]
    row = files(p, rows, [("x", "load", "1")])["statement"][0]
    assert row["quantity"] == "7.000000"


@pytest.mark.parametrize(
    ("partial", "yuan"),
    # mean 540, above 300, step 100: 2.4 steps of 0.30 on 10 m3
    [("ceil", "9.00"), ("floor", "6.00"), ("proportional", "7.20")],
)
def test_strength_steps(partial: str, yuan: str) -> None:
    rule = StrengthStep("cod_cr", Decimal(300), Decimal(100), Decimal("0.30"), partial)
    exact_rule = StrengthStep("cod_cr", Decimal(340), Decimal(100), Decimal("1"), "ceil")  # exactly 2 steps
    p = plant(
        [outfall("a", "m", totaliser("a"), series("a", "cod_cr", "g/L", 16 * DAY))],
        tariff=Tariff(strength_steps=(rule, exact_rule), fixed_yuan_month=(("m", Decimal("1.65")),)),
    )
    rows = [*registers("a", (START, 0.0), (END, 10.0)), (START, "a", "cod_cr", 0.54, "N")]
    result = files(p, rows)
    assert amounts(result, "strength:cod_cr") == {"m": yuan, "TOTAL": yuan}
    assert amounts(result, "strength:cod_cr:2") == {"m": "20.00", "TOTAL": "20.00"}
    assert amounts(result, "fixed") == {"m": "1.65", "TOTAL": "1.65"}
    assert [r["item"] for r in result["statement"]][:5] == [
        "nothing",
        "fixed",
        "strength:cod_cr",
        "strength:cod_cr:2",
        "TOTAL",
    ]


def test_an_estimated_outfall_enters_the_mean_with_its_estimate() -> None:
    # a: 100 m3 at 200 mg/L; b: silent, cod 500 for 1 d and 300 for 1 d: time-weighted 400; quota 10*31 = 310 m3.
    # mean (100*200 + 310*400) / 410 = 144000 / 410; load = mean * 410 m3 = 144 kg.
    p = plant(
        [
            outfall("a", "m", totaliser("a"), series("a", "cod_cr", "mg/L", 16 * DAY)),
            outfall("b", "m", series("b", "cod_cr", "mg/L", 12 * HOUR)),
        ],
        members=(member("m", None, "10"),),
    )
    rows = [*registers("a", (START, 0.0), (END, 100.0)), (START, "a", "cod_cr", 200.0, "N")]
    rows += [(START, "b", "cod_cr", 500.0, "N"), (START + 3 * DAY, "b", "cod_cr", 300.0, "N")]
    result = files(p, rows, [("x", "load:cod_cr", "1")])
    assert volumes(result) == ["100.000", "310.000"]
    assert result["statement"][0]["quantity"] == "144.000"


def test_a_quarter_has_three_fixed_months() -> None:
    # 2026-Q4: 92 days; 92 m3 by a register; 3 * 100 yuan.
    p = plant([outfall("a", "m", totaliser("a"))], tariff=Tariff(fixed_yuan_month=(("m", Decimal(100)),)))
    rows = registers("a", (START, 5.0), (at("2027-01-01 00:00"), 97.0))
    result = files(p, rows, period="2026-Q4")
    assert volumes(result) == ["92.000"]
    assert amounts(result, "fixed")["m"] == "300.00"
    assert result["volumes"][0]["end_time"] == "2027-01-01T00:00:00+08:00"


def test_a_member_without_any_mean_pays_no_load() -> None:
    p = plant(
        [
            outfall("a", "m", totaliser("a"), series("a", "cod_cr", "mg/L", 16 * DAY)),
            outfall("b", "n", totaliser("b")),
        ],
        members=(member("m"), member("n")),
        tariff=Tariff(strength_steps=(StrengthStep("cod_cr", Decimal(1), Decimal(1), Decimal(1)),)),
    )
    rows = registers("a", (START, 0.0), (END, 1.0)) + registers("b", (START, 0.0), (END, 9.0))
    rows.append((START, "a", "cod_cr", 3.0, "N"))
    result = files(p, rows, [("x", "load:cod_cr", "5"), ("v", "volume", "5")])
    assert amounts(result, "x") == {"m": "5.00", "n": "0.00", "TOTAL": "5.00"}
    assert amounts(result, "v") == {"m": "0.50", "n": "4.50", "TOTAL": "5.00"}
    assert amounts(result, "strength:cod_cr") == {"m": "2.00", "n": "0.00", "TOTAL": "2.00"}
