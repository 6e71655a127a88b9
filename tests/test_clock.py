"""The service's clock beside two that a test turns: the host's, which can be set, and the steady one."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.clock import ACCEPT_NS, STEP_NS, ClockStep, SystemClock

START_S = 1_790_000_000
S = 1_000_000_000


class Host:
    """``wall`` may be set to anything; ``run`` lets time pass on both clocks."""

    def __init__(self) -> None:
        self.wall, self.steady = START_S * S, 77 * S
        self.clock = SystemClock(lambda: self.wall, lambda: self.steady)

    def run(self, seconds: float) -> int:
        self.wall += round(seconds * S)
        self.steady += round(seconds * S)
        return self.clock.now_ms() - START_S * 1000


def test_it_is_the_host_s_and_follows_what_is_slewed() -> None:
    host = Host()
    for _ in range(100):
        host.wall += S  # 100 s in all, a second at a time
        host.run(1)
    assert host.clock.now_ms() == host.wall // 1_000_000
    assert host.clock.trusted and host.clock.steps == ()


def test_set_back_time_goes_on_until_the_host_agrees_again() -> None:
    host = Host()
    host.run(10)
    host.wall -= 3600 * S
    assert host.run(5) == 15_000
    assert not host.clock.trusted
    assert host.run(86_400) == 86_415_000, "however long it lasts: no instant comes twice"
    assert host.clock.steps == (ClockStep((START_S + 15) * 1000, -3_600_000),), "one finding"
    host.wall += 3600 * S
    assert host.run(5) == 86_420_000
    assert host.clock.trusted and len(host.clock.steps) == 1


def test_a_second_step_is_a_second_finding() -> None:
    host = Host()
    host.wall -= 3600 * S
    host.run(1)
    host.wall -= 60 * S
    host.run(1)
    assert [step.by_ms for step in host.clock.steps] == [-3_600_000, -3_660_000]


def test_a_step_forward_that_lasts_is_a_correction() -> None:
    """A machine without a battery clock, which learns the time after its start."""
    host = Host()
    host.wall += 400 * 86_400 * S
    assert host.run(1) == 1000 and not host.clock.trusted
    host.run(ACCEPT_NS / S)
    assert host.clock.trusted
    assert host.clock.now_ms() == host.wall // 1_000_000
    assert len(host.clock.steps) == 1


@given(st.lists(st.tuples(st.integers(-5000 * S, 5000 * S), st.integers(0, 900 * S)), max_size=30))
def test_it_never_goes_back_by_more_than_a_slew(moves: list[tuple[int, int]]) -> None:
    host = Host()
    last = host.clock.now_ms()
    for by, passed in moves:
        host.wall += by + passed
        host.steady += passed
        now = host.clock.now_ms()
        assert now >= last - STEP_NS // 1_000_000
        last = now


def test_who_waits_is_not_kept_by_a_clock_that_is_set_back() -> None:
    host = Host()
    host.wall -= 3600 * S
    stop = threading.Event()
    assert not host.clock.wait_until(START_S * 1000, stop), "due already, whatever the host says"
    stop.set()
    assert host.clock.wait_until((START_S + 9) * 1000, stop)


def test_the_real_clocks() -> None:
    clock = SystemClock()
    stop = threading.Event()
    due = clock.now_ms() + 50
    assert not clock.wait_until(due, stop) and clock.now_ms() >= due
    assert clock.trusted
