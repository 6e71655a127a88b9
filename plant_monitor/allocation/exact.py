"""Exact numbers and their texts: the only place where a bill rounds.

Registers and costs are decimals, the shortest text of the stored float64. What comes from an integral is
rounded to 1e-6 of its unit before anything is decided; then each quantity is rounded once, half up
(design §5, *Exactness*).
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from math import floor

INTEGRAL_PLACES = 6  # m³, mg/L and kg that come from an integral
M3_PLACES = 3
KG_PLACES = 3
REGISTER_PLACES = 6
EQUIVALENT_PLACES = 6
SHARE_PLACES = 12

# Wide enough that no volume, load or sum of money is ever cut by the context's precision.
_WIDE = Context(prec=60, rounding=ROUND_HALF_UP)


def half_up(value: Fraction) -> int:
    """The nearest integer, a half away from zero: credits mirror costs."""
    return _nearest(value.numerator, value.denominator)


def _nearest(numerator: int, denominator: int) -> int:
    """In integers alone: a bill rounds some ten thousand fractions."""
    size = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -size if numerator < 0 else size


def to_places(value: Fraction | int, places: int) -> Decimal:
    """Rounded half up to ``places`` decimals, with all of them in its text."""
    return Decimal(_nearest(value.numerator * 10**places, value.denominator)).scaleb(-places, _WIDE)


def decimal_of(value: float) -> Decimal:
    """The shortest decimal that reads back as this float64: what an instrument's display says."""
    return Decimal(repr(float(value)))


def fraction_of(value: float) -> Fraction:
    """The same decimal as an exact fraction."""
    return Fraction(decimal_of(value))


def integral(value: float) -> Decimal:
    """What an integral gives, rounded to 1e-6 of its unit, so that rounding noise decides nothing."""
    return to_places(fraction_of(value), INTEGRAL_PLACES)


def m3_text(litres: int) -> str:
    """Litres as m³ with 3 decimals."""
    return str(to_places(Fraction(litres, 1000), M3_PLACES))


def yuan_text(fen: int) -> str:
    """Fen as yuan with 2 decimals."""
    return str(Decimal(fen).scaleb(-2, _WIDE))


def share_text(share: Fraction) -> str:
    """A share of 1 with 12 decimals."""
    return plain_text(to_places(share, SHARE_PLACES))


def percent_text(share: Fraction) -> str:
    """A share as people read it, in percent with one decimal; cut, so that only the whole reads as 100 %."""
    return f"{plain_text(Decimal(floor(share * 1000)).scaleb(-1))} %"


def plain_text(value: Decimal) -> str:
    """A decimal without exponent, with the places it carries."""
    return f"{value:f}"
