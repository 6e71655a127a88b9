"""What people say about readings, laid over them: calibration, fault, exclusion, a value by hand, a new meter.

Raw readings stay as they came. :class:`AnnotatedSource` hands out the readings *as judged*, so that evaluation,
explanation and bill see the same; without the annotation they see again, bit for bit, what they saw before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np

from plant_monitor.plant import VOLUME, Plant, Represents, Series
from plant_monitor.readings import (
    BACKED,
    MADE,
    OPENING,
    SET_BY_HAND,
    BoolArray,
    IntArray,
    Readings,
    ReadingSource,
    Touched,
)


class Kind(StrEnum):
    """What an annotation says."""

    MAINTENANCE = "maintenance"
    CALIBRATION = "calibration"
    FAULT = "fault"
    EXCLUSION = "exclusion"  # a period that a person does not trust
    MANUAL_VALUE = "manual_value"  # stands for what was measured; without a value it backs readings marked S
    METER_EXCHANGE = "meter_exchange"


#: The mark that readings get; of several the last one. ``X`` is ours, the others are HJ 212's.
MARKED = {
    Kind.MAINTENANCE: ord("M"),
    Kind.CALIBRATION: ord("C"),
    Kind.FAULT: ord("D"),
    Kind.EXCLUSION: ord("X"),
}
#: Kinds of which no two may speak of one series and instant.
SINGLE = frozenset({Kind.MANUAL_VALUE, Kind.METER_EXCHANGE})


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation. ``parameter`` empty: every series of the point · ``start_ms`` inclusive, ``end_ms`` exclusive.

    ``value`` (manual value), ``closing``, ``opening`` (registers of the old and the new meter at ``start_ms`` and
    ``end_ms``) in the unit of plant.yaml · ``id``, ``author``, ``entered_ms`` as the ledger has them
    """

    kind: Kind
    point: str
    parameter: str
    start_ms: int
    end_ms: int
    reason: str
    evidence: str = ""
    value: float | None = None
    closing: float | None = None
    opening: float | None = None
    id: int = 0
    author: str = ""
    entered_ms: int = 0

    def concerns(self, series: Series) -> bool:
        """True where it speaks of the series."""
        return self.point == series.point and self.parameter in ("", series.parameter)


class Annotations(Protocol):
    """Where annotations are kept."""

    def standing(self, until: int | None = None) -> Sequence[Annotation]:
        """Every annotation that stands; or that stood when all that was known had the number ``until``."""
        ...

    def changed(self, since: int) -> tuple[int, Sequence[Annotation]]:
        """A number that stands for all that is known, and what came or was taken back after the number ``since``."""
        ...


def problem_of(plant: Plant, annotation: Annotation) -> str | None:
    """Why an annotation cannot be taken, or None."""
    point = plant.point_by_id.get(annotation.point)
    if point is None:
        return f"point {annotation.point!r} is not declared; expected one of {', '.join(plant.point_by_id)}"
    series = point.find(annotation.parameter) if annotation.parameter else None
    if annotation.parameter and series is None:
        known = ", ".join(s.parameter for s in point.series)
        return f"parameter {annotation.parameter!r} is not measured at {point.id}; expected one of {known}"
    if not annotation.reason.strip():
        return "no reason stated"
    if annotation.kind is Kind.METER_EXCHANGE:
        return _exchange_problem(annotation, series)
    if annotation.closing is not None or annotation.opening is not None:
        return f"registers belong to a {Kind.METER_EXCHANGE}, not to a {annotation.kind}"
    if annotation.kind is Kind.MANUAL_VALUE:
        return _manual_problem(annotation, series)
    if annotation.value is not None:
        return f"a value belongs to a {Kind.MANUAL_VALUE}, not to a {annotation.kind}"
    return _span_problem(annotation)


def _span_problem(annotation: Annotation) -> str | None:
    return None if annotation.start_ms < annotation.end_ms else "it ends before it begins; `to` is exclusive"


def _manual_problem(annotation: Annotation, series: Series | None) -> str | None:
    if series is None:
        return "a manual value names its parameter"
    if not annotation.evidence.strip():
        return "a manual value names its evidence (a laboratory report, a photo of the dial)"
    if annotation.value is not None and not math.isfinite(annotation.value):
        return "the value is no finite number"
    if series.parameter != VOLUME:
        return _span_problem(annotation)
    if annotation.value is None or annotation.value < 0:
        return "a register read by hand has a value, 0 or more"
    return None if annotation.start_ms == annotation.end_ms else "a register is read at one instant: leave out `to`"


def _exchange_problem(annotation: Annotation, series: Series | None) -> str | None:
    if series is None or series.parameter != VOLUME:
        return f"a meter exchange is about the parameter {VOLUME}"
    if annotation.value is not None:
        return f"a value belongs to a {Kind.MANUAL_VALUE}; a meter exchange has a closing and an opening register"
    for name, register in (("closing", annotation.closing), ("opening", annotation.opening)):
        if register is None or not math.isfinite(register) or register < 0:
            return f"a meter exchange states the {name} register, 0 or more"
        if series.rollover is not None and register >= series.rollover:
            return f"the {name} register {register:g} is not below the rollover {series.rollover}"
    return None if annotation.start_ms <= annotation.end_ms else "it ends before it begins"


