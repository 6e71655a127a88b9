"""Largest remainder: parts always sum to the amount, and no order decides who pays the odd fen."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.allocation.split import CAPACITY_SHARE, EQUAL, Shares, largest_remainder

IDS = st.text(alphabet="abcXYZ神农-0", min_size=1, max_size=4)
WEIGHT = st.one_of(st.integers(0, 10**12), st.fractions(0, 1000, max_denominator=997), st.just(0))
WEIGHTS = st.dictionaries(IDS, WEIGHT, min_size=1, max_size=12)
AMOUNT = st.integers(-(10**13), 10**13)


def test_odd_fen_goes_to_the_largest_remainder():
    # 100 fen by 1:1:5 = 14.28…, 14.28…, 71.43: 14 + 14 + 71 = 99; the one left goes to 0.43 of c.
    assert largest_remainder(100, {"a": 1, "b": 1, "c": 5}) == {"a": 14, "b": 14, "c": 72}


def test_ties_go_to_the_smaller_id_by_code_points():
    # 2 fen among three equals: Z (U+005A) stands before a (U+0061), a before 神 (U+795E).
    assert largest_remainder(2, {"神": 1, "a": 1, "Z": 1}) == {"神": 0, "a": 1, "Z": 1}


def test_a_credit_is_the_mirror_of_a_cost():
    assert largest_remainder(-100, {"a": 1, "b": 1, "c": 5}) == {"a": -14, "b": -14, "c": -72}


def test_weights_are_relative():
    # 0.30 and 0.10: three to one, whatever they sum to.
    assert largest_remainder(1000, {"a": Fraction(3, 10), "b": Fraction(1, 10)}) == {"a": 750, "b": 250}


@pytest.mark.parametrize("weights", [{}, {"a": 0, "b": 0}])
def test_nothing_to_split_by_is_an_error(weights):
    with pytest.raises(ValueError, match="all zero"):
        largest_remainder(5, weights)


def test_negative_weight_is_an_error():
    with pytest.raises(ValueError, match="negative"):
        largest_remainder(5, {"a": 2, "b": -1})


def test_all_weights_zero_falls_back_to_capacity_shares_then_to_equal_parts():
    nothing = {"a": 0, "b": 0}
    by_capacity = Shares.of(nothing, {"a": Fraction(1, 4), "b": Fraction(3, 4)})
    assert (by_capacity.split(100), by_capacity.fallback) == ({"a": 25, "b": 75}, CAPACITY_SHARE)
    equally = Shares.of(nothing, {"a": Fraction(0), "b": Fraction(0)})
    assert (equally.split(101), equally.fallback) == ({"a": 51, "b": 50}, EQUAL)
    assert equally.shares == {"a": Fraction(1, 2), "b": Fraction(1, 2)}


@given(AMOUNT, WEIGHTS)
def test_parts_sum_to_the_amount_for_anything(amount, weights):
    result = Shares.of(weights, {m: Fraction(0) for m in weights})
    assert sum(result.split(amount).values()) == amount
    assert sum(result.shares.values()) == 1


@given(AMOUNT, WEIGHTS)
def test_no_part_is_a_unit_or_more_off_its_exact_share(amount, weights):
    result = Shares.of(weights, {m: Fraction(0) for m in weights})
    parts = result.split(amount)
    assert all(abs(parts[m] - amount * result.shares[m]) < 1 for m in weights)


@given(AMOUNT, WEIGHTS)
def test_who_has_no_weight_pays_nothing(amount, weights):
    if any(weights.values()):
        parts = largest_remainder(amount, weights)
        assert all(parts[m] == 0 for m, w in weights.items() if w == 0)


@given(AMOUNT, WEIGHTS, st.randoms())
def test_the_order_of_members_changes_nothing(amount, weights, random):
    entries = list(weights.items())
    random.shuffle(entries)
    nobody = {m: Fraction(0) for m in weights}
    assert Shares.of(dict(entries), nobody).split(amount) == Shares.of(weights, nobody).split(amount)


@given(AMOUNT, WEIGHTS, st.fractions(Fraction(1, 1000), 1000))
def test_scaling_all_weights_changes_nothing(amount, weights, scale):
    if any(weights.values()):
        scaled = {m: w * scale for m, w in weights.items()}
        assert largest_remainder(amount, scaled) == largest_remainder(amount, weights)


@given(AMOUNT, WEIGHTS)
def test_credit_mirrors_cost_for_anything(amount, weights):
    if any(weights.values()):
        mirrored = {m: -part for m, part in largest_remainder(amount, weights).items()}
        assert largest_remainder(-amount, weights) == mirrored
