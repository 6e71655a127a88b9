"""Readings files: CSV and Parquet in and out, and foreign CSV through a map."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from plant_monitor.config.foreign_file import iter_mapped, read_mapped
from plant_monitor.config.readings_csv import iter_csv, write_csv
from plant_monitor.config.readings_parquet import iter_parquet, write_parquet
from plant_monitor.config.rejects import Reject, write_rejects
from plant_monitor.errors import InputError
from plant_monitor.plant import Plant
from plant_monitor.readings import Readings

__all__ = [
    "Reject",
    "iter_mapped",
    "iter_readings",
    "read_mapped",
    "read_readings",
    "write_csv",
    "write_parquet",
    "write_readings",
    "write_rejects",
]

_PARQUET = (".parquet", ".pq")


def read_readings(path: Path, plant: Plant) -> tuple[Readings, list[Reject]]:
    """All readings of a CSV or Parquet file, in the order of the file, and its bad rows.

    Raises
    ------
    InputError  the file cannot be read, or its header is not that of a readings file
    """
    parts, rejects = [], []
    for readings, bad in iter_readings(path, plant):
        parts.append(readings)
        rejects += bad
    return Readings.concat(parts), rejects


def iter_readings(path: Path, plant: Plant) -> Iterator[tuple[Readings, list[Reject]]]:
    """The same, part by part: for files that need not fit into memory."""
    if path.suffix.lower() in _PARQUET:
        return iter_parquet(path, plant)
    return iter_csv(path, plant)


def write_readings(
    target: Path | None, plant: Plant, readings: Readings | Iterable[Readings], format_: str = "csv"
) -> None:
    """Readings as a file that :func:`read_readings` reads: ``csv`` or ``parquet``; None is stdout (CSV alone).

    Raises
    ------
    InputError  Parquet to stdout, or the extra ``parquet`` is not installed
    """
    if format_ == "parquet":
        if target is None:
            raise InputError("Parquet cannot be written to a terminal or pipe: name a file with --out FILE")
        write_parquet(target, plant, readings)
    else:
        write_csv(sys.stdout if target is None else target, plant, readings)
