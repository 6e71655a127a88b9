"""Laboratory results in the ledger: entered once, corrected by a further row, never rewritten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from plant_monitor.compliance.laboratory import LabResult
from plant_monitor.ledger import Ledger
from plant_monitor.ledger.laboratory import LabTaken

HOUR = 3_600_000
OIL = LabResult("out", "petroleum_oil", 0, 24 * HOUR, 0.06, True, "mg/L", "HJ 637-2018", "县监测站", "王")
GRAB = LabResult("out", "bod5", 30 * HOUR, 30 * HOUR, 120.5, False, "mg/L", "HJ 505-2009", "lab", "Li")


def test_results_come_back_and_entering_them_again_changes_nothing(open_ledger: Callable[[], Ledger]) -> None:
    assert open_ledger().lab.add([OIL, GRAB], now_ms=5, actor="cli") == LabTaken(new=2)
    again = open_ledger()
    assert again.lab.add([GRAB, OIL], now_ms=9, actor="cli") == LabTaken(known=2)
    assert [(s.result, s.entered_ms, s.entered_by) for s in again.lab.find()] == [(GRAB, 5, "cli"), (OIL, 5, "cli")]
    assert [(e.action, e.detail) for e in again.audit.list()] == [("lab.add", {"new": 2, "known": 0, "replaced": 0})]


def test_a_corrected_result_stands_and_the_first_one_stays(ledger: Ledger) -> None:
    right = replace(GRAB, value=12.05)
    ledger.lab.add([GRAB], now_ms=5, actor="cli")
    assert ledger.lab.add([right], now_ms=6, actor="operator:a") == LabTaken(replaced=1)
    assert [s.result for s in ledger.lab.find()] == [right]
    assert [(s.result.value, s.entered_by) for s in ledger.lab.history(right)] == [
        (120.5, "cli"),
        (12.05, "operator:a"),
    ]
    assert ledger.lab.add([GRAB], now_ms=7, actor="cli") == LabTaken(replaced=1)  # back again is a step, too
    assert [s.result for s in ledger.lab.find()] == [GRAB]


def test_another_laboratory_or_method_is_another_result(ledger: Ledger) -> None:
    others = [GRAB, replace(GRAB, laboratory="other"), replace(GRAB, method="other")]
    assert ledger.lab.add(others, now_ms=5, actor="cli") == LabTaken(new=3)
    assert len(ledger.lab.find()) == 3


@pytest.mark.parametrize(
    ("span", "found"),
    [
        ((0, 1), ["petroleum_oil"]),
        ((24 * HOUR, 30 * HOUR), []),
        ((24 * HOUR, 30 * HOUR + 1), ["bod5"]),
        ((30 * HOUR, 31 * HOUR), ["bod5"]),
        ((24 * HOUR - 1, 99 * HOUR), ["bod5", "petroleum_oil"]),
        ((30 * HOUR + 1, 99 * HOUR), []),
    ],
)
def test_results_are_found_by_the_time_of_their_sample(ledger: Ledger, span: tuple[int, int], found: list[str]) -> None:
    ledger.lab.add([OIL, GRAB], now_ms=5, actor="cli")
    assert [s.result.parameter for s in ledger.lab.find(start_ms=span[0], end_ms=span[1])] == found


def test_results_are_found_by_point_and_parameter(ledger: Ledger) -> None:
    ledger.lab.add([OIL, GRAB, replace(OIL, point="b")], now_ms=5, actor="cli")
    assert [s.result.point for s in ledger.lab.find(parameter="petroleum_oil")] == ["b", "out"]
    assert [s.result.parameter for s in ledger.lab.find(points={"out"})] == ["bod5", "petroleum_oil"]
    assert ledger.lab.find(points=set()) == ()


@pytest.mark.parametrize("statement", ["UPDATE lab_results SET value = 1", "DELETE FROM lab_results"])
def test_the_database_itself_refuses_to_change_a_result(ledger: Ledger, ledger_url: str, statement: str) -> None:
    ledger.lab.add([OIL], now_ms=5, actor="cli")
    engine = create_engine(ledger_url)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()
    assert [s.result for s in ledger.lab.find()] == [OIL]
