"""The connection to a device: framings, TLS, gateways, and what is never taken for an answer."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from certificates import Authority
from field_parts import ModbusServer, RawServer, answer_to, device_of, rtu_answer_to, soon
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.framer import FramerType

from plant_monitor.errors import InputError
from plant_monitor.ingest.blocks import Block
from plant_monitor.ingest.modbus_link import ExceptionAnswer, Lines, LinkLost, ModbusLink
from plant_monitor.ingest.modbus_wire import NotARead, Wire
from plant_monitor.plant import ModbusDevice, TlsFiles

FIVE = Block("holding", 0, 5)
TWO = Block("holding", 0, 2)
HELD = {i: 100 + i for i in range(10)}


@contextlib.contextmanager
def linked(device: ModbusDevice, lines: Lines | None = None) -> Iterator[ModbusLink]:
    link = (lines or Lines()).link(device)
    link.start()
    try:
        yield link
    finally:
        link.leave()


# --- framings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["holding", "input"])
def test_rtu_over_tcp(table: str) -> None:
    with ModbusServer(HELD, framer=FramerType.RTU) as server, linked(device_of(server.port, framing="rtu")) as link:
        assert link.read(Block(table, 0, 5)) == [100, 101, 102, 103, 104]
        with pytest.raises(ExceptionAnswer, match="exception 2, illegal data address"):
            link.read(Block(table, 8, 5))
        assert link.read(Block(table, 9, 1)) == [109]
        assert link.connects == 1


def test_bits_come_as_0_and_1() -> None:
    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        connection.sendall(request[:4] + b"\0\5" + request[6:8] + b"\x02\x05\x02")

    with RawServer(script) as server, linked(device_of(server.port)) as link:
        assert link.read(Block("coil", 7, 10)) == [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]
        assert link.read(Block("discrete", 7, 10)) == [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert [request[7] for request in server.requests] == [1, 2]


WORDS = [7, 8]
BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "a wrong checksum": lambda r: rtu_answer_to(r, WORDS)[:-1] + b"\0",
    "another unit": lambda r: rtu_answer_to(b"\x09" + r[1:], WORDS),
    "another function": lambda r: rtu_answer_to(r[:1] + b"\4" + r[2:], WORDS),
    "too few registers": lambda r: rtu_answer_to(r, WORDS[:1]),
    "too many registers": lambda r: rtu_answer_to(r, [*WORDS, 9]),
    "two answers": lambda r: rtu_answer_to(r, WORDS) * 2,
    "cut off": lambda r: rtu_answer_to(r, WORDS)[:-3],
    "noise before the answer": lambda r: b"\0" + rtu_answer_to(r, WORDS),
    "a frame of Modbus TCP": lambda r: b"\0\1\0\0\0\7" + rtu_answer_to(r, WORDS)[:-2],
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_an_improper_frame_of_a_serial_line_is_no_reading(broken: Callable[[bytes], bytes]) -> None:
    healed = False

    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        connection.sendall(rtu_answer_to(request, WORDS) if healed else broken(request))

    with RawServer(script) as server, linked(device_of(server.port, framing="rtu", timeout_ms=100)) as link:
        with pytest.raises(LinkLost):
            link.read(TWO)
        healed = True
        assert link.read(TWO) == WORDS
        assert server.connections == 2  # nothing is trusted on the old one


def test_what_a_converter_delivers_to_a_new_connection_is_not_taken() -> None:
    """Its serial line answers too late, and it hands the answer to whoever is connected by then."""
    late: list[bytes] = []

    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        if server.connections == 1:
            late.append(rtu_answer_to(request, [1, 1]))
        else:
            connection.sendall(rtu_answer_to(request, WORDS))

    def greet(connection: socket.socket) -> None:
        for frame in late:
            connection.sendall(frame)
        late.clear()

    with (
        RawServer(script, greet=greet) as server,
        linked(device_of(server.port, framing="rtu", timeout_ms=100)) as link,
    ):
        with pytest.raises(LinkLost, match="no answer within"):
            link.read(TWO)
        with pytest.raises(LinkLost, match="nobody asked for"):
            link.read(TWO)
        assert link.read(TWO) == WORDS


# --- time ------------------------------------------------------------------------------------------


def test_an_answer_in_drops_ends_at_the_timeout() -> None:
    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        for byte in answer_to(request, list(range(100))):
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    with RawServer(script) as server, linked(device_of(server.port, timeout_ms=200)) as link:
        with pytest.raises(LinkLost) as caught:
            link.read(Block("holding", 0, 100))
        assert caught.value.kind == "timeout"


def test_an_answer_in_two_parts_is_one() -> None:
    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        answer = answer_to(request, WORDS)
        connection.sendall(answer[:5])
        time.sleep(0.02)
        connection.sendall(answer[5:])

    with RawServer(script) as server, linked(device_of(server.port)) as link:
        assert link.read(TWO) == WORDS


def test_the_least_pause_between_requests_is_kept() -> None:
    came: list[float] = []

    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        came.append(time.monotonic())
        connection.sendall(answer_to(request, WORDS))

    with RawServer(script) as server:
        lines = Lines()
        slow = device_of(server.port, id="slow", min_delay_ms=30)
        quick = device_of(server.port, id="quick", unit_id=2)  # what one on the line needs holds for all
        with linked(slow, lines) as first, linked(quick, lines) as second:
            for link in (first, second, first, second):
                link.read(TWO)
    assert all(later - earlier >= 0.03 for earlier, later in itertools.pairwise(came))


def test_an_idle_connection_that_the_device_closes_costs_no_reading() -> None:
    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        connection.sendall(answer_to(request, WORDS))
        connection.shutdown(socket.SHUT_RDWR)

    with RawServer(script) as server, linked(device_of(server.port)) as link:
        for _ in range(5):
            assert link.read(TWO) == WORDS
        assert link.connects == 5


def test_a_half_open_connection_is_given_up() -> None:
    """The device was restarted and knows nothing of a connection on which nothing comes back."""

    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        if server.connections != 2:  # the second is half open
            connection.sendall(answer_to(request, WORDS))
        if server.connections == 1:
            connection.shutdown(socket.SHUT_RDWR)

    with RawServer(script) as server, linked(device_of(server.port, timeout_ms=100)) as link:
        assert link.read(TWO) == WORDS
        with pytest.raises(LinkLost, match="no answer within"):
            link.read(TWO)
        assert link.read(TWO) == WORDS
        assert link.connects == 3


# --- a gateway -------------------------------------------------------------------------------------


def test_units_behind_one_gateway_share_a_connection() -> None:
    with ModbusServer({0: 11, 1: 11}, others={2: {0: 22, 1: 22}, 3: {0: 33, 1: 33}}) as server:
        lines = Lines()
        with contextlib.ExitStack() as stack:
            links = [
                stack.enter_context(linked(device_of(server.port, id=f"unit{u}", unit_id=u), lines)) for u in (1, 2, 3)
            ]
            found: dict[int, list[list[int]]] = {0: [], 1: [], 2: []}

            def ask(i: int) -> None:
                for _ in range(50):
                    found[i].append(list(links[i].read(TWO)))

            threads = [threading.Thread(target=ask, args=(i,)) for i in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert found == {0: [[11, 11]] * 50, 1: [[22, 22]] * 50, 2: [[33, 33]] * 50}
            assert server.connections == 1


def test_the_gateway_says_that_nobody_answers_behind_it() -> None:
    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        connection.sendall(request[:4] + b"\0\3" + request[6:7] + b"\x83\x0b")

    with (
        RawServer(script) as server,
        linked(device_of(server.port)) as link,
        pytest.raises(ExceptionAnswer, match="gateway target did not respond"),
    ):
        link.read(TWO)


def test_who_waits_for_the_line_can_be_stopped_alone() -> None:
    answer = threading.Event()

    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        answer.wait(20)
        connection.sendall(answer_to(request, WORDS))

    with RawServer(script) as server:
        lines = Lines()
        first_device = device_of(server.port, id="first", timeout_ms=20_000)
        with linked(first_device, lines) as first, linked(replace(first_device, id="second"), lines) as second:
            got: list[object] = []
            asking = threading.Thread(target=lambda: got.append(first.read(TWO)))
            asking.start()
            soon(lambda: server.requests)

            def wait() -> None:
                try:
                    second.read(TWO)
                except LinkLost as error:
                    got.append(str(error))

            waiting = threading.Thread(target=wait)
            waiting.start()
            second.interrupt()
            waiting.join(10)
            assert got == ["second: stopped"]
            answer.set()
            asking.join(10)
            assert got == ["second: stopped", WORDS]


# --- TLS -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("modbus") / "authority")


def server_context(authority: Authority, *, ask: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("127.0.0.1"))
    if ask:
        context.load_verify_locations(authority.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_modbus_over_tls_checks_who_answers(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger")
    with ModbusServer(HELD, tls=server_context(authority)) as server:
        with linked(device_of(server.port, tls=TlsFiles(str(authority.ca)), timeout_ms=5000)) as link:
            for _ in range(3):
                assert link.read(FIVE) == [100, 101, 102, 103, 104]
            assert link.connects == 1
        for tls in (TlsFiles(str(stranger.ca)), TlsFiles()):
            with linked(device_of(server.port, tls=tls, timeout_ms=5000)) as link:
                with pytest.raises(LinkLost, match="certificate") as caught:
                    link.read(FIVE)
                assert caught.value.kind == "connect"
        with linked(device_of(server.port, timeout_ms=300)) as link, pytest.raises(LinkLost):
            link.read(FIVE)  # in the clear


def test_a_device_that_asks_for_our_certificate(authority: Authority) -> None:
    certificate, key = authority.issue("plant-monitor", password="geheim")
    own = TlsFiles(str(authority.ca), str(certificate), str(key), "geheim")
    with ModbusServer(HELD, tls=server_context(authority, ask=True)) as server:
        with linked(device_of(server.port, tls=own, timeout_ms=5000)) as link:
            assert link.read(FIVE) == [100, 101, 102, 103, 104]
        unknown = device_of(server.port, tls=TlsFiles(str(authority.ca)), timeout_ms=5000)
        with linked(unknown) as link, pytest.raises(LinkLost):
            link.read(FIVE)


def test_certificates_that_cannot_be_used_are_told_at_once(authority: Authority) -> None:
    certificate, key = authority.issue("other", password="geheim")
    with pytest.raises(InputError, match=r"device plc: tls\.certificate"):
        Lines().link(device_of(802, tls=TlsFiles(str(authority.ca), str(certificate), str(key), "falsch")))


# --- what is sent and what is believed -------------------------------------------------------------


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
def test_nothing_but_a_read_can_leave(framing: str) -> None:
    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        connection.sendall(request)

    with RawServer(script) as server:
        wire = Wire(device_of(server.port, framing=framing), None)
        wire.open(1)
        wire.begin(1)
        attempts: list[Callable[[], object]] = [
            lambda: wire.write_register(0, 1),
            lambda: wire.write_registers(0, [1]),
            lambda: wire.write_coil(0, True),
            lambda: wire.write_coils(0, [True]),
            lambda: wire.mask_write_register(address=0, and_mask=1, or_mask=1),
            lambda: wire.readwrite_registers(read_address=0, read_count=1, write_address=0, values=[1]),
            lambda: wire.diag_restart_communication(toggle=True),
        ]
        for attempt in attempts:
            with pytest.raises(NotARead):
                attempt()
        wire.close()
        with linked(device_of(server.port, framing=framing, timeout_ms=100)) as link, pytest.raises(LinkLost):
            link.read(TWO)
    assert len(server.requests) == 1  # the read alone


ANSWERS = st.one_of(
    st.binary(max_size=40),
    st.tuples(st.integers(0, 3), st.integers(0, 255), st.binary(max_size=12)).map(
        lambda t: b"=" + bytes(2) + (len(t[2]) + 2).to_bytes(2, "big") + bytes([t[0], t[1]]) + t[2]
    ),
)  # "=" stands for the transaction that was asked for


@pytest.fixture(scope="module")
def echo() -> Iterator[tuple[RawServer, list[bytes]]]:
    """A server that sends what stands in the list, then hangs up."""
    answer = [b""]

    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        connection.sendall(answer[0].replace(b"=", request[:2], 1))
        connection.shutdown(socket.SHUT_RDWR)

    with RawServer(script) as server:
        yield server, answer


@settings(max_examples=150, deadline=None)
@given(ANSWERS, st.sampled_from(["holding", "coil"]), st.integers(1, 4))
def test_whatever_comes_only_the_proper_answer_is_one(
    echo: tuple[RawServer, list[bytes]], answer: bytes, table: str, count: int
) -> None:
    server, sends = echo
    sends[0] = answer
    with linked(device_of(server.port, timeout_ms=1000)) as link:
        try:
            found = link.read(Block(table, 0, count))
        except (LinkLost, ExceptionAnswer):
            return
    size = -(-count // 8) if table == "coil" else 2 * count
    assert answer[:1] == b"=" and answer[3:] == bytes([0, 3 + size, 1, 1 if table == "coil" else 3, size]) + answer[8:]
    assert len(answer) == 8 + size and len(found) == count
