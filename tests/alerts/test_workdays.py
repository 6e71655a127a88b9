"""Deadlines in working days: hand-worked around National Day, Spring Festival and make-up Sundays."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.alerts.workdays import WorkCalendar
from plant_monitor.notify import Office, Term

SHANGHAI = ZoneInfo("Asia/Shanghai")
CALENDAR = WorkCalendar(SHANGHAI)
HOUR = 3_600_000


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1000)


@pytest.mark.parametrize(
    ("begins", "days", "ends"),
    [
        # An ordinary Tuesday: Wednesday, Thursday.
        ("2026-11-24T10:00", 2, "2026-11-26T17:30"),
        # At night and in the morning of one day it is the same: the day itself does not count.
        ("2026-11-24T23:59", 2, "2026-11-26T17:30"),
        # Friday: Monday, Tuesday.
        ("2026-11-27T10:00", 2, "2026-12-01T17:30"),
        # National Day 2026 is 1 to 7 October; Saturday the 10th is worked. 30 September: the 8th, the 9th.
        ("2026-09-30T09:00", 2, "2026-10-09T17:30"),
        # ... and from Thursday the 8th: Friday the 9th, Saturday the 10th.
        ("2026-10-08T09:00", 2, "2026-10-10T17:30"),
        # Sunday 20 September 2026 is worked: from Friday the 18th it is the first day, Monday the second.
        ("2026-09-18T09:00", 2, "2026-09-21T17:30"),
        # Spring Festival 2026 is 15 to 23 February; Saturday the 14th is worked: the 14th, then the 24th.
        ("2026-02-13T16:00", 2, "2026-02-24T17:30"),
        # ... and within the holiday: the 24th, the 25th.
        ("2026-02-18T12:00", 2, "2026-02-25T17:30"),
    ],
)
def test_working_days(begins: str, days: int, ends: str) -> None:
    assert CALENDAR.after(ms(begins), Term(working_days=days)) == ms(ends)


@pytest.mark.parametrize(
    ("begins", "hours", "ends"),
    [
        ("2026-11-24T10:00", 2, "2026-11-24T12:00"),
        ("2026-11-24T16:30", 2, "2026-11-25T09:30"),  # one hour today, one tomorrow
        ("2026-11-24T03:00", 2, "2026-11-24T10:30"),  # before the office opens
        ("2026-11-27T17:00", 1, "2026-11-30T09:00"),  # over a weekend
        ("2026-09-30T17:00", 1, "2026-10-08T09:00"),  # over National Day
    ],
)
def test_office_hours(begins: str, hours: int, ends: str) -> None:
    term = Term(working_ms=hours * HOUR)
    assert CALENDAR.after(ms(begins), term) == ms(ends)
    assert CALENDAR.after(CALENDAR.before(ms(ends), term), term) == ms(ends)


def test_a_year_that_nobody_knows_yet_goes_by_weekdays_and_says_so() -> None:
    friday = ms("2031-10-03T09:00")
    due = CALENDAR.after(friday, Term(working_days=1))
    assert due == ms("2031-10-06T17:30")
    assert not CALENDAR.knows(friday, due)
    assert CALENDAR.knows(ms("2026-09-30T09:00"), ms("2026-10-09T17:30"))


def test_plant_yaml_overrules_the_list() -> None:
    office = Office(
        holidays=frozenset({date(2026, 11, 25), date(2031, 10, 6)}),
        workdays=frozenset({date(2026, 11, 28), date(2031, 10, 4), date(2031, 10, 5), date(2031, 10, 3)}),
    )
    calendar = WorkCalendar(SHANGHAI, office)
    assert calendar.after(ms("2026-11-24T10:00"), Term(working_days=3)) == ms("2026-11-28T17:30")
    assert calendar.after(ms("2031-10-03T10:00"), Term(working_days=2)) == ms("2031-10-05T17:30")
    assert calendar.knows(ms("2031-10-03T10:00"), ms("2031-10-05T17:30"))


def test_a_calendar_without_working_days_is_refused() -> None:
    never = WorkCalendar(SHANGHAI, Office(time(9), time(9)))
    with pytest.raises(ValueError, match="no working day"):
        never.after(ms("2026-11-24T10:00"), Term(working_ms=HOUR))


starts = st.integers(ms("2024-01-01T00:00"), ms("2026-10-01T00:00"))


@given(start=starts, days=st.integers(1, 30))
def test_days_add_up(start: int, days: int) -> None:
    one_by_one = start
    for _ in range(days):
        one_by_one = CALENDAR.after(one_by_one, Term(working_days=1))
    assert CALENDAR.after(start, Term(working_days=days)) == one_by_one > start


@given(start=starts, first=st.integers(1, 40 * HOUR), second=st.integers(1, 40 * HOUR))
def test_office_time_adds_up(start: int, first: int, second: int) -> None:
    both = CALENDAR.after(start, Term(working_ms=first + second))
    assert CALENDAR.after(CALENDAR.after(start, Term(working_ms=first)), Term(working_ms=second)) == both


@given(start=starts, length=st.integers(1, 80 * HOUR))
def test_counted_back_it_still_ends_in_time(start: int, length: int) -> None:
    term = Term(working_ms=length)
    end = CALENDAR.after(start, term)
    latest = CALENDAR.before(end, term)
    assert latest >= start
    assert CALENDAR.after(latest, term) == end < CALENDAR.after(latest + 1, term)
