"""The whole service behind its real server: what is stored, judged and done is on the stream as it happens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from servers import free_port, wait_until

from plant_monitor.client import Client, LiveEvent
from plant_monitor.clock import ManualClock
from plant_monitor.config.plant_file import parse_plant
from plant_monitor.readings import Readings
from plant_monitor.service import DataFolder, Service, Settings
from plant_monitor.windows import HOUR_MS, parse_rfc3339

T0 = parse_rfc3339("2026-10-01T00:00:00+08:00")
NOW = T0 + 24 * HOUR_MS + 600_000

PLANT = """
plant: {id: p, name: {zh: 厂, en: plant}, timezone: Asia/Shanghai, capacity_m3_d: 1200}
members: [{id: m, name: {zh: 成员, en: member}}]
points:
  - id: out
    role: outfall
    member: m
    limits: [agreed]
    parameters: {flow: {unit: m3/h, interval: 1h}, cod_cr: {unit: mg/L, interval: 1h}}
limit_sets:
  - id: agreed
    title: {zh: 协议, en: agreement}
    source: test
    limits: [{parameter: cod_cr, upper: 300, unit: mg/L}]
"""


class Listener:
    """Reads a stream from a thread."""

    def __init__(self, url: str, key: str) -> None:
        self.events: list[LiveEvent] = []
        client = Client(url, key, sleep=self._over)
        threading.Thread(target=self._run, args=(client.live(),), daemon=True).start()

    def _over(self, _seconds: float) -> None:
        raise InterruptedError  # no second try

    def _run(self, events: Iterator[LiveEvent]) -> None:
        with suppress(InterruptedError):
            for event in events:
                self.events.append(event)

    def of(self, kind: str) -> list[Any]:
        return [e.data for e in list(self.events) if e.kind == kind]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Service, ManualClock, tuple[str, str]]]:
    clock, port = ManualClock(NOW), free_port()
    with DataFolder(tmp_path).ledger() as ledger:
        key = ledger.keys.add("operator", now_ms=NOW).secret
    running = Service(parse_plant(PLANT, "p.yaml", {}), Settings(tmp_path, port=port), clock)
    running.start()
    wait_until(lambda: running.watch.health()["judged_until_ms"] is not None, 60, "the first look")
    yield running, clock, (f"{running.api_url}/api/v1", key)
    running.stop()


def test_readings_verdicts_and_alerts_are_told_as_they_come(
    service: tuple[Service, ManualClock, tuple[str, str]],
) -> None:
    running, clock, access = service
    listener, client = Listener(*access), Client(*access)
    wait_until(lambda: running.feed._watchers, 30, "somebody listens")
    hours = T0 + HOUR_MS * np.arange(24)
    running.intake.commit(Readings.concat([Readings.of(hours, 0, 10.0), Readings.of(hours, 1, 400.0)]))
    wait_until(lambda: listener.of("readings"), 30, "readings")
    told = {(r["parameter"], r["value"]) for data in listener.of("readings") for r in data["items"]}
    assert told == {("flow", 10.0), ("cod_cr", 400.0)}
    clock.set(NOW + 60_000)
    wait_until(lambda: listener.of("alert"), 60, "the alert")
    wait_until(lambda: listener.of("days"), 60, "verdicts")
    exceeded = {r["date"] for d in listener.of("days") for r in d["items"] if r["verdict"] == "exceeded"}
    assert exceeded == {"2026-10-01"}
    client.post(f"/alerts/{listener.of('alert')[0]['id']}/acknowledge", {"comment": "seen"})
    wait_until(lambda: "acknowledged" in json.dumps(listener.of("alert")), 30, "what a person does")


def test_a_service_ends_although_somebody_listens(service: tuple[Service, ManualClock, tuple[str, str]]) -> None:
    running, _, access = service
    Listener(*access)
    wait_until(lambda: running.feed._watchers, 30, "somebody listens")
    start = time.monotonic()
    running.stop()
    assert time.monotonic() - start < 8  # uvicorn waits ten seconds for answers that do not end


def test_a_slow_start_is_nobodys_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, made = ManualClock(NOW), Service._api

    def slow(self: Service) -> Any:
        clock.set(clock.now_ms() + 5 * HOUR_MS)  # longer than any series of the plant may say nothing
        return made(self)

    monkeypatch.setattr(Service, "_api", slow)
    plant = f"""{PLANT}
devices:
  - id: plc
    protocol: modbus-tcp
    address: 127.0.0.1:{free_port()}
    unit_id: 1
    poll: 1h
    timeout: 1s
    point: out
    readings: [{{parameter: flow, table: input, register: 0, type: float32}}]
"""
    running = Service(parse_plant(plant, "p.yaml", {}), Settings(tmp_path, port=free_port()), clock)
    running.start()
    try:
        (device,) = running.health()["devices"]
        assert not device["silent"]
    finally:
        running.stop()
