"""Result tables as CSV files (design §4.3): numbers unrounded, as the shortest text that reads back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from plant_monitor.allocation.documents import STATEMENT_HEADER, VOLUMES_HEADER
from plant_monitor.compliance.evaluate import POINT_TABLES, Evaluation
from plant_monitor.compliance.tables import (
    EVIDENCE_COLUMNS,
    HEADROOM_COLUMNS,
    LAB_COLUMNS,
    REMOVAL_COLUMNS,
    WARNING_COLUMNS,
    Table,
)
from plant_monitor.errors import InputError

#: The files of an evaluation and their columns.
RESULT_COLUMNS = {
    **POINT_TABLES,
    "evidence": EVIDENCE_COLUMNS,
    "headroom": HEADROOM_COLUMNS,
    "removal": REMOVAL_COLUMNS,
    "lab": LAB_COLUMNS,
    "warnings": WARNING_COLUMNS,
}


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


def table_text(table: Table) -> str:
    """The rows of a table as CSV, without header."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(table.tuples())
    return text.getvalue()


@contextmanager
def evaluation_files(
    directory: Path, names: Collection[str] = tuple(RESULT_COLUMNS)
) -> Iterator[Callable[[Mapping[str, str]], None]]:
    """The files of an evaluation, to which rows are added by file; they appear at the end, unless an exception comes.

    Raises
    ------
    InputError  a file cannot be written
    """
    files: dict[str, TextIO] = {}

    def add(texts: Mapping[str, str]) -> None:
        with _writing(directory):
            for name, text in texts.items():
                files[name].write(text)

    try:
        with _writing(directory):
            directory.mkdir(parents=True, exist_ok=True)
            for name in names:
                files[name] = (directory / f"{name}.csv.part").open("w", encoding="utf-8", newline="")
        add({name: ",".join(RESULT_COLUMNS[name]) + "\n" for name in names})
        yield add
        with _writing(directory):
            for name, file in files.items():
                file.close()
                Path(file.name).replace(directory / f"{name}.csv")
    finally:
        for file in files.values():
            file.close()
            Path(file.name).unlink(missing_ok=True)


@contextmanager
def _writing(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or directory
        raise InputError(f"{where}: cannot be written ({error.strerror or error})") from None


def write_evaluation(directory: Path, evaluation: Evaluation) -> None:
    """All files of an evaluation but its warnings; those of laboratory results and of the evidence stay empty."""
    names = [name for name in RESULT_COLUMNS if name != "warnings"]
    with evaluation_files(directory, names) as add:
        add({name: table_text(getattr(evaluation, name)) for name in names if name not in {"lab", "evidence"}})


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


_TEXT = {
    "point", "parameter", "hour", "date", "month", "limit_set", "statistic", "verdict", "rule_version",
    "limit_set_version", "readings_sha256",
}  # fmt: skip


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
