"""MQTT stations: analysers and the plant's own station publish what they measured, at QoS 1.

Every message the broker acknowledged is written to a delivery log, one JSON line each, so that somebody can count
afterwards whether each of its values was stored.
"""

from __future__ import annotations

import heapq
import json
import math
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion

from plant_monitor.clock import Clock
from plant_monitor.plant import MqttStation, Plant
from plant_monitor.readings import NORMAL, mark_text
from plant_monitor.windows import rfc3339
from simulators.field import DAY_MS, TOTALISER_MS, Field, due_times


def topic_of(station: MqttStation, point: str) -> str | None:
    """The topic under which a station tells of a point; None where the station's pattern cannot name it."""
    topic = re.sub(r"^\$share/[^/]+/", "", station.topic)
    if station.point is None and "+" not in topic:
        return topic if topic.split("/")[-2:-1] == [point] else None
    pattern = station.point or "{1}"
    parts = re.split(r"\{(\d+)\}", pattern)
    found = re.fullmatch("".join(re.escape(p) if i % 2 == 0 else "(.+)" for i, p in enumerate(parts)), point)
    if found is None:
        return None
    levels = {int(n): text for n, text in zip(parts[1::2], found.groups(), strict=True)}
    pluses = iter(range(1, topic.count("+") + 1))
    return re.sub(r"\+", lambda _: levels.get(next(pluses), station.id), topic).replace("#", "readings")


class DeliveryLog:
    """What brokers acknowledged, one JSON line a message; None keeps count only."""

    def __init__(self, path: Path | None) -> None:
        self._file: IO[str] | None = path.open("a", encoding="utf-8") if path else None
        self._lock = threading.Lock()
        self.messages = 0
        self.values = 0

    def delivered(self, message: dict[str, Any]) -> None:
        """Record one message."""
        with self._lock:
            self.messages += 1
            self.values += len(message["values"])
            if self._file is not None and not self._file.closed:
                self._file.write(json.dumps(message, separators=(",", ":")) + "\n")
                self._file.flush()

    def close(self) -> None:
        """End the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()


@dataclass(frozen=True, slots=True)
class Report:
    """What a station tells in one message: series of one point that share an interval."""

    point: str
    topic: str
    interval_ms: int
    series: tuple[int, ...]


def reports_of(plant: Plant, field: Field, station: MqttStation) -> list[Report]:
    """All reports of a station: the series that no Modbus device serves and that it can name."""
    groups: dict[tuple[str, int], list[int]] = {}
    for index, series in enumerate(plant.series):
        if field.station_of(series) == station:
            groups.setdefault((series.point, series.interval_ms or TOTALISER_MS), []).append(index)
    topics = {point: topic_of(station, point) for point, _ in groups}
    return [
        Report(point, topic, interval, tuple(series))
        for (point, interval), series in groups.items()
        if (topic := topics[point]) is not None
    ]


class Publisher(threading.Thread):
    """One station on its broker: publishes each report at its due times, by the station's own clock."""

    def __init__(self, station: MqttStation, plant: Plant, field: Field, clock: Clock, log: DeliveryLog) -> None:
        super().__init__(name=f"station {station.id}", daemon=True)
        self.station, self.plant, self.field, self.clock, self.log = station, plant, field, clock, log
        self.reports = reports_of(plant, field, station)
        self._stopping = threading.Event()
        self._waiting: dict[int, dict[str, Any]] = {}  # message id -> what it told
        self._early: set[int] = set()  # acknowledged before we knew their id
        self._lock = threading.Lock()
        self._client = self._make_client()

    def _make_client(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=f"{self.station.id}-simulator")
        client.on_publish = self._acknowledged
        client.max_inflight_messages_set(100)
        client.reconnect_delay_set(1, 5)
        if self.station.username is not None:
            client.username_pw_set(self.station.username, self.station.password)
        if self.station.tls:
            client.tls_set()
        return client

    def run(self) -> None:
        """Publish until stopped."""
        self._client.connect_async(self.station.host, self.station.port, keepalive=60)
        self._client.loop_start()
        agenda = [(self._next_due(r, self.clock.now_ms()), i) for i, r in enumerate(self.reports)]
        heapq.heapify(agenda)
        while agenda:
            due, i = agenda[0]
            if self.clock.wait_until(due, self._stopping):
                break
            self._publish(self.reports[i], due)
            heapq.heapreplace(agenda, (self._next_due(self.reports[i], due), i))
        self._end()

    def stop(self) -> None:
        """Stop publishing, wait a moment for the last acknowledgements, and disconnect."""
        self._stopping.set()
        if self.is_alive():
            self.join(10)

    def unacknowledged(self) -> int:
        """Messages that the broker has not confirmed yet."""
        with self._lock:
            return len(self._waiting)

    def _next_due(self, report: Report, after_ms: int) -> int:
        """The first due time after an instant."""
        return int(due_times(after_ms + 1, after_ms + 2 * DAY_MS, report.interval_ms, self.plant)[0])

    def _publish(self, report: Report, due_ms: int) -> None:
        time_ms = due_ms + int(self.field.clock_error_ms(self.station.id, np.array([due_ms]))[0])
        values, marks = self._look(report.series, due_ms)
        told: dict[str, Any] = {"time": rfc3339(time_ms, self.plant.zone), "values": values}
        if marks:
            told["marks"] = marks
        info = self._client.publish(report.topic, json.dumps(told), qos=1)
        self._sent(info, {"point": report.point, "time": time_ms, "values": values, "marks": marks})

    def _look(self, series: Sequence[int], due_ms: int) -> tuple[dict[str, float | None], dict[str, str]]:
        """(values, marks other than N) by parameter."""
        values: dict[str, float | None] = {}
        marks: dict[str, str] = {}
        for index in series:
            value, mark = self.field.sample(index, np.array([due_ms], dtype=np.int64))
            parameter = self.plant.series[index].parameter
            values[parameter] = float(value[0]) if math.isfinite(value[0]) else None
            if mark[0] != NORMAL:
                marks[parameter] = mark_text(int(mark[0]))
        return values, marks

    def _sent(self, info: MQTTMessageInfo, message: dict[str, Any]) -> None:
        """Remember a message until it is acknowledged. Never holds our lock while paho holds its own."""
        with self._lock:
            if info.mid in self._early:
                self._early.discard(info.mid)
            else:
                self._waiting[info.mid] = message
                return
        self.log.delivered(message)

    def _acknowledged(self, _client: Client, _data: Any, mid: int, *_: Any) -> None:
        """The broker has the message (PUBACK)."""
        with self._lock:
            message = self._waiting.pop(mid, None)
            if message is None:
                self._early.add(mid)
                return
        self.log.delivered(message)

    def _end(self) -> None:
        pause = threading.Event()
        for _ in range(40):
            if not self.unacknowledged() or not self._client.is_connected():
                break
            pause.wait(0.05)
        self._client.disconnect()
        self._client.loop_stop()
