"""A small plant with two members, three days of readings, alerts, statements and a key for everyone.

Whatever belongs to the member beta alone has ``beta`` in its name, so that a leak can be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from fastapi.testclient import TestClient

from plant_monitor import monitor
from plant_monitor.alerts.attachments import Attachment
from plant_monitor.alerts.desk import AlertDesk
from plant_monitor.alerts.envelope import Notice
from plant_monitor.alerts.lifecycle import Span, assess
from plant_monitor.alerts.messages import message
from plant_monitor.allocation.documents import document
from plant_monitor.allocation.split import CostItem
from plant_monitor.allocation.statement import Period, bill
from plant_monitor.answers import Evaluations, Outlooks
from plant_monitor.api import ApiServices, create_app
from plant_monitor.clock import ManualClock
from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.compliance.warnings import PlantWarning
from plant_monitor.config.plant_file import parse_plant
from plant_monitor.ledger import Ledger
from plant_monitor.live import Feed
from plant_monitor.plant import Plant
from plant_monitor.readings import NORMAL, OVER_RANGE, Readings
from plant_monitor.statements.pdf import render_pdf
from plant_monitor.statements.workbook import workbook
from plant_monitor.store.memory import MemorySource

HOUR = 3_600_000
DAY = 24 * HOUR
OCT_1 = int(datetime(2026, 9, 30, 16, tzinfo=UTC).timestamp()) * 1000  # local midnight
NOW = OCT_1 + 3 * DAY + HOUR // 2  # October 4th, 00:30
DAYS = 3

PLANT = """
plant:
  id: small
  name: {zh: 小厂, en: Small}
  timezone: Asia/Shanghai
  capacity_m3_d: 1000
  inlet: plant-inlet
  effluent: plant-effluent
  design_load_kg_d: {cod_cr: 900}
members:
  - {id: alpha, name: {zh: 甲, en: Alpha}, quota_m3_d: 300, capacity_share: 0.4}
  - {id: beta, name: {zh: 乙beta, en: Beta-beta}, quota_m3_d: 500}
points:
  - id: alpha-outfall
    role: outfall
    member: alpha
    limits: [intake]
    parameters: &measured
      flow: {unit: m3/h, interval: 10m}
      volume: {unit: m3, interval: 1h}
      cod_cr: {unit: mg/L, interval: 1h}
      ph: {interval: 10m}
  - id: alpha-second
    role: outfall
    member: alpha
    limits: [intake]
    parameters: {flow: {unit: m3/h, interval: 10m}, ammonia_n: {unit: mg/L, interval: 1h}}
  - id: beta-outfall
    role: outfall
    member: beta
    limits: [intake, beta-permit]
    parameters:
      flow: {unit: m3/h, interval: 10m}
      cod_cr: {unit: mg/L, interval: 1h}
      chloride: {unit: mg/L, interval: 1h}
  - {id: plant-inlet, role: inlet, parameters: {flow: {unit: m3/h, interval: 10m}, ss: {unit: mg/L, interval: 1h}}}
  - id: plant-effluent
    role: effluent
    limits: [outlet]
    parameters: {flow: {unit: m3/h, interval: 10m}, cod_cr: {unit: mg/L, interval: 1h}}
  - {id: plant-basin, role: process, parameters: {dissolved_oxygen: {unit: mg/L, interval: 1h}}}
public_screen: {points: [plant-effluent], parameters: [cod_cr], headroom: true}
limit_sets:
  - id: intake
    title: {zh: 纳管协议, en: Intake agreement}
    source: agreement
    limits:
      - {parameter: cod_cr, upper: 0.5, unit: g/L}
      - {parameter: ph, lower: 6, upper: 9, statistic: hourly_median}
  - id: beta-permit
    title: {zh: 乙beta, en: beta}
    source: beta
    limits: [{parameter: chloride, upper: 100, unit: mg/L}]
  - id: outlet
    title: {zh: 出水, en: Outlet}
    source: permit
    limits: [{parameter: cod_cr, upper: 50, unit: mg/L}]
