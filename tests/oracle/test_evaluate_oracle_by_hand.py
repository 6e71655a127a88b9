"""Evaluations worked by hand, with the arithmetic beside them. Oracle and product must both give them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from oracle.cases import HOUR, MINUTE, SHANGHAI, EvaluateCase, at, limit_set, plant, series
from oracle.evaluate_oracle import evaluate
from oracle.test_evaluate_against_oracle import differences
from oracle.timeline import Row
from plant_monitor.plant import Limit, Plant, Point, Represents, Role, Series, Statistic

DAY = date(2026, 10, 1)
START = at("2026-10-01 00:00")


def outfall(*own: Series, limits: Sequence[str] = (), point: str = "o") -> Point:
    """An outfall of member m."""
    return Point(point, Role.OUTFALL, own, member="m", limits=tuple(limits))


def every(parameter: str, interval_ms: int, values: Sequence[float], point: str = "o", start: int = START) -> list[Row]:
    """Normal readings one interval apart."""
    return [(start + i * interval_ms, point, parameter, v, "N") for i, v in enumerate(values)]


def tables(plant: Plant, rows: list[Row], first: date = DAY, days: int = 1) -> dict[str, list[dict[str, Any]]]:
    """The oracle's tables, after the product's were found to be the same."""
    last = first + timedelta(days=days - 1)
    assert differences(EvaluateCase(plant, rows, first, last)) == []
    return evaluate(plant, rows, first, last)


def column(rows: Sequence[dict[str, Any]], name: str, **where: Any) -> list[Any]:
    """The values of a column in the rows that match."""
    return [r[name] for r in rows if all(r[k] == v for k, v in where.items())]


def upper(parameter: str, value: float, statistic: Statistic = Statistic.DAILY_MEAN, **more: Any) -> Limit:
    """An upper limit."""
    return Limit(parameter=parameter, statistic=statistic, lower=None, upper=value, **more)


def test_a_reading_holds_for_two_intervals_after_it() -> None:
    # ph each hour; readings at 00:00 (7) and 05:00 (8) only: they hold [0, 2) and [5, 7), 4 of 24 h.
    p = plant([outfall(series("o", "ph", "1"))])
    result = tables(p, [*every("ph", 5 * HOUR, [7.0, 8.0])])
    assert column(result["hourly"], "mean")[:8] == [7, 7, None, None, None, 8, 8, None]
    assert column(result["hourly"], "valid_share")[:3] == [1, 1, 0]
    assert column(result["daily"], "valid_share") == [Fraction(4, 24)]
    assert column(result["daily"], "value") == [None]
    assert column(result["daily"], "statistic") == ["hourly_median"]


def test_a_reading_may_speak_for_the_time_before_it() -> None:
    # An analyser of mixed samples, each hour: 03:00 -> [01, 03); 04:00 invalid -> [03, 04) is known to be bad.
    p = plant([outfall(series("o", "conductivity", "uS/cm", represents=Represents.BEFORE))])
    rows: list[Row] = [
        (START + 3 * HOUR, "o", "conductivity", 500.0, "N"),
        (START + 4 * HOUR, "o", "conductivity", 900.0, "D"),
        (START + 5 * HOUR, "o", "conductivity", 700.0, ""),
    ]
    result = tables(p, rows)
    assert column(result["hourly"], "mean")[:6] == [None, 500, 500, None, 700, None]


def test_the_mean_is_weighted_by_flow() -> None:
    # 12 h at 10 m3/h and 100 mg/L, 12 h at 30 m3/h and 200 mg/L:
    # mass 10*12*100 + 30*12*200 = 12000 + 72000 = 84000 g = 84 kg; volume 480 m3; mean 84000/480 = 175 mg/L.
    half = 12 * HOUR
    p = plant([outfall(series("o", "flow", "m3/h", half), series("o", "cod_cr", "mg/L", half))])
    result = tables(p, every("flow", half, [10.0, 30.0]) + every("cod_cr", half, [100.0, 200.0]))
    cod = next(r for r in result["daily"] if r["parameter"] == "cod_cr")
    assert (cod["value"], cod["load_kg"], cod["volume_m3"], cod["valid_share"]) == (175, 84, 480, 1)
    flow = next(r for r in result["daily"] if r["parameter"] == "flow")
    assert (flow["value"], flow["load_kg"], flow["volume_m3"]) == (20, None, 480)
    assert result["headroom"] == [
        {
            "date": "2026-10-01",
            "inflow_m3": 480,
            "capacity_m3": 1200,
            "headroom_m3": 720,
            "used_share": Fraction(2, 5),
            "peak_m3_h": 30,
            "valid_share": 1,
        }
    ]


def test_no_discharge_is_no_time_due() -> None:
    # 0.1 m3/h is at the cut-off, noise above it as well: no discharge for 12 h. Then 0.2 m3/h: 12 h due,
    # of which cod is valid for 6 h (reading at 12:00, interval 3 h): share 0.5.
    p = plant([outfall(series("o", "flow", "m3/h", 6 * HOUR), series("o", "cod_cr", "mg/L", 3 * HOUR))])
    rows = every("flow", 6 * HOUR, [0.1, 0.1 * (1 + 1e-12), 0.2, 0.2])
    rows += [(START, "o", "cod_cr", 50.0, "N"), (START + 12 * HOUR, "o", "cod_cr", 60.0, "N")]
    result = tables(p, rows)
    cod = next(r for r in result["daily"] if r["parameter"] == "cod_cr")
    assert (cod["valid_share"], cod["value"]) == (Fraction(1, 2), 60)
    assert cod["load_kg"] == Fraction(60 * 2 * 6, 10_000)  # 60 g/m3 * 0.2 m3/h * 6 h = 72 g
    first_hour = next(r for r in result["hourly"] if r["parameter"] == "cod_cr")
    assert (first_hour["valid_share"], first_hour["load_kg"], first_hour["mean"]) == (None, 0, None)
    assert column(result["hourly"], "load_kg", parameter="cod_cr")[-1] is None  # due, nothing valid


def test_a_day_without_discharge() -> None:
    p = plant(
        [outfall(series("o", "flow", "m3/h", 6 * HOUR), series("o", "ph", "1", 6 * HOUR), limits=["x"])],
        limit_set("x", Limit("ph", Statistic.HOURLY_MEDIAN, 6.0, 9.0)),
    )
    result = tables(p, every("flow", 6 * HOUR, [0.0, -3.0, 0.0, 0.1]) + every("ph", 6 * HOUR, [2.0] * 4))
    ph = next(r for r in result["daily"] if r["parameter"] == "ph")
    assert (ph["verdict"], ph["valid_share"], ph["value"], ph["volume_m3"]) == ("no_discharge", None, None, 0)
    assert result["exceedances"] == []


def test_the_totaliser_stands_in_for_a_silent_flow_meter() -> None:
    # Registers 990 at 00:00 and 14 at 06:00, rollover 1000: 24 m3 in 6 h = 4 m3/h (under 4*1200/24 = 200 m3/h).
    # 14 -> 5000 in 6 h is 4986 > 200*6 + 1: does not count, the flow stays unknown until the flow meter
    # speaks at 09:00 for 3 h (interval 1.5 h) with 8 m3/h.
    p = plant(
        [
            outfall(
                series("o", "flow", "m3/h", 90 * MINUTE),
                series("o", "volume", "m3", None, rollover=Decimal(1000)),
                series("o", "cod_cr", "mg/L", 6 * HOUR),
            )
        ]
    )
    rows = [*every("volume", 6 * HOUR, [990.0, 14.0, 5000.0]), (START + 9 * HOUR, "o", "flow", 8.0, "N")]
    rows += every("cod_cr", 6 * HOUR, [100.0, 200.0, 300.0])
    result = tables(p, rows)
    volumes = column(result["hourly"], "volume_m3", parameter="cod_cr")
    assert volumes[:12] == [4] * 6 + [None] * 3 + [8] * 3
    cod = next(r for r in result["daily"] if r["parameter"] == "cod_cr")
    # due: all 24 h (flow unknown counts); valid: 6 h + 3 h. (24*100 + 24*200) / 48 = 150.
    assert (cod["valid_share"], cod["value"], cod["load_kg"]) == (Fraction(9, 24), 150, Fraction(72, 10))
    flow = next(r for r in result["daily"] if r["parameter"] == "flow")
    assert (flow["valid_share"], flow["value"], flow["volume_m3"]) == (Fraction(3, 24), 8, 48)
    assert column(result["headroom"], "valid_share") == [Fraction(9, 24)]
    assert column(result["headroom"], "headroom_m3") == [None]
    assert column(result["headroom"], "inflow_m3") == [48]


def test_days_of_daylight_saving() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    p = plant([outfall(series("o", "flow", "m3/h", 3 * HOUR))], zone=berlin)
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25)):
        start = at(f"{day} 00:00", berlin)
        result = tables(p, every("flow", 3 * HOUR, [2.0] * 9, start=start), day)
        assert len(result["hourly"]) == hours
        assert column(result["daily"], "volume_m3") == [2 * hours]
    # 2026-10-25: 02:00+02:00 is followed by 02:00+01:00.
    assert column(result["hourly"], "hour")[2:4] == ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]


def test_a_zone_that_shifts_by_half_an_hour_cuts_its_last_hour() -> None:
    # Lord Howe, 2026-04-05: 24.5 h, the last step of 3600 s is cut to 1800 s. 2 m3/h -> 1 m3 in it.
    zone = ZoneInfo("Australia/Lord_Howe")
    p = plant([outfall(series("o", "flow", "m3/h", 6 * HOUR))], zone=zone)
    day = date(2026, 4, 5)
    result = tables(p, every("flow", 6 * HOUR, [2.0] * 5, start=at("2026-04-05 00:00", zone)), day)
    assert column(result["hourly"], "volume_m3") == [2] * 24 + [1]
    assert column(result["hourly"], "hour")[-1] == "2026-04-05T23:30:00+10:30"
    assert column(result["daily"], "volume_m3") == [49]


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(100.0, "met"), (100.0 * (1 + 1e-12), "met"), (100.0 * (1 + 1e-6), "exceeded"), (99.0, "met")],
)
def test_equal_is_met_and_units_are_converted(value: float, verdict: str) -> None:
    # The limit says 100000 ug/L for a series in mg/L.
    p = plant(
        [outfall(series("o", "cod_cr", "mg/L", 6 * HOUR), limits=["x"])],
        limit_set("x", upper("cod_cr", 100000.0, unit="ug/L")),
    )
    result = tables(p, every("cod_cr", 6 * HOUR, [value] * 4))
    row = result["daily"][0]
    assert row["verdict"] == verdict
    assert (row["lower"], row["upper"], row["volume_m3"], row["load_kg"]) == (None, 100000, None, None)
    assert row["ratio"] == row["value"] / 100000
    assert len(result["exceedances"]) == (verdict == "exceeded")


def test_three_quarters_of_the_time_are_enough() -> None:
    # cod holds 18 of 24 h: exactly 0.75.
    p = plant([outfall(series("o", "cod_cr", "mg/L", 9 * HOUR), limits=["x"])], limit_set("x", upper("cod_cr", 10.0)))
    assert column(tables(p, every("cod_cr", HOUR, [9.0]))["daily"], "verdict") == ["met"]
    # A reading at 06:00:00.001 would hold 18 h, but the day ends 1 ms before that.
    late: list[Row] = [(START + 6 * HOUR + 1, "o", "cod_cr", 9.0, "N")]
    assert column(tables(p, late)["daily"], "verdict") == ["insufficient_data"]


def test_median_is_the_smallest_value_that_reaches_half() -> None:
    # Within 00:00-01:00, readings each 15 min: 8, 7, 9, 6 -> sorted 6 7 8 9; 7 reaches 30 of 60 minutes.
    # 01:00: 8 for 15 min, invalid 30 min, 5 for 15 min -> valid 30, 5 reaches 15 of 30; share 0.5.
    p = plant(
        [outfall(series("o", "ph", "1", 15 * MINUTE), limits=["x"])],
        limit_set("x", Limit("ph", Statistic.HOURLY_MEDIAN, 6.5, 9.0)),
    )
    rows = every("ph", 15 * MINUTE, [8.0, 7.0, 9.0, 6.0, 8.0, float("nan"), float("inf"), 5.0])
    rows.append((START + 2 * HOUR, "o", "ph", 7.0, "C"))
    result = tables(p, rows)
    assert column(result["hourly"], "mean")[:3] == [7, 5, None]
    assert column(result["hourly"], "verdict")[:3] == ["met", "insufficient_data", "insufficient_data"]
    assert column(result["hourly"], "min")[:2] == [6, 5]
    assert column(result["hourly"], "max")[:2] == [9, 8]
    assert column(result["daily"], "value") == [7]  # of the one hour with enough data
    assert column(result["daily"], "verdict") == ["insufficient_data"]


def test_an_exceeded_hour_decides_the_day() -> None:
    # 2 of 24 hours are known, one of them passes the lower bound: exceeded in spite of the share of 1/12.
    # Margins: 5 -> -1, 10 -> -1 with bounds 6 and 9: a tie, the earlier hour gives the day's value.
    p = plant(
        [outfall(series("o", "ph", "1", 30 * MINUTE), limits=["x"])],
        limit_set("x", Limit("ph", Statistic.HOURLY_MEDIAN, 6.0, 9.0)),
    )
    result = tables(p, every("ph", HOUR, [5.0, 10.0, 7.0]))
    day = result["daily"][0]
    assert (day["verdict"], day["value"], day["ratio"], day["valid_share"]) == ("exceeded", 5, None, Fraction(3, 24))
    (episode,) = result["exceedances"]
    assert episode == {
        "point": "o",
        "parameter": "ph",
        "limit_set": "x",
        "statistic": "hourly_median",
        "start": "2026-10-01T00:00:00+08:00",
        "end": "2026-10-01T02:00:00+08:00",
        "windows": 2,
        "peak": 5,
        "limit": 6,
        "peak_ratio": Fraction(6, 5),
    }


def test_noise_decides_no_tie() -> None:
    # Bounds 5 and 10. Hour 0: 2.5, margin -2.5. Hour 1: 12.5 and a little noise, margin -2.5 as well: a tie.
    p = plant(
        [outfall(series("o", "conductivity", "uS/cm", 30 * MINUTE), limits=["x"])],
        limit_set("x", Limit("conductivity", Statistic.HOURLY_MEAN, 5.0, 10.0)),
    )
    result = tables(p, every("conductivity", HOUR, [2.5, 12.5 * (1 + 1e-13)]))
    assert column(result["daily"], "value") == [2.5]
    (episode,) = result["exceedances"]
    assert (episode["windows"], episode["peak"], episode["limit"], episode["peak_ratio"]) == (2, 2.5, 5, 2)


def test_the_peak_inflow_is_a_rate_also_in_a_short_hour() -> None:
    # Lord Howe, 2026-04-05: 4 m3/h in the last half hour, 1 m3/h before.
    zone = ZoneInfo("Australia/Lord_Howe")
    start = at("2026-04-05 00:00", zone)
    p = plant([outfall(series("o", "flow", "m3/h", 24 * HOUR))], zone=zone)
    rows: list[Row] = [(start, "o", "flow", 1.0, "N"), (start + 24 * HOUR, "o", "flow", 4.0, "N")]
    (row,) = tables(p, rows, date(2026, 4, 5))["headroom"]
    assert (row["inflow_m3"], row["peak_m3_h"]) == (26, 4)


def test_an_episode_spans_silence_and_ends_with_a_met_window() -> None:
    # Days: exceeded (20), no data, exceeded (30), met (5), exceeded (12). Upper 10.
    p = plant([outfall(series("o", "cod_cr", "mg/L", 12 * HOUR), limits=["x"])], limit_set("x", upper("cod_cr", 10.0)))
    rows: list[Row] = [
        (START + i * 24 * HOUR, "o", "cod_cr", v, "N") for i, v in ((0, 20.0), (2, 30.0), (3, 5.0), (4, 12.0))
    ]
    result = tables(p, rows, days=5)
    assert column(result["daily"], "verdict") == ["exceeded", "insufficient_data", "exceeded", "met", "exceeded"]
    first, second = result["exceedances"]
    assert (first["start"], first["end"]) == ("2026-10-01T00:00:00+08:00", "2026-10-04T00:00:00+08:00")
    assert (first["windows"], first["peak"], first["limit"], first["peak_ratio"]) == (2, 30, 10, 3)
    assert (second["windows"], second["peak_ratio"]) == (1, Fraction(12, 10))


def test_of_several_dated_limits_the_latest_in_force_applies() -> None:
    # 2026-10-01: 100 (undated). From 10-02: 50, until 10-02. On 10-03 the undated one is back. Value 80.
    p = plant(
        [outfall(series("o", "cod_cr", "mg/L", 12 * HOUR), limits=["x"])],
        limit_set(
            "x",
            upper("cod_cr", 50.0, valid_from=date(2026, 10, 2), valid_to=date(2026, 10, 2)),
            upper("cod_cr", 100.0, valid_to=date(2026, 10, 3)),
        ),
    )
    result = tables(p, every("cod_cr", 24 * HOUR, [80.0] * 4), days=4)
    assert column(result["daily"], "upper") == [100, 50, 100, None]
    assert column(result["daily"], "verdict") == ["met", "exceeded", "met", "no_limit"]
    assert column(result["hourly"], "verdict")[23:26] == ["met", "exceeded", "exceeded"]  # early warnings
    assert len(result["exceedances"]) == 1


def test_the_later_of_two_readings_of_one_instant_stands() -> None:
    p = plant([outfall(series("o", "conductivity", "uS/cm", 12 * HOUR))])
    rows: list[Row] = [
        (START, "o", "conductivity", 1.0, "N"),
        (START + 12 * HOUR, "o", "conductivity", 5.0, "N"),
        (START, "o", "conductivity", 3.0, "N"),
        (START + 12 * HOUR, "o", "conductivity", 9.0, "M"),
    ]
    result = tables(p, rows)
    assert column(result["daily"], "value") == [3]
    assert column(result["daily"], "valid_share") == [Fraction(1, 2)]


def test_a_daily_load_is_judged_in_its_own_unit() -> None:
    # 10 m3/h at 100 mg/L for 24 h: 24 kg. 0.02 t/d is exceeded with ratio 1.2; 30 kg/d in set y is met.
    p = plant(
        [outfall(series("o", "flow", "m3/h", 12 * HOUR), series("o", "cod_cr", "mg/L", 12 * HOUR), limits=["x", "y"])],
        limit_set("x", upper("cod_cr", 0.02, Statistic.DAILY_LOAD, unit="t/d")),
        limit_set("y", upper("cod_cr", 30.0, Statistic.DAILY_LOAD, unit="kg/d")),
    )
    result = tables(p, every("flow", 12 * HOUR, [10.0] * 2) + every("cod_cr", 12 * HOUR, [100.0] * 2))
    rows = [r for r in result["daily"] if r["parameter"] == "cod_cr"]
    assert [(r["limit_set"], r["value"], r["verdict"]) for r in rows] == [
        ("x", Fraction(24, 1000), "exceeded"),
        ("y", 24, "met"),
    ]
    assert rows[0]["ratio"] == Fraction(6, 5)
    assert column(result["exceedances"], "peak") == [Fraction(24, 1000)]


def test_headroom_needs_all_outfalls_at_once() -> None:
    # a is known for the first 20 h (2 m3/h), b for the last 20 h (3 m3/h): together 16 of 24 h, below 0.75.
    own = [outfall(series(x, "flow", "L/s", 10 * HOUR), point=x) for x in ("a", "b")]
    p = plant(own)
    rows = every("flow", HOUR, [2 / 3.6], "a") + every("flow", HOUR, [3 / 3.6], "b", START + 4 * HOUR)
    (row,) = tables(p, rows)["headroom"]
    assert row["valid_share"] == Fraction(16, 24)
    assert float(row["inflow_m3"]) == pytest.approx(100)
    assert float(row["peak_m3_h"]) == pytest.approx(5)
    assert row["headroom_m3"] is None and row["used_share"] is None


def test_headroom_of_the_inlet_alone() -> None:
    # The inlet's totaliser: 0 -> 600 over the day: 25 m3/h; the outfall says nothing.
    p = plant(
        [outfall(series("o", "flow", "m3/h")), Point("in", Role.INLET, (series("in", "volume", "L", None),))],
        inlet="in",
    )
    rows = every("volume", 24 * HOUR, [0.0, 600_000.0], "in")
    (row,) = tables(p, rows)["headroom"]
    assert (row["inflow_m3"], row["headroom_m3"], row["valid_share"]) == (600, 600, 1)
    assert row["peak_m3_h"] == 25


def test_nothing_but_declared_series_and_days() -> None:
    p = plant([outfall(series("o", "volume", "m3", None), series("o", "ph", "1"))], zone=SHANGHAI)
    result = tables(p, [], days=2)
    assert len(result["hourly"]) == 48
    assert {r["parameter"] for r in result["hourly"]} == {"ph"}
    assert column(result["daily"], "valid_share") == [0, 0]  # the flow is unknown: all time is due
