"""Where readings come from: addresses, registers, and that each series has one source."""

from __future__ import annotations

import re

from plant_monitor.config.check_mqtt import check_mqtt
from plant_monitor.config.check_payload import check_payload
from plant_monitor.config.draft import Draft
from plant_monitor.config.schema import ModbusSection, RegisterSection
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


def check_devices(draft: Draft) -> None:
    """Every device, and the series that several of them feed."""
    draft.once("devices", "each device once")
    fed: dict[tuple[str, str], str] = {}
    for i, device in enumerate(draft.file.devices):
        if isinstance(device, ModbusSection):
            _check_modbus(draft, ("devices", i), device, fed)
        else:
            check_mqtt(draft, ("devices", i), device)
            check_payload(draft, ("devices", i), device)


def host_port(address: str) -> tuple[str, int] | None:
    """``host:port``, IPv6 in brackets; None where it is neither."""
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match[2]) <= 65535:
        return None
    return match[1].strip("[]"), int(match[2])


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