def touched_by(plant: Plant, annotations: Iterable[Annotation]) -> list[Touched]:
    """The stretches of series that the annotations speak of: what is to be judged anew when one comes or goes."""
    return [
        Touched(index, one.start_ms - 1, one.end_ms)
        for one in annotations
        for index, series in enumerate(plant.series)
        if one.concerns(series)
    ]


def covered(plant: Plant, source: ReadingSource, annotation: Annotation) -> int:
    """How many readings that came it speaks of."""
    count = 0
    for index, series in enumerate(plant.series):
        if annotation.concerns(series):
            shift = 1 if series.represents is Represents.BEFORE and series.parameter != VOLUME else 0
            count += len(source.read(index, annotation.start_ms + shift, annotation.end_ms + shift))
    return count


class AnnotatedSource:
    """Readings as judged: those of ``source`` under annotations that stand. Itself a ReadingSource.

    A mark (maintenance, calibration, fault, exclusion) makes every reading of its span invalid, and no time in the
    span is valid: where no reading stands at its edge, one without a value is made that ends the hold of the reading
    beyond. A manual value stands for all of its span, and no longer; readings in it take that value. Without a
    value it makes readings marked ``S`` valid. It outweighs marks of the same instant. A register read by hand is
    one reading; a meter exchange is two, the closing register and the opening one.

    With ``represents: before`` a span holds ``(start, end]``: a reading speaks for the time before it.
    """

    def __init__(self, plant: Plant, source: ReadingSource, annotations: Iterable[Annotation]) -> None:
        self.raw = source
        self.annotations = tuple(sorted(annotations, key=lambda a: (a.start_ms, a.end_ms, a.id)))
        laid = (_Laid(index, s, [a for a in self.annotations if a.concerns(s)]) for index, s in enumerate(plant.series))
        self._laid = {one.index: one for one in laid if one.annotations}

    def read(self, series: int, start_ms: int, end_ms: int) -> Readings:
        """Readings with ``start_ms <= time < end_ms``."""
        raw = self.raw.read(series, start_ms, end_ms)
        laid = self._laid.get(series)
        return raw if laid is None else laid.over(raw, start_ms, end_ms)

    def before(self, series: int, time_ms: int, *, valid: bool = False) -> Readings:
        """The last reading (or last valid one) with time < ``time_ms``: none or one row."""
        laid = self._laid.get(series)
        if laid is None:
            return self.raw.before(series, time_ms, valid=valid)
        near = [t for t in self._near(laid, time_ms, valid=valid, back=True) if t < time_ms]
        return self.read(series, max(near), max(near) + 1) if near else Readings.empty()

    def after(self, series: int, time_ms: int, *, valid: bool = False) -> Readings:
        """The first reading (or first valid one) with time >= ``time_ms``: none or one row."""
        laid = self._laid.get(series)
        if laid is None:
            return self.raw.after(series, time_ms, valid=valid)
        near = [t for t in self._near(laid, time_ms, valid=valid, back=False) if t >= time_ms]
        return self.read(series, min(near), min(near) + 1) if near else Readings.empty()

    def extent(self) -> tuple[int, int] | None:
        """Times of the first and the last reading that came."""
        return self.raw.extent()

    def kept_from_ms(self) -> int | None:
        """The instant before which readings were dropped."""
        return self.raw.kept_from_ms()

    def _near(self, laid: _Laid, time_ms: int, *, valid: bool, back: bool) -> Iterator[int]:
        """Instants at which a reading (a valid one) as judged stands, the nearest one on that side among them."""
        yield from laid.made_near(time_ms, valid=valid, back=back)
        series, look = laid.index, self.raw.before if back else self.raw.after
        if not valid:
            yield from look(series, time_ms).time.tolist()
            return
        at: int | None = time_ms
        while at is not None and len(row := look(series, at, valid=True)):
            time = int(row.time[0])
            at = None if laid.over(row, time, time + 1).valid[0] else laid.beyond(time, back=back)
            if at is None:
                yield time
        for one in laid.manual:  # what came may be valid only under it
            span = (
                (one.start_ms, min(time_ms, one.end_ms + 1)) if back else (max(time_ms, one.start_ms), one.end_ms + 1)
            )
            found = self.read(series, *span)
            yield from found.time[found.valid].tolist()


