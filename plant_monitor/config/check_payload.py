"""Foreign messages of MQTT stations: the series they feed, their units, names and times."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from plant_monitor import units
from plant_monitor.config.check_mqtt import bound_point
from plant_monitor.config.draft import Draft, sound_unit
from plant_monitor.config.mqtt_schema import (
    JsonPayloadSection,
    JsonTimeSection,
    JsonValueSection,
    MqttSection,
    SparkplugMetricSection,
    SparkplugPayloadSection,
)
from plant_monitor.config.shape import Loc

_OWN_TIMES = ("iso", "epoch_s", "epoch_ms")


def check_payload(draft: Draft, loc: Loc, station: MqttSection) -> None:
    """How the messages of a station are read, where others have shaped them."""
    payload = station.payload
    if isinstance(payload, JsonPayloadSection):
        _check_json(draft, (*loc, "payload"), station, payload)
    elif isinstance(payload, SparkplugPayloadSection):
        _check_sparkplug(draft, (*loc, "payload"), station, payload)


def _check_json(draft: Draft, loc: Loc, station: MqttSection, payload: JsonPayloadSection) -> None:
    if payload.time is not None:
        _check_time(draft, (*loc, "time"), payload.time)
    _check_names(draft, loc, payload)
    seen: dict[object, int] = {}
    for i, value in enumerate(payload.values):
        _check_series(draft, (*loc, "values", i), station, value, named=payload.point is not None)
        where = frozenset((path, tuple(texts)) for path, texts in value.where.items())
        _check_once(draft, (*loc, "values", i), value, seen, i, (value.point, value.parameter, where))


def _check_sparkplug(draft: Draft, loc: Loc, station: MqttSection, payload: SparkplugPayloadSection) -> None:
    _check_names(draft, loc, payload)
    seen: dict[object, int] = {}
    for i, metric in enumerate(payload.metrics):
        _check_series(draft, (*loc, "metrics", i), station, metric, named=False)
        _check_once(
            draft, (*loc, "metrics", i), metric, seen, i, (metric.point, metric.parameter, metric.node, metric.device)
        )


def _check_once(
    draft: Draft,
    loc: Loc,
    value: JsonValueSection | SparkplugMetricSection,
    seen: dict[object, int],
    i: int,
    key: object,
) -> None:
    first = seen.setdefault(key, i)
    if first != i:
        draft.report((*loc, "parameter"), f"{value.parameter!r} a second time", f"it once ({loc[-2]}[{first}] has it)")


def _check_names(draft: Draft, loc: Loc, payload: JsonPayloadSection | SparkplugPayloadSection) -> None:
    for name, point in payload.points.items():
        draft.known((*loc, "points", name), point, draft.declared.points, "the id of a point")


def _check_time(draft: Draft, loc: Loc, time: JsonTimeSection) -> None:
    own = time.format in _OWN_TIMES
    if time.zone is not None:
        try:
            ZoneInfo(time.zone)
        except (LookupError, ValueError, OSError):  # also the name of a folder, or no name at all
            draft.report((*loc, "zone"), repr(time.zone), "a zone of the IANA database, as Asia/Shanghai")
    if not own and "%" not in time.format:
        draft.report((*loc, "format"), repr(time.format), "iso, epoch_s, epoch_ms, or a strptime format")
    elif not own and time.zone is None and "%z" not in time.format:
        draft.report((*loc, "zone"), "nothing", "the zone of the times, which carry no offset")


def _check_series(
    draft: Draft, loc: Loc, station: MqttSection, value: JsonValueSection | SparkplugMetricSection, *, named: bool
) -> None:
    """That point and parameter are declared, and that the unit can be converted. ``named``: the message names the
    point."""
    points = draft.declared.points
    if value.point is not None:
        if not draft.known((*loc, "point"), value.point, points, "the id of a point"):
            return
        points = (value.point,)
    elif not named and bound_point(station.topic, station.point) is None:
        draft.report((*loc, "point"), "nothing", "the id of a point, here or at the device")
        return
    having = [p for p in points if value.parameter in draft.declared.parameters.get(p, ())]
    if not having:
        who = f"{value.point} does not declare" if value.point is not None else "no point declares"
        known = sorted({q for p in points for q in draft.declared.parameters.get(p, ())})
        expected = f"one of its parameters ({', '.join(known)})" if value.point else f"one of {', '.join(known)}"
        draft.report((*loc, "parameter"), f"{value.parameter!r}, which {who}", expected)
        return
    for unit in _units_of(draft, having, value.parameter):
        if value.unit is not None and not units.convertible(value.unit, unit):
            draft.report((*loc, "unit"), repr(value.unit), f"a unit that can be converted to {unit}")
            return


def _units_of(draft: Draft, points: list[str], parameter: str) -> Iterator[str]:
    for point in draft.file.points:
        series = point.parameters.get(parameter) if point.id in points else None
        if series is not None and (unit := sound_unit(parameter, series.unit)) is not None:
            yield unit
