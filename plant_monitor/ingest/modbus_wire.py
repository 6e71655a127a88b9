"""pymodbus's client on a socket of ours: one deadline a request, TLS with a checked name, reads alone.

pymodbus builds and decodes the frames. The socket is ours because a request must end at its deadline however
its bytes trickle in, because the name in a certificate must be checked, and because what is sent passes one
door, which lets the functions 1 to 4 through and nothing else: this product cannot write to a device.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
import time

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ConnectionException
from pymodbus.framer import FramerType

from plant_monitor.errors import SourceError
from plant_monitor.plant import ModbusDevice

READS = frozenset({1, 2, 3, 4})  # the only functions that are ever sent
LONGEST_ANSWER = 4096  # far beyond any frame: a server that talks on is not answering

# pymodbus logs each failed request as an error; this product tells a change of state once.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


class NotARead(SourceError):
    """Something else than a read was about to be sent; it was not."""

    def __init__(self, function: int) -> None:
        super().__init__(f"function {function} is no read and was not sent", retry=False)


class ClosedByPeer(ConnectionException):
    """The other end has closed the connection."""


class Wire(ModbusTcpClient):
    """One connection, from :meth:`open` to :meth:`close`. For one thread at a time."""

    def __init__(self, device: ModbusDevice, context: ssl.SSLContext | None) -> None:
        self.rtu = device.framing == "rtu"
        framer = FramerType.RTU if self.rtu else FramerType.SOCKET
        super().__init__(device.host, port=device.port, framer=framer, retries=0, name=device.id)
        self._context = context
        self._arrived = select.poll()
        self._patience_s: float | None = None  # the socket's timeout
        self._deadline = 0.0
        self.received = b""  # since the last request

    def open(self, timeout_s: float) -> None:
        """Connect.

        Raises
        ------
        OSError     no connection, or no TLS on it
        ValueError  a host name that cannot be one
        """
        address = (self.comm_params.host, self.comm_params.port)
        sock = socket.create_connection(address, timeout=timeout_s)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_hostname=self.comm_params.host)
        except BaseException:
            sock.close()
            raise
        self.socket, self._patience_s = sock, timeout_s
        self._arrived.register(sock, select.POLLIN)

    def begin(self, timeout_s: float) -> float:
        """The next request has this long, from now, for all its bytes; the ``time.monotonic()`` of now."""
        now = time.monotonic()
        self._deadline = now + timeout_s
        self.comm_params.timeout_connect = timeout_s  # what pymodbus looks at
        self.received = b""
        self._wait_at_most(timeout_s)
        return now

    def quiet(self) -> bool:
        """False where something came that nobody asked for, or the other end has hung up."""
        if self.socket is None:
            return False
        if self._context is None:
            return not self._arrived.poll(0)
        try:  # what arrives under TLS need not be for us
            self._wait_at_most(0.0)
            self.socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def _wait_at_most(self, seconds: float) -> None:
        if seconds != self._patience_s and self.socket is not None:
            self.socket.settimeout(seconds)
            self._patience_s = seconds

    def close(self) -> None:
        """Close the socket, if there is one."""
        if self.socket is not None:
            self.socket.close()
        self.socket = None

    def interrupt(self) -> None:
        """Make a request that waits in another thread fail now."""
        sock = self.socket
        if sock is not None:
            with contextlib.suppress(OSError):  # it may be closed already
                sock.shutdown(socket.SHUT_RDWR)

    # --- what pymodbus calls -------------------------------------------------------------------

    def connect(self) -> bool:
        """Whether there is a connection; it is never made on the way."""
        return self.socket is not None

    def send(self, request: bytes, addr: tuple[str, int] | None = None) -> int:
        """Send a frame, if it is a read."""
        function = request[1] if self.rtu else request[7]
        if function not in READS:
            raise NotARead(function)
        if self.socket is None:
            raise ClosedByPeer("no connection")
        try:
            self.socket.sendall(request)
        except (ConnectionError, ssl.SSLEOFError) as error:
            raise ClosedByPeer(str(error)) from error
        return len(request)

    def recv(self, size: int | None) -> bytes:
        """What arrives next; empty when the request's time is over."""
        if self.socket is None:
            raise ClosedByPeer("no connection")
        if self.received:  # what follows has the rest of the time
            left = self._deadline - time.monotonic()
            if left <= 0 or len(self.received) > LONGEST_ANSWER:
                return b""
            self._wait_at_most(left)
        try:
            data = self.socket.recv(size or LONGEST_ANSWER)
        except TimeoutError:
            return b""
        except (ConnectionError, ssl.SSLEOFError) as error:
            raise ClosedByPeer(str(error)) from error
        if not data:
            raise ClosedByPeer("the other end closed the connection")
        self.received += data
        return data
