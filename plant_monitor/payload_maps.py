"""How messages that others have shaped are read: plain frozen records, made by ``config`` for ``ingest``.

A value as it was sent becomes one of its series by ``value · scale + offset`` in ``unit``, which is then
converted to the unit of the series.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A place in a JSON value. A step is a name, an index (negative: from the end), or None for all of them."""

    text: str  # as the file has it
    steps: tuple[str | int | None, ...]
    from_message: bool = False  # it began with ``$``: from the message, not from the record


@dataclass(frozen=True, slots=True)
class JsonTime:
    """Where the time of a record stands, and how it is written."""

    path: JsonPath
    format: str  # iso | epoch_s | epoch_ms | a format of strptime
    instant: Callable[[str], int] = field(compare=False, repr=False)  # ms UTC of a text; InputError where it is none
    or_receipt: bool = False  # a record without it gets the time of its receipt; else it is refused


@dataclass(frozen=True, slots=True)
class JsonMark:
    """Where a mark stands. ``codes`` by the text it has there; ``other`` for all other texts, None: as they are."""

    path: JsonPath
    codes: tuple[tuple[str, int], ...] = ()
    other: int | None = None


@dataclass(frozen=True, slots=True)
class JsonValue:
    """One value of a record."""

    path: JsonPath
    parameter: str
    point: str | None = None  # None: the point of the record
    unit: str | None = None  # None: that of the series
    scale: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    accepts: str = "number"  # number | text (a decimal in quotes too) | boolean (true and false too)
    missing: tuple[str, ...] = ()  # texts and numbers, as sent, that mean no value
    where: tuple[tuple[JsonPath, frozenset[str]], ...] = ()  # only in records that have these texts there
    mark: JsonMark | None = None  # None: that of the record


@dataclass(frozen=True, slots=True)
class JsonMapping:
    """Messages of JSON that others have shaped."""

    values: tuple[JsonValue, ...]
    records: JsonPath | None = None  # None: the message; a list is taken element by element
    time: JsonTime | None = None  # None: that of the receipt
    mark: JsonMark | None = None  # None: ``N``
    point: JsonPath | None = None  # of the name of the point; None: as the station says
    points: tuple[tuple[str, str], ...] = ()  # foreign name -> point id; others stand for themselves


@dataclass(frozen=True, slots=True)
class SparkplugMetric:
    """One metric of Sparkplug B messages."""

    name: str
    parameter: str
    node: str | None = None  # None: of any edge node
    device: str | None = None  # None: of any device, or the node itself
    point: str | None = None  # None: as the station says
    unit: str | None = None  # None: that of the series
    scale: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class SparkplugMapping:
    """Messages of Sparkplug B."""

    metrics: tuple[SparkplugMetric, ...]
    points: tuple[tuple[str, str], ...] = ()  # foreign name -> point id; others stand for themselves
    rebirth: bool = False  # ask a node whose birth is not known for it: the one thing we would send it