class _Laid:
    """What lies over one series."""

    def __init__(self, index: int, series: Series, annotations: Sequence[Annotation]) -> None:
        self.index, self.annotations = index, annotations
        self.interval_ms = series.interval_ms or 0
        self._register = series.parameter == VOLUME
        self._before = series.represents is Represents.BEFORE and not self._register
        self._marks = sorted((a for a in annotations if a.kind in MARKED), key=lambda a: list(MARKED).index(a.kind))
        self.manual = [a for a in annotations if a.kind is Kind.MANUAL_VALUE]
        self._values = [a for a in self.manual if a.value is not None]
        self._exchanges = [a for a in annotations if a.kind is Kind.METER_EXCHANGE]
        self._edges = np.empty(0, dtype=np.int64) if self._register else self._edge_times()

    def over(self, raw: Readings, start_ms: int, end_ms: int) -> Readings:
        """The readings of ``[start_ms, end_ms)`` as judged; ``raw`` are those that came, sorted by time."""
        value, mark = raw.value.copy(), raw.mark.copy()
        for one in self._marks:
            mark[self._covers(one, raw.time)] = MARKED[one.kind]
        for one in self._exchanges:
            mark[(raw.time >= one.start_ms) & (raw.time < one.end_ms)] = MARKED[Kind.MAINTENANCE]
        for one in self.manual:
            covers = self._covers(one, raw.time)
            if one.value is None:
                covers &= raw.mark == SET_BY_HAND
            else:
                value[covers] = one.value
            mark[covers] = BACKED
        edges = self._edges[(self._edges >= start_ms) & (self._edges < end_ms)]
        parts = [Readings.of(edges, self.index, np.nan, MADE)]
        parts += [Readings.of(self._grid(a, start_ms, end_ms), self.index, a.value, MADE) for a in self._values]
        parts += [Readings(raw.time, raw.series, value, mark), *self._exchanged(start_ms, end_ms)]
        return Readings.concat(parts).by_time()

    def made_near(self, time_ms: int, *, valid: bool, back: bool) -> Iterator[int]:
        """Instants at which a reading (a valid one) is made, the nearest one on that side among them."""
        if not valid:
            yield from self._edges.tolist()
        for one in self._values:
            at = min(time_ms, one.end_ms + 1) if back else max(time_ms, one.start_ms)
            span = (at - self.interval_ms - 1, time_ms) if back else (time_ms, at + self.interval_ms + 1)
            yield from self._grid(one, *span).tolist()
        for one in self._exchanges:
            yield from (_closing_ms(one), one.end_ms)

    def beyond(self, time_ms: int, *, back: bool) -> int:
        """Where to look on behind the spans that make a reading invalid."""
        at = np.array([time_ms])
        spans = [a for a in (*self._marks, *self._exchanges) if self._covers(a, at)[0]]
        shift = 1 if self._before else 0
        return min(a.start_ms for a in spans) + shift if back else max(a.end_ms for a in spans) + shift

    def _covers(self, one: Annotation, time: IntArray) -> BoolArray:
        if one.start_ms == one.end_ms:
            return time == one.start_ms
        if self._before:
            return (time > one.start_ms) & (time <= one.end_ms)
        return (time >= one.start_ms) & (time < one.end_ms)

    def _edge_times(self) -> IntArray:
        """Where a mark begins to speak, where a manual value ceases to, and where one that backs ``S`` leaves the word
        to a mark again: there a hold is cut."""
        edges = [one.end_ms if self._before else one.start_ms for one in self._marks]
        for one in self.manual:
            end = one.start_ms if self._before else one.end_ms
            if one.value is not None or any(self._covers(mark, np.array([end]))[0] for mark in self._marks):
                edges.append(end)
        time = np.unique(np.array(edges, dtype=np.int64))
        for one in self._values:
            time = time[~self._covers(one, time)]
        return time

    def _grid(self, one: Annotation, start_ms: int, end_ms: int) -> IntArray:
        """Instants of ``[start_ms, end_ms)`` at which a manual value is made: once an interval of its span."""
        if self._register:
            return np.array([t for t in (one.start_ms,) if start_ms <= t < end_ms], dtype=np.int64)
        if self._before:
            first = max(start_ms, one.start_ms + 1)
            first += (one.end_ms - first) % self.interval_ms
            return np.arange(first, min(one.end_ms + 1, end_ms), self.interval_ms, dtype=np.int64)
        first = max(start_ms, one.start_ms)
        first += (one.start_ms - first) % self.interval_ms
        return np.arange(first, min(one.end_ms, end_ms), self.interval_ms, dtype=np.int64)

    def _exchanged(self, start_ms: int, end_ms: int) -> Iterator[Readings]:
        """The closing and the opening register; they stand for whatever was read at their instants."""
        for one in self._exchanges:
            for time, register, mark in (
                (_closing_ms(one), one.closing, BACKED),
                (one.end_ms, one.opening, OPENING),
            ):
                if start_ms <= time < end_ms:
                    yield Readings.of(time, self.index, register, mark)


def _closing_ms(exchange: Annotation) -> int:
    """When the old meter was read: just before the new one where both are stated for one instant."""
    return exchange.start_ms if exchange.start_ms < exchange.end_ms else exchange.end_ms - 1
