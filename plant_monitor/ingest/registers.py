"""From Modbus registers to numbers, and from the registers wanted to the requests that fetch them.

Pure: this module knows nothing of sockets, clocks or plants. Orders are named by the bytes as they
travel, A being the most significant: ``ABCD`` big-endian, ``CDAB`` low word first, ``BADC`` bytes
swapped in each word, ``DCBA`` everything reversed. 64-bit values extend them naturally (``CDAB`` is
GHEFCDAB, ``BADC`` is BADCFEHG); of a single register only the byte swap of ``BADC`` and ``DCBA``
remains.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from plant_monitor.errors import DecodeError
from plant_monitor.plant import RegisterReading

# type -> struct code, most significant byte first
FORMATS: dict[str, str] = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
    "float64": ">d",
}
ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")

# What one request may ask for (Modbus Application Protocol 1.1b3, §6.1–6.4).
MAX_COUNT: dict[str, int] = {"holding": 125, "input": 125, "coil": 2000, "discrete": 2000}
BIT_TABLES = frozenset({"coil", "discrete"})
# Registers that nobody asked for are read along where they cost less than a request of their own.
MAX_GAP = 16


def width(type_: str) -> int:
    """Registers that a value of this type takes."""
    return struct.calcsize(FORMATS[type_]) // 2


def _reordered(data: bytes, order: str) -> bytes:
    """Bytes of a value between wire order and big-endian; its own inverse."""
    if order in ("BADC", "DCBA"):
        data = b"".join(data[i + 1 : i + 2] + data[i : i + 1] for i in range(0, len(data), 2))
    if order in ("CDAB", "DCBA"):
        data = b"".join(data[i : i + 2] for i in range(len(data) - 2, -1, -2))
    return data


def decode(registers: Sequence[int], type_: str, order: str) -> int | float:
    """The raw number that stands in ``width(type_)`` registers, before scale and offset.

    Raises
    ------
    DecodeError  another count of registers than the type takes
    """
    if len(registers) != width(type_):
        raise DecodeError(f"{len(registers)} registers for a {type_}, which takes {width(type_)}")
    data = struct.pack(f">{len(registers)}H", *registers)
    number: int | float = struct.unpack(FORMATS[type_], _reordered(data, order))[0]
    return number


def encode(number: int | float, type_: str, order: str) -> list[int]:
    """The registers that hold a raw number: the inverse of :func:`decode`."""
    data = _reordered(struct.pack(FORMATS[type_], number), order)
    return list(struct.unpack(f">{len(data) // 2}H", data))


def span(reading: RegisterReading) -> tuple[int, int]:
    """First register and count that hold a reading whole, its fraction part included."""
    if reading.table in BIT_TABLES:
        return reading.register, 1
    first, end = reading.register, reading.register + width(reading.type)
    if reading.fraction is not None:
        first = min(first, reading.fraction.register)
        end = max(end, reading.fraction.register + width(reading.fraction.type))
    return first, end - first


def _scaled(number: int | float, scale: float, offset: float) -> float:
    """number · scale + offset, rounded once.

    In decimals, because a register of 3 at scale 0.1 is 0.3 on the dial and in the bill, which
    3 * 0.1 in floats is not.
    """
    if isinstance(number, float) and not math.isfinite(number):
        return number * scale + offset
    if scale == 1 and offset == 0:
        return float(number)
    return float(Decimal(number) * Decimal(repr(scale)) + Decimal(repr(offset)))


def value_of(reading: RegisterReading, first: int, registers: Sequence[int]) -> float:
    """The value of a reading, in the unit of plant.yaml, from the answer to a block.

    Parameters
    ----------
    first      number of the block's first register
    registers  the block's registers (or bits, 0 and 1, of a coil or discrete table)

    NaN and infinite floats are returned as they are: they are invalid readings, not errors. A value that
    stands in the reading's ``no_value`` becomes NaN, which is what the instrument meant.

    Raises
    ------
    DecodeError  the block does not hold the reading whole
    """
    value = _read(reading, first, registers)
    return math.nan if value in reading.no_value else value


def _read(reading: RegisterReading, first: int, registers: Sequence[int]) -> float:
    start, count = span(reading)
    if start < first or start + count > first + len(registers):
        raise DecodeError(f"{reading.point}/{reading.parameter}: not whole in the block from {first}")
    if reading.table in BIT_TABLES:
        return _scaled(int(registers[start - first]), reading.scale, reading.offset)

    def raw(register: int, type_: str, order: str) -> int | float:
        at = register - first
        return decode(registers[at : at + width(type_)], type_, order)

    number = raw(reading.register, reading.type, reading.order)
    if reading.fraction is None:
        return _scaled(number, reading.scale, reading.offset)
    part = reading.fraction
    rest = raw(part.register, part.type, part.order)
    if not (math.isfinite(number) and math.isfinite(rest)):
        return number * reading.scale + rest * part.scale + reading.offset
    return float(
        Decimal(number) * Decimal(repr(reading.scale))
        + Decimal(rest) * Decimal(repr(part.scale))
        + Decimal(repr(reading.offset))
    )


@dataclass(frozen=True, slots=True)
class Block:
    """One request: ``count`` registers of a table from ``first`` on, for these readings."""

    table: str
    first: int
    count: int
    readings: tuple[int, ...]  # indices into the device's readings, by register


def check_spans(readings: Iterable[RegisterReading]) -> list[str]:
    """What no request can fetch: beyond register 65535, or a pair wider than one answer."""
    problems = []
    for reading in readings:
        first, count = span(reading)
        name = f"{reading.point}/{reading.parameter}"
        if first < 0 or first + count > 65536:
            problems.append(f"{name}: registers {first} to {first + count - 1}, expected within 0 to 65535")
        elif count > MAX_COUNT[reading.table]:
            problems.append(
                f"{name}: its two parts span {count} registers, expected at most"
                f" {MAX_COUNT[reading.table]} so that one request reads both"
            )
    return problems


def plan(
    readings: Sequence[RegisterReading],
    chosen: Iterable[int],
    *,
    apart: Collection[tuple[str, int]] = (),
    max_gap: int = MAX_GAP,
) -> list[Block]:
    """The fewest plain requests for the chosen readings; a value never stands in two of them.

    Parameters
    ----------
    chosen   indices into ``readings``
    apart    (table, register) at which a new request must begin: the device refused to answer across it
    max_gap  unwanted registers that may be read between two wanted ones
    """
    spans = sorted((readings[i].table, *span(readings[i]), i) for i in set(chosen))
    blocks: list[Block] = []
    for table, first, count, index in spans:
        last = blocks[-1] if blocks else None
        if last is not None and last.table == table and (table, first) not in apart:
            end = max(last.first + last.count, first + count)
            joined = end - last.first
            if first - (last.first + last.count) <= max_gap and joined <= MAX_COUNT[table]:
                blocks[-1] = Block(table, last.first, joined, (*last.readings, index))
                continue
        blocks.append(Block(table, first, count, (index,)))
    return blocks
