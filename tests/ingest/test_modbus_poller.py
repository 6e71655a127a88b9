"""The poller against a real pymodbus server and a scripted one, on a clock that is stepped by hand.

Design §6, row "a Modbus device is dead, slow, answers late, with another's transaction, or an exception".
"""

from __future__ import annotations

import contextlib
import math
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from field_parts import (
    HOUR,
    MIDNIGHT,
    MINUTE,
    SECOND,
    ModbusServer,
    RawServer,
    answer_to,
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
from pymodbus.constants import ExcCodes
from servers import free_port

from plant_monitor.clock import ManualClock
from plant_monitor.errors import InputError, StoreUnavailable
from plant_monitor.ingest.intake import AppendCounts, Intake
from plant_monitor.ingest.modbus import ModbusPoller, series_of
from plant_monitor.ingest.modbus_link import Lines
from plant_monitor.plant import ModbusDevice, Plant
from plant_monitor.readings import Readings, Refused
from plant_monitor.register_maps import RegisterFraction, StatusRegister, UnitCode
from plant_monitor.store.journal import Journal

FLOW = series("p", "flow")
LEVEL = series("p", "level")


@dataclass
class Service:
    """A poller for each device, storing into a real journal."""

    plant: Plant
    clock: ManualClock
    journal: Journal
    pollers: list[ModbusPoller]

    def run_to(self, offset_ms: int) -> None:
        run_to(self.clock, len(self.pollers), MIDNIGHT + offset_ms)

    def rows(self, index: int = 0) -> list[tuple[int, float | None, str]]:
        return rows(self.journal, index)


@contextlib.contextmanager
def polling(folder: Path, plant: Plant, *devices: ModbusDevice, start_ms: int = MIDNIGHT) -> Iterator[Service]:
    clock = ManualClock(start_ms)
    journal = journal_of(plant, folder / "journal.db")
    with running_intake(journal, clock) as intake:
        lines = Lines()
        pollers = [ModbusPoller(d, plant, intake, clock, lines) for d in devices]
        for poller in pollers:
            poller.start()
        try:
            yield Service(plant, clock, journal, pollers)
        finally:
            for poller in pollers:
                poller.stop()
    journal.close()


def lost(*seconds: int) -> list[tuple[int, None, str]]:
    return [(s * SECOND, None, "B") for s in seconds]


def test_series_are_read_at_the_multiples_of_their_interval(tmp_path: Path) -> None:
    plant = plant_of(FLOW, series("p", "volume", MINUTE))
    values = holding({0: (45.5, "float32", "ABCD"), 2: (12_345_678, "uint32", "CDAB")})
    with ModbusServer(values) as server:
        device = device_of(server.port, at("flow", 0), at("volume", 2, "uint32", "CDAB", scale=0.01))
        with polling(tmp_path, plant, device, start_ms=MIDNIGHT + 3 * SECOND) as service:
            service.run_to(65 * SECOND)
            assert service.rows(0) == [(s * SECOND, 45.5, "N") for s in (10, 20, 30, 40, 50, 60)]
            assert service.rows(1) == [(MINUTE, 123456.78, "N")]
            health = service.pollers[0].health()
    # What is due together is read together, and nothing but reads is ever sent.
    assert server.requests == [(3, 0, 2)] * 5 + [(3, 0, 4)]
    assert health["state"] == "ok" and health["requests"] == 6 and health["connects"] == 1
    assert health["series"]["p/volume"] == {"last_good_ms": MIDNIGHT + MINUTE, "error": None}


def test_a_totaliser_without_an_interval_is_read_once_per_poll(tmp_path: Path) -> None:
    plant = plant_of(series("p", "volume", None))
    with ModbusServer(holding({0: (7, "uint32", "ABCD")})) as server:
        device = device_of(server.port, at("volume", 0, "uint32"), poll_ms=15 * SECOND)
        with polling(tmp_path, plant, device) as service:
            service.run_to(50 * SECOND)
            assert service.rows() == [(s * SECOND, 7.0, "N") for s in (15, 30, 45)]


def test_a_dead_device_gets_one_b_an_interval_and_costs_the_others_nothing(tmp_path: Path) -> None:
    """Design §6: a Modbus device is dead."""
    plant = plant_of(FLOW, series("q", "flow"))
    with ModbusServer(holding({0: (1.5, "float32", "ABCD")})) as server:
        dead = device_of(free_port(), at("flow", 0), id="dead")
        alive = device_of(server.port, at("flow", 0, point="q"), id="alive")
        with polling(tmp_path, plant, dead, alive) as service:
            service.run_to(5 * MINUTE)
            instants = list(range(10, 300, 10))
            assert service.rows(0) == lost(*instants)
            assert service.rows(1) == [(s * SECOND, 1.5, "N") for s in [*instants, 300]]
            health = service.pollers[0].health()
            assert (health["state"], health["last_good_ms"]) == ("lost", None)  # known as silent though it never spoke
            assert 10 <= health["errors"]["connect"] <= 12  # one each 30 s in the long run, not one each 10 s


def test_a_device_that_comes_back_is_read_again_by_itself(tmp_path: Path) -> None:
    port = free_port()
    device = device_of(port, at("flow", 0))
    with polling(tmp_path, plant_of(FLOW), device) as service:
        service.run_to(45 * SECOND)
        with ModbusServer(holding({0: (2.0, "float32", "ABCD")}), port=port):
            service.run_to(2 * MINUTE)
        found = {t // SECOND: (v, m) for t, v, m in service.rows()}
        assert found[10] == (None, "B")
        assert sorted(found) == list(range(10, 130, 10))  # each due instant has one row, whichever
        recovered = min(t for t, (v, _) in found.items() if v == 2.0)
        assert recovered <= 80
        assert all(found[t] == (2.0, "N") for t in range(recovered, 121, 10))


def test_a_clock_set_back_does_not_prolong_the_back_off(tmp_path: Path) -> None:
    port = free_port()
    with polling(tmp_path, plant_of(FLOW), device_of(port, at("flow", 0)), start_ms=MIDNIGHT + HOUR) as service:
        service.run_to(HOUR + MINUTE)
        with ModbusServer(holding({0: (2.0, "float32", "ABCD")}), port=port):
            service.clock.set(MIDNIGHT)  # its thread waits on for the instant it knew
            service.pollers[0]._step(MIDNIGHT)
            service.pollers[0]._step(MIDNIGHT + 10 * SECOND)
        assert (10 * SECOND, 2.0, "N") in service.rows()


def test_a_device_without_readings_is_left_alone(tmp_path: Path) -> None:
    with polling(tmp_path, plant_of(FLOW), device_of(1)) as service:
        assert service.pollers[0].health()["state"] == "starting"


def test_a_silent_device_times_out_and_a_retry_within_the_interval_serves_it(tmp_path: Path) -> None:
    plant = plant_of(series("p", "cod_cr", HOUR))
    with ModbusServer(holding({0: (310.0, "float32", "ABCD")})) as server:
        server.silent.set()
        with polling(tmp_path, plant, device_of(server.port, at("cod_cr", 0))) as service:
            service.run_to(HOUR + 5 * SECOND)
            assert service.rows() == []  # the interval is not over
            assert service.pollers[0].health()["errors"] == {"timeout": 1}
            server.silent.clear()
            service.run_to(HOUR + 15 * SECOND)
            assert service.rows() == [(HOUR, 310.0, "N")]  # stamped with the instant it was due
            service.run_to(2 * HOUR - SECOND)
            assert len(server.requests) == 2


def float_words(value: float) -> tuple[int, int]:
    return struct.unpack(">2H", struct.pack(">f", value))  # type: ignore[return-value]


def test_a_late_answer_is_never_taken_for_another_request(tmp_path: Path) -> None:
    """Design §6: each answer comes after the timeout; by then something else is being asked for."""

    def late(server: RawServer, connection: socket.socket, request: bytes) -> None:
        register = int.from_bytes(request[8:10], "big")
        if len(server.requests) <= 4:
            time.sleep(0.45)  # the poller's timeout is 0.3 s
        connection.sendall(answer_to(request, float_words(100.0 if register == 0 else 900.0)))

    with RawServer(late) as server:
        device = device_of(server.port, at("flow", 0), at("level", 900))
        with polling(tmp_path, plant_of(FLOW, LEVEL), device) as service:
            service.run_to(3 * MINUTE)
            for index, value in ((0, 100.0), (1, 900.0)):
                assert {v for _, v, m in service.rows(index) if m == "N"} == {value}
                assert (10 * SECOND, None, "B") in service.rows(index)
        assert server.connections >= 4  # the socket was closed after each timeout


def test_answers_that_lag_by_one_are_never_taken(tmp_path: Path) -> None:
    """A gateway that answers with what was asked before, on the same connection, and keeps it open."""
    before: list[bytes] = []

    def lagging(server: RawServer, connection: socket.socket, request: bytes) -> None:
        register = int.from_bytes(request[8:10], "big")
        before.append(answer_to(request, float_words(100.0 if register == 0 else 900.0)))
        if len(before) > 1:
            connection.sendall(before[-2])

    with RawServer(lagging) as server:
        device = device_of(server.port, at("flow", 0), at("level", 900))
        with polling(tmp_path, plant_of(FLOW, LEVEL), device) as service:
            service.run_to(2 * MINUTE)
            assert {m for i in (0, 1) for _, _, m in service.rows(i)} == {"B"}
            assert len(service.rows(0)) == 11


Broken = Callable[[bytes], bytes]
WORDS = float_words(7.0)
BROKEN: dict[str, Broken] = {
    "another transaction": lambda r: answer_to(r, WORDS, transaction=int.from_bytes(r[:2], "big") + 1),
    "transaction 0": lambda r: answer_to(r, WORDS, transaction=0),
    "another unit": lambda r: answer_to(r, WORDS, unit=9),
    "another function": lambda r: answer_to(r, WORDS, function=4),
    "an exception to another function": lambda r: r[:4] + b"\0\3" + r[6:7] + b"\x84\x02",
    "too few registers": lambda r: answer_to(r, WORDS[:1]),
    "too many registers": lambda r: answer_to(r, (*WORDS, 0, 0)),
    "cut off": lambda r: answer_to(r, WORDS)[:-2],
    "another protocol": lambda r: r[:2] + b"\0\1" + answer_to(r, WORDS)[4:],
    "a byte count that lies": lambda r: answer_to(r, WORDS)[:8] + b"\x02" + answer_to(r, WORDS)[9:],
    "padding in the frame": lambda r: r[:4] + b"\0\x09" + r[6:7] + b"\x03\x04" + answer_to(r, WORDS)[9:] + b"\0\0",
    "an unknown function": lambda r: answer_to(r, WORDS, function=0x55),
    "an empty frame": lambda r: r[:4] + b"\0\1" + r[6:7],
    "noise": lambda r: bytes(range(40)),
    "nothing but the end": lambda r: b"",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_an_improper_answer_is_no_reading_and_the_next_proper_one_is(tmp_path: Path, broken: Broken) -> None:
    """Design §6: a device answers with another's transaction, cut, or something else."""
    healed = False

    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        answer = answer_to(request, WORDS) if healed else broken(request)
        connection.sendall(answer) if answer else connection.close()

    with RawServer(script) as server:
        device = device_of(server.port, at("flow", 0), timeout_ms=100)
        with polling(tmp_path, plant_of(FLOW), device) as service:
            service.run_to(25 * SECOND)
            assert service.rows() == lost(10)
            connections = server.connections
            healed = True
            for minute in range(1, 11):  # a busy machine may take longer than the short timeout
                service.run_to(minute * MINUTE)
                if service.rows()[-1][2] == "N":
                    break
            assert {v for _, v, m in service.rows() if m == "N"} == {7.0}
        assert connections >= 1 and server.connections > connections  # nothing is trusted on the old connection


def test_an_exception_on_one_block_hides_no_other(tmp_path: Path) -> None:
    plant = plant_of(FLOW, LEVEL)
    with ModbusServer(holding({0: (3.0, "float32", "ABCD")})) as server:
        device = device_of(server.port, at("level", 500), at("flow", 0))
        with polling(tmp_path, plant, device) as service:
            service.run_to(35 * SECOND)
            assert service.rows(0) == [(s * SECOND, 3.0, "N") for s in (10, 20, 30)]
            assert service.rows(1) == lost(10, 20)
            health = service.pollers[0].health()
            assert health["state"] == "partly"
            assert "exception 2, illegal data address" in health["series"]["p/level"]["error"]
            assert health["connects"] == 1  # the device answered: no reason to hang up


def test_one_bad_register_hides_neither_its_neighbours_nor_is_it_asked_for_with_them_again(tmp_path: Path) -> None:
    plant = plant_of(*(series("p", f"x{i}") for i in range(6)))
    values = holding({2 * i: (float(i), "float32", "ABCD") for i in range(6) if i != 3})
    with ModbusServer(values) as server:
        device = device_of(server.port, *(at(f"x{i}", 2 * i) for i in range(6)))
        with polling(tmp_path, plant, device) as service:
            service.run_to(15 * SECOND)
            first = len(server.requests)
            service.run_to(25 * SECOND)
            for i in (0, 1, 2, 4, 5):
                assert service.rows(i) == [(10 * SECOND, float(i), "N"), (20 * SECOND, float(i), "N")]
            assert service.rows(3) == lost(10)
    assert first > 3
    assert sorted(server.requests[first:]) == [(3, 0, 6), (3, 6, 2), (3, 8, 4)]


def test_a_gap_that_the_device_does_not_know_is_no_longer_read_across(tmp_path: Path) -> None:
    with ModbusServer(holding({0: (1.0, "float32", "ABCD"), 10: (2.0, "float32", "ABCD")})) as server:
        device = device_of(server.port, at("flow", 0), at("level", 10))
        with polling(tmp_path, plant_of(FLOW, LEVEL), device) as service:
            service.run_to(25 * SECOND)
            assert service.rows(0) == [(10 * SECOND, 1.0, "N"), (20 * SECOND, 1.0, "N")]
            assert service.rows(1) == [(10 * SECOND, 2.0, "N"), (20 * SECOND, 2.0, "N")]
    assert server.requests == [(3, 0, 12), (3, 0, 2), (3, 10, 2), (3, 0, 2), (3, 10, 2)]


def test_a_device_that_is_busy_is_asked_again_without_taking_the_block_apart(tmp_path: Path) -> None:
    plant = plant_of(series("p", "flow", MINUTE), series("p", "level", MINUTE))
    values = holding({0: (1.0, "float32", "ABCD"), 2: (2.0, "float32", "ABCD")})
    with ModbusServer(values) as server:
        server.refuse = ExcCodes.DEVICE_BUSY
        with polling(tmp_path, plant, device_of(server.port, at("flow", 0), at("level", 2))) as service:
            service.run_to(65 * SECOND)
            server.refuse = None
            service.run_to(75 * SECOND)
            assert service.rows(1) == [(MINUTE, 2.0, "N")]
    assert server.requests == [(3, 0, 4)] * 2


def test_a_register_that_is_never_answered_hides_nothing_that_is(tmp_path: Path) -> None:
    """Some probes do not answer at all for a register they do not know."""

    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        if int.from_bytes(request[8:10], "big") == 900:
            connection.sendall(answer_to(request, float_words(9.0)))

    with RawServer(script) as server:
        device = device_of(server.port, at("flow", 0), at("level", 900), timeout_ms=300)
        with polling(tmp_path, plant_of(FLOW, LEVEL), device) as service:
            service.run_to(2 * MINUTE + 5 * SECOND)
            assert {m for _, _, m in service.rows(0)} == {"B"}
            answered = [t for t, _, m in service.rows(1) if m == "N"]
            assert answered[-9:] == [s * SECOND for s in range(40, 130, 10)]


def test_nan_and_infinity_are_invalid_readings_not_missed_ones(tmp_path: Path) -> None:
    values = {0: 0x7FC0, 1: 0, 2: 0x7F80, 3: 0}
    with ModbusServer(values) as server:
        device = device_of(server.port, at("flow", 0), at("level", 2))
        with polling(tmp_path, plant_of(FLOW, LEVEL), device) as service:
            service.run_to(15 * SECOND)
            assert service.rows(0) == [(10 * SECOND, None, "N")]
            ((_, value, mark),) = service.rows(1)
            assert mark == "N" and (value is None or math.isinf(value))


def test_an_integer_and_its_fraction_come_from_one_request(tmp_path: Path) -> None:
    plant = plant_of(series("p", "volume", 10 * SECOND))
    values = holding({8: (123456, "int32", "CDAB"), 10: (0.75, "float32", "CDAB")})
    with ModbusServer(values) as server:
        pair = at("volume", 8, "int32", "CDAB", fraction=RegisterFraction(10, "float32", "CDAB"))
        with polling(tmp_path, plant, device_of(server.port, pair)) as service:
            service.run_to(15 * SECOND)
            assert service.rows() == [(10 * SECOND, 123456.75, "N")]
    assert server.requests == [(3, 8, 4)]


def test_marks_and_units_that_the_device_tells_are_stored(tmp_path: Path) -> None:
    registers = holding({0: (12.5, "float32", "CDAB"), 2: (7.25, "float32", "CDAB")}) | {4: 0, 5: 0x4E}
    codes = (StatusRegister("holding", 5, "uint16", "CDAB", codes=((0x4E, "N"), (0x4D, "M"))),)
    unit = UnitCode("holding", 4, "uint16", "CDAB", ((0, Fraction(18, 5)), (5, Fraction(1))))
    with ModbusServer(registers) as server:
        device = device_of(
            server.port,
            at("flow", 0, order="CDAB", unit_code=unit),
            at("level", 2, order="CDAB", status=codes),
        )
        with polling(tmp_path, plant_of(FLOW, LEVEL), device) as service:
            service.run_to(15 * SECOND)
            server.registers |= {4: 5, 5: 0x4D}
            service.run_to(25 * SECOND)
            assert service.pollers[0].health()["state"] == "ok"
            server.registers |= {4: 77, 5: 0x58}
            service.run_to(35 * SECOND)
            assert service.rows(0) == [(10_000, 45.0, "N"), (20_000, 12.5, "N"), (30_000, None, "N")]
            assert service.rows(1) == [(10_000, 7.25, "N"), (20_000, 7.25, "M"), (30_000, 7.25, "D")]
            health = service.pollers[0].health()
            assert health["state"] == "partly"
            assert "the unit code 77" in health["series"]["p/flow"]["error"]
            assert "the status 88" in health["series"]["p/level"]["error"]
        assert set(server.requests) == {(3, 0, 6)}


def test_a_dead_unit_behind_a_gateway_costs_the_others_nothing(tmp_path: Path) -> None:
    """It keeps the line busy for as long as its timeout, and no longer at each try."""

    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        if request[6] != 8:
            connection.sendall(answer_to(request, float_words(5.0)))

    with RawServer(script) as server:
        units = [
            device_of(server.port, at(name, 0), id=name, unit_id=unit, timeout_ms=300)
            for name, unit in (("flow", 7), ("dead", 8), ("level", 9))
        ]
        plant = plant_of(FLOW, series("p", "dead"), LEVEL, devices=units)
        with polling(tmp_path, plant, *units) as service:
            service.run_to(65 * SECOND)
            for index in (0, 2):
                assert service.rows(index) == [(s * SECOND, 5.0, "N") for s in range(10, 70, 10)]
            assert service.rows(1) == lost(10, 20, 30, 40, 50)
            assert [poller.health()["state"] for poller in service.pollers] == ["ok", "lost", "ok"]


def test_tries_of_devices_begin_apart_and_the_time_is_that_of_the_clock(tmp_path: Path) -> None:
    began: dict[int, list[int]] = {1: [], 2: [], 3: []}
    clock: list[ManualClock] = []

    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        began[request[6]].append(clock[0].now_ms() - MIDNIGHT)
        connection.sendall(answer_to(request, float_words(5.0)))

    with RawServer(script) as one, RawServer(script) as two, RawServer(script) as three:
        servers = (one, two, three)
        devices = [
            device_of(server.port, at(f"x{unit}", 0), id=f"plc{unit}", unit_id=unit, timeout_ms=5000)
            for unit, server in enumerate(servers, 1)
        ]
        plant = plant_of(*(series("p", f"x{unit}") for unit in (1, 2, 3)), devices=devices)
        with polling(tmp_path, plant, *devices) as service:
            clock.append(service.clock)
            service.run_to(22 * SECOND)
            for index in range(3):
                assert service.rows(index) == [(s * SECOND, 5.0, "N") for s in (10, 20)]
    assert began == {1: [10_000, 20_000], 2: [10_333, 20_333], 3: [10_666, 20_666]}


def test_a_suspended_host_owns_up_to_what_it_missed_without_a_storm(tmp_path: Path) -> None:
    with (
        ModbusServer(holding({0: (1.0, "float32", "ABCD")})) as server,
        polling(tmp_path, plant_of(FLOW), device_of(server.port, at("flow", 0))) as service,
    ):
        service.run_to(15 * SECOND)
        service.clock.set(MIDNIGHT + 2 * HOUR + 3 * SECOND)
        service.clock.waiting(1)
        found = service.rows()
    assert found[0] == (10 * SECOND, 1.0, "N")
    assert found[1:-1] == lost(*range(20, 7200, 10))
    assert found[-1] == (2 * HOUR, 1.0, "N")
    assert len(server.requests) == 2


class DiskFull:
    """The journal, with a disk that can be full."""

    def __init__(self, journal: Journal) -> None:
        self.journal, self.full = journal, False

    def append(self, readings: Readings, refused: tuple[Refused, ...] = (), **how: Any) -> AppendCounts:
        if self.full:
            raise StoreUnavailable("disk full")
        return self.journal.append(readings, refused, **how)


def test_polls_count_as_missed_while_nothing_can_be_stored(tmp_path: Path) -> None:
    """Design §6: a commit fails. Afterwards every due instant has its row: a value, or ``B``."""
    plant, clock = plant_of(FLOW), ManualClock(MIDNIGHT)
    with ModbusServer(holding({0: (1.0, "float32", "ABCD")})) as server:
        journal = journal_of(plant, tmp_path / "j")
        store = DiskFull(journal)
        intake = Intake(store, clock)
        intake.start()
        poller = ModbusPoller(device_of(server.port, at("flow", 0)), plant, intake, clock)
        poller.start()
        run_to(clock, 1, MIDNIGHT + 15 * SECOND)
        store.full = True
        run_to(clock, 1, MIDNIGHT + 45 * SECOND)
        assert not intake.storing
        assert "disk full" in poller.health()["series"]["p/flow"]["error"]
        assert rows(journal) == [(10 * SECOND, 1.0, "N")]
        store.full = False
        run_to(clock, 1, MIDNIGHT + 75 * SECOND)
        assert intake.storing
        found = rows(journal)
        poller.stop()
        intake.stop()
        journal.close()
    assert [t // SECOND for t, _, _ in found] == [10, 20, 30, 40, 50, 60, 70]
    assert [m for _, _, m in found[1:3]] == ["B", "B"]
    assert found[-1] == (70 * SECOND, 1.0, "N")


def test_stop_does_not_wait_for_a_silent_device(tmp_path: Path) -> None:
    with ModbusServer({}) as server:
        server.silent.set()
        device = device_of(server.port, at("flow", 0), timeout_ms=60_000)
        with polling(tmp_path, plant_of(FLOW), device) as service:
            service.clock.waiting(1)
            service.clock.set(MIDNIGHT + 10 * SECOND)
            while not server.requests:
                time.sleep(0.005)
            began = time.monotonic()
            service.pollers[0].stop()
            assert time.monotonic() - began < 30
            assert service.rows() == []


def test_a_device_that_does_not_fit_the_plant_is_refused_with_all_reasons(tmp_path: Path) -> None:
    device = device_of(1, at("flow", 65535), at("nonsense", 0))
    with pytest.raises(InputError) as caught:
        series_of(device, plant_of(FLOW))
    assert "p/flow: registers 65535 to 65536" in str(caught.value)
    assert "p/nonsense: no such series" in str(caught.value)
