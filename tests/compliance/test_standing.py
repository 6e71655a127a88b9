"""What is left at an instant, worked by hand: two members, an inlet, a design load."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plant_monitor.answers import Outlooks
from plant_monitor.compliance.standing import standing
from plant_monitor.config.plant_file import parse_plant
from plant_monitor.plant import Plant
from plant_monitor.readings import NORMAL, Readings
from plant_monitor.store.journal import open_journal
from plant_monitor.store.memory import MemorySource

HOUR = 3_600_000
DAY = 24 * HOUR
MIDNIGHT = int(datetime(2026, 10, 1, 16, tzinfo=UTC).timestamp()) * 1000  # October 2nd in Shanghai
SPANS = ("last_hour", "last_24_h", "today", "midnight")

PLANT = """
plant:
  id: small
  name: {zh: 小厂, en: Small}
  timezone: Asia/Shanghai
  capacity_m3_d: 480
INLET  design_load_kg_d: {cod_cr: 240}
members:
  - {id: alpha, name: {zh: 甲, en: Alpha}, quota_m3_d: 120}
  - {id: beta, name: {zh: 乙, en: Beta}, capacity_share: 0.5}
  - {id: gamma, name: {zh: 丙, en: Gamma}}
points:
  - id: a
    role: outfall
    member: alpha
    parameters: {flow: {unit: m3/h, interval: 1h}, cod_cr: {unit: g/L, interval: 1h}}
  - id: b
    role: outfall
    member: beta
    parameters: {flow: {unit: m3/h, interval: 1h}, cod_cr: {unit: mg/L, interval: 1h}}
