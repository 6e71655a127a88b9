"""A real foreign export, imported through a map and billed for a month, against a direct computation."""

import csv
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from plant_monitor.cli import main

HERE = Path(__file__).parent / "memphis"
ZONE = ZoneInfo("America/Chicago")
M3_H_OF_MGAL_D = 3785.411784 / 24


def direct_volume_m3(rows: list[tuple[datetime, float | None]], start: datetime, end: datetime) -> float:
    """∫ q dt of the month: a reading holds to the next, ten minutes at most; unknown time counts at the mean."""
    volume = known_h = 0.0
    for (time, mgal_d), following in zip(rows, [*rows[1:], None], strict=True):
        stop = min(following[0].timestamp() if following else time.timestamp() + 600, time.timestamp() + 600)
        hours = (min(stop, end.timestamp()) - max(time.timestamp(), start.timestamp())) / 3600
        if hours > 0 and mgal_d is not None:  # an empty value ends the hold before it and says nothing itself
            volume += mgal_d * M3_H_OF_MGAL_D * hours
            known_h += hours
    whole_h = (end.timestamp() - start.timestamp()) / 3600
    return volume + volume / known_h * (whole_h - known_h)


@pytest.fixture
def export(gunzip: Callable[[str], Path]) -> Path:
    return gunzip("plant/memphis_influent_5min.csv")


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


def test_import_through_a_map_then_bill_a_month(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "data", tmp_path / "bill"
    plant, map_file = HERE / "plant.yaml", HERE / "map.yaml"
    assert run("import", plant, export, "--map", map_file, "--data", data) == 0
    assert "17520 new, 0 known" in capsys.readouterr().err
    assert run("import", plant, export, "--map", map_file, "--data", data) == 0, "importing again changes nothing"
    assert "0 new, 17520 known" in capsys.readouterr().err
    assert run("bill", plant, "--period", "2025-04", "--costs", HERE / "costs.csv", "--data", data, "--out", out) == 0

    with export.open() as file:
        rows = sorted(
            (
                datetime.fromisoformat(row["timestamp"]).replace(tzinfo=ZONE),
                float(row["value"]) if row["value"] else None,
            )
            for row in csv.DictReader(file)
        )
    start, end = datetime(2025, 4, 1, tzinfo=ZONE), datetime(2025, 5, 1, tzinfo=ZONE)
    (volume,) = csv.DictReader((out / "volumes.csv").read_text().splitlines())
    assert volume["method"] == "flow"
    assert float(volume["volume_m3"]) == pytest.approx(direct_volume_m3(rows, start, end), abs=0.0006)
    lines = list(csv.DictReader((out / "statement.csv").read_text().splitlines()))
    assert [line["amount_yuan"] for line in lines] == ["1000.00"] * 4  # the one member: item and total, then TOTAL
    assert json.loads((out / "statement.json").read_text())


def test_times_the_clock_passes_twice_are_refused_by_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """2025-11-02 01:30 happens twice in Chicago, 2025-03-09 02:30 never: both rows are listed, the others taken."""
    file, rejects = tmp_path / "export.csv", tmp_path / "rejects.csv"
    times = ("2025-11-02T00:55:00", "2025-11-02T01:30:00", "2025-03-09T02:30:00", "2025-11-02T02:00:00")
    file.write_text("timestamp,value\n" + "".join(f"{time},60\n" for time in times))
    plant, data = HERE / "plant.yaml", tmp_path / "data"
    assert run("import", plant, file, "--map", HERE / "map.yaml", "--data", data, "--rejects", rejects) == 1
    assert "2 new" in capsys.readouterr().err
    listed = list(csv.DictReader(rejects.read_text().splitlines()))
    assert [row["line"] for row in listed] == ["3", "4"]
