"""Kill −9 of the whole service at random instants, under load, on a real broker and a real Modbus server.

Design §6, row "process killed at any instant": every MQTT message that was acknowledged is stored once and unaltered;
no Modbus value is stored that the device did not serve, none twice; a restart resumes by itself.
"""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from running_service import healthy, service
from servers import Mosquitto, free_port, under_ci, wait_until

from plant_monitor.config.plant_file import load_plant
from plant_monitor.data_folder import DataFolder
from plant_monitor.plant import ModbusDevice, Plant
from simulators.rows import RowServer

from plant_monitor.clock import SystemClock  # isort: skip

KILLS = 30 if under_ci() else 6
ROW_MS = 50  # the device shows another value each 50 ms, and never one twice

PLANT = """
plant:
  id: killed
  name: {zh: 厂, en: plant}
  timezone: Asia/Shanghai
  capacity_m3_d: 1200
members: []
points:
  - id: basin
    role: process
    parameters:
      mlss: {unit: mg/L, interval: 1s}
      cod_cr: {unit: mg/L, interval: 1h}
devices:
  - id: plc
    protocol: modbus-tcp
    address: 127.0.0.1:MODBUS
    poll: 1s
    timeout: 1s
    readings: [{point: basin, parameter: mlss, table: holding, register: 0, type: float64, order: CDAB}]
  - id: station
    protocol: mqtt
    broker: mqtt://127.0.0.1:BROKER
    topic: plants/killed/+/readings
"""


class Publisher(threading.Thread):
    """Publishes one value after another at QoS 1, each at an instant of its own; knows what the broker acknowledged."""

    def __init__(self, broker: Mosquitto, start_ms: int) -> None:
        super().__init__(daemon=True)
        self.start_ms, self.sent = start_ms, 0
        self.acknowledged: set[int] = set()
        self._waiting: dict[int, int] = {}
        self._early: set[int] = set()
        self._stop_asked = threading.Event()
        self._lock = threading.Lock()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="field")
        self._client.on_publish = self._published
        self._client.connect(broker.host, broker.port)

    def run(self) -> None:
        self._client.loop_start()
        while not self._stop_asked.wait(0.01):
            told = {"time": self.start_ms + self.sent, "values": {"cod_cr": self.sent + 0.25}}
            info = self._client.publish("plants/killed/basin/readings", json.dumps(told), qos=1)
            with self._lock:  # never around publish: paho holds a lock of its own there and in the callback
                if info.mid in self._early:
                    self._early.remove(info.mid)
                    self.acknowledged.add(self.sent)
                else:
                    self._waiting[info.mid] = self.sent
            self.sent += 1
        wait_until(lambda: not self._waiting, 60, "all messages are with the broker")
        self._client.disconnect()
        self._client.loop_stop()

    def _published(self, _client: Client, _data: object, mid: int, *_: object) -> None:
        with self._lock:
            if mid in self._waiting:
                self.acknowledged.add(self._waiting.pop(mid))
            else:
                self._early.add(mid)  # acknowledged before publish() has told its number

    def stop(self) -> None:
        self._stop_asked.set()
        self.join(70)


