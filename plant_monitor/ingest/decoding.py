"""What every decoder of messages gives and keeps to: readings, one refusal, the bounds of live data. Pure.

Whatever the bytes are, a decoder returns. Every value of a message is afterwards either a reading or named
in the message's one refusal, which keeps the whole payload, so that it can be put in again once plant.yaml
knows it (what was stored already changes nothing then).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from plant_monitor import units
from plant_monitor.plant import Plant
from plant_monitor.readings import Readings, Refused

# Live data further off than this is a clock gone wrong, not a measurement of now (design §6).
AHEAD_LIMIT_MS = 10 * 60_000
AGE_LIMIT_MS = 400 * 86_400_000
FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999  # years 1 to 9999
# A message beyond this is no batch of readings; only its beginning is kept.
SIZE_LIMIT = 1_048_576
KEPT_OF_OVERSIZED = 65_536
TOLD_PROBLEMS = 20  # reasons spelt out in one refusal; the rest is counted


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it came.

    ``arrival_ms`` when, by a clock that never goes back: the time of records that bring none of their own ·
    ``now_ms`` the present, for the bounds of live data; None: any time is taken, as what a person puts in
    again · ``repeated`` the broker says that it may have come before · ``in_doubt`` nobody knows whether it is
    the message or our clock that is ahead
    """

    topic: str
    payload: bytes
    arrival_ms: int
    now_ms: int | None
    repeated: bool = False
    in_doubt: bool = False


@dataclass(slots=True)
class Columns:
    """Readings being gathered, and the problems met."""

    time: list[int] = field(default_factory=list)
    series: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    mark: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, time: int, series: int, value: float, mark: int) -> None:
        """One more reading."""
        self.time.append(time)
        self.series.append(series)
        self.value.append(value)
        self.mark.append(mark)

    def readings(self) -> Readings:
        """The columns as arrays."""
        return Readings(
            np.array(self.time, dtype=np.int64),
            np.array(self.series, dtype=np.int32),
            np.array(self.value, dtype=np.float64),
            np.array(self.mark, dtype=np.uint8),
        )


@dataclass(frozen=True, slots=True)
class Decoded:
    """A message taken apart. ``problems`` has one line per value or object that is no reading; ``stamped``: so many
    milliseconds from its arrival on were given to records without time."""

    readings: Readings
    refused: tuple[Refused, ...] = ()
    problems: tuple[str, ...] = ()
    stamped: int = 0


class Decoder(ABC):
    """How the messages of one station are read. This one's defaults fit a decoder that remembers nothing."""

    host_stamped = False  # True: a record may have no time of its own

    @abstractmethod
    def decode(self, message: Incoming) -> Decoded:
        """The readings of a message; never raises."""

    def again(self, message: Incoming) -> Decoded:
        """The same for what was kept apart once: nothing is learnt from it."""
        return self.decode(message)

    def session_lost(self) -> None:  # noqa: B027 - most decoders have nothing to forget
        """The broker no longer has our session: messages may be missing."""

    def outgoing(self) -> Sequence[tuple[str, bytes]]:
        """Topics and payloads to be sent because of what was decoded; each is given once."""
        return ()

    def health(self) -> Mapping[str, int]:
        """Counters since start."""
        return {}


@dataclass(frozen=True, slots=True)
class Target:
    """A series, and how a value as sent becomes one of its: value · factor + shift."""

    series: int
    factor: float
    shift: float

    def of(self, value: float) -> float:
        """The value in the unit of the series."""
        return value if self.factor == 1.0 and self.shift == 0.0 else value * self.factor + self.shift


def targets(
    plant: Plant, parameter: str, point: str | None, unit: str | None, scale: Fraction, offset: Fraction
) -> dict[str, Target]:
    """Where a value of a parameter may go, by point; ``point`` None: any that declares it in a unit of that kind."""
    found: dict[str, Target] = {}
    for i, series in enumerate(plant.series):
        if series.parameter != parameter or point not in (None, series.point):
            continue
        if unit is None or units.convertible(unit, series.unit):
            ratio = Fraction(1) if unit is None else units.ratio(unit, series.unit)
            found[series.point] = Target(i, float(scale * ratio), float(offset * ratio))
    return found


def out_of_bounds(time: int, message: Incoming, found: Any) -> str | None:
    """What is wrong with an instant, or None; ``found`` is how it was written."""
    now_ms = message.now_ms
    if now_ms is not None and time > now_ms + AHEAD_LIMIT_MS and not message.in_doubt:
        return f"{shown(found)} is more than 10 minutes ahead"
    if now_ms is not None and time < now_ms - AGE_LIMIT_MS:
        return f"{shown(found)} is more than 400 days old"
    return None if FIRST_MS <= time <= LAST_MS else f"{shown(found)} is out of range"


def as_float(found: int) -> float:
    """An integer as float64, beyond its range infinite, as 1e400 would be read."""
    try:
        return float(found)
    except OverflowError:
        return math.inf if found > 0 else -math.inf


def shown(found: Any) -> str:
    """A value in a message, short and printable (also lone surrogates and huge numbers)."""
    if isinstance(found, dict):
        return "an object"
    if isinstance(found, list):
        return "a list"
    if isinstance(found, int) and not isinstance(found, bool) and abs(found) >= 10**20:
        return "a number of more than 20 digits"
    text = "nothing" if found is None else ascii(found) if not isinstance(found, str) else repr(found)
    return text if len(text) <= 80 else text[:77] + "..."


def plain(name: str) -> str:
    """A name in a message: as it is where it is a plain word."""
    return name if name.isidentifier() and len(name) <= 80 else shown(name)


def oversized(message: Incoming) -> Decoded | None:
    """The refusal of a message that is too long; None where it is not."""
    size = len(message.payload)
    if size <= SIZE_LIMIT:
        return None
    problem = f"{size} bytes, expected at most {SIZE_LIMIT}; only the first {KEPT_OF_OVERSIZED} are kept"
    return refusal(message.payload[:KEPT_OF_OVERSIZED], message.topic, [problem], message.arrival_ms)


def refusal(raw: bytes, topic: str, problems: Sequence[str], arrival_ms: int) -> Decoded:
    """A message of which nothing is taken."""
    told = list(problems[:TOLD_PROBLEMS])
    if len(problems) > len(told):
        told.append(f"and {len(problems) - len(told)} more")
    refused = Refused(source=topic, reason="; ".join(told), raw=raw, time_ms=arrival_ms)
    return Decoded(Readings.empty(), (refused,), tuple(problems))


def decoded(columns: Columns, message: Incoming, stamped: int = 0) -> Decoded:
    """What was gathered, and the refusal of the message where there were problems."""
    if not columns.problems:
        return Decoded(columns.readings(), stamped=stamped)
    refused = refusal(message.payload, message.topic, columns.problems, message.arrival_ms)
    return Decoded(columns.readings(), refused.refused, refused.problems, stamped)
