"""Protocol Buffers on the wire: the fields of a message, without a schema. Pure.

Of Protocol Buffers the product reads one message type, Sparkplug's, and of that a dozen fields; for this the
encoding is small enough to be read here, strictly, instead of through generated code and a native library.
"""

from __future__ import annotations

from collections.abc import Iterator

from plant_monitor.errors import DecodeError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_U64 = (1 << 64) - 1

Field = tuple[int, int, int | bytes]


def fields(data: bytes) -> Iterator[Field]:
    """(number, wire type, value) one after the other; a varint is an int, all others are bytes.

    Raises
    ------
    DecodeError  the bytes are no message
    """
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise DecodeError("field 0")
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, at = _varint(data, at)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise DecodeError(f"wire type {kind} of field {number}")
        if size > end - at:
            raise DecodeError(f"field {number} goes on for {size} bytes, and {end - at} are left")
        yield number, kind, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for i in range(at, min(at + 10, len(data))):
        byte = data[i]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _U64, i + 1
        shift += 7
    raise DecodeError("a number is cut off" if at + 10 > len(data) else "a number of more than ten bytes")


def encoded(number: int, value: int | bytes) -> bytes:
    """One field: an int as a varint, bytes with their length."""
    if isinstance(value, int):
        return _as_varint(number << 3 | VARINT) + _as_varint(value)
    return _as_varint(number << 3 | BYTES) + _as_varint(len(value)) + value


def _as_varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
