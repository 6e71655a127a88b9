"""Stations on a real broker: what they publish, and what they write down as delivered."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from servers import Mosquitto, wait_until
from small_field import HOUR, at, example, field_from
from subscriber import Subscriber

from plant_monitor.clock import ManualClock
from plant_monitor.ingest.payloads import decode_payload
from plant_monitor.plant import ModbusDevice, MqttStation, Plant
from plant_monitor.windows import parse_rfc3339
from simulators.faults import load_scenario
from simulators.field import Field
from simulators.stations import DeliveryLog, Publisher, reports_of, topic_of

EPOCH, START = date(2026, 9, 1), date(2026, 9, 8)


@contextmanager
def publishing(
    plant: Plant, field: Field, clock: ManualClock, log: DeliveryLog, broker: Mosquitto
) -> Iterator[tuple[Publisher, Subscriber]]:
    subscriber = Subscriber(broker.host, broker.port)
    station = next(d for d in plant.devices if isinstance(d, MqttStation))
    publisher = Publisher(station, plant, field, clock, log)
    publisher.start()
    try:
        yield publisher, subscriber
    finally:
        publisher.stop()
        subscriber.close()
        log.close()


def through(clock: ManualClock, until_ms: int) -> None:
    """Let the station serve each due time up to an instant."""
    while (due := clock.waiting(1)) <= until_ms:
        clock.set(due)


def station_of(topic: str, point: str | None = None) -> MqttStation:
    return MqttStation("lab", "127.0.0.1", 1883, False, topic, "readings", point)


@pytest.mark.parametrize(
    ("station", "point", "topic"),
    [
        (station_of("plants/x/+/readings", "{1}"), "inlet", "plants/x/inlet/readings"),
        (station_of("plants/x/+/readings"), "inlet", "plants/x/inlet/readings"),
        (station_of("$share/group/plants/x/+/readings", "{1}"), "inlet", "plants/x/inlet/readings"),
        (station_of("+/+/readings", "{2}"), "inlet", "lab/inlet/readings"),
        (station_of("f/+/r", "{1}-outfall"), "tianma-outfall", "f/tianma/r"),
        (station_of("f/+/r", "{1}-outfall"), "plant-inlet", None),
        (station_of("f/lab", "inlet"), "inlet", "f/lab"),
        (station_of("f/lab", "inlet"), "outlet", None),
        (station_of("f/inlet/readings"), "inlet", "f/inlet/readings"),
        (station_of("f/inlet/readings"), "outlet", None),
        (station_of("f/#", "inlet"), "inlet", "f/readings"),
    ],
)
def test_the_topic_names_the_point(station: MqttStation, point: str, topic: str | None) -> None:
    assert topic_of(station, point) == topic


def test_a_station_reports_what_no_modbus_device_serves() -> None:
    plant = example()
    station = next(d for d in plant.devices if isinstance(d, MqttStation))
    reports = reports_of(plant, field_from(plant, EPOCH), station)
    told = [plant.series[i] for r in reports for i in r.series]
    served = {(r.point, r.parameter) for d in plant.devices if isinstance(d, ModbusDevice) for r in d.readings}
    assert {(s.point, s.parameter) for s in told} == set(plant.series_index) - served
    assert max(Counter(s for r in reports for s in r.series).values()) == 1
    assert all(plant.series[i].interval_ms == r.interval_ms for r in reports for i in r.series)


def test_every_due_reading_reaches_the_broker_once_and_is_logged(mosquitto: Mosquitto, tmp_path: Path) -> None:
    plant = example(broker=mosquitto.port)
    start, end = at(plant, START, 9.5), at(plant, START, 12)
    field, clock = field_from(plant, EPOCH), ManualClock(start)
    log = DeliveryLog(tmp_path / "delivered.jsonl")
    history = field.history(start + 1, end + 1)
    served = {(r.point, r.parameter) for d in plant.devices if isinstance(d, ModbusDevice) for r in d.readings}
    expected = {
        (plant.series[s].point, plant.series[s].parameter, t): v
        for s, t, v in zip(history.series.tolist(), history.time.tolist(), history.value.tolist(), strict=True)
        if (plant.series[s].point, plant.series[s].parameter) not in served
    }
    with publishing(plant, field, clock, log, mosquitto) as (publisher, subscriber):
        through(clock, end)
        wait_until(lambda: log.values == len(expected), what="all acknowledgements")
        wait_until(lambda: len(subscriber.messages) == log.messages, what="all messages")
        assert publisher.unacknowledged() == 0
    told: dict[tuple[str, str, int], float] = {}
    for topic, payload in subscriber.messages:
        point = topic.removeprefix("plants/xieqiao/").removesuffix("/readings")
        message = json.loads(payload)
        time = parse_rfc3339(message["time"])
        told.update({(point, parameter, time): value for parameter, value in message["values"].items()})
    assert told == expected
    lines = [json.loads(line) for line in (tmp_path / "delivered.jsonl").read_text().splitlines()]
    logged = {(m["point"], p, m["time"]): v for m in lines for p, v in m["values"].items()}
    assert logged == expected


def test_payloads_are_readings_to_the_product(mosquitto: Mosquitto, tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(
        "faults:\n"
        "  - {kind: over_range, point: shennong-outfall, parameter: cod_cr, at: 0, for: 5h, value: 10000}\n"
        "  - {kind: comm_lost, point: tianma-outfall, parameter: ammonia_n, at: 0, for: 5h}\n"
        "  - {kind: clock_drift, device: field-analysers, at: 0, for: 5h, seconds_per_hour: -60}\n"
    )
    plant = example(broker=mosquitto.port)
    start = at(plant, START)
    field = field_from(plant, EPOCH, load_scenario(path, plant, start))
    clock, log = ManualClock(start + HOUR - 1), DeliveryLog(None)
    with publishing(plant, field, clock, log, mosquitto) as (_, subscriber):
        through(clock, start + HOUR)
        wait_until(lambda: log.values == 19, what="all acknowledgements")
        wait_until(lambda: len(subscriber.messages) == log.messages, what="all messages")
    seen: dict[tuple[str, str], tuple[int, float, str]] = {}
    for topic, payload in subscriber.messages:
        point = topic.removeprefix("plants/xieqiao/").removesuffix("/readings")
        decoded = decode_payload(payload, topic=topic, point=point, plant=plant, now_ms=clock.now_ms())
        assert not decoded.refused
        readings = decoded.readings
        for k in range(len(readings)):
            series = plant.series[readings.series[k]]
            row = int(readings.time[k]), float(readings.value[k]), chr(readings.mark[k])
            seen[series.point, series.parameter] = row
    assert seen["shennong-outfall", "cod_cr"] == (start + HOUR - 60_000, 10_000.0, "T")
    time, value, mark = seen["tianma-outfall", "ammonia_n"]
    assert (time, mark) == (start + HOUR - 60_000, "B") and np.isnan(value)
    assert seen["plant-effluent", "total_p"][2] == "N"


def test_what_is_published_while_the_broker_is_down_is_delivered_later(mosquitto: Mosquitto, tmp_path: Path) -> None:
    plant = example(broker=mosquitto.port)
    start = at(plant, START, 9)
    field, clock = field_from(plant, EPOCH), ManualClock(start)
    log = DeliveryLog(tmp_path / "delivered.jsonl")
    with publishing(plant, field, clock, log, mosquitto) as (publisher, _):
        through(clock, start + HOUR)
        wait_until(lambda: publisher.unacknowledged() == 0 and log.messages > 0, what="the first hour")
        before = log.messages
        mosquitto.stop()
        through(clock, start + 2 * HOUR)
        assert log.messages == before and publisher.unacknowledged() > 0
        mosquitto.start()
        wait_until(lambda: publisher.unacknowledged() == 0, 15, "the second hour")
        assert log.messages > before


def test_a_station_whose_broker_is_not_there_ends_when_asked() -> None:
    plant = example()
    clock = ManualClock(at(plant, START, 9))
    station = next(d for d in plant.devices if isinstance(d, MqttStation))
    publisher = Publisher(replace(station), plant, field_from(plant, EPOCH), clock, DeliveryLog(None))
    publisher.start()
    through(clock, at(plant, START, 9.5))
    publisher.stop()
    assert not publisher.is_alive() and publisher.unacknowledged() > 0