POINTS"""
AN_INLET = "  - {id: in, role: inlet, parameters: {flow: {unit: m3/h, interval: 1h}}}\n"


def a_plant(*, inlet: bool = False, points: str = "") -> Plant:
    text = PLANT.replace("INLET", "  inlet: in\n" if inlet else "")
    return parse_plant(text.replace("POINTS", (AN_INLET if inlet else "") + points), "small.yaml", {})


def hourly(plant: Plant, point: str, parameter: str, values: dict[int, float]) -> Readings:
    """Readings by hour from midnight on (negative: the day before)."""
    times = np.array([MIDNIGHT + hour * HOUR for hour in values], dtype=np.int64)
    index = plant.series_index[point, parameter]
    return Readings.of(times, index, np.array(list(values.values())), np.full(times.size, NORMAL))


def rows_of(plant: Plant, readings: list[Readings], now_ms: int) -> dict[tuple[str, str, str], dict[str, Any]]:
    table = standing(plant, Readings.concat(readings), now_ms)
    return {(row["member"], row["quantity"], row["span"]): row for row in table.rows()}


def steady(plant: Plant, until: int) -> list[Readings]:
    """Alpha 4 m³/h at 1 g/L, beta 6 m³/h at 500 mg/L until midnight and 10 m³/h after."""
    hours = range(-24, until)
    return [
        hourly(plant, "a", "flow", dict.fromkeys(hours, 4.0)),
        hourly(plant, "a", "cod_cr", dict.fromkeys(hours, 1.0)),
        hourly(plant, "b", "flow", {h: 6.0 if h < 0 else 10.0 for h in hours}),
        hourly(plant, "b", "cod_cr", dict.fromkeys(hours, 500.0)),
    ]


def test_worked_by_hand() -> None:
    plant = a_plant()
    rows = rows_of(plant, steady(plant, 6), MIDNIGHT + 6 * HOUR)

    def told(member: str, quantity: str) -> list[tuple[float, ...]]:
        return [
            tuple(round(rows[member, quantity, s][name], 9) for name in ("amount", "allowed", "headroom", "used_share"))
            for s in SPANS
        ]

    # The plant: 14 m3/h since midnight, 10 before; 18 more hours at 14.
    assert told("", "volume") == [
        (14, 20, 6, 0.7),
        (84 + 180, 480, 216, 0.55),
        (84, 480, 396, 0.175),
        (84 + 252, 480, 144, 0.7),
    ]
    # Its load: 4 + 5 kg/h since midnight, 4 + 3 before.
    assert told("", "cod_cr") == [
        (9, 10, 1, 0.9),
        (54 + 126, 240, 60, 0.75),
        (54, 240, 186, 0.225),
        (216, 240, 24, 0.9),
    ]
    assert told("alpha", "volume") == [(4, 5, 1, 0.8), (96, 120, 24, 0.8), (24, 120, 96, 0.2), (96, 120, 24, 0.8)]
    assert [rows["beta", "volume", s]["allowed"] for s in SPANS] == [10, 240, 240, 240]  # half of the capacity
    assert (rows["", "volume", "midnight"]["start"], rows["", "volume", "midnight"]["end"]) == (
        "2026-10-02T00:00:00+08:00",
        "2026-10-03T00:00:00+08:00",
    )
    assert rows["", "volume", "last_24_h"]["start"] == "2026-10-01T06:00:00+08:00"


def test_a_member_without_quota_or_outfall_is_shown_as_unknown() -> None:
    plant = a_plant()
    row = rows_of(plant, steady(plant, 6), MIDNIGHT + 6 * HOUR)["gamma", "volume", "today"]
    assert (row["amount"], row["allowed"], row["headroom"], row["valid_share"]) == (None, None, None, 0)


def test_at_midnight_today_is_empty_and_the_day_goes_on_as_the_last_hour() -> None:
    plant = a_plant()
    rows = rows_of(plant, steady(plant, 0), MIDNIGHT)
    assert (rows["", "volume", "today"]["amount"], rows["", "volume", "today"]["used_share"]) == (0, 0)
    assert rows["", "volume", "midnight"]["amount"] == pytest.approx(240)
    assert rows["", "volume", "last_24_h"]["amount"] == pytest.approx(240)


def test_less_than_three_quarters_known_says_nothing_of_what_is_left() -> None:
    plant = a_plant()
    hours = [h for h in range(-24, 6) if h not in range(-18, -10)]  # a reading holds two hours: 7 of 24 unknown
    readings = [hourly(plant, point, "flow", dict.fromkeys(hours, 5.0)) for point in ("a", "b")]
    row = rows_of(plant, readings, MIDNIGHT + 6 * HOUR)["", "volume", "last_24_h"]
    assert row["valid_share"] == pytest.approx(17 / 24)
    assert (row["amount"], row["headroom"], row["used_share"]) == (pytest.approx(170), None, None)
    silent = [hourly(plant, point, "flow", dict.fromkeys(range(-24, 4), 5.0)) for point in ("a", "b")]
    late = rows_of(plant, silent, MIDNIGHT + 6 * HOUR)  # the last hour is unknown, five of today's six are known
    assert late["", "volume", "last_hour"]["amount"] is None
    assert late["", "volume", "today"]["headroom"] == pytest.approx(480 - 50)
    assert (late["", "volume", "midnight"]["amount"], late["", "volume", "midnight"]["headroom"]) == (None, None)


def test_the_inlet_is_the_inflow_and_loads_are_the_outfalls_where_it_measures_none() -> None:
    plant = a_plant(inlet=True)
    readings = [*steady(plant, 6), hourly(plant, "in", "flow", dict.fromkeys(range(-24, 6), 20.0))]
    rows = rows_of(plant, readings, MIDNIGHT + 6 * HOUR)
    assert rows["", "volume", "last_hour"]["amount"] == pytest.approx(20)
    assert rows["", "cod_cr", "last_hour"]["amount"] == pytest.approx(9)


def test_a_load_that_one_outfall_does_not_measure_is_not_the_plants() -> None:
    plant = a_plant(points="  - {id: c, role: outfall, member: beta, parameters: {flow: {unit: m3/h, interval: 1h}}}\n")
    rows = rows_of(plant, steady(plant, 6), MIDNIGHT + 6 * HOUR)
    assert (rows["", "cod_cr", "today"]["headroom"], rows["", "cod_cr", "today"]["valid_share"]) == (None, 0)


# --- with a history ---------------------------------------------------------------------------------------------------


def test_the_forecast_speaks_of_today_and_six_days_more_and_late_days_count(tmp_path: Path) -> None:
    plant = a_plant()
    rng = np.random.default_rng(3)
    flow = {h: float(f) for h, f in zip(range(-40 * 24, 12), np.repeat(rng.uniform(4, 8, 41), 24), strict=False)}
    now_ms = MIDNIGHT + 12 * HOUR + 59 * 60_000
    journal = open_journal(tmp_path / "journal.sqlite", [(s.point, s.parameter) for s in plant.series])
    journal.append(Readings.concat([hourly(plant, point, "flow", flow) for point in ("a", "b")]), accepted_ms=now_ms)
    outlooks = Outlooks(plant, lambda: journal, journal, None)
    told = outlooks(now_ms)
    assert (told.now_ms, told.known_days) == (MIDNIGHT + 12 * HOUR, 40)
    rows = list(told.forecast.rows())
    assert [row["date"] for row in rows] == [date(2026, 10, 2 + h).isoformat() for h in range(7)]
    for row in rows:
        assert 150 < row["p10_m3"] < row["p50_m3"] < row["p90_m3"] < 450
        assert 0 < row["passing_chance"] < 0.1  # of 480: more than any of the days brought
    assert list(outlooks(now_ms).forecast.rows()) == rows

    journal.append(hourly(plant, "a", "flow", dict.fromkeys(range(-24, 0), 50.0)), accepted_ms=now_ms)
    changed = list(outlooks(now_ms).forecast.rows())
    assert changed[0]["p50_m3"] > rows[0]["p50_m3"] + 100
    assert changed == list(Outlooks(plant, lambda: journal, None, None)(now_ms).forecast.rows())
    journal.close()


@pytest.mark.parametrize("days", [0, 1, 27])
def test_too_short_a_history_is_said(days: int) -> None:
    plant = a_plant()
    flow = dict.fromkeys(range(-days * 24, 3), 5.0)
    source = MemorySource(Readings.concat([hourly(plant, point, "flow", flow) for point in ("a", "b")]))
    told = Outlooks(plant, lambda: source, None, None)(MIDNIGHT + 3 * HOUR)
    assert (len(told.forecast), told.known_days, told.needed_days) == (0, days, 28)


def test_nothing_known_at_all() -> None:
    told = Outlooks(a_plant(), lambda: MemorySource(Readings.empty()), None, None)(MIDNIGHT + 3 * HOUR)
    assert len(told.forecast) == 0
    assert all(row["amount"] is None for row in told.standing.rows())
