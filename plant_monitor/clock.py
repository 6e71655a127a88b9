"""The clock as an argument: the service, the demo and the tests differ only in which one they pass.

Time is ms since 1970 UTC. Waiting is part of the clock, so that a simulated day passes at its own pace.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

STEP_NS = 2_000_000_000  # a clock that is off by more was set; by less, slewed
ACCEPT_NS = 600_000_000_000  # how long a step forward has to last
LONGEST_WAIT_S = 60.0  # then the clock is looked at again: waiting does not count a suspension
SUSPENDED_NS = 100_000_000  # between two looks at once


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The host's clock was set."""

    at_ms: int  # when, by the time that went on
    by_ms: int  # how far it is off since then; negative: it was set back


class Clock(Protocol):
    """What the edge may ask of time."""

    steps: tuple[ClockStep, ...]  # how often it was found to have been set, since the start

    @property
    def trusted(self) -> bool:
        """Whether the present was known when it was last asked for; else nothing can be said to lie ahead of it."""
        ...

    def now_ms(self) -> int:
        """The present instant."""
        ...

    def wait_until(self, time_ms: int, stop: threading.Event) -> bool:
        """Block until the instant or until ``stop`` is set; True where ``stop`` is set."""
        ...


class SystemClock:
    """The host's clock, as long as it agrees with the one that nobody can set (design §6, "clock jumps").

    A step of more than ``STEP_NS`` is noticed; time then goes on as before, by the steady clock, so that no
    instant comes twice, and the clock is not ``trusted`` until the host's agrees again. A step *forward* that
    lasts ``ACCEPT_NS`` is taken for a correction (a machine that booted before it knew the time): instants may be
    skipped. A step back never is, short of a restart.

    Parameters
    ----------
    wall_ns, steady_ns  the two clocks, ns; the steady one counts through a suspension of the host
    """

    def __init__(
        self, wall_ns: Callable[[], int] = time.time_ns, steady_ns: Callable[[], int] = lambda: _boot_ns()
    ) -> None:
        self._wall_ns, self._steady_ns = wall_ns, steady_ns
        self._lock = threading.Lock()
        self._offset = self._found = self._looked()[1]  # wall - steady, ns: believed, and found last
        self._stepped: int | None = None  # when by the steady clock, while not trusted
        self.steps: tuple[ClockStep, ...] = ()

    @property
    def trusted(self) -> bool:
        """Whether the host's clock agreed with the steady one when the time was last asked for."""
        return self._stepped is None

    def now_ms(self) -> int:
        """The present instant; it goes back by corrections of less than ``STEP_NS`` alone."""
        with self._lock:
            steady, offset = self._looked()
            off = offset - self._offset
            if abs(off) < STEP_NS:
                self._offset, self._stepped = offset, None  # the same, or slewed
            else:
                if self._stepped is None or abs(offset - self._found) >= STEP_NS:
                    self._stepped = steady
                    self.steps = (*self.steps, ClockStep((steady + self._offset) // 1_000_000, off // 1_000_000))
                if off > 0 and steady - self._stepped >= ACCEPT_NS:
                    self._offset, self._stepped = offset, None
            self._found = offset
            return (steady + self._offset) // 1_000_000

    def wait_until(self, time_ms: int, stop: threading.Event) -> bool:
        """Block until the instant or until ``stop`` is set."""
        while (left := time_ms - self.now_ms()) > 0:
            if stop.wait(min(left / 1000, LONGEST_WAIT_S)):
                return True
        return stop.is_set()

    def _looked(self) -> tuple[int, int]:
        """The steady clock, and by how much the wall clock is ahead of it, ns; both of one moment."""
        while True:
            before, wall, after = self._steady_ns(), self._wall_ns(), self._steady_ns()
            if after - before < SUSPENDED_NS:
                return before, wall - before


def _boot_ns() -> int:
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class ScaledClock:
    """A clock that runs ``speed`` times as fast as the host's, from a given instant on.

    It is a pure function of the host's time, so two processes that were given the same three numbers
    agree.
    """

    steps: tuple[ClockStep, ...] = ()
    trusted = True

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

    steps: tuple[ClockStep, ...] = ()
    trusted = True

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

    def waits(self, name: str) -> bool:
        """True where the thread of this name waits for an instant that has not come."""
        with self._changed:
            idents = {thread.ident for thread in threading.enumerate() if thread.name == name}
            return any(ident in idents and due > self._now for ident, due in self._waiters.items())
