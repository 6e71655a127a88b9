"""The whole service with a real InfluxDB 1.x, broker and Modbus server: results, alerts and health arrive there.

Design §6, row "InfluxDB down, slow, full, or refuses a point": ingest, compliance and alerts go on.
"""

import contextlib
import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paho.mqtt.publish import single
from servers import Influxd, Mosquitto, free_port, wait_until

from plant_monitor.alerts.lifecycle import Action, Kind
from plant_monitor.clock import ManualClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.data_folder import DataFolder
from plant_monitor.readings import Readings
from plant_monitor.service import Service, Settings
from plant_monitor.windows import HOUR_MS, parse_rfc3339

T0 = parse_rfc3339("2026-10-01T00:00:00+08:00")
DAY_MS, MINUTE_MS = 24 * HOUR_MS, 60_000
NOW = T0 + DAY_MS + 10 * MINUTE_MS  # the day before is over and settled

PLANT = """
plant:
  id: p
  name: {zh: 厂, en: plant}
  timezone: Asia/Shanghai
  capacity_m3_d: 1200
members: [{id: m, name: {zh: 成员, en: member}}]
points:
  - id: out
    role: outfall
    member: m
    limits: [agreed]
    parameters:
      flow: {unit: m3/h, interval: 1h}
      cod_cr: {unit: mg/L, interval: 1h}
      ph: {interval: 1m}
limit_sets:
  - id: agreed
    title: {zh: 协议, en: agreement}
    source: test
    limits: [{parameter: cod_cr, upper: 300, unit: mg/L}]
devices:
  - id: plc
    protocol: modbus-tcp
    address: 127.0.0.1:MODBUS
    poll: 1m
    timeout: 1s
    readings: [{point: out, parameter: ph, table: holding, register: 0, type: float32, order: ABCD}]
  - {id: station, protocol: mqtt, broker: 'mqtt://127.0.0.1:BROKER', topic: plants/p/+/readings}
store:
  influxdb: {url: 'INFLUX', api: v1, bucket: readings, results_bucket: results}
"""
FLOW, COD, PH = 0, 1, 2
EXCEEDED = "SELECT value FROM daily WHERE parameter='cod_cr' AND verdict='exceeded'"


