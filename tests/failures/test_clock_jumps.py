"""Design §6, row "clock jumps", on a whole service whose host's clock is set while it runs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from servers import Mosquitto, free_port, wait_until

from plant_monitor.clock import SystemClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.plant import ModbusDevice
from plant_monitor.service import Service, Settings
from simulators.rows import RowServer

PLANT = """
plant: {id: jumps, name: {zh: 厂, en: plant}, timezone: Asia/Shanghai, capacity_m3_d: 1200}
members: []
points:
  - id: basin
    role: process
    parameters: {mlss: {unit: mg/L, interval: 1s}, cod_cr: {interval: 1h}, ph: {interval: 1m}}
devices:
  - id: plc
    protocol: modbus-tcp
    address: 127.0.0.1:MODBUS
    poll: 1s
    timeout: 1s
    readings: [{point: basin, parameter: mlss, register: 0, type: float64, order: ABCD}]
  - {id: timed, protocol: mqtt, broker: 'mqtt://127.0.0.1:BROKER', topic: plants/jumps/+/readings}
  - id: untimed
    protocol: mqtt
    broker: mqtt://127.0.0.1:BROKER
    topic: bare
    point: basin
    payload: {values: [{path: v, parameter: ph}]}
"""
MLSS, COD, PH = range(3)
HOUR_S = 3600


class Jumping:
    """A service, its field, and a host's clock that can be set."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.ahead_s = 0.0
        self.clock = SystemClock(lambda: time.time_ns() + round(self.ahead_s * 1e9))
        self.modbus, self.broker = free_port(), broker
        path = folder / "plant.yaml"
        path.write_text(PLANT.replace("MODBUS", str(self.modbus)).replace("BROKER", str(broker.port)), encoding="utf-8")
        self.plant = load_plant(path)
        self.service = Service(self.plant, Settings(folder / "data", port=free_port()), self.clock)
        self.client = Client(CallbackAPIVersion.VERSION2, client_id="field")

    def publish(self, topic: str, told: dict[str, object]) -> None:
        self.client.publish(topic, json.dumps(told), qos=1).wait_for_publish(10)

    def times(self, series: int) -> list[int]:
        readings = self.service.journal.read(series, 0, 1 << 50)
        return readings.time[readings.valid].tolist()


@pytest.fixture
def jumping(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Jumping]:
    one = Jumping(tmp_path, mosquitto)
    plc = next(d for d in one.plant.devices if isinstance(d, ModbusDevice))
    now = one.clock.now_ms() // 1000 * 1000
    times = np.arange(now, now + 600_000, 50)
    with RowServer(plc, times, (times - now)[:, np.newaxis] + 0.5, SystemClock()):
        one.client.connect(mosquitto.host, mosquitto.port)
        one.client.loop_start()
        one.service.start()
        wait_until(lambda: all(d["state"] in ("ok", "subscribed") for d in one.service.health()["devices"]), 30)
        yield one
        one.service.stop()
        one.client.disconnect()
        one.client.loop_stop()


@pytest.mark.parametrize("by_s", [-HOUR_S, 2 * HOUR_S])
def test_the_host_s_clock_is_set_and_put_right(jumping: Jumping, by_s: int) -> None:
    service, true_ms = jumping.service, SystemClock().now_ms
    jumping.publish("bare", {"v": 7.0})
    wait_until(lambda: jumping.times(PH) and jumping.times(MLSS), 20, "all is well")
    jumping.ahead_s = by_s
    wait_until(lambda: service.health()["clock"]["steps"] == 1, 20, "the step is noticed")
    health = service.health()
    assert (health["status"], health["clock"]["state"]) == ("degraded", "set")
    assert abs(health["clock"]["last_step_by_ms"] - by_s * 1000) < 100

    sent = [true_ms() + ahead_s * 1000 for ahead_s in (0, 1800, 3 * HOUR_S)]
    for instant in sent:
        jumping.publish("plants/jumps/basin/readings", {"time": instant, "values": {"cod_cr": 5.0}})
    jumping.publish("bare", {"v": 7.1})
    before = len(jumping.times(MLSS))
    wait_until(lambda: jumping.times(COD) == sent, 20, "times of devices are kept as given; none is refused as ahead")
    wait_until(lambda: len(jumping.times(PH)) == 2 and len(jumping.times(MLSS)) >= before + 2, 20, "it goes on")
    for series in (MLSS, PH):
        assert all(abs(t - true_ms()) < 60_000 for t in jumping.times(series)), "our own stamps go on as before"
    assert service.journal.counts().superseded == 0, "no instant was asked for twice"
    assert service.journal.quarantine() == []

    jumping.ahead_s = 0.0
    wait_until(lambda: service.health()["clock"]["state"] == "ok", 20, "the host's clock agrees again")
    jumping.publish("plants/jumps/basin/readings", {"time": true_ms() + HOUR_S * 1000, "values": {"cod_cr": 6.0}})
    wait_until(lambda: len(service.journal.quarantine()) == 1, 20, "what is ahead now is refused")
    wait_until(lambda: found(service), 20, "it is written down")
    assert found(service) == [by_s * 1000], "one finding for one step"


def found(service: Service) -> list[int]:
    return [round(one.detail["by_ms"], -3) for one in service.ledger.audit.list() if one.action == "clock set"]
