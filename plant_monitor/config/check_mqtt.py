"""MQTT stations: brokers, topics, and the points that messages are about."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from plant_monitor.config.draft import Draft
from plant_monitor.config.mqtt_schema import MqttSection
from plant_monitor.config.shape import Loc

_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}


def broker(url: str) -> tuple[str, int, bool] | None:
    """Host, port and whether TLS of ``mqtt://host[:port]`` or ``mqtts://…``; None for anything else."""
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.path.strip("/") or parts.query or port == 0:
        return None
    return parts.hostname, port or _DEFAULT_PORTS[parts.scheme], parts.scheme == "mqtts"


def levels(topic: str) -> list[str]:
    """The levels of a topic filter, without the ``$share/group/`` before it."""
    parts = topic.split("/")
    return parts[2:] if parts[0] == "$share" else parts


def bound_point(topic: str, point: str | None) -> str | None:
    """Where the point of a message comes from: as stated, else the only ``+``, else ``plants/x/POINT/readings``."""
    if point is not None:
        return point
    parts = levels(topic)
    if parts.count("+") == 1 and "#" not in parts:
        return "{1}"
    if len(parts) == 4 and parts[0] == "plants" and parts[3] == "readings" and parts[2] not in ("+", "#"):
        return parts[2]
    return None


def check_mqtt(draft: Draft, loc: Loc, station: MqttSection) -> None:
    """The broker, the topic, and the point that its messages are about."""
    if "@" in station.broker:
        draft.report((*loc, "broker"), "an address with user or password", "username: and password: env:NAME instead")
    elif broker(station.broker) is None:
        draft.report((*loc, "broker"), repr(station.broker), "mqtt://host:port, or mqtts://host:port for TLS")
    if station.password is not None and station.username is None:
        draft.report((*loc, "username"), "a password without username", "both")
    _check_topic(draft, loc, station)


def _check_topic(draft: Draft, loc: Loc, station: MqttSection) -> None:
    parts = levels(station.topic)
    wrong = (
        any(len(part) > 1 and ("+" in part or "#" in part) for part in parts)
        or "#" in parts[:-1]
        or parts == []
        or (
            station.topic.startswith("$share/")
            and (len(parts) == 0 or parts == [""] or not station.topic.split("/")[1])
        )
    )
    if wrong:
        expected = "a topic filter: + for a whole level, # as the last one, $share/GROUP/ before it"
        draft.report((*loc, "topic"), repr(station.topic), expected)
        return
    point = bound_point(station.topic, station.point)
    if point is None:
        draft.report((*loc, "point"), "nothing", "a point id, or {1}, {2} … for the level that + stands for")
        return
    _check_point_pattern(draft, (*loc, "point" if station.point is not None else "topic"), point, parts.count("+"))


def _check_point_pattern(draft: Draft, loc: Loc, point: str, plus_levels: int) -> None:
    named = re.findall(r"\{([^{}]*)\}", point)
    rest = re.sub(r"\{[^{}]*\}", "", point)
    if any(not n.isdecimal() or not 1 <= int(n) <= plus_levels for n in named) or "{" in rest or "}" in rest:
        draft.report(loc, repr(point), f"{{1}} … for one of the {plus_levels} levels of the topic that are +")
    elif not named:
        draft.known(loc, point, draft.declared.points, "the id of a point")
