"""The connection to a Modbus device: reads of registers and bits, and nothing else.

Devices with one address (unit ids behind a gateway) share one connection, on which one request is under way at
a time. After anything but a proper answer the socket is closed, so that an answer that comes late has no
connection to arrive on. Every failure leaves as a :class:`~plant_monitor.errors.SourceError`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Sequence

from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from plant_monitor.errors import SourceError
from plant_monitor.ingest.blocks import Block
from plant_monitor.ingest.modbus_wire import ClosedByPeer, Wire
from plant_monitor.ingest.registers import BIT_TABLES
from plant_monitor.ingest.tls import client_context
from plant_monitor.plant import ModbusDevice

FUNCTION_CODES = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
ILLEGAL = frozenset({1, 2, 3})  # function, address, value: asking again for the same cannot help
NOBODY = frozenset({10, 11})  # a gateway says that the device behind it does not answer
# A converter may deliver to a new connection what came over its serial line while there was none.
SETTLE_S = 0.1
_EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target did not respond",
}


class LinkLost(SourceError):
    """No proper answer: not reachable, too late, or not what was asked for."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind  # connect | timeout | protocol | gateway
        super().__init__(message)


class ExceptionAnswer(SourceError):
    """The device answered, with a Modbus exception."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message, retry=code not in ILLEGAL)


class ModbusLink:
    """A device's way to its connection. For one thread; :meth:`interrupt` may come from any."""

    def __init__(self, device: ModbusDevice, line: Line) -> None:
        self.device = device
        self.timeout_s = device.timeout_ms / 1000
        self.stopped = threading.Event()
        self._rest_until = 0.0  # monotonic; no request to the device before
        self._line = line

    @property
    def connects(self) -> int:
        """Connections made so far, also for others that share them."""
        return self._line.connects

    def start(self) -> None:
        """Be there for reads again after :meth:`interrupt`."""
        self.stopped.clear()
        self._line.join(self)

    def leave(self) -> None:
        """Need the connection no more; the last one who does closes it."""
        self._line.leave(self)

    def close(self) -> None:
        """Close the socket, if there is one; the next read makes another."""
        self._line.close(self)

    def interrupt(self) -> None:
        """Make a read that waits in another thread fail now, and every further one until :meth:`start`."""
        self.stopped.set()
        self._line.interrupt(self)

    def read(self, block: Block) -> Sequence[int]:
        """The block's registers, or its bits as 0 and 1.

        Raises
        ------
        LinkLost         no proper answer within the device's timeout
        ExceptionAnswer  the device refused
        """
        self.wait(self._rest_until)
        try:
            return self._line.read(self, block)
        except LinkLost as error:
            if error.kind == "timeout" and self.device.framing == "rtu":
                # Frames of a serial line name no request. What a converter still gets out of the device must
                # find nobody who asks the same again.
                self._rest_until = time.monotonic() + self.timeout_s
            raise

    def wait(self, until: float) -> None:
        """Wait for a moment of ``time.monotonic()``.

        Raises
        ------
        LinkLost  the link was interrupted meanwhile
        """
        left = until - time.monotonic()
        if self.stopped.wait(left) if left > 0 else self.stopped.is_set():
            raise LinkLost("connect", f"{self.device.id}: stopped")


