"""Headroom and unreconciled differences as alerts: the watch on a real journal and ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from live.test_watch import HOUR_MS, PLANT, SETTLE_MS, T0, Live, closed
from live.test_watch_gateways import opened

from plant_monitor.alerts.lifecycle import Kind
from plant_monitor.clock import ManualClock
from plant_monitor.plant import Member, Name, Point, Role, Series, Tariff
from plant_monitor.readings import Readings

MINUTE = 60_000
SMALL = replace(
    PLANT,
    capacity_m3_d=Decimal(240),
    inlet="inlet",
    members=(Member("m", Name("成员", "member"), quota_m3_d=Decimal(200)),),
    points=(
        Point("out", Role.OUTFALL, (Series("out", "flow", "m3/h", MINUTE),), "m", ()),
        Point("inlet", Role.INLET, (Series("inlet", "flow", "m3/h", MINUTE),), None, ()),
    ),
    tariff=Tariff(difference_tolerance=Decimal("0.05")),
)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    one = opened(tmp_path, ManualClock(T0), SMALL)
    yield one
    closed(one)


def flow(live: Live, hours: range, out: float, inlet: float) -> None:
    times = np.arange(T0 + hours.start * HOUR_MS, T0 + hours.stop * HOUR_MS, MINUTE)
    wave = 1 + 0.01 * np.sin(times / 1e6)
    live.append(Readings.concat([Readings.of(times, 0, out * wave), Readings.of(times, 1, inlet * wave)]))


def news(live: Live, hours: range, kind: str) -> dict[int, list[str]]:
    """Titles about a kind, by the hour at which they came."""
    told = {}
    for hour in hours:
        before = len(live.titles())
        live.at(T0 + hour * HOUR_MS + SETTLE_MS)
        mine = [t for t in live.titles()[before:] if kind in t]
        if mine:
            told[hour] = sorted(mine)
    return told


def test_a_day_on_its_way_past_capacity_and_quota_is_told_in_its_second_hour_and_when_it_is_over(live: Live) -> None:
    flow(live, range(24), 5.0, 5.0)
    flow(live, range(24, 36), 12.0, 12.0)
    flow(live, range(36, 60), 3.0, 3.0)
    told = news(live, range(20, 60), "more than is allowed")
    warning, over = "[WARNING] {}: volume, more than is allowed", "[WARNING OVER] {}: volume, more than is allowed"
    assert told == {
        26: [warning.format("member"), warning.format("plant")],  # one hour alone is no tendency
        37: [over.format("plant")],  # 202 m3 in the last 24 h, 180 m3 by midnight
        39: [over.format("member")],
    }
    member, plant = sorted(live.ledger.alerts.find(kind=Kind.HEADROOM), key=lambda a: a.member, reverse=True)
    assert (member.member, member.point, plant.member) == ("m", "", "")
    assert member.told.limit == 200.0 and plant.told.limit == 240.0


def test_a_day_whose_inlet_and_outfalls_differ_is_told_once_it_is_over(live: Live) -> None:
    flow(live, range(24), 8.0, 8.2)  # within 5 %
    flow(live, range(24, 48), 7.0, 8.0)
    flow(live, range(48, 72), 8.0, 8.2)
    told = news(live, range(20, 72), "differ")
    assert told == {48: ["[WARNING] inlet: volume, inlet and outfalls differ"]}
    (alert,) = live.ledger.alerts.find(kind=Kind.UNRECONCILED_DIFFERENCE)
    assert alert.told.peak == pytest.approx(24.0, rel=0.01)
    assert alert.told.evidence is not None
    assert alert.told.evidence.en.startswith(
        "inlet 192 m3, outfalls together 168 m3, difference +24 m3, tolerated 9.602 m3"
    )


def test_late_data_that_reconcile_a_day_withdraw_it(live: Live) -> None:
    flow(live, range(24), 7.0, 8.0)
    flow(live, range(24, 48), 8.0, 8.0)
    assert news(live, range(22, 26), "differ") == {24: ["[WARNING] inlet: volume, inlet and outfalls differ"]}
    flow(live, range(24), 8.0, 8.0)
    assert news(live, range(26, 28), "differ") == {26: ["[WARNING WITHDRAWN] inlet: volume, inlet and outfalls differ"]}


def test_a_day_that_is_not_known_whole_is_not_compared(live: Live) -> None:
    flow(live, range(20), 7.0, 8.0)
    flow(live, range(24, 30), 7.0, 7.0)
    assert news(live, range(20, 30), "differ") == {}
