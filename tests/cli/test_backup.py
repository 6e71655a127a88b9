"""A backup taken while the journal is being written is one consistent set, and comes back the same."""

import io
import json
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest

from plant_monitor.cli import main
from plant_monitor.config.plant_file import load_plant
from plant_monitor.data_folder import DataFolder
from plant_monitor.readings import Readings

PLANT = """
plant: {id: p, name: {zh: 厂, en: plant}, timezone: Asia/Shanghai, capacity_m3_d: 10}
members: []
points:
  - {id: basin, role: process, parameters: {ph: {interval: 1m}}}
store:
  influxdb: {url: 'http://127.0.0.1:1', api: v2, org: o, bucket: r, results_bucket: q, token: 'env:INFLUX_TOKEN'}
"""


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


@pytest.fixture
def plant_file(tmp_path: Path) -> Path:
    path = tmp_path / "plant.yaml"
    path.write_text(PLANT, encoding="utf-8")
    return path


def test_backup_while_the_service_writes_and_restore(
    plant_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant, data = load_plant(plant_file, secrets=False), tmp_path / "data"
    assert run("keys", "add", plant_file, "--role", "officer", "--data", data) == 0
    stop, written = threading.Event(), threading.Event()
    with DataFolder(data).journal(plant) as journal:

        def write() -> None:
            number = 0
            while not stop.is_set():
                journal.append(Readings.of(number * 1000 + np.arange(500), 0, float(number)), accepted_ms=number)
                number += 1
                written.set()

        writer = threading.Thread(target=write)
        writer.start()
        written.wait(10)
        assert run("backup", plant_file, "--data", data, "--out", tmp_path / "set.tar.gz") == 0
        stop.set()
        writer.join()
    assert "env:INFLUX_TOKEN" in capsys.readouterr().err

    assert run("restore", tmp_path / "set.tar.gz", "--data", tmp_path / "again") == 0
    with DataFolder(tmp_path / "again").journal(plant, read_only=True) as copy:
        readings = copy.read(0, 0, 1 << 50)
        assert copy.check() == []
    assert len(readings) > 0 and len(readings) % 500 == 0, "whole commits, none torn"
    assert (tmp_path / "again" / "plant.yaml").read_text(encoding="utf-8") == PLANT
    capsys.readouterr()
    assert run("keys", "list", plant_file, "--data", tmp_path / "again") == 0
    assert "officer" in capsys.readouterr().out


def test_nothing_is_overwritten(plant_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, archive = tmp_path / "data", tmp_path / "set.tar.gz"
    assert run("backup", plant_file, "--data", data, "--out", archive) == 1, "there is nothing yet"
    with DataFolder(data).journal(load_plant(plant_file, secrets=False)):
        pass
    assert run("backup", plant_file, "--data", data, "--out", archive) == 0
    assert run("backup", plant_file, "--data", data, "--out", archive) == 1
    assert run("restore", archive, "--data", data) == 1
    assert "not empty" in capsys.readouterr().err


def test_a_damaged_archive_leaves_nothing_behind(plant_file: Path, tmp_path: Path) -> None:
    data, archive, bad = tmp_path / "data", tmp_path / "set.tar.gz", tmp_path / "bad.tar.gz"
    with DataFolder(data).journal(load_plant(plant_file, secrets=False)):
        pass
    assert run("backup", plant_file, "--data", data, "--out", archive) == 0
    (tmp_path / "x").mkdir()
    with tarfile.open(archive) as tar:
        for name in ("manifest.json", "journal.sqlite", "plant.yaml"):
            content = tar.extractfile(name)
            assert content is not None
            (tmp_path / "x" / name).write_bytes(content.read())
    with (tmp_path / "x" / "journal.sqlite").open("r+b") as file:
        file.seek(5000)
        file.write(b"damage")
    with tarfile.open(bad, "w:gz") as tar:
        for name in ("manifest.json", "journal.sqlite", "plant.yaml"):
            tar.add(tmp_path / "x" / name, name)
    assert run("restore", bad, "--data", tmp_path / "new") == 1
    assert list((tmp_path / "new").iterdir()) == []
    bad.write_bytes(archive.read_bytes()[:400])
    assert run("restore", bad, "--data", tmp_path / "new") == 1
    manifest = json.loads((tmp_path / "x" / "manifest.json").read_text())
    assert manifest["plant"] == "p" and set(manifest["sha256"]) == {"journal.sqlite", "plant.yaml"}


def test_the_plant_file_is_compared_with_what_ran(
    plant_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Byte for byte, a byte order mark and all; another one than the service's is told."""
    plant_file.write_bytes(b"\xef\xbb\xbf" + PLANT.replace("\n", "\r\n").encode())
    plant, data = load_plant(plant_file, secrets=False), tmp_path / "data"
    with DataFolder(data).journal(plant) as journal:
        assert journal.keep_plant(plant.source_text, accepted_ms=1) == plant.digest
    assert run("backup", plant_file, "--data", data, "--out", tmp_path / "set.tar.gz") == 0
    assert run("restore", tmp_path / "set.tar.gz", "--data", tmp_path / "again") == 0
    told = capsys.readouterr().err
    assert "no service has run" not in told
    assert "set it before the service starts: env:INFLUX_TOKEN" in told
    assert (tmp_path / "again" / "plant.yaml").read_bytes() == plant_file.read_bytes()

    plant_file.write_text(PLANT + "# changed\n", encoding="utf-8")
    assert run("backup", plant_file, "--data", data, "--out", tmp_path / "other.tar.gz") == 0
    assert "no service has run on these data with this plant.yaml" in capsys.readouterr().err
    assert run("restore", tmp_path / "other.tar.gz", "--data", tmp_path / "third") == 0
    assert "is it the right one?" in capsys.readouterr().err


def test_an_archive_of_two_plants_is_refused(plant_file: Path, tmp_path: Path) -> None:
    data, archive, bad = tmp_path / "data", tmp_path / "set.tar.gz", tmp_path / "bad.tar.gz"
    with DataFolder(data).journal(load_plant(plant_file, secrets=False)):
        pass
    assert run("backup", plant_file, "--data", data, "--out", archive) == 0
    with tarfile.open(archive) as tar, tarfile.open(bad, "w:gz") as mixed:
        for name in ("manifest.json", "journal.sqlite", "plant.yaml"):
            content = tar.extractfile(name)
            assert content is not None
            told = content.read().replace(load_plant(plant_file, secrets=False).digest.encode(), b"0" * 64, 1)
            entry = tarfile.TarInfo(name)
            entry.size = len(told)
            mixed.addfile(entry, io.BytesIO(told))
    assert run("restore", bad, "--data", tmp_path / "new") == 1
    assert list((tmp_path / "new").iterdir()) == []
