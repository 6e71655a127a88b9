"""The plant of `make demo`, as the pages speak of it: its simulated field, its service, a key for each role."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from servers import free_port, wait_until

from plant_monitor.cli import main
from plant_monitor.clock import ScaledClock, SystemClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.service import Service, Settings, log_to

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "xieqiao"
#: The evening of the demo in the pages: an autumn day, so that what they show is what every run shows.
START = "2026-10-31T21:30:00+08:00"
SPEED = 20


@dataclass
class Demo:
    """The plant of ``make demo``, with two days of history instead of a month."""

    folder: Path
    port: int
    keys: dict[str, str]
    _running: ExitStack

    def stop(self) -> None:
        """As Ctrl-C does."""
        self._running.close()


def plant_monitor(*arguments: object) -> None:
    assert main([str(a) for a in arguments]) == 0, arguments


def simulated_field(*arguments: object) -> None:
    command = [sys.executable, "-m", "simulators", *(str(a) for a in arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """The demo in ``folder``, until the end of the context."""
    folder.mkdir()
    shutil.copy(EXAMPLE / "costs.csv", folder)
    text = (EXAMPLE / "plant.yaml").read_text(encoding="utf-8")
    ports = {port: free_port() for port in sorted(set(re.findall(r"127\.0\.0\.1:(\d+)", text)))}
    plant_file = folder / "plant.yaml"
    plant_file.write_text(re.sub(r"(?<=127\.0\.0\.1:)\d+", lambda m: str(ports[m[0]]), text), encoding="utf-8")
    broker = re.findall(r"mqtt://(\S+)", plant_file.read_text(encoding="utf-8"))[0]
    start_ms = round(datetime.fromisoformat(START).timestamp() * 1000)

    history = folder.with_name("history.csv")
    span = ("--from", "2026-10-30", "--to", START)
    simulated_field("history", plant_file, *span, "--start-ms", start_ms, "--out", history)
    plant_monitor("import", plant_file, history, "--data", folder)
    bill = ("--period", "2026-10", "--costs", folder / "costs.csv", "--data", folder)
    plant_monitor("bill", plant_file, *bill, "--out", folder.with_name("bill"))

    with ExitStack() as running:
        host_ms = SystemClock().now_ms() + 2_000
        clock = ("--start-ms", start_ms, "--host-start-ms", host_ms, "--speed", SPEED)
        options = [str(a) for a in (*clock, "--broker", broker, "--until-stdin-closes")]
        _start_field([str(plant_file), *options], running)
        log = running.enter_context((folder / "service.log").open("w", encoding="utf-8"))
        log_to(log)
        running.callback(structlog.reset_defaults)
        settings = Settings(data=folder, port=free_port(), show_alert=lambda _: None)
        service = Service(load_plant(plant_file), settings, ScaledClock(start_ms, host_ms, SPEED))
        service.start()
        running.callback(service.stop)
        keys = _keys(service)
        wait_until(lambda: len(service.ledger.alerts.find(limit=10)) >= 3, 30, "the first alerts")
        wait_until(lambda: service.desk.health()["messages"]["pending"] == 0, 30, "their messages are sent")
        wait_until(lambda: _health(settings.port, keys["operator"])["status"] == "ok", 30, "all devices answer")
        yield Demo(folder, settings.port, keys, running)


def _start_field(arguments: list[str], running: ExitStack) -> None:
    command = [sys.executable, "-m", "simulators", "run", *arguments]
    field = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert field.stdin is not None and field.stdout is not None
    running.callback(field.stdout.close)
    running.callback(field.wait, 30)
    running.callback(field.stdin.close)  # ends it
    assert field.stdout.readline().strip() == "ready"


def _keys(service: Service) -> dict[str, str]:
    """As the demo makes them: one for each role, the member's for the first member."""
    member = service.plant.members[0].id
    roles = (("operator", ""), ("member", member), ("officer", ""), ("admin", ""))
    now_ms = service.clock.now_ms()
    made = {r: service.ledger.keys.add(r, now_ms=now_ms, member=m, label="demo", actor="demo") for r, m in roles}
    return {role: key.secret for role, key in made.items()}


def _health(port: int, key: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/health", headers={"Authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
        return found
