"""Simulated devices through a real Modbus client, decoded by the product."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException
from register_image import Image
from servers import free_port, listening, wait_until
from small_field import at, example, field_from, plant_of

from plant_monitor.clock import ManualClock
from plant_monitor.errors import ConfigError, SourceError
from plant_monitor.ingest.blocks import plan
from plant_monitor.ingest.samples import pieces
from plant_monitor.plant import ModbusDevice, Plant
from simulators.devices import Gateway, gateways_of
from simulators.faults import load_scenario
from simulators.field import Field
from simulators.registers import shown

EPOCH, START = date(2026, 9, 1), date(2026, 9, 8)


class Loop:
    """An asyncio loop in a thread, as the simulator's process has one."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, coroutine: object) -> object:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)  # type: ignore[arg-type]

    def end(self) -> None:
        async def cancel() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.call(cancel())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.end()


@contextmanager
def served(loop: Loop, field: Field, clock: ManualClock) -> Iterator[list[Gateway]]:
    gateways = gateways_of(field.plant, field, clock)
    try:
        for gateway in gateways:
            loop.call(gateway.start())
        yield gateways
    finally:
        for gateway in gateways:
            loop.call(gateway.stop())


def device_of(plant: Plant, name: str) -> ModbusDevice:
    return next(d for d in plant.devices if isinstance(d, ModbusDevice) and d.id == name)


@contextmanager
def connected(device: ModbusDevice, timeout: float = 30) -> Iterator[ModbusTcpClient]:
    client = ModbusTcpClient(device.host, port=device.port, timeout=timeout, retries=0)
    assert client.connect()
    try:
        yield client
    finally:
        client.close()


def read(client: ModbusTcpClient, device: ModbusDevice) -> dict[tuple[str, str], float]:
    """Every reading of a device, by the product's own plan and decoder."""
    image = Image()
    for block in plan(piece for reading in device.readings for piece in pieces(reading)):
        ask = client.read_holding_registers if block.table == "holding" else client.read_input_registers
        answer = ask(block.first, count=block.count, device_id=device.unit_id)
        assert not answer.isError(), answer
        image.add(block.table, block.first, answer.registers)
    return {(r.point, r.parameter): image.sample(r).value for r in device.readings}


def test_every_register_of_the_plant_shows_the_field(loop: Loop) -> None:
    plant = example()
    field = field_from(plant, EPOCH)
    clock = ManualClock(at(plant, START, 9))
    devices = [d for d in plant.devices if isinstance(d, ModbusDevice)]
    # All four orders are among them.
    assert {r.order for d in devices for r in d.readings} == {"ABCD", "CDAB", "BADC", "DCBA"}
    with served(loop, field, clock):
        for device in devices:
            with connected(device) as client:
                for hours in (9, 9.01, 13.5, 2, 40):  # also backwards, and into days not computed yet
                    clock.set(at(plant, START, hours))
                    for (point, parameter), value in read(client, device).items():
                        series = plant.series_index[point, parameter]
                        truth, _ = field.sample(series, np.array([clock.now_ms()]))
                        reading = next(r for r in device.readings if (r.point, r.parameter) == (point, parameter))
                        assert value == pytest.approx(shown(reading, truth)[0], rel=1e-12, abs=1e-12)
                        assert value == pytest.approx(truth[0], rel=1e-6, abs=0.011)


def test_what_is_polled_joins_history_register_by_register(loop: Loop) -> None:
    plant = example()
    field = field_from(plant, EPOCH)
    joint = at(plant, START, 10)
    history = field.history(joint - 3_600_000, joint + 3_600_000)
    clock = ManualClock(joint)
    with served(loop, field, clock):
        for device in (d for d in plant.devices if isinstance(d, ModbusDevice)):
            with connected(device) as client:
                live = read(client, device)
            for name, value in live.items():
                stored = history.of_series(plant.series_index[name])
                assert value == pytest.approx(stored.value[stored.time == joint][0], rel=1e-15)


def test_registers_that_are_not_there_are_refused_and_none_can_be_written(loop: Loop) -> None:
    plant = example()
    field = field_from(plant, EPOCH)
    device = device_of(plant, "shennong-plc")
    with served(loop, field, ManualClock(at(plant, START, 9))), connected(device) as client:
        before = read(client, device)
        assert client.read_holding_registers(4000, count=2, device_id=1).isError()
        assert client.read_holding_registers(40, count=2, device_id=1).isError()  # between its stretches
        assert client.read_input_registers(0, count=2, device_id=1).isError()
        assert client.write_register(0, 7, device_id=1).isError()
        assert read(client, device) == before


def scripted(tmp_path: Path, plant: Plant, *faults: str) -> Field:
    path = tmp_path / "faults.yaml"
    path.write_text("faults:\n" + "".join(f"  - {{{f}}}\n" for f in faults), encoding="utf-8")
    return field_from(plant, EPOCH, load_scenario(path, plant, at(plant, START)))


def follow(loop: Loop, gateways: list[Gateway]) -> None:
    for gateway in gateways:
        loop.call(gateway.follow_script())


