"""Modbus devices: addresses, registers, and what stands beside a value."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from plant_monitor import units
from plant_monitor.config.draft import Draft, sound_unit
from plant_monitor.config.modbus_schema import (
    CodeSection,
    FractionSection,
    ModbusSection,
    RegisterSection,
    StatusSection,
)
from plant_monitor.config.shape import Loc
from plant_monitor.readings import MARKS

WORDS = {
    "bool": 1,
    "bit": 1,
    "int16": 1,
    "uint16": 1,
    "float16": 1,
    "bcd16": 1,
    "int32": 2,
    "uint32": 2,
    "float32": 2,
    "bcd32": 2,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
    "bcd64": 4,
}
BIT_TABLES = ("coil", "discrete")
_LAST_REGISTER = 65535
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):([0-9]{1,5})", re.ASCII)
_CODE = re.compile(r"[+-]?[0-9]+|0[xX][0-9A-Fa-f]+", re.ASCII)


def host_port(address: str) -> tuple[str, int] | None:
    """``host:port``, IPv6 in brackets; None where it is neither."""
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match[2]) <= 65535:
        return None
    return match[1].strip("[]"), int(match[2])


def whole(text: str) -> int | None:
    """A code or the number of a bit, decimal or ``0x…``; None for anything else."""
    if not _CODE.fullmatch(text):
        return None
    return int(text, 16) if "x" in text.lower() else int(text)


def factor(text: str) -> Decimal | None:
    """The factor that stands where a unit may; None for a unit."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def words(type_: str, length: int | None) -> int:
    """Registers that a value or a code takes."""
    return length or 1 if type_ == "string" else WORDS[type_]


def check_modbus(draft: Draft, loc: Loc, device: ModbusSection, fed: dict[tuple[str, str], str]) -> None:
    """The address, and each reading; ``fed`` says which series have a source already."""
    if host_port(device.address) is None:
        draft.report((*loc, "address"), repr(device.address), "host:port, as 192.168.1.20:502")
    if device.tls is not None and device.tls.key is not None and device.tls.certificate is None:
        draft.report((*loc, "tls", "certificate"), "a key without certificate", "both")
    for j, reading in enumerate(device.readings):
        at = (*loc, "readings", j)
        _check_registers(draft, at, reading, device.max_block)
        point = reading.point or device.point
        if point is None:
            draft.report((*at, "point"), "nothing", "the id of a point, here or at the device")
        elif _declared(draft, at, device, reading, point):
            key = (point, reading.parameter)
            if key in fed:
                draft.report((*at, "parameter"), f"{point}/{reading.parameter} a second time", f"it once ({fed[key]})")
            fed.setdefault(key, f"device {device.id} reads it")
            _check_units(draft, at, reading, point)


def check_shared_lines(draft: Draft) -> None:
    """Devices at one address share a connection: they must speak alike."""
    first: dict[tuple[str, int], ModbusSection] = {}
    for i, device in enumerate(draft.file.devices):
        address = host_port(device.address) if isinstance(device, ModbusSection) else None
        if not isinstance(device, ModbusSection) or address is None:
            continue
        other = first.setdefault(address, device)
        for key in ("framing", "tls"):
            if getattr(device, key) != getattr(other, key):
                found = f"another {key} than device {other.id} has at {device.address}"
                draft.report(("devices", i, key), found, "the same: they share one connection")


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


# --- registers -------------------------------------------------------------------------------------


def _check_registers(draft: Draft, at: Loc, reading: RegisterSection, max_block: int) -> None:
    for part, needed in (("bit", "bit"), ("length", "string")):
        stated = getattr(reading, part) is not None
        if stated and reading.type != needed:
            draft.report((*at, part), f"it with the type {reading.type}", f"it with type: {needed} only")
        elif reading.type == needed and not stated:
            draft.report((*at, part), "nothing", f"the key {part!r}, with type: {needed}")
    if reading.table in BIT_TABLES:
        if reading.type not in (None, "bool"):
            draft.report((*at, "type"), str(reading.type), f"bool, or no type, in the table {reading.table}")
        if reading.fraction is not None:
            draft.report((*at, "fraction"), f"a fraction in the table {reading.table}", "it in registers only")
    elif reading.type is None or reading.type == "bool":
        found = "nothing" if reading.type is None else "bool"
        draft.report((*at, "type"), found, f"the type of the value in the table {reading.table}, as float32")
    else:
        _check_span(draft, at, reading.register_, reading.type, reading.length, max_block)
        if reading.fraction is not None:
            _check_fraction(draft, (*at, "fraction"), reading, reading.type, reading.fraction, max_block)
    _check_beside(draft, at, reading, max_block)


