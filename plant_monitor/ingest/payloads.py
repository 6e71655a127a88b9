"""MQTT payloads of contract §4.4 to readings, value by value; what cannot be one is refused with its reason.

Pure: whatever the bytes are, :func:`decode_payload` returns. Every value of a message is afterwards
either a reading or named in the message's one refusal, which keeps the whole payload, so that it can
be put in again once plant.yaml knows it (what was stored already changes nothing then).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plant_monitor.errors import InputError
from plant_monitor.plant import MqttStation, Plant
from plant_monitor.readings import NORMAL, UNKNOWN_MARK, Readings, Refused, mark_code
from plant_monitor.windows import parse_rfc3339

# Live data further off than this is a clock gone wrong, not a measurement of now (design §6).
AHEAD_LIMIT_MS = 10 * 60_000
AGE_LIMIT_MS = 400 * 86_400_000
FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999  # years 1 to 9999
# A message beyond this is no batch of readings; only its beginning is kept.
SIZE_LIMIT = 1_048_576
KEPT_OF_OVERSIZED = 65_536
TOLD_PROBLEMS = 20  # reasons spelt out in one refusal; the rest is counted


class _Object(list[tuple[str, Any]]):
    """A JSON object as its pairs: a dict would drop names that stand twice, and nothing may be dropped silently."""

    __slots__ = ()


_NOTHING = _Object()


def _twice(pairs: _Object) -> set[str]:
    """Names that stand more than once; which one is meant is not known."""
    seen: set[str] = set()
    return {name for name, _ in pairs if name in seen or seen.add(name)}  # type: ignore[func-returns-value]


@dataclass(slots=True)
class Columns:
    """Readings being gathered, and the problems met."""

    time: list[int] = field(default_factory=list)
    series: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    mark: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

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
    """A message taken apart. ``problems`` has one line per value or object that is no reading."""

    readings: Readings
    refused: tuple[Refused, ...] = ()
    problems: tuple[str, ...] = ()


def topic_filter(station: MqttStation) -> str:
    """The station's topic without a leading ``$share/group/``."""
    parts = station.topic.split("/", 2)
    return parts[2] if parts[0] == "$share" and len(parts) == 3 else station.topic


def bind_point(station: MqttStation, topic: str) -> str | None:
    """The point that a topic speaks of; None where the station's filter does not match it.

    ``{1}``, ``{2}`` … in the station's ``point`` stand for the levels that its ``+`` match. Without
    ``point`` it is the first ``+``, or, in a topic without any, the level before the last
    (``plants/{plant}/{point}/readings``).

    Raises
    ------
    InputError  the station's topic and point do not fit together
    """
    wanted, levels = topic_filter(station).split("/"), topic.split("/")
    bound: list[str] = []
    for i, level in enumerate(wanted):
        if level == "#":
            break
        if i >= len(levels) or level not in ("+", levels[i]):
            return None
        if level == "+":
            bound.append(levels[i])
    else:
        if len(levels) != len(wanted):
            return None
    pattern = station.point
    if pattern is None:
        if not bound and len(levels) < 2:
            raise InputError(f"station {station.id}: topic {station.topic!r} names no point; add point: to the station")
        return bound[0] if bound else levels[-2]
    for n, level in enumerate(bound, 1):
        pattern = pattern.replace(f"{{{n}}}", level)
    return pattern


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
    if len(payload) > SIZE_LIMIT:
        problem = f"{len(payload)} bytes, expected at most {SIZE_LIMIT}; only the first {KEPT_OF_OVERSIZED} are kept"
        return _refuse(payload[:KEPT_OF_OVERSIZED], topic, [problem], now_ms)
    if point is None or point not in plant.point_by_id:
        return _refuse(payload, topic, [f"unknown point {_shown(point)}"], now_ms)
    try:
        content = json.loads(payload.decode("utf-8-sig"), object_pairs_hook=_Object)
    except (ValueError, RecursionError) as error:
        return _refuse(payload, topic, [f"no JSON: {error}"], now_ms)
    columns, present = Columns(), now_ms if live else None
    index = {s.parameter: i for i, s in enumerate(plant.series) if s.point == point}
    if type(content) is list:
        for at, entry in enumerate(content):
            _take_object(entry, at, index, present, columns)
    else:
        _take_object(content, None, index, present, columns)
    if not columns.problems:
        return Decoded(columns.readings())
    refusal = _refuse(payload, topic, columns.problems, now_ms)
    return Decoded(columns.readings(), refusal.refused, refusal.problems)


