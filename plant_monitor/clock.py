"""The clock as an argument: the service, the demo and the tests differ only in which one they pass.

Time is ms since 1970 UTC. Waiting is part of the clock, so that a simulated day passes at its own pace.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What the edge may ask of time."""

    def now_ms(self) -> int:
        """The present instant."""
        ...

    def wait_until(self, time_ms: int, stop: threading.Event) -> bool:
        """Block until the instant or until ``stop`` is set; True where ``stop`` is set."""
        ...


class SystemClock:
    """The host's clock."""

    def now_ms(self) -> int:
        """The present instant."""
        return time.time_ns() // 1_000_000

    def wait_until(self, time_ms: int, stop: threading.Event) -> bool:
        """Block until the instant or until ``stop`` is set; at most as long as it seemed at the start, so that
        a host clock that is set back keeps nobody waiting: who waits looks at the time again."""
        started = time.monotonic()
        longest = max(0.0, (time_ms - self.now_ms()) / 1000)
        while (left := time_ms - self.now_ms()) > 0 and time.monotonic() - started < longest:
            if stop.wait(min(left / 1000, longest)):
                return True
        return stop.is_set()


class ScaledClock:
    """A clock that runs ``speed`` times as fast as the host's, from a given instant on.

    It is a pure function of the host's time, so two processes that were given the same three numbers
    agree.
    """

    def __init__(self, start_ms: int, host_start_ms: int, speed: float) -> None:
        self.start_ms, self.host_start_ms, self.speed = start_ms, host_start_ms, speed

    def now_ms(self) -> int:
        """The present simulated instant."""
        return self.start_ms + int((time.time_ns() / 1e6 - self.host_start_ms) * self.speed)

    def wait_until(self, time_ms: int, stop: threading.Event) -> bool:
        """Block until the simulated instant or until ``stop`` is set."""
        while (left := time_ms - self.now_ms()) > 0:
            if stop.wait(max(left / self.speed / 1000, 0.001)):
                return True
        return stop.is_set()


class ManualClock:
    """A clock that stands still until it is told the time: for tests, step by step.

    ``waiting(n)`` blocks until ``n`` threads wait on the clock, so that a test can let the service
    finish all it had to do at one instant before it moves to the next.
    """

    def __init__(self, start_ms: int) -> None:
        self._now = start_ms
        self._changed = threading.Condition()
        self._waiters: dict[int, int] = {}  # thread id -> instant it waits for

    def now_ms(self) -> int:
        """The present instant."""
        return self._now

    def wait_until(self, time_ms: int, stop: threading.Event) -> bool:
        """Block until :meth:`set` reaches the instant or ``stop`` is set (looked at each 50 ms)."""
        me = threading.get_ident()
        with self._changed:
            try:
                while self._now < time_ms and not stop.is_set():
                    self._waiters[me] = time_ms
                    self._changed.notify_all()
                    self._changed.wait(0.05)
            finally:
                self._waiters.pop(me, None)
        return stop.is_set()

    def set(self, time_ms: int) -> None:
        """Move to an instant (also backwards) and wake who waits for it."""
        with self._changed:
            self._now = time_ms
            for thread in [t for t, due in self._waiters.items() if due <= time_ms]:
                del self._waiters[thread]  # it is awake from now on, even before it runs
            self._changed.notify_all()

    def waiting(self, threads: int, timeout_s: float = 30.0) -> int:
        """Block until ``threads`` threads wait; the earliest instant any of them waits for.

        Raises
        ------
        TimeoutError  fewer threads wait after ``timeout_s`` of host time
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._waiters) >= threads, timeout_s):
                raise TimeoutError(f"{len(self._waiters)} of {threads} threads wait on the clock")
            return min(self._waiters.values())
