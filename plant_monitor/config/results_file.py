"""Result tables as CSV files (design §4.3): numbers unrounded, as the shortest text that reads back."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.compliance.tables import Table


def write_table(path: Path, table: Table) -> None:
    """One table, whole or not at all. Unknown is empty."""
    write_rows(path, tuple(table.columns), table.tuples())


def write_rows(path: Path, header: Sequence[str], rows: object) -> None:
    """A header and rows; the file appears only once it is complete."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)  # type: ignore[arg-type]  # the csv module writes a float as its repr, None as nothing
    os.replace(part, path)


def write_evaluation(directory: Path, evaluation: Evaluation) -> None:
    """``hourly.csv``, ``daily.csv``, ``exceedances.csv``, ``headroom.csv`` and ``findings.csv``."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("hourly", "daily", "exceedances", "headroom", "findings"):
        write_table(directory / f"{name}.csv", getattr(evaluation, name))
