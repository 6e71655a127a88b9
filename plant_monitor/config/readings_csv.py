"""Readings as CSV by design §4.2, in and out, without ever holding more than a block of text.

A bad row never stops or replaces a good one: it is listed with its line and reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

import numpy as np

from plant_monitor.config.readings_columns import HEADER, Columns
from plant_monitor.config.rejects import Reject
from plant_monitor.config.text_lines import fields, line_blocks
from plant_monitor.config.timestamps import times_ms
from plant_monitor.config.whole_file import replacing
from plant_monitor.errors import InputError
from plant_monitor.plant import Plant
from plant_monitor.readings import IntArray, Readings, mark_text
from plant_monitor.windows import rfc3339

_QUARTER_MS = 900_000
_WRITE_ROWS = 50_000


def iter_csv(path: Path, plant: Plant) -> Iterator[tuple[Readings, list[Reject]]]:
    """Readings and bad rows of a file, block by block.

    Raises
    ------
    InputError  the file cannot be read, or its header is another one
    """
    parser: _Parser | None = None
    for first_line, block in line_blocks(path):
        if parser is not None:
            yield parser.parse(first_line, block)
            continue
        header, more, block = block.partition(b"\n")
        parser = _Parser(plant, _columns(path, header))
        if more:
            yield parser.parse(2, block)
    if parser is None:
        raise InputError(f"{path}: the file is empty; expected the header {','.join(HEADER)}")


def _columns(path: Path, header: bytes) -> int:
    """The count of columns the header announces."""
    try:
        names = tuple(fields(header.decode("utf-8")))
    except (InputError, UnicodeDecodeError):
        names = ()
    if names not in (HEADER, HEADER[:4]):
        found = header[:80].decode("utf-8", "replace")
        raise InputError(
            f"{path}:1: found the header {found!r}, expected {','.join(HEADER)!r} (mark may be left out), as UTF-8; "
            "for a file of another kind write a map (--map, docs/configuration.md)"
        )
    return len(names)


class _Parser:
    """Blocks of lines to columns of readings."""

    def __init__(self, plant: Plant, columns: int) -> None:
        self.columns = columns
        self.to_readings = Columns(plant).readings

    def parse(self, first_line: int, block: bytes) -> tuple[Readings, list[Reject]]:
        """The readings of a block of lines, and its bad rows by line."""
        rejects: list[Reject] = []
        numbers: Sequence[int]
        if self._regular(block):
            columns = self._split(block)
            numbers = range(first_line, first_line + len(columns[0]))
        else:
            columns, numbers = self._tidied(block, first_line, rejects)
        if not columns[0]:
            return Readings.empty(), rejects
        times, points, parameters, values, *marks = columns
        readings, bad = self.to_readings(
            numbers, times_ms(times), times, points, parameters, values, marks[0] if marks else None
        )
        return readings, sorted(rejects + bad, key=lambda r: r.line)

    def _regular(self, block: bytes) -> bool:
        """True where every line has as many fields as the header, and none is quoted."""
        if b'"' in block:
            return False
        data = np.frombuffer(block, dtype=np.uint8)
        between = data[(data == ord(",")) | (data == ord("\n"))]
        if (between.size + 1) % self.columns:
            return False
        grid = np.append(between, np.uint8(ord("\n"))).reshape(-1, self.columns)
        return bool((grid[:, :-1] == ord(",")).all() and (grid[:, -1] == ord("\n")).all())

    def _split(self, regular: bytes) -> list[list[bytes]]:
        flat = regular.replace(b"\n", b",").split(b",")
        return [flat[i :: self.columns] for i in range(self.columns)]

    def _tidied(self, block: bytes, first_line: int, rejects: list[Reject]) -> tuple[list[list[bytes]], list[int]]:
        """Columns of the lines with as many fields as the header, and their numbers; empty lines are skipped."""
        columns: list[list[bytes]] = [[] for _ in range(self.columns)]
        numbers = []
        for number, line in enumerate(block.split(b"\n"), first_line):
            if not line:
                continue
            try:
                # latin-1 keeps every byte as it is; what the bytes mean is looked at later
                row = [field.encode("latin-1") for field in fields(line.decode("latin-1"))]
            except InputError as error:
                rejects.append(Reject(number, str(error)))
                continue
            if len(row) != self.columns:
                rejects.append(Reject(number, f"{len(row)} fields instead of {self.columns}"))
                continue
            for column, field in zip(columns, row, strict=True):
                column.append(field)
            numbers.append(number)
        return columns, numbers


def write_csv(target: Path | TextIO, plant: Plant, readings: Readings | Iterable[Readings]) -> None:
    """Readings as CSV by design §4.2; a file appears only when it is complete.

    Times in the plant's zone, values as the shortest text that reads back exactly, no value as an empty
    field.
    """
    parts = (readings,) if isinstance(readings, Readings) else readings
    if not isinstance(target, Path):
        _write(target, plant, parts)
        return
    with replacing(target) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        _write(file, plant, parts)


def _write(file: TextIO, plant: Plant, parts: Iterable[Readings]) -> None:
    file.write(",".join(HEADER) + "\n")
    marks = [_quoted(mark_text(code)) for code in range(256)]
    names = [f"{_quoted(s.point)},{_quoted(s.parameter)}" for s in plant.series]
    for part in parts:
        for start in range(0, len(part), _WRITE_ROWS):
            rows = part.take(np.arange(start, min(start + _WRITE_ROWS, len(part))))
            times = _rfc3339(rows.time, plant.zone)
            values = ["" if v != v else repr(v) for v in rows.value.tolist()]
            series = map(names.__getitem__, rows.series.tolist())
            codes = map(marks.__getitem__, rows.mark.tolist())
            file.write("".join([f"{t},{s},{v},{m}\n" for t, s, v, m in zip(times, series, values, codes)]))


def _quoted(text: str) -> str:
    """A field as CSV."""
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


def _rfc3339(time: IntArray, zone: ZoneInfo) -> list[str]:
    """RFC 3339 in a zone. The offset is looked up once per quarter of an hour, where it never changes within."""
    quarters, where = np.unique(time // _QUARTER_MS, return_inverse=True)
    offsets = []
    for quarter in quarters.tolist():
        first, last = (rfc3339(ms, zone) for ms in (quarter * _QUARTER_MS, (quarter + 1) * _QUARTER_MS - 1000))
        same = first[19:] == last[19:] and len(first) == 25
        offsets.append(first[19:] if same else "")
    shift = np.array([_offset_ms(o) for o in offsets], dtype=np.int64)[where]
    local = np.datetime_as_string((time + shift).astype("datetime64[ms]"), unit="ms").tolist()
    texts = [(t[:19] if t.endswith(".000") else t) + offsets[w] for t, w in zip(local, where.tolist(), strict=True)]
    for i in np.flatnonzero(np.array([not o for o in offsets], dtype=bool)[where]).tolist():
        # The mean solar times of before 1900 have offsets with seconds, which RFC 3339 cannot tell.
        text = rfc3339(int(time[i]), zone)
        texts[i] = text if re.fullmatch(r".*[+-]\d\d:\d\d", text) else rfc3339(int(time[i]), ZoneInfo("UTC"))
    return texts


def _offset_ms(offset: str) -> int:
    """``+08:00`` in ms."""
    if not offset:
        return 0
    minutes = int(offset[1:3]) * 60 + int(offset[4:6])
    return minutes * 60_000 * (-1 if offset[0] == "-" else 1)
