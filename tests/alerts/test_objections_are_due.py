"""An objection has the deadlines of a case: reminded before, told above after, until it is answered or decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alerts.test_alert_people import NOTIFY, NOW, Office

from plant_monitor.alerts.lifecycle import Action
from plant_monitor.notify import Person, Policy

PEOPLE = (*NOTIFY.people, Person("op", "operator", ("op-app",), "en"))
POLICIES = (Policy(("operator",), kinds=frozenset({"objection"})), *NOTIFY.policies)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path, replace(NOTIFY, people=PEOPLE, policies=POLICIES))
    yield made
    made.ledger.close()


def objected(office: Office) -> Any:
    about = {
        "statement": "2026-09-01",
        "member": "shennong",
        "item": "电费 electricity",
        "reason": "the dial says less",
    }
    add = office.ledger.objections.add
    return office.desk.telling(lambda notices: add(**about, now_ms=NOW, actor="member:he", notices=notices))


def step(office: Office, number: int, action: Action, **more: str) -> Any:
    said = {"comment": "we looked", "actor": "operator:op", "now_ms": office.clock.now_ms()} | more
    return office.desk.telling(lambda notices: office.ledger.objections.act(number, action, **said, notices=notices))


def test_it_is_reminded_of_and_escalated_until_it_is_answered(office: Office) -> None:
    number = objected(office).id
    assert office.at(NOW) == {"op-app": ["opened"]}  # no officer: it speaks of costs
    text = office.phones["op-app"].rang[0].message
    assert text.title == "[OBJECTION] 2026-09-01 电费 electricity shennong" and "the dial says less" in text.body
    assert "Answer by: 2026-10-15 17:30" in text.body  # two working days
    assert office.at("2026-10-15T13:29") == {}
    assert office.at("2026-10-15T13:30") == {"op-app": ["reminded"]}
    assert office.at("2026-10-15T17:30") == {"op-app": ["overdue"], "wang-app": ["overdue"]}
    step(office, number, Action.ACKNOWLEDGE)
    step(office, number, Action.REPLY)
    assert "replied" in office.at("2026-10-16T09:00")["he-app"]  # who objected hears of it
    assert office.at("2026-10-30T09:00") == {}


def test_a_decision_in_time_ends_its_deadlines_and_not_satisfied_begins_new_ones(office: Office) -> None:
    number = objected(office).id
    office.at(NOW)
    closed = step(office, number, Action.CLOSE, decision="rejected")
    assert closed.events[-1].decision == "rejected"
    office.at("2026-10-14T09:00")
    assert office.at("2026-10-19T09:00") == {}
    step(office, number, Action.REOPEN, actor="member:he")
    assert office.at("2026-10-19T09:10") == {"op-app": ["reopened"]}
    assert office.at("2026-10-21T17:30") == {"op-app": ["overdue"], "wang-app": ["overdue"]}
    trail = office.ledger.objections.get(number).events
    assert [(str(e.transition), e.state) for e in trail] == [
        ("opened", "open"), ("closed", "closed"), ("reopened", "reopened"), ("overdue", "reopened"),
    ]  # fmt: skip


def test_a_restart_neither_repeats_nor_loses_a_word(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    for hour in range(0, 5 * 24, 3):
        office = Office(tmp_path, replace(NOTIFY, people=PEOPLE, policies=POLICIES))
        if hour == 0:
            objected(office)
        told += [(name, what) for name, news in office.at(NOW + hour * 3_600_000).items() for what in news]
        office.ledger.close()
    assert sorted(told) == [
        ("op-app", "opened"),
        ("op-app", "overdue"),
        ("op-app", "reminded"),
        ("wang-app", "overdue"),
    ]
