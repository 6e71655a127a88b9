"""A dead gateway is one message, not forty: the watch on a real journal and ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live.test_watch import HOUR_MS, PLANT, T0, Live, closed

from plant_monitor.alerts.channels import open_senders
from plant_monitor.alerts.desk import AlertDesk
from plant_monitor.alerts.lifecycle import Kind
from plant_monitor.answers import Evaluations
from plant_monitor.clock import ManualClock
from plant_monitor.gateways import groups
from plant_monitor.ledger import Ledger
from plant_monitor.plant import ModbusDevice, MqttStation, Plant, Point, RegisterReading, Role, Series
from plant_monitor.readings import COMMUNICATION_LOST, NORMAL, Readings
from plant_monitor.store.journal import open_journal
from plant_monitor.watch import Watch

MINUTE = 60_000
FAST = ("flow", "ph", "conductivity", "water_temperature")
UNITS = {"flow": "m3/h", "ph": "1", "conductivity": "uS/cm", "water_temperature": "degC", "cod_cr": "mg/L"}


def point(name: str) -> Point:
    series = [Series(name, q, UNITS[q], MINUTE) for q in FAST] + [Series(name, "cod_cr", "mg/L", HOUR_MS)]
    return Point(name, Role.OUTFALL, tuple(series), "m", ())


def device(name: str, host: str, unit: int, of: str) -> ModbusDevice:
    read = tuple(
        RegisterReading(point=of, parameter=q, table="holding", register=2 * i, type="float32", order="ABCD")
        for i, q in enumerate((*FAST, "cod_cr"))
    )
    return ModbusDevice(name, host, 502, unit, 10_000, read)


GATEWAY = "10.0.0.1"
POINTS = tuple(point(f"p{i}") for i in range(8))  # forty instruments
DEVICES = tuple(device(f"plc{i}", GATEWAY if i < 6 else f"10.0.1.{i}", i, f"p{i}") for i in range(8))
FORTY = replace(PLANT, points=POINTS, devices=DEVICES)


def opened(folder: Path, clock: ManualClock, plant: Plant) -> Live:
    series = [(s.point, s.parameter) for s in plant.series]
    journal = open_journal(folder / "journal.sqlite", series)
    ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    desk = AlertDesk(ledger, open_senders(plant.notify.channels, base=folder), plant, clock)
    watch = Watch(plant, journal, ledger, desk, None, clock)
    return Live(folder, clock, journal, ledger, desk, watch, Evaluations(plant, journal, journal, None, clock))  # type: ignore[arg-type]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    one = opened(tmp_path, ManualClock(T0), FORTY)
    yield one
    closed(one)


def feed(live: Live, points: range, start: int, end: int, *, lost: bool = False) -> None:
    """Readings of some points in ``[start, end)``, or the word that they could not be had."""
    parts = []
    for index, series in enumerate(FORTY.series):
        step = series.interval_ms or MINUTE
        times = np.arange(-(-start // step) * step, end, step) + index % 7 * 1000
        times = times[(times >= start) & (times < end)]
        if int(series.point[1:]) in points and times.size:
            values = 5.0 + 0.1 * np.sin(times / 1e6)  # alive
            mark = COMMUNICATION_LOST if lost else NORMAL
            parts.append(
                Readings.of(times, index, np.full(times.size, np.nan) if lost else values, np.full(times.size, mark))
            )
    live.append(Readings.concat(parts))


def news(live: Live, start: int, end: int) -> list[str]:
    """Titles of warnings that came between two instants, looked at each ten minutes."""
    before = len(live.titles())
    for now in range(start, end, 10 * MINUTE):
        live.at(now)
    return sorted(live.titles()[before:])


@pytest.mark.parametrize("lost", [False, True], ids=["nothing comes", "B comes"])
def test_thirty_instruments_behind_a_dead_gateway_are_one_message_and_one_more_when_they_are_back(
    live: Live, lost: bool
) -> None:
    t1, t2, t3 = T0 + 4 * HOUR_MS, T0 + 16 * HOUR_MS, T0 + 22 * HOUR_MS
    feed(live, range(8), T0, t1)
    assert news(live, T0 + 3 * HOUR_MS, t1) == []
    feed(live, range(6, 8), t1, t2)
    if lost:
        feed(live, range(6), t1, t2, lost=True)
    assert news(live, t1, t2) == [f"[WARNING] plant: {GATEWAY}:502, nothing comes"]
    (alert,) = live.ledger.alerts.find(kind=Kind.SILENT_DEVICE)
    assert (alert.point, alert.subject, alert.ongoing) == ("", f"{GATEWAY}:502", True)
    assert live.ledger.alerts.find(kind=Kind.SILENCE) == ()
    feed(live, range(8), t2, t3)
    assert news(live, t2, t3) == [f"[WARNING OVER] plant: {GATEWAY}:502, nothing comes"]


def test_one_device_of_a_gateway_and_one_instrument_of_a_device_are_told_by_themselves(live: Live) -> None:
    t1, t2 = T0 + 4 * HOUR_MS, T0 + 12 * HOUR_MS
    feed(live, range(8), T0, t1)
    news(live, t1 - HOUR_MS, t1)
    feed(live, range(1, 8), t1, t2)
    assert news(live, t1, t2) == ["[WARNING] member outfall: plc0, nothing comes"]
    (alert,) = live.ledger.alerts.find(kind=Kind.SILENT_DEVICE)
    assert (alert.point, alert.subject) == ("p0", "plc0")  # the company sees it


def test_a_device_that_stays_away_after_its_gateway_is_back_has_an_alert_of_its_own(live: Live) -> None:
    t1, t2, t3 = T0 + 4 * HOUR_MS, T0 + 8 * HOUR_MS, T0 + 14 * HOUR_MS
    feed(live, range(8), T0, t1)
    news(live, t1 - HOUR_MS, t1)
    feed(live, range(6, 8), t1, t2)
    assert news(live, t1, t2) == [f"[WARNING] plant: {GATEWAY}:502, nothing comes"]
    feed(live, range(1, 8), t2, t3)
    assert news(live, t2, t3) == [
        "[WARNING OVER] plant: 10.0.0.1:502, nothing comes", "[WARNING] member outfall: plc0, nothing comes",
    ]  # fmt: skip


def test_groups_have_the_narrowest_name_and_a_station_leaves_others_to_their_devices() -> None:
    made = groups(FORTY)
    assert [(g.id, len(g.series), g.point) for g in made][:3] == [
        ("p", 40, ""),
        (f"{GATEWAY}:502", 30, ""),
        ("plc0", 5, "p0"),
    ]
    assert len(made) == 10
    station = MqttStation("station", "10.0.0.9", 1883, False, "plants/p/+/readings", point="{1}")
    both = groups(replace(FORTY, devices=(*DEVICES[:7], station)))
    assert [(g.id, len(g.series)) for g in both][:3] == [("p", 40), (f"{GATEWAY}:502", 30), ("plc0", 5)]
    assert ("station", 5, "p7") in [(g.id, len(g.series), g.point) for g in both]
    assert groups(PLANT) == ()  # no devices: nothing is known of what they share
