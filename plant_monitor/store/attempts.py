"""How it goes with a server: the state that health tells, and how long to wait after a failure."""

from __future__ import annotations

import threading
from typing import Any

import structlog

from plant_monitor.clock import Clock
from plant_monitor.errors import StoreError, StoreUnavailable
from plant_monitor.store.influx import Misconfigured, ServerBusy

log = structlog.get_logger()

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
LONGEST_ASKED_S = 600.0  # a Retry-After beyond is not believed


class Attempts:
    """Success and failure of one thread that sends to InfluxDB.

    ``working`` the word of the state while it takes what is sent · ``loss`` and ``recovery`` what the log says
    at the first failure and after the last.
    """

    def __init__(self, clock: Clock, working: str, loss: str, recovery: str) -> None:
        self._clock, self._working, self._loss, self._recovery = clock, working, loss, recovery
        self._lock = threading.Lock()
        self._state = working  # or waiting | busy | misconfigured | failed
        self._error: str | None = None
        self._since_ms: int | None = None  # since when the server takes nothing
        self._failures = 0
        self._wait_s = FIRST_WAIT_S

    def failed(self, error: Exception) -> float:
        """Note a failure, and log it where it is of a new kind; the seconds to wait before the next try."""
        state = "failed"
        if isinstance(error, StoreUnavailable):
            state = {ServerBusy: "busy", Misconfigured: "misconfigured"}.get(type(error), "waiting")
        told = str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"
        with self._lock:
            changed, self._state, self._error = state != self._state, state, told
            self._since_ms = self._since_ms or self._clock.now_ms()
            self._failures += 1
        if changed:
            log.error(self._loss, error=told, exc_info=not isinstance(error, StoreError))
        asked_s = error.after_s if isinstance(error, ServerBusy) else None
        wait_s = self._wait_s if asked_s is None else max(self._wait_s, min(asked_s, LONGEST_ASKED_S))
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
        return wait_s

    def succeeded(self) -> None:
        """The server takes what is sent."""
        with self._lock:
            recovered, self._state = self._state != self._working, self._working
            self._error = self._since_ms = None
            self._wait_s = FIRST_WAIT_S
        if recovered:
            log.info(self._recovery)

    def health(self) -> dict[str, Any]:
        """State, why, since when, and how many failures since the start."""
        with self._lock:
            return {
                "state": self._state,
                "error": self._error,
                "since_ms": self._since_ms,
                "failures": self._failures,
            }
