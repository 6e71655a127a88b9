"""Money in formal Chinese numerals (大写金额), as a bill is signed: 人民币壹仟陆佰捌拾元零叁角贰分."""

from __future__ import annotations

from itertools import groupby

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("仟", "佰", "拾", "")
_HUNDRED_MILLION, _TEN_THOUSAND = 10**8, 10**4


def capitals(fen: int) -> str:
    """An amount in fen in words; a negative one begins with 负.

    Rule   the People's Bank's rules for filling in bills of exchange (支付结算办法, annex 1): zeros between two
           digits are one 零; 元 without 角 and 分 ends in 整, 角 may and here does not; a 0 of the 元 before 角, and of
           the 角 before 分, is 零. Where the rule allows 零 or none, it is written as in the rule's first examples:
           壹仟陆佰捌拾元零叁角贰分, 壹拾万柒仟元零伍角叁分.
    """
    yuan, rest = divmod(abs(fen), 100)
    jiao, cents = divmod(rest, 10)
    words = f"{_whole(yuan)}元" if yuan or not rest else ""
    if jiao:
        words += ("零" if yuan and yuan % 10 == 0 else "") + f"{_DIGITS[jiao]}角"
    elif cents and yuan:
        words += "零"
    words += f"{_DIGITS[cents]}分" if cents else ""
    return "人民币" + ("负" if fen < 0 else "") + words + ("" if rest else "整")


def _whole(number: int) -> str:
    """An integer in words; what lies below 亿 or 万 and begins further down than at its highest place follows a 零."""
    for unit, word in ((_HUNDRED_MILLION, "亿"), (_TEN_THOUSAND, "万")):
        if number >= unit:
            high, low = divmod(number, unit)
            gap = "零" if low and low < unit // 10 else ""
            return f"{_whole(high)}{word}{gap}{_whole(low) if low else ''}"
    return _below_ten_thousand(number) if number else "零"


def _below_ten_thousand(number: int) -> str:
    """1 to 9999, runs of zeros between two digits as one 零."""
    places = _PLACES[-len(str(number)) :]
    digits = str(number).rstrip("0")
    words = [_DIGITS[int(d)] + place if d != "0" else "零" for d, place in zip(digits, places)]
    return "".join(word for word, _ in groupby(words))
