"""The command line of the field, as its own process."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymodbus.client import ModbusTcpClient
from register_image import value_of
from servers import free_port, listening, wait_until
from small_field import at, example_text
from subscriber import Subscriber

from plant_monitor.config.plant_file import load_plant
from plant_monitor.config.readings_file import read_readings
from plant_monitor.ingest.samples import span
from plant_monitor.plant import ModbusDevice
from plant_monitor.windows import parse_rfc3339
from simulators.__main__ import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def plant_file(tmp_path: Path) -> Path:
    path = tmp_path / "plant.yaml"
    path.write_text(example_text(broker=free_port()), encoding="utf-8")
    return path


@contextmanager
def running(plant_file: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """``python -m simulators run``, up to its "ready"; told to end afterwards if it still runs."""
    command = [sys.executable, "-m", "simulators", "run", str(plant_file), *options]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if line != "ready\n":
            process.kill()
            pytest.fail(f"{line!r}: {process.communicate()[1]}")
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def told(message: tuple[str, bytes]) -> tuple[str, dict[str, Any]]:
    """(topic, payload with its time in ms)."""
    content = json.loads(message[1])
    return message[0], {**content, "time": parse_rfc3339(content["time"])}


def test_help_works_on_its_own() -> None:
    done = subprocess.run([sys.executable, "-m", "simulators", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "history" in done.stdout and "run" in done.stdout


def test_a_run_serves_modbus_and_mqtt_at_its_own_pace_and_ends_on_request(plant_file: Path, tmp_path: Path) -> None:
    plant = load_plant(plant_file)
    port = next(d.port for d in plant.devices if not isinstance(d, ModbusDevice))
    start = at(plant, date(2026, 3, 3), 9)
    log = tmp_path / "delivered.jsonl"
    options = ["--start-ms", str(start), "--speed", "1200", "--broker", f"127.0.0.1:{port}", "--log", str(log)]
    with running(plant_file, *options, "--scenario", "none") as process:
        subscriber = Subscriber("127.0.0.1", port)
        device = next(d for d in plant.devices if isinstance(d, ModbusDevice) and d.id == "shennong-plc")
        volume = next(r for r in device.readings if r.parameter == "volume")

        def register() -> float:
            with ModbusTcpClient(device.host, port=device.port) as client:
                first, count = span(volume)
                answer = client.read_holding_registers(first, count=count, device_id=1)
                return value_of(volume, first, answer.registers)

        first = register()
        wait_until(lambda: register() > first + 1, 15, "water through the meter")
        wait_until(lambda: log.exists() and len(log.read_text().splitlines()) > 5, 15, "acknowledged messages")
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        subscriber.close()
    assert not listening(device.port) and not listening(port)
    messages = [json.loads(line) for line in log.read_text().splitlines()]
    assert all(m["time"] > start and m["values"] for m in messages)
    assert {m["point"] for m in messages} >= {"aeration-basin"}
    # What the log calls delivered since we subscribed has reached us, the last messages before the end included.
    received = {(m["time"], *m["values"]) for _, m in map(told, subscriber.messages)}
    logged = [(m["time"], *m["values"]) for m in messages]
    assert len(received) > 5 and set(logged[-len(received) :]) == received


def test_it_ends_with_its_parent(plant_file: Path) -> None:
    with running(plant_file, "--until-stdin-closes", "--epoch", "2026-01-01", "--start-ms", "1769000000000") as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(15) == 0
        process.stdin = None


def test_history_is_a_readings_file_and_its_formats_agree(plant_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    span = ["--from", "2026-01-10", "--to", "2026-01-11T06:00:00+08:00", "--epoch", "2026-01-05"]
    common = ["history", str(plant_file), *span]
    for name in ("h.csv", "h.parquet", "h.npz"):
        assert main([*common, "--out", str(tmp_path / name)]) == 0
    plant = load_plant(plant_file)
    csv, rejects = read_readings(tmp_path / "h.csv", plant)
    assert not rejects
    assert csv.time.min() == at(plant, date(2026, 1, 10)) and csv.time.max() < at(plant, date(2026, 1, 11), 6)
    assert len(csv) == pytest.approx(30 / 24 * 90_000, rel=0.02)
    with np.load(tmp_path / "h.npz") as columns:
        for name in ("time", "series", "value", "mark"):
            np.testing.assert_array_equal(columns[name], getattr(csv, name))
    parquet, rejects = read_readings(tmp_path / "h.parquet", plant)
    assert not rejects
    order, same = (np.lexsort((r.series, r.time)) for r in (csv, parquet))
    np.testing.assert_array_equal(csv.value[order], parquet.value[same])
    np.testing.assert_array_equal(csv.mark[order], parquet.mark[same])


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--to", "2026-01-01", "--out", "h.txt"], 1, ".csv, .parquet, .npz"),
        (["--to", "2025-12-01", "--out", "h.csv"], 1, "does not lie before"),
        (["--to", "tomorrow", "--out", "h.csv"], 1, "'tomorrow'"),
        (["--to", "2026-01-12", "--out", "h.csv", "--epoch", "2027-01-01"], 1, "--epoch"),
        (["--to", "2026-01-12", "--out", "h.csv", "--epoch", "soon"], 1, "'soon'"),
        (["--to", "2026-01-12", "--out", "h.csv", "--scenario", "missing.yaml"], 1, "missing.yaml"),
        (["--out", "h.csv"], 2, "--to"),
    ],
)
def test_wrong_input_of_history_is_named(
    plant_file: Path, options: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["history", str(plant_file), "--from", "2026-01-10", *options]) == code
    assert words in capsys.readouterr().err
    assert not Path("h.csv").exists()


@pytest.mark.parametrize(
    ("broker", "code", "words"),
    [("0.0.0.0:1883", 1, "loopback"), ("nowhere", 1, "127.0.0.1:1883"), ("TAKEN", 3, "choose a free port")],
)
def test_the_broker_is_for_this_machine_only(
    plant_file: Path, broker: str, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = broker.replace("TAKEN", f"127.0.0.1:{other.getsockname()[1]}")
        assert main(["run", str(plant_file), "--broker", address, "--start-ms", "1769000000000"]) == code
    assert words in capsys.readouterr().err


def test_a_broken_plant_file_is_told_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("plant: {id: x}\n")
    assert main(["run", str(path)]) == 1
    problem: Any = capsys.readouterr().err
    assert "broken.yaml:1" in problem
