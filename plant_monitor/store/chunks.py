"""The compressed form of one series' sealed day: pure, columns to bytes and back, bit for bit.

Columns compress well once each looks alike from row to row: times as steps, values that have few decimals
as steps of whole numbers, everything split into byte planes. Each plane is compressed alone, and kept as it
is where that gains nothing, so that the noise in the last bits of a measurement costs no time.

    columns  = crc · head · time steps · value column · marks
    head     = version u8 · codec u8 · decimals u8 · time width u8 · value width u8 · rows u32 · exceptions u32
               · first time i64
    codec 0  = the float64 values in byte planes
    codec 1  = steps of whole numbers, value = whole / 10**decimals, in planes of ``value width``; then the
               exceptions, values that this does not give back (NaN, infinite, -0.0, odd ones): row u32 each,
               float64 each
    codec 2  = the same with value = whole * 10**-decimals, as a register times its scale gives it
    accepted = crc · width u8 · first i64 · steps of (accepted - time) in planes
    crc      = crc32 of all that follows: a damaged disk must not become a verdict
    plane    = size u32 · zlib bytes, or the bytes themselves where ``size`` is their number
"""

from __future__ import annotations

import struct
import zlib
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_monitor.errors import StoreError
from plant_monitor.readings import FloatArray, IntArray, MarkArray

_VERSION = 1
_HEAD = struct.Struct("<BBBBBIIq")
_ACCEPTED_HEAD = struct.Struct("<Bq")
_SIZE = struct.Struct("<I")  # also of the crc
_PLAIN, _DIVIDED, _SCALED = 0, 1, 2
_LEVEL = 6  # of zlib
_WORTH = 0.9  # a plane that shrinks less than to that is kept as it is
_TENS = (1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6)
_TENTHS = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)  # literals: the same bits on every machine
_MOST_EXCEPTIONS = 0.1  # of the rows; with more, the values are no decimals
_LARGEST = float(1 << 52)  # whole numbers up to here are exact in float64, and so are their steps


def encode(time: IntArray, value: FloatArray, mark: MarkArray) -> bytes:
    """Columns of one series in order of time; times of one day."""
    steps, time_width = _planes(np.diff(time))
    values, codec, decimals, value_width, exceptions = _encode_values(value)
    first = int(time[0]) if time.size else 0
    head = _HEAD.pack(_VERSION, codec, decimals, time_width, value_width, time.size, exceptions, first)
    return _guarded(b"".join((head, *steps, *values, _plane(mark.tobytes()))))


def decode(blob: bytes) -> tuple[IntArray, FloatArray, MarkArray]:
    """The inverse of :func:`encode`: time, value, mark.

    Raises
    ------
    StoreError  the bytes are damaged, or of a newer format
    """
    body = _checked(blob)
    version, codec, decimals, time_width, value_width, rows, exceptions, first = _HEAD.unpack_from(body)
    if version != _VERSION:
        raise StoreError(f"a sealed day of format {version}, expected {_VERSION}: use a newer plant-monitor")
    planes = _Planes(body, _HEAD.size)
    time = _summed(planes.numbers(max(rows - 1, 0), time_width), first, rows)
    if codec == _PLAIN:
        value = planes.numbers(rows, 8).view(np.float64)
    else:
        value = _restored(np.cumsum(planes.numbers(rows, value_width), dtype=np.int64), codec, decimals)
        where = np.frombuffer(planes.next(4 * exceptions), "<u4")
        value[where] = np.frombuffer(planes.next(8 * exceptions), "<f8")
    return time, value, np.frombuffer(planes.next(rows), np.uint8)


def encode_accepted(accepted_ms: IntArray, time: IntArray) -> bytes:
    """When each reading was accepted; mostly a little after its time."""
    late = accepted_ms - time
    steps, width = _planes(np.diff(late))
    return _guarded(_ACCEPTED_HEAD.pack(width, int(late[0]) if late.size else 0) + b"".join(steps))


def decode_accepted(blob: bytes, time: IntArray) -> IntArray:
    """The inverse of :func:`encode_accepted`."""
    body = _checked(blob)
    width, first = _ACCEPTED_HEAD.unpack_from(body)
    steps = _Planes(body, _ACCEPTED_HEAD.size).numbers(max(time.size - 1, 0), width)
    return time + _summed(steps, first, time.size)


