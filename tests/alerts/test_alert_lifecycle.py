"""The life of an alert: named cases, and laws over any order and replay of evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.alerts.lifecycle import (
    NEXT,
    Action,
    ActionRefused,
    Alert,
    Change,
    Exceedance,
    Span,
    State,
    Transition,
    assess,
    next_state,
)

DAY = 86_400_000
EXCEEDED, MET, UNKNOWN = "E", "m", "-"


def episodes(verdicts: str, first: int = 0, last: int | None = None, point: str = "a-outfall") -> list[Exceedance]:
    """The episodes an evaluation of days ``first`` … ``last`` (exclusive) finds in a row of verdicts."""
    last = len(verdicts) if last is None else last
    found: list[Exceedance] = []
    run: list[int] = []
    for day in range(first, last):
        if verdicts[day] == EXCEEDED:
            run.append(day)
        elif verdicts[day] == MET and run:
            found.append(_episode(run, point, ongoing=False))
            run = []
    return found + ([_episode(run, point, ongoing=True)] if run else [])


def _episode(run: Sequence[int], point: str, *, ongoing: bool) -> Exceedance:
    worst = max(run, key=lambda day: (day * 7 % 5, -day))
    peak = 101.0 + worst * 7 % 5
    span = run[0] * DAY, (run[-1] + 1) * DAY
    return Exceedance(
        point, "cod_cr", "intake", "daily_mean", *span, len(run), peak, 100.0, peak / 100, ongoing, "mg/L"
    )


class Book:
    """What a ledger does with changes, without a database."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.changes: list[Change] = []

    def take(self, found: Sequence[Exceedance], first: int, last: int, now: int = 0) -> list[Transition]:
        changes = assess(self.alerts, found, Span(first * DAY, last * DAY), now)
        for change in changes:
            if change.alert.id:
                self.alerts[change.alert.id - 1] = change.alert
            else:
                self.alerts.append(replace(change.alert, id=len(self.alerts) + 1))
        self.changes += changes
        return [c.transition for c in changes]

    def see(self, verdicts: str, first: int = 0, last: int | None = None) -> list[Transition]:
        last = len(verdicts) if last is None else last
        return self.take(episodes(verdicts, first, last), first, last)

    def close(self) -> None:
        self.alerts = [replace(a, state=State.CLOSED) for a in self.alerts]


def test_an_episode_opens_grows_and_ends() -> None:
    book = Book()
    assert book.see("m") == []
    assert book.see("mE") == [Transition.OPENED]
    assert book.see("mEE") == [Transition.GREW]
    assert book.see("mEE-") == []  # a day without data neither extends nor ends it
    assert book.alerts[0].ongoing
    assert book.see("mEE-m") == [Transition.OVER]
    (alert,) = book.alerts
    assert (alert.state, alert.ongoing, alert.windows) == (State.OPEN, False, 2)
    assert (alert.since_ms, alert.until_ms) == (1 * DAY, 3 * DAY)


def test_a_second_episode_grows_the_same_alert() -> None:
    book = Book()
    book.see("Em")
    assert book.see("EmE") == [Transition.RESUMED]
    assert book.see("EmEm") == [Transition.OVER]
    (alert,) = book.alerts
    assert (alert.windows, len(alert.episodes), alert.worst.start_ms) == (2, 2, 2 * DAY)


def test_an_episode_missed_by_the_service_is_told_as_opened_and_over_at_once() -> None:
    book = Book()
    assert book.see("mEEm") == [Transition.OPENED]
    assert not book.alerts[0].ongoing


def test_corrected_data_withdraw_an_episode_and_may_bring_it_back() -> None:
    book = Book()
    book.see("mEm")
    assert book.see("mmm") == [Transition.WITHDRAWN]
    (alert,) = book.alerts
    assert alert.state is State.OPEN  # only a person closes it
    assert not alert.ongoing
    assert alert.worst.peak == 103.0  # what had been reported stays visible
    assert book.see("mmm") == []
    assert book.see("mEm") == [Transition.RESUMED]
    assert len(book.alerts[0].standing) == 1


def test_closing_silences_what_was_known_and_nothing_more() -> None:
    book = Book()
    book.see("mEE")
    book.close()
    assert book.see("mEE") == []
    assert book.see("mEE-") == []
    assert book.see("mEEE") == [Transition.OPENED]  # it goes on
    assert [a.state for a in book.alerts] == [State.CLOSED, State.OPEN]
    assert book.see("mEEEm") == [Transition.OVER]


def test_an_evaluation_of_other_days_says_nothing_of_an_alert() -> None:
    book = Book()
    book.see("EEm")
    assert book.see("EEmmmm", 3, 6) == []
    assert book.alerts[0].windows == 2


