"""The demo from curtain to curtain; read :func:`run_demo` top to bottom."""

from __future__ import annotations

import json
import secrets
import signal
import sys
import threading
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from rich.console import Console
from rich.live import Live

from plant_monitor import monitor
from plant_monitor.allocation.exact import yuan_text
from plant_monitor.allocation.statement import Period
from plant_monitor.clock import ScaledClock
from plant_monitor.config.costs_file import read_costs
from plant_monitor.demo.show import Screen
from plant_monitor.demo.stage import Stage
from plant_monitor.errors import SourceError
from plant_monitor.ingest.modbus import ModbusPoller
from plant_monitor.ingest.mqtt import MqttReceiver
from plant_monitor.readings import Readings
from plant_monitor.service import Service, Settings, log_to
from plant_monitor.settlement import Deed, draft
from plant_monitor.store.outbox import BACKFILL
from plant_monitor.watch import SETTLE_MS
from plant_monitor.windows import HOUR_MS, local_day

SEAL_EVERY = 4  # commits of the history
HISTORY_ROWS = 50_000  # a commit of the history: small enough to let live readings through at once
MINUTE_MS = 60_000
DAY_MS = 24 * HOUR_MS
RECENT_MS = 2 * DAY_MS


def run_demo(*, stop_after_s: float | None, port: int, data: Path, speed: float) -> int:
    """Run until stopped; prints the summary as one line of JSON on stdout. The exit code."""
    console = Console(stderr=True) if sys.stderr.isatty() else Console(stderr=True, width=140)
    with ExitStack() as cleanup:
        console.print("从零开始 Setting the stage: ports, field, service …")
        stage = Stage(data, speed)
        log = cleanup.enter_context((stage.folder / "service.log").open("w", encoding="utf-8"))
        log_to(log)
        cleanup.callback(structlog.reset_defaults)
        stage.start_field()
        cleanup.callback(stage.stop_field)
        service, told = _start_service(stage, port)
        cleanup.callback(service.stop)
        stop = _ending(stop_after_s)  # before the accounts, whose passwords take a while
        screen = Screen(service, told=told, where=_where(service, stage))
        if not console.is_terminal:
            console.print(*screen.where, sep="\n", markup=False)
        filling = threading.Thread(target=_fill_history, args=(stage, service, screen, stop), name="history")
        filling.start()
        since_ms = _subscribed_ms(service, stop)
        _watch_until(stop, screen, console)
        filling.join()
        _leave(stage, service)
        summary = _summary(stage, service, screen, since_ms)
        console.print(screen.render())
    sys.stdout.write(json.dumps(summary) + "\n")
    return 0


def _start_service(stage: Stage, port: int) -> tuple[Service, list[str]]:
    told: list[str] = []
    settings = Settings(
        data=stage.folder,
        port=port,
        evaluate_every_ms=round(max(MINUTE_MS, 2_000 * stage.speed)),
        show_alert=lambda message: told.append(message.title),
    )
    service = Service(stage.plant, settings, ScaledClock(stage.start_ms, stage.host_start_ms, stage.speed))
    service.start()
    return service, told


def _where(service: Service, stage: Stage) -> list[str]:
    """Where to look further: an account and a key for each kind of person."""
    now_ms, ledger = service.clock.now_ms(), service.ledger
    keys, password = [], f"demo-{secrets.token_hex(4)}"
    for role, member in (("operator", ""), ("member", stage.plant.members[0].id), ("officer", ""), ("admin", "")):
        made = ledger.keys.add(role, now_ms=now_ms, member=member, label="demo", actor="demo")
        ledger.users.add(role, role, now_ms=now_ms, member=member, password=password, actor="demo")
        keys.append(f"  {role + (f' ({member})' if member else ''):20} {made.secret}")
    return [
        f"控制台 Console: {service.api_url}/   账户 accounts: operator, member, officer, admin",
        f"密码 password of each: {password}",
        f"API: {service.api_url}/docs   curl -H 'Authorization: Bearer KEY' {service.api_url}/api/v1/headroom",
        *keys,
        f"数据 Data, alerts and logs: {stage.folder}   结束 End: Ctrl-C",
    ]


