"""Real SCADA rows from a real Modbus server, one row a poll, on a simulated clock, against a direct computation.

The stated rules: local times are those of America/Chicago, so the hour that the clock skips in March is no gap;
a flow at or below 0.1 m³/h (so 0) discharges nothing; an NH4 of 0 is the analyser's word for "no result" and is
no value (``no_value``).
"""

import csv
import gzip
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from plant_monitor import monitor
from plant_monitor.cli import main
from plant_monitor.clock import ManualClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.ingest.intake import Intake
from plant_monitor.ingest.modbus import ModbusPoller
from plant_monitor.plant import ModbusDevice, Plant
from plant_monitor.store.journal import Journal, open_journal
from simulators.rows import RowServer

HERE = Path(__file__).parent
FIVE_MINUTES = 300_000
Row = tuple[int, float, float]  # ms, flow m3/d, NH4 mg/L


@pytest.fixture(scope="module")
def plant() -> Plant:
    return load_plant(HERE / "ecorecover" / "plant.yaml")


@pytest.fixture(scope="module")
def rows(test_data: Path, plant: Plant) -> list[Row]:
    packed = (test_data / "plant" / "ecorecover_effluent_5min.csv.gz").read_bytes()
    table = csv.DictReader(gzip.decompress(packed).decode().splitlines())
    return [
        (
            round(datetime.fromisoformat(row["t_stamp"]).replace(tzinfo=plant.zone).timestamp()) * 1000,
            float(row["flow_eff"]),
            float(row["nh4_eff"]),
        )
        for row in table
    ]


@pytest.fixture(scope="module")
def journal(plant: Plant, rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    """All rows, polled over the wire into a journal."""
    times = np.array([row[0] for row in rows])
    (device,) = plant.devices
    assert isinstance(device, ModbusDevice)
    clock = ManualClock(int(times[0]) - 1000)
    path = tmp_path_factory.mktemp("scada") / "journal.sqlite"
    journal = open_journal(path, [(s.point, s.parameter) for s in plant.series])
    intake = Intake(journal, clock)
    intake.start()
    with RowServer(replace(device, port=0), times, np.array([row[1:] for row in rows]), clock) as server:
        poller = ModbusPoller(server.device, plant, intake, clock)
        poller.start()
        for time_ms in times.tolist():
            assert clock.waiting(1) == time_ms  # the poller has done all it had to do, and waits for the next row
            clock.set(time_ms)
        clock.waiting(1)
        poller.stop()
        assert server.served == list(range(len(rows))), "one row a poll, each once"
    intake.stop()
    yield journal
    journal.close()


def direct_daily_means(rows: list[Row], zone: ZoneInfo) -> dict[date, tuple[float, float]]:
    """(mean mg/L, volume m³) by local day, plainly: each row holds to the next, ten minutes at most."""
    load, volume, weight = (
        defaultdict[date, float](float),
        defaultdict[date, float](float),
        defaultdict[date, float](float),
    )
    for (time, flow_m3_d, nh4), following in zip(rows, [*rows[1:], None], strict=True):
        hours = min((following[0] if following else time + 600_000) - time, 600_000) / 3_600_000
        day = datetime.fromtimestamp(time / 1000, zone).date()
        if datetime.fromtimestamp(time / 1000 + hours * 3600 - 0.001, zone).date() != day:
            hours = FIVE_MINUTES / 3_600_000  # the last row of the file holds over midnight
        flow = flow_m3_d / 24 if flow_m3_d / 24 > 0.1 else 0.0
        volume[day] += flow * hours
        if nh4 != 0:
            load[day] += flow * nh4 * hours
            weight[day] += flow * hours
    return {day: (load[day] / weight[day], volume[day]) for day in load}


def test_every_row_is_journaled_as_it_was_served(journal: Journal, rows: list[Row], plant: Plant) -> None:
    flow = journal.read(0, rows[0][0], rows[-1][0] + 1)
    nh4 = journal.read(1, rows[0][0], rows[-1][0] + 1)
    assert flow.time.tolist() == nh4.time.tolist() == [row[0] for row in rows]
    assert flow.value.tolist() == [row[1] for row in rows]
    assert np.isnan(nh4.value).tolist() == [row[2] == 0 for row in rows]


def test_daily_means_equal_the_direct_computation(journal: Journal, rows: list[Row], plant: Plant) -> None:
    expected = direct_daily_means(rows, plant.zone)
    evaluation = monitor.evaluate_days(plant, journal, min(expected), max(expected))
    found = {
        date.fromisoformat(row["date"]): (row["value"], row["volume_m3"])
        for row in evaluation.daily.rows()
        if row["parameter"] == "ammonia_n"
    }
    assert found.keys() == expected.keys() and len(found) == 28
    for day, (mean, volume) in expected.items():
        assert found[day] == pytest.approx((mean, volume), rel=1e-9), day


def test_the_skipped_hour_is_no_gap(journal: Journal, plant: Plant) -> None:
    day = date(2022, 3, 13)
    evaluation = monitor.evaluate_days(plant, journal, day, day)
    (row,) = [r for r in evaluation.daily.rows() if r["parameter"] == "flow"]
    assert len(evaluation.windows.hour_day) == 23
    assert row["valid_share"] == 1.0


def test_verdicts_stand_on_the_same_means(journal: Journal, rows: list[Row], plant: Plant) -> None:
    expected = direct_daily_means(rows, plant.zone)
    evaluation = monitor.evaluate_days(plant, journal, date(2022, 3, 12), date(2022, 4, 7))
    for row in evaluation.daily.rows():
        if row["parameter"] == "ammonia_n":
            mean = expected[date.fromisoformat(row["date"])][0]
            assert row["verdict"] == ("exceeded" if mean > 25 else "met"), row
    assert {row["verdict"] for row in evaluation.daily.rows() if row["parameter"] == "ammonia_n"} == {"met", "exceeded"}


def test_the_file_says_the_same_as_the_wire(
    journal: Journal, plant: Plant, gunzip: Callable[[str], Path], tmp_path: Path
) -> None:
    """The same rows imported through a map: the same readings, so the same means (docs/tutorials.md)."""
    export = gunzip("plant/ecorecover_effluent_5min.csv")
    folder = HERE / "ecorecover"
    arguments = ["import", folder / "plant.yaml", export, "--map", folder / "map.yaml", "--data", tmp_path / "data"]
    assert main([str(a) for a in arguments]) == 0
    series = [(s.point, s.parameter) for s in plant.series]
    imported = open_journal(tmp_path / "data" / "journal.sqlite", series, read_only=True)
    days = date(2022, 3, 11), date(2022, 4, 7)
    ours, theirs = (monitor.evaluate_days(plant, source, *days) for source in (imported, journal))
    assert list(ours.daily.rows()) == list(theirs.daily.rows())
    imported.close()
