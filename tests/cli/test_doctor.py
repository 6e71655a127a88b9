"""`doctor`: what it sees of brokers, InfluxDB, disk, clock and silent series; on real servers where there are any."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import Influxd, Mosquitto, free_port, require_server

from plant_monitor import doctor
from plant_monitor.cli.app import main
from plant_monitor.clock import SystemClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.data_folder import DataFolder
from plant_monitor.readings import Readings
from tests.store.fake_influx import Answer, Asked, FakeInflux

PLANT = """
plant:
  id: p
  name: {zh: 厂, en: plant}
  timezone: Asia/Shanghai
  capacity_m3_d: 1200
members: []
points: [{id: a, role: process, parameters: {ph: {interval: 1m}, water_temperature: {unit: degC, interval: 1h}}}]
"""
STATION = "devices: [{id: station, protocol: mqtt, broker: 'mqtt://127.0.0.1:PORT', topic: plants/p/+/readings}]\n"


class BareMosquitto(Mosquitto):
    """As its package leaves it, and whatever lines are added."""

    lines = ""

    def command(self) -> list[str]:
        config = self.folder / "mosquitto.conf"
        user = "user root\n" if os.geteuid() == 0 else ""  # else it may not read the test's folder
        config.write_text(f"listener {self.port} {self.host}\nallow_anonymous true\n{user}{self.lines}")
        return [str(self.executable), "-c", str(config)]


@pytest.fixture
def bare_mosquitto(tmp_path: Path) -> Iterator[Callable[[str], BareMosquitto]]:
    started: list[BareMosquitto] = []

    def start(lines: str = "") -> BareMosquitto:
        one = BareMosquitto(require_server("mosquitto"), tmp_path / "bare")
        one.lines = lines
        started.append(one)
        one.start()
        return one

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def fake_influx() -> Iterator[FakeInflux]:
    server = FakeInflux()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """The warnings of `doctor` for a plant.yaml with these sections added, and readings so old (ms)."""
    monkeypatch.setattr(doctor, "clock_is_free", lambda: False)
    plenty = shutil.disk_usage(tmp_path)._replace(total=100, used=10, free=90)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: plenty)

    def run(sections: str = "", *, ages_ms: tuple[int, int] = (0, 0)) -> list[str]:
        file, data = tmp_path / "plant.yaml", tmp_path / "data"
        file.write_text(PLANT + sections, encoding="utf-8")
        now = SystemClock().now_ms()
        with DataFolder(data).journal(load_plant(file, secrets=False)) as journal:
            for series, age in enumerate(ages_ms):
                journal.append(Readings.of([now - age], series, 7.0), accepted_ms=now)
        assert main(["doctor", str(file), "--data", str(data)]) == 0
        return [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]

    return run


def test_nothing_amiss(told: Callable[..., list[str]], mosquitto: Mosquitto) -> None:
    assert told(STATION.replace("PORT", str(mosquitto.port))) == []


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_broker_with_the_defaults_of_mosquitto(
    told: Callable[..., list[str]], bare_mosquitto: Callable[..., BareMosquitto], version: str
) -> None:
    port = bare_mosquitto().port
    station = STATION.replace("PORT", str(port)).replace("topic:", f"version: '{version}', topic:")
    (line,) = told(station)
    assert line.startswith(f"warning: broker 127.0.0.1:{port}: it kept 1")
    assert "max_queued_messages 0, persistence true" in line
    assert told(station) == [line], "nothing of the first time was left behind"


def test_a_broker_that_keeps_all_and_one_that_lets_us_not_look(
    told: Callable[..., list[str]], bare_mosquitto: Callable[..., BareMosquitto], tmp_path: Path
) -> None:
    (tmp_path / "acl").write_text("topic read plants/p/+/readings\n")
    broker = bare_mosquitto(f"max_queued_messages 0\nacl_file {tmp_path / 'acl'}\n")
    (line,) = told(STATION.replace("PORT", str(broker.port)))
    assert "is not known: it does not carry plants/p/$doctor" in line


def test_a_broker_that_is_not_there(told: Callable[..., list[str]]) -> None:
    (line,) = told(STATION.replace("PORT", str(port := free_port())))
    assert line.startswith(f"warning: broker of station: 127.0.0.1:{port} is not reachable")


def test_influxdb(told: Callable[..., list[str]], influxd: Influxd) -> None:
    store = f"store: {{influxdb: {{url: '{influxd.url}', api: v1}}}}\n"
    first, second = told(store)
    assert first.startswith("warning: InfluxDB: there is no database readings; `plant-monitor influx setup PLANT.yaml`")
    assert "results" in second
    influxd.create_database("readings")
    influxd.create_database("results")
    assert told(store) == []
    influxd.stop()
    (line,) = told(store)
    assert "not reachable" in line


def test_influxdb_3_core(told: Callable[..., list[str]], fake_influx: FakeInflux) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(200, "{}", {"X-Influxdb-Version": "3.1.0", "X-Influxdb-Build": "Core"})

    fake_influx.answer = answer
    (line,) = told(f"store: {{influxdb: {{url: '{fake_influx.url}', api: v2, org: o, token: 'env:PATH'}}}}\n")
    assert "about 72 hours only" in line


def test_secrets_that_are_not_here(told: Callable[..., list[str]]) -> None:
    (line,) = told("store: {influxdb: {url: 'http://127.0.0.1:9', api: v2, org: o, token: 'env:NOT_SET_HERE'}}\n")
    assert line.startswith("warning: brokers and InfluxDB were not asked") and "NOT_SET_HERE" in line


@pytest.mark.parametrize(("free", "word"), [(21, None), (19, "81% used"), (5, "95% used")])
def test_the_disk(
    told: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, word: str | None
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(total=100, used=100 - free, free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    lines = told()
    assert [word in line for line in lines] == ([] if word is None else [True])


def test_the_clock(told: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "clock_is_free", lambda: True)
    free, ahead = told(ages_ms=(0, -3_600_000))
    assert "not synchronised" in free and "ahead of this machine's clock" in ahead


def test_what_the_kernel_says_of_the_clock() -> None:
    assert isinstance(doctor.clock_is_free(), bool)


def test_silent_series(told: Callable[..., list[str]], bare_mosquitto: Callable[..., BareMosquitto]) -> None:
    station = STATION.replace("PORT", str(bare_mosquitto("max_queued_messages 0\n").port))
    (line,) = told(station, ages_ms=(3 * 60_000, 60_000))
    assert line.startswith("warning: silent: a/ph, last reading 20") and line.endswith("(station)")


def test_all_silent(told: Callable[..., list[str]], bare_mosquitto: Callable[..., BareMosquitto]) -> None:
    port = bare_mosquitto("max_queued_messages 0\n").port
    (line,) = told(STATION.replace("PORT", str(port)), ages_ms=(86_400_000, 86_400_000))
    assert line.startswith("warning: silent: all 2 series; no reading came since 20")
