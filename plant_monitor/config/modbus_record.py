"""From the checked model of a Modbus device to its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TypedDict

from plant_monitor import units
from plant_monitor.config.check_modbus import BIT_TABLES, factor, host_port, whole
from plant_monitor.config.modbus_schema import (
    CodeSection,
    ModbusSection,
    RegisterSection,
    StatusSection,
    UnitCodeSection,
)
from plant_monitor.config.mqtt_record import tls_files
from plant_monitor.plant import ModbusDevice
from plant_monitor.register_maps import RegisterFraction, RegisterReading, StatusRegister, UnitCode

Secret = Callable[[str | None], str | None]
SeriesUnits = Mapping[tuple[str, str], str]  # (point, parameter) -> unit


def modbus_record(device: ModbusSection, series_units: SeriesUnits, secret: Secret, folder: Path) -> ModbusDevice:
    """The device. ``secret`` turns ``env:NAME`` and ``file:PATH`` into what they name; ``folder`` is plant.yaml's."""
    host, port = host_port(device.address) or ("", 0)
    return ModbusDevice(
        id=device.id,
        host=host,
        port=port,
        unit_id=device.unit_id,
        poll_ms=device.poll,
        readings=tuple(_reading(r, r.point or device.point or "", series_units) for r in device.readings),
        timeout_ms=device.timeout,
        framing=device.framing,
        tls=None if device.tls is None else tls_files(device.tls, secret, folder),
        max_block=device.max_block,
        max_gap=device.max_gap,
        min_delay_ms=device.min_delay or 0,
    )


def _reading(reading: RegisterSection, point: str, series_units: SeriesUnits) -> RegisterReading:
    part = reading.fraction
    unit = series_units.get((point, reading.parameter), "")
    return RegisterReading(
        point=point,
        parameter=reading.parameter,
        table=reading.table,
        register=reading.register_,
        type="bool" if reading.table in BIT_TABLES else str(reading.type),
        order=reading.order,
        scale=float(reading.scale),
        offset=float(reading.offset),
        fraction=None if part is None else RegisterFraction(part.register_, part.type, part.order, float(part.scale)),
        no_value=tuple(float(number) for number in reading.no_value),
        bit=reading.bit,
        length=reading.length,
        unit_code=None if reading.unit_code is None else _unit_code(reading, reading.unit_code, unit),
        status=tuple(_status(reading, status) for status in reading.status),
    )


class _Place(TypedDict):
    table: str
    register: int
    type: str
    order: str
    length: int | None


def _place(reading: RegisterSection, code: CodeSection) -> _Place:
    table = code.table or reading.table
    return {
        "table": table,
        "register": code.register_,
        "type": "bool" if table in BIT_TABLES else code.type,
        "order": code.order or reading.order,
        "length": code.length,
    }


def _code(register: CodeSection, text: str) -> int | str:
    number = whole(text)
    return text if register.type == "string" or number is None else number


def _unit_code(reading: RegisterSection, code: UnitCodeSection, unit: str) -> UnitCode:
    factors = tuple((_code(code, text), _factor(stated, unit)) for text, stated in code.units.items())
    return UnitCode(**_place(reading, code), factors=factors)


def _factor(stated: str, unit: str) -> Fraction:
    number = factor(stated)
    return units.ratio(stated, unit) if number is None else Fraction(number)


def _status(reading: RegisterSection, status: StatusSection) -> StatusRegister:
    return StatusRegister(
        **_place(reading, status),
        codes=tuple((_code(status, text), mark) for text, mark in status.codes.items()),
        bits=tuple((whole(bit) or 0, mark) for bit, mark in status.bits.items()),
        other=status.other,
    )
