"""`evaluate --jobs`: any number of processes, from a file or a store, writes the same bytes."""

import random
from pathlib import Path

import pytest

from plant_monitor.cli import main

POINTS, HOURS = 9, 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nine points, of them an inlet and an effluent; two and a half days each hour, in no order of time or point."""
    roles = {"p0": "role: inlet", "p1": "role: effluent"}
    points = [
        f"  - {{id: p{i}, {roles.get(f'p{i}', 'role: outfall, member: m')}, limits: [l], "
        "parameters: {flow: {unit: m3/h, interval: 1h}, cod_cr: {interval: 1h}, ph: {interval: 1h}}}"
        for i in range(POINTS)
    ]
    (tmp_path / "plant.yaml").write_text(
        "plant: {id: p, name: {zh: 厂, en: plant}, timezone: Asia/Shanghai, capacity_m3_d: 900, "
        "inlet: p0, effluent: p1}\n"
        "members: [{id: m, name: {zh: 员, en: member}}]\npoints:\n" + "\n".join(points) + "\nlimit_sets:\n"
        "  - id: l\n    title: {zh: 限, en: limits}\n    source: made up\n    limits:\n"
        "      - {parameter: cod_cr, upper: 400, unit: mg/L}\n"
        "      - {parameter: ph, lower: 6, upper: 9, statistic: hourly_median}\n",
        encoding="utf-8",
    )
    draw = random.Random(4)
    rows = [
        f"2026-10-{1 + hour // 24:02d}T{hour % 24:02d}:00:00+08:00,p{i},{parameter},{draw.uniform(*range_):.3f}\n"
        for i in range(POINTS)
        for parameter, range_ in (("flow", (-1, 30)), ("cod_cr", (50, 750)), ("ph", (5, 9.5)))
        for hour in range(HOURS)
        if draw.random() > 0.1
    ]
    draw.shuffle(rows)
    (tmp_path / "readings.csv").write_text("time,point,parameter,value\n" + "".join(rows))
    return tmp_path


def evaluated(folder: Path, out: str, *options: str) -> dict[str, bytes]:
    """The files of an evaluation by name."""
    command = ["evaluate", str(folder / "plant.yaml"), *options, "--out", str(folder / out)]
    assert main(command) == 0
    return {path.name: path.read_bytes() for path in (folder / out).iterdir()}


def test_any_number_of_processes_writes_the_same(folder: Path) -> None:
    file = ("--readings", str(folder / "readings.csv"))
    alone = evaluated(folder, "alone", *file, "--jobs", "1")
    assert alone["hourly.csv"].count(b"\n") == 1 + POINTS * 3 * 72
    assert alone["exceedances.csv"].count(b"\n") > 10
    assert evaluated(folder, "many", *file, "--jobs", "3") == alone
    assert evaluated(folder, "usual", *file) == alone


def test_each_process_reads_the_journal_itself(folder: Path) -> None:
    data = ("--data", str(folder / "data"))
    assert main(["import", str(folder / "plant.yaml"), str(folder / "readings.csv"), *data]) == 0
    alone = evaluated(folder, "file", "--readings", str(folder / "readings.csv"), "--jobs", "1")
    assert evaluated(folder, "store", *data, "--jobs", "2") == alone


def test_results_that_cannot_be_completed_leave_the_old_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = ("--readings", str(folder / "readings.csv"))
    before = evaluated(folder, "out", *file)
    (folder / "out" / "removal.csv.part").mkdir()  # stands in the way
    assert (
        main(["evaluate", str(folder / "plant.yaml"), *file, "--to", "2026-10-01", "--out", str(folder / "out")]) == 1
    )
    assert "removal.csv.part: cannot be written" in capsys.readouterr().err
    assert (folder / "out" / "hourly.csv").read_bytes() == before["hourly.csv"]
