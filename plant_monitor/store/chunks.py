"""The compressed form of one series' sealed day: pure, columns to bytes and back, bit for bit.

Columns compress well once each looks alike from row to row: times as steps, values that have few decimals
as steps of whole numbers, everything split into byte planes before zlib.

    columns  = zlib( head · time steps · value column · marks )
    head     = version u8 · codec u8 · decimals u8 · time width u8 · value width u8 · rows u32 · exceptions u32
               · first time i64
    codec 0  = the float64 values in byte planes
    codec 1  = steps of whole numbers, value = whole / 10**decimals, in planes of ``value width``; then the
               exceptions, values that this does not give back (NaN, infinite, -0.0, odd ones): row u32 each,
               float64 each
    codec 2  = the same with value = whole * 10**-decimals, as a register times its scale gives it
    accepted = zlib( width u8 · first i64 · steps of (accepted - time) )
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
_PLAIN, _DIVIDED, _SCALED = 0, 1, 2
_LEVEL = 6  # of zlib
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
    return zlib.compress(b"".join((head, steps, values, mark.tobytes())), _LEVEL)


def decode(blob: bytes) -> tuple[IntArray, FloatArray, MarkArray]:
    """The inverse of :func:`encode`: time, value, mark.

    Raises
    ------
    StoreError  the bytes are damaged, or of a newer format
    """
    raw = _opened(blob)
    version, codec, decimals, time_width, value_width, rows, exceptions, first = _HEAD.unpack_from(raw)
    if version != _VERSION:
        raise StoreError(f"a sealed day of format {version}, expected {_VERSION}: use a newer plant-monitor")
    at = _HEAD.size
    steps = max(rows - 1, 0)
    time = _summed(_unplaned(raw, at, steps, time_width), first, rows)
    at += steps * time_width
    if codec == _PLAIN:
        value = _unplaned(raw, at, rows, 8).view(np.float64)
        at += rows * 8
    else:
        whole = _unplaned(raw, at, rows, value_width)
        at += rows * value_width
        value = _restored(np.cumsum(whole, dtype=np.int64), codec, decimals)
        where = np.frombuffer(raw, "<u4", exceptions, at)
        at += exceptions * 4
        value[where] = np.frombuffer(raw, "<f8", exceptions, at)
        at += exceptions * 8
    return time, value, np.frombuffer(raw, np.uint8, rows, at)


def encode_accepted(accepted_ms: IntArray, time: IntArray) -> bytes:
    """When each reading was accepted; mostly a little after its time."""
    late = accepted_ms - time
    steps, width = _planes(np.diff(late))
    return zlib.compress(_ACCEPTED_HEAD.pack(width, int(late[0]) if late.size else 0) + steps, _LEVEL)


def decode_accepted(blob: bytes, time: IntArray) -> IntArray:
    """The inverse of :func:`encode_accepted`."""
    raw = _opened(blob)
    width, first = _ACCEPTED_HEAD.unpack_from(raw)
    return time + _summed(_unplaned(raw, _ACCEPTED_HEAD.size, max(time.size - 1, 0), width), first, time.size)


def _opened(blob: bytes) -> bytes:
    try:
        return zlib.decompress(blob)
    except zlib.error as error:
        raise StoreError(f"a sealed day cannot be read ({error}): restore the journal from a backup") from error


def _encode_values(value: FloatArray) -> tuple[bytes, int, int, int, int]:
    """Bytes, codec, decimals, width, number of exceptions."""
    for decimals, codec in product(range(len(_TENS)), (_DIVIDED, _SCALED)):
        whole = _whole(value, decimals)
        wrong = np.flatnonzero(_restored(whole, codec, decimals).view(np.int64) != value.view(np.int64))
        if wrong.size <= value.size * _MOST_EXCEPTIONS:
            whole[wrong] = whole[_before(wrong, value.size)]
            planes, width = _planes(np.diff(whole, prepend=0))
            odd = wrong.astype("<u4").tobytes() + value[wrong].astype("<f8").tobytes()
            return planes + odd, codec, decimals, width, wrong.size
    return _shuffled(value.astype("<f8"), 8), _PLAIN, 0, 8, 0


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


def _planes(whole: NDArray[np.int64]) -> tuple[bytes, int]:
    """Whole numbers in byte planes of the smallest width that holds them all."""
    low, high = (int(whole.min()), int(whole.max())) if whole.size else (0, 0)
    width = next(w for w in (1, 2, 4, 8) if -(1 << (8 * w - 1)) <= low and high < 1 << (8 * w - 1))
    return _shuffled(whole.astype(f"<i{width}"), width), width


def _shuffled(column: NDArray[Any], width: int) -> bytes:
    return column.view(np.uint8).reshape(-1, width).T.tobytes()


def _unplaned(raw: bytes, at: int, rows: int, width: int) -> NDArray[Any]:
    planes = np.frombuffer(raw, np.uint8, rows * width, at).reshape(width, rows)
    return np.ascontiguousarray(planes.T).reshape(-1).view(f"<i{width}")


def _summed(steps: NDArray[Any], first: int, rows: int) -> IntArray:
    column = np.empty(rows, dtype=np.int64)
    if rows:
        column[0] = first
        column[1:] = steps
        np.cumsum(column, out=column)
    return column
