"""Where readings come from: addresses, registers, topics, and that each series has one source."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from plant_monitor.config.draft import Draft
from plant_monitor.config.schema import ModbusSection, MqttSection, RegisterSection
from plant_monitor.config.shape import Loc

WORDS = {
    "bool": 1,
    "int16": 1,
    "uint16": 1,
    "int32": 2,
    "uint32": 2,
    "float32": 2,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
}
BIT_TABLES = ("coil", "discrete")
_LAST_REGISTER = 65535
_MAX_BLOCK = 125  # registers of one request: an integer and its fraction are read together
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):([0-9]{1,5})", re.ASCII)
_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}


def check_devices(draft: Draft) -> None:
    """Every device, and the series that several of them feed."""
    draft.once("devices", "each device once")
    fed: dict[tuple[str, str], str] = {}
    for i, device in enumerate(draft.file.devices):
        if isinstance(device, ModbusSection):
            _check_modbus(draft, ("devices", i), device, fed)
        else:
            _check_mqtt(draft, ("devices", i), device)


def host_port(address: str) -> tuple[str, int] | None:
    """``host:port``, IPv6 in brackets; None where it is neither."""
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match[2]) <= 65535:
        return None
    return match[1].strip("[]"), int(match[2])


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


def _check_modbus(draft: Draft, loc: Loc, device: ModbusSection, fed: dict[tuple[str, str], str]) -> None:
    if host_port(device.address) is None:
        draft.report((*loc, "address"), repr(device.address), "host:port, as 192.168.1.20:502")
    for j, reading in enumerate(device.readings):
        at = (*loc, "readings", j)
        _check_registers(draft, at, reading)
        point = reading.point or device.point
        if point is None:
            draft.report((*at, "point"), "nothing", "the id of a point, here or at the device")
        elif _declared(draft, at, device, reading, point):
            key = (point, reading.parameter)
            if key in fed:
                draft.report((*at, "parameter"), f"{point}/{reading.parameter} a second time", f"it once ({fed[key]})")
            fed.setdefault(key, f"device {device.id} reads it")


def _declared(draft: Draft, at: Loc, device: ModbusSection, reading: RegisterSection, point: str) -> bool:
    where = (*at, "point") if reading.point is not None else (*at[:2], "point")
    if not draft.known(where, point, draft.declared.points, "the id of a point"):
        return False
    parameters = draft.declared.parameters[point]
    if reading.parameter in parameters:
        return True
    found = f"{reading.parameter!r}, which {point} does not declare"
    draft.report((*at, "parameter"), found, f"one of its parameters ({', '.join(sorted(parameters))})")
    return False


def _check_registers(draft: Draft, at: Loc, reading: RegisterSection) -> None:
    if reading.table in BIT_TABLES:
        if reading.type not in (None, "bool"):
            draft.report((*at, "type"), str(reading.type), f"bool, or no type, in the table {reading.table}")
        if reading.fraction is not None:
            draft.report((*at, "fraction"), f"a fraction in the table {reading.table}", "it in registers only")
        return
    if reading.type is None or reading.type == "bool":
        found = "nothing" if reading.type is None else "bool"
        draft.report((*at, "type"), found, f"the type of the value in the table {reading.table}, as float32")
        return
    end = reading.register_ + WORDS[reading.type] - 1
    if end > _LAST_REGISTER:
        draft.report((*at, "register"), f"{reading.register_} for a {reading.type}", _fits(reading.type))
    if reading.fraction is not None:
        _check_fraction(draft, (*at, "fraction"), reading, end)


def _fits(type_: str) -> str:
    return f"at most {_LAST_REGISTER + 1 - WORDS[type_]}: it takes {WORDS[type_]} registers up to {_LAST_REGISTER}"


def _check_fraction(draft: Draft, at: Loc, reading: RegisterSection, end: int) -> None:
    fraction = reading.fraction
    if fraction is None:
        return
    fraction_end = fraction.register_ + WORDS[fraction.type] - 1
    if fraction_end > _LAST_REGISTER:
        draft.report((*at, "register"), f"{fraction.register_} for a {fraction.type}", _fits(fraction.type))
    if reading.type is not None and reading.type.startswith("float"):
        draft.report(at, f"a fraction to a {reading.type}", "it beside an integer type only")
    if fraction.register_ <= end and reading.register_ <= fraction_end:
        draft.report((*at, "register"), str(fraction.register_), "registers other than those of the integer part")
    elif max(end, fraction_end) - min(reading.register_, fraction.register_) >= _MAX_BLOCK:
        found = f"{fraction.register_}, too far from {reading.register_}"
        draft.report((*at, "register"), found, f"both within {_MAX_BLOCK} registers: they are read in one request")


def _check_mqtt(draft: Draft, loc: Loc, station: MqttSection) -> None:
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
