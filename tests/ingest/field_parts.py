"""What the ingest tests share: a small plant, a real Modbus server, a scripted one, a clock stepped by hand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.framer.rtu import FramerRTU
from pymodbus.server import ModbusTcpServer, ModbusTlsServer
from pymodbus.simulator import DataType, SimData, SimDevice

from plant_monitor.clock import ManualClock
from plant_monitor.ingest.intake import Intake
from plant_monitor.ingest.registers import encode, width
from plant_monitor.plant import ModbusDevice, MqttStation, Name, Plant, Point, Role, Series
from plant_monitor.register_maps import RegisterReading
from plant_monitor.store.journal import Journal, open_journal
from plant_monitor.windows import parse_rfc3339

SHANGHAI = ZoneInfo("Asia/Shanghai")
MIDNIGHT = parse_rfc3339("2026-10-01T00:00:00+08:00")
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000


def series(point: str, parameter: str, interval_ms: int | None = 10 * SECOND, unit: str = "1") -> Series:
    return Series(point=point, parameter=parameter, unit=unit, interval_ms=interval_ms)


def plant_of(*measured: Series, devices: Sequence[ModbusDevice | MqttStation] = (), zone: ZoneInfo = SHANGHAI) -> Plant:
    """A plant of points that measure this and nothing else."""
    points = {s.point: Point(s.point, Role.PROCESS, ()) for s in measured}
    return Plant(
        id="testplant",
        name=Name("厂", "plant"),
        zone=zone,
        capacity_m3_d=Decimal(1200),
        members=(),
        points=tuple(Point(p, Role.PROCESS, tuple(s for s in measured if s.point == p)) for p in points),
        devices=tuple(devices),
    )


def at(parameter: str, register: int, type_: str = "float32", order: str = "ABCD", **more: object) -> RegisterReading:
    """Where a parameter of point ``p`` stands in a device's holding registers."""
    options: dict[str, object] = {"point": "p", "table": "holding"} | more
    return RegisterReading(parameter=parameter, register=register, type=type_, order=order, **options)  # type: ignore[arg-type]


def device_of(port: int, *readings: RegisterReading, poll_ms: int = 10 * SECOND, **more: object) -> ModbusDevice:
    options: dict[str, object] = {"id": "plc", "host": "127.0.0.1", "unit_id": 1, "timeout_ms": 300} | more
    return ModbusDevice(port=port, poll_ms=poll_ms, readings=tuple(readings), **options)  # type: ignore[arg-type]


def journal_of(plant: Plant, path: Path) -> Journal:
    return open_journal(path, [(s.point, s.parameter) for s in plant.series])


def rows(journal: Journal, parameter_index: int = 0) -> list[tuple[int, float | None, str]]:
    """(ms since MIDNIGHT, value, mark) of a series, all there is."""
    found = journal.read(parameter_index, 0, 2**53)
    return [
        (t - MIDNIGHT, None if v != v else v, chr(m))
        for t, v, m in zip(found.time.tolist(), found.value.tolist(), found.mark.tolist(), strict=True)
    ]


@contextlib.contextmanager
def running_intake(journal: Journal, clock: ManualClock) -> Iterator[Intake]:
    intake = Intake(journal, clock)
    intake.start()
    try:
        yield intake
    finally:
        intake.stop()


def run_to(clock: ManualClock, threads: int, until_ms: int) -> None:
    """Let everything happen that is due up to an instant, one waiting instant after the other."""
    while (due := clock.waiting(threads)) <= until_ms:
        clock.set(max(due, clock.now_ms()))
    clock.set(until_ms)
    clock.waiting(threads)


