"""Timelines of the real service on a clock that is stepped: these readings at these times over a real broker, these
messages to these people at those times over real HTTP and SMTP, and silence otherwise.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiosmtpd.controller import Controller
from paho.mqtt.publish import multiple
from servers import Mosquitto, free_port, wait_until

from plant_monitor.alerts.lifecycle import Kind
from plant_monitor.clock import ManualClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.service import DataFolder, Service, Settings
from plant_monitor.windows import HOUR_MS, rfc3339

ZONE = ZoneInfo("Asia/Shanghai")
MINUTE = 60_000
Told = dict[str, list[tuple[str, str]]]  # when -> (who, title)

PLANT = """
plant: {id: p, name: {zh: 厂, en: plant}, timezone: Asia/Shanghai, capacity_m3_d: 1200}
members: [{id: m, name: {zh: 成员, en: member}}]
points:
  - id: out
    role: outfall
    member: m
    limits: [agreed]
    parameters:
      flow: {unit: m3/h, interval: 1h}
      cod_cr: {unit: mg/L, interval: 1h}
limit_sets:
  - id: agreed
    title: {zh: 协议, en: agreement}
    source: test
    limits: [{parameter: cod_cr, upper: 300, unit: mg/L}]
devices:
  - {id: station, protocol: mqtt, broker: 'mqtt://127.0.0.1:BROKER', topic: plants/p/+/readings}
notify:
  language: en
  channels:
    - {id: phone, url: 'json://127.0.0.1:HTTP/hook'}
    - {id: mail, url: 'mailto://127.0.0.1:SMTP?from=monitor@plant.example&to=wang@office.example&mode=insecure'}
  people:
    - {id: chen, role: officer, channels: [phone]}
    - {id: wang, role: supervisor, channels: [mail]}
  policies:
    - {kinds: [exceedance], tell: [officer], acknowledge: 2h, answer: 2 working days, remind: 4 office hours}
    - {kinds: [silent_device, silence], tell: [officer], answer: 20 working days}
"""


def ms(text: str) -> int:
    return round(datetime.fromisoformat(f"2026-10-{text}").replace(tzinfo=ZONE).timestamp() * 1000)


class Office:
    """Where messages arrive: a web hook and a mailbox, both real; each with the time at which it came."""

    def __init__(self, clock: ManualClock) -> None:
        self.told: Told = {}
        self.bodies: dict[str, str] = {}  # by title, the last
        self._clock, office = clock, self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                office.note("chen", body["title"])
                office.bodies[body["title"]] = body["message"]
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http_port, self.smtp_port = self._http.server_port, free_port()
        self._smtp = Controller(self, hostname="127.0.0.1", port=self.smtp_port)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        letter = message_from_bytes(envelope.content, policy=policy.default)
        self.note("wang", str(letter["Subject"]))
        return "250 OK"

    def note(self, who: str, title: str) -> None:
        when = f"{datetime.fromtimestamp(self._clock.now_ms() // 1000, ZONE):%d %H:%M}"
        self.told.setdefault(when, []).append((who, title))

    def start(self) -> None:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        self._smtp.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._smtp.stop()


class World:
    """The service, its broker, its clock and the office."""

    def __init__(self, folder: Path, broker: Mosquitto, start: str) -> None:
        self.clock, self.broker, self.data = ManualClock(ms(start)), broker, folder / "data"
        self.office = Office(self.clock)
        self.cod: float | None = 100.0  # None: the station says nothing
        self.text = PLANT.replace("BROKER", str(broker.port)).replace("HTTP", str(self.office.http_port))
        self.file = folder / "plant.yaml"
        self.write("")
        with DataFolder(self.data).ledger() as ledger:
            self.keys = {r: ledger.keys.add(r, now_ms=0, label=r).secret for r in ("operator", "officer")}
        self.service: Service

    def write(self, more: str) -> None:
        self.file.write_text(self.text.replace("SMTP", str(self.office.smtp_port)) + more, encoding="utf-8")

    @contextmanager
    def running(self) -> Iterator[None]:
        self.service = Service(load_plant(self.file), Settings(self.data, port=free_port()), self.clock)
        self.service.start()
        try:
            self.settle()
            wait_until(lambda: self.service.sources[0].health()["state"] == "subscribed", what="the station")
            yield
        finally:
            self.service.stop()

    def settle(self) -> None:
        """Until all that this instant causes is done: nobody but the clock is waited for, and nothing is owed."""

        def quiet() -> bool:
            due = self.service.ledger.deliveries.next_due_ms()
            still = all(self.clock.waits(name) for name in ("watch", "alert-desk"))
            return still and (due is None or due > self.clock.now_ms())

        wait_until(quiet, 30, what="quiet")

    def step(self, time_ms: int) -> None:
        self.clock.set(time_ms)
        self.settle()

    def until(self, end: str) -> None:
        """Hour by hour: the station reports on each at its second minute, and half past is looked again."""
        while (now := self.clock.now_ms()) < ms(end):
            hour = now // HOUR_MS * HOUR_MS + HOUR_MS
            self.step(hour - HOUR_MS // 2 if now < hour - HOUR_MS // 2 else hour + 2 * MINUTE)
            if self.clock.now_ms() % HOUR_MS == 2 * MINUTE and self.cod is not None:
                self.push(hour, self.cod)

    def push(self, time_ms: int, cod: float) -> None:
        before = self.stored()
        reading = {"time": rfc3339(time_ms, ZONE), "values": {"flow": 10.0 + cod / 1e4, "cod_cr": cod}}
        message = {"topic": "plants/p/out/readings", "payload": json.dumps(reading), "qos": 1}
        multiple([message], hostname="127.0.0.1", port=self.broker.port)
        wait_until(lambda: self.stored() == before + 2, what="the readings in the journal")

    def stored(self) -> int:
        counts = self.service.journal.counts()
        return int(counts.hot.sum() + counts.sealed.sum())

    def alert(self) -> int:
        """The id of the exceedance's alert; warnings came before it."""
        (one,) = self.service.ledger.alerts.find(kind=Kind.EXCEEDANCE)
        return one.id

    def post(self, who: str, path: str, **body: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.keys[who]}", "Content-Type": "application/json"}
        url = f"{self.service.api_url}/api/v1{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            done: dict[str, Any] = json.loads(answer.read())
        self.settle()
        return done


