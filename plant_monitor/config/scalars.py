"""What the scalars of a configuration file may be: numbers, durations, dates, ids.

A validator gets the literal text (:class:`~plant_monitor.config.yaml_tree.Text`) and answers with the
value, or raises with what is expected as its message.
"""

from __future__ import annotations

import math
import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from plant_monitor.config.yaml_tree import Text

_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*|(?=\.[0-9]))(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)|0x[0-9A-Fa-f]+", re.ASCII)
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(s|m|h)", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DAYS = re.compile(r"([1-9][0-9]{0,4})d", re.ASCII)
_LEAST_DAYS = 400  # a year can be compared with the one before; live data may be so old (design §6)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_MAX_DURATION_MS = 366 * 86_400_000


def expected(what: str, found: str = "") -> PydanticCustomError:
    """The error that says what is expected here; ``found`` only where the value itself must not be shown."""
    return PydanticCustomError("plant", "{expected}", {"expected": what, "found": found})


def _plain(value: Any) -> str | None:
    """The text of an unquoted scalar."""
    return str(value) if isinstance(value, Text) and value.plain else None


def _number(value: Any, what: str) -> Decimal:
    text = _plain(value)
    if text is None or not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise expected(what)
    return Decimal(text)


def _any(value: Any) -> Decimal:
    return _number(value, "a number")


def _positive(value: Any) -> Decimal:
    number = _number(value, "a number above 0")
    if number <= 0:
        raise expected("a number above 0")
    return number


def _share(value: Any) -> Decimal:
    number = _number(value, "a number from 0 to 1")
    if not 0 <= number <= 1:
        raise expected("a number from 0 to 1")
    return number


def _not_negative(value: Any) -> Decimal:
    number = _number(value, "a number, 0 or more")
    if number < 0:
        raise expected("a number, 0 or more")
    return number


def _not_zero(value: Any) -> Decimal:
    number = _number(value, "a number other than 0")
    if number == 0:
        raise expected("a number other than 0")
    return number


def integer(lowest: int, highest: int) -> BeforeValidator:
    """A whole number of a range, decimal or ``0x…``."""

    def check(value: Any) -> int:
        text = _plain(value)
        if text is None or not _INTEGER.fullmatch(text) or not lowest <= int(text, 0) <= highest:
            raise expected(f"a whole number from {lowest} to {highest}")
        return int(text, 0)

    return BeforeValidator(check)


def _duration_ms(value: Any) -> int:
    what = "a length of time above 0, as 10s, 1m or 1h"
    match = _DURATION.fullmatch(value) if isinstance(value, Text) else None
    if not match:
        raise expected(what)
    ms = Decimal(match[1]) * _SECONDS[match[2]] * 1000
    if ms != int(ms) or not 0 < ms <= _MAX_DURATION_MS:
        raise expected(f"{what}, in whole milliseconds, at most a year")
    return int(ms)


def _kept_days(value: Any) -> int:
    match = _DAYS.fullmatch(value) if isinstance(value, Text) else None
    if not match or int(match[1]) < _LEAST_DAYS:
        raise expected(f"whole days, at least {_LEAST_DAYS}d, as 800d")
    return int(match[1])


def _date(value: Any) -> date:
    what = "a date as 2026-12-31"
    if not isinstance(value, Text) or not _DATE.fullmatch(value):
        raise expected(what)
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise expected(what) from None


def _flag(value: Any) -> bool:
    text = _plain(value)
    if text not in ("true", "false"):
        raise expected("true or false")
    return text == "true"


def _text(value: Any) -> str:
    if not isinstance(value, Text) or not value.strip() or any(ord(c) < 32 and c not in "\n\t" for c in value):
        raise expected("text")
    return str(value)


def _id(value: Any) -> str:
    """An id stands in topics, file names, addresses and CSV: what would break those is refused."""
    if (
        not isinstance(value, Text)
        or not value
        or value != value.strip()
        or not value.isprintable()
        or any(c in '/\\+#"' for c in value)
        or value in (".", "..")
        or len(value.encode()) > 100
    ):
        raise expected('an id: text without / \\ + # " and without blanks around it, at most 100 bytes')
    return str(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Text):
        return str(value).strip()
    raise expected("text")


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, Text) or value is None else value


Number = Annotated[Decimal, BeforeValidator(_any), WithJsonSchema({"type": "number"})]
Positive = Annotated[Decimal, BeforeValidator(_positive), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
NotNegative = Annotated[Decimal, BeforeValidator(_not_negative), WithJsonSchema({"type": "number", "minimum": 0})]
Share = Annotated[Decimal, BeforeValidator(_share), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
NotZero = Annotated[Decimal, BeforeValidator(_not_zero), WithJsonSchema({"type": "number", "not": {"const": 0}})]
Duration = Annotated[
    int, BeforeValidator(_duration_ms), WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?[smh]$"})
]
KeptDays = Annotated[
    int, BeforeValidator(_kept_days), WithJsonSchema({"type": "string", "pattern": r"^[1-9][0-9]{2,4}d$"})
]
Day = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": "boolean"})]
Id = Annotated[str, BeforeValidator(_id), WithJsonSchema({"type": "string", "minLength": 1})]
Plain = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": "string", "minLength": 1})]
Unit = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": ["string", "number"]})]
Cell = Annotated[str, BeforeValidator(_cell), WithJsonSchema({"type": ["string", "number", "null"]})]
Cells = Annotated[list[Cell], BeforeValidator(_one_or_many)]
