"""Modbus TCP devices on real sockets: registers laid out by plant.yaml, shown by whatever looks at the water.

A *unit* is one device id with its registers; a *gateway* is one TCP port with one or more units, like an RS-485 line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from plant_monitor.clock import Clock
from plant_monitor.errors import ConfigError, Problem, SourceError
from plant_monitor.plant import ModbusDevice, Plant
from plant_monitor.register_maps import RegisterReading
from simulators.faults import DeadDevice
from simulators.field import REFRESH_MS, Field
from simulators.registers import TYPES, encode

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Instants (n,) -> one array (n,) per reading of the device, in the order of plant.yaml.
Look = Callable[[IntArray], Sequence[FloatArray]]

# What lies between two values of an instrument is readable; what is further away is not there.
READABLE_GAP = 16
_TABLE_OF_FUNCTION = {3: "holding", 4: "input"}
AHEAD = 600  # refreshes computed at once: looking at many instants costs little more than looking at one


@dataclass(frozen=True, slots=True)
class _Table:
    """The registers of one table that can be read: (first register, count) of each stretch, ascending."""

    spans: tuple[tuple[int, int], ...]

    @property
    def first(self) -> int:
        """The first of all."""
        return self.spans[0][0]

    @property
    def size(self) -> int:
        """From the first to the last of all."""
        return sum(self.spans[-1]) - self.first


class Unit:
    """One device: its registers at any instant, and what is wrong with it."""

    def __init__(self, device: ModbusDevice, look: Look, faults: Sequence[DeadDevice] = ()) -> None:
        self.device, self.faults = device, tuple(faults)
        self.requests = 0
        self._look, self._tables = look, _layout(device)
        self._first_step, self._steps = 0, 0
        self._words: dict[str, list[list[int]]] = {}

    def fault(self, now_ms: int) -> DeadDevice | None:
        """What keeps it from answering now."""
        return next((f for f in self.faults if f.active(now_ms)), None)

    def words(self, table: str, address: int, count: int, now_ms: int) -> list[int]:
        """Registers of a table as they stand at an instant."""
        step = now_ms // REFRESH_MS
        if not 0 <= step - self._first_step < self._steps:
            times = (step + np.arange(AHEAD, dtype=np.int64)) * REFRESH_MS
            self._words = self._encoded(self._look(times), times.size)
            self._first_step, self._steps = step, times.size
        at = address - self._tables[table].first
        return self._words[table][step - self._first_step][at : at + count]

    def _encoded(self, columns: Sequence[FloatArray], n: int) -> dict[str, list[list[int]]]:
        """The words of each table at n instants, from one array of values per reading."""
        words = {name: np.zeros((n, area.size), dtype=np.uint16) for name, area in self._tables.items()}
        for reading, values in zip(self.device.readings, columns, strict=True):
            for register, part in encode(reading, values):
                at = register - self._tables[reading.table].first
                words[reading.table][:, at : at + part.shape[1]] = part
        return {name: table.tolist() for name, table in words.items()}

    def sim_device(self, now_ms: Callable[[], int], shared: bool) -> SimDevice:
        """The device for pymodbus; ``shared``: other units answer at the same port."""

        async def action(
            function: int, start: int, address: int, count: int, registers: list[int], written: object
        ) -> ExcCodes | None:
            now = now_ms()
            self.requests += 1
            fault = self.fault(now)
            if fault is not None and fault.mode == "slow":
                await asyncio.sleep(fault.delay_ms / 1000)
            elif fault is not None and (fault.mode == "exception" or shared):
                return ExcCodes.GATEWAY_NO_RESPONSE if shared else ExcCodes.DEVICE_FAILURE
            table = _TABLE_OF_FUNCTION.get(function)
            if table not in self._tables or written is not None:
                return ExcCodes.ILLEGAL_FUNCTION
            try:
                registers[address - start : address - start + count] = self.words(table, address, count, now)
            except NothingToShow:
                return ExcCodes.DEVICE_FAILURE
            return None

        blocks = {
            name: [SimData(a, count=n, datatype=DataType.REGISTERS) for a, n in area.spans]
            for name, area in self._tables.items()
        }
        nothing = [SimData(0, count=1, datatype=DataType.INVALID)]
        bits = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
        tables = (bits, list(bits), blocks.get("holding", nothing), blocks.get("input", nothing))
        return SimDevice(id=self.device.unit_id, simdata=tables, action=action)


class NothingToShow(Exception):
    """The device has no values for this instant; it answers with an exception code."""


def _layout(device: ModbusDevice) -> dict[str, _Table]:
    """Which registers of which tables a device has, by plant.yaml."""
    wanted: dict[str, list[tuple[int, int]]] = {}
    for i, reading in enumerate(device.readings):
        _check_playable(device.id, f"readings[{i}]", reading)
        for register, words in encode(reading, np.zeros(1)):
            wanted.setdefault(reading.table, []).append((register, words.shape[1]))
    tables = {}
    for name, parts in wanted.items():
        spans: list[tuple[int, int]] = []
        for first, count in sorted(parts):
            if spans and first - sum(spans[-1]) <= READABLE_GAP:
                begin = spans[-1][0]
                spans[-1] = (begin, max(sum(spans[-1]), first + count) - begin)
            else:
                spans.append((first, count))
        tables[name] = _Table(tuple(spans))
    return tables


def _check_playable(device: str, path: str, reading: RegisterReading) -> None:
    """The field shows numbers: what is no number in registers, or says something of one, it does not play."""
    types = {type_ for type_ in (reading.type, reading.fraction and reading.fraction.type) if type_}
    for key, found, playable, expected in (
        ("table", reading.table, reading.table in _TABLE_OF_FUNCTION.values(), "holding or input"),
        ("type", reading.type, types <= TYPES.keys(), f"one of {', '.join(TYPES)} in a simulated field"),
        ("unit_code", "a unit code", reading.unit_code is None, "none in a simulated field"),
        ("status", "a status", not reading.status, "none in a simulated field"),
    ):
        if not playable:
            raise ConfigError([Problem(device, f"{path}.{key}", repr(found), expected)])


class Gateway:
    """A TCP port with its units. Runs in the asyncio loop that starts it."""

    def __init__(self, host: str, port: int, units: Sequence[Unit], clock: Clock) -> None:
        self.host, self.port, self.units, self.clock = host, port, tuple(units), clock
        self._framer = FramerType.RTU if units[0].device.framing == "rtu" else FramerType.SOCKET
        self._server: ModbusTcpServer | None = None

    def _dead(self, mode: str) -> bool:
        """Whether the one unit of the port is dead in this way; units that share a line do not close its port."""
        fault = self.units[0].fault(self.clock.now_ms()) if len(self.units) == 1 else None
        return fault is not None and fault.mode == mode

    def _passed(self, sending: bool, packet: bytes) -> bytes:
        """A silent device reads its requests and sends nothing."""
        return b"" if sending and self._dead("silent") else packet

    async def start(self) -> None:
        """Listen, unless the device is dead."""
        if self._dead("closed"):
            return
        devices = [u.sim_device(self.clock.now_ms, shared=len(self.units) > 1) for u in self.units]
        server = ModbusTcpServer(
            devices,
            framer=self._framer,
            address=(self.host, self.port),
            trace_packet=self._passed,
            ignore_missing_devices=True,
        )
        if not await server.listen():
            name = self.units[0].device.id
            raise SourceError(f"{name}: cannot listen at {self.host}:{self.port}; is another field running?")
        self._server = server
        if self.port == 0:
            self.port = int(cast(asyncio.Server, server.transport).sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            await self._server.shutdown()
            self._server = None

    async def follow_script(self) -> None:
        """Close and open the port as the device dies and comes back."""
        if self._dead("closed") and self._server is not None:
            await self.stop()
        elif not self._dead("closed") and self._server is None:
            await self.start()


def gateways_of(plant: Plant, field_: Field, clock: Clock) -> list[Gateway]:
    """One gateway per address of the plant's Modbus devices, showing the field."""
    lines: dict[tuple[str, int], list[Unit]] = {}
    for device in plant.devices:
        if isinstance(device, ModbusDevice):
            if device.tls is not None:
                raise ConfigError([Problem(device.id, "tls", "Modbus/TLS", "none in a simulated field")])
            dead = [f for f in field_.scenario.of(DeadDevice) if f.device == device.id]
            unit = Unit(device, looking_at(field_, device), dead)
            lines.setdefault((device.host, device.port), []).append(unit)
    return [Gateway(host, port, units, clock) for (host, port), units in lines.items()]


def looking_at(field_: Field, device: ModbusDevice) -> Look:
    """How a device of the plant sees the field."""
    index = field_.plant.series_index
    series = [index[r.point, r.parameter] for r in device.readings]
    return lambda times: [field_.sample(s, times)[0] for s in series]
