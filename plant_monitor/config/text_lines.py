"""Text files as blocks of physical lines.

One line is one record: a quote that is never closed spoils its own line and no other. So a field may
be quoted, but hold no line break, which nothing in a readings file needs.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from plant_monitor.errors import InputError

_BOM = b"\xef\xbb\xbf"
BLOCK_BYTES = 1 << 20


def line_blocks(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[tuple[int, bytes]]:
    """(number of the first line, lines) of a file, block by block.

    A block holds whole lines, divided by ``\\n`` (a ``\\r`` before it is dropped), none after the last. A
    byte order mark is dropped. A last line without line end is a line; an empty rest is none.

    Raises
    ------
    InputError  the file cannot be read
    """
    number, rest, start = 1, b"", True
    try:
        with path.open("rb") as file:
            while block := file.read(block_bytes):
                if start:
                    block, start = block.removeprefix(_BOM), False
                head, found, tail = block.rpartition(b"\n")
                if not found:
                    rest += block
                    continue
                lines = (rest + head).replace(b"\r\n", b"\n").removesuffix(b"\r")
                yield number, lines
                number += lines.count(b"\n") + 1
                rest = tail
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    if rest:
        yield number, rest.removesuffix(b"\r")


def fields(line: str, delimiter: str = ",") -> list[str]:
    """The fields of one line of CSV.

    Raises
    ------
    InputError  the quotes do not match; the message is the reason
    """
    if '"' not in line:
        return line.split(delimiter)
    try:
        rows = list(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputError(f"quotes that do not match ({error})") from None
    return rows[0] if rows else []