@pytest.fixture
def world(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[World]:
    made = World(tmp_path, mosquitto, "11T23:02")
    made.office.start()
    yield made
    made.office.stop()


COD = "member outfall: COD, daily mean 500 mg/L > 300 mg/L"


def test_an_exceedance_that_is_acknowledged_and_closed_is_told_once_with_a_restart_in_between(world: World) -> None:
    world.cod = 500.0
    with world.running():
        world.until("12T23:30")
        world.cod = 100.0
        world.until("13T00:40")
        assert world.office.told == {"13 00:02": [("chen", f"[EXCEEDED] {COD}")]}
        number = world.alert()
        world.post("officer", f"/alerts/{number}/acknowledge")
    with world.running():
        world.until("13T06:00")
        world.post("officer", f"/alerts/{number}/close", comment="pit emptied")
    with world.running():
        world.until("14T12:00")
    assert world.office.told == {
        "13 00:02": [("chen", f"[EXCEEDED] {COD}")],
    }  # the 13th kept the limit: the alert was closed before that was known


def test_what_nobody_minds_is_reminded_and_told_above(world: World) -> None:
    world.cod = 500.0
    with world.running():
        world.until("12T23:30")
        world.cod = 100.0
        world.until("14T12:00")
    with world.running():
        world.until("15T18:00")
    assert world.office.told == {
        "13 00:02": [("chen", f"[EXCEEDED] {COD}")],
        "13 02:02": [("chen", f"[NOT ACKNOWLEDGED] {COD}"), ("wang", f"[NOT ACKNOWLEDGED] {COD}")],
        "14 00:02": [("chen", f"[OVER] {COD}")],
        "15 13:30": [("chen", f"[ANSWER DUE SOON] {COD}")],
        "15 17:30": [("chen", f"[ANSWER OVERDUE] {COD}"), ("wang", f"[ANSWER OVERDUE] {COD}")],
    }


def test_a_mute_holds_it_back_until_its_end(world: World) -> None:
    world.cod = 500.0
    with world.running():
        world.until("12T12:00")
        world.post("operator", "/mutes", to="2026-10-13T09:00:00+08:00", reason="new analyser", point="out")
        world.until("13T10:00")
    assert world.office.told == {
        "13 09:02": [("chen", f"[STILL OPEN AFTER A MUTE] {COD}"), ("wang", f"[STILL OPEN AFTER A MUTE] {COD}")],
    }


def test_a_station_that_dies_is_one_message_and_one_more_when_it_is_back(world: World) -> None:
    with world.running():
        world.until("12T03:40")
        world.cod = None
        world.until("12T12:40")
        world.cod = 100.0
        world.until("12T16:00")
    assert world.office.told == {
        # The last reading is of 04:00, each hour one is due: three are missed after 07:00. The next one is of 14:00.
        "12 08:02": [("chen", "[WARNING] member outfall: station, nothing comes")],
        "12 14:30": [("chen", "[WARNING OVER] member outfall: station, nothing comes")],
    }


def test_an_exceedance_of_the_time_when_the_service_was_down_is_told_late_and_the_day_is_reported(world: World) -> None:
    world.write("  report: {at: '08:00', tell: [officer, supervisor]}\n")
    world.cod = 500.0
    with world.running():
        world.until("12T23:30")
    world.clock.set(ms("13T10:02"))
    world.cod = 100.0
    with world.running():
        world.until("13T11:00")
        world.until("14T08:40")
    report = "[DAILY REPORT] 2026-10-{} plant"
    assert {when: sorted(news) for when, news in world.office.told.items()} == {
        "12 08:02": [("chen", report.format("11")), ("wang", report.format("11"))],
        "13 10:02": sorted(
            [("chen", f"[EXCEEDED] {COD}"), ("chen", report.format("12")), ("wang", report.format("12"))]
            + [("chen", "[WARNING] member outfall: station, nothing comes")]
        ),
        "13 12:02": [("chen", f"[NOT ACKNOWLEDGED] {COD}"), ("wang", f"[NOT ACKNOWLEDGED] {COD}")],
        "13 11:30": [("chen", "[WARNING OVER] member outfall: station, nothing comes")],
        # Of the 13th too little is known: it neither goes on nor is over.
        "14 08:02": [("chen", report.format("13")), ("wang", report.format("13"))],
    }
    assert "Late: 10.03 h (the service was down" in world.office.bodies[f"[EXCEEDED] {COD}"]
