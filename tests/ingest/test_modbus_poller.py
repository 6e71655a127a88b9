"""The poller against a real pymodbus server and a scripted one, on a clock that is stepped by hand."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from field_parts import (
    HOUR,
    MIDNIGHT,
    MINUTE,
    SECOND,
    ModbusServer,
    at,
    device_of,
    holding,
    journal_of,
    plant_of,
    rows,
    run_to,
    running_intake,
    series,
)

from plant_monitor.clock import ManualClock
from plant_monitor.ingest.modbus import ModbusPoller


def test_series_are_read_at_the_multiples_of_their_interval(tmp_path: Path) -> None:
    plant = plant_of(series("p", "flow", 10 * SECOND), series("p", "volume", MINUTE))
    clock = ManualClock(MIDNIGHT + 3 * SECOND)
    values = holding({0: (45.5, "float32", "ABCD"), 2: (12_345_678, "uint32", "CDAB")})
    with ModbusServer(values) as server, running_intake(journal_of(plant, tmp_path / "j"), clock) as intake:
        device = device_of(server.port, at("flow", 0), at("volume", 2, "uint32", "CDAB", scale=0.01))
        poller = ModbusPoller(device, plant, intake, clock)
        poller.start()
        run_to(clock, 1, MIDNIGHT + 65 * SECOND)
        poller.stop()
        journal = intake._journal
    assert rows(journal, 0) == [(s * SECOND, 45.5, "N") for s in (10, 20, 30, 40, 50, 60)]
    assert rows(journal, 1) == [(MINUTE, 123456.78, "N")]
    assert server.requests == [(3, 0, 2)] * 5 + [(3, 0, 4)]
