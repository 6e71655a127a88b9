"""``headroom`` on the real influent of a plant: what is left, and a week ahead."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from plant_monitor.cli import main

ROOT = Path(__file__).resolve().parents[1]
MEMPHIS = ROOT / "e2e" / "memphis"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memphis")
    export = folder / "influent.csv"
    export.write_bytes(gzip.decompress((ROOT / "data" / "plant" / "memphis_influent_5min.csv.gz").read_bytes()))
    imported = ["import", MEMPHIS / "plant.yaml", export, "--map", MEMPHIS / "map.yaml", "--data", folder / "data"]
    assert main([str(a) for a in imported]) == 0
    return folder / "data"


def headroom(data: Path, *more: str) -> int:
    return main(["headroom", str(MEMPHIS / "plant.yaml"), "--data", str(data), *more])


def test_what_is_left_and_a_week_ahead(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert headroom(data, "--at", "2025-05-05T14:20:00-05:00") == 0
    told = capsys.readouterr().out
    assert "Headroom 2025-05-05T14:00:00-05:00" in told
    assert "235,510 / 500,000 = 47%" in told  # the last 24 h: 288 readings, 62.215 Mgal/d on average
    lines = [line for line in told.splitlines() if "2025-05-" in line and "%" in line]
    assert [line.split("│")[1].strip() for line in lines] == [f"2025-05-{day:02d}" for day in range(5, 12)]
    for line in lines:
        low, middle, high = (int(cell.replace(",", "")) for cell in line.split("│")[2:5])
        assert 150_000 < low < middle < high


def test_too_short_a_history_is_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert headroom(data, "--at", "2025-03-20") == 0
    told = capsys.readouterr()
    assert "it needs 28 days of known inflow, there are 14" in told.err
    assert "P10" not in told.out


def test_a_time_that_is_none_is_wrong_usage(data: Path) -> None:
    assert headroom(data, "--at", "noon") == 2


def test_a_file_is_told_as_at_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"2025-05-05T{hour:02d}:{minute:02d}:00-05:00,influent,flow,100," for hour in range(6) for minute in (0, 5)]
    file = tmp_path / "readings.csv"
    file.write_text("\n".join(["time,point,parameter,value,mark", *rows]) + "\n")
    assert main(["headroom", str(MEMPHIS / "plant.yaml"), "--readings", str(file)]) == 0
    told = capsys.readouterr().out
    assert "Headroom 2025-05-05T05:00:00-05:00" in told
    assert "valid 25%" in told  # each hour two readings, the second of which holds ten minutes
