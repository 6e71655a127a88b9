"""Periods are months and quarters of the plant's calendar."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from plant_monitor.allocation.period import Period
from plant_monitor.errors import InputError

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_a_month_begins_at_local_midnight():
    october = Period.parse("2026-10", SHANGHAI)
    assert (october.first, october.last, october.days, october.months) == (date(2026, 10, 1), date(2026, 10, 31), 31, 1)
    assert october.start_ms == datetime(2026, 9, 30, 16, tzinfo=UTC).timestamp() * 1000
    assert october.end_ms == datetime(2026, 10, 31, 16, tzinfo=UTC).timestamp() * 1000


@pytest.mark.parametrize(
    ("text", "first", "last", "days"),
    [
        ("2026-Q1", date(2026, 1, 1), date(2026, 3, 31), 90),
        ("2028-Q1", date(2028, 1, 1), date(2028, 3, 31), 91),
        ("2026-Q4", date(2026, 10, 1), date(2026, 12, 31), 92),
    ],
)
def test_a_quarter_is_three_months(text, first, last, days):
    quarter = Period.parse(text, SHANGHAI)
    assert (quarter.first, quarter.last, quarter.days, quarter.months) == (first, last, days, 3)


def test_december_ends_with_the_year():
    assert Period.parse("2026-12", SHANGHAI).last == date(2026, 12, 31)


def test_days_are_calendar_days_also_where_the_clock_changes():
    march = Period.parse("2026-03", ZoneInfo("Europe/Berlin"))
    assert march.days == 31
    assert march.end_ms - march.start_ms == (31 * 24 - 1) * 3_600_000


@pytest.mark.parametrize(
    "text",
    [
        "2026-13",
        "2026-00",
        "2026-1",
        "2026-Q5",
        "2026-Q0",
        "2026",
        "26-10",
        "2026-q1",
        " 2026-10",
        "0000-10",
        "9999-12",
        "２０２６-10",
    ],
)
def test_anything_else_is_an_error_that_says_what_is_expected(text):
    with pytest.raises(InputError, match="YYYY-MM or a quarter YYYY-Qn"):
        Period.parse(text, SHANGHAI)