"""

# Exceeded on the first two days, at beta on all of them.
COD = {"alpha-outfall": (600.0, 700.0, 400.0), "beta-outfall": (900.0,) * 3, "plant-effluent": (40.0, 55.0, 45.0)}


def make_plant() -> Plant:
    return parse_plant(PLANT, "small.yaml", {})


def make_readings(plant: Plant) -> Readings:
    """Steady flows, a COD that changes by the day, and a few readings that are not valid."""
    parts = []
    for index, series in enumerate(plant.series):
        step = 10 * 60_000 if series.interval_ms == 10 * 60_000 else HOUR
        times = np.arange(OCT_1, OCT_1 + DAYS * DAY, step)
        day = (times - OCT_1) // DAY
        value = {"flow": 10.0, "ph": 7.0, "ammonia_n": 12.0, "chloride": 150.0, "ss": 200.0}.get(series.parameter, 2.0)
        values = np.full(times.size, value)
        if series.parameter == "cod_cr":
            values = np.array(COD[series.point])[day]
        if series.parameter == "volume":
            values = 1000.0 + 10.0 * np.arange(times.size)
        marks = np.full(times.size, NORMAL)
        if (series.point, series.parameter) == ("alpha-outfall", "ph"):
            values[5], marks[6], values[6] = np.inf, OVER_RANGE, np.nan
        parts.append(Readings.of(times, index, values, marks))
    return Readings.concat(parts)


LINES = [
    ("alpha", "power", "volume", "720", "m3", "0.5", "100.00"),
    ("alpha", "beta-lab", "direct:beta", "0", "", "0", "0.00"),
    ("alpha", "TOTAL", "", "", "", "", "100.00"),
    ("beta", "power", "volume", "720", "m3", "0.5", "100.01"),
    ("beta", "beta-lab", "direct:beta", "1", "", "1", "55.00"),
    ("beta", "TOTAL", "", "", "", "", "155.01"),
    ("TOTAL", "power", "volume", "1440", "m3", "1", "200.01"),
    ("TOTAL", "beta-lab", "direct:beta", "1", "", "1", "55.00"),
    ("TOTAL", "TOTAL", "", "", "", "", "255.01"),
]
COLUMNS = ("member", "item", "basis", "quantity", "unit", "share", "amount_yuan")


@dataclass
class World:
    """Everything behind the API, and a client for each key."""

    plant: Plant
    ledger: Ledger
    clock: ManualClock
    client: TestClient
    keys: dict[str, str]
    evaluations: Evaluations
    feed: Feed
    health: dict[str, Any] = field(default_factory=lambda: {"status": "ok", "journal": {"rows": 12, "path": "/secret"}})

    def get(self, who: str | None, path: str, **query: Any) -> Any:
        return self.ask(who, "GET", path, params=query)

    def ask(self, who: str | None, method: str, path: str, **more: Any) -> Any:
        secret = self.keys.get(who, who) if who is not None else None
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        headers |= more.pop("headers", {})
        return self.client.request(method, f"/api/v1{path}", headers=headers, **more)

    def items(self, who: str, path: str, **query: Any) -> list[dict[str, Any]]:
        answer = self.get(who, path, **query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found


def make_world(
    folder: Path, *, source: Any = None, evaluation_instead: Callable[[date, date], Any] | None = None, **more: Any
) -> World:
    plant = make_plant()
    readings = MemorySource(make_readings(plant))
    ledger = Ledger(f"sqlite:///{folder}/ledger.sqlite")
    clock = ManualClock(NOW)
    evaluation = Evaluations(plant, readings, None, ledger.annotations, clock)

    keys = {role: ledger.keys.add(role, label=role, now_ms=NOW).secret for role in ("operator", "officer", "admin")}
    for member in plant.members:
        keys[member.id] = ledger.keys.add("member", member=member.id, label=f"m-{member.id}", now_ms=NOW).secret
    fill_ledger(ledger, plant, evaluation(date(2026, 10, 1), date(2026, 10, 3)))
    object_to_something(ledger)
    feed = Feed(plant, OCT_1)
    world = World(plant, ledger, clock, None, keys, evaluation, feed)  # type: ignore[arg-type]

    def warnings(first: date, last: date) -> tuple[PlantWarning, ...]:
        found = monitor.evaluate_days(plant, readings, first, last, until_ms=clock.now_ms(), warnings=True)
        return found.warned.rows

    services: Mapping[str, Any] = {
        "warnings": warnings,
        "health": lambda: world.health,
        "verdicts": evaluation.verdicts
        if evaluation_instead is None
        else lambda first, last, points: evaluation_instead(first, last),
        "outlook": Outlooks(plant, evaluation.judged, None, ledger.annotations),
        "requests_per_s": 1e6,
        "feed": feed,
        "workbook": workbook,
        "member_pdf": render_pdf,
        **more,
    }
    shown = evaluation_instead or evaluation
    services.setdefault("desk", AlertDesk(ledger, {}, plant, clock, feed.alerts))
    asked = source or readings
    judged = Evaluations(plant, asked, None, ledger.annotations, clock).judged
    app = create_app(ApiServices(plant, asked, judged, ledger, shown, clock=clock, **services))
    world.client = TestClient(app, raise_server_exceptions=False)
    return world


def fill_ledger(ledger: Ledger, plant: Plant, evaluation: Evaluation) -> None:
    span = Span(OCT_1, OCT_1 + DAYS * DAY)
    found = monitor.exceedances(evaluation)

    def notices(change: Any, _trail: Any) -> Any:
        return [Notice("", ("beta-phone",), message(change, plant, plant.notify.language))]

    ledger.alerts.record(lambda known: assess(known, found, span, NOW), notices, span)
    costs = [CostItem("power", "volume", 20001), CostItem("beta-lab", "direct:beta", 5500)]
    told = document(bill(plant, make_readings(plant), Period.parse("2026-10", plant.zone), costs))
    for number, total in ((1, 100), (2, 25501)):
        ledger.statements.save(
            period="2026-10",
            plant_digest=plant.digest,
            total_fen=total,
            document={**told, "beta": "everything", "run": number},
            lines=[dict(zip(COLUMNS, row, strict=True)) for row in LINES],
            volumes=[
                {"member": "alpha", "point": "alpha-outfall", "volume_m3": "720.000"},
                {"member": "beta", "point": "beta-outfall", "volume_m3": "720.000"},
                {"member": "", "point": "plant-inlet", "volume_m3": "1440.000"},
            ],
            now_ms=NOW,
        )


def object_to_something(ledger: Ledger) -> None:
    """Beta's objection, with an attachment."""
    file = Attachment("beta.txt", "text/plain", b"beta")
    about = {"statement": "2026-10-02", "member": "beta", "item": "beta-lab", "reason": "beta asks why"}
    ledger.objections.add(**about, files=[file], now_ms=NOW, actor="member:m-beta")


def happened(world: World) -> None:
    """Everything that a stream tells, of every point, and its end: the whole can then be read at once."""
    world.feed.evaluated(world.evaluations(date(2026, 10, 1), date(2026, 10, 2)), NOW, news=False)
    world.feed.evaluated(world.evaluations(date(2026, 10, 3), date(2026, 10, 4)), NOW)
    world.feed.readings(make_readings(world.plant))
    world.feed.alerts(world.ledger.alerts.find())
    world.feed.close()


def alert_of(world: World, point: str) -> int:
    """The id of a point's first alert."""
    return min(a.id for a in world.ledger.alerts.find(points={point}))
