"""What stands where in the registers of a Modbus device, as plant.yaml says it: plain records."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class RegisterReading:
    """Where one series stands in a Modbus device, and how its registers are decoded."""

    point: str
    parameter: str
    table: str  # holding | input | coil | discrete
    register: int  # zero-based, as on the wire
    type: str  # int16 … uint64, float16 … float64, bcd16 … bcd64, bit, string; bool in the bit tables
    order: str  # ABCD (big-endian words) | CDAB | BADC | DCBA
    scale: float = 1.0
    offset: float = 0.0
    fraction: RegisterFraction | None = None  # integer + fraction totalisers, read in one request
    no_value: tuple[float, ...] = ()  # values, after scale and offset, by which the instrument says it has none
    bit: int | None = None  # type bit: which one, 0 = the least significant
    length: int | None = None  # type string: registers it takes, two characters each
    unit_code: UnitCode | None = None  # where the instrument says in which unit it tells the value at present
    status: tuple[StatusRegister, ...] = ()  # where it says how good the value is; the first that is not N counts


@dataclass(frozen=True, slots=True)
class RegisterFraction:
    """The fraction part of an integer + fraction totaliser; added after its own scale."""

    register: int
    type: str
    order: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class UnitCode:
    """A register that tells the unit of a reading; the value is multiplied by the factor of its code."""

    table: str
    register: int
    type: str  # an integer or bcd type, or string
    order: str
    factors: tuple[tuple[int | str, Fraction], ...]  # code -> factor to the unit of the series
    length: int | None = None  # type string: registers it takes


@dataclass(frozen=True, slots=True)
class StatusRegister:
    """A register that tells the mark of a reading: by a code, or by the first of its bits that is set."""

    table: str
    register: int
    type: str  # an integer or bcd type, or string; bool in the bit tables
    order: str
    codes: tuple[tuple[int | str, str], ...] = ()  # code -> mark
    bits: tuple[tuple[int, str], ...] = ()  # bit -> mark where it is set, the weightiest first; none set = N
    other: str = "D"  # the mark of a code that is not among ``codes``
    length: int | None = None  # type string: registers it takes
