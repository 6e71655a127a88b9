"""Foreign JSON to readings, by the JSON paths of a mapping (plant.yaml ``payload:``). Pure.

A message holds one record or many; a record has a time, a point and values. Values that no path names are
ignored; a record that lacks a value simply does not have it. A message in which none of the mapping's
values stand at all is unknown, and refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from plant_monitor.errors import InputError
from plant_monitor.ingest.decoding import (
    Columns,
    Decoded,
    Decoder,
    Incoming,
    Target,
    as_float,
    decoded,
    out_of_bounds,
    oversized,
    refusal,
    shown,
    targets,
)
from plant_monitor.ingest.topics import filled, matched, point_pattern
from plant_monitor.payload_maps import JsonMapping, JsonMark, JsonPath, JsonTime, JsonValue
from plant_monitor.plant import MqttStation, Plant
from plant_monitor.readings import NORMAL, UNKNOWN_MARK, mark_code

_DECIMAL = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:nan|inf(?:inity)?))\s*", re.I)
_NAMES_SHOWN = 5


class _Absent:
    """Nothing stands at a path."""


class _Doubtful:
    """A name on the way stands twice in its object: which of the two is meant is not known."""


ABSENT, DOUBTFUL = _Absent(), _Doubtful()


class _Object(dict[str, Any]):
    """A JSON object that knows which of its names stood more than once."""

    __slots__ = ("twice",)
    twice: frozenset[str]


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    made = _Object(pairs)
    made.twice = frozenset()
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        made.twice = frozenset(name for name in made if names.count(name) > 1)
    return made


@dataclass(frozen=True, slots=True)
class _Record:
    """One record of a message: where it stands, the name under which it was found, what it holds."""

    place: str
    key: str | None
    content: Any
    listed: bool = False  # an element of a list


class JsonDecoder(Decoder):
    """Messages of one station, read by its mapping."""

    def __init__(self, station: MqttStation, mapping: JsonMapping, plant: Plant) -> None:
        self._station, self._mapping = station, mapping
        self._points = dict(mapping.points)
        self._declared = frozenset(plant.point_by_id)
        self._pattern = point_pattern(station)
        self._values = [_Value(v, plant) for v in mapping.values]
        # Where values are named by their position a list is one record, else many.
        self._lists_are_records = any(
            not v.path.from_message and isinstance(v.path.steps[0], int) for v in mapping.values
        )
        self.host_stamped = mapping.time is None or mapping.time.or_receipt

    def decode(self, message: Incoming) -> Decoded:
        """The readings of a message; never raises."""
        if (refused := oversized(message)) is not None:
            return refused
        bound = matched(self._station, message.topic)
        if bound is None:
            problem = f"the topic does not match {self._station.topic}"
            return refusal(message.payload, message.topic, [problem], message.arrival_ms)
        try:
            content = json.loads(message.payload.decode("utf-8-sig"), object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            return refusal(message.payload, message.topic, [f"no JSON: {error}"], message.arrival_ms)
        return _Reader(self, message, bound, content).read()

    def records(self, content: Any) -> Iterator[_Record]:
        """The records of a message."""
        path = self._mapping.records
        for record in _walked(_Record("", None, content), () if path is None else path.steps):
            if isinstance(record.content, list) and not self._lists_are_records:
                for i, one in enumerate(record.content):
                    yield _Record(f"{record.place}[{i}]", record.key, one, listed=True)
            else:
                yield record


class _Value:
    """One value of the mapping, and the series it may go to."""

    def __init__(self, value: JsonValue, plant: Plant) -> None:
        self.mapping = value
        self.targets = targets(plant, value.parameter, value.point, value.unit, value.scale, value.offset)
        self.missing_texts = frozenset(value.missing)
        self.missing_numbers = frozenset(n for text in value.missing if (n := _decimal(text)) is not None)

    def number(self, found: Any) -> float | None:
        """The value as sent, in float64; NaN for none, None where it is no value."""
        accepts = self.mapping.accepts
        if found is None or (isinstance(found, str) and found in self.missing_texts):
            return math.nan
        if isinstance(found, bool):
            return float(found) if accepts == "boolean" else None
        if isinstance(found, str):
            number = _decimal(found) if accepts == "text" else None
        elif isinstance(found, int):
            number = as_float(found)
        else:
            number = found if isinstance(found, float) else None
        return math.nan if number is not None and number in self.missing_numbers else number


class _Reader:
    """Reads one message."""

    def __init__(self, decoder: JsonDecoder, message: Incoming, bound: list[str], content: Any) -> None:
        self._decoder, self._message, self._bound, self._content = decoder, message, bound, content
        self._mapping: JsonMapping = decoder._mapping
        self._columns = Columns()
        self._stamped = 0  # how far the times of receipt went, ms
        self._met = False  # something that the mapping names stood in the message

    def read(self) -> Decoded:
        """Its readings and its refusal."""
        for i, record in enumerate(self._decoder.records(self._content)):
            self._take(i, record)
        if not self._met and self._content not in ([], {}):
            names = ", ".join(v.path.text for v in self._mapping.values[:_NAMES_SHOWN])
            self._columns.problems.append(f"nothing of what the mapping names is in it ({names})")
        return decoded(self._columns, self._message, self._stamped)

    def _take(self, i: int, record: _Record) -> None:
        if record.content is DOUBTFUL or (record.listed and not isinstance(record.content, dict | list)):
            twice = record.content is DOUBTFUL
            wrong = "given twice" if twice else f"{shown(record.content)}, expected an object"
            self._columns.problems.append(f"{record.place}: {wrong}")
            return
        found = [(v, raw) for v in self._decoder._values if (raw := self._raw(v, record)) is not ABSENT]
        if not found:
            return
        self._met = True
        time = self._time(i, record)
        if isinstance(time, str):
            self._problem(record, "time", time)
            return
        for value, raw in found:
            self._take_value(value, raw, time, record)

    def _raw(self, value: _Value, record: _Record) -> Any:
        """What stands at the value's path, if the record is one of those it is for."""
        for path, texts in value.mapping.where:
            if _text(self._at(path, record)) not in texts:
                return ABSENT
        return self._at(value.mapping.path, record)

    def _take_value(self, value: _Value, raw: Any, time: int, record: _Record) -> None:
        number = None if raw is DOUBTFUL else value.number(raw)
        mark = self._mark(value.mapping.mark or self._mapping.mark, record)
        if number is None or mark is None:
            twice = raw is DOUBTFUL or mark is None
            wrong = "value or mark given twice" if twice else f"{shown(raw)}, expected {_wanted(value.mapping.accepts)}"
            self._problem(record, value.mapping.path.text, wrong)
            return
        point = value.mapping.point or self._point(record)
        target: Target | None = value.targets.get(point)
        if target is None:
            unknown = point not in self._decoder._declared
            wrong = f"unknown point {shown(point)}" if unknown else f"{point} has no such {value.mapping.parameter}"
            self._problem(record, value.mapping.path.text, wrong)
            return
        self._columns.add(time, target.series, target.of(number), mark)

    def _point(self, record: _Record) -> str:
        """The point that a record speaks of, by its own words or by the station's."""
        path = self._mapping.point
        if path is not None:
            name = _text(self._at(path, record)) or ""
        else:
            names = {} if record.key is None else {"key": record.key}
            name = filled(self._decoder._pattern, self._bound, names)
        return self._decoder._points.get(name, name)

    def _time(self, i: int, record: _Record) -> int | str:
        """ms UTC, or what is wrong with it. Records that bring no time follow each other by a millisecond, so that
        two of a series are two readings."""
        time = self._mapping.time
        found = ABSENT if time is None else self._at(time.path, record)
        if time is None or (time.or_receipt and (found is ABSENT or found is None)):
            self._stamped = i + 1
            return self._message.arrival_ms + i
        if found is DOUBTFUL:
            return "given twice"
        instant = _instant(time, None if found is ABSENT else found)
        if isinstance(instant, str):
            return instant
        wrong = out_of_bounds(instant, self._message, found)
        return instant if wrong is None else wrong

    def _mark(self, mark: JsonMark | None, record: _Record) -> int | None:
        """The stored mark; None where two stand there."""
        if mark is None:
            return NORMAL
        found = self._at(mark.path, record)
        if found is DOUBTFUL:
            return None
        if found is ABSENT:
            return NORMAL
        text = _text(found)
        if text is None:
            return UNKNOWN_MARK
        for known, code in mark.codes:
            if known == text:
                return code
        return mark_code(text) if mark.other is None else mark.other

    def _at(self, path: JsonPath, record: _Record) -> Any:
        return _at(self._content if path.from_message else record.content, path.steps)

    def _problem(self, record: _Record, what: str, wrong: str) -> None:
        place = f"{record.place}." if record.place else ""
        self._columns.problems.append(f"{place}{what}: {wrong}")


