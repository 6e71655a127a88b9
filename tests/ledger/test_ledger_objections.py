"""Objections: each is a case of its own, decided once it is closed, and nothing of it is rewritten."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
import sqlalchemy as sa
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plant_monitor.alerts.attachments import Attachment
from plant_monitor.alerts.lifecycle import NEXT, Action, ActionRefused, Kind, State
from plant_monitor.annotations import Annotation
from plant_monitor.annotations import Kind as AnnotationKind
from plant_monitor.errors import Refused
from plant_monitor.ledger import Ledger
from plant_monitor.ledger.database import alembic_config

ABOUT = {"statement": "2026-10-01", "member": "a", "item": "power", "reason": "too much"}
PHOTO = Attachment("dial.jpg", "image/jpeg", b"picture")


def add(ledger: Ledger, **more: str) -> int:
    return ledger.objections.add(**(ABOUT | more), files=[PHOTO], now_ms=1, actor="member:a").id


def test_an_objection_is_a_case_with_its_words_and_files(ledger: Ledger) -> None:
    one = ledger.objections.get(add(ledger))
    assert one is not None
    assert (one.alert.kind, one.alert.member, one.alert.subject) == (Kind.OBJECTION, "a", "2026-10-01 power a")
    assert [(f.name, f.bytes) for f in one.files] == [("dial.jpg", 7)]
    assert ledger.alerts.file(one.alert.id, 1) == PHOTO
    with pytest.raises(Refused, match="is open"):
        add(ledger)
    for other in ({"member": "b"}, {"item": "TOTAL"}, {"statement": "2026-10-02"}):
        add(ledger, **other)
    assert [o.member for o in ledger.objections.find(statement="2026-10-01")] == ["a", "b", "a"]


def test_what_is_refused_leaves_no_trace(ledger: Ledger) -> None:
    number = add(ledger)
    for decision, correction, words in (
        ("", "", "closing an objection decides it"),
        ("rejected", "2026-10-03", "leads to no correction"),
        ("granted", "2026-10-03", "expected the number of a correction issued after 2026-10-01"),
    ):
        with pytest.raises(Refused, match=words):
            ledger.objections.act(
                number, Action.CLOSE, comment="x", now_ms=2, actor="op", decision=decision, correction=correction
            )
    one = ledger.objections.get(number)
    assert one is not None and one.state is State.OPEN and len(one.events) == 1
    assert {e.action for e in ledger.audit.list()} == {"alert.open", "objection.add"}


def test_a_granted_one_leads_to_a_correction_or_an_annotation(ledger: Ledger) -> None:
    note = Annotation(AnnotationKind.EXCLUSION, "a-outfall", "cod_cr", 0, 1, "the analyser was wrong")
    standing = ledger.annotations.add(note, now_ms=1, actor="op")
    gone = ledger.annotations.add(replace(note, end_ms=2), now_ms=1, actor="op")
    ledger.annotations.withdraw(gone.id, "no", now_ms=2, actor="op")
    number, said = add(ledger), {"comment": "so it is", "now_ms": 3, "actor": "op", "decision": "granted"}
    for wrong in (gone.id, gone.id + 1, 99):  # withdrawn, the withdrawal itself, none
        with pytest.raises(Refused, match="expected one that stands"):
            ledger.objections.act(number, Action.CLOSE, **said, annotation=wrong)
    with pytest.raises(Refused, match="no annotation"):
        ledger.objections.act(number, Action.CLOSE, **(said | {"decision": "rejected"}), annotation=standing.id)
    with pytest.raises(Refused, match="found 'x'"):  # both are checked
        ledger.objections.act(number, Action.CLOSE, **said, annotation=standing.id, correction="x")
    last = ledger.objections.act(number, Action.CLOSE, **said, annotation=standing.id).events[-1]
    assert (last.decision, last.correction, last.annotation) == ("granted", "", standing.id)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(list(Action)), max_size=8))
def test_its_life_is_that_of_an_alert(ledger: Ledger, actions: list[Action]) -> None:
    number, state, decided = add(ledger, item=f"line {len(ledger.objections.find())}"), State.OPEN, []
    for step in actions:
        said = {"comment": "x", "now_ms": 2, "actor": "op"}
        said |= {"decision": "rejected"} if step is Action.CLOSE else {}
        after = NEXT.get((state, step))
        if after is None:
            with pytest.raises(ActionRefused):
                ledger.objections.act(number, step, **said)
            continue
        one = ledger.objections.act(number, step, **said)
        state = after
        decided.append("rejected" if step is Action.CLOSE else "")
        assert one.state is state and one.events[-1].state == state
    kept = ledger.objections.get(number)
    assert kept is not None and [e.decision for e in kept.events] == ["", *decided]


def test_the_database_keeps_objections_as_they_were(ledger: Ledger, ledger_url: str) -> None:
    number = add(ledger)
    ledger.objections.act(number, Action.CLOSE, comment="no", now_ms=2, actor="op", decision="rejected")
    engine = sa.create_engine(ledger_url)
    for change in (
        "UPDATE objections SET reason = ''",
        "DELETE FROM objections",
        "UPDATE objection_decisions SET decision = 'granted'",
        "DELETE FROM objection_decisions",
    ):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(sa.text(change))
    engine.dispose()


def test_objections_of_an_older_ledger_become_cases(ledger: Ledger, ledger_url: str) -> None:
    ledger.close()
    engine = sa.create_engine(ledger_url)
    file = {"name": "dial.jpg", "media_type": "image/jpeg", "sha256": PHOTO.sha256}
    file["content"] = base64.b64encode(PHOTO.content).decode()
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0010")
        for number in (1, 2):  # two of one member about one line, both open: then that was allowed
            row = {**ABOUT, "id": number, "attachments": json.dumps([file])}
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            connection.execute(sa.text(f"INSERT INTO objections ({names}) VALUES ({values})"), row)
        steps = [(1, 1, 10, "open", ""), (1, 2, 20, "acknowledged", ""), (1, 3, 30, "closed", "rejected")]
        for objection, seq, time, state, decision in [*steps, (2, 1, 15, "open", ""), (2, 2, 16, "reopened", "")]:
            values = f"({objection}, {seq}, {time}, '{state}', 'op', 'words {seq}', '{decision}', '')"
            connection.execute(sa.text(f"INSERT INTO objection_events VALUES {values}"))
    engine.dispose()
    moved = Ledger(ledger_url)
    second, first = moved.objections.find()
    assert (first.id, first.state, first.reason, first.alert.opened_ms) == (1, State.CLOSED, "too much", 10)
    assert [(e.transition, e.state, e.comment, e.decision) for e in first.events] == [
        ("opened", "open", "words 1", ""),
        ("acknowledged", "acknowledged", "words 2", ""),
        ("closed", "closed", "words 3", "rejected"),
    ]
    assert moved.alerts.file(first.alert.id, 1) == PHOTO and second.state is State.REOPENED
    assert first.alert.standing and moved.alerts.get(first.alert.id) == first.alert
    replied = moved.objections.act(2, Action.REPLY, comment="so", now_ms=40, actor="op")
    assert [e.seq for e in replied.events] == [1, 2, 3]
    assert add(moved) == 3
    moved.close()
