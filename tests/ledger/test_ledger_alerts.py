"""Alerts and messages in the ledger: one transaction, one open alert per key, a trail that only grows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from plant_monitor.alerts.deadlines import Trail
from plant_monitor.alerts.envelope import Message, Notice
from plant_monitor.alerts.lifecycle import (
    Action,
    ActionRefused,
    Change,
    Exceedance,
    Span,
    State,
    Transition,
    assess,
)
from plant_monitor.errors import StoreError
from plant_monitor.ledger import Ledger
from plant_monitor.ledger.deliveries import CLAIM_MS, DeliveryState

DAY = 86_400_000
EPISODE = Exceedance(
    "a-outfall", "cod_cr", "intake", "daily_mean", 1 * DAY, 2 * DAY, 1, 0.1 + 0.2, 0.3, 1.0000000000000002, True, "mg/L"
)


def consider(
    ledger: Ledger, *episodes: Exceedance, days: int = 9, now: int = 50, channels: tuple[str, ...] = ("mail",)
) -> tuple[Change, ...]:
    span = Span(0, days * DAY)
    return ledger.alerts.record(
        lambda known: assess(known, episodes, span, now),
        lambda change, _trail: [
            Notice("", (c,), Message(str(change.transition), f"#{change.alert.id}")) for c in channels
        ],
        span,
    )


def test_an_alert_comes_back_as_it_went_in(ledger: Ledger) -> None:
    (change,) = consider(ledger, EPISODE)
    assert change.alert.id == 1
    assert ledger.alerts.get(1) == change.alert  # also the floats, to the last bit
    assert ledger.alerts.get(2) is None
    assert consider(ledger, EPISODE) == ()
    (event,) = ledger.alerts.events(1)
    assert (event.seq, event.transition, event.actor, event.time_ms) == (1, Transition.OPENED, "", 50)
    assert event.snapshot["peak"] == EPISODE.peak


def test_growth_is_written_to_the_trail_and_told_once(ledger: Ledger) -> None:
    consider(ledger, EPISODE)
    longer = replace(EPISODE, end_ms=3 * DAY, windows=2)
    consider(ledger, longer, now=60)
    consider(ledger, replace(longer, ongoing=False), now=70)
    assert [e.transition for e in ledger.alerts.events(1)] == [Transition.OPENED, Transition.GREW, Transition.OVER]
    assert [e.snapshot["windows"] for e in ledger.alerts.events(1)] == [1, 2, 2]
    assert [d.seq for d in ledger.deliveries.find()] == [3, 2, 1]


def test_nothing_is_written_when_a_message_cannot_be_made(ledger: Ledger) -> None:
    span = Span(0, DAY)

    def broken(_change: Change, _trail: Trail) -> list[Notice]:
        raise KeyError("no words")

    with pytest.raises(KeyError):
        ledger.alerts.record(lambda known: assess(known, [EPISODE], span, 0), broken, span)
    assert ledger.alerts.find() == ()
    assert consider(ledger, EPISODE)[0].transition == Transition.OPENED


def test_the_database_itself_refuses_a_second_open_alert(ledger: Ledger) -> None:
    (change,) = consider(ledger, EPISODE)
    again = replace(change, alert=replace(change.alert, id=0))
    with pytest.raises(StoreError):
        ledger.alerts.record(lambda _known: [again], lambda _change: {}, Span(0, DAY))


def test_people_act_and_the_trail_names_them(ledger: Ledger) -> None:
    consider(ledger, EPISODE)
    alert = ledger.alerts.act(1, Action.ACKNOWLEDGE, actor="officer:li", now_ms=60, comment="on my way")
    assert alert is not None
    assert alert.state is State.ACKNOWLEDGED
    with pytest.raises(ActionRefused):
        ledger.alerts.act(1, Action.ACKNOWLEDGE, actor="officer:li", now_ms=61)
    ledger.alerts.act(1, Action.CLOSE, actor="officer:li", now_ms=62)
    assert ledger.alerts.act(99, Action.CLOSE, actor="officer:li", now_ms=63) is None
    assert [(e.transition, e.actor, e.comment) for e in ledger.alerts.events(1)][1:] == [
        (Transition.ACKNOWLEDGED, "officer:li", "on my way"),
        (Transition.CLOSED, "officer:li", ""),
    ]
    assert [(a.action, a.actor) for a in ledger.audit.list()] == [
        ("alert.close", "officer:li"),
        ("alert.acknowledge", "officer:li"),
    ]


def test_a_closed_alert_is_not_reopened_beside_an_open_one(ledger: Ledger) -> None:
    consider(ledger, EPISODE)
    ledger.alerts.act(1, Action.CLOSE, actor="o", now_ms=60)
    assert consider(ledger, EPISODE) == ()  # closed is closed
    consider(ledger, replace(EPISODE, end_ms=3 * DAY, windows=2))
    with pytest.raises(ActionRefused, match="alert #2"):
        ledger.alerts.act(1, Action.REOPEN, actor="o", now_ms=61)
    ledger.alerts.act(2, Action.CLOSE, actor="o", now_ms=62)
    reopened = ledger.alerts.act(1, Action.REOPEN, actor="o", now_ms=63)
    assert reopened is not None
    assert reopened.state is State.REOPENED


def test_alerts_are_found_by_what_they_are_about(ledger: Ledger) -> None:
    others = [replace(EPISODE, point="b-outfall"), replace(EPISODE, parameter="ph", start_ms=4 * DAY, end_ms=5 * DAY)]
    consider(ledger, EPISODE, *others)
    ledger.alerts.act(1, Action.CLOSE, actor="o", now_ms=60)
    found = ledger.alerts
    assert [a.id for a in found.find()] == [3, 2, 1]
    assert [a.id for a in found.find(limit=1, before_id=3)] == [2]
    assert [a.id for a in found.find(points={"b-outfall"})] == [3]
    assert found.find(points=set()) == ()
    assert [a.id for a in found.find(states={State.CLOSED})] == [1]
    assert [a.id for a in found.find(parameter="ph")] == [2]
    assert [a.id for a in found.find(limit_set="intake", span=Span(3 * DAY, 6 * DAY))] == [2]
    assert found.counts()["open"] == 2
    assert found.counts()["replied"] == 0


def test_an_evaluation_has_to_look_back_to_what_is_still_going_on(ledger: Ledger) -> None:
    assert ledger.alerts.ongoing_since_ms() is None
    over = replace(EPISODE, start_ms=0, end_ms=DAY, ongoing=False)
    consider(ledger, over, replace(EPISODE, point="b"), replace(EPISODE, point="c", start_ms=3 * DAY, end_ms=4 * DAY))
    assert ledger.alerts.ongoing_since_ms() == 1 * DAY
    ledger.alerts.act(2, Action.CLOSE, actor="o", now_ms=60)
    assert ledger.alerts.ongoing_since_ms() == 3 * DAY


def test_the_trail_and_the_audit_cannot_be_changed(ledger: Ledger, ledger_url: str) -> None:
    consider(ledger, EPISODE)
    ledger.alerts.act(1, Action.CLOSE, actor="o", now_ms=60)
    engine = create_engine(ledger_url)
    for table in ("alert_events", "audit"):
        for deed in (f"DELETE FROM {table}", f"UPDATE {table} SET actor = 'nobody'"):
            with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
                connection.execute(text(deed))
    engine.dispose()
    assert len(ledger.alerts.events(1)) == 2


def test_a_message_is_claimed_once_sent_once_and_survives_a_restart(
    ledger: Ledger, open_ledger: Callable[[], Ledger]
) -> None:
    consider(ledger, EPISODE, now=100)
    claimed = ledger.deliveries.claim(100)
    assert claimed is not None
    assert (claimed.channel, claimed.message, claimed.attempts) == ("mail", Message("opened", "#1"), 1)
    assert ledger.deliveries.claim(100) is None
    restarted = open_ledger()
    assert restarted.deliveries.claim(100) is None  # the first process may still be sending it
    again = restarted.deliveries.claim(100 + CLAIM_MS)
    assert again is not None
    assert again.attempts == 2
    restarted.deliveries.sent(again.id, 200_000)
    assert restarted.deliveries.claim(10**12) is None
    (row,) = ledger.deliveries.find(alert_id=1, state=DeliveryState.SENT)
    assert row.sent_ms == 200_000
    assert ledger.deliveries.next_due_ms() is None


def test_failures_wait_give_up_and_stay_visible(ledger: Ledger) -> None:
    consider(ledger, EPISODE, channels=("mail", "sms"))
    one = ledger.deliveries.claim(50, without=["sms"])
    assert one is not None
    assert one.channel == "mail"
    ledger.deliveries.retry(one.id, 1_000, "refused")
    other = ledger.deliveries.claim(60)
    assert other is not None
    assert other.channel == "sms"
    ledger.deliveries.give_up(other.id, "no such number")
    assert ledger.deliveries.next_due_ms() == 1_000
    assert ledger.deliveries.claim(999) is None
    assert {d.channel: (d.state, d.error) for d in ledger.deliveries.find()} == {
        "mail": (DeliveryState.PENDING, "refused"),
        "sms": (DeliveryState.FAILED, "no such number"),
    }
    assert ledger.deliveries.counts() == {"pending": 1, "sent": 0, "failed": 1}


def test_the_steps_of_an_alert_reach_a_channel_in_their_order(ledger: Ledger) -> None:
    consider(ledger, EPISODE, now=50)
    consider(ledger, replace(EPISODE, ongoing=False), now=60)
    first = ledger.deliveries.claim(70)
    assert first is not None
    assert first.transition == Transition.OPENED
    ledger.deliveries.retry(first.id, 500, "refused")
    assert ledger.deliveries.claim(70) is None  # "over" does not overtake "opened"
    again = ledger.deliveries.claim(500)
    assert again is not None
    ledger.deliveries.sent(again.id, 501)
    last = ledger.deliveries.claim(502)
    assert last is not None
    assert last.transition == Transition.OVER


def test_a_clock_that_was_turned_back_does_not_hold_messages(ledger: Ledger) -> None:
    day = 24 * 3_600_000
    consider(ledger, EPISODE, now=day)
    one = ledger.deliveries.claim(day)
    assert one is not None
    ledger.deliveries.retry(one.id, day + 1_000, "refused")
    assert ledger.deliveries.claim(day - 1) is None
    assert ledger.deliveries.claim(0) is not None


def test_threads_and_processes_open_one_alert_between_them(open_ledger: Callable[[], Ledger]) -> None:
    ledgers = [open_ledger(), open_ledger()]  # two processes, as far as the database can tell
    opened: list[Change] = []
    claimed: list[object] = []

    def work(ledger: Ledger) -> None:
        for _ in range(5):
            opened.extend(consider(ledger, EPISODE))
            if (one := ledger.deliveries.claim(60)) is not None:
                claimed.append(one)

    threads = [threading.Thread(target=work, args=(ledgers[i % 2],)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == len(claimed) == len(ledgers[0].alerts.find()) == 1