class ModbusServer:
    """A real pymodbus server on a port of its own. ``registers`` may be changed while it runs.

    Addresses outside ``registers`` are illegal. ``requests`` keeps (function, address, count). ``others`` are
    further units behind the same port, by unit id.
    """

    def __init__(
        self,
        registers: dict[int, int],
        *,
        unit_id: int = 1,
        port: int = 0,
        others: dict[int, dict[int, int]] | None = None,
        framer: FramerType = FramerType.SOCKET,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.registers = dict(registers)
        self.others = others or {}
        self.connections = 0
        self._framer, self._tls = framer, tls
        self.requests: list[tuple[int, int, int]] = []
        self.silent = threading.Event()  # set: answers nothing for a long time
        self.refuse: ExcCodes | None = None
        self._unit_id = unit_id
        self._wanted_port = port
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def _device(self, unit_id: int, held: dict[int, int]) -> SimDevice:
        async def action(
            function: int, start: int, address: int, count: int, registers: list[int], values: object
        ) -> ExcCodes | None:
            self.requests.append((function, address, count))
            if self.silent.is_set():
                await asyncio.sleep(5)
            if self.refuse is not None:
                return self.refuse
            for i in range(address, address + count):
                if i not in held:
                    return ExcCodes.ILLEGAL_ADDRESS
                registers[i - start] = held[i]
            return None

        table = [SimData(0, count=2000, values=0, datatype=DataType.REGISTERS)]
        return SimDevice(unit_id, simdata=table, action=action)

    def _connected(self, connected: bool) -> None:
        self.connections += connected

    async def _serve(self) -> None:
        units = {self._unit_id: self.registers, **self.others}
        devices = [self._device(unit_id, held) for unit_id, held in units.items()]
        self._loop = asyncio.get_running_loop()
        address = ("127.0.0.1", self._wanted_port)
        server: ModbusTcpServer
        if self._tls is None:
            server = ModbusTcpServer(
                devices,
                address=address,
                framer=self._framer,
                trace_connect=self._connected,
            )
        else:
            server = ModbusTlsServer(devices, address=address, sslctx=self._tls, trace_connect=self._connected)
        await server.serve_forever(background=True)
        assert server.transport is not None
        self.port: int = server.transport.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        self._over = asyncio.Event()
        self._ready.set()
        await self._over.wait()
        await server.shutdown()

    def put(self, register: int, value: float, type_: str = "float32", order: str = "ABCD") -> None:
        for i, word in enumerate(encode(value, type_, order)):
            self.registers[register + i] = word

    def __enter__(self) -> ModbusServer:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)


def holding(values: dict[int, tuple[float, str, str]]) -> dict[int, int]:
    """Registers that hold values: register -> (value, type, order)."""
    made = {}
    for register, (value, type_, order) in values.items():
        words = encode(value, type_, order)
        assert len(words) == width(type_)
        made |= {register + i: word for i, word in enumerate(words)}
    return made


Script = Callable[["RawServer", socket.socket, bytes], None]


class RawServer:
    """A TCP server that answers each Modbus request by a script: late, cut, for another transaction, …

    ``greet`` is what it does with a new connection before it listens.
    """

    def __init__(self, script: Script, *, greet: Callable[[socket.socket], None] | None = None) -> None:
        self.script, self.greet = script, greet
        self.requests: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                if self.greet is not None:
                    self.greet(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            while request := connection.recv(12):
                self.requests.append(request)
                self.script(self, connection, request)

    def __enter__(self) -> RawServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for connection in self._open:
            connection.close()


def answer_to(
    request: bytes,
    registers: Sequence[int],
    *,
    transaction: int | None = None,
    unit: int | None = None,
    function: int | None = None,
) -> bytes:
    """A proper answer frame to a request for registers, or one with a wrong field."""
    body = bytes([function if function is not None else request[7], 2 * len(registers)])
    body += b"".join(r.to_bytes(2, "big") for r in registers)
    tid = transaction if transaction is not None else int.from_bytes(request[:2], "big")
    unit = request[6] if unit is None else unit
    return tid.to_bytes(2, "big") + bytes(2) + (len(body) + 1).to_bytes(2, "big") + bytes([unit]) + body


def rtu_answer_to(request: bytes, registers: Sequence[int]) -> bytes:
    """A proper answer to a request for registers, in the framing of a serial line."""
    frame = request[:2] + bytes([2 * len(registers)]) + b"".join(r.to_bytes(2, "big") for r in registers)
    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


def soon(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.005)
