"""Chance as a pure function: the same seed, name and counter give the same draw, in any order and in any process.

That is what lets a month of history, the live field and a repeated test agree on every reading.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

_WEYL = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_MASK = (1 << 64) - 1


def stream(seed: int, *names: str | int) -> int:
    """The number of an independent stream of draws, from the seed and what the draws are for."""
    text = "/".join(str(n) for n in (seed, *names)).encode()
    return ((zlib.crc32(text) << 32) ^ zlib.adler32(text) * 0x9E3779B1) & _MASK


def _bits(key: int, counter: ArrayLike) -> NDArray[np.uint64]:
    """splitmix64 of the counter: 64 even bits per counter."""
    with np.errstate(over="ignore"):
        z = (np.atleast_1d(np.asarray(counter, dtype=np.int64)).astype(np.uint64) + np.uint64(key)) * _WEYL
        z = (z ^ (z >> np.uint64(30))) * _MIX_1
        z = (z ^ (z >> np.uint64(27))) * _MIX_2
        return z ^ (z >> np.uint64(31))


def uniform(key: int, counter: ArrayLike) -> NDArray[np.float64]:
    """Draws in [0, 1), one per counter."""
    return (_bits(key, counter) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(key: int, counter: ArrayLike) -> NDArray[np.float64]:
    """Draws of mean 0 and deviation 1 within ±3.5: sums of four uniforms (an instrument has no far tails)."""
    bits = _bits(key, counter)
    total = np.zeros(bits.shape)
    for shift in (0, 16, 32, 48):
        total += ((bits >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.float64)
    # Four uniforms on 0 … 65535: mean 2 · 65535, variance 4 · (65536² - 1) / 12.
    return (total - 2 * 65535.0) / np.sqrt((65536.0**2 - 1) / 3)


def around_one(key: int, counter: ArrayLike, spread: float) -> NDArray[np.float64]:
    """Factors around 1 (log-normal in shape, mean 1 to second order) with relative deviation ``spread``."""
    return np.exp(spread * normal(key, counter) - spread**2 / 2)