class World:
    """A service on a clock that stands still, and the servers around it."""

    def __init__(self, folder: Path, influxd: Influxd, broker: Mosquitto) -> None:
        self.influxd, self.broker = influxd, broker
        text = PLANT.replace("MODBUS", str(free_port())).replace("BROKER", str(broker.port))
        (folder / "plant.yaml").write_text(text.replace("INFLUX", influxd.url), encoding="utf-8")
        self.plant = load_plant(folder / "plant.yaml")
        self.data, self.clock = folder / "data", ManualClock(NOW)
        with DataFolder(self.data).ledger() as ledger:
            self.key = ledger.keys.add("operator", now_ms=NOW).secret

    @contextlib.contextmanager
    def running(self) -> Iterator[Service]:
        service = Service(self.plant, Settings(self.data, port=free_port()), self.clock)
        service.start()
        try:
            # The clock stands still: what a test sets later must come after the watch has looked for the first time.
            wait_until(lambda: service.watch.health()["judged_until_ms"] is not None, what="the first look")
            yield service
        finally:
            service.stop()

    def later(self, minutes: float) -> None:
        self.clock.set(self.clock.now_ms() + round(minutes * MINUTE_MS))

    def get(self, service: Service, path: str) -> bytes:
        request = urllib.request.Request(
            f"{service.api_url}/api/v1/{path}", headers={"Authorization": f"Bearer {self.key}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    def health(self, service: Service) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.get(service, "health"))
        return told

    def results(self, query: str) -> list[dict[str, str]]:
        return self.influxd.query_csv("results", query)


@pytest.fixture
def world(tmp_path: Path, influxd: Influxd, mosquitto: Mosquitto) -> World:
    influxd.create_database("readings")
    influxd.create_database("results")
    return World(tmp_path, influxd, mosquitto)


def exceeded_day(start: int = T0, cod: float = 400.0) -> Readings:
    hours = np.arange(24) * HOUR_MS + start
    return Readings.concat([Readings.of(hours, FLOW, 10.0), Readings.of(hours, COD, cod)])


def states_of(world: World) -> list[str]:
    """Of the exceedances in InfluxDB."""
    return [r["state"] for r in world.results("SELECT state FROM alerts WHERE kind = 'exceedance'")]


def told_of(service: Service) -> int:
    return len(service.ledger.alerts.find(kind=Kind.EXCEEDANCE))


def test_results_alerts_and_health_are_there(world: World) -> None:
    with world.running() as service:
        service.intake.commit(exceeded_day())
        world.later(1)
        wait_until(lambda: told_of(service) == 1, 60, "the alert is open")
        wait_until(lambda: states_of(world), 60, "the alert is in InfluxDB at once")
        wait_until(lambda: world.results(EXCEEDED), 60, "verdicts are published")
        assert [r["value"] for r in world.results(EXCEEDED)] == ["400"]
        service.ledger.alerts.act(1, Action.ACKNOWLEDGE, actor="lin", now_ms=NOW)
        wait_until(
            lambda: states_of(world) == ["acknowledged"],
            60,
            "what people do with an alert shows at once, too",
        )
        for minutes in (2, 3):
            world.later(1)
            wait_until(
                lambda: len(world.results("SELECT state FROM device_health WHERE device = 'plc'")) >= minutes,  # noqa: B023
                60,
                "health is published each minute",
            )
        rows = world.results("SELECT backlog, journal_bytes FROM device_health WHERE device = '' AND point = ''")
        assert float(rows[-1]["journal_bytes"]) > 0 and float(rows[-1]["backlog"]) >= 0
        by_series = world.results("SELECT last_good_ms, age_s, silent FROM device_health WHERE parameter = 'cod_cr'")
        assert by_series[-1]["last_good_ms"] == str(T0 + 23 * HOUR_MS)


def test_a_server_that_does_not_answer_delays_neither_verdicts_nor_alerts(world: World) -> None:
    """Paused (SIGSTOP): the socket is open and nobody answers. Afterwards all is published anew."""
    with world.running() as service:
        assert world.influxd._process is not None
        os.kill(world.influxd._process.pid, signal.SIGSTOP)
        try:
            service.intake.commit(exceeded_day())
            world.later(1)
            # Sooner than the client gives a request up, which it does after 20 s.
            wait_until(lambda: told_of(service) == 1, 19, "verdict and alert need no InfluxDB")
            world.later(24 * 60)
            judged = world.clock.now_ms() - 2 * MINUTE_MS
            wait_until(lambda: service.health()["watch"]["judged_until_ms"] == judged, 19, "and the next day")
            assert service.health()["results"]["days_unpublished"] >= 2
            assert world.health(service)["journal"]["outbox_rows"] >= 48
        finally:
            os.kill(world.influxd._process.pid, signal.SIGCONT)
        wait_until(lambda: service.health()["results"]["days_unpublished"] == 0, 60, "published anew")
        wait_until(lambda: service.health()["journal"]["outbox_rows"] == 0, 60, "the backlog drains")
        wait_until(lambda: states_of(world), 60)
        assert [r["value"] for r in world.results(EXCEEDED)] == ["400"]
        assert len(world.influxd.query_csv("readings", "SELECT value FROM readings WHERE parameter='cod_cr'")) == 24


def test_down_over_a_restart_of_ours(world: World) -> None:
    """The server is away, our process ends and begins again: the next one publishes what the first could not."""
    world.influxd.stop()
    with world.running() as service:
        service.intake.commit(exceeded_day())
        world.later(1)
        wait_until(lambda: told_of(service) == 1, 60)
        wait_until(lambda: service.health()["results"]["state"] == "waiting", 60)
        assert world.health(service)["status"] == "degraded"
    world.influxd.start()
    with world.running() as service:
        wait_until(lambda: service.health()["journal"]["outbox_rows"] == 0, 60)
        wait_until(lambda: world.results(EXCEEDED), 60)
        wait_until(lambda: states_of(world), 60)
        assert told_of(service) == 1, "and nobody is told twice"
        assert len(world.influxd.query_csv("readings", "SELECT value FROM readings WHERE parameter='cod_cr'")) == 24


def test_who_is_silent_is_known_even_who_never_spoke(world: World) -> None:
    """Health, metrics and InfluxDB say the same of a device, and of each series by its own interval."""
    with world.running() as service:
        first = {one["parameter"]: one for one in world.health(service)["series"]}
        assert {name: one["state"] for name, one in first.items()} == {
            "flow": "waiting",
            "cod_cr": "waiting",
            "ph": "waiting",
        }, "too early to call anything silent"
        told = {"time": world.clock.now_ms(), "values": {"cod_cr": 100.0}, "marks": {"cod_cr": "M"}}
        wait_until(lambda: world.health(service)["devices"][1]["state"] == "subscribed", 60)
        single("plants/p/out/readings", json.dumps(told), qos=1, hostname="127.0.0.1", port=world.broker.port)
        wait_until(lambda: service.intake.counters.readings >= 1, 60)
        world.later(3)
        by_name = {one["parameter"]: one for one in world.health(service)["series"]}
        assert by_name["ph"]["state"] == "silent" and by_name["ph"]["last_good_ms"] is None
        assert by_name["cod_cr"]["state"] == "invalid", "maintenance is not silence"
        assert by_name["flow"]["state"] == "waiting"
        plc, station = world.health(service)["devices"]
        assert (plc["silent"], station["silent"]) == (True, False)
        assert world.health(service)["status"] == "degraded"
        wait_until(lambda: world.health(service)["devices"][0]["errors"].get("connect"), 60, "it was asked")
        metrics = world.get(service, "metrics").decode()
        assert 'plant_monitor_device_silent{device="plc"} 1.0' in metrics
        assert 'plant_monitor_device_silent{device="station"} 0.0' in metrics
        assert 'plant_monitor_series_silent{parameter="ph",point="out"} 1.0' in metrics
        assert 'plant_monitor_device_errors_total{device="plc",kind="connect"}' in metrics
        assert 'last_good_timestamp_seconds{parameter="ph"' not in metrics, "it never had a good reading"
        world.later(2 * 60)
        states = {one["parameter"]: one["state"] for one in world.health(service)["series"]}
        assert set(states.values()) == {"silent"}
        assert [device["silent"] for device in world.health(service)["devices"]] == [True, True]
        wait_until(
            lambda: (
                {r["silent"] for r in world.results("SELECT last(silent) AS silent FROM device_health GROUP BY *")}
                >= {"true"}
            ),
            60,
        )
        single(
            "plants/p/out/readings",
            json.dumps({"time": world.clock.now_ms(), "values": {"cod_cr": 120.0}}),
            qos=1,
            hostname="127.0.0.1",
            port=world.broker.port,
        )
        wait_until(
            lambda: {o["parameter"]: o["state"] for o in world.health(service)["series"]}["cod_cr"] == "ok",
            60,
            "back by itself",
        )
        assert world.health(service)["devices"][1]["silent"] is False