def decode_again(refused: Refused, plant: Plant) -> Decoded:
    """What was refused once, read with today's plant.yaml, whatever its time; what is still wrong is refused again."""
    for station in plant.devices:
        if isinstance(station, MqttStation) and (point := bind_point(station, refused.source)) is not None:
            return decode_payload(
                refused.raw, topic=refused.source, point=point, plant=plant, now_ms=refused.time_ms, live=False
            )
    return _refuse(refused.raw, refused.source, ["no station of plant.yaml receives this topic"], refused.time_ms)


def _take_object(entry: Any, at: int | None, index: dict[str, int], now_ms: int | None, columns: Columns) -> None:
    """One object of a payload: its values, or the reason why none of them can be taken."""
    problem = None
    if type(entry) is not _Object:
        problem = f": {_shown(entry)}, expected an object with time and values"
    else:
        content = dict(entry)
        if len(content) != len(entry) and (names := _twice(entry) & {"time", "values", "marks"}):
            problem = f": {', '.join(sorted(names))} given twice"
    if problem is not None:
        columns.problems.append(f"{'payload' if at is None else f'[{at}]'}{problem}")
        return
    where = "" if at is None else f"[{at}]."
    time = _time(content.get("time"), now_ms)
    if type(time) is not int:
        columns.problems.append(f"{where}time: {time}")
        return
    values, marks = content.get("values"), content.get("marks", _NOTHING)
    if marks is None:
        marks = _NOTHING
    if type(values) is not _Object:
        columns.problems.append(f"{where}values: {_shown(values)}, expected an object of numbers")
    elif type(marks) is not _Object:
        columns.problems.append(f"{where}marks: {_shown(marks)}, expected an object of letters")
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
            columns.problems.append(f"{where}values.{_plain(parameter)}: {_why_refused(series, value, found)}")
            continue
        columns.time.append(time)
        columns.series.append(series)
        columns.value.append(value)
        columns.mark.append(_mark(mark_of.get(parameter)) if mark_of else NORMAL)


def _why_refused(series: int | None, value: float | None, found: Any) -> str:
    if series is None:
        return "no such parameter at this point"
    return "value or mark given twice" if value is not None else f"{_shown(found)}, expected a number or null"


def _number(found: Any) -> float | None:
    """The value as float64 (``null`` is NaN), or None where it is no number."""
    if type(found) is float:
        return found
    if type(found) is int:
        try:
            return float(found)
        except OverflowError:  # as 1e400 would be read
            return math.inf if found > 0 else -math.inf
    return math.nan if found is None else None


def _mark(found: Any) -> int:
    """The stored mark: nothing is ``N``, what is no single letter is unknown and so invalid."""
    if found is None:
        return NORMAL
    return mark_code(found) if isinstance(found, str) else UNKNOWN_MARK


def _time(found: Any, now_ms: int | None) -> int | str:
    """ms UTC, or what is wrong with it; ``now_ms`` None: any time of the calendar."""
    if type(found) is str:
        try:
            time = parse_rfc3339(found)
        except ValueError as error:
            return f"{_shown(found)}: {error}"
    elif type(found) is int:
        time = found
    elif type(found) is float and math.isfinite(found):
        time = math.floor(found)
    else:
        return f"{_shown(found)}, expected RFC 3339 with offset or epoch milliseconds"
    if now_ms is None:
        return time if FIRST_MS <= time <= LAST_MS else f"{_shown(found)} is out of range"
    if time > now_ms + AHEAD_LIMIT_MS:
        return f"{_shown(found)} is more than 10 minutes ahead"
    if time < now_ms - AGE_LIMIT_MS:
        return f"{_shown(found)} is more than 400 days old"
    return time


def _shown(found: Any) -> str:
    """A value in a message, short and printable (also lone surrogates and huge numbers)."""
    if isinstance(found, list):
        return "an object" if isinstance(found, _Object) else "a list"
    if isinstance(found, int) and not isinstance(found, bool) and abs(found) >= 10**20:
        return "a number of more than 20 digits"
    text = "nothing" if found is None else ascii(found) if not isinstance(found, str) else repr(found)
    return text if len(text) <= 80 else text[:77] + "..."


def _plain(name: str) -> str:
    """A name in a message: as it is where it is a plain word."""
    return name if name.isidentifier() and len(name) <= 80 else _shown(name)


def _refuse(raw: bytes, topic: str, problems: list[str], now_ms: int) -> Decoded:
    told = problems[:TOLD_PROBLEMS]
    if len(problems) > len(told):
        told.append(f"and {len(problems) - len(told)} more")
    refused = Refused(source=topic, reason="; ".join(told), raw=raw, time_ms=now_ms)
    return Decoded(Readings.empty(), (refused,), tuple(problems))
