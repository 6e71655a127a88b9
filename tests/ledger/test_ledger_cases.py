"""Cases that people open, and the files that come with a step."""

from __future__ import annotations

import pytest
import sqlalchemy.exc
from sqlalchemy import create_engine, text

from plant_monitor.alerts.attachments import Attachment
from plant_monitor.alerts.lifecycle import Action, Kind, State, Transition, case
from plant_monitor.errors import Refused
from plant_monitor.ledger import Ledger

PHOTO = Attachment("dial.jpg", "image/jpeg", b"\xff\xd8 a dial")
ASKED = case(Kind.ENQUIRY, subject="COD", text="why so high?", now_ms=10, member="m", series=("a-outfall", "cod_cr"))


def test_a_case_is_read_back_as_it_was_opened_with_its_files(ledger: Ledger) -> None:
    opened = ledger.alerts.open_case(ASKED, actor="member:x", comment="why so high?", files=[PHOTO, PHOTO])
    assert ledger.alerts.get(opened.id) == opened
    assert (opened.state, opened.subject, opened.member, opened.ongoing) == (State.OPEN, "COD", "m", False)
    (event,) = ledger.alerts.events(opened.id)
    assert (event.transition, event.actor, event.comment) == (Transition.OPENED, "member:x", "why so high?")
    reply = Attachment("report.pdf", "application/pdf", b"%PDF")
    ledger.alerts.act(opened.id, Action.ASSIGN, actor="o", now_ms=11, assignee="operator")
    ledger.alerts.act(opened.id, Action.REPLY, actor="o", now_ms=12, comment="rain", files=[reply])
    files = ledger.alerts.files(opened.id)
    assert [(f.place, f.seq, f.name, f.bytes) for f in files] == [
        (1, 1, "dial.jpg", 9), (2, 1, "dial.jpg", 9), (3, 3, "report.pdf", 4),
    ]  # fmt: skip
    assert files[0].sha256 == PHOTO.sha256
    assert ledger.alerts.file(opened.id, 3) == reply
    assert ledger.alerts.file(opened.id, 4) is None
    assert [(e.action, e.subject) for e in ledger.audit.list()][-1] == ("alert.open", str(opened.id))


def test_one_case_of_a_name_is_open_at_a_time(ledger: Ledger) -> None:
    ledger.alerts.open_case(ASKED, actor="x", comment="a")
    with pytest.raises(Refused, match="case #1 of this name is open"):
        ledger.alerts.open_case(ASKED, actor="x", comment="b")
    ledger.alerts.act(1, Action.CLOSE, actor="o", now_ms=20)
    assert ledger.alerts.open_case(ASKED, actor="x", comment="b").id == 2


def test_files_are_never_changed_or_deleted(ledger: Ledger, ledger_url: str) -> None:
    ledger.alerts.open_case(ASKED, actor="x", comment="a", files=[PHOTO])
    engine = create_engine(ledger_url)
    for change in ("UPDATE alert_files SET name = 'x'", "DELETE FROM alert_files"):
        with engine.begin() as connection, pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"):
            connection.execute(text(change))
    engine.dispose()
    assert ledger.alerts.file(1, 1) == PHOTO


def test_cases_are_found_by_member_beside_points_and_left_out_by_kind(ledger: Ledger) -> None:
    ledger.alerts.open_case(ASKED, actor="x", comment="a")
    about_costs = case(Kind.OBJECTION, subject="2026-10-01 #1", text="?", now_ms=11, member="m", series=("", ""))
    ledger.alerts.open_case(about_costs, actor="x", comment="a")
    assert [a.id for a in ledger.alerts.find(points=set(), member="m")] == [2, 1]
    assert [a.id for a in ledger.alerts.find(points={"a-outfall"})] == [1]
    assert [a.id for a in ledger.alerts.find(points=set(), member="n")] == []
    assert [a.id for a in ledger.alerts.find(without={Kind.OBJECTION})] == [1]