@pytest.fixture
def device(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[tuple[RowServer, Path]]:
    """A device whose value tells when it was served, and the plant.yaml that reads it."""
    text = PLANT.replace("BROKER", str(mosquitto.port)).replace("MODBUS", str(free_port()))
    path = tmp_path / "plant.yaml"
    path.write_text(text, encoding="utf-8")
    plc = next(d for d in load_plant(path).devices if isinstance(d, ModbusDevice))
    now = SystemClock().now_ms() // 1000 * 1000
    times = np.arange(now, now + 600_000, ROW_MS)
    with RowServer(plc, times, (times - now)[:, np.newaxis] + 0.125, SystemClock()) as server:
        yield server, path


def stored(data: Path, plant: Plant, series: int) -> tuple[list[int], list[float]]:
    with DataFolder(data).journal(plant, read_only=True) as journal:
        readings = journal.read(series, 0, 1 << 50)
        assert journal.counts().superseded == 0, "no instant was ever told twice in different words"
        assert journal.quarantine() == []
    return readings.time.tolist(), readings.value.tolist()


def told(values: list[float]) -> list[float]:
    """Without the marks of instants at which the device gave none."""
    return [v for v in values if v == v]


def test_killed_at_random_instants_under_load(
    device: tuple[RowServer, Path], mosquitto: Mosquitto, tmp_path: Path
) -> None:
    server, plant_file = device
    plant, data, port = load_plant(plant_file), tmp_path / "data", free_port()
    chance = random.Random(7)
    with service(plant_file, data, port):
        wait_until(lambda: healthy(port), 30, "the service answers")
        wait_until(lambda: "receiving" in (tmp_path / "service.log").read_text(), 30, "it has subscribed")
        publisher = Publisher(mosquitto, SystemClock().now_ms() - 3_600_000)
        publisher.start()
        time.sleep(0.2)
    for _ in range(KILLS):
        with service(plant_file, data, port) as running:
            wait_until(lambda: healthy(port) or running.poll() is not None, 30, "the service answers again")
            assert running.poll() is None, (tmp_path / "service.log").read_text()[-2000:]
            threading.Event().wait(chance.uniform(0, 1.0))
            running.send_signal(signal.SIGKILL)
    publisher.stop()
    with service(plant_file, data, port) as running:
        wait_until(lambda: healthy(port), 30, "the service answers at last")
        wait_until(
            lambda: len(stored(data, plant, 1)[0]) >= publisher.sent, 60, "the broker has handed over all it kept"
        )
        wait_until(lambda: len(told(stored(data, plant, 0)[1])) >= KILLS / 2, 60, "the device was read often enough")
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 0

    times, values = stored(data, plant, 1)
    assert len(publisher.acknowledged) == publisher.sent > 20 * KILLS
    assert times == [publisher.start_ms + i for i in range(publisher.sent)], "0 lost, 0 doubled"
    assert values == [i + 0.25 for i in range(publisher.sent)], "0 altered"

    times, values = stored(data, plant, 0)
    served = {float(server.rows[k, 0]) for k in server.served}
    numbers = told(values)
    assert len(numbers) >= KILLS / 2
    assert set(numbers) <= served, "nothing that the device did not serve"
    assert len(set(numbers)) == len(numbers), "nothing twice"
    assert len(set(times)) == len(times)


# Ends the service between the commit of a message without a time and its acknowledgement, or just before the commit.
DYING = """
import os, signal, sys
from plant_monitor.cli import main
from plant_monitor.store.journal import Journal

append = Journal.append

def dying(self, *rows, **how):
    if sys.argv[1] == "after":
        append(self, *rows, **how)
    if how["receipts"]:
        os.kill(os.getpid(), signal.SIGKILL)

Journal.append = dying
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_message_without_a_time_is_stored_once_when_its_acknowledgement_is_lost_by_a_kill(
    mosquitto: Mosquitto, tmp_path: Path, version: str
) -> None:
    text = PLANT.replace("BROKER", str(mosquitto.port))
    head, _, station = text.partition("  - id: plc")
    station = station[station.index("  - id: station") :]
    mapping = f"    version: '{version}'\n    payload:\n      values: [{{path: cod, parameter: cod_cr}}]\n"
    plant_file, data, port = tmp_path / "plant.yaml", tmp_path / "data", free_port()
    plant_file.write_text(head + station + mapping, encoding="utf-8")
    plant = load_plant(plant_file)
    series = [(s.point, s.parameter) for s in plant.series].index(("basin", "cod_cr"))
    log = tmp_path / "service.log"

    def subscribed(times: int) -> bool:
        return log.exists() and log.read_text().count("receiving") >= times

    client = Client(CallbackAPIVersion.VERSION2, client_id="field")
    client.connect(mosquitto.host, mosquitto.port)
    client.loop_start()

    def publish(count: int) -> None:
        for _ in range(count):  # each in the same words
            client.publish("plants/killed/basin/readings", '{"cod": 300.5}', qos=1).wait_for_publish(20)

    with service(plant_file, data, port):
        wait_until(lambda: subscribed(1), 30, "it has subscribed")
    command = ["run", str(plant_file), "--data", str(data), "--port", str(port)]
    for instant, count in (("before", 3), ("after", 0), ("after", 2)):
        with subprocess.Popen([sys.executable, "-c", DYING, instant, *command], stderr=subprocess.DEVNULL) as dying:
            publish(count)
            assert dying.wait(60) == -signal.SIGKILL
    left = len(stored(data, plant, series)[0])
    assert left >= 1, "a commit stood"
    with service(plant_file, data, port):
        wait_until(lambda: subscribed(2), 30, "it has subscribed again")
        publish(1)
        wait_until(lambda: len(stored(data, plant, series)[0]) >= 6, 30, "all have come")
        publish(1)
        wait_until(lambda: len(stored(data, plant, series)[0]) >= 7, 30, "the last one has come")
    client.disconnect()
    client.loop_stop()
    assert stored(data, plant, series)[1] == [300.5] * 7, "0 lost, 0 doubled"
