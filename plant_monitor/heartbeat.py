"""A dead monitor is loud: word to systemd's watchdog, and to an address outside that raises the alarm when it stops.

The monitor cannot tell that it is dead; so it says, again and again, that it is well, and who no longer hears it
acts. systemd restarts a service whose threads have died or hang; the address outside (an uptime service, another
plant's monitor) hears nothing either when readings are not stored, or when the whole machine is gone.
"""

from __future__ import annotations

import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import structlog

from plant_monitor.clock import Clock
from plant_monitor.notify import Beat

log = structlog.get_logger()

TIMEOUT_S = 10.0
SYSTEMD_S = 10.0  # how often systemd is told; WatchdogSec in the unit is a multiple of it


class Heartbeat:
    """A thread that says that all is well. ``alive`` answers with what is amiss, None where nothing is."""

    def __init__(
        self, beat: Beat | None, clock: Clock, *, alive: Callable[[], str | None], storing: Callable[[], bool]
    ) -> None:
        self._beat, self._clock, self._alive, self._storing = beat, clock, alive, storing
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._due_ms = 0
        self._last_ms: int | None = None
        self._error: str | None = None

    def start(self) -> None:
        """Tell systemd that the service is ready, and begin."""
        tell_systemd("READY=1")
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; the outside hears nothing any more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(TIMEOUT_S + 1)

    def health(self) -> dict[str, Any]:
        """When the outside was told last, and what hinders it."""
        return {"outside": self._beat is not None, "last_ms": self._last_ms, "error": self._error}

    def _run(self) -> None:
        while True:
            self.step()
            if self._stop.wait(SYSTEMD_S):
                return

    def step(self) -> None:
        """Say that all is well to whom it is due, if it is."""
        amiss = self._alive()
        if amiss is None:
            tell_systemd("WATCHDOG=1")
        now_ms = self._clock.now_ms()
        if self._beat is None or now_ms < self._due_ms:
            return
        if amiss is None and not self._storing():
            amiss = "readings are not stored"
        self._due_ms = now_ms + self._beat.every_ms
        error = f"not sent, because {amiss}" if amiss is not None else _call(self._beat.url)
        if error is None:
            self._last_ms = now_ms
        if error != self._error:
            log.info("heartbeat goes out again") if error is None else log.error("no heartbeat", reason=error)
        self._error = error


def tell_systemd(state: str) -> None:
    """The protocol of sd_notify(3): a datagram to the socket that systemd has named; without one nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.connect(address)
            to.sendall(state.encode())
    except OSError as error:
        log.error("systemd does not listen", error=str(error))


def _call(url: str) -> str | None:
    """Ask for an address; why that failed, without the address, which may hold a token."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            answer.read(1024)
    except urllib.error.HTTPError as error:
        return f"the address answered {error.code}"
    except (OSError, ValueError) as error:
        return f"the address is not reachable ({type(error).__name__})"
    return None
