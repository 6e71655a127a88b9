"""Mutes: nothing is lost, only told later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alerts.alert_plant import HOUR, cod_day, make_plant
from alerts.test_alert_people import NOTIFY, NOW, Office
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.alerts.lifecycle import Action, Alert, Kind, State, Transition
from plant_monitor.alerts.mutes import Mute, held_back, is_muted, problem_of
from plant_monitor.errors import Refused

ALERT = Alert(Kind.EXCEEDANCE, "shennong-outfall", "cod_cr", "xieqiao-intake", 0, (cod_day(),), id=1)
MUTE = Mute(NOW, NOW + 4 * HOUR, "pump exchange", point="shennong-outfall")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path, NOTIFY)
    yield made
    made.ledger.close()


def test_an_alert_opens_and_counts_while_muted_and_is_told_after_the_end(office: Office) -> None:
    office.ledger.mutes.add(MUTE, now_ms=NOW, actor="operator:x")
    office.exceed()
    for hour in range(4):
        assert office.at(NOW + hour * HOUR) == {}
    steps = [e.transition for e in office.ledger.alerts.events(1)]
    assert steps == [Transition.OPENED, Transition.UNACKNOWLEDGED]  # the deadline ran
    assert office.at(NOW + 4 * HOUR) == {"chen-app": ["unmuted"], "wang-app": ["unmuted"]}  # the supervisor, too
    assert (
        office.phones["chen-app"]
        .rang[-1]
        .message.title.startswith("【静默结束,仍未办结】神农排放口 化学需氧量日均值 4313")
    )
    for hour in range(5, 20):
        assert office.at(NOW + hour * HOUR) == {}


def test_what_is_closed_while_muted_is_never_told_and_other_points_are_told_at_once(office: Office) -> None:
    office.ledger.mutes.add(MUTE, now_ms=NOW, actor="o")
    office.exceed()
    office.desk.act(1, Action.CLOSE, actor="officer:chen")
    assert office.at(NOW + 5 * HOUR) == {}
    office.ledger.mutes.add(Mute(NOW + 5 * HOUR, NOW + 9 * HOUR, "x", kind="silence"), now_ms=NOW, actor="o")
    office.desk.act(1, Action.REOPEN, actor="officer:chen", comment="again")
    assert office.at(NOW + 6 * HOUR) == {"chen-app": ["reopened"]}


def test_what_people_hand_to_one_another_is_told_through_a_mute(office: Office) -> None:
    office.ledger.mutes.add(replace(MUTE, point=""), now_ms=NOW, actor="o")
    office.exceed()
    office.desk.act(1, Action.ASSIGN, actor="officer:chen", assignee="shennong")
    assert office.at(NOW) == {"he-app": ["assigned"]}


def test_a_planned_mute_begins_in_its_time_and_one_that_is_lifted_ends_at_once(office: Office) -> None:
    planned = office.ledger.mutes.add(replace(MUTE, start_ms=NOW + HOUR), now_ms=NOW, actor="o")
    assert [m.state(NOW) for m in office.ledger.mutes.find()] == ["planned"]
    office.exceed()
    assert office.at(NOW) == {"chen-app": ["opened"]}
    assert office.at(NOW + 2 * HOUR) == {}  # unacknowledged
    office.ledger.mutes.lift(planned.id, "done early", now_ms=NOW + 2 * HOUR + 1, actor="operator:y")
    assert office.at(NOW + 2 * HOUR + 1) == {"chen-app": ["unmuted"], "wang-app": ["unmuted"]}
    (one,) = office.ledger.mutes.find()
    assert (one.state(NOW), one.lifted_by, one.lifted_reason) == ("lifted", "operator:y", "done early")
    with pytest.raises(Refused, match="mute 1 is over already"):
        office.ledger.mutes.lift(planned.id, "again", now_ms=NOW + 3 * HOUR, actor="o")
    assert office.ledger.mutes.lift(99, "x", now_ms=NOW, actor="o") is None
    assert [e.action for e in office.ledger.audit.list()] == ["mute.lift", "mute.add"]


def test_a_warning_that_ended_while_muted_is_not_told() -> None:
    over = replace(cod_day(ongoing=False), kind=Kind.SILENCE, end_ms=5)
    alert = replace(ALERT, kind=Kind.SILENCE, episodes=(over,))
    trail, mutes = [(Transition.OPENED, 10)], [Mute(0, 20, "x")]
    assert held_back(alert, trail, mutes, 30) == ()
    assert held_back(replace(alert, episodes=(replace(over, ongoing=True),)), trail, mutes, 30) == (Transition.OPENED,)


@pytest.mark.parametrize(
    ("mute", "field"),
    [
        (replace(MUTE, point="ghost"), "point"),
        (replace(MUTE, parameter="ss"), "parameter"),
        (replace(MUTE, point="", parameter="ss"), "parameter"),
        (replace(MUTE, reason=" "), "reason"),
        (replace(MUTE, start_ms=NOW - 1), "from"),
        (replace(MUTE, end_ms=NOW), "to"),
    ],
)
def test_a_mute_without_end_reason_or_place_is_refused(mute: Mute, field: str) -> None:
    problem = problem_of(mute, make_plant(), NOW)
    assert problem is not None and problem[0] == field
    assert problem_of(MUTE, make_plant(), NOW) is None


times = st.integers(0, 30)
spans = st.tuples(times, times).map(lambda t: Mute(min(t), max(t) + 1, "x"))


@given(mutes=st.lists(spans, max_size=4), steps=st.lists(times, max_size=6), restarts=st.sets(times))
def test_each_step_is_told_once_at_once_or_after_the_mutes(
    mutes: list[Mute], steps: list[int], restarts: set[int]
) -> None:
    """Whenever somebody looks (at each instant but ``restarts``), no held step is forgotten and none told twice."""
    trail: list[tuple[Transition, int]] = []
    waiting: list[int] = []
    for now in range(33):
        for _ in range(steps.count(now)):
            trail.append((Transition.RESUMED, now))
            if is_muted(ALERT, mutes, now):
                waiting.append(now)
        if now in restarts and now < 32:
            continue
        held = held_back(ALERT, trail, mutes, now)
        if is_muted(ALERT, mutes, now):
            assert held == ()
            continue
        assert len(held) == len(waiting)
        if held:
            trail.append((Transition.UNMUTED, now))
            waiting.clear()
        assert held_back(ALERT, trail, mutes, now) == ()
    assert not waiting
    assert held_back(replace(ALERT, state=State.OPEN), trail, mutes, 99) == ()
