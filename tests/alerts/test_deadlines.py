"""What time does to an alert: each step once a round, whenever and however often somebody looks."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.alerts.deadlines import Severity, due, next_due_ms, policy_for, severity_of
from plant_monitor.alerts.lifecycle import Alert, Exceedance, Kind, State, Transition
from plant_monitor.alerts.workdays import WorkCalendar
from plant_monitor.notify import Policy, Term

SHANGHAI = ZoneInfo("Asia/Shanghai")
CALENDAR = WorkCalendar(SHANGHAI)
HOUR = 3_600_000


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1000)


OPENED = ms("2026-09-30T16:00")  # the day before National Day
EPISODE = Exceedance(
    "effluent", "cod_cr", "grade3", "daily_mean", OPENED - 9 * HOUR, OPENED, 1, 600.0, 500.0, 1.2, True
)
ALERT = Alert(Kind.EXCEEDANCE, "effluent", "cod_cr", "grade3", OPENED, (EPISODE,), id=1)
POLICY = Policy(("officer",), acknowledge=Term(clock_ms=2 * HOUR))
TRAIL = [(Transition.OPENED, OPENED)]


def steps(alert: Alert, trail: list[tuple[Transition, int]], looks: list[int]) -> list[tuple[Transition, int]]:
    """What looking at these instants does."""
    trail = list(trail)
    before = len(trail)
    for now_ms in looks:
        step = due(alert, trail, POLICY, CALENDAR, now_ms)
        if step is not None:
            trail.append((step, now_ms))
    return trail[before:]


def test_reminder_and_escalation_around_national_day() -> None:
    looks = list(range(OPENED, ms("2026-10-12T00:00"), 600_000))
    assert steps(ALERT, TRAIL, looks) == [
        (Transition.UNACKNOWLEDGED, ms("2026-09-30T18:00")),
        (Transition.REMINDED, ms("2026-10-09T13:30")),
        (Transition.OVERDUE, ms("2026-10-09T17:30")),
    ]


def test_what_came_due_while_nobody_looked_is_said_by_the_latest_step() -> None:
    assert steps(ALERT, TRAIL, [ms("2026-10-11T00:00")] * 3) == [(Transition.OVERDUE, ms("2026-10-11T00:00"))]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.ACKNOWLEDGED, [Transition.REMINDED, Transition.OVERDUE]),
        (State.ASSIGNED, [Transition.REMINDED, Transition.OVERDUE]),
        (State.REPLIED, []),
        (State.CLOSED, []),
    ],
)
def test_what_was_done_needs_no_reminder(state: State, expected: list[Transition]) -> None:
    looks = list(range(OPENED, ms("2026-10-12T00:00"), 600_000))
    assert [what for what, _ in steps(replace(ALERT, state=state), TRAIL, looks)] == expected


def test_a_dissatisfied_officer_begins_a_new_round() -> None:
    reopened = ms("2026-10-12T09:00")  # a Monday
    trail = [*TRAIL, (Transition.OVERDUE, ms("2026-10-09T17:30")), (Transition.REOPENED, reopened)]
    found = steps(replace(ALERT, state=State.REOPENED), trail, list(range(reopened, ms("2026-10-16T00:00"), 600_000)))
    assert found == [
        (Transition.UNACKNOWLEDGED, ms("2026-10-12T11:00")),
        (Transition.REMINDED, ms("2026-10-14T13:30")),
        (Transition.OVERDUE, ms("2026-10-14T17:30")),
    ]


def test_a_withdrawn_exceedance_is_under_no_deadline() -> None:
    gone = replace(ALERT, episodes=(replace(EPISODE, withdrawn=True, ongoing=False),))
    assert steps(gone, TRAIL, [ms("2026-10-11T00:00")]) == []
    assert next_due_ms(gone, TRAIL, POLICY, CALENDAR) is None


@pytest.mark.parametrize(
    ("ratio", "grave"),
    [(1.01, Severity.HIGH), (1.999, Severity.HIGH), (2.0, Severity.CRITICAL), (None, Severity.CRITICAL)],
)
def test_severity_follows_the_facts(ratio: float | None, grave: Severity) -> None:
    alert = replace(ALERT, episodes=(replace(EPISODE, peak_ratio=ratio),))
    assert severity_of(alert) is grave
    first, second = Policy(("a",), severities=frozenset({"critical"})), Policy(("b",))
    assert policy_for(alert, [first, second]) is (first if grave is Severity.CRITICAL else second)


@given(looks=st.lists(st.integers(OPENED, ms("2026-10-13T00:00")), max_size=30).map(sorted), repeat=st.integers(1, 3))
def test_each_step_at_most_once_and_in_order(looks: list[int], repeat: int) -> None:
    once = steps(ALERT, TRAIL, looks)
    assert steps(ALERT, TRAIL, [t for t in looks for _ in range(repeat)])[:1] == once[:1]
    names = [what for what, _ in once]
    order = [Transition.UNACKNOWLEDGED, Transition.REMINDED, Transition.OVERDUE]
    assert names == [n for n in order if n in names]
    if looks and looks[-1] >= ms("2026-10-09T17:30"):
        assert names[-1] is Transition.OVERDUE


@given(st.integers(OPENED, ms("2026-10-13T00:00")))
def test_woken_when_told_something_is_due_and_never_before(asleep_until: int) -> None:
    """A thread that sleeps until ``next_due_ms`` misses nothing."""
    wake = next_due_ms(ALERT, TRAIL, POLICY, CALENDAR)
    assert wake is not None
    assert (due(ALERT, TRAIL, POLICY, CALENDAR, asleep_until) is not None) == (asleep_until >= wake)
