"""Verdicts as given, and every change of one, in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from plant_monitor.compliance.history import JudgedDay
from plant_monitor.ledger import Ledger
from plant_monitor.windows import day_start_ms

ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 10, 1)


def judged(
    verdict: str, value: float, *, upper: float = 300.0, said: tuple[int, ...] = (), limits: str = "a"
) -> JudgedDay:
    row = ("daily", "2026-10-01", "out", "cod_cr", "agreed", "daily_mean", verdict, None, upper, value, 1.0)
    return JudgedDay((row,), "a", {"out/cod_cr": said} if said else {})


@pytest.mark.parametrize(
    ("then", "cause", "annotations"),
    [
        (judged("exceeded", 310.1), "late_data", ()),
        (judged("exceeded", 310.1, said=(7,)), "annotation", (7,)),
        (judged("exceeded", 290.1, upper=200.0), "limit", ()),
        (judged("exceeded", 290.1), "rule", ()),
    ],
)
def test_a_change_names_its_cause(
    open_ledger: Callable[[], Ledger], then: JudgedDay, cause: str, annotations: tuple[int, ...]
) -> None:
    book = open_ledger().verdicts
    assert book.give({DAY: judged("met", 290.1)}, ZONE, now_ms=5) == ()
    assert book.give({DAY: judged("met", 290.1)}, ZONE, now_ms=6) == ()
    assert len(book.give({DAY: then}, ZONE, now_ms=7)) == 1
    (change,) = open_ledger().verdicts.changed()
    assert (change.old_verdict, change.new_verdict, change.cause, change.annotations) == (
        "met",
        "exceeded",
        cause,
        annotations,
    )
    assert (change.old_value, change.new_value, change.changed_ms) == (290.1, then.verdicts[0][-2], 7)
    assert change.start_ms == day_start_ms(DAY, ZONE)


def test_days_of_other_limits_are_known(ledger: Ledger) -> None:
    ledger.verdicts.give({DAY: judged("met", 290.1)}, ZONE, now_ms=5)
    assert ledger.verdicts.under_other_limits("a") == set()
    assert ledger.verdicts.under_other_limits("b") == {DAY}


@pytest.mark.parametrize("statement", ["UPDATE verdict_changes SET cause = 'x'", "DELETE FROM verdict_changes"])
def test_the_database_itself_refuses_to_change_history(ledger: Ledger, ledger_url: str, statement: str) -> None:
    for verdict in ("met", "exceeded"):
        ledger.verdicts.give({DAY: judged(verdict, 290.1)}, ZONE, now_ms=5)
    engine = create_engine(ledger_url)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()
