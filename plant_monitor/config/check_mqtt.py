"""MQTT stations: brokers, topics, and the points that messages are about."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from plant_monitor.config.draft import Draft
from plant_monitor.config.mqtt_schema import JsonPayloadSection, MqttSection, SparkplugPayloadSection
from plant_monitor.config.shape import Loc, place

_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
# What may stand in a point's pattern besides the levels of the topic, by the format of the messages.
_NAMES: dict[str, tuple[str, ...]] = {"readings": (), "json": ("key",), "sparkplug_b": ("group", "node", "device")}


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
    _check_broker(draft, loc, station)
    _check_topic(draft, loc, station)


def _check_broker(draft: Draft, loc: Loc, station: MqttSection) -> None:
    at = broker(station.broker)
    if "@" in station.broker:
        draft.report((*loc, "broker"), "an address with user or password", "username: and password: env:NAME instead")
    elif at is None:
        draft.report((*loc, "broker"), repr(station.broker), "mqtt://host:port, or mqtts://host:port for TLS")
    if station.password is not None and station.username is None:
        draft.report((*loc, "username"), "a password without username", "both")
    tls = station.tls
    if at is not None and not at[2] and (tls.ca or tls.certificate or tls.key):
        draft.report((*loc, "tls"), f"certificates for {station.broker}", "them with an mqtts:// broker only")
    if tls.key is not None and tls.certificate is None:
        draft.report((*loc, "tls", "certificate"), "a key without certificate", "both")
    if station.session_expiry is not None and station.version != "5":
        found = f"it with version {station.version}, which cannot say so"
        draft.report((*loc, "session_expiry"), found, "it with version: 5 only")


def _check_topic(draft: Draft, loc: Loc, station: MqttSection) -> None:
    parts = levels(station.topic)
    if _is_no_filter(station.topic, parts):
        expected = "a topic filter: + for a whole level, # as the last one, $share/GROUP/ before it"
        draft.report((*loc, "topic"), repr(station.topic), expected)
        return
    if isinstance(station.payload, SparkplugPayloadSection) and not _brings_births(parts):
        expected = "spBv1.0/GROUP/+/NODE/#, so that births come as well as data"
        draft.report((*loc, "topic"), repr(station.topic), expected)
        return
    point = bound_point(station.topic, station.point)
    if point is not None:
        at = (*loc, "point" if station.point is not None else "topic")
        _check_point_pattern(draft, at, station, point, parts.count("+"))
    elif station.payload == "readings" and not _payload_is_broken(draft, loc):
        draft.report((*loc, "point"), "nothing", "a point id, or {1}, {2} … for the level that + stands for")


def _payload_is_broken(draft: Draft, loc: Loc) -> bool:
    """Whether a mapping stands there whose mistakes were told already, so that the default stands in for it."""
    path = place(draft.root, loc)[1]
    return any(broken.startswith(f"{path}.payload") for broken in draft.shape_paths)


def _is_no_filter(topic: str, parts: list[str]) -> bool:
    return (
        any(len(part) > 1 and ("+" in part or "#" in part) for part in parts)
        or "#" in parts[:-1]
        or parts == []
        or (topic.startswith("$share/") and (parts == [""] or topic.split("/")[1] in ("", "+", "#")))
    )


def _brings_births(parts: list[str]) -> bool:
    """Whether a filter lets all messages of a node through: ``spBv1.0/GROUP/TYPE/NODE`` and ``…/DEVICE``."""
    several = parts[-1] == "#"
    named = parts[:-1] if several else parts
    if named[:1] not in ([], ["+"], ["spBv1.0"]) or (len(named) > 2 and named[2] != "+"):
        return False
    return several and len(named) <= 4


def _check_point_pattern(draft: Draft, loc: Loc, station: MqttSection, point: str, plus_levels: int) -> None:
    payload = station.payload
    names = _NAMES["readings" if isinstance(payload, str) else payload.format]
    named = re.findall(r"\{([^{}]*)\}", point)
    rest = re.sub(r"\{[^{}]*\}", "", point)
    unknown = [n for n in named if n not in names and not (n.isdecimal() and 1 <= int(n) <= plus_levels)]
    if unknown or "{" in rest or "}" in rest:
        more = "".join(f", {{{name}}}" for name in names)
        draft.report(loc, repr(point), f"{{1}} … for one of the {plus_levels} levels of the topic that are +{more}")
    elif not named and not _translated(payload, point):
        draft.known(loc, point, draft.declared.points, "the id of a point")


def _translated(payload: str | JsonPayloadSection | SparkplugPayloadSection, point: str) -> bool:
    return not isinstance(payload, str) and point in payload.points
