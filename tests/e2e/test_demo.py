"""`plant-monitor demo` as a newcomer starts it: it ends by itself, loses nothing, and its bill sums to the fen."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest
from servers import free_port, wait_until

from plant_monitor.data_folder import DataFolder

ROOT = Path(__file__).resolve().parents[2]


def demo(folder: Path, port: int, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "plant_monitor", "demo", "--data", str(folder), "--port", str(port), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def health(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/health", timeout=2) as answer:
            return json.load(answer)["status"]
    except OSError:
        return ""


def test_the_whole_plant_in_one_command(tmp_path: Path) -> None:
    port = free_port()
    running = demo(tmp_path / "demo", port, "--stop-after", "30")
    wait_until(lambda: health(port) == "ok", 30, "the API answers")
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    (line,) = out.splitlines()
    summary = json.loads(line)
    assert summary["lost"] == 0
    assert summary["mqtt_readings_acknowledged"] > 0
    assert summary["points"] == 8
    assert summary["readings"] > 200_000, "two days of the plant at least"
    assert summary["alerts"] >= 1 and summary["verdicts"] > 0
    with (ROOT / "examples" / "xieqiao" / "costs.csv").open(encoding="utf-8") as file:
        costs = sum(Decimal(row["amount_yuan"]) for row in csv.DictReader(file))
    assert Decimal(summary["statement_total_yuan"]) == costs
    with DataFolder(tmp_path / "demo").ledger() as ledger:
        owed = ledger.deliveries.counts()
    assert sum(owed.values()) >= summary["alerts"], "every alert is told, or will be when it is started again"
    assert owed["sent"] > 0 and list((tmp_path / "demo" / "alerts").glob("*.txt"))
    for words in ("总排口", "超标", "Bill of", "operator", "/docs"):
        assert words in err


def test_ctrl_c_ends_it_in_order(tmp_path: Path) -> None:
    port = free_port()
    running = demo(tmp_path / "demo", port)
    wait_until(lambda: health(port) == "ok", 30, "the API answers")
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert json.loads(out)["lost"] == 0


def test_it_touches_nothing_that_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    running = demo(tmp_path, free_port())
    _, err = running.communicate(timeout=30)
    assert running.returncode == 1
    assert "not empty" in err and "--data" in err
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running = demo(tmp_path / "demo", port)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 1
    assert f"127.0.0.1:{port}" in err and "--port" in err
    assert not _children(running.pid), "the field ended with it"


def _children(pid: int) -> list[str]:
    """Processes that still have this parent."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rsplit(")", 1)[1].split()[1]
        except OSError:
            continue
        if parent == str(pid):
            found.append(stat.parent.name)
    return found


@pytest.fixture(autouse=True)
def _chinese_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PYTHONUTF8", "1")
