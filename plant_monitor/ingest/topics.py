"""Topics of MQTT: what a station's filter matches, and the point that a topic speaks of. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from plant_monitor.errors import InputError
from plant_monitor.plant import MqttStation

_PLACE = re.compile(r"\{([^{}]*)\}")


def topic_filter(station: MqttStation) -> str:
    """The station's topic without a leading ``$share/group/``."""
    parts = station.topic.split("/", 2)
    return parts[2] if parts[0] == "$share" and len(parts) == 3 else station.topic


def matched(station: MqttStation, topic: str) -> list[str] | None:
    """The levels that the ``+`` of the station's filter stand for in a topic; None where it does not match."""
    wanted, levels = topic_filter(station).split("/"), topic.split("/")
    bound: list[str] = []
    for i, level in enumerate(wanted):
        if level == "#":
            return bound
        if i >= len(levels) or level not in ("+", levels[i]):
            return None
        if level == "+":
            bound.append(levels[i])
    return bound if len(levels) == len(wanted) else None


def filled(pattern: str, bound: list[str], names: Mapping[str, str] | None = None) -> str:
    """A point's pattern with what ``{1}``, ``{2}`` … and its names stand for; what nothing stands for stays."""

    def meant(place: re.Match[str]) -> str:
        name = place[1]
        if name.isdecimal() and 1 <= int(name) <= len(bound):
            return bound[int(name) - 1]
        return (names or {}).get(name, place[0])

    return _PLACE.sub(meant, pattern)


def point_pattern(station: MqttStation) -> str:
    """Where the point of a foreign message comes from: as stated, else the only ``+`` of the topic, else nowhere."""
    if station.point is not None:
        return station.point
    return "{1}" if topic_filter(station).split("/").count("+") == 1 else ""


def bind_point(station: MqttStation, topic: str) -> str | None:
    """The point that a topic speaks of; None where the station's filter does not match it.

    ``{1}``, ``{2}`` … in the station's ``point`` stand for the levels that its ``+`` match. Without
    ``point`` it is the first ``+``, or, in a topic without any, the level before the last
    (``plants/{plant}/{point}/readings``).

    Raises
    ------
    InputError  the station's topic and point do not fit together
    """
    bound = matched(station, topic)
    if bound is None:
        return None
    if station.point is not None:
        return filled(station.point, bound)
    levels = topic.split("/")
    if not bound and len(levels) < 2:
        raise InputError(f"station {station.id}: topic {station.topic!r} names no point; add point: to the station")
    return bound[0] if bound else levels[-2]
