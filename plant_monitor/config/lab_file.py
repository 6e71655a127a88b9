"""A file of laboratory results: CSV, one result a line; a bad row never stops a good one.

Columns, in any order: ``sample_start,sample_end,point,parameter,value,unit,method,laboratory,who``. Times are RFC
3339 with offset; ``sample_end`` is empty for a grab sample. ``value`` is a number or ``<`` with the limit of
detection. Units are those of the product (mg/L, ug/L, …); pH needs none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from plant_monitor.compliance.laboratory import LabResult, parse_result, problem_of
from plant_monitor.config.parameters import misspelt
from plant_monitor.config.rejects import Reject
from plant_monitor.config.text_lines import fields, line_blocks
from plant_monitor.errors import InputError
from plant_monitor.plant import PH, Plant
from plant_monitor.windows import parse_rfc3339

HEADER = ("sample_start", "sample_end", "point", "parameter", "value", "unit", "method", "laboratory", "who")


def read_lab(path: Path, plant: Plant) -> tuple[tuple[LabResult, ...], list[Reject]]:
    """The results of a file, in its order, and its bad rows by line.

    Raises
    ------
    InputError  the file cannot be read, or its header is another
    """
    results: list[LabResult] = []
    rejects: list[Reject] = []
    header: list[str] = []
    for first_line, block in line_blocks(path):
        for number, line in enumerate(block.split(b"\n"), first_line):
            if number == 1:
                header = _header(path, line)
            elif line.strip(b",; \t"):
                try:
                    results.append(_result(_row(line, header), plant))
                except ValueError as error:
                    rejects.append(Reject(number, str(error)))
    if not header:
        raise InputError(f"{path}: the file is empty; expected the header {','.join(HEADER)}")
    return tuple(results), rejects


def _header(path: Path, line: bytes) -> list[str]:
    try:
        names = [name.strip() for name in fields(line.decode("utf-8"))]
    except (InputError, UnicodeDecodeError):
        names = []
    if sorted(names) != sorted(HEADER):
        found = line[:120].decode("utf-8", "replace")
        raise InputError(f"{path}:1: found the header {found!r}, expected {','.join(HEADER)!r}, in UTF-8")
    return names


def _row(line: bytes, header: list[str]) -> dict[str, str]:
    try:
        row = fields(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise ValueError("bytes that are not UTF-8") from None
    if len(row) != len(header):
        raise ValueError(f"{len(row)} fields instead of {len(header)}")
    return {name: text.strip() for name, text in zip(header, row, strict=True)}


def _result(row: Mapping[str, str], plant: Plant) -> LabResult:
    """The result of a row.

    Raises
    ------
    ValueError  the row cannot be taken; the message is the reason
    """
    start_ms = _time(row, "sample_start")
    end_ms = _time(row, "sample_end") if row["sample_end"] else start_ms
    value, below_lod = parse_result(row["value"])
    unit = row["unit"] or ("1" if row["parameter"] == PH else "")
    meant = misspelt(unit)
    if meant is not None:
        raise ValueError(f"unit {unit!r} is not known; {meant} is")
    result = LabResult(
        row["point"], row["parameter"], start_ms, end_ms, value, below_lod, unit,
        row["method"], row["laboratory"], row["who"],
    )  # fmt: skip
    problem = problem_of(plant, result)
    if problem is not None:
        raise ValueError(problem)
    return result


def _time(row: Mapping[str, str], name: str) -> int:
    try:
        return parse_rfc3339(row[name])
    except ValueError as error:
        raise ValueError(f"{name} {row[name][:40]!r}: {error}") from None
