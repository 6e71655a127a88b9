"""Another plant.yaml for a service that runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from servers import free_port, wait_until

from plant_monitor.data_folder import DataFolder

EXAMPLE = Path(__file__).parents[2] / "examples" / "xieqiao" / "plant.yaml"


class Running:
    """The service as its own process, and what it says of itself to an operator."""

    def __init__(self, folder: Path) -> None:
        self.plant, self.port, data = folder / "plant.yaml", free_port(), folder / "data"
        self.text = EXAMPLE.read_text(encoding="utf-8")
        self.plant.write_text(self.text, encoding="utf-8")
        with DataFolder(data).ledger() as ledger:
            self.key = ledger.keys.add("operator", now_ms=0).secret
        command = [sys.executable, "-m", "plant_monitor", "run", str(self.plant), "--data", str(data)]
        self.process = subprocess.Popen([*command, "--port", str(self.port)], stderr=subprocess.DEVNULL)

    def get(self, path: str) -> dict[str, Any] | None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/{path}", headers={"Authorization": f"Bearer {self.key}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                told: dict[str, Any] = json.load(answer)
                return told
        except OSError:
            return None

    def capacity(self) -> float | None:
        plant = self.get("plant")
        return None if plant is None else float(plant["capacity_m3_d"])

    def error(self) -> str | None:
        health = self.get("health")
        return None if health is None else health["configuration"]["error"]

    def reload(self, text: str) -> None:
        self.plant.write_text(text, encoding="utf-8")
        os.kill(self.process.pid, signal.SIGHUP)


@pytest.fixture
def running(tmp_path: Path) -> Any:
    service = Running(tmp_path)
    yield service
    service.process.kill()
    service.process.wait()


def test_a_new_plant_is_taken_and_a_broken_one_is_shown_and_not(running: Running) -> None:
    """Design §6, row "config error on reload": the old configuration stays in force, the errors are shown."""
    wait_until(lambda: running.capacity() == 1200, 60, "it runs")
    assert running.error() is None
    running.reload(running.text.replace("capacity_m3_d: 1200", "capacity_m3_d: lots"))
    wait_until(lambda: running.error() is not None, 30, "the mistake is shown")
    assert "capacity_m3_d: found lots, expected a number above 0" in (running.error() or "")
    health = running.get("health")
    assert health is not None and health["status"] == "degraded"
    assert running.capacity() == 1200
    running.reload(running.text.replace("capacity_m3_d: 1200", "capacity_m3_d: 1300"))
    wait_until(lambda: running.capacity() == 1300, 60, "the new one is in force")
    assert running.error() is None
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(60) == 0
