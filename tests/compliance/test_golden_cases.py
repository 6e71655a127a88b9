"""Hand-worked cases: one folder per rule of design §5, run through the `evaluate` command.

``expected.yaml`` holds the arithmetic in words and, per result file, rows by their telling columns: each
row names a unique row of the file (by the columns that identify rows) and what else must stand in it.
``lab_results.csv`` is handed in where there is one. ``[]`` means the file has no rows; ``count`` counts rows that
match.
"""

import csv
import math
from pathlib import Path

import pytest
import yaml

from plant_monitor.cli import main
from plant_monitor.config.results_file import RESULT_COLUMNS

FILES = tuple(RESULT_COLUMNS)
CASES = Path(__file__).parent.parent / "cases" / "evaluate"
KEYS = {
    "point",
    "parameter",
    "date",
    "hour",
    "month",
    "step",
    "period",
    "sample_start",
    "statistic",
    "limit_set",
    "start",
    "code",
    "kind",
}


def same(text: str, expected: object) -> bool:
    if expected is None:
        return text == ""
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        return text != "" and math.isclose(float(text), expected, rel_tol=1e-12, abs_tol=1e-12)
    return text == str(expected)


def matches(row: dict[str, str], where: dict[str, object]) -> bool:
    return all(same(row[key], value) for key, value in where.items())


@pytest.mark.parametrize("case", sorted(p.name for p in CASES.iterdir()))
def test_case(case: str, tmp_path: Path) -> None:
    folder = CASES / case
    expected = yaml.safe_load((folder / "expected.yaml").read_text())
    plant, readings = folder / "plant.yaml", folder / "readings.csv"
    lab = ["--lab", str(folder / "lab_results.csv")] if (folder / "lab_results.csv").exists() else []
    options = [*lab, "--suspects", "--out", str(tmp_path)]
    assert main(["evaluate", str(plant), "--readings", str(readings), *options]) == 0
    rows = {name: list(csv.DictReader((tmp_path / f"{name}.csv").read_text().splitlines())) for name in FILES}
    for name in FILES:
        if expected.get(name) == []:
            assert rows[name] == []
        for want in expected.get(name) or ():
            never = want.pop("never", False)
            where = {key: value for key, value in want.items() if key in KEYS}
            found = [row for row in rows[name] if matches(row, where)]
            if never:
                assert not found
                continue
            assert len(found) == 1, f"{name}.csv: {len(found)} rows match {where}"
            wrong = {key: (found[0][key], value) for key, value in want.items() if not same(found[0][key], value)}
            assert not wrong, f"{name}.csv {where}: (found, expected) {wrong}"
    for name, want in (expected.get("count") or {}).items():
        n = want.pop("rows")
        assert len([row for row in rows[name] if matches(row, want)]) == n
