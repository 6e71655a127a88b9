"""Statements: a number names one content, for ever."""

from __future__ import annotations

from typing import Any

import pytest

from plant_monitor.ledger import Ledger
from plant_monitor.ledger.statements import StoredStatement

LINES = [
    {"member": "shennong", "item": "电费", "amount_yuan": "12.34"},
    {"member": "TOTAL", "item": "电费", "amount_yuan": "12.34"},
]


def save(ledger: Ledger, total: int = 1234, period: str = "2026-10", now: int = 5, **more: Any) -> StoredStatement:
    content = {"document": {"zeta": 1, "alpha": [1.5]}, "lines": LINES, "volumes": [{"point": "p"}], **more}
    return ledger.statements.save(period=period, plant_digest="d", total_fen=total, now_ms=now, **content)


def test_a_statement_comes_back_as_it_was_saved(ledger: Ledger) -> None:
    saved = save(ledger)
    assert (saved.number, saved.state, saved.total_fen, saved.created_ms) == ("2026-10-01", "draft", 1234, 5)
    found = ledger.statements.get("2026-10-01")
    assert found == saved
    assert list(found.document) == ["zeta", "alpha"]  # in the order it was written
    assert ledger.statements.get("2026-11-01") is None


def test_the_same_content_again_is_the_same_statement_and_another_supersedes_it(ledger: Ledger) -> None:
    first = save(ledger)
    assert save(ledger, now=9) == first
    second = save(ledger, total=1)
    other = save(ledger, period="2026-11")
    assert (second.number, other.number) == ("2026-10-02", "2026-11-01")
    heads = ledger.statements.find()
    assert [(h.number, h.state) for h in heads] == [
        ("2026-11-01", "draft"), ("2026-10-02", "draft"), ("2026-10-01", "superseded"),
    ]  # fmt: skip
    third = save(ledger)  # back to the first content: a new document all the same
    assert third.number == "2026-10-03"
    assert [h.number for h in ledger.statements.find(period="2026-10", before_id=third.id, limit=1)] == ["2026-10-02"]
    assert ledger.statements.find()[0].lines == tuple(LINES)


def test_what_is_no_number_is_not_stored(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save(ledger, document={"mean": float("nan")})
    assert ledger.statements.find() == ()


def test_large_sums_stay_exact(ledger: Ledger) -> None:
    assert save(ledger, total=2**53 + 1).total_fen == 2**53 + 1
    assert ledger.statements.find()[0].total_fen == 2**53 + 1
