"""A period's documents: issued once, never changed, corrected by differences that always sum to the truth."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from allocation.small_plant import END, START, cost, flow, member, outfall, plant, readings, totaliser
from allocation.test_bill_laws import cases
from hypothesis import given, settings
from hypothesis import strategies as st

from plant_monitor import monitor, settlement
from plant_monitor.allocation.correction import FIGURES, correction, truth
from plant_monitor.allocation.documents import document
from plant_monitor.allocation.statement import Period, bill
from plant_monitor.errors import InputError, Refused
from plant_monitor.ledger import Ledger
from plant_monitor.plant import Plant, Point, Role, Tariff
from plant_monitor.settlement import Deed
from plant_monitor.store.memory import MemorySource

OCTOBER = Period.parse("2026-10", plant([member("a")], []).zone)
LATER = END + 5
COSTS = [cost("power", "volume", "1000.01"), cost("rent", "capacity_share", "333.33"), cost("b's", "direct:b", "10")]
PLANT = plant(
    [member("a", "0.5", "10"), member("b", "0.5", "10")],
    [
        outfall("a", flow("pa"), totaliser("pa")),
        outfall("b", flow("pb"), totaliser("pb")),
        Point("in", Role.INLET, (totaliser("in"),)),
    ],
    Tariff(Decimal("4.50"), (("a", Decimal(100)),)),
    inlet="in",
)


def dial(point: str, volume: float) -> list[Any]:
    return [(point, "volume", START, 1000.0), (point, "volume", END, 1000.0 + volume)]


def store(a: float = 300.0, b: float = 100.0, inlet: float = 400.0, of: Plant = PLANT, only: str = "") -> MemorySource:
    rows = [*dial("pa", a), *dial("pb", b), *dial("in", inlet)]
    return MemorySource(readings(of, [r for r in rows if only in r[0]]))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    yield ledger
    ledger.close()


def drafted(ledger: Ledger, source: MemorySource, of: Plant = PLANT, costs: Any = COSTS) -> str:
    made = monitor.bill_period(of, source, OCTOBER, costs)
    return settlement.draft(ledger.statements, made, Deed("me", LATER)).number


def issued(ledger: Ledger, source: MemorySource, of: Plant = PLANT, reason: str = "") -> str:
    number = drafted(ledger, source, of)
    return settlement.issue(ledger.statements, of, source, number, Deed("me", LATER, reason)).number


def corrected(ledger: Ledger, source: MemorySource, cause: str = "late data") -> Any:
    number = drafted(ledger, source)
    return settlement.correct(ledger.statements, PLANT, source, number, cause, Deed("me", LATER))


def chain_sums(documents: Any) -> dict[tuple[str, ...], Decimal]:
    """(member, item, basis, figure) -> the sum over a chain; zeros left out."""
    sums: dict[tuple[str, ...], Decimal] = {}
    for told in documents:
        for of in told["members"]:
            for line in of["lines"]:
                for figure in FIGURES:
                    key = (of["member"], line["item"], line["basis"], figure)
                    sums[key] = sums.get(key, Decimal(0)) + Decimal(line[figure] or 0)
            for figure in ("billed_m3", "total_yuan"):
                key = (of["member"], figure)
                sums[key] = sums.get(key, Decimal(0)) + Decimal(of[figure])
        sums["TOTAL",] = sums.get(("TOTAL",), Decimal(0)) + Decimal(told["total_yuan"])
    return {key: value for key, value in sums.items() if value}


@settings(max_examples=40, deadline=None)
@given(st.lists(cases(), min_size=1, max_size=4))
def test_the_chain_always_sums_to_the_recomputed_truth(bills: Any) -> None:
    """Whatever changed in between: readings, costs, bases, prices, members."""
    chain: list[dict[str, Any]] = []
    for number, (of, rows, costs) in enumerate(bills):
        told = document(bill(of, readings(of, rows), OCTOBER, costs)) | {"number": str(number)}
        chain.append(correction(chain[-1], told, "late data") if chain else told)
        assert chain_sums(chain) == chain_sums([truth(chain[-1])])
        for entry in chain[1:]:
            assert sum(Decimal(i["amount_yuan"]) for i in entry["items"]) == Decimal(entry["total_yuan"])


def test_a_statement_is_issued_once_and_its_number_is_that_of_the_draft(ledger: Ledger) -> None:
    number = issued(ledger, store())
    kept = ledger.statements.get(number)
    assert kept is not None
    assert (kept.number, kept.state, kept.issued_by, kept.issued_ms) == ("2026-10-01", "issued", "me", LATER)
    shown = settlement.shown(kept, PLANT.zone)
    assert shown["issue"] == {"time": "2026-11-01T00:00:00.005+08:00", "by": "me", "override_reason": ""}
    with pytest.raises(Refused, match="is issued: it never changes"):
        settlement.issue(ledger.statements, PLANT, store(), number, Deed("me", LATER))
    assert drafted(ledger, store()) == number  # the same bill again is the issued one
    other = drafted(ledger, store(a=301))
    with pytest.raises(Refused, match=f"2026-10 is issued as {number}"):
        settlement.issue(ledger.statements, PLANT, store(a=301), other, Deed("me", LATER))
    assert [e.action for e in ledger.audit.list()] == ["statement.save", "statement.issue", "statement.save"]


def test_the_database_itself_refuses_to_change_what_is_issued(ledger: Ledger, tmp_path: Path) -> None:
    number = issued(ledger, store())
    draft = drafted(ledger, store(a=301))
    engine = sa.create_engine(f"sqlite:///{tmp_path}/ledger.sqlite")
    for change in (
        f"UPDATE statements SET state = 'draft' WHERE number = '{number}'",
        f"UPDATE statements SET override_reason = 'x' WHERE number = '{number}'",
        f"UPDATE statements SET document = '{{}}' WHERE number = '{draft}'",
        f"UPDATE statements SET total_fen = 1, state = 'issued' WHERE number = '{draft}'",
        f"DELETE FROM statements WHERE number = '{draft}'",
    ):
        with pytest.raises(sa.exc.IntegrityError, match="never changes"), engine.begin() as connection:
            connection.execute(sa.text(change))
    engine.dispose()


def test_a_correction_holds_the_differences_alone_and_names_cause_and_predecessor(ledger: Ledger) -> None:
    number = issued(ledger, store())
    first = corrected(ledger, store(a=310, inlet=410), cause="register of the 12th came late")
    assert (first.number, first.kind, first.state, first.predecessor) == ("2026-10-03", "correction", "issued", number)
    told = first.document
    assert (told["predecessor"], told["cause"]) == (number, "register of the 12th came late")
    assert {(m["member"], x["item"]) for m in told["members"] for x in m["lines"]} == {
        ("a", "power"), ("b", "power"), ("a", "volume_price"),
    }  # fmt: skip
    price = next(x for x in told["members"][0]["lines"] if x["item"] == "volume_price")
    assert (price["quantity"], price["amount_yuan"]) == ("10.000", "45.00")
    assert (price["before"]["amount_yuan"], price["after"]["amount_yuan"]) == ("1350.00", "1395.00")
    assert [v["point"] for v in told["volumes"]] == ["pa"]
    assert told["volumes"][0]["before"]["volume_m3"] == "300.000"

    second = corrected(ledger, store(a=305, inlet=410), cause="and once more")
    assert second.predecessor == first.number
    chain = [settlement.shown(s, PLANT.zone) for s in ledger.statements.chain("2026-10")]
    assert [d["number"] for d in chain] == [number, first.number, second.number]
    again = document(monitor.bill_period(PLANT, store(a=305, inlet=410), OCTOBER, COSTS))
    assert chain_sums(chain) == chain_sums([again])


def test_no_correction_without_a_cause_a_predecessor_or_a_difference(ledger: Ledger) -> None:
    draft = drafted(ledger, store())
    with pytest.raises(Refused, match="nothing of 2026-10 is issued yet"):
        settlement.correct(ledger.statements, PLANT, store(), draft, "why", Deed("me", LATER))
    issued(ledger, store())
    with pytest.raises(Refused, match="names its cause"):
        corrected(ledger, store(a=301), cause="  ")
    # A further reading on the line between two registers changes the inputs and no figure.
    more = [("pa", "volume", (START + END) // 2, 1150.0)]
    rows = [*dial("pa", 300.0), *more, *dial("pb", 100.0), *dial("in", 400.0)]
    with pytest.raises(Refused, match="nothing to correct"):
        corrected(ledger, MemorySource(readings(PLANT, rows)))


def test_what_runs_is_stale_or_of_another_plant_is_not_issued(ledger: Ledger) -> None:
    number = drafted(ledger, store())
    with pytest.raises(Refused, match="not over yet"):
        settlement.issue(ledger.statements, PLANT, store(), number, Deed("me", END - 1))
    with pytest.raises(Refused, match="not what the store says now"):
        settlement.issue(ledger.statements, PLANT, store(a=301), number, Deed("me", LATER))
    with pytest.raises(Refused, match=r"another plant\.yaml"):
        settlement.issue(ledger.statements, replace(PLANT, digest="other"), store(), number, Deed("me", LATER))
    drafted(ledger, store(b=99))
    with pytest.raises(Refused, match="superseded"):
        settlement.issue(ledger.statements, PLANT, store(), number, Deed("me", LATER))
    with pytest.raises(Refused, match="no statement"):
        settlement.issue(ledger.statements, PLANT, store(), "2026-10-99", Deed("me", LATER))


def test_a_missing_meter_blocks_and_an_operators_reason_is_kept(ledger: Ledger) -> None:
    source = store(only="pa")
    with pytest.raises(Refused, match="blocking findings: estimated pb: nothing measured the volume"):
        issued(ledger, source)
    number = issued(ledger, source, reason="meter of b in repair, agreed with b")
    kept = ledger.statements.get(number)
    assert kept is not None and kept.override_reason == "meter of b in repair, agreed with b"


@pytest.mark.parametrize(("inlet", "blocks"), [(400.0, False), (420.0, False), (421.1, True), (379.0, True)])
def test_a_difference_above_the_tolerance_blocks(ledger: Ledger, inlet: float, blocks: bool) -> None:
    of = replace(PLANT, tariff=replace(PLANT.tariff, difference_tolerance=Decimal("0.05")))
    source = store(inlet=inlet, of=of)  # the outfalls: 400 m³
    if blocks:
        with pytest.raises(Refused, match="difference_above_tolerance in: inlet and outfalls differ"):
            issued(ledger, source, of)
    else:
        assert issued(ledger, source, of)


@pytest.mark.parametrize(("flowed", "blocks"), [(300.0, False), (314.0, False), (320.0, True), (280.0, True)])
def test_a_register_that_the_flow_beside_it_belies_blocks(ledger: Ledger, flowed: float, blocks: bool) -> None:
    of = replace(PLANT, tariff=replace(PLANT.tariff, meter_tolerance=Decimal("0.045")))  # of 300 m³ 13.5; the dial's 1
    hour = 3_600_000
    rows = [*dial("pa", 300.0), *dial("pb", 100.0), *dial("in", 400.0)]
    rows += [("pa", "flow", t, flowed / (31 * 24)) for t in range(START, END, hour)]
    source = MemorySource(readings(of, rows))
    if not blocks:
        assert issued(ledger, source, of)
        return
    with pytest.raises(Refused, match=r"meters_differ pa: 300\.000 m3 by the register"):
        issued(ledger, source, of)
    number = issued(ledger, source, of, reason="the flow sensor is being repaired, agreed with a")
    kept = ledger.statements.get(number)
    assert kept is not None
    assert settlement.shown(kept, of.zone)["issue"]["override_reason"].startswith("the flow sensor")
    assert settlement.verified(ledger.statements, of, source, settlement.shown(kept, of.zone)) == []


def test_a_running_month_is_billed_so_far_with_a_projection_and_never_issued(ledger: Ledger) -> None:
    day = 24 * 3_600_000
    rows = [(p, "volume", START + i * day, 1000.0 + i * 10) for p in ("pa", "pb") for i in range(11)]
    source, until = MemorySource(readings(PLANT, rows)), OCTOBER.first.replace(day=11)
    running = monitor.bill_running(PLANT, source, OCTOBER, COSTS, until)
    so_far, projection = running.so_far, running.projection
    assert so_far.billed_litres == {"a": 100_000, "b": 100_000}
    assert projection.billed_litres == {"a": 310_000, "b": 310_000}
    # 1000.01, 333.33 and 10 yuan by 10 of 31 days; 100 m³ each at 4.50; 100 yuan a month by 10 of 31 days
    assert [i.total_fen for i in so_far.items] == [32_258, 10_753, 323, 90_000, 3_226]
    assert [i.total_fen for i in projection.items] == [100_001, 33_333, 1_000, 279_000, 10_000]
    kept = settlement.draft(ledger.statements, running, Deed("me", LATER))
    assert kept.document["projection"]["total_yuan"] == "4233.34"
    assert settlement.verified(ledger.statements, PLANT, source, dict(kept.document)) == []
    with pytest.raises(Refused, match="is a bill so far"):
        settlement.issue(ledger.statements, PLANT, source, kept.number, Deed("me", LATER))
    with pytest.raises(InputError, match="expected a day inside 2026-10"):
        monitor.bill_running(PLANT, source, OCTOBER, COSTS, OCTOBER.first)


def test_verify_finds_every_document_identical_or_says_what_differs(ledger: Ledger) -> None:
    issued(ledger, store())
    late = store(a=310, inlet=410)
    corrected(ledger, late)
    statement, fix = (settlement.shown(s, PLANT.zone) for s in ledger.statements.chain("2026-10"))
    assert settlement.verified(ledger.statements, PLANT, store(), statement) == []
    assert settlement.verified(ledger.statements, PLANT, late, fix) == []
    differs = {path: (was, now) for path, was, now in settlement.verified(ledger.statements, PLANT, late, statement)}
    assert differs["members[a].billed_m3"] == ("300.000", "310.000")
    assert differs["volumes[pa].end_register"] == ("1300.000000", "1310.000000")
    assert "inputs.readings" in differs and "inputs.costs" not in differs
    forged = {**statement, "total_yuan": "1.00"}
    assert [d[0] for d in settlement.verified(ledger.statements, PLANT, store(), forged)] == ["total_yuan"]
    with pytest.raises(Refused, match="follows rule bill-0"):
        settlement.verified(ledger.statements, PLANT, late, {**statement, "rule_version": "bill-0"})