def test_an_evaluation_that_ends_early_does_not_undo_the_end() -> None:
    book = Book()
    book.see("Em")
    assert book.see("Em", 0, 1) == []  # late data of the first day: that day alone is judged again
    assert not book.alerts[0].ongoing


def test_each_point_and_limit_set_has_its_own_alert_and_statistics_share_one() -> None:
    book = Book()
    day = episodes("E")[0]
    hour = replace(day, statistic="hourly_mean", end_ms=3_600_000)
    other_point, other_set = replace(day, point="b-outfall"), replace(day, limit_set="standard")
    assert book.take([day, hour, other_point, other_set], 0, 1) == [Transition.OPENED] * 3
    assert [len(a.episodes) for a in book.alerts] == [2, 1, 1]


def test_a_ratio_that_divides_by_zero_is_the_worst() -> None:
    day = episodes("EmE")
    alert = Alert(*_key(day[0])[:4], opened_ms=0, episodes=(replace(day[0], peak_ratio=None), day[1]))
    assert alert.worst.start_ms == 0


def _key(e: Exceedance) -> tuple:
    book = Book()
    book.take([e], 0, 9)
    return book.alerts[0].key


spans = st.tuples(st.integers(0, 9), st.integers(1, 10)).map(lambda s: (min(s), max(*s, min(s) + 1)))
worlds = st.text(alphabet=EXCEEDED + MET + UNKNOWN, min_size=10, max_size=10)


@given(verdicts=worlds, seen=st.lists(spans, max_size=8))
def test_any_order_and_replay_opens_one_alert_and_ends_with_the_truth(
    verdicts: str, seen: list[tuple[int, int]]
) -> None:
    book = Book()
    for first, last in seen:
        book.see(verdicts, first, last)
    book.see(verdicts)
    told = [c.transition for c in book.changes]
    truth = tuple(episodes(verdicts))
    assert told.count(Transition.OPENED) == (1 if truth else 0)
    assert Transition.WITHDRAWN not in told  # nothing was ever corrected
    assert (book.alerts[0].standing if book.alerts else ()) == truth
    assert book.see(verdicts) == []


@given(verdicts=worlds, ends=st.lists(st.integers(1, 10), min_size=1, max_size=8))
def test_evaluations_that_grow_may_arrive_in_any_order(verdicts: str, ends: list[int]) -> None:
    book = Book()
    for end in ends:
        book.see(verdicts, 0, end)
    assert (book.alerts[0].standing if book.alerts else ()) == tuple(episodes(verdicts, 0, max(ends)))


@given(verdicts=worlds, steps=st.lists(st.one_of(spans, st.just("close")), max_size=10))
def test_closing_at_any_moment_loses_no_exceeded_day_and_repeats_none(verdicts: str, steps: list) -> None:
    book = Book()
    for step in [*steps, (0, 10)]:
        if step == "close":
            book.close()
        else:
            book.see(verdicts, *step)
    assert sum(a.state is not State.CLOSED for a in book.alerts) <= 1
    gathered = {
        day
        for alert in book.alerts
        for e in alert.standing
        for day in range(e.start_ms // DAY, e.end_ms // DAY)
        if verdicts[day] == EXCEEDED
    }
    assert gathered == {day for day, verdict in enumerate(verdicts) if verdict == EXCEEDED}
    for first, last in [s for s in steps if s != "close"] + [(0, 10)]:
        before = len(book.alerts)
        book.see(verdicts, first, last)
        assert len(book.alerts) == before  # whatever is replayed, nothing opens again


@given(old=worlds, new=worlds)
def test_a_corrected_evaluation_of_everything_replaces_what_was_known(old: str, new: str) -> None:
    book = Book()
    book.see(old)
    book.see(new)
    assert (book.alerts[0].standing if book.alerts else ()) == tuple(episodes(new))
    assert book.see(new) == []


@given(actions=st.lists(st.sampled_from(Action), max_size=20))
def test_people_only_take_steps_of_the_table(actions: list[Action]) -> None:
    state = State.OPEN
    for action in actions:
        if (state, action) in NEXT:
            state = next_state(state, action)
            assert state is not State.OPEN  # nothing becomes unseen again
        else:
            with pytest.raises(ActionRefused, match=f"an alert that is {state} does not take"):
                next_state(state, action)


def test_every_state_leads_on_and_the_path_of_a_case_exists() -> None:
    assert {s for s, _ in NEXT} == set(State)
    state = State.OPEN
    for action in (Action.ACKNOWLEDGE, Action.ASSIGN, Action.REPLY, Action.REOPEN, Action.REPLY, Action.CLOSE):
        state = next_state(state, action)
    assert state is State.CLOSED
