"""The statement: what is refused, what is found, and that every figure is in the document."""

import json
from decimal import Decimal

import pytest
from allocation.small_plant import (
    END,
    OCTOBER,
    START,
    analyser,
    cost,
    flow,
    member,
    outfall,
    plant,
    readings,
    steady,
    totaliser,
)

from plant_monitor.allocation.costs import cost_problems
from plant_monitor.allocation.documents import document, statement_rows
from plant_monitor.allocation.statement import bill
from plant_monitor.errors import InputError
from plant_monitor.plant import Point, Role, StrengthStep, Tariff
from plant_monitor.readings import Readings

A, B = "a-out", "b-out"


def two(tariff=None, **more):
    return plant(
        [member("a", "0.3"), member("b", "0.1")],
        [
            outfall("a", flow(A), totaliser(A), analyser(A), analyser(A, "ph", unit="1")),
            outfall("b", flow(B), totaliser(B), analyser(B)),
            Point("in", Role.INLET, (totaliser("in"),)),
        ],
        tariff,
        **more,
    )


def registers(point, m3, start=0.0):
    return [(point, "volume", START, start), (point, "volume", END, start + m3)]


def codes(statement):
    return [(f.code, f.severity, f.member, f.point, f.parameter) for f in statement.findings]


BOTH = [*registers(A, 100.0), *registers(B, 300.0)]


# -- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "basis", "expected"),
    [
        ("", "volume", "a name"),
        ("TOTAL", "volume", "other than TOTAL"),
        ("fixed", "volume", "tariff lines"),
        ("strength:cod_cr", "volume", "tariff lines"),
        ("x", "volumes", "load:<parameter>"),
        ("x", "", "load:<parameter>"),
        ("x", "direct:nobody", "one of a, b"),
        ("x", "load:ph", "mass per volume"),
        ("x", "load:flow", "mass per volume"),
        ("x", "load:chloride", "that the plant measures"),
        ("x", "load:", "that the plant measures"),
    ],
)
def test_bad_cost_items(item, basis, expected):
    ((row, problem),) = cost_problems(two(), [cost("fine", "equal", "1.00"), cost(item, basis, "1.00")])
    assert row == 1
    assert expected in problem.expected


def test_duplicate_items_are_refused():
    ((row, problem),) = cost_problems(
        two(), [cost("x", "equal", "1"), cost("y", "equal", "1"), cost("x", "volume", "1")]
    )
    assert (row, problem.path) == (2, "item")


def test_all_problems_at_once():
    with pytest.raises(InputError) as caught:
        bill(two(), Readings.empty(), OCTOBER, [cost("TOTAL", "nonsense", "1"), cost("x", "direct:c", "1")])
    assert len(caught.value.problems) == 3


def test_strength_on_what_is_no_mass_per_volume_is_refused():
    rule = StrengthStep("ph", Decimal(9), Decimal(1), Decimal("0.2"))
    with pytest.raises(InputError, match="mass per volume"):
        bill(two(Tariff(strength_steps=(rule,))), Readings.empty(), OCTOBER, [])


def test_a_member_named_total_is_refused():
    of = plant([member("TOTAL")], [outfall("TOTAL", totaliser(A))])
    with pytest.raises(InputError, match="TOTAL rows are the sums"):
        bill(of, Readings.empty(), OCTOBER, [])


def test_nobody_to_bill_is_refused():
    with pytest.raises(InputError, match="at least one member"):
        bill(plant([], []), Readings.empty(), OCTOBER, [cost("x", "equal", "1")])


# -- what is found ------------------------------------------------------------------------------------


def test_a_clean_bill_has_no_findings():
    assert codes(bill(two(), readings(two(), BOTH), OCTOBER, [cost("x", "volume", "1")])) == []


def test_the_difference_is_reported_and_a_negative_one_warned_about():
    of = two(inlet="in")
    statement = bill(of, readings(of, [*BOTH, *registers("in", 450.0)]), OCTOBER, [])
    assert codes(statement) == [("unmetered_difference", "info", "", "in", "")]
    assert statement.difference is not None
    assert (statement.difference.litres, statement.billed_litres) == (50_000, {"a": 100_000, "b": 300_000})
    statement = bill(of, readings(of, [*BOTH, *registers("in", 399.0)]), OCTOBER, [])
    assert codes(statement) == [("negative_difference", "warning", "", "in", "")]


