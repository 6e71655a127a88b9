"""Readings out of CSV files that others wrote, by a map of their columns.

Each value stands alone: a field that is no number is listed with its line, the others of the row are
taken. A row without a usable time is listed as a whole.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from plant_monitor.config.column_map import Column, ColumnMap, MapFile, MarkColumn, ValueColumn, load_map
from plant_monitor.config.rejects import Reject
from plant_monitor.config.text_lines import fields, line_blocks
from plant_monitor.config.timestamps import FIRST_MS, LAST_MS
from plant_monitor.errors import InputError
from plant_monitor.plant import Plant
from plant_monitor.readings import Readings, mark_code

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)


def read_mapped(path: Path, plant: Plant, map_path: Path) -> tuple[Readings, list[Reject]]:
    """All readings of a foreign CSV in the order of the file, and what of it cannot be taken.

    Raises
    ------
    ConfigError  the map is wrong
    InputError   the file cannot be read, or lacks a column of the map
    """
    parts, rejects = [], []
    for readings, bad in iter_mapped(path, plant, map_path):
        parts.append(readings)
        rejects += bad
    return Readings.concat(parts), rejects


def iter_mapped(path: Path, plant: Plant, map_path: Path) -> Iterator[tuple[Readings, list[Reject]]]:
    """The same, block by block."""
    map_ = load_map(map_path, plant)
    reader: _Reader | None = None
    # Blocks begin anywhere among the lines before the data: they are counted off here.
    skip = map_.layout.skip_lines
    for first_line, block in line_blocks(path):
        lines = block.split(b"\n")
        start = max(0, skip + 1 - first_line)
        if start >= len(lines):
            continue
        if reader is None:
            header = _header(path, map_.layout, lines[start], first_line + start)
            reader = _Reader(map_, _Positions(path, first_line + start, header, map_.layout.header))
            start += map_.layout.header
        yield reader.read(first_line + start, lines[start:])
    if reader is None:
        raise InputError(f"{path}: no line after the {skip} that the map skips")


def _header(path: Path, layout: MapFile, line: bytes, number: int) -> list[str]:
    try:
        return [name.strip() for name in fields(line.decode(layout.encoding), layout.delimiter)]
    except (InputError, UnicodeDecodeError) as error:
        raise InputError(f"{path}:{number}: the header cannot be read as {layout.encoding} ({error})") from None


@dataclass(frozen=True, slots=True)
class _Positions:
    """Which field of a row a column of the map is."""

    path: Path
    line: int
    names: Sequence[str]
    named: bool

    def of(self, column: Column) -> int:
        """Index of the field.

        Raises
        ------
        InputError  the header has no such column, or several
        """
        if isinstance(column, int):
            return column - 1
        count = self.names.count(column) if self.named else 0
        if count != 1:
            found = "no column" if count == 0 else f"{count} columns"
            known = ", ".join(repr(n) for n in self.names if n)
            raise InputError(f"{self.path}:{self.line}: {found} named {column!r}; the header has {known}")
        return self.names.index(column)


@dataclass(slots=True)
class _Taken:
    """Columns of the readings taken so far."""

    time: list[int] = field(default_factory=list)
    series: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    mark: list[int] = field(default_factory=list)


class _Reader:
    """Lines of a foreign file to readings."""

    def __init__(self, map_: ColumnMap, positions: _Positions) -> None:
        self.layout, self.instant, self.mark = map_.layout, map_.instant, map_.mark
        self.time_at = [positions.of(c) for c in map_.time_columns]
        self.mark_at = None if map_.mark.column is None else positions.of(map_.mark.column)
        self.values = [
            (v, positions.of(v.column), [(positions.of(c), texts) for c, texts in v.where]) for v in map_.values
        ]
        self.numbers = {v: _NumberReader(map_.layout, v.missing) for v in map_.values}

    def read(self, first_line: int, lines: Sequence[bytes]) -> tuple[Readings, list[Reject]]:
        """The readings of some lines, and what cannot be taken."""
        taken, rejects = _Taken(), list[Reject]()
        for number, line in enumerate(lines, first_line):
            try:
                row = [f.strip() for f in fields(line.decode(self.layout.encoding), self.layout.delimiter)]
                if any(row):
                    self._row(row, number, taken, rejects)
            except UnicodeDecodeError:
                rejects.append(Reject(number, f"bytes that are not {self.layout.encoding}"))
            except InputError as error:
                rejects.append(Reject(number, str(error)))
        value, mark = np.array(taken.value, dtype=np.float64), np.array(taken.mark, dtype=np.uint8)
        return Readings.of(taken.time, taken.series, value, mark), rejects

    def _row(self, row: Sequence[str], number: int, taken: _Taken, rejects: list[Reject]) -> None:
        """Take the values of one row; InputError where the row has no time."""
        wanted = [(value, at) for value, at, where in self.values if all(_at(row, i) in texts for i, texts in where)]
        if not wanted:
            return
        time = self._time(row)
        mark = _mark(self.mark, "" if self.mark_at is None else _at(row, self.mark_at))
        for value, at in wanted:
            if at >= len(row):
                rejects.append(Reject(number, f"{len(row)} fields, none in column {_named(value)}"))
                continue
            try:
                found = self.numbers[value].read(row[at])
            except InputError as error:
                rejects.append(Reject(number, f"column {_named(value)}: {error}"))
                continue
            taken.time.append(time)
            taken.series.append(value.series)
            taken.value.append(found * value.factor + value.shift)
            taken.mark.append(mark)

    def _time(self, row: Sequence[str]) -> int:
        if any(at >= len(row) for at in self.time_at):
            raise InputError(f"{len(row)} fields, none in the column of the time")
        time = self.instant(" ".join(row[at] for at in self.time_at))
        if not FIRST_MS <= time <= LAST_MS:
            raise InputError(f"time {time} ms is out of range")
        return time


class _NumberReader:
    """Numbers as a file writes them."""

    def __init__(self, layout: MapFile, missing: Sequence[str] = ()) -> None:
        self.decimal = layout.decimal
        self.missing = {"", *layout.missing, *missing}
        plain = [text.replace(self.decimal, ".") for text in self.missing]
        self.missing_numbers = {float(text) for text in plain if _NUMBER.fullmatch(text)}
        sign, point = re.escape(layout.thousands or ""), re.escape(layout.decimal)
        self.thousands = layout.thousands
        self.grouped = re.compile(rf"[+-]?[0-9]{{1,3}}({sign}[0-9]{{3}})+({point}[0-9]*)?", re.ASCII)

    def read(self, text: str) -> float:
        """The number; NaN where there is no value.

        Raises
        ------
        InputError  the text is no number
        """
        if text in self.missing:
            return math.nan
        plain = text
        if self.thousands is not None and self.grouped.fullmatch(text):
            plain = text.replace(self.thousands, "")
        if self.decimal != ".":
            plain = plain.replace(".", "?").replace(self.decimal, ".")
        if not _NUMBER.fullmatch(plain):
            raise InputError(f"{text[:40]!r} is no number")
        number = float(plain)
        return math.nan if number in self.missing_numbers else number


def _at(row: Sequence[str], i: int) -> str:
    return row[i] if i < len(row) else ""


def _mark(mark: MarkColumn, text: str) -> int:
    if mark.column is None:
        return mark.constant
    if text in mark.codes:
        return mark.codes[text]
    return mark_code(text) if mark.other is None else mark.other


def _named(value: ValueColumn) -> str:
    return repr(value.column) if isinstance(value.column, str) else str(value.column)
