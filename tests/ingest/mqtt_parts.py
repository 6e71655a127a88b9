"""What the tests of MQTT share: a receiver on a real broker, publishers, and what the broker still holds."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from field_parts import HOUR, MIDNIGHT, SECOND, journal_of, plant_of, rows, series, soon

from plant_monitor.clock import ManualClock
from plant_monitor.errors import StoreUnavailable
from plant_monitor.ingest.intake import AppendCounts, Intake
from plant_monitor.ingest.mqtt import MqttReceiver
from plant_monitor.plant import MqttStation, Plant
from plant_monitor.readings import Readings, Refused
from plant_monitor.store.journal import Journal

PLANT = plant_of(series("p", "ph"), series("p", "cod_cr"))
NOW = MIDNIGHT + HOUR
TOPIC = "plants/testplant/p/readings"
CLIENT_ID = "plant-monitor-testplant-station"


def message(second: int, value: float = 7.0) -> str:
    return json.dumps({"time": MIDNIGHT + second * SECOND, "values": {"ph": value}})


class Store:
    """The real journal, which can be held up, be full, or stumble over one batch."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.open = threading.Event()
        self.open.set()
        self.full = False
        self.stumble: Callable[[Readings], bool] = lambda readings: False
        self.entered = threading.Semaphore(0)

    def append(self, readings: Readings, refused: Sequence[Refused] = (), **how: Any) -> AppendCounts:
        self.entered.release()
        assert self.open.wait(30)
        if self.full:
            raise StoreUnavailable("disk full")
        if self.stumble(readings):
            raise TypeError("a mistake of the program")
        return self.journal.append(readings, refused, **how)


@dataclass
class Bench:
    store: Store
    intake: Intake
    receiver: MqttReceiver
    clock: ManualClock

    @property
    def health(self) -> dict[str, object]:
        return self.receiver.health()

    def subscribed(self) -> None:
        soon(lambda: self.health["state"] == "subscribed", 20)

    def acknowledged(self, count: int) -> None:
        soon(lambda: self.health["acknowledged"] == count, 20)

    def rows(self, index: int = 0) -> list[tuple[int, float | None, str]]:
        return rows(self.store.journal, index)


@contextlib.contextmanager
def receiving(
    folder: Path, port: int, *, plant: Plant = PLANT, name: str = "journal", **station: object
) -> Iterator[Bench]:
    """A receiver that runs, and a journal of its own. ``station``: keys of MqttStation."""
    clock = ManualClock(NOW)
    store = Store(journal_of(plant, folder / f"{name}.db"))
    intake = Intake(store, clock)
    intake.start()
    options: dict[str, object] = {"tls": False, "topic": "plants/testplant/+/readings"} | station
    receiver = MqttReceiver(
        MqttStation("station", "127.0.0.1", port, **options),  # type: ignore[arg-type]
        plant,
        intake,
        clock,
        back_off_s=(0.05, 0.2),
        folder=folder,
    )
    receiver.start()
    try:
        yield Bench(store, intake, receiver, clock)
    finally:
        store.open.set()
        receiver.stop()
        intake.stop()
        store.journal.close()


@contextlib.contextmanager
def client(port: int, client_id: str = "", *, clean: bool = True) -> Iterator[mqtt.Client]:
    made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=clean)
    connected = threading.Event()
    made.on_connect = lambda *_: connected.set()
    made.heard = []  # type: ignore[attr-defined]
    made.on_message = lambda c, _, m: c.heard.append((m.topic, m.payload, m.retain))
    made.connect("127.0.0.1", port)
    made.loop_start()
    assert connected.wait(10)
    try:
        yield made
    finally:
        made.disconnect()
        made.loop_stop()


def publish(port: int, *payloads: str | bytes, topic: str = TOPIC, retain: bool = False, qos: int = 1) -> None:
    with client(port) as publisher:
        infos = [publisher.publish(topic, p, qos=qos, retain=retain) for p in payloads]
        for info in infos:
            info.wait_for_publish(20)
            assert info.is_published()


def left_at_broker(port: int) -> list[bytes]:
    """What the receiver's session still holds: everything it did not acknowledge."""
    with client(port, CLIENT_ID, clean=False) as successor, client(port) as marker:
        successor.subscribe("marker", 1)
        soon(
            lambda: (
                marker.publish("marker", "end", 1).is_published() or any(t == "marker" for t, _, _ in successor.heard)
            )
        )
        soon(lambda: any(t == "marker" for t, _, _ in successor.heard))
        return [p for t, p, _ in successor.heard if t == TOPIC]
