"""Amounts in formal numerals: the examples of the rule, and a reader that finds every amount again."""

import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plant_monitor.allocation.capitals import capitals

DIGITS = {c: i for i, c in enumerate("零壹贰叁肆伍陆柒捌玖")}
PLACES = {"拾": 10, "佰": 100, "仟": 1000}


def read(words: str) -> int:
    """Fen, as a person reads: a digit counts at the place behind it, 万 and 亿 multiply what stands before."""
    match = re.fullmatch(r"人民币(负?)(?:(.+)元)?零?(?:(.)角)?零?(?:(.)分)?(整?)", words)
    assert match, words
    sign, whole, jiao, fen, exactly = match.groups()
    assert bool(exactly) == (jiao is None and fen is None)
    total = high = section = digit = 0
    for sign_ in whole or "零":
        if sign_ in DIGITS:
            digit = DIGITS[sign_]
        elif sign_ in PLACES:
            section, digit = section + digit * PLACES[sign_], 0
        elif sign_ == "万":
            total, section, digit = total + (section + digit) * 10**4, 0, 0
        else:
            assert sign_ == "亿"
            high, total, section, digit = (high + total + section + digit) * 10**8, 0, 0, 0
    yuan = high + total + section + digit
    size = yuan * 100 + DIGITS[jiao or "零"] * 10 + DIGITS[fen or "零"]
    return -size if sign else size


@pytest.mark.parametrize(
    ("yuan", "words"),
    [  # 支付结算办法, annex 1, five: the first way of writing each
        ("1409.50", "壹仟肆佰零玖元伍角"),
        ("6007.14", "陆仟零柒元壹角肆分"),
        ("1680.32", "壹仟陆佰捌拾元零叁角贰分"),
        ("107000.53", "壹拾万柒仟元零伍角叁分"),
        ("16409.02", "壹万陆仟肆佰零玖元零贰分"),
        ("325.04", "叁佰贰拾伍元零肆分"),
        # and what it does not show
        ("0", "零元整"),
        ("0.05", "伍分"),
        ("0.50", "伍角"),
        ("10", "壹拾元整"),
        ("-20.10", "负贰拾元零壹角"),
        ("100000000", "壹亿元整"),
        ("100010001.01", "壹亿零壹万零壹元零壹分"),
        ("1000000000005", "壹万亿零伍元整"),
    ],
)
def test_the_examples_of_the_rule(yuan: str, words: str) -> None:
    assert capitals(int(Decimal(yuan).scaleb(2))) == f"人民币{words}"


@given(st.one_of(st.integers(-(10**5), 10**5), st.integers(-(10**14), 10**14)))
@example(10**10)
@example(100_000_000_000_000)
def test_what_is_written_reads_back(fen: int) -> None:
    words = capitals(fen)
    assert read(words) == fen
    assert "零零" not in words and not re.search("零[元万亿整]", words.replace("零元整", ""))


@given(st.lists(st.sampled_from([0, 0, 0, 1, 9]), min_size=1, max_size=14))
def test_zeros_at_every_place_read_back(digits: list[int]) -> None:
    fen = int("".join(map(str, digits)))
    assert read(capitals(fen)) == fen
