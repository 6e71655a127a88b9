"""Result tables as CSV files (design §4.3): numbers unrounded, as the shortest text that reads back."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from plant_monitor.allocation.documents import STATEMENT_HEADER, VOLUMES_HEADER
from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.compliance.tables import Table
from plant_monitor.errors import InputError

RESULTS = (
    "hourly", "daily", "monthly", "exceedances", "headroom", "findings", "removal", "substituted", "rates",
)  # fmt: skip


def write_table(path: Path, table: Table) -> None:
    """One table, whole or not at all. Unknown is empty."""
    write_rows(path, tuple(table.columns), table.tuples())


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A header and rows; the file appears only once it is complete."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)  # the csv module writes a float as its repr, None as nothing
    part.replace(path)


def write_evaluation(directory: Path, evaluation: Evaluation, lab: Table) -> None:
    """A CSV for each of :data:`RESULTS`, and ``lab.csv``."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in RESULTS:
        write_table(directory / f"{name}.csv", getattr(evaluation, name))
    write_table(directory / "lab.csv", lab)


def read_results(directory: Path, names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Rows of result files, as they were written: numbers as numbers, None for unknown; no file, no rows.

    Raises
    ------
    InputError  the folder has none of the files
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        path = directory / f"{name}.csv"
        if path.exists():
            with path.open(encoding="utf-8", newline="") as file:
                found[name] = [{key: _value(key, text) for key, text in row.items()} for row in csv.DictReader(file)]
    if not found:
        raise InputError(f"{directory}: no results here, expected files that `evaluate` has written")
    return found


def _value(column: str, text: str) -> Any:
    """A cell as it was: what is no text column holds a number or nothing."""
    if column in _TEXT:
        return text
    return float(text) if text else None


_TEXT = {"point", "parameter", "hour", "date", "month", "limit_set", "statistic", "verdict"}


def write_statement(
    directory: Path, document: Mapping[str, Any], lines: Iterable[Sequence[object]], volumes: Iterable[Sequence[object]]
) -> None:
    """``statement.json``, ``statement.csv`` and ``volumes.csv``."""
    directory.mkdir(parents=True, exist_ok=True)
    write_rows(directory / "statement.csv", STATEMENT_HEADER, lines)
    write_rows(directory / "volumes.csv", VOLUMES_HEADER, volumes)
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    part = directory / "statement.json.part"
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(directory / "statement.json")
