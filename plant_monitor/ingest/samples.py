"""What the registers that a device gave say of a reading: its value and its mark.

Pure. A :class:`Decoder` is worked out once for each reading of a device.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import NamedTuple

from plant_monitor.errors import DecodeError
from plant_monitor.ingest.registers import (
    BCD_DIGITS,
    BIT_TABLES,
    Unreadable,
    decode,
    decode_bit,
    decode_text,
    number_reader,
    width,
)
from plant_monitor.readings import NORMAL, mark_code
from plant_monitor.register_maps import RegisterFraction, RegisterReading, StatusRegister, UnitCode

_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)


class Piece(NamedTuple):
    """Registers that only mean something together, so that one answer must bring them all."""

    table: str
    first: int
    size: int

    @property
    def end(self) -> int:
        """The register after the last."""
        return self.first + self.size


class Sample(NamedTuple):
    """What a device said of one reading."""

    value: float  # in the unit of plant.yaml; NaN = it gave no value
    mark: int = NORMAL  # ASCII code
    note: str | None = None  # why the registers could not be understood as they are


# What one try has brought: the registers of each piece, or the bits of a coil or discrete table as 0 and 1.
Held = Mapping[Piece, Sequence[int]]


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


class Decoder:
    """One reading, worked out beforehand."""

    def __init__(self, reading: RegisterReading) -> None:
        self._reading = reading
        self.pieces = pieces(reading)
        self._scale, self._offset = Decimal(repr(reading.scale)), Decimal(repr(reading.offset))
        self._scaled = reading.scale != 1 or reading.offset != 0
        self._number = self._number_reader()
        self._plain = not (reading.status or reading.unit_code or reading.no_value)

    def sample(self, held: Held) -> Sample:
        """What the device says of the reading: its value in the unit of plant.yaml, and its mark.

        NaN and infinite floats are returned as they are: they are invalid readings, not errors. A value that
        stands in the reading's ``no_value`` becomes NaN, which is what the instrument meant; so does one that
        cannot be understood (a unit code or a text that plant.yaml does not know), and the note says why.

        Raises
        ------
        DecodeError  a piece of the reading is missing in ``held``
        """
        for piece in self.pieces:
            if piece not in held:
                raise DecodeError(
                    f"{self._name}: {piece.table} {piece.first} to {piece.end - 1} did not come in one answer"
                )
        try:
            value, note = self._number(held[self.pieces[0]]), None
        except Unreadable as error:
            value, note = math.nan, str(error)
        return Sample(value, NORMAL, note) if self._plain else self._qualified(value, note, held)

    @property
    def _name(self) -> str:
        return f"{self._reading.point}/{self._reading.parameter}"

    def _qualified(self, value: float, note: str | None, held: Held) -> Sample:
        """With what stands beside the value."""
        reading, notes = self._reading, [] if note is None else [note]
        if value in reading.no_value:
            value = math.nan
        if reading.unit_code is not None and math.isfinite(value):
            try:
                value = _told_in(value, _factor(reading.unit_code, held[beside(reading.unit_code)]))
            except Unreadable as error:
                value, notes = math.nan, [*notes, str(error)]
        mark = NORMAL
        for status in reading.status:
            letter, unknown = _status(status, held[beside(status)])
            notes += [unknown] if unknown else []
            mark = mark_code(letter) if mark == NORMAL else mark
        return Sample(value, mark, "; ".join(notes) or None)

    # --- the number ----------------------------------------------------------------------------

    def _number_reader(self) -> Callable[[Sequence[int]], float]:
        """From the registers of the first piece to the value, in the unit that the instrument tells it in."""
        reading = self._reading
        scaled, order, bit = self._in_unit, reading.order, reading.bit or 0
        if reading.table in BIT_TABLES:
            return lambda registers: scaled(registers[0])
        if reading.type == "bit":
            return lambda registers: scaled(decode_bit(registers, bit, order))
        if reading.type == "string":
            return lambda registers: scaled(_number_in(decode_text(registers, order)))
        if reading.fraction is not None:
            return partial(self._total, reading.fraction)
        if reading.type in BCD_DIGITS:
            return lambda registers: scaled(decode(registers, reading.type, order))
        raw = number_reader(reading.type, order)
        return (lambda registers: scaled(raw(registers))) if self._scaled else (lambda registers: float(raw(registers)))

    def _in_unit(self, number: int | float | Decimal) -> float:
        """number · scale + offset, rounded once.

        In decimals, because a register of 3 at scale 0.1 is 0.3 on the dial and in the bill, which
        3 * 0.1 in floats is not.
        """
        if isinstance(number, float) and not math.isfinite(number):
            return number * self._reading.scale + self._reading.offset
        return float(Decimal(number) * self._scale + self._offset) if self._scaled else float(number)

    def _total(self, part: RegisterFraction, registers: Sequence[int]) -> float:
        """An integer and its fraction."""
        reading, first = self._reading, self.pieces[0].first
        at, rest_at = reading.register - first, part.register - first
        number = decode(registers[at : at + width(reading.type)], reading.type, reading.order)
        rest = decode(registers[rest_at : rest_at + width(part.type)], part.type, part.order)
        if not (math.isfinite(number) and math.isfinite(rest)):
            return number * reading.scale + rest * part.scale + reading.offset
        return float(Decimal(number) * self._scale + Decimal(rest) * Decimal(repr(part.scale)) + self._offset)


def _number_in(text: str) -> Decimal:
    if not _DECIMAL.fullmatch(text):
        raise Unreadable(f"the text {text!r} where a decimal number was due")
    return Decimal(text)


# --- codes -----------------------------------------------------------------------------------------


def _code(register: UnitCode | StatusRegister, registers: Sequence[int]) -> int | float | str:
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
