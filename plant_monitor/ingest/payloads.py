"""MQTT payloads of contract §4.4 to readings, value by value; what cannot be one is refused with its reason. Pure."""

from __future__ import annotations

import json
import math
from functools import lru_cache, partial
from typing import Any

from plant_monitor.ingest import decoding
from plant_monitor.ingest.decoding import (
    KEPT_OF_OVERSIZED,
    SIZE_LIMIT,
    Columns,
    Decoded,
    Decoder,
    Incoming,
    as_float,
    oversized,
    plain,
    refusal,
)
from plant_monitor.ingest.topics import bind_point
from plant_monitor.plant import MqttStation, Plant
from plant_monitor.readings import NORMAL, UNKNOWN_MARK, mark_code
from plant_monitor.windows import parse_rfc3339

__all__ = ["KEPT_OF_OVERSIZED", "SIZE_LIMIT", "Decoded", "ReadingsDecoder", "decode_payload"]


class _Object(list[tuple[str, Any]]):
    """A JSON object as its pairs: a dict would drop names that stand twice, and nothing may be dropped silently."""

    __slots__ = ()


_NOTHING = _Object()
_JSON = json.JSONDecoder(object_pairs_hook=_Object)


def _twice(pairs: _Object) -> set[str]:
    """Names that stand more than once; which one is meant is not known."""
    seen: set[str] = set()
    return {name for name, _ in pairs if name in seen or seen.add(name)}  # type: ignore[func-returns-value]


class ReadingsDecoder(Decoder):
    """Messages of contract §4.4 of one station.

    Raises
    ------
    InputError  the station's topic names no point
    """

    def __init__(self, station: MqttStation, plant: Plant) -> None:
        bind_point(station, station.topic.replace("+", "level").replace("#", "level"))
        self._index = {p.id: _series_of(plant, p.id) for p in plant.points}
        self._point_of = lru_cache(1000)(partial(bind_point, station))

    def decode(self, message: Incoming) -> Decoded:
        """Readings of one message: the point is that of its topic."""
        point = self._point_of(message.topic)
        return _decode(message, point, self._index.get(point or ""))


def decode_payload(
    payload: bytes, *, topic: str, point: str | None, plant: Plant, now_ms: int, live: bool = True
) -> Decoded:
    """Readings of one message.

    Parameters
    ----------
    payload  the message as it came
    topic    where it came from, for the refusal
    point    the point it speaks of (:func:`bind_point`); None or an unknown one refuses the message
    now_ms   the present, for the bounds of live data
    live     False: any time is taken, as what a person puts in again

    Rule  design §4.4: each value stands alone; ``null`` is a reading without a value; a missing mark is
    ``N``; NaN and infinite numbers are invalid readings and kept; strings and booleans are no numbers.
    """
    message = Incoming(topic, payload, now_ms, now_ms if live else None)
    return _decode(message, point, _series_of(plant, point) if point in plant.point_by_id else None)


def _series_of(plant: Plant, point: str | None) -> dict[str, int]:
    return {s.parameter: i for i, s in enumerate(plant.series) if s.point == point}


def _decode(message: Incoming, point: str | None, index: dict[str, int] | None) -> Decoded:
    if (refused := oversized(message)) is not None:
        return refused
    if index is None:
        return refusal(message.payload, message.topic, [f"unknown point {shown(point)}"], message.arrival_ms)
    try:
        content = _JSON.decode(message.payload.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return refusal(message.payload, message.topic, [f"no JSON: {error}"], message.arrival_ms)
    columns = Columns()
    if type(content) is list:
        for at, entry in enumerate(content):
            _take_object(entry, at, index, message, columns)
    else:
        _take_object(content, None, index, message, columns)
    return decoding.decoded(columns, message)


def _take_object(entry: Any, at: int | None, index: dict[str, int], message: Incoming, columns: Columns) -> None:
    """One object of a payload: its values, or the reason why none of them can be taken."""
    problem = None
    if type(entry) is not _Object:
        problem = f": {shown(entry)}, expected an object with time and values"
    else:
        content = dict(entry)
        if len(content) != len(entry) and (names := _twice(entry) & {"time", "values", "marks"}):
            problem = f": {', '.join(sorted(names))} given twice"
    if problem is not None:
        columns.problems.append(f"{'payload' if at is None else f'[{at}]'}{problem}")
        return
    where = "" if at is None else f"[{at}]."
    time = _time(content.get("time"), message)
    if type(time) is not int:
        columns.problems.append(f"{where}time: {time}")
        return
    values, marks = content.get("values"), content.get("marks", _NOTHING)
    if marks is None:
        marks = _NOTHING
    if type(values) is not _Object:
        columns.problems.append(f"{where}values: {shown(values)}, expected an object of numbers")
    elif type(marks) is not _Object:
        columns.problems.append(f"{where}marks: {shown(marks)}, expected an object of letters")
    else:
        _take_values(values, marks, time, where, index, columns)


def _take_values(
    values: _Object, marks: _Object, time: int, where: str, index: dict[str, int], columns: Columns
) -> None:
    mark_of = dict(marks)
    doubtful = _twice(marks) if len(mark_of) != len(marks) else set()
    if len(values) > 1 and len(dict(values)) != len(values):
        doubtful |= _twice(values)
    for parameter, found in values:
        series = index.get(parameter)
        value = found if type(found) is float else _number(found)
        if series is None or value is None or parameter in doubtful:
            columns.problems.append(f"{where}values.{plain(parameter)}: {_why_refused(series, value, found)}")
            continue
        columns.time.append(time)
        columns.series.append(series)
        columns.value.append(value)
        columns.mark.append(_mark(mark_of.get(parameter)) if mark_of else NORMAL)


def _why_refused(series: int | None, value: float | None, found: Any) -> str:
    if series is None:
        return "no such parameter at this point"
    return "value or mark given twice" if value is not None else f"{shown(found)}, expected a number or null"


def _number(found: Any) -> float | None:
    """The value as float64 (``null`` is NaN), or None where it is no number."""
    if type(found) is float:
        return found
    if type(found) is int:
        return as_float(found)
    return math.nan if found is None else None


def _mark(found: Any) -> int:
    """The stored mark: nothing is ``N``, what is no single letter is unknown and so invalid."""
    if found is None:
        return NORMAL
    return mark_code(found) if isinstance(found, str) else UNKNOWN_MARK


def _time(found: Any, message: Incoming) -> int | str:
    """ms UTC, or what is wrong with it."""
    if type(found) is str:
        try:
            time = parse_rfc3339(found)
        except ValueError as error:
            return f"{shown(found)}: {error}"
    elif type(found) is int:
        time = found
    elif type(found) is float and math.isfinite(found):
        time = math.floor(found)
    else:
        return f"{shown(found)}, expected RFC 3339 with offset or epoch milliseconds"
    wrong = decoding.out_of_bounds(time, message, found)
    return time if wrong is None else wrong


def shown(found: Any) -> str:
    """A value in a message; objects are lists of pairs here."""
    return "an object" if isinstance(found, _Object) else decoding.shown(found)