def _walked(record: _Record, steps: tuple[str | int | None, ...]) -> Iterator[_Record]:
    """What a path with ``*`` leads to."""
    if not steps:
        yield record
        return
    step, rest, content = steps[0], steps[1:], record.content
    if step is not None:
        below = _at(content, (step,))
        if below is not ABSENT and below is not DOUBTFUL:
            yield from _walked(_Record(_place(record.place, step), record.key, below), rest)
    elif isinstance(content, list):
        for i, one in enumerate(content):
            yield from _walked(_Record(f"{record.place}[{i}]", record.key, one, listed=True), rest)
    elif isinstance(content, dict):
        twice = content.twice if isinstance(content, _Object) else ()
        for name, one in content.items():
            place = _place(record.place, name)
            if name in twice:
                yield _Record(place, name, DOUBTFUL)
            else:
                yield from _walked(_Record(place, name, one), rest)


def _at(content: Any, steps: tuple[str | int | None, ...]) -> Any:
    """What stands at a path without ``*``, or ABSENT, or DOUBTFUL."""
    for step in steps:
        if isinstance(step, str) and isinstance(content, _Object):
            if step in content.twice:
                return DOUBTFUL
            content = content.get(step, ABSENT)
        elif isinstance(step, int) and isinstance(content, list) and -len(content) <= step < len(content):
            content = content[step]
        else:
            return ABSENT
    return content