def test_an_inlet_without_volume_has_no_difference():
    of = two(Tariff(unmetered_difference="equal"), inlet="in")
    statement = bill(of, readings(of, BOTH), OCTOBER, [])
    assert statement.difference is None
    assert codes(statement) == [
        ("no_register", "warning", "", "in", "volume"),
        ("no_inlet_volume", "warning", "", "in", "volume"),
    ]
    assert statement.billed_litres == {"a": 100_000, "b": 300_000}


def test_without_an_inlet_nothing_is_compared():
    statement = bill(two(), readings(two(), [*BOTH, *registers("in", 450.0)]), OCTOBER, [])
    assert (statement.difference, statement.findings) == (None, ())


def test_a_rule_for_the_difference_needs_an_inlet():
    of = two(Tariff(unmetered_difference="equal"))
    assert [f.code for f in bill(of, readings(of, BOTH), OCTOBER, []).findings] == ["no_inlet"]


def test_difference_with_nothing_measured_goes_by_capacity_share():
    of = two(Tariff(unmetered_difference="proportional"), inlet="in")
    rows = [*registers(A, 0.0), *registers(B, 0.0), *registers("in", 4.0)]
    statement = bill(of, readings(of, rows), OCTOBER, [])
    assert statement.billed_litres == {"a": 3000, "b": 1000}
    assert codes(statement)[1] == ("zero_weights", "warning", "", "", "")
    assert "capacity_share" in statement.findings[1].message.en


def test_billed_litres_do_not_change_loads():
    of = two(Tariff(unmetered_difference="equal"), inlet="in")
    rows = [*BOTH, *registers("in", 600.0)]
    rows += [row for p in (A, B) for row in (*steady(p, "flow", 1.0), *steady(p, "cod_cr", 1000.0))]
    statement = bill(of, readings(of, rows), OCTOBER, [cost("x", "load:cod_cr", "4"), cost("y", "volume", "4")])
    assert statement.billed_litres == {"a": 200_000, "b": 400_000}
    assert statement.items[0].amounts_fen == {"a": 100, "b": 300}
    assert statement.items[1].amounts_fen == {"a": 133, "b": 267}