def _check_span(draft: Draft, at: Loc, first: int, type_: str, length: int | None, max_block: int) -> None:
    count = words(type_, length)
    if first + count - 1 > _LAST_REGISTER:
        expected = f"at most {_LAST_REGISTER + 1 - count}: it takes {count} registers up to {_LAST_REGISTER}"
        draft.report((*at, "register"), f"{first} for a {type_}", expected)
    if count > max_block:
        found = f"a {type_} of {count} registers"
        draft.report((*at, "length" if length else "type"), found, f"at most {max_block} (max_block): one request")


def _check_fraction(
    draft: Draft, at: Loc, reading: RegisterSection, type_: str, fraction: FractionSection, max_block: int
) -> None:
    _check_span(draft, at, fraction.register_, fraction.type, None, max_block)
    if not type_.startswith(("int", "uint", "bcd")):
        draft.report(at, f"a fraction to a {type_}", "it beside an integer type only")
    end = reading.register_ + words(type_, reading.length) - 1
    fraction_end = fraction.register_ + words(fraction.type, None) - 1
    if fraction.register_ <= end and reading.register_ <= fraction_end:
        draft.report((*at, "register"), str(fraction.register_), "registers other than those of the integer part")
    elif max(end, fraction_end) - min(reading.register_, fraction.register_) >= max_block:
        found = f"{fraction.register_}, too far from {reading.register_}"
        draft.report((*at, "register"), found, f"both within {max_block} registers: they are read in one request")


# --- unit codes and status -------------------------------------------------------------------------


def _check_beside(draft: Draft, at: Loc, reading: RegisterSection, max_block: int) -> None:
    if reading.unit_code is not None:
        loc = (*at, "unit_code")
        _check_code_register(draft, loc, reading, reading.unit_code, max_block)
        for code in reading.unit_code.units:
            _check_code(draft, (*loc, "units", code), reading, reading.unit_code, code)
    for i, status in enumerate(reading.status):
        _check_status(draft, (*at, "status", i), reading, status, max_block)


def _check_code_register(draft: Draft, at: Loc, reading: RegisterSection, code: CodeSection, max_block: int) -> None:
    if (code.table or reading.table) in BIT_TABLES:
        return
    if (code.length is not None) != (code.type == "string"):
        found = "nothing" if code.length is None else f"it with the type {code.type}"
        draft.report((*at, "length"), found, "length with type: string, and only there")
        return
    _check_span(draft, at, code.register_, code.type, code.length, max_block)


def _check_code(draft: Draft, at: Loc, reading: RegisterSection, register: CodeSection, code: str) -> None:
    if (register.table or reading.table) in BIT_TABLES:
        if whole(code) not in (0, 1):
            draft.report(at, repr(code), "0 or 1, the states of a coil or discrete input")
    elif register.type != "string" and whole(code) is None:
        draft.report(at, repr(code), f"a whole number, decimal or 0x…, as a {register.type} holds it")


def _check_status(draft: Draft, at: Loc, reading: RegisterSection, status: StatusSection, max_block: int) -> None:
    _check_code_register(draft, at, reading, status, max_block)
    if bool(status.codes) == bool(status.bits):
        found = "both codes and bits" if status.codes else "neither codes nor bits"
        draft.report(at, found, "one of them: what the register says by a number, or bit by bit")
        return
    single = (status.table or reading.table) in BIT_TABLES
    bits = 1 if single else 16 * words(status.type, status.length)
    if single and len(status.codes) == 1:
        draft.report((*at, "codes"), "one state", "both, 0 and 1; or bits: {0: MARK}, and N while it is not set")
    for code in status.codes:
        _check_code(draft, (*at, "codes", code), reading, status, code)
    for bit in status.bits:
        number = whole(bit)
        if number is None or not 0 <= number < bits or status.type == "string":
            draft.report((*at, "bits", bit), repr(bit), f"the number of a bit, 0 to {bits - 1}, of an integer type")
    marks = [((*at, "other"), status.other)]
    marks += [((*at, part, key), mark) for part in ("codes", "bits") for key, mark in getattr(status, part).items()]
    for loc, mark in marks:
        if mark not in MARKS:
            draft.report(loc, repr(mark), f"a mark ({', '.join(MARKS)})")


def _check_units(draft: Draft, at: Loc, reading: RegisterSection, point: str) -> None:
    if reading.unit_code is None:
        return
    series = next((p.parameters.get(reading.parameter) for p in draft.file.points if p.id == point), None)
    target = None if series is None else sound_unit(reading.parameter, series.unit)
    if target is None:  # reported already
        return
    for code, unit in reading.unit_code.units.items():
        number = factor(unit)
        if number == 0 or (number is None and not units.convertible(unit, target)):
            expected = f"a unit that can be told in {target}, or the factor to {target}"
            draft.report((*at, "unit_code", "units", code), repr(unit), expected)