def _place(place: str, step: str | int) -> str:
    if isinstance(step, int):
        return f"{place}[{step}]"
    named = step if step.isidentifier() and len(step) <= 40 else f"[{shown(step)}]"
    return f"{place}.{named}" if place and not named.startswith("[") else f"{place}{named}"


def _instant(time: JsonTime, found: Any) -> int | str:
    """ms UTC of a time as sent, or what is wrong with it."""
    if type(found) is int and time.format == "epoch_ms":
        return found
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return f"{shown(found)}, expected a time ({time.format})"
    try:
        return time.instant(str(found) if not isinstance(found, float) else repr(found))
    except (InputError, ValueError, OverflowError) as error:
        return f"{shown(found)}: {error}" if len(str(error)) <= 200 else f"{shown(found)} is no time ({time.format})"


def _decimal(text: str) -> float | None:
    match = _DECIMAL.fullmatch(text)
    return float(match[1]) if match and match[1].isascii() else None


def _text(found: Any) -> str | None:
    """A scalar as text; None for what is none (also where nothing stands)."""
    if isinstance(found, str):
        return found
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int | float):
        return repr(found)
    return "" if found is None else None


def _wanted(accepts: str) -> str:
    return {"text": "a number, in quotes or not, or null", "boolean": "a number, true, false or null"}.get(
        accepts, "a number or null"
    )
