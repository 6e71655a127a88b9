"""Probe: what a technician sees of a device."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from field_parts import ModbusServer, at, device_of, holding, plant_of, series
from servers import free_port

from plant_monitor.errors import SourceError
from plant_monitor.ingest.modbus_probe import ProbeRow, probe
from plant_monitor.ingest.registers import ORDERS
from plant_monitor.register_maps import RegisterFraction, RegisterReading, StatusRegister, UnitCode


def probed(registers: dict[int, int], *readings: RegisterReading) -> list[ProbeRow]:
    plant = plant_of(*(series("p", reading.parameter) for reading in readings))
    with ModbusServer(registers) as server:
        return probe(device_of(server.port, *readings), plant)


def test_registers_value_and_what_is_wrong() -> None:
    values = holding({0: (45.0, "float32", "CDAB")})
    flow, level = probed(values, at("flow", 0, order="CDAB"), at("level", 500))
    assert (flow.point, flow.parameter, flow.place, flow.order) == ("p", "flow", "holding 0 float32", "CDAB")
    assert (flow.registers, flow.value, flow.mark, flow.error) == ((0, 0x4234), 45.0, "N", None)
    assert (level.value, level.registers, level.orders, level.mark) == (None, (), (), "")
    assert level.error is not None and "illegal data address" in level.error


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(SourceError, match="no connection"):
        probe(device_of(free_port(), at("flow", 0)), plant_of(series("p", "flow")))


@pytest.mark.parametrize("order", ORDERS)
def test_one_of_the_four_orders_is_what_the_dial_shows(order: str) -> None:
    """Whatever plant.yaml says, the value stands in the column of the order that the device has."""
    for written in ORDERS:
        (row,) = probed(holding({0: (45.25, "float32", order)}), at("flow", 0, order=written))
        assert row.orders[ORDERS.index(order)] == 45.25
        assert [row.orders[ORDERS.index(o)] for o in ORDERS if o != order] != [45.25] * 3
        assert row.value == row.orders[ORDERS.index(written)]


def test_a_totaliser_of_two_parts_under_every_order() -> None:
    parts = {8: (123456, "int32", "CDAB"), 10: (0.75, "float32", "CDAB")}
    reading = at("volume", 8, "int32", fraction=RegisterFraction(10, "float32", "ABCD"))
    (row,) = probed(holding(parts), reading)
    assert row.orders[ORDERS.index("CDAB")] == 123456.75
    assert row.value == row.orders[0] != 123456.75


def test_text_is_shown_as_it_is() -> None:
    (row,) = probed({0: 0x372E, 1: 0x3220}, at("ph", 0, "string", length=2))
    assert (row.value, row.orders) == (7.2, ("7.2", "2 7.", ".7 2", "2.7"))
    (row,) = probed({0: 0x2D2D, 1: 0}, at("ph", 0, "string", length=2))
    assert row.value is not None and math.isnan(row.value)
    assert row.orders[0] == "--" and "decimal number" in str(row.error)


def test_unit_code_status_and_bits() -> None:
    reading = at(
        "flow",
        0,
        unit_code=UnitCode("holding", 5, "uint16", "ABCD", ((1, Fraction(18, 5)),)),
        status=(StatusRegister("holding", 7, "uint16", "ABCD", codes=((0x4D, "M"),)),),
    )
    registers = holding({0: (12.5, "float32", "ABCD")}) | dict.fromkeys(range(2, 10), 0) | {5: 1, 7: 0x4D, 9: 8}
    flow, pump = probed(registers, reading, at("pump", 9, "bit", bit=3))
    assert (flow.value, flow.mark, flow.beside) == (45.0, "M", "holding 5: 0001; holding 7: 004d")
    assert flow.orders[0] == 45.0
    assert (pump.value, pump.place, pump.orders) == (1.0, "holding 9 bit 3", ())


def test_bcd_that_is_none_under_an_order() -> None:
    (row,) = probed({0: 0x1A05}, at("level", 0, "bcd16", order="BADC"))
    assert row.orders == (None,) * 4
    (row,) = probed({0: 0x1205}, at("level", 0, "bcd16", order="BADC"))
    assert (row.value, row.orders) == (512.0, (1205.0, 1205.0, 512.0, 512.0))