def _ending(stop_after_s: float | None) -> threading.Event:
    """Set by SIGINT, SIGTERM, or when the time is over."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if stop_after_s is not None:
        timer = threading.Timer(stop_after_s, stop.set)
        timer.daemon = True
        timer.start()
    return stop


def _fill_history(stage: Stage, service: Service, screen: Screen, stop: threading.Event) -> None:
    """The month before the curtain: made by the same field, taken as backfill beside the live readings."""
    screen.history = "历史 History: the month so far is being made …"
    try:
        history = stage.history()
    except SourceError as error:
        screen.history = f"历史 History failed: {error}"
        return
    # The last days first: their verdicts and alerts need not wait for the rest of the month.
    recent = history.time >= stage.start_ms - RECENT_MS
    history = Readings.concat([history.take(recent), history.take(~recent)])
    for first in range(0, len(history), HISTORY_ROWS):
        if stop.is_set():
            return
        part = history.take(slice(first, first + HISTORY_ROWS))
        service.journal.append(part, accepted_ms=service.clock.now_ms(), priority=BACKFILL)
        if first // HISTORY_ROWS % SEAL_EVERY == SEAL_EVERY - 1 or first + HISTORY_ROWS >= len(history):
            service.journal.seal(stage.start_ms - HOUR_MS)  # many hot rows cost every reader
        screen.history = f"历史 History: {first + len(part):,} of {len(history):,} readings taken"
    screen.history = f"历史 History: {len(history):,} readings of {stage.period} taken"
    bill_month(screen)


def _subscribed_ms(service: Service, stop: threading.Event) -> int:
    """From when on the broker keeps messages for us: nothing earlier was ever promised to anybody."""
    receivers = [s for s in service.sources if isinstance(s, MqttReceiver)]
    while not stop.is_set() and not all(r.health()["state"] == "subscribed" for r in receivers):
        stop.wait(0.05)
    return service.clock.now_ms() + MINUTE_MS


def _watch_until(stop: threading.Event, screen: Screen, console: Console) -> None:
    """Refresh the screen, and the bill when a simulated day ends, until the end."""
    with Live(console=console, auto_refresh=False, screen=console.is_terminal, vertical_overflow="visible") as live:
        billed = _today(screen.service)
        while not stop.wait(1.0):
            if screen.statement is not None and billed != _today(screen.service):
                billed = _today(screen.service)
                bill_month(screen)
            if console.is_terminal:
                live.update(screen.render(), refresh=True)


def _today(service: Service) -> date:
    return local_day(service.clock.now_ms() - SETTLE_MS, service.plant.zone)


def _leave(stage: Stage, service: Service) -> None:
    """The pollers end before the devices do; the stations and their broker before the receiver does."""
    for source in service.sources:
        if isinstance(source, ModbusPoller):
            source.stop()
    stage.stop_field()


def bill_month(screen: Screen) -> None:
    """The bill of the month that ends, as far as it is measured; a draft in the ledger."""
    service = screen.service
    stage_costs = service.settings.data / "costs.csv"
    plant, now_ms = service.plant, service.clock.now_ms()
    period = Period.parse(f"{local_day(now_ms - DAY_MS, plant.zone):%Y-%m}", plant.zone)
    statement = monitor.bill_period(plant, service.evaluations.judged(), period, read_costs(stage_costs, plant))
    draft(service.ledger.statements, statement, Deed("monitor", now_ms))
    screen.statement = statement


def _summary(stage: Stage, service: Service, screen: Screen, since_ms: int) -> dict[str, Any]:
    """What came of it: ``lost`` counts readings of acknowledged MQTT messages that have no row."""
    bill_month(screen)
    assert screen.statement is not None
    counts = service.journal.counts()
    present = [s.point for i, s in enumerate(stage.plant.series) if counts.hot[i] + counts.sealed[i] > 0]
    days = monitor.days_with_readings(stage.plant, service.journal)
    verdicts = 0
    if days is not None:
        daily = service.evaluations(*days).daily
        verdicts = int(np.isin(daily.columns["verdict"], ("met", "exceeded")).sum())
    delivered = stage.delivered()
    promised = delivered.take(delivered.time >= since_ms)
    return {
        "readings": int(counts.hot.sum() + counts.sealed.sum()),
        "points": len(set(present)),
        "alerts": len(service.ledger.alerts.find(limit=1000)),
        "verdicts": verdicts,
        "lost": int((~service.journal.has(promised)).sum()),
        "mqtt_readings_acknowledged": len(promised),
        "statement_total_yuan": yuan_text(screen.statement.total_fen),
    }