def _guarded(body: bytes) -> bytes:
    return _SIZE.pack(zlib.crc32(body)) + body


def _checked(blob: bytes) -> memoryview:
    body = memoryview(blob)[_SIZE.size :]
    if blob[: _SIZE.size] != _SIZE.pack(zlib.crc32(body)):
        raise StoreError("a sealed day is damaged on the disk: restore the journal from a backup")
    return body


class _Planes:
    """The planes of a body, one after the other."""

    def __init__(self, body: memoryview, at: int) -> None:
        self._body, self._at = body, at

    def next(self, size: int) -> memoryview | bytes:
        """The next plane, of ``size`` bytes."""
        (stored,) = _SIZE.unpack_from(self._body, self._at)
        start = self._at + _SIZE.size
        self._at = start + stored
        plane = self._body[start : self._at]
        return plane if stored == size else zlib.decompress(plane, bufsize=size)

    def numbers(self, rows: int, width: int) -> NDArray[Any]:
        """The next column of whole numbers."""
        column = np.empty((rows, width), dtype=np.uint8)
        for byte in range(width):
            column[:, byte] = np.frombuffer(self.next(rows), np.uint8)
        return column.reshape(-1).view(f"<i{width}")


def _plane(raw: bytes) -> bytes:
    squeezed = zlib.compress(raw, _LEVEL)
    kept = squeezed if len(squeezed) < _WORTH * len(raw) else raw
    return _SIZE.pack(len(kept)) + kept


def _encode_values(value: FloatArray) -> tuple[list[bytes], int, int, int, int]:
    """Bytes, codec, decimals, width, number of exceptions."""
    for decimals, codec in product(range(len(_TENS)), (_DIVIDED, _SCALED)):
        whole = _whole(value, decimals)
        wrong = np.flatnonzero(_restored(whole, codec, decimals).view(np.int64) != value.view(np.int64))
        if wrong.size <= value.size * _MOST_EXCEPTIONS:
            whole[wrong] = whole[_before(wrong, value.size)]
            planes, width = _planes(np.diff(whole, prepend=0))
            odd = (_plane(wrong.astype("<u4").tobytes()), _plane(value[wrong].astype("<f8").tobytes()))
            return [*planes, *odd], codec, decimals, width, wrong.size
    return _split(value.astype("<f8"), 8), _PLAIN, 0, 8, 0


def _whole(value: FloatArray, decimals: int) -> IntArray:
    with np.errstate(over="ignore", invalid="ignore"):
        scaled: FloatArray = np.rint(value * _TENS[decimals])
    return np.where(np.abs(scaled) < _LARGEST, scaled, 0.0).astype(np.int64)  # 0 also for NaN


def _restored(whole: IntArray, codec: int, decimals: int) -> FloatArray:
    if codec == _DIVIDED:
        return np.divide(whole, _TENS[decimals], dtype=np.float64)
    return np.multiply(whole, _TENTHS[decimals], dtype=np.float64)


def _before(wrong: IntArray, rows: int) -> IntArray:
    """For each exception a row nearby that is none, so that it costs no step."""
    right = np.setdiff1d(np.arange(rows), wrong, assume_unique=True)
    return right[np.maximum(np.searchsorted(right, wrong) - 1, 0)]


def _planes(whole: NDArray[np.int64]) -> tuple[list[bytes], int]:
    """Whole numbers in byte planes of the smallest width that holds them all."""
    low, high = (int(whole.min()), int(whole.max())) if whole.size else (0, 0)
    width = next(w for w in (1, 2, 4, 8) if -(1 << (8 * w - 1)) <= low and high < 1 << (8 * w - 1))
    return _split(whole.astype(f"<i{width}"), width), width


def _split(column: NDArray[Any], width: int) -> list[bytes]:
    return [_plane(plane.tobytes()) for plane in column.view(np.uint8).reshape(-1, width).T]


def _summed(steps: NDArray[Any], first: int, rows: int) -> IntArray:
    column = np.empty(rows, dtype=np.int64)
    if rows:
        column[0] = first
        column[1:] = steps
        np.cumsum(column, out=column)
    return column
