"""A network between two ends that tests can cut, and that can go silent without a word."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from servers import LOOPBACK, free_port

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: closing sends RST


class TcpProxy:
    """Passes what comes to ``port`` on to ``target``.

    ``cut()``: connections are reset and new ones refused. ``silence()``: nothing passes any more in either
    direction and nobody is told, as when a cable is pulled or a firewall forgets a connection; new ones find
    no answer either. ``mend()``: new connections pass; those that were silenced never do again.
    """

    host = LOOPBACK

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.passed = 0  # connections
        self._target = target
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._silent = threading.Event()
        self._listener: socket.socket | None = None
        self.mend()

    def cut(self) -> None:
        """The network is down, and says so."""
        self._stop_listening()
        self._reset()

    def silence(self) -> None:
        """The network is down, and nobody hears of it."""
        self._silent.set()

    def mend(self) -> None:
        """The network is back."""
        self._reset()
        self._silent = threading.Event()
        if self._listener is None:
            self._listener = socket.create_server((LOOPBACK, self.port))
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    close = cut

    def __enter__(self) -> TcpProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            silent = self._silent
            try:
                far = socket.create_connection((LOOPBACK, self._target), timeout=5)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open += [near, far]
                self.passed += not silent.is_set()
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pass_on, args=(source, sink, silent), daemon=True).start()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            self._listener.close()
            self._listener = None

    def _reset(self) -> None:
        with self._lock:
            gone, self._open = self._open, []
        for one in gone:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                one.shutdown(socket.SHUT_RD)  # wakes recv()
            one.close()


def _pass_on(source: socket.socket, sink: socket.socket, silent: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if silent.is_set():
                continue  # swallowed: the sender's kernel says that all is well
            sink.sendall(data)
        if not silent.is_set():
            sink.shutdown(socket.SHUT_WR)