def test_a_dead_device_closes_its_port_and_comes_back(loop: Loop, tmp_path: Path) -> None:
    plant = example()
    field = scripted(tmp_path, plant, "kind: dead_device, device: keqiao-plc, at: 1h, for: 30m")
    clock = ManualClock(at(plant, START, 0.5))
    dead, alive = device_of(plant, "keqiao-plc"), device_of(plant, "tianma-plc")
    with served(loop, field, clock) as gateways, connected(alive) as other:
        with connected(dead) as client:
            assert read(client, dead)
            clock.set(at(plant, START, 1))
            follow(loop, gateways)
            wait_until(lambda: not listening(dead.port), what="a closed port")
            with pytest.raises((ModbusException, AssertionError)):
                read(client, dead)
        assert read(other, alive)
        clock.set(at(plant, START, 1.5))
        follow(loop, gateways)
        with connected(dead) as client:
            assert read(client, dead)


def test_a_device_can_be_dead_from_the_start(loop: Loop, tmp_path: Path) -> None:
    plant = example()
    field = scripted(tmp_path, plant, "kind: dead_device, device: keqiao-plc, at: -1h, for: 2h")
    clock = ManualClock(at(plant, START))
    dead = device_of(plant, "keqiao-plc")
    with served(loop, field, clock) as gateways:
        assert not listening(dead.port)
        clock.set(at(plant, START, 1))
        follow(loop, gateways)
        with connected(dead) as client:
            assert read(client, dead)


@pytest.mark.parametrize("mode", ["silent", "exception", "slow"])
def test_a_device_that_is_reached_may_still_not_answer(loop: Loop, tmp_path: Path, mode: str) -> None:
    plant = example()
    sick = device_of(plant, "longqiao-plc")
    field = scripted(
        tmp_path, plant, f"kind: dead_device, device: longqiao-plc, at: 1h, for: 1h, mode: {mode}, delay_ms: 600"
    )
    clock = ManualClock(at(plant, START, 1.5))
    with served(loop, field, clock), connected(sick, timeout=0.3) as client:
        if mode == "exception":
            answer = client.read_holding_registers(9728, count=2, device_id=1)
            assert answer.isError() and answer.exception_code == 4
        else:
            with pytest.raises(ModbusException):
                client.read_holding_registers(9728, count=2, device_id=1)
        clock.set(at(plant, START, 2))
        with connected(sick) as again:
            assert read(again, sick)


TWO_UNITS = """
  - {{id: one, protocol: modbus-tcp, address: {address}, unit_id: 1, poll: 5s, point: left, readings: [{reading}]}}
  - {{id: two, protocol: modbus-tcp, address: {address}, unit_id: 2, poll: 5s, point: right, readings: [{reading}]}}
"""
POINTS = """
  - {id: left, role: outfall, member: a, parameters: {ph: {interval: 1m}}}
  - {id: right, role: outfall, member: b, parameters: {ph: {interval: 1m}}}
"""


def test_units_behind_one_gateway_answer_for_themselves(loop: Loop, tmp_path: Path) -> None:
    reading = "{parameter: ph, table: holding, register: 5, type: int16, scale: 0.01}"
    plant = plant_of(POINTS, TWO_UNITS.format(address=f"'127.0.0.1:{free_port()}'", reading=reading))
    field = scripted(tmp_path, plant, "kind: dead_device, device: two, at: 1h, for: 1h")
    clock = ManualClock(at(plant, START))
    one, two = device_of(plant, "one"), device_of(plant, "two")
    with served(loop, field, clock) as gateways, connected(one) as client:
        assert len(gateways) == 1
        assert read(client, one)["left", "ph"] != read(client, two)["right", "ph"]
        clock.set(at(plant, START, 1))
        follow(loop, gateways)
        assert read(client, one)
        answer = client.read_holding_registers(5, count=1, device_id=2)
        assert answer.isError() and answer.exception_code == 11  # gateway: the target does not answer


def test_a_port_that_is_taken_is_named(loop: Loop) -> None:
    plant = example()
    field = field_from(plant, EPOCH)
    with served(loop, field, ManualClock(at(plant, START))):
        again = gateways_of(plant, field, ManualClock(at(plant, START)))
        with pytest.raises(SourceError, match=r"shennong-plc: cannot listen at 127\.0\.0\.1:\d+"):
            loop.call(again[0].start())


@pytest.mark.parametrize(
    ("device", "reading", "expected"),
    [
        ("", "table: coil, register: 5", "'coil', expected holding or input"),
        ("", "register: 5, type: bcd32", "'bcd32', expected one of int16"),
        ("", "register: 5, type: int32, fraction: {register: 7, type: bcd16}", "expected one of int16"),
        ("", "register: 5, type: int32, status: [{register: 7, bits: {0: D}}]", "'a status', expected none"),
        ("", "register: 5, type: int32, unit_code: {register: 7, units: {0: 10}}", "'a unit code', expected none"),
        ("tls: {}, ", "register: 5, type: int32", "Modbus/TLS, expected none"),
    ],
)
def test_what_is_not_played_is_refused(device: str, reading: str, expected: str) -> None:
    plant = plant_of(
        "  - {id: left, role: outfall, member: a, parameters: {pump: {unit: '1', interval: 1m}}}",
        f"  - {{id: one, protocol: modbus-tcp, address: '127.0.0.1:{free_port()}', {device}point: left, "
        f"readings: [{{parameter: pump, {reading}}}]}}",
    )
    with pytest.raises(ConfigError, match=expected):
        gateways_of(plant, field_from(plant, EPOCH), ManualClock(0))
