"""Splitting an amount by weights, so that the parts always sum to it.

Largest remainder in integers: no float ever enters a share of money or of litres. Knows nothing of
plants or readings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

VOLUME_BASIS = "volume"
CAPACITY_SHARE = "capacity_share"
EQUAL = "equal"
LOAD = "load"
LOAD_PREFIX = "load:"
DIRECT_PREFIX = "direct:"


@dataclass(frozen=True, slots=True)
class CostItem:
    """One row of the costs file (design §4.5).

    ``basis`` is ``volume`` | ``capacity_share`` | ``equal`` | ``load`` | ``load:<parameter>`` |
    ``direct:<member>`` · ``amount_fen`` may be negative: a credit, split like a cost.
    """

    item: str
    basis: str
    amount_fen: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Shares:
    """What amounts are split by, by member id.

    ``shares`` exact, summing to 1 · ``whole`` the same proportions in integers · ``fallback`` ``""``, or the basis
    that stood in because all weights were zero
    """

    whole: dict[str, int]
    shares: dict[str, Fraction]
    fallback: str = ""

    @staticmethod
    def of(weights: Mapping[str, int | Fraction], capacity_shares: Mapping[str, Fraction]) -> Shares:
        """By ``weights``; where all are zero by ``capacity_shares``, and where those are too, equally.

        Both mappings have one entry per member. ``capacity_shares`` are relative; one not stated is 0.

        Rule: design §5, *Shares*: "All weights zero → by capacity_share, then equally, and a finding" (the
        finding is the caller's, from ``fallback``).
        """
        chosen: Mapping[str, int | Fraction] = weights
        fallback = ""
        if not any(chosen.values()):
            chosen, fallback = capacity_shares, CAPACITY_SHARE
        if not any(chosen.values()):
            chosen, fallback = dict.fromkeys(weights, 1), EQUAL
        whole = _as_integers(chosen)
        total = sum(whole.values())
        return Shares(whole, {key: Fraction(weight, total) for key, weight in whole.items()}, fallback)

    def split(self, amount: int) -> dict[str, int]:
        """The parts of an amount; they sum to it."""
        return largest_remainder(amount, self.whole)


def largest_remainder(amount: int, weights: Mapping[str, int | Fraction]) -> dict[str, int]:
    """Integer parts of ``amount`` in proportion to ``weights`` (>= 0, not all zero), summing to it.

    Everyone gets the whole units of the exact part; the units left over go to the largest remainders,
    ties to the smaller id by code points. A negative amount is the mirror of the positive one. The
    order of ``weights`` changes nothing.

    Raises
    ------
    ValueError  a negative weight, or no positive one

    Rule: design §5, *Shares*. Cost: O(n log n), integers only.
    """
    whole = _as_integers(weights)
    if min(whole.values(), default=0) < 0:
        raise ValueError(f"weights must not be negative, found {dict(weights)}")
    total = sum(whole.values())
    if total == 0:
        raise ValueError("cannot split by weights that are all zero")
    size, sign = abs(amount), -1 if amount < 0 else 1
    parts, left = {}, {}
    for key, weight in whole.items():
        parts[key], left[key] = divmod(size * weight, total)
    left_over = size - sum(parts.values())
    if left_over:
        for key in sorted(whole, key=lambda key: (-left[key], key))[:left_over]:
            parts[key] += 1
    return {key: sign * part for key, part in parts.items()}


def _as_integers(weights: Mapping[str, int | Fraction]) -> dict[str, int]:
    """The same proportions in integers."""
    scale = lcm(*{w.denominator for w in weights.values()})
    if scale == 1:
        return {key: int(w) for key, w in weights.items()}
    return {key: w.numerator * (scale // w.denominator) for key, w in weights.items()}
