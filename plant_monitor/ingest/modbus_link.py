"""One TCP connection to a Modbus device: reads of registers and bits, and nothing else.

The only functions ever sent are 1 to 4; no function that writes exists here. After anything but a
proper answer the socket is closed, so that an answer that comes late has no connection to arrive on.
Every failure leaves as a :class:`~plant_monitor.errors.SourceError`.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Sequence

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from plant_monitor.errors import SourceError
from plant_monitor.ingest.registers import BIT_TABLES, Block
from plant_monitor.plant import ModbusDevice

FUNCTION_CODES = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
ILLEGAL = frozenset({1, 2, 3})  # function, address, value: asking again for the same cannot help
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

# pymodbus logs each failed request as an error; this product tells a change of state once.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


class LinkLost(SourceError):
    """No proper answer: not reachable, too late, or not what was asked for. The socket is closed."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind  # connect | timeout | protocol
        super().__init__(message)


class ExceptionAnswer(SourceError):
    """The device answered, with a Modbus exception."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message, retry=code not in ILLEGAL)


def _own_frame(received: bytes, transaction: int) -> bytes:
    """The frame of a transaction among those received (strays of other transactions before it)."""
    while len(received) >= 8:
        length = 6 + int.from_bytes(received[4:6], "big")
        if int.from_bytes(received[:2], "big") == transaction:
            return received[:length]
        received = received[length:]
    return b""


class ModbusLink:
    """A connection that is made when needed. For one thread; :meth:`interrupt` may come from any."""

    def __init__(self, device: ModbusDevice) -> None:
        self._device = device
        self._timeout_s = device.timeout_ms / 1000
        self._client: ModbusTcpClient | None = None
        self._received = b""
        self._transaction = 0
        self.connects = 0  # connections made so far

    def close(self) -> None:
        """Close the socket, if there is one."""
        if self._client is not None:
            self._transaction = self._client.transaction.next_tid
            self._client.close()
            self._client = None

    def interrupt(self) -> None:
        """Make a read that waits in another thread fail now."""
        client = self._client
        sock = client.socket if client is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):  # it may be closed already
                sock.shutdown(socket.SHUT_RDWR)

    def read(self, block: Block) -> Sequence[int]:
        """The block's registers, or its bits as 0 and 1.

        Raises
        ------
        LinkLost         no proper answer within the device's timeout
        ExceptionAnswer  the device refused
        """
        client = self._connected()
        began = time.monotonic()
        try:
            answer = self._ask(client, block)
        except (ModbusException, OSError) as error:
            self.close()
            late = time.monotonic() - began >= self._timeout_s
            kind = "timeout" if late else "protocol"
            told = f"no answer within {self._timeout_s:g} s" if late else f"broken answer ({error})"
            raise LinkLost(kind, f"{self._where(block)}: {told}") from error
        code = FUNCTION_CODES[block.table]
        if answer.isError():
            if answer.function_code != code | 0x80:
                raise self._improper(block, f"an exception to function {answer.function_code & 0x7F}")
            exception = answer.exception_code
            name = _EXCEPTIONS.get(exception, "unknown exception")
            raise ExceptionAnswer(exception, f"{self._where(block)}: exception {exception}, {name}")
        if answer.function_code != code:
            raise self._improper(block, f"an answer to function {answer.function_code}")
        return self._payload(block, answer)

    def _payload(self, block: Block, answer: ModbusPDU) -> Sequence[int]:
        bits = block.table in BIT_TABLES
        size = -(-block.count // 8) if bits else 2 * block.count
        frame = _own_frame(self._received, answer.transaction_id)
        if len(frame) != 9 + size or frame[8] != size:
            raise self._improper(block, f"a frame of {len(frame)} bytes where {9 + size} were due")
        if bits:
            return [int(b) for b in answer.bits[: block.count]]
        return list(answer.registers)

    def _ask(self, client: ModbusTcpClient, block: Block) -> ModbusPDU:
        unit = self._device.unit_id
        match block.table:
            case "coil":
                return client.read_coils(block.first, count=block.count, device_id=unit)
            case "discrete":
                return client.read_discrete_inputs(block.first, count=block.count, device_id=unit)
            case "holding":
                return client.read_holding_registers(block.first, count=block.count, device_id=unit)
            case _:
                return client.read_input_registers(block.first, count=block.count, device_id=unit)

    def _connected(self) -> ModbusTcpClient:
        if self._client is not None and self._client.connected:
            return self._client
        self.close()
        device = self._device
        client = ModbusTcpClient(
            device.host,
            port=device.port,
            timeout=self._timeout_s,
            retries=0,
            name=device.id,
            trace_packet=self._keep,
        )
        if not client.connect():
            raise LinkLost("connect", f"{device.host}:{device.port}: no connection")
        # Transactions go on counting over connections: a gateway that mixes them up finds no match.
        client.transaction.next_tid = self._transaction
        self._client = client
        self.connects += 1
        return client

    def _keep(self, sending: bool, data: bytes) -> bytes:
        if not sending:
            self._received = data
        return data

    def _improper(self, block: Block, found: str) -> LinkLost:
        self.close()
        return LinkLost("protocol", f"{self._where(block)}: found {found}")

    def _where(self, block: Block) -> str:
        last = block.first + block.count - 1
        return f"{self._device.host}:{self._device.port} unit {self._device.unit_id} {block.table} {block.first}-{last}"
