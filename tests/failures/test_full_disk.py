"""Design §6, rows "a commit fails (disk full, file lost)" and "disk nearly full": a service on a real small disk."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from running_service import service
from servers import Mosquitto, free_port, wait_until

from plant_monitor.config.plant_file import load_plant
from plant_monitor.data_folder import DataFolder

PLANT = """
plant: {id: full, name: {zh: 厂, en: plant}, timezone: Asia/Shanghai, capacity_m3_d: 1200}
members: []
points:
  - {id: basin, role: process, parameters: {cod_cr: {interval: 1h}}}
devices:
  - {id: station, protocol: mqtt, broker: 'mqtt://127.0.0.1:BROKER', topic: plants/full/+/readings}
"""
START_MS = 1_790_000_000_000
SIZE = 16 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def leave(disk: Path, free: int) -> None:
    """Others fill the disk until so many bytes are left."""
    junk = disk / "junk"
    junk.unlink(missing_ok=True)
    room = os.statvfs(disk)
    junk.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - free)))


def test_it_warns_then_alarms_then_stores_nothing_and_loses_nothing(
    small_disk: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    plant_file, data, port = tmp_path / "plant.yaml", small_disk / "data", free_port()
    plant_file.write_text(PLANT.replace("BROKER", str(mosquitto.port)), encoding="utf-8")
    plant = load_plant(plant_file)
    with DataFolder(data).ledger() as ledger:
        key = ledger.keys.add("operator", now_ms=START_MS).secret

    def health() -> dict[str, object]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/health", headers={"Authorization": f"Bearer {key}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                told: dict[str, object] = json.loads(answer.read())
                return told
        except OSError:
            return {"status": "away", "disk": {}, "devices": [{}]}

    def told() -> str:
        return (tmp_path / "service.log").read_text()

    field = Client(CallbackAPIVersion.VERSION2, client_id="field")
    field.connect(mosquitto.host, mosquitto.port)
    field.loop_start()
    sent = 0

    def publish(count: int) -> None:
        nonlocal sent
        for _ in range(count):
            batch = [{"time": START_MS + sent * 100 + i, "values": {"cod_cr": sent + i / 128}} for i in range(100)]
            field.publish("plants/full/basin/readings", json.dumps(batch), qos=1).wait_for_publish(10)
            sent += 1

    with service(plant_file, data, port, tmp_path / "service.log"):
        wait_until(lambda: "receiving" in told(), 60, "it has subscribed")
        assert health()["disk"]["state"] == "ok"  # type: ignore[index]
        leave(small_disk, SIZE * 15 // 100)
        wait_until(lambda: health()["disk"]["state"] == "warning", 20)  # type: ignore[index]
        wait_until(lambda: "the disk fills" in told(), 20)
        assert health()["status"] == "ok", "a warning is none yet"
        leave(small_disk, SIZE * 5 // 100)
        wait_until(lambda: health()["disk"]["state"] == "alarm", 20)  # type: ignore[index]
        wait_until(lambda: "the disk is nearly full" in told(), 20)
        assert health()["status"] == "degraded"
        publish(10)
        wait_until(lambda: health()["devices"][0]["acknowledged"] == 10, 20, "what fits is stored")  # type: ignore[index]
        leave(small_disk, 0)
        publish(60)
        wait_until(lambda: health()["status"] == "not storing", 30)
        kept = health()["devices"][0]["acknowledged"]  # type: ignore[index]
        assert kept < sent, "what is not stored is not acknowledged"
        leave(small_disk, SIZE // 2)
        wait_until(lambda: health()["status"] == "ok", 60, "there is room again: it resumes by itself")

        def stored() -> list[int]:
            with DataFolder(data).journal(plant, read_only=True) as journal:
                return journal.read(0, 0, 1 << 50).time.tolist()

        wait_until(lambda: len(stored()) == sent * 100, 60, "the broker has handed over what it kept")
        assert stored() == [START_MS + i for i in range(sent * 100)], "none lost, none twice"
    field.disconnect()
    field.loop_stop()
