"""Recorded rows on a real wire."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pymodbus.client import ModbusTcpClient
from register_image import value_of

from plant_monitor.clock import ManualClock
from plant_monitor.plant import ModbusDevice
from plant_monitor.register_maps import RegisterReading
from simulators.rows import RowServer

READINGS = (
    RegisterReading("effluent", "flow", "holding", 0, "float32", "CDAB"),
    RegisterReading("effluent", "ammonia_n", "holding", 2, "int16", "ABCD", 0.01),
)
DEVICE = ModbusDevice("scada", "127.0.0.1", 0, 7, 5000, READINGS)
TIMES = np.array([1000, 2000, 5000])
ROWS = np.array([[10.5, 1.25], [0.0, -0.5], [math.nan, 3.75]])


def ask(server: RowServer) -> list[float] | int:
    """Both values, or the exception code."""
    with ModbusTcpClient("127.0.0.1", port=server.port) as client:
        answer = client.read_holding_registers(0, count=3, device_id=7)
        if answer.isError():
            return int(answer.exception_code)
        return [value_of(reading, 0, answer.registers) for reading in READINGS]


def test_the_row_of_the_instant_is_served_and_noted() -> None:
    clock = ManualClock(1000)
    with RowServer(DEVICE, TIMES, ROWS, clock) as server:
        assert server.device.port == server.port > 0
        seen = []
        for now in (1000, 1999, 2000, 4999, 5000, 99_000):
            clock.set(now)
            seen.append(ask(server))
        assert seen[:4] == [[10.5, 1.25], [10.5, 1.25], [0.0, -0.5], [0.0, -0.5]]
        assert all(isinstance(s, list) and math.isnan(s[0]) and s[1] == 3.75 for s in seen[4:])
        assert server.served == [0, 0, 1, 1, 2, 2]


def test_outside_of_rows_the_device_refuses() -> None:
    clock = ManualClock(0)
    with RowServer(DEVICE, TIMES, ROWS, clock, hold_ms=1000) as server:
        answers = []
        for now in (999, 2999, 3000, 4999, 5000):
            clock.set(now)
            answers.append(ask(server) if now in (2999, 5000) else ask(server) == 4)
        assert answers[0] is True and answers[2] is True and answers[3] is True
        assert answers[1] == [0.0, -0.5]
        assert server.served == [1, 2]


def test_rows_must_fit_the_registers() -> None:
    with pytest.raises(ValueError, match=r"shape \(3, 1\), expected \(3, 2\)"):
        RowServer(DEVICE, TIMES, ROWS[:, :1], ManualClock(0))
