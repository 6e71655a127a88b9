"""From Modbus registers to numbers and marks.

Pure: this module knows nothing of sockets, clocks or plants. Orders are named by the bytes as they
travel, A being the most significant: ``ABCD`` big-endian, ``CDAB`` low word first, ``BADC`` bytes
swapped in each word, ``DCBA`` everything reversed. 64-bit values extend them naturally (``CDAB`` is
GHEFCDAB, ``BADC`` is BADCFEHG); of a single register only the byte swap of ``BADC`` and ``DCBA``
remains. Text follows its order too.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from plant_monitor.errors import DecodeError
from plant_monitor.readings import NORMAL, mark_code
from plant_monitor.register_maps import RegisterReading, StatusRegister, UnitCode

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
_STRUCTS = FORMATS | {"float16": ">e"}
BCD_DIGITS = {"bcd16": 4, "bcd32": 8, "bcd64": 16}
ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
BIT_TABLES = frozenset({"coil", "discrete"})

_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)

Raw = int | float | str


class Unreadable(DecodeError):
    """The registers came, and what stands in them is not what the reading says they hold."""


@dataclass(frozen=True, slots=True, order=True)
class Piece:
    """Registers that only mean something together, so that one answer must bring them all."""

    table: str
    first: int
    count: int

    @property
    def end(self) -> int:
        """The register after the last."""
        return self.first + self.count


@dataclass(frozen=True, slots=True)
class Sample:
    """What a device said of one reading."""

    value: float  # in the unit of plant.yaml; NaN = it gave no value
    mark: int = NORMAL  # ASCII code
    note: str | None = None  # why the registers could not be understood as they are


class Image:
    """The registers that one try has brought, table by table."""

    def __init__(self) -> None:
        self._parts: dict[str, list[tuple[int, Sequence[int]]]] = {}

    def add(self, table: str, first: int, registers: Sequence[int]) -> None:
        """Keep an answer: its registers, or the bits of a coil or discrete table as 0 and 1."""
        self._parts.setdefault(table, []).append((first, registers))

    def get(self, piece: Piece) -> Sequence[int] | None:
        """The registers of a piece; None where no single answer holds them all."""
        for first, registers in self._parts.get(piece.table, ()):
            at = piece.first - first
            if at >= 0 and at + piece.count <= len(registers):
                return registers[at : at + piece.count]
        return None


def width(type_: str, length: int | None = None) -> int:
    """Registers that a value of this type takes; ``length`` those of a text."""
    if type_ == "string":
        return length or 1
    if type_ in ("bit", "bool"):
        return 1
    if type_ in BCD_DIGITS:
        return BCD_DIGITS[type_] // 4
    return struct.calcsize(_STRUCTS[type_]) // 2


def _reordered(data: bytes, order: str) -> bytes:
    """Bytes of a value between wire order and big-endian; its own inverse."""
    if order in ("BADC", "DCBA"):
        data = b"".join(data[i + 1 : i + 2] + data[i : i + 1] for i in range(0, len(data), 2))
    if order in ("CDAB", "DCBA"):
        data = b"".join(data[i : i + 2] for i in range(len(data) - 2, -1, -2))
    return data


def _bytes(registers: Sequence[int], order: str) -> bytes:
    return _reordered(struct.pack(f">{len(registers)}H", *registers), order)


def decode(registers: Sequence[int], type_: str, order: str) -> int | float:
    """The raw number that stands in ``width(type_)`` registers, before scale and offset.

    Raises
    ------
    DecodeError  another count of registers than the type takes
    Unreadable   a BCD register that holds something else than decimal digits
    """
    if len(registers) != width(type_):
        raise DecodeError(f"{len(registers)} registers for a {type_}, which takes {width(type_)}")
    data = _bytes(registers, order)
    if type_ in BCD_DIGITS:
        digits = data.hex()
        if not digits.isdecimal():
            raise Unreadable(f"0x{digits.upper()} where a {type_} holds decimal digits only")
        return int(digits)
    number: int | float = struct.unpack(_STRUCTS[type_], data)[0]
    return number


def decode_text(registers: Sequence[int], order: str) -> str:
    """The text in some registers, two characters (Latin-1) each, without NULs and blanks around it."""
    text = _bytes(registers, order).decode("latin-1").strip("\0 ")
    return text.partition("\0")[0].strip()


def decode_bit(registers: Sequence[int], bit: int, order: str) -> int:
    """One bit of a register, 0 being the least significant after the bytes are put in order."""
    return int.from_bytes(_bytes(registers, order), "big") >> bit & 1


def encode(number: int | float, type_: str, order: str) -> list[int]:
    """The registers that hold a raw number: the inverse of :func:`decode`."""
    if type_ in BCD_DIGITS:
        data = bytes.fromhex(f"{number:0{BCD_DIGITS[type_]}d}")
    else:
        data = struct.pack(_STRUCTS[type_], number)
    data = _reordered(data, order)
    return list(struct.unpack(f">{len(data) // 2}H", data))


# --- readings --------------------------------------------------------------------------------------


def span(reading: RegisterReading) -> tuple[int, int]:
    """First register and count that hold the value of a reading whole, its fraction part included."""
    if reading.table in BIT_TABLES:
        return reading.register, 1
    first, end = reading.register, reading.register + width(reading.type, reading.length)
    if reading.fraction is not None:
        first = min(first, reading.fraction.register)
        end = max(end, reading.fraction.register + width(reading.fraction.type))
    return first, end - first


def beside(register: UnitCode | StatusRegister) -> Piece:
    """The registers of a unit code or a status."""
    count = 1 if register.table in BIT_TABLES else width(register.type, register.length)
    return Piece(register.table, register.register, count)


def pieces(reading: RegisterReading) -> tuple[Piece, ...]:
    """All that must be read for a reading: its value first, then its unit code, then its status."""
    beside_it: list[UnitCode | StatusRegister] = [] if reading.unit_code is None else [reading.unit_code]
    beside_it += reading.status
    return (Piece(reading.table, *span(reading)), *(beside(register) for register in beside_it))


def sample_of(reading: RegisterReading, image: Image) -> Sample:
    """What the device says of a reading: its value in the unit of plant.yaml, and its mark.

    NaN and infinite floats are returned as they are: they are invalid readings, not errors. A value that
    stands in the reading's ``no_value`` becomes NaN, which is what the instrument meant; so does one that
    cannot be understood (a unit code or a text that plant.yaml does not know), and the note says why.

    Raises
    ------
    DecodeError  ``image`` does not hold the reading whole
    """
    mark, notes = NORMAL, []
    for status in reading.status:
        letter, unknown = _status(status, _taken(reading, image, beside(status)))
        notes += [unknown] if unknown else []
        mark = mark_code(letter) if mark == NORMAL else mark
    registers = _taken(reading, image, Piece(reading.table, *span(reading)))
    code = None if reading.unit_code is None else _taken(reading, image, beside(reading.unit_code))
    try:
        value = _value(reading, registers)
        if reading.unit_code is not None and code is not None and math.isfinite(value):
            value = _told_in(value, _factor(reading.unit_code, code))
    except Unreadable as error:
        value, notes = math.nan, [*notes, str(error)]
    return Sample(value, mark, "; ".join(notes) or None)


def value_of(reading: RegisterReading, first: int, registers: Sequence[int]) -> float:
    """The value of a reading that needs one answer alone, whose registers (or bits) begin at ``first``.

    Raises
    ------
    DecodeError  the answer does not hold the reading whole
    """
    image = Image()
    image.add(reading.table, first, registers)
    return sample_of(reading, image).value


def _taken(reading: RegisterReading, image: Image, piece: Piece) -> Sequence[int]:
    registers = image.get(piece)
    if registers is None:
        where = f"{piece.table} {piece.first} to {piece.first + piece.count - 1}"
        raise DecodeError(f"{reading.point}/{reading.parameter}: {where} did not come in one answer")
    return registers


def _scaled(number: int | float | Decimal, scale: float, offset: float) -> float:
    """number · scale + offset, rounded once.

    In decimals, because a register of 3 at scale 0.1 is 0.3 on the dial and in the bill, which
    3 * 0.1 in floats is not.
    """
    if isinstance(number, float) and not math.isfinite(number):
        return number * scale + offset
    if scale == 1 and offset == 0:
        return float(number)
    return float(Decimal(number) * Decimal(repr(scale)) + Decimal(repr(offset)))


def _value(reading: RegisterReading, registers: Sequence[int]) -> float:
    """The value in the unit that the instrument tells it in; ``registers`` are those of its :func:`span`."""
    value = _sum(reading, registers)
    return math.nan if value in reading.no_value else value


def _sum(reading: RegisterReading, registers: Sequence[int]) -> float:
    first, _ = span(reading)

    def raw(register: int, type_: str, order: str) -> int | float:
        at = register - first
        return decode(registers[at : at + width(type_)], type_, order)

    if reading.table in BIT_TABLES:
        return _scaled(int(registers[0]), reading.scale, reading.offset)
    if reading.type == "bit":
        return _scaled(decode_bit(registers, reading.bit or 0, reading.order), reading.scale, reading.offset)
    if reading.type == "string":
        return _scaled(_number_in(decode_text(registers, reading.order)), reading.scale, reading.offset)
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


def _number_in(text: str) -> Decimal:
    if not _DECIMAL.fullmatch(text):
        raise Unreadable(f"the text {text!r} where a decimal number was due")
    return Decimal(text)


# --- codes -----------------------------------------------------------------------------------------


def _code(register: UnitCode | StatusRegister, registers: Sequence[int]) -> Raw:
    if register.table in BIT_TABLES:
        return int(registers[0])
    if register.type == "string":
        return decode_text(registers, register.order)
    return decode(registers, register.type, register.order)


def _told_in(value: float, factor: Fraction) -> float:
    """A value times a factor, rounded once: 45 m³/h are 12.5 L/s, which 45 / 3.6 in floats may not be."""
    try:
        return float(Fraction(repr(value)) * factor)
    except OverflowError:
        return math.copysign(math.inf, value * float(factor))


def _factor(unit: UnitCode, registers: Sequence[int]) -> Fraction:
    code = _code(unit, registers)
    for known, factor in unit.factors:
        if code == known:
            return factor
    raise Unreadable(f"the unit code {code!r} at {unit.table} {unit.register}, which plant.yaml does not list")


def _status(status: StatusRegister, registers: Sequence[int]) -> tuple[str, str | None]:
    """The mark's letter, and what is wrong where the register says something unknown."""
    where = f"at {status.table} {status.register}"
    if status.bits:
        set_bits = [letter for bit, letter in status.bits if decode_bit(registers, bit, status.order)]
        return (set_bits[0] if set_bits else "N"), None
    try:
        code = _code(status, registers)
    except Unreadable as error:
        return status.other, f"status {where}: {error}"
    for known, letter in status.codes:
        if code == known:
            return letter, None
    return status.other, f"the status {code!r} {where}, which plant.yaml does not list: taken as {status.other}"
