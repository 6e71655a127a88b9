"""Golden bills: one folder per rule, worked by hand in its README, and the published bills."""

import csv
import gzip
import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from plant_monitor.allocation.documents import STATEMENT_HEADER, VOLUMES_HEADER, statement_rows, volume_rows
from plant_monitor.allocation.statement import Period, Statement, bill
from plant_monitor.config.costs_file import read_costs
from plant_monitor.config.plant_file import load_plant
from plant_monitor.config.readings_file import read_readings

TESTS = Path(__file__).parent.parent
CASES = TESTS / "cases" / "bill"
PUBLISHED = TESTS / "data" / "billing" / "cases"


def billed(folder: Path, readings: Path, period: str) -> Statement:
    plant = load_plant(folder / "plant.yaml")
    rows, rejects = read_readings(readings, plant)
    assert not rejects
    return bill(plant, rows, Period.parse(period, plant.zone), read_costs(folder / "costs.csv", plant))


def rows_of(path: Path) -> list[tuple[str, ...]]:
    with path.open(newline="") as file:
        return [tuple(row) for row in csv.reader(file)]


@pytest.mark.parametrize("case", sorted(p.name for p in CASES.iterdir()))
def test_worked_by_hand(case: str) -> None:
    folder = CASES / case
    statement = billed(folder, folder / "readings.csv", (folder / "period").read_text().strip())
    assert [VOLUMES_HEADER, *volume_rows(statement)] == rows_of(folder / "volumes.csv")
    assert [STATEMENT_HEADER, *statement_rows(statement)] == rows_of(folder / "statement.csv")


@pytest.mark.parametrize("case", sorted(p.name for p in PUBLISHED.iterdir()))
def test_published(case: str, tmp_path: Path) -> None:
    folder = PUBLISHED / case
    readings = folder / "readings.csv"
    if not readings.exists():
        readings = tmp_path / "readings.csv"
        readings.write_bytes(gzip.decompress((folder / "readings.csv.gz").read_bytes()))
    expected = json.loads((folder / "expected.json").read_text())
    rows = statement_rows(billed(folder, readings, expected["period"]))
    found = {(member, item): Decimal(amount) for member, item, *_, amount in rows}
    published = {(a["member"], a["item"]): a["amount_yuan"] for a in expected["amounts"]}
    published |= {(member, "TOTAL"): amount for member, amount in expected["member_totals"].items()}
    assert published
    for key, amount in published.items():
        rounded = found[key].quantize(Decimal(expected["round_to_yuan"]), ROUND_HALF_UP)
        assert abs(rounded - Decimal(amount)) <= Decimal(expected["tolerance_yuan"]), key
