"""A meter exchange that is announced: closing register, opening register, not a litre lost or made up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from allocation.small_plant import OCTOBER, ZONE, at, flow, member, outfall, plant, readings, totaliser
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor import monitor
from plant_monitor.allocation.documents import document
from plant_monitor.allocation.split import CostItem
from plant_monitor.allocation.statement import Period, Statement
from plant_monitor.annotations import AnnotatedSource, Annotation, Kind
from plant_monitor.plant import Series
from plant_monitor.store.memory import MemorySource

A = "a-out"
OLD = [(A, "volume", at("10-01 00:00"), 9000), (A, "volume", at("10-10 00:00"), 9500)]
NEW = [(A, "volume", at("10-10 10:00"), 42.25), (A, "volume", at("11-01 00:00"), 400)]


def exchange(start: str, end: str, closing: float, opening: float) -> Annotation:
    registers = {"closing": closing, "opening": opening}
    return Annotation(Kind.METER_EXCHANGE, A, "volume", at(start), at(end), "worn out", id=1, **registers)


def billed(
    rows: list[Any], *notes: Annotation, period: Period = OCTOBER, series: tuple[Series, ...] = (totaliser(A),)
) -> Statement:
    of = plant([member("a", "1")], [outfall("a", *series)])
    source = AnnotatedSource(of, MemorySource(readings(of, rows)), notes)
    return monitor.bill_period(of, source, period, [CostItem("power", "volume", 9700)])


def row(statement: Statement) -> tuple[str, str, str, str]:
    (volume,) = document(statement)["volumes"]
    return volume["start_register"], volume["end_register"], volume["volume_m3"], ";".join(volume["findings"])


def test_registers_of_both_meters_add_up() -> None:
    """9000 → 9561.5 on the old meter, 12.25 → 400 on the new one: 561.5 + 387.75 = 949.25."""
    statement = billed(OLD + NEW, exchange("10-10 04:00", "10-10 04:00", 9561.5, 12.25))
    assert row(statement) == ("9000.000000", "400.000000", "949.250", "meter_exchange")
    (found,) = (f for f in statement.findings if f.code == "meter_exchange")
    assert found.severity == "info"
    assert found.message.en == (
        "meter exchanged: 9561.5 closed the old one at 2026-10-10T04:00:00+08:00, "
        "12.25 opened the new at 2026-10-10T04:00:00+08:00; 0.000000 m3 by flow"
    )
    (jump,) = document(statement)["volumes"][0]["jumps"]
    assert (jump["start_register"], jump["end_register"], jump["meter_exchange"]) == ("9561.5", "12.25", True)


def test_unannounced_it_is_a_jump_that_the_flow_pays() -> None:
    """As ever: 9500 → 42.25 cannot be water."""
    assert row(billed(OLD + NEW))[2:] == ("857.750", "jump")


def test_an_opening_register_just_above_the_closing_one_is_no_water() -> None:
    """Without the announcement 9500 → 9600 in ten hours would be water."""
    new = [(A, "volume", at("10-10 10:00"), 9600), (A, "volume", at("11-01 00:00"), 9700)]
    assert row(billed(OLD + new))[2] == "700.000"
    assert row(billed(OLD + new, exchange("10-10 00:00", "10-10 00:00", 9500, 9590)))[2] == "610.000"


def test_while_no_meter_counts_the_flow_does() -> None:
    """Two hours between the meters at 5 m³/h; what the register showed meanwhile is not believed."""
    flows = [(A, "flow", at("10-10 00:00") + k * 3_600_000, 5.0) for k in range(10)]
    between = [(A, "volume", at("10-10 05:00"), 123456)]
    series = flow(A), totaliser(A)
    statement = billed(
        OLD + between + NEW + flows, exchange("10-10 04:00", "10-10 06:00", 9561.5, 12.25), series=series
    )
    assert row(statement)[2:] == ("959.250", "meter_exchange")


@pytest.mark.parametrize(
    ("period", "wanted"),
    [
        ("2026-10", ("9000.000000", "9999.500000", "999.500", "meter_exchange")),
        ("2026-11", ("0.000000", "300.000000", "300.000", "no_register_after_end")),
    ],
)
def test_at_the_turn_of_the_month_each_meter_stays_in_its_own(period: str, wanted: tuple[str, ...]) -> None:
    rows = [(A, "volume", at("10-01 00:00"), 9000), (A, "volume", at("10-31 23:00"), 9990)]
    rows += [(A, "volume", at("11-01 01:00"), 1), (A, "volume", at("11-20 00:00"), 300)]
    one = exchange("11-01 00:00", "11-01 00:00", 9999.5, 0)
    assert row(billed(rows, one, period=Period.parse(period, ZONE))) == wanted


@given(
    st.lists(st.integers(0, 40), min_size=2, max_size=30),
    st.integers(1, 29),
    st.integers(0, 10_000),
    st.integers(0, 999_999),
)
def test_an_exchange_adds_and_takes_nothing(rises: list[int], day: int, first: int, opening: int) -> None:
    """One meter for the whole month, or two of which the second begins at any register: the same litres."""
    rises = (rises * 31)[:31]
    whole = [first + sum(rises[:k]) for k in range(31)]
    opening = min(opening, 999_999 - sum(rises))
    when = at("10-01 00:00") + day * 86_400_000
    rows = [(A, "volume", at("10-01 00:00") + k * 86_400_000, register) for k, register in enumerate(whole)]
    rows.append((A, "volume", at("11-01 00:00"), first + sum(rises)))
    one = Annotation(
        Kind.METER_EXCHANGE, A, "volume", when, when, "why", closing=float(whole[day]), opening=float(opening)
    )
    shown = [(p, q, t, r if t < when else r - whole[day] + opening) for p, q, t, r in rows]
    volumes = [document(s)["volumes"][0]["volume_m3"] for s in (billed(rows), billed(shown, one))]
    assert volumes[0] == volumes[1] == f"{Decimal(sum(rises)):.3f}"
