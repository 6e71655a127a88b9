"""How an instrument shows its values in Modbus registers: many instants at once.

Written apart from the product's decoder on purpose: what one gets wrong the other notices.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_monitor.register_maps import RegisterReading

FloatArray = NDArray[np.float64]
WordArray = NDArray[np.uint16]

TYPES: dict[str, str] = {
    "int16": ">i2",
    "uint16": ">u2",
    "int32": ">i4",
    "uint32": ">u4",
    "int64": ">i8",
    "uint64": ">u8",
    "float32": ">f4",
    "float64": ">f8",
}


def words_of(numbers: NDArray[Any], type_: str, order: str) -> WordArray:
    """Registers (n, width) that hold raw numbers (n,), word after word as on the wire.

    What an integer register cannot hold stands at the end of its range, and what is no number at the end that
    instruments use for that (all ones unsigned, the most negative signed).
    """
    target = np.dtype(TYPES[type_])
    if target.kind == "f":
        with np.errstate(over="ignore"):
            stored = numbers.astype(target)
    else:
        stored = _integers(numbers, target)
    octets = np.frombuffer(stored.tobytes(), dtype=np.uint8).reshape(len(stored), -1, 2)
    if order in ("CDAB", "DCBA"):
        octets = octets[:, ::-1, :]
    if order in ("BADC", "DCBA"):
        octets = octets[:, :, ::-1]
    return np.asarray(octets[:, :, 0] * 256.0 + octets[:, :, 1]).astype(np.uint16)


def _integers(numbers: NDArray[Any], target: np.dtype[Any]) -> NDArray[Any]:
    """Rounded to the nearest integer that the type holds."""
    limits = np.iinfo(target)
    if numbers.dtype.kind in "iu":
        return np.clip(numbers, limits.min, limits.max).astype(target)
    nothing = limits.max if limits.min == 0 else limits.min
    highest = np.nextafter(float(limits.max), 0) if limits.max > 2**53 else float(limits.max)
    bounded = np.clip(np.rint(numbers), float(limits.min), highest)
    whole = np.isfinite(numbers)
    return np.where(whole, np.where(whole, bounded, 0).astype(target), np.array(nothing, dtype=target)).astype(target)


def encode(reading: RegisterReading, values: FloatArray) -> list[tuple[int, WordArray]]:
    """(first register, words (n, width)) of each part of a reading that shows ``values`` (in plant.yaml's unit)."""
    raw = (values - reading.offset) / reading.scale
    part = reading.fraction
    if part is None:
        return [(reading.register, words_of(raw, reading.type, reading.order))]
    # In steps of a millionth of a unit, so that 12.999999… never shows as 12 and a fraction of 1.
    raw = np.round(raw, 6)
    whole = np.floor(raw)
    rest = np.round((raw - whole) * reading.scale / part.scale, 6)
    return [
        (reading.register, words_of(whole, reading.type, reading.order)),
        (part.register, words_of(rest, part.type, part.order)),
    ]


def shown(reading: RegisterReading, values: FloatArray) -> FloatArray:
    """What somebody who reads the registers sees of ``values``: the same, cut to what the registers can hold."""
    raw, part = (values - reading.offset) / reading.scale, reading.fraction
    if part is None:
        number = _stored(raw, reading.type)
        if reading.scale == 1 and reading.offset == 0:
            return number
        result = number * reading.scale + reading.offset
        # Integer registers show decimals: 3 at a scale of 0.1 is 0.3, which 3 · 0.1 in binary is not.
        return np.round(result, _decimals(reading.scale, reading.offset)) if "int" in reading.type else result
    raw = np.round(raw, 6)
    whole = np.floor(raw)
    rest = np.round((raw - whole) * reading.scale / part.scale, 6)
    result = _stored(whole, reading.type) * reading.scale + _stored(rest, part.type) * part.scale + reading.offset
    return np.round(result, _decimals(reading.scale, part.scale, reading.offset)) if "int" in part.type else result


def _stored(raw: FloatArray, type_: str) -> FloatArray:
    target = np.dtype(TYPES[type_])
    return (raw.astype(target) if target.kind == "f" else _integers(raw, target)).astype(np.float64)


def _decimals(*numbers: float) -> int:
    """Digits after the point that all of the numbers need."""
    return max(len(np.format_float_positional(n, trim="-").partition(".")[2]) for n in numbers)
