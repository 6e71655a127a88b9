"""When a series is due, and what an interval without an answer leaves behind."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from field_parts import HOUR, MIDNIGHT, MINUTE, SECOND, SHANGHAI
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.ingest.schedule import DAY_MS, MISSED_LIMIT_MS, Cycle, back_off, dues, effective_interval, next_due
from plant_monitor.windows import parse_rfc3339


@pytest.mark.parametrize(
    ("interval", "poll", "expected"),
    [
        (10_000, 10_000, 10_000),
        (60_000, 10_000, 60_000),
        (5_000, 10_000, 10_000),
        (7_000, 10_000, 14_000),
        (None, 15_000, 15_000),
    ],
)
def test_poll_is_a_lower_bound(interval: int | None, poll: int, expected: int) -> None:
    assert effective_interval(interval, poll) == expected


def test_multiples_start_anew_at_local_midnight() -> None:
    """7 h from midnight: 0, 7, 14, 21 o'clock, and then midnight again, not 4 o'clock."""
    found = dues(MIDNIGHT, MIDNIGHT + DAY_MS + 7 * HOUR, 7 * HOUR, SHANGHAI)
    assert ((found - MIDNIGHT) // HOUR).tolist() == [7, 14, 21, 24, 31]


def test_days_of_daylight_saving() -> None:
    zone = ZoneInfo("America/Chicago")
    start = parse_rfc3339("2025-03-09T00:00:00-06:00")
    end = parse_rfc3339("2025-03-10T00:00:00-05:00")
    found = dues(start - 1, end, 4 * HOUR, zone)
    assert [(t - start) / HOUR for t in found.tolist()] == [0, 4, 8, 12, 16, 20, 23]  # a day of 23 hours


@given(st.integers(0, 3 * DAY_MS), st.integers(SECOND, 2 * DAY_MS))
def test_next_due_is_the_first_of_dues(after: int, interval: int) -> None:
    now = MIDNIGHT + after
    following = next_due(now, interval, SHANGHAI)
    assert following > now
    assert dues(now, following, interval, SHANGHAI).tolist() == [following]


def cycle(now: int = MIDNIGHT) -> Cycle:
    return Cycle.start(10 * SECOND, SHANGHAI, 10 * SECOND, (0, 1), now)


def test_the_instant_just_past_is_not_read_again_after_a_restart() -> None:
    assert cycle(MIDNIGHT).next_ms == MIDNIGHT + 10 * SECOND
    assert cycle(MIDNIGHT + 9_999).next_ms == MIDNIGHT + 10 * SECOND


def test_what_is_served_leaves_nothing_behind() -> None:
    c = cycle()
    assert c.advance(MIDNIGHT + 10 * SECOND) == []
    assert set(c.wanted(MIDNIGHT + 10 * SECOND)) == {0, 1}
    c.settle({0, 1}, MIDNIGHT + 10 * SECOND)
    assert c.wanted(MIDNIGHT + 19 * SECOND) == ()
    assert c.advance(MIDNIGHT + 20 * SECOND) == []


def test_what_stays_open_is_missed_once_when_the_interval_is_over() -> None:
    c = cycle()
    c.advance(MIDNIGHT + 10 * SECOND)
    c.settle({0}, MIDNIGHT + 10 * SECOND)
    ((instants, readings),) = c.advance(MIDNIGHT + 20 * SECOND)
    assert (instants.tolist(), readings) == ([MIDNIGHT + 10 * SECOND], (1,))
    assert c.advance(MIDNIGHT + 20 * SECOND) == []


def test_a_suspension_misses_every_instant_but_the_last() -> None:
    c = cycle()
    c.advance(MIDNIGHT + 10 * SECOND)
    c.settle({0, 1}, MIDNIGHT + 10 * SECOND)
    ((instants, readings),) = c.advance(MIDNIGHT + HOUR + 5 * SECOND)
    assert readings == (0, 1)
    assert instants.tolist() == list(range(MIDNIGHT + 20 * SECOND, MIDNIGHT + HOUR, 10 * SECOND))
    assert c.due_ms == MIDNIGHT + HOUR


def test_years_of_suspension_are_not_written_out() -> None:
    c = cycle()
    ((instants, _),) = c.advance(MIDNIGHT + 3650 * DAY_MS)
    assert instants.size == MISSED_LIMIT_MS // (10 * SECOND) - 1


def test_a_clock_set_back_does_not_stop_the_polling() -> None:
    c = cycle()
    c.advance(MIDNIGHT + DAY_MS)
    assert c.advance(MIDNIGHT) == []
    assert c.next_ms == MIDNIGHT + 10 * SECOND
    assert c.advance(MIDNIGHT + 10 * SECOND) == [] and c.due_ms == MIDNIGHT + 10 * SECOND


def test_retries_slow_down_within_bounds() -> None:
    assert [back_off(n, 10 * SECOND) for n in (1, 2, 3, 4, 50)] == [10_000, 20_000, 30_000, 30_000, 30_000]
    assert [back_off(n, SECOND) for n in (1, 2, 5, 6, 9999)] == [1_000, 2_000, 16_000, 30_000, 30_000]
    assert back_off(7, 5 * MINUTE) == 5 * MINUTE  # never faster than poll
