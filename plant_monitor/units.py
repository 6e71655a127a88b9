"""Units the product understands, and the factors between those of one kind.

Whatever is not in the table is only comparable with itself (design §4.1).
"""

from __future__ import annotations

from fractions import Fraction

# unit -> (kind, factor to the kind's first unit). Exact fractions: a factor must not add noise.
_UNITS: dict[str, tuple[str, Fraction]] = {
    "mg/L": ("concentration", Fraction(1)),
    "g/m3": ("concentration", Fraction(1)),
    "g/L": ("concentration", Fraction(1000)),
    "kg/m3": ("concentration", Fraction(1000)),
    "ug/L": ("concentration", Fraction(1, 1000)),
    "µg/L": ("concentration", Fraction(1, 1000)),  # U+00B5 micro sign
    "μg/L": ("concentration", Fraction(1, 1000)),  # U+03BC Greek mu
    "ng/L": ("concentration", Fraction(1, 1_000_000)),
    "m3/h": ("flow", Fraction(1)),
    "m3/d": ("flow", Fraction(1, 24)),
    "m3/min": ("flow", Fraction(60)),
    "m3/s": ("flow", Fraction(3600)),
    "L/s": ("flow", Fraction(36, 10)),
    "L/min": ("flow", Fraction(6, 100)),
    "L/h": ("flow", Fraction(1, 1000)),
    "Mgal/d": ("flow", Fraction("3785.411784") / 24),
    "m3": ("volume", Fraction(1)),
    "L": ("volume", Fraction(1, 1000)),
    "kg/d": ("load", Fraction(1)),
    "g/d": ("load", Fraction(1, 1000)),
    "t/d": ("load", Fraction(1000)),
}


def known() -> tuple[str, ...]:
    """The units of the table, kind by kind."""
    return tuple(_UNITS)


def kind(unit: str) -> str:
    """The kind of quantity (``concentration``, ``flow``, ``volume``, ``load``), or the unit itself."""
    return _UNITS[unit][0] if unit in _UNITS else unit


def is_concentration(unit: str) -> bool:
    """True for a mass per volume: such series are flow-weighted and have a load."""
    return kind(unit) == "concentration"


def convertible(unit: str, target: str) -> bool:
    """True where a value in ``unit`` can be told in ``target``."""
    return kind(unit) == kind(target)


def ratio(unit: str, target: str) -> Fraction:
    """Exact factor that turns a value in ``unit`` into ``target``.

    Raises
    ------
    ValueError  the two are not of one kind
    """
    if unit == target:
        return Fraction(1)
    if not convertible(unit, target):
        raise ValueError(f"cannot convert {unit!r} to {target!r}")
    return _UNITS[unit][1] / _UNITS[target][1]


def factor(unit: str, target: str) -> float:
    """The factor as float64 (see :func:`ratio`)."""
    return float(ratio(unit, target))