class Lines:
    """The lines to all devices: one for each address, whoever asks there."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, int], Line] = {}

    def link(self, device: ModbusDevice) -> ModbusLink:
        """A device's way to its connection, which it shares with those at the same address.

        Raises
        ------
        InputError  a certificate or key of its TLS cannot be used
        """
        line = self._lines.setdefault((device.host, device.port), Line(device))
        line.rest(device.min_delay_ms)
        return ModbusLink(device, line)


class Line:
    """One TCP connection, made when needed, and the queue of those who use it."""

    def __init__(self, device: ModbusDevice) -> None:
        self._device = device  # for what all who share the line have in common
        self._context = None if device.tls is None else client_context(f"device {device.id}", device.tls)
        self._wire: Wire | None = None
        self._transaction = 0
        self._delay_s = 0.0
        self._free_at = 0.0  # monotonic; no request before
        self._turn = threading.Condition()  # guards the three below
        self._users: set[ModbusLink] = set()
        self._queue: deque[ModbusLink] = deque()
        self._asking: ModbusLink | None = None
        self.connects = 0

    def rest(self, delay_ms: int) -> None:
        """Pause at least this long between an answer and the next request: what the slowest who share it need."""
        self._delay_s = max(self._delay_s, delay_ms / 1000)

    # --- who uses it ---------------------------------------------------------------------------

    def join(self, link: ModbusLink) -> None:
        """Keep the line open for a link."""
        with self._turn:
            self._users.add(link)

    def leave(self, link: ModbusLink) -> None:
        """A link needs the line no more."""
        with self._turn:
            self._users.discard(link)
            if not self._users and self._asking is None:
                self._hang_up()

    def close(self, link: ModbusLink) -> None:
        """Hang up, when nobody else is asking."""
        with contextlib.suppress(LinkLost):
            self._take(link)
            self._hang_up()
            self._give()

    def interrupt(self, link: ModbusLink) -> None:
        """End a link's waiting, for its turn or for its answer. Others are left alone."""
        with self._turn:
            self._turn.notify_all()
            wire = self._wire if self._asking is link else None
        if wire is not None:
            wire.interrupt()

    def _take(self, link: ModbusLink) -> None:
        """Wait for the link's turn: one request at a time, in the order they came."""
        with self._turn:
            if self._asking is not None or self._queue:
                self._queue.append(link)
                try:
                    self._turn.wait_for(
                        lambda: link.stopped.is_set() or (self._asking is None and self._queue[0] is link)
                    )
                finally:
                    self._queue.remove(link)
                    self._turn.notify_all()
            if link.stopped.is_set():
                raise LinkLost("connect", f"{link.device.id}: stopped")
            self._asking = link

    def _give(self) -> None:
        with self._turn:
            self._asking = None
            if self._queue:
                self._turn.notify_all()

    # --- one request ---------------------------------------------------------------------------

    def read(self, link: ModbusLink, block: Block) -> Sequence[int]:
        """See :meth:`ModbusLink.read`."""
        self._take(link)
        try:
            link.wait(self._free_at)
            return self._answer(link, block)
        except LinkLost:
            self._hang_up()
            raise
        finally:
            self._free_at = time.monotonic() + self._delay_s
            self._give()

    def _answer(self, link: ModbusLink, block: Block) -> Sequence[int]:
        wire = self._wire
        if wire is not None and not wire.quiet():
            self._hang_up()
            wire = None
        if wire is not None:
            try:
                return self._exchange(wire, link, block)
            except _HungUp:
                # An idle connection was closed just as we asked. Nothing was answered, and reads may be repeated.
                self._hang_up()
        return self._exchange(self._connected(link), link, block)

    def _exchange(self, wire: Wire, link: ModbusLink, block: Block) -> Sequence[int]:
        began = wire.begin(link.timeout_s)
        try:
            answer = _ask(wire, link.device.unit_id, block)
        except (ModbusException, OSError) as error:
            if isinstance(error, ClosedByPeer) and not wire.received and not link.stopped.is_set():
                raise _HungUp("protocol", f"{_where(link.device, block)}: broken answer ({error})") from error
            late = time.monotonic() - began >= link.timeout_s
            kind = "timeout" if late else "protocol"
            told = f"no answer within {link.timeout_s:g} s" if late else f"broken answer ({error})"
            raise LinkLost(kind, f"{_where(link.device, block)}: {told}") from error
        problem = _improper(wire, link.device.unit_id, block, answer)
        if problem is not None:
            raise LinkLost("protocol", f"{_where(link.device, block)}: found {problem}")
        if answer.isError():
            code = answer.exception_code
            name = _EXCEPTIONS.get(code, "unknown exception")
            raise ExceptionAnswer(code, f"{_where(link.device, block)}: exception {code}, {name}")
        if block.table in BIT_TABLES:
            return [int(bit) for bit in answer.bits[: block.count]]
        return list(answer.registers)

    def _connected(self, link: ModbusLink) -> Wire:
        wire = Wire(self._device, self._context)
        try:
            wire.open(link.timeout_s)
        except (OSError, ValueError) as error:  # ValueError: a host name that is none
            raise LinkLost("connect", f"{_address(self._device)}: no connection ({error})") from error
        # Transactions go on counting over connections: a gateway that mixes them up finds no match.
        wire.transaction.next_tid = self._transaction
        self._wire = wire
        self.connects += 1
        if wire.rtu:
            link.wait(time.monotonic() + SETTLE_S)
            if not wire.quiet():
                raise LinkLost("protocol", f"{_address(self._device)}: bytes that nobody asked for")
        elif link.stopped.is_set():
            raise LinkLost("connect", f"{link.device.id}: stopped")
        return wire

    def _hang_up(self) -> None:
        if self._wire is not None:
            self._transaction = self._wire.transaction.next_tid
            self._wire.close()
            self._wire = None


class _HungUp(LinkLost):
    """The connection was closed before a byte of an answer came."""


def _ask(wire: Wire, unit: int, block: Block) -> ModbusPDU:
    match block.table:
        case "coil":
            return wire.read_coils(block.first, count=block.count, device_id=unit)
        case "discrete":
            return wire.read_discrete_inputs(block.first, count=block.count, device_id=unit)
        case "holding":
            return wire.read_holding_registers(block.first, count=block.count, device_id=unit)
        case _:
            return wire.read_input_registers(block.first, count=block.count, device_id=unit)


def _improper(wire: Wire, unit: int, block: Block, answer: ModbusPDU) -> str | None:
    """What is wrong with the frame of an answer, to the byte; None where it is the one that was due.

    pymodbus skips what it does not know and reads past what does not fit. A value is only taken from a frame
    whose every byte is as the protocol says.
    """
    code = FUNCTION_CODES[block.table]
    size = -(-block.count // 8) if block.table in BIT_TABLES else 2 * block.count
    if wire.rtu:
        frame, before, after = wire.received, 0, 2  # the whole of what came, or it is not one answer; CRC
    else:
        frame, before, after = _own_frame(wire.received, answer.transaction_id), 6, 0
    if len(frame) < before + 3 or frame[before] != unit:
        return f"a frame of {len(frame)} bytes that is not the device's"
    function = frame[before + 1]
    if function == code | 0x80 and answer.isError():
        return None
    if function != code or answer.isError():
        return f"an answer to function {function & 0x7F}"
    wanted = before + 3 + size + after
    if len(frame) != wanted or frame[before + 2] != size:
        return f"a frame of {len(frame)} bytes where {wanted} were due"
    return None


def _own_frame(received: bytes, transaction: int) -> bytes:
    """The frame of a transaction among those received (strays of other transactions before it)."""
    while len(received) >= 8:
        length = 6 + int.from_bytes(received[4:6], "big")
        if int.from_bytes(received[:2], "big") == transaction:
            return received[:length]
        received = received[length:]
    return b""


def _address(device: ModbusDevice) -> str:
    return f"{device.host}:{device.port}"


def _where(device: ModbusDevice, block: Block) -> str:
    last = block.first + block.count - 1
    return f"{_address(device)} unit {device.unit_id} {block.table} {block.first}-{last}"
