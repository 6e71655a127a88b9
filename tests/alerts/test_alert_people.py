"""The desk with people: who is told by which channel, until somebody takes it and acts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from alerts.alert_plant import DAY, OCT_1, cod_day, make_plant
from alerts.test_alert_desk import Phone

from plant_monitor.alerts.bulletins import DayFigures
from plant_monitor.alerts.desk import GIVE_UP_MS, TRIES, AlertDesk
from plant_monitor.alerts.envelope import NotSent
from plant_monitor.alerts.lifecycle import Action, Kind, Span, Transition
from plant_monitor.alerts.notices import assignees, problem_of
from plant_monitor.clock import ManualClock
from plant_monitor.ledger import Ledger
from plant_monitor.notify import Notify, Person, Policy, Shift, StandIn, Term
from plant_monitor.plant import Name, Plant

SHANGHAI = ZoneInfo("Asia/Shanghai")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1000)


NOW = ms("2026-10-13T10:00")  # a Tuesday
COVERED = Span(OCT_1 - DAY, NOW)
NOTIFY = Notify(
    language="both",
    people=(
        Person("chen", "officer", ("chen-app", "chen-mail"), "zh"),
        Person("li", "officer", ("li-app",), "en"),
        Person("wang", "supervisor", ("wang-app",), "zh"),
        Person("he", "member", ("he-app",), "zh", "shennong"),
        Person("lu", "member", ("lu-app",), "zh", "another"),
    ),
    shifts=(Shift("chen", frozenset(range(5)), time(8), time(18)), Shift("li", frozenset(range(7)), time(18), time(8))),
    policies=(Policy(("officer",), acknowledge=Term(clock_ms=2 * 3_600_000)),),
)


FIGURES = DayFigures((Name("- 超标", "- exceeded"),), 12, 2, Name("进水", "inflow"))


class Office:
    """The desk, its clock, and everybody's phone."""

    def __init__(self, folder: Path, notify: Notify) -> None:
        self.clock = ManualClock(NOW)
        self.ledger = Ledger(f"sqlite:///{folder}/ledger.sqlite")
        self.plant: Plant = make_plant(notify=notify)
        self.phones = {channel: Phone() for person in notify.people for channel in person.channels}
        self.desk = AlertDesk(self.ledger, self.phones, self.plant, self.clock, figures=lambda _day: FIGURES)

    def exceed(self) -> None:
        self.desk.consider([cod_day()], COVERED, self.clock.now_ms())

    def at(self, when: str | int) -> dict[str, list[str]]:
        """What everybody is told at an instant."""
        self.clock.set(ms(when) if isinstance(when, str) else when)
        before = {name: len(phone.rang) for name, phone in self.phones.items()}
        self.desk.pass_time()
        self.desk.deliver_due()
        news = {name: [e.transition for e in phone.rang[before[name] :]] for name, phone in self.phones.items()}
        return {name: told for name, told in news.items() if told}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path, NOTIFY)
    yield made
    made.ledger.close()


def test_a_week_of_an_exceedance_that_nobody_minds(office: Office) -> None:
    """Silence but for four messages: to whoever is on duty, and above when it is too late."""
    office.exceed()
    told = {}
    for minute in range(0, 7 * 24 * 60, 10):
        now = NOW + minute * 60_000
        for name, news in office.at(now).items():
            told[f"{datetime.fromtimestamp(now // 1000, SHANGHAI):%d %H:%M}", name] = news
    assert told == {
        ("13 10:00", "chen-app"): ["opened"],
        ("13 12:00", "chen-app"): ["unacknowledged"],
        ("13 12:00", "wang-app"): ["unacknowledged"],
        ("15 13:30", "chen-app"): ["reminded"],
        ("15 17:30", "chen-app"): ["overdue"],
        ("15 17:30", "wang-app"): ["overdue"],
    }


def test_at_night_the_night_shift_and_a_stand_in_before_all(tmp_path: Path) -> None:
    away = StandIn("wang", ms("2026-10-13T00:00"), ms("2026-10-13T23:00"))
    assert NOTIFY.stand_ins == ()
    night = Office(tmp_path, replace(NOTIFY, stand_ins=(replace(away, person="li"),)))
    night.exceed()
    assert night.at(NOW) == {"li-app": ["opened"]}  # chen has the shift; li stands in
    assert "chemical" not in night.phones["li-app"].rang[0].message.title
    assert night.phones["li-app"].rang[0].message.title.startswith("[EXCEEDED]")
    night.ledger.close()


def test_the_next_channel_takes_what_the_first_does_not(office: Office) -> None:
    office.phones["chen-app"].broken = NotSent("no network")
    office.exceed()
    when, told = NOW, {}
    for _ in range(TRIES):
        assert told == {}
        told = office.at(when)
        when += 60_000
    assert told == {"chen-mail": ["opened"]}
    assert office.phones["chen-app"].tries == TRIES
    (row,) = office.ledger.deliveries.find()
    assert (row.recipient, row.channel, row.state, row.left) == ("chen", "chen-mail", "sent", ("chen-app",))
    assert office.desk.health()["failing"] == {"chen-app": "no network"}


def test_a_channel_that_can_never_work_is_left_at_once(office: Office) -> None:
    office.phones["chen-app"].broken = NotSent("no such number", retry=False)
    office.exceed()
    assert office.at(NOW) == {"chen-mail": ["opened"]}
    assert office.ledger.deliveries.find()[0].left == ()


