"""Who is told: weekly duty, nights, stand-ins, and never nobody."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.alerts.roster import Roster
from plant_monitor.notify import Person, Shift, StandIn

SHANGHAI = ZoneInfo("Asia/Shanghai")
WEEK = frozenset(range(5))


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1000)


PEOPLE = tuple(Person(id, "officer", (f"{id}-mail",)) for id in ("chen", "li", "wang")) + (
    Person("zhao", "operator", ("zhao-sms", "zhao-mail")),
)
ROSTER = Roster(
    SHANGHAI,
    PEOPLE,
    shifts=(
        Shift("chen", WEEK, time(8, 30), time(17, 30)),
        Shift("li", WEEK, time(17, 30), time(8, 30)),  # nights that begin on a working day of the week
    ),
    stand_ins=(
        StandIn("wang", ms("2026-11-25T12:00"), ms("2026-11-25T14:00")),
        StandIn("li", ms("2026-11-25T13:00"), ms("2026-11-25T14:00")),
    ),
)


@pytest.mark.parametrize(
    ("when", "who"),
    [
        ("2026-11-24T08:29", ["li"]),  # Monday's night
        ("2026-11-24T08:30", ["chen"]),  # the hand-over
        ("2026-11-24T17:30", ["li"]),
        ("2026-11-28T08:00", ["li"]),  # Friday's night ends on Saturday
        ("2026-11-28T12:00", ["chen", "li", "wang"]),  # nobody is named: everybody
        ("2026-11-23T03:00", ["chen", "li", "wang"]),  # Sunday's night is nobody's
        ("2026-11-25T12:30", ["wang"]),  # stands in for chen
        ("2026-11-25T13:30", ["li"]),  # the later line
        ("2026-11-25T14:00", ["chen"]),
    ],
)
def test_who_is_on_duty(when: str, who: list[str]) -> None:
    assert [p.id for p in ROSTER.on_duty("officer", ms(when))] == who


def test_a_role_without_shifts_is_everybody_of_it_and_each_is_told_once() -> None:
    assert [p.id for p in ROSTER.told(("operator", "officer", "operator"), ms("2026-11-24T09:00"))] == ["zhao", "chen"]
    assert ROSTER.told(("supervisor",), 0) == ()


@given(st.integers(ms("2026-01-01T00:00"), ms("2027-01-01T00:00")))
def test_somebody_always_is(time_ms: int) -> None:
    assert ROSTER.on_duty("officer", time_ms)
