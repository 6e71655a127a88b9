"""What was refused is listed with its reason, shown as it came, and taken once plant.yaml knows it."""

from pathlib import Path

import pytest

from plant_monitor.cli import main
from plant_monitor.config.plant_file import load_plant
from plant_monitor.ingest.payloads import decode_payload
from plant_monitor.readings import Readings
from plant_monitor.service import DataFolder

NOW = 1_790_784_000_000  # 2026-10-01T00:00:00+08:00
PLANT = """
plant: {id: p, name: {zh: 厂, en: plant}, timezone: Asia/Shanghai, capacity_m3_d: 10}
members: []
points:
  - {id: basin, role: process, parameters: {ph: {interval: 1m}EXTRA}}
devices:
  - {id: station, protocol: mqtt, broker: 'mqtt://127.0.0.1:1', topic: plants/p/+/readings}
"""
PAYLOADS = (
    b'{"time": "2026-10-01T00:00:00+08:00", "values": {"ph": 7.1, "mlss": 3100}}',  # mlss is not declared yet
    b'{"time": "2020-01-01T00:00:00+08:00", "values": {"ph": 6.9}}',  # too old for live data
    b"not JSON at all",
)


@pytest.fixture
def plant_file(tmp_path: Path) -> Path:
    path = tmp_path / "plant.yaml"
    path.write_text(PLANT.replace("EXTRA", ""), encoding="utf-8")
    plant = load_plant(path)
    with DataFolder(tmp_path / "data").journal(plant) as journal:
        for payload in PAYLOADS:
            told = decode_payload(payload, topic="plants/p/basin/readings", point="basin", plant=plant, now_ms=NOW)
            journal.append(told.readings, told.refused, accepted_ms=NOW)
    return path


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


def stored(plant_file: Path) -> Readings:
    plant = load_plant(plant_file)
    with DataFolder(plant_file.parent / "data").journal(plant, read_only=True) as journal:
        return Readings.concat([journal.read(i, 0, 1 << 50) for i in range(len(plant.series))])


def test_list_and_show(
    plant_file: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    data = ("--data", plant_file.parent / "data")
    assert run("quarantine", "list", plant_file, *data) == 0
    told = capfdbinary.readouterr().out.decode()
    assert "no such parameter" in told and "400 days" in told and "no JSON" in told
    assert run("quarantine", "show", plant_file, 3, *data) == 0
    assert capfdbinary.readouterr().out == PAYLOADS[2] + b"\n"
    assert run("quarantine", "show", plant_file, 99, *data) == 1


def test_reinject_takes_what_is_good_and_leaves_the_rest(plant_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ("--data", plant_file.parent / "data")
    assert stored(plant_file).value.tolist() == [7.1]
    assert run("quarantine", "reinject", plant_file, *data) == 1
    assert "1 taken whole, 2 stay; 1 new readings" in capsys.readouterr().err, "a person may take what is old"
    assert sorted(stored(plant_file).value.tolist()) == [6.9, 7.1]
    plant_file.write_text(PLANT.replace("EXTRA", ", mlss: {interval: 1m}"), encoding="utf-8")
    assert run("quarantine", "reinject", plant_file, 1, *data) == 0
    assert sorted(stored(plant_file).value.tolist()) == [6.9, 7.1, 3100]
    assert run("quarantine", "reinject", plant_file, *data) == 1
    assert "0 taken whole, 1 stay; 0 new readings" in capsys.readouterr().err
