"""Real InfluxDB servers that are killed, fill their disk, or are handed months at once.

Design §6, row "InfluxDB down, slow, full, or refuses a point": ingest goes on, the backlog drains later, nothing is
lost and nothing is there twice. Stopped, paused and refusing servers, and each answer they give: ``tests/store/
test_forwarder.py``; verdicts and alerts meanwhile: ``tests/live/test_service_influxdb.py``.
"""

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from servers import Influxd, require_server, wait_until

from plant_monitor.clock import SystemClock
from plant_monitor.plant import InfluxSettings, Plant
from plant_monitor.readings import Readings
from plant_monitor.store.forwarder import Forwarder
from plant_monitor.store.influx import InfluxServer
from plant_monitor.store.journal import BACKFILL, Journal, open_journal
from tests.ingest.field_parts import plant_of, series

T0 = 1_790_784_000_000  # 2026-10-01T00:00:00+08:00
SECOND = 1000
FAR = 2**53


@pytest.fixture
def plant() -> Plant:
    return plant_of(series("p", "ph"), series("p", "cod_cr"))


@pytest.fixture
def journal(tmp_path: Path, plant: Plant) -> Iterator[Journal]:
    opened = open_journal(tmp_path / "journal.sqlite", [(s.point, s.parameter) for s in plant.series], outbox=True)
    yield opened
    opened.close()


def forwarder_to(influxd: Influxd, journal: Journal, plant: Plant) -> Forwarder:
    settings = InfluxSettings(influxd.url, "v1", "", "readings", "results")
    return Forwarder(journal, plant, InfluxServer(settings, timeout_s=5), SystemClock())


def live(n: int) -> Readings:
    """A value that tells which it is."""
    return Readings.of([T0 + n * SECOND], 0, [n + 0.25])


def history(first: int, count: int) -> Readings:
    numbers = np.arange(first, first + count)
    return Readings.of(T0 - (numbers + 1) * SECOND, 1, numbers + 0.5)


def there(influxd: Influxd, parameter: str) -> list[tuple[int, float]]:
    rows = influxd.query_csv("readings", f"SELECT value FROM readings WHERE parameter='{parameter}'")
    return [(int(row["time"]), float(row["value"])) for row in rows]


def here(journal: Journal, index: int) -> list[tuple[int, float]]:
    readings = journal.read(index, 0, FAR)
    return list(zip(readings.time.tolist(), readings.value.tolist(), strict=True))


def assert_all_there_once(influxd: Influxd, journal: Journal) -> None:
    assert there(influxd, "ph") == here(journal, 0)
    assert there(influxd, "cod_cr") == here(journal, 1)
    assert journal.outbox_refused() == []


def test_killed_again_and_again_under_load(influxd: Influxd, journal: Journal, plant: Plant) -> None:
    """SIGKILL at random instants while live readings and a backfill go out: all of it is there in the end, once."""
    influxd.create_database("readings")
    forwarder = forwarder_to(influxd, journal, plant)
    chance = random.Random(5)
    forwarder.start()
    try:
        sent = 0
        for kill in range(5):
            for part in range(4):
                journal.append(history((4 * kill + part) * 5_000, 5_000), accepted_ms=T0, priority=BACKFILL)
            until = time.monotonic() + chance.uniform(0.05, 0.5)
            while time.monotonic() < until:
                journal.append(live(sent), accepted_ms=T0)
                sent += 1
            influxd.kill()
            journal.append(live(sent), accepted_ms=T0)  # taken while it is down
            sent += 1
            influxd.start()
        wait_until(lambda: journal.counts().outbox_rows == 0, 90, "the backlog drains")
    finally:
        forwarder.stop()
    assert len(here(journal, 0)) == sent and len(here(journal, 1)) == 100_000
    assert_all_there_once(influxd, journal)


def test_months_of_backfill_starve_no_live_reading(influxd: Influxd, journal: Journal, plant: Plant) -> None:
    """A live reading is in the request after the one under way, however many wait behind it."""
    influxd.create_database("readings")
    for part in range(30):  # 150,000 readings: six weeks of a series by the half minute
        journal.append(history(part * 5_000, 5_000), accepted_ms=T0, priority=BACKFILL)
    forwarder = forwarder_to(influxd, journal, plant)
    requests: list[bytes] = []
    write = forwarder._server.write

    def seen(bucket: str, lines: bytes) -> None:
        requests.append(lines)
        write(bucket, lines)

    forwarder._server.write = seen  # type: ignore[method-assign]
    forwarder.start()
    allowed = []
    for n in range(3):
        wait_until(lambda: len(requests) > 3 * n, 30)  # noqa: B023
        journal.append(live(n), accepted_ms=T0)
        allowed.append(len(requests) + 1)  # the one under way may have been read from the outbox before
    wait_until(lambda: journal.counts().outbox_rows == 0, 60, "the backlog drains")
    forwarder.stop()
    carried = [next(i for i, body in enumerate(requests) if f"value={n}.25".encode() in body) for n in range(3)]
    assert all(index <= most for index, most in zip(carried, allowed, strict=True))
    assert len(requests) >= 15, "most of the backlog was still to come"
    assert_all_there_once(influxd, journal)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_its_disk_is_full(small_disk: Path, journal: Journal, plant: Plant) -> None:
    """It takes nothing and the journal goes on. With room again, and a restart of its own as 1.x needs, all drains."""
    influxd = Influxd(require_server("influxd"), small_disk / "influxd")
    influxd.start()
    try:
        influxd.create_database("readings")
        rng = np.random.default_rng(1)
        noise = rng.normal(size=200_000)
        for part in range(40):
            numbers = np.arange(part * 5_000, (part + 1) * 5_000)
            rows = Readings.of(T0 - numbers[::-1] * SECOND, 1, noise[numbers])
            journal.append(rows, accepted_ms=T0, priority=BACKFILL)
        forwarder = forwarder_to(influxd, journal, plant)
        forwarder.start()
        wait_until(lambda: "no space left" in str(forwarder.health()["error"]), 60, "it says why it takes nothing")
        assert forwarder.health()["state"] == "waiting"
        journal.append(live(0), accepted_ms=T0)
        assert journal.counts().outbox_rows > 10_000, "what it has not taken waits"
        subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
        influxd.restart()
        wait_until(lambda: journal.counts().outbox_rows == 0, 120, "the backlog drains")
        forwarder.stop()
        assert_all_there_once(influxd, journal)
    finally:
        influxd.kill()
