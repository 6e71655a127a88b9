"""Rounding happens in one place, half away from zero, and texts carry exactly their decimals."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.allocation.exact import (
    decimal_of,
    half_up,
    integral,
    m3_text,
    percent_text,
    plain_text,
    share_text,
    to_places,
    yuan_text,
)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [("0.5", 1), ("0.49999999999", 0), ("1.5", 2), ("2.5", 3), ("-0.5", -1), ("-2.5", -3), ("-0.4", 0), ("7", 7)],
)
def test_half_up(value, rounded):
    assert half_up(Fraction(value)) == rounded


@given(st.fractions())
def test_half_up_is_never_more_than_a_half_off(value):
    assert abs(half_up(value) - value) <= Fraction(1, 2)


def test_registers_are_what_the_display_says():
    # 0.1 + 0.2 as float64 is 0.30000000000000004; the float 0.3 reads 0.3, though its bits are below it.
    assert decimal_of(0.3) == Decimal("0.3")
    assert decimal_of(123456.78) == Decimal("123456.78")
    assert decimal_of(1e22) == Decimal(10**22)


def test_integral_rounds_noise_away():
    assert integral(0.1 + 0.2) == Decimal("0.300000")
    assert integral(299.9999999999) == Decimal("300.000000")
    assert integral(0.0000005) == Decimal("0.000001")


@pytest.mark.parametrize(("litres", "text"), [(0, "0.000"), (1, "0.001"), (12_345_678, "12345.678")])
def test_litres_as_m3(litres, text):
    assert m3_text(litres) == text


@pytest.mark.parametrize(("fen", "text"), [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (1237298800, "12372988.00")])
def test_fen_as_yuan(fen, text):
    assert yuan_text(fen) == text


def test_fen_of_any_size_keep_every_digit():
    assert yuan_text(10**40 + 1) == f"1{'0' * 38}.01"


def test_shares_and_percent():
    assert share_text(Fraction(1, 3)) == "0.333333333333"
    assert share_text(Fraction(2, 3)) == "0.666666666667"
    assert share_text(Fraction(1)) == "1.000000000000"
    assert share_text(Fraction(0)) == "0.000000000000"
    assert percent_text(Fraction(7, 12)) == "58.3 %"
    assert percent_text(Fraction(1)) == "100.0 %"
    assert percent_text(1 - Fraction(1, 10**6)) == "99.9 %"
    assert percent_text(Fraction(3, 4) - Fraction(1, 10**6)) == "74.9 %"


@given(st.fractions(-(10**9), 10**9, max_denominator=10**6), st.integers(0, 12))
def test_texts_carry_their_places_and_no_exponent(value, places):
    text = plain_text(to_places(value, places))
    assert "E" not in text
    assert len(text.partition(".")[2]) == places
    assert abs(Fraction(text) - value) <= Fraction(1, 2 * 10**places)
