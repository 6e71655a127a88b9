"""From Modbus registers to numbers and text.

Pure: this module knows nothing of sockets, clocks or plants. Orders are named by the bytes as they
travel, A being the most significant: ``ABCD`` big-endian, ``CDAB`` low word first, ``BADC`` bytes
swapped in each word, ``DCBA`` everything reversed. 64-bit values extend them naturally (``CDAB`` is
GHEFCDAB, ``BADC`` is BADCFEHG); of a single register only the byte swap of ``BADC`` and ``DCBA``
remains. Text follows its order too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from plant_monitor.errors import DecodeError

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
REVERSED = frozenset({"CDAB", "DCBA"})  # the least significant word first
SWAPPED = frozenset({"BADC", "DCBA"})  # the less significant byte of each word first
BIT_TABLES = frozenset({"coil", "discrete"})


class Unreadable(DecodeError):
    """The registers came, and what stands in them is not what the reading says they hold."""


def width(type_: str, length: int | None = None) -> int:
    """Registers that a value of this type takes; ``length`` those of a text."""
    if type_ == "string":
        return length or 1
    if type_ in ("bit", "bool"):
        return 1
    if type_ in BCD_DIGITS:
        return BCD_DIGITS[type_] // 4
    return struct.calcsize(_STRUCTS[type_]) // 2


def _words(count: int, order: str) -> struct.Struct:
    """How registers are laid out as bytes; those of CDAB and DCBA are taken in reverse."""
    return struct.Struct(f"{'<' if order in SWAPPED else '>'}{count}H")


def big_endian(registers: Sequence[int], order: str) -> bytes:
    """The bytes of a value, the most significant first."""
    return _words(len(registers), order).pack(*(reversed(registers) if order in REVERSED else registers))


def number_reader(type_: str, order: str) -> Callable[[Sequence[int]], int | float]:
    """:func:`decode` worked out beforehand, for a type that is neither BCD nor text; the count is not checked."""
    words, value = _words(width(type_), order), struct.Struct(_STRUCTS[type_])
    if order in REVERSED:
        return lambda registers: value.unpack(words.pack(*registers[::-1]))[0]
    return lambda registers: value.unpack(words.pack(*registers))[0]


def decode(registers: Sequence[int], type_: str, order: str) -> int | float:
    """The raw number that stands in ``width(type_)`` registers, before scale and offset.

    Raises
    ------
    DecodeError  another count of registers than the type takes
    Unreadable   a BCD register that holds something else than decimal digits
    """
    if len(registers) != width(type_):
        raise DecodeError(f"{len(registers)} registers for a {type_}, which takes {width(type_)}")
    data = big_endian(registers, order)
    if type_ in BCD_DIGITS:
        digits = data.hex()
        if not digits.isdecimal():
            raise Unreadable(f"0x{digits.upper()} where a {type_} holds decimal digits only")
        return int(digits)
    number: int | float = struct.unpack(_STRUCTS[type_], data)[0]
    return number


def decode_text(registers: Sequence[int], order: str) -> str:
    """The text in some registers, two characters (Latin-1) each, without NULs and blanks around it."""
    text = big_endian(registers, order).decode("latin-1").strip("\0 ")
    return text.partition("\0")[0].strip()


def decode_bit(registers: Sequence[int], bit: int, order: str) -> int:
    """One bit of a register, 0 being the least significant after the bytes are put in order."""
    return int.from_bytes(big_endian(registers, order), "big") >> bit & 1


def encode(number: int | float, type_: str, order: str) -> list[int]:
    """The registers that hold a raw number: the inverse of :func:`decode`."""
    if type_ in BCD_DIGITS:
        data = bytes.fromhex(f"{number:0{BCD_DIGITS[type_]}d}")
    else:
        data = struct.pack(_STRUCTS[type_], number)
    registers = list(_words(len(data) // 2, order).unpack(data))
    return registers[::-1] if order in REVERSED else registers
