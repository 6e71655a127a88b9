"""Design §6, rows "broker down / restarted" and "a Modbus device is dead, slow, answers late, with another's
transaction, or an exception": a network that is cut, that goes silent without a word, a broker that is paused.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from servers import Mosquitto, wait_until
from tcp_proxy import TcpProxy

from plant_monitor.clock import SystemClock
from plant_monitor.ingest.intake import Intake
from plant_monitor.ingest.modbus import ModbusPoller
from plant_monitor.ingest.mqtt import MqttReceiver
from plant_monitor.plant import ModbusDevice, MqttStation, Name, Plant, Point, RegisterReading, Role, Series
from plant_monitor.store.journal import Journal, open_journal
from simulators.rows import RowServer

PLANT = Plant(
    id="net",
    name=Name("厂", "plant"),
    zone=ZoneInfo("Asia/Shanghai"),
    capacity_m3_d=Decimal(1200),
    members=(),
    points=(Point("p", Role.PROCESS, (Series("p", "ph", "1", 1000), Series("p", "mlss", "mg/L", 1000))),),
)
TOPIC = "plants/net/p/readings"


class Field(threading.Thread):
    """Publishes a value every 5 ms, each at an instant of its own, straight to the broker."""

    def __init__(self, broker: Mosquitto, start_ms: int) -> None:
        super().__init__(daemon=True)
        self.start_ms, self.sent, self.taken = start_ms, 0, 0
        self._stop_asked = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="field")
        self._client.on_publish = self._taken
        self._client.connect(broker.host, broker.port)

    def run(self) -> None:
        self._client.loop_start()
        while not self._stop_asked.wait(0.005):
            told = {"time": self.start_ms + self.sent, "values": {"ph": self.sent / 8}}
            self._client.publish(TOPIC, json.dumps(told), qos=1)
            self.sent += 1
        wait_until(lambda: self.taken >= self.sent, 60, "all messages are with the broker")
        self._client.disconnect()
        self._client.loop_stop()

    def _taken(self, *_: object) -> None:
        self.taken += 1

    def stop(self) -> None:
        self._stop_asked.set()
        self.join(90)


class Receiving:
    """A receiver that sees its broker through ``port``, and a field that publishes."""

    def __init__(self, folder: Path, broker: Mosquitto, port: int, version: str) -> None:
        self.journal: Journal = open_journal(folder / "journal.db", [("p", "ph"), ("p", "mlss")])
        clock = SystemClock()
        self.intake = Intake(self.journal, clock)
        station = MqttStation("station", "127.0.0.1", port, tls=False, topic=TOPIC, version=version)
        self.receiver = MqttReceiver(station, PLANT, self.intake, clock, keepalive_s=1, back_off_s=(0.05, 0.2))
        self.field = Field(broker, clock.now_ms() - 3_600_000)

    def state(self, wanted: str) -> None:
        wait_until(lambda: self.receiver.health()["state"] == wanted, 60, f"the station is {wanted}")

    def some_more(self) -> None:
        before = self.receiver.health()["acknowledged"]
        wait_until(lambda: self.receiver.health()["acknowledged"] > before + 20, 60, "messages come")

    def all_there_once(self) -> None:
        self.field.stop()
        wait_until(lambda: len(self.journal.read(0, 0, 1 << 50)) == self.field.sent, 60, "all come in the end")
        got = self.journal.read(0, 0, 1 << 50)
        assert got.time.tolist() == [self.field.start_ms + i for i in range(self.field.sent)]
        assert got.value.tolist() == [i / 8 for i in range(self.field.sent)]
        assert self.journal.counts().superseded == 0 and self.journal.quarantine() == []


@contextmanager
def receiving(folder: Path, broker: Mosquitto, port: int, version: str = "3.1.1") -> Iterator[Receiving]:
    one = Receiving(folder, broker, port, version)
    one.intake.start()
    one.receiver.start()
    one.state("subscribed")
    one.field.start()
    try:
        yield one
    finally:
        one.field.stop()
        one.receiver.stop()
        one.intake.stop()
        one.journal.close()


both = pytest.mark.parametrize("version", ["3.1.1", "5"])


@both
def test_a_network_that_is_cut_again_and_again_loses_nothing(
    mosquitto: Mosquitto, tmp_path: Path, version: str
) -> None:
    with TcpProxy(mosquitto.port) as network, receiving(tmp_path, mosquitto, network.port, version) as one:
        for _ in range(4):
            one.some_more()
            network.cut()
            one.state("lost")
            network.mend()
            one.state("subscribed")
        one.all_there_once()
        assert one.receiver.health()["sessions_lost"] == 0


@both
def test_a_connection_that_is_dead_without_a_word_is_noticed(
    mosquitto: Mosquitto, tmp_path: Path, version: str
) -> None:
    """Half open: nothing passes, nothing is refused, and only the silence tells."""
    with TcpProxy(mosquitto.port) as network, receiving(tmp_path, mosquitto, network.port, version) as one:
        one.some_more()
        network.silence()
        one.state("lost")
        network.mend()
        one.state("subscribed")
        one.some_more()
        one.all_there_once()


def test_a_broker_that_is_paused_is_waited_for(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """SIGSTOP: its kernel takes the connections, nobody answers."""
    with receiving(tmp_path, mosquitto, mosquitto.port) as one:
        one.some_more()
        mosquitto.signal(signal.SIGSTOP)
        try:
            one.state("lost")
        finally:
            mosquitto.signal(signal.SIGCONT)
        one.state("subscribed")
        one.some_more()
        one.all_there_once()


@both
def test_a_broker_that_is_killed_and_comes_back(mosquitto: Mosquitto, tmp_path: Path, version: str) -> None:
    """What it had acknowledged to the field before it was killed is its own promise; what it kept comes once."""
    with receiving(tmp_path, mosquitto, mosquitto.port, version) as one:
        for _ in range(3):
            one.some_more()
            mosquitto.restart()
            one.state("subscribed")
        one.all_there_once()


@pytest.mark.parametrize("silent", [False, True])
def test_a_modbus_device_behind_a_broken_network(tmp_path: Path, silent: bool) -> None:
    """Only ``B`` while it is away, nothing that was not served, and it is read again by itself."""
    clock = SystemClock()
    start = clock.now_ms() // 1000 * 1000
    times = np.arange(start, start + 600_000, 50)
    register = RegisterReading("p", "mlss", "holding", 0, "float64", "ABCD")
    device = ModbusDevice("plc", "127.0.0.1", 0, 1, 1000, (register,), 500)
    with (
        RowServer(device, times, (times - start)[:, np.newaxis] + 0.5, clock) as server,
        TcpProxy(server.port) as network,
    ):
        journal = open_journal(tmp_path / "journal.db", [("p", "ph"), ("p", "mlss")])
        intake = Intake(journal, clock)
        intake.start()
        poller = ModbusPoller(
            ModbusDevice("plc", "127.0.0.1", network.port, 1, 1000, (register,), 500), PLANT, intake, clock
        )
        poller.start()

        def values() -> list[float]:
            got = journal.read(1, 0, 1 << 50)
            return got.value[got.valid].tolist()

        wait_until(lambda: len(values()) >= 2, 30, "it is read")
        (network.silence if silent else network.cut)()
        wait_until(lambda: poller.health()["state"] == "lost", 30)
        wait_until(lambda: poller.health()["missed"] >= 1, 30, "what is missed is owned up to")
        network.mend()
        before = len(values())
        wait_until(lambda: len(values()) >= before + 2, 60, "it is read again")
        poller.stop()
        intake.stop()
        served = {float(server.rows[k, 0]) for k in server.served}
        assert set(values()) <= served and len(set(values())) == len(values())
        got = journal.read(1, 0, 1 << 50)
        assert {chr(m) for m in got.mark[~got.valid].tolist()} == {"B"}
        journal.close()
