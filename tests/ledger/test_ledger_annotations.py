"""Annotations in the ledger: entered once, taken back by a further row, never rewritten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from plant_monitor.annotations import Annotation, Kind
from plant_monitor.errors import InputError
from plant_monitor.ledger import Ledger

HOUR = 3_600_000
FAULT = Annotation(Kind.FAULT, "out", "", 0, 5 * HOUR, "lamp broken")
VALUE = Annotation(Kind.MANUAL_VALUE, "out", "cod_cr", HOUR, 3 * HOUR, "lamp broken", "report 17", 312.4)
EXCHANGE = Annotation(Kind.METER_EXCHANGE, "out", "volume", HOUR, HOUR, "worn", closing=9561.5, opening=0.25)


def test_an_annotation_comes_back_as_it_was_said(open_ledger: Callable[[], Ledger]) -> None:
    said = [FAULT, VALUE, EXCHANGE]
    for one in said:
        open_ledger().annotations.add(one, now_ms=7, actor="cli:li")
    stored = [replace(one, id=i + 1, author="cli:li", entered_ms=7) for i, one in enumerate(said)]
    again = open_ledger()
    assert sorted(again.annotations.standing(), key=lambda a: a.id) == stored
    assert [s.annotation for s in again.annotations.find()] == stored[::-1]
    assert next((e.action, e.actor, e.subject) for e in again.audit.list()) == ("annotation.add", "cli:li", "3")


def test_what_is_taken_back_stays_with_its_reason(ledger: Ledger) -> None:
    one = ledger.annotations.add(FAULT, now_ms=7, actor="cli:li")
    done = ledger.annotations.withdraw(one.id, "the wrong day", now_ms=9, actor="operator:w")
    assert done is not None and done.withdrawn is not None
    assert ledger.annotations.standing() == ()
    (found,) = ledger.annotations.find()
    assert found == done and found.annotation == one
    assert (done.withdrawn.time_ms, done.withdrawn.author, done.withdrawn.reason) == (9, "operator:w", "the wrong day")
    assert ledger.audit.list()[0].detail == {"reason": "the wrong day"}
    with pytest.raises(InputError, match="withdrawn already: the wrong day"):
        ledger.annotations.withdraw(one.id, "again", now_ms=9, actor="a")
    with pytest.raises(InputError, match="no reason"):
        ledger.annotations.withdraw(one.id, " ", now_ms=9, actor="a")
    for number in (2, 99):  # 2 is the row of the withdrawal, and no annotation
        assert ledger.annotations.withdraw(number, "x", now_ms=9, actor="a") is None


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        (VALUE, replace(VALUE, start_ms=2 * HOUR, end_ms=9 * HOUR, value=1.0), True),
        (VALUE, replace(VALUE, start_ms=3 * HOUR, end_ms=9 * HOUR), False),
        (VALUE, replace(VALUE, parameter="ph"), False),
        (VALUE, replace(VALUE, point="other"), False),
        (EXCHANGE, EXCHANGE, True),
        (EXCHANGE, replace(EXCHANGE, start_ms=HOUR + 1, end_ms=HOUR + 1), False),
        (FAULT, FAULT, False),
    ],
)
def test_two_values_for_one_instant_are_refused(
    ledger: Ledger, first: Annotation, second: Annotation, refused: bool
) -> None:
    one = ledger.annotations.add(first, now_ms=1, actor="a")
    if refused:
        with pytest.raises(InputError, match=f"annotation {one.id} is a .* already: withdraw it first"):
            ledger.annotations.add(second, now_ms=2, actor="a")
        ledger.annotations.withdraw(one.id, "wrong", now_ms=3, actor="a")
    ledger.annotations.add(second, now_ms=4, actor="a")
    assert len(ledger.annotations.standing()) == (1 if refused else 2)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"start_ms": 5 * HOUR}, []),
        ({"start_ms": 3 * HOUR}, ["fault"]),
        ({"start_ms": HOUR, "end_ms": HOUR + 1}, ["meter_exchange", "manual_value", "fault"]),
        ({"end_ms": HOUR}, ["fault"]),
        ({"parameter": "cod_cr"}, ["manual_value", "fault"]),
        ({"points": {"other"}}, []),
        ({"before_id": 3, "limit": 1}, ["manual_value"]),
    ],
)
def test_annotations_are_found_by_what_they_touch(ledger: Ledger, asked: dict[str, object], found: list[str]) -> None:
    for one in (FAULT, VALUE, EXCHANGE):
        ledger.annotations.add(one, now_ms=7, actor="a")
    assert [str(s.annotation.kind) for s in ledger.annotations.find(**asked)] == found  # type: ignore[arg-type]


def test_what_changed_since(open_ledger: Callable[[], Ledger]) -> None:
    log = open_ledger().annotations
    assert log.changed(0) == (0, ()) and log.judged() == 0
    one = log.add(FAULT, now_ms=7, actor="a")
    row, changed = log.changed(0)
    assert changed == (one,)
    log.judged_until(row)
    log.judged_until(row)
    assert open_ledger().annotations.judged() == row
    assert log.changed(row) == (row, ())
    log.withdraw(one.id, "x", now_ms=8, actor="a")
    after, changed = log.changed(row)
    assert after > row and changed == (one,)


@pytest.mark.parametrize("statement", ["UPDATE annotations SET reason = 'x'", "DELETE FROM annotations"])
def test_the_database_itself_refuses_to_change_an_annotation(ledger: Ledger, ledger_url: str, statement: str) -> None:
    ledger.annotations.add(FAULT, now_ms=5, actor="cli")
    engine = create_engine(ledger_url)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()
    assert len(ledger.annotations.standing()) == 1
