"""What was refused is listed with its reason, shown as it came, and taken once plant.yaml knows it."""

import struct
from pathlib import Path

import pytest

from plant_monitor.cli import main
from plant_monitor.config.plant_file import load_plant
from plant_monitor.data_folder import DataFolder
from plant_monitor.ingest.decoders import decoder_of
from plant_monitor.ingest.decoding import Incoming
from plant_monitor.ingest.payloads import decode_payload
from plant_monitor.plant import MqttStation
from plant_monitor.readings import Readings

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


def test_either_numbers_or_all(plant_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ("--data", plant_file.parent / "data")
    assert run("quarantine", "reinject", plant_file, 1, "--all", *data) == 2
    assert run("quarantine", "reinject", plant_file, "--all", *data) == 1
    assert "1 taken whole, 2 stay" in capsys.readouterr().err


FOREIGN = (
    PLANT.split("devices:")[0].replace("EXTRA", "")
    + """
devices:
  - id: logger
    protocol: mqtt
    broker: mqtt://127.0.0.1:1
    topic: loggers/+
    point: basin
    payload: {values: [{path: PH, parameter: ph}]}
  - id: edge
    protocol: mqtt
    broker: mqtt://127.0.0.1:1
    topic: spBv1.0/g/+/n/#
    payload: {format: sparkplug_b, metrics: [{name: pH, point: basin, parameter: ph}]}
"""
)


def sent(plant_file: Path, station: int, topic: str, payload: bytes, at: int = NOW) -> int:
    """What the service makes of a message; how many values it refused."""
    plant = load_plant(plant_file)
    device = plant.devices[station]
    assert isinstance(device, MqttStation)
    folder = plant_file.parent / "data"
    with DataFolder(folder).journal(plant) as journal:
        told = decoder_of(device, plant, folder).decode(Incoming(topic, payload, at, at))
        journal.append(told.readings, told.refused, accepted_ms=at)
    return len(told.problems)


def test_foreign_messages_are_read_again_by_the_mapping_of_today(tmp_path: Path) -> None:
    """Messages without a time keep that of their arrival, so what was stored the first time changes nothing."""
    path = tmp_path / "plant.yaml"
    path.write_text(FOREIGN, encoding="utf-8")
    data = ("--data", tmp_path / "data")
    assert sent(path, 0, "loggers/7", b'[{"PH": 7.1}, {"PH": "6,9"}]') == 1
    assert sent(path, 0, "loggers/8", b'{"acidity": 7.3}', NOW + 60_000) == 1
    assert run("quarantine", "reinject", path, *data) == 1
    assert stored(path).value.tolist() == [7.1]
    path.write_text(FOREIGN.replace("PH", "acidity"), encoding="utf-8")
    assert run("quarantine", "reinject", path, 2, *data) == 0
    path.write_text(FOREIGN.replace("parameter: ph}]}", "parameter: ph, missing: ['6,9']}]}", 1), encoding="utf-8")
    assert run("quarantine", "reinject", path, *data) == 0
    assert (stored(path).time - NOW).tolist() == [0, 1, 60_000]
    assert [str(v) for v in stored(path).value.tolist()] == ["7.1", "nan", "7.3"]


def test_sparkplug_data_are_read_again_with_the_births_the_service_keeps(tmp_path: Path) -> None:
    path = tmp_path / "plant.yaml"
    path.write_text(FOREIGN, encoding="utf-8")
    data = ("--data", tmp_path / "data")
    stamp = bytes([0x08]) + bytes((NOW >> 7 * i) & 0x7F | (0x80 if i < 5 else 0) for i in range(6))
    value = b"\x69" + struct.pack("<d", 7.2)
    by_alias = b"\x10\x05" + value
    named = b"\x0a\x02pH" + by_alias
    birth, later = (stamp + b"\x12" + bytes([len(m)]) + m + b"\x18\x00" for m in (named, by_alias))
    assert sent(path, 1, "spBv1.0/g/NDATA/n", later) == 1
    assert run("quarantine", "reinject", path, *data) == 1
    assert len(stored(path)) == 0
    assert sent(path, 1, "spBv1.0/g/NBIRTH/n", birth) == 0
    assert run("quarantine", "reinject", path, *data) == 0
    assert stored(path).value.tolist() == [7.2]
