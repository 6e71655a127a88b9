"""Shares and prices that change inside a period count by days; the least charge, and VAT rounded once."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from allocation.small_plant import END, OCTOBER, START, cost, member, outfall, plant, readings, totaliser
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.allocation.dated import in_period
from plant_monitor.allocation.period import Period
from plant_monitor.allocation.statement import Statement, bill
from plant_monitor.errors import InputError
from plant_monitor.plant import PriceChange, ShareChange, StrengthStep, Tariff

MIDDLE = date(2026, 10, 16)  # 15 days before it, 16 from it on


def billed(tariff: Tariff, costs: list, members=None, period: Period = OCTOBER) -> Statement:
    of = plant(
        members or [member("a", "0.5"), member("b", "0.5")],
        [outfall(m, totaliser(m)) for m in ("a", "b")],
        tariff,
    )
    rows = [(m, "volume", at, 1000.0 + v) for m, v in (("a", 310.0), ("b", 0.0)) for at, v in ((START, 0), (END, v))]
    return bill(of, readings(of, rows), period, costs)


def amounts(statement: Statement) -> dict[str, dict[str, int]]:
    return {i.item: i.amounts_fen for i in statement.items}


def test_a_share_that_changes_mid_month_is_split_by_days():
    a = replace(member("a", "0.2"), share_changes=(ShareChange(MIDDLE, Decimal("0.6")),))
    found = billed(Tariff(), [cost("rent", "capacity_share", "310.00")], [a, member("b", "0.4")])
    # a: (15 × 0.2 + 16 × 0.6) ÷ 31 = 12.6 ÷ 31; b: 12.4 ÷ 31: of 310 yuan 126/25 and 124/25 of 25 yuan
    assert amounts(found)["rent"] == {"a": 15_624, "b": 15_376}
    assert found.items[0].quantities["a"] == Decimal("0.406451612903")
    notes = [(f.code, f.member, f.message.en) for f in found.findings]
    assert notes == [("share_changed", "a", "capacity share: 0.2 × 15 d, 0.6 × 16 d; mean by days 0.406451612903")]


def test_a_change_at_the_first_day_or_after_the_last_changes_nothing_inside():
    for since, share in ((OCTOBER.first, "0.6"), (date(2026, 11, 1), "0.5"), (date(2020, 1, 1), "0.6")):
        a = replace(member("a", "0.5"), share_changes=(ShareChange(since, Decimal("0.6")),))
        found = billed(Tariff(), [cost("rent", "capacity_share", "1")], [a, member("b", "0.5")])
        assert found.items[0].quantities["a"] == Decimal(share) and not found.findings


def test_prices_that_change_count_by_days():
    tariff = Tariff(
        Decimal("4"), (("a", Decimal(310)),), price_changes=(PriceChange(MIDDLE, Decimal("5"), (("b", Decimal(31)),)),)
    )
    found = billed(tariff, [])
    # (15 × 4 + 16 × 5) ÷ 31 = 140 ÷ 31 yuan per m³ on 310 m³; b: 31 × 16 ÷ 31
    assert amounts(found) == {"volume_price": {"a": 140_000, "b": 0}, "fixed": {"a": 31_000, "b": 1_600}}
    assert [f.code for f in found.findings] == ["price_changed", "fixed_changed"]


def test_a_strength_rule_counts_for_its_days_and_not_outside_them():
    rule = StrengthStep("cod_cr", Decimal(0), Decimal(100), Decimal("3.1"))
    of = plant([member("a")], [outfall("a", totaliser("a"))])

    def prices(*rules: StrengthStep) -> list[Decimal]:
        of_period = in_period(replace(of, tariff=Tariff(strength_steps=rules)), OCTOBER)
        return [s.yuan_m3 for s in of_period.tariff.strength_steps]

    assert prices(rule) == [Decimal("3.1")]
    assert prices(replace(rule, valid_from=MIDDLE)) == [Decimal("1.6")]
    assert prices(replace(rule, valid_to=date(2026, 10, 10), valid_from=date(2026, 10, 1))) == [Decimal("1")]
    assert prices(replace(rule, valid_from=date(2026, 11, 1)), replace(rule, valid_to=date(2026, 9, 30))) == []


def test_the_least_charge_is_topped_up_and_only_for_whom_it_is_agreed():
    found = billed(Tariff(minimum_yuan_month=(("b", Decimal("100.50")),)), [cost("x", "equal", "20.01")])
    assert amounts(found)["minimum"] == {"a": 0, "b": 9_050}  # b pays 10.00 of 20.01
    quarter = billed(Tariff(minimum_yuan_month=(("a", Decimal(5)),)), [cost("x", "equal", "20")], period=Q4)
    assert amounts(quarter)["minimum"] == {"a": 500, "b": 0}  # 3 × 5 − 10
    assert found.total_fen == 2_001 + 9_050


Q4 = Period.parse("2026-Q4", plant([member("a")], []).zone)


def test_vat_is_rounded_once_per_member():
    tariff = Tariff(vat=(("x", Decimal("0.13")), ("y", Decimal("0.06")), ("gone", Decimal("0.06"))))
    found = billed(tariff, [cost("x", "direct:a", "0.11"), cost("y", "direct:a", "0.03"), cost("z", "equal", "2")])
    # 0.0143 + 0.0018 = 0.0161: 0.02, where each item by itself would be 0.01 + 0.00
    assert amounts(found)["vat"] == {"a": 2, "b": 0}
    assert found.items[-1].details["a"] == {"x": "0.13 × 0.11", "y": "0.06 × 0.03"}
    assert [f.code for f in found.findings] == ["vat_item_unknown"]


@given(st.integers(-(10**9), 10**9), st.decimals(0, 1, places=4))
def test_the_tax_on_a_credit_mirrors_that_on_a_cost(fen, rate):
    def tax(amount: int) -> int:
        yuan = str(Decimal(amount).scaleb(-2))
        return amounts(billed(Tariff(vat=(("x", rate),)), [cost("x", "direct:a", yuan)]))["vat"]["a"]

    assert tax(-fen) == -tax(fen)
    assert abs(tax(fen) - fen * rate) <= Decimal("0.5")


def test_names_of_the_new_lines_are_reserved_only_where_the_tariff_has_them():
    named = [cost("minimum", "equal", "1"), cost("vat", "equal", "1")]
    assert billed(Tariff(), named).total_fen == 200
    with pytest.raises(InputError, match="tariff lines"):
        billed(Tariff(vat=(("x", Decimal("0.1")),)), named[1:])
    with pytest.raises(InputError, match="tariff lines"):
        billed(Tariff(minimum_yuan_month=(("a", Decimal(1)),)), named[:1])
