"""MQTT intake, acknowledged after the commit: `python -m benchmarks.mqtt`; nothing is asserted.

On the same broker a bare paho subscriber that only acknowledges. First while somebody publishes, then when a backlog
is drained that the broker kept for a subscriber that was away. How many messages are in flight is the broker's
choice (mosquitto: 20 unless `max_inflight_messages` says otherwise), so both are measured with its default and more.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import paho.mqtt.client as mqtt

from plant_monitor.clock import SystemClock
from plant_monitor.ingest.intake import Intake
from plant_monitor.ingest.mqtt import MqttReceiver
from plant_monitor.plant import MqttStation, Name, Plant, Point, Role, Series
from plant_monitor.store.journal import open_journal

PARAMETERS = tuple(f"q{i}" for i in range(10))
PLANT = Plant(
    id="bench",
    name=Name("厂", "plant"),
    zone=ZoneInfo("Asia/Shanghai"),
    capacity_m3_d=Decimal(1200),
    members=(),
    points=(Point("p", Role.PROCESS, tuple(Series("p", q, "mg/L", 1000) for q in PARAMETERS)),),
)
TOPIC = "plants/bench/p/readings"
RUNS = 3


@contextmanager
def broker(folder: Path, in_flight: int) -> Iterator[int]:
    """mosquitto, persistent, on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder.mkdir()
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {folder}/\n"
        f"max_queued_messages 0\nmax_inflight_messages {in_flight}\nuser root\nlog_type error\n"
    )
    path = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if path is None:
        raise SystemExit("mosquitto is not installed")
    process = subprocess.Popen([path, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.01)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def publish(port: int, messages: int, readings: int) -> None:
    """So many messages of so many readings, each at an instant of its own."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    now, objects = SystemClock().now_ms() - 86_400_000, max(1, readings // len(PARAMETERS))
    info = None
    for number in range(messages):
        values = dict.fromkeys(PARAMETERS[: min(readings, len(PARAMETERS))], number / 8)
        batch = [{"time": now + number * objects + i, "values": values} for i in range(objects)]
        info = client.publish(TOPIC, json.dumps(batch if objects > 1 else batch[0]), qos=1)
    if info is not None:
        info.wait_for_publish(300)
    client.disconnect()
    client.loop_stop()


class Bare:
    """A subscriber that only acknowledges."""

    def __init__(self, folder: Path, port: int) -> None:
        self.count, self.subscribed = 0, threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="bare", clean_session=False)
        self._client.on_connect = lambda *_: self._client.subscribe(TOPIC, 1)
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = self._on_message
        self._port = port

    def _on_message(self, *_: object) -> None:
        self.count += 1

    def start(self) -> None:
        """Connect and subscribe."""
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        self.subscribed.wait(10)

    def stop(self) -> None:
        """Leave; the session stays."""
        self._client.disconnect()
        self._client.loop_stop()


class Ours:
    """The receiver, the intake and the journal as the service has them."""

    def __init__(self, folder: Path, port: int) -> None:
        clock = SystemClock()
        self._journal = open_journal(folder / "journal.db", [("p", q) for q in PARAMETERS])
        self._intake = Intake(self._journal, clock)
        station = MqttStation("station", "127.0.0.1", port, tls=False, topic="plants/bench/+/readings")
        self._receiver = MqttReceiver(station, PLANT, self._intake, clock)

    @property
    def count(self) -> int:
        """Acknowledged, so durable."""
        return int(self._receiver.health()["acknowledged"])

    def start(self) -> None:
        """Connect and subscribe."""
        self._intake.start()
        self._receiver.start()
        while self._receiver.health()["state"] != "subscribed":
            time.sleep(0.002)

    def stop(self) -> None:
        """Leave; the session stays."""
        self._receiver.stop()
        self._intake.stop()
        self._journal.close()


def wait_for(one: Bare | Ours, count: int) -> None:
    """Until so many messages are acknowledged."""
    while one.count < count:
        time.sleep(0.002)


def live(make: Callable[[Path, int], Bare | Ours], folder: Path, port: int, messages: int, readings: int) -> float:
    """Messages a second while they are published."""
    one = make(folder, port)
    one.start()
    began = time.perf_counter()
    publish(port, messages, readings)
    wait_for(one, messages)
    spent = time.perf_counter() - began
    one.stop()
    return messages / spent


def backlog(make: Callable[[Path, int], Bare | Ours], folder: Path, port: int, messages: int, readings: int) -> float:
    """Messages a second when the broker hands over what it kept."""
    away = make(folder, port)
    away.start()
    away.stop()
    publish(port, messages, readings)
    one = make(folder, port)
    began = time.perf_counter()
    one.start()
    wait_for(one, messages)
    spent = time.perf_counter() - began
    one.stop()
    return messages / spent


def main() -> None:
    """Print the rates, the better of each pair of runs side by side."""
    for in_flight in (20, 1000):
        for way, messages, readings in ((live, 6000, 1), (backlog, 6000, 1), (live, 1500, 100), (backlog, 1500, 100)):
            best = {"bare": 0.0, "ours": 0.0}
            for _run in range(RUNS):
                for name, make in (("bare", Bare), ("ours", Ours)):
                    with (
                        tempfile.TemporaryDirectory(dir=Path.cwd()) as at,
                        broker(Path(at) / "broker", in_flight) as port,
                    ):
                        rate = way(make, Path(at), port, messages, readings)
                    best[name] = max(best[name], rate)
            bare, ours = best["bare"], best["ours"]
            said = f"{in_flight:4d} in flight, {way.__name__:8s} {readings:3d} readings a message"
            rates = f"{ours:8,.0f} messages/s, {ours / bare:.2f} of bare paho, {ours * readings:9,.0f} readings/s"
            print(f"{said}: {rates}", flush=True)


if __name__ == "__main__":
    main()