def test_no_mean_blocks_and_thin_means_warn():
    of = two()
    rows = [*BOTH, *steady(A, "flow", 1.0), *steady(A, "cod_cr", 500.0, START, START + (END - START) // 2)]
    statement = bill(of, readings(of, rows), OCTOBER, [cost("x", "load:cod_cr", "1")])
    assert codes(statement) == [
        ("low_valid_share", "warning", "a", A, "cod_cr"),
        ("low_valid_share", "warning", "b", B, "cod_cr"),
        ("no_mean", "blocking", "b", "", "cod_cr"),
    ]
    assert statement.items[0].amounts_fen == {"a": 100, "b": 0}


def test_no_mean_does_not_matter_without_billed_litres():
    of = two()
    rows = [*registers(A, 100.0), *registers(B, 0.0), *steady(A, "flow", 1.0), *steady(A, "cod_cr", 500.0)]
    statement = bill(of, readings(of, rows), OCTOBER, [cost("x", "load:cod_cr", "1")])
    assert [f.code for f in statement.findings if f.severity == "blocking"] == []


def test_equivalents_need_one_oxygen_demand_only():
    of = plant(
        [member("a"), member("b")],
        [outfall("a", flow(A), analyser(A), analyser(A, "bod5")), outfall("b", flow(B), analyser(B, "bod5"))],
    )
    rows = [row for p in (A, B) for row in (*steady(p, "flow", 1.0), *steady(p, "bod5", 300.0))]
    statement = bill(of, readings(of, rows), OCTOBER, [cost("x", "load", "1")])
    assert [f.code for f in statement.findings if f.severity == "blocking"] == []
    assert statement.items[0].amounts_fen == {"a": 50, "b": 50}


def test_equivalents_block_for_what_others_measure():
    of = plant(
        [member("a"), member("b")],
        [outfall("a", flow(A), analyser(A), analyser(A, "ss")), outfall("b", flow(B), analyser(B))],
    )
    rows = [row for p in (A, B) for row in (*steady(p, "flow", 1.0), *steady(p, "cod_cr", 300.0))]
    statement = bill(of, readings(of, [*rows, *steady(A, "ss", 80.0)]), OCTOBER, [cost("x", "load", "1")])
    assert [(f.member, f.parameter) for f in statement.findings if f.code == "no_mean"] == [("b", "ss")]


def test_load_that_nobody_measures_falls_back_and_blocks():
    of = plant([member("a", "0.3"), member("b", "0.1")], [outfall("a", totaliser(A)), outfall("b", totaliser(B))])
    statement = bill(of, readings(of, BOTH), OCTOBER, [cost("x", "load", "1")])
    assert statement.items[0].amounts_fen == {"a": 75, "b": 25}
    assert [f.code for f in statement.findings] == ["no_mean", "no_mean", "zero_weights"]


def test_nothing_to_estimate_from_blocks():
    of = plant([member("a")], [outfall("a", flow(A))])
    statement = bill(of, Readings.empty(), OCTOBER, [])
    assert [f.code for f in statement.findings if f.severity == "blocking"] == ["estimated", "nothing_to_estimate_from"]


def test_every_jump_is_a_finding_of_its_own_with_its_registers():
    of = two()
    rows = [
        (A, "volume", START, 0.0),
        (A, "volume", START + 3_600_000, 90_000.0),
        (A, "volume", START + 7_200_000, 7.25),
    ]
    statement = bill(of, readings(of, [*rows, (A, "volume", END, 7.25), *registers(B, 1.0)]), OCTOBER, [])
    found = [f.message.en for f in statement.findings if f.code == "jump"]
    assert len(found) == 2
    assert "register 90000.0 at 2026-10-01T01:00:00+08:00, 7.25 at 2026-10-01T02:00:00+08:00" in found[1]


# -- the document ---------------------------------------------------------------------------------------


def test_document_and_rows_have_the_same_figures():
    of = two(Tariff(Decimal("4.5"), (("a", Decimal(30)),), unmetered_difference="equal"), inlet="in")
    rows = [*BOTH, *registers("in", 450.0)]
    rows += [row for p in (A, B) for row in (*steady(p, "flow", 1.0), *steady(p, "cod_cr", 333.3))]
    costs = [cost("power", "volume", "100.01"), cost("sludge", "load", "33.33"), cost("refund", "equal", "-0.05")]
    statement = bill(of, readings(of, rows), OCTOBER, costs)
    written = json.loads(json.dumps(document(statement)))
    lines = {(m["member"], x["item"]): x for m in written["members"] for x in m["lines"]}
    for member_id, item, basis, quantity, unit, share, amount in statement_rows(statement):
        if "TOTAL" not in (member_id, item):
            line = lines[member_id, item]
            assert [line[k] for k in ("basis", "quantity", "unit", "share", "amount_yuan")] == [
                basis,
                quantity,
                unit,
                share,
                amount,
            ]
    assert written["total_yuan"] == statement_rows(statement)[-1][-1]
    assert sum(Decimal(m["total_yuan"]) for m in written["members"]) == Decimal(written["total_yuan"])
    assert [(i["item"], i["amount_yuan"]) for i in written["items"][:3]] == [
        ("power", "100.01"),
        ("sludge", "33.33"),
        ("refund", "-0.05"),
    ]
    assert written["unmetered_difference"]["parts_m3"] == {"a": "25.000", "b": "25.000"}
    assert written["period"]["days"] == 31


def test_document_names_what_it_rests_on():
    of = two(inlet="in")
    written = document(bill(of, readings(of, BOTH), OCTOBER, [cost("x", "volume", "1")]))
    assert written["volumes"][0]["start_register"] == "0.000000"
    assert written["volumes"][0]["from_registers_m3"] == "100.000000"
    assert written["rule_version"]
    assert {f["code"] for f in written["findings"]} == {"no_register", "no_inlet_volume"}
    assert all(f["message"]["zh"] and f["message"]["en"] for f in written["findings"])