def test_all_channels_are_tried_round_and_round_for_a_day(office: Office) -> None:
    for name in ("chen-app", "chen-mail"):
        office.phones[name].broken = NotSent("no network")
    office.exceed()
    office.desk.act(1, Action.CLOSE, actor="operator:x")  # no deadline beside it
    for minute in range(0, GIVE_UP_MS // 60_000, 5):
        assert office.at(NOW + minute * 60_000) == {}
    assert min(office.phones[n].tries for n in ("chen-app", "chen-mail")) > 2 * TRIES
    office.at(NOW + GIVE_UP_MS + 3_600_000)
    assert office.desk.health()["messages"]["failed"] == 1


def test_a_case_goes_to_the_company_and_back(office: Office) -> None:
    office.exceed()
    office.at(NOW)
    office.desk.act(1, Action.ASSIGN, actor="officer:chen", assignee="shennong", comment="请说明原因")
    assert office.at("2026-10-13T11:00") == {"he-app": ["assigned"]}
    letter = office.phones["he-app"].rang[-1].message
    assert "请说明原因" in letter.body and "期限:2026-10-15 17:30" in letter.body
    assert office.at("2026-10-15T13:30") == {"he-app": ["reminded"]}
    office.desk.act(1, Action.REPLY, actor="member:he", comment="pit emptied")
    assert office.at("2026-10-15T14:00") == {"chen-app": ["replied"]}
    assert office.at("2026-10-16T17:30") == {}  # answered: no deadline
    office.desk.act(1, Action.REOPEN, actor="officer:chen", comment="no sample")
    assert office.at("2026-10-16T17:40") == {"he-app": ["reopened"], "chen-app": ["reopened"]}
    office.desk.act(1, Action.CLOSE, actor="officer:chen")
    assert office.at("2026-10-30T00:00") == {}
    assert not office.phones["lu-app"].rang


def test_an_enquiry_of_a_company_is_answered_in_time_or_told_above_and_the_company_says_if_it_satisfies(
    office: Office,
) -> None:
    about = {"subject": "COD of 3 October", "text": "请说明", "point": "shennong-outfall", "member": "shennong"}
    office.desk.open_case(Kind.ENQUIRY, actor="member:he", **about)
    assert office.at(NOW) == {"chen-app": ["opened"]}
    letter = office.phones["chen-app"].rang[-1].message
    assert letter.title == "【咨询】COD of 3 October"
    assert letter.body.splitlines() == [
        "事由:COD of 3 October", "提出:神农", "地点:神农排放口(shennong-outfall)", "期限:2026-10-15 17:30",
        "说明:请说明", "处理:请答复", "编号:#1",
    ]  # fmt: skip
    assert office.at("2026-10-13T12:00") == {"chen-app": ["unacknowledged"], "wang-app": ["unacknowledged"]}
    assert office.phones["wang-app"].rang[-1].message.title == "【咨询·无人确认】COD of 3 October"
    office.desk.act(1, Action.ACKNOWLEDGE, actor="officer:chen")
    office.desk.act(1, Action.REPLY, actor="officer:chen", comment="rain")
    assert office.at("2026-10-13T12:30") == {"he-app": ["replied"], "chen-app": ["replied"]}
    office.desk.act(1, Action.REOPEN, actor="member:he", comment="there was none")
    assert office.at("2026-10-13T12:40") == {"chen-app": ["reopened"]}
    assert office.at("2026-10-15T17:30") == {"chen-app": ["overdue"], "wang-app": ["overdue"]}


def test_an_objection_is_told_to_no_officer(office: Office) -> None:
    office.desk.open_case(Kind.OBJECTION, actor="member:he", subject="2026-10-01", text="too much", member="shennong")
    assert office.at(NOW) == {}
    assert office.ledger.alerts.get(1) is not None


def test_a_restart_at_any_step_neither_repeats_nor_loses(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    for hour in range(7 * 24):
        office = Office(tmp_path, NOTIFY)
        if hour == 0:
            office.exceed()
        for name, news in office.at(NOW + hour * 3_600_000).items():
            told += [(name, what) for what in news]
        office.ledger.close()
    assert sorted(told) == sorted(
        [("chen-app", x) for x in ("opened", "unacknowledged", "reminded")]
        + [("li-app", "overdue"), ("wang-app", "unacknowledged"), ("wang-app", "overdue")]  # looked at 18:00: the night
    )


def test_the_trail_tells_what_time_did(office: Office) -> None:
    office.exceed()
    office.at("2026-10-20T00:00")
    assert [e.transition for e in office.ledger.alerts.events(1)] == [Transition.OPENED, Transition.OVERDUE]
    assert [e.actor for e in office.ledger.alerts.events(1)] == ["", ""]


def test_an_alert_is_handed_to_nobody_who_may_not_know_of_it(tmp_path: Path) -> None:
    office = Office(tmp_path, NOTIFY)
    office.exceed()
    alert = office.ledger.alerts.get(1)
    assert alert is not None
    offered = [who for who, _, _ in assignees(alert, office.plant)]
    assert offered == ["operator", "shennong", "chen", "li", "wang", "he"], "lu is of another company"
    told = problem_of(Action.ASSIGN, alert, office.plant, comment="", assignee="lu")
    assert told is not None and told[0] == "assignee"
    of_costs = replace(alert, kind=Kind.OBJECTION, point="", member="shennong")
    assert [who for who, _, _ in assignees(of_costs, office.plant)] == ["operator", "shennong", "wang", "he"]
