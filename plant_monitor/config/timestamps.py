"""RFC 3339 times as ms since 1970 UTC, a column at a time.

Accepted is what RFC 3339 §5.6 allows: ``2026-10-01T00:00:00+08:00``, a fraction of any length (cut to
ms), ``Z``, ``t`` and ``z`` in lower case, and a blank instead of ``T`` (the note of §5.6). Not accepted:
a time without offset, an impossible date, hour 24, and the leap second ``:60``, an instant that POSIX
time does not have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from plant_monitor.readings import BoolArray, IntArray

BAD = np.iinfo(np.int64).min  # stands for a time that is none

_RFC3339 = re.compile(
    rb"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    rb"(?:([Zz])|([+-])([0-9]{2}):([0-9]{2}))"
)
_NO_OFFSET = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)?")
_DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()
# Instants that every zone can tell as a date (0001 … 9999), with a day to spare at both ends.
FIRST_MS = (date(1, 1, 2).toordinal() - _EPOCH) * _DAY_MS
LAST_MS = (date(9999, 12, 31).toordinal() - _EPOCH) * _DAY_MS - 1


def times_ms(texts: Sequence[bytes]) -> IntArray:
    """The instants; :data:`BAD` where a text is none (:func:`reason` says why).

    The common forms (whole seconds or milliseconds, ``Z`` or an offset) are read as arrays of digits;
    everything else one by one.
    """
    n = len(texts)
    result = np.full(n, BAD, dtype=np.int64)
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=n)
    todo = np.ones(n, dtype=bool)
    for length, fraction, zulu in ((25, 0, False), (20, 0, True), (29, 3, False), (24, 3, True)):
        rows = np.flatnonzero(lengths == length)
        if rows.size == 0:
            continue
        chosen = texts if rows.size == n else [texts[i] for i in rows.tolist()]
        digits = np.array(chosen, dtype=f"S{length}").view(np.uint8).reshape(rows.size, length)
        ms, good = _from_columns(np.ascontiguousarray(digits.T), fraction, zulu)
        result[rows[good]] = ms[good]
        todo[rows[good]] = False
    for i in np.flatnonzero(todo).tolist():
        result[i] = _one(texts[i])
    return result


def reason(text: bytes) -> str:
    """Why a text is no time, for the list of rejects."""
    shown = text[:40].decode("utf-8", "replace")
    if not text:
        return "no time"
    if _NO_OFFSET.fullmatch(text):
        return f"time {shown!r} has no offset from UTC"
    if _RFC3339.fullmatch(text):
        return f"time {shown!r} is impossible"
    return f"time {shown!r} is not RFC 3339 with an offset"


def _from_columns(c: NDArray[np.uint8], fraction: int, zulu: bool) -> tuple[IntArray, BoolArray]:
    """Instants of texts of one length; ``c`` is (length, n), a row for each character."""
    good = np.ones(c.shape[1], dtype=bool)
    for at, allowed in ((4, b"-"), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":")):
        good &= np.isin(c[at], np.frombuffer(allowed, dtype=np.uint8))
    tail = 19
    if fraction:
        good &= c[19] == ord(".")
        tail = 20 + fraction
    places = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, *range(20, tail)]
    if zulu:
        good &= (c[tail] == ord("Z")) | (c[tail] == ord("z"))
    else:
        good &= ((c[tail] == ord("+")) | (c[tail] == ord("-"))) & (c[tail + 3] == ord(":"))
        places += [tail + 1, tail + 2, tail + 4, tail + 5]
    for at in places:
        good &= (c[at] >= ord("0")) & (c[at] <= ord("9"))

    def number(*at: int) -> IntArray:
        value = np.zeros(c.shape[1], dtype=np.int64)
        for place in at:
            value = value * 10 + (c[place].astype(np.int64) - ord("0"))
        return value

    hour, minute, second = number(11, 12), number(14, 15), number(17, 18)
    ms = number(*range(20, tail)) if fraction else np.zeros(c.shape[1], dtype=np.int64)
    offset = np.zeros(c.shape[1], dtype=np.int64)
    if not zulu:
        offset_hour, offset_minute = number(tail + 1, tail + 2), number(tail + 4, tail + 5)
        good &= (offset_hour < 24) & (offset_minute < 60)
        offset = np.where(c[tail] == ord("-"), -1, 1) * (offset_hour * 60 + offset_minute)
    year, month, day = number(0, 1, 2, 3), number(5, 6), number(8, 9)
    good &= (hour < 24) & (minute < 60) & (second < 60) & _is_date(year, month, day)
    days = _days(year, month, day)
    time = days * _DAY_MS + ((hour * 60 + minute - offset) * 60 + second) * 1000 + ms
    return time, good & (time >= FIRST_MS) & (time <= LAST_MS)


def _is_date(year: IntArray, month: IntArray, day: IntArray) -> BoolArray:
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    lengths = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)
    length = lengths[np.clip(month, 0, 12)] + (leap & (month == 2))
    return np.asarray((year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= length))


def _days(year: IntArray, month: IntArray, day: IntArray) -> IntArray:
    """Days since 1970-01-01 of a date of the proleptic Gregorian calendar (years from March on)."""
    since = year - (month <= 2)
    era_day = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return np.asarray(since * 365 + since // 4 - since // 100 + since // 400 + era_day - 719468)


def _one(text: bytes) -> int:
    """The instant of one text, or :data:`BAD`."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        return BAD
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    offset_hour, offset_minute = int(match[10] or 0), int(match[11] or 0)
    if hour > 23 or minute > 59 or second > 59 or offset_hour > 23 or offset_minute > 59:
        return BAD
    try:
        days = date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return BAD
    offset = (offset_hour * 60 + offset_minute) * (-1 if match[9] == b"-" else 1)
    ms = int(((match[7] or b"0") + b"00")[:3])
    time = days * _DAY_MS + ((hour * 60 + minute - offset) * 60 + second) * 1000 + ms
    return time if FIRST_MS <= time <= LAST_MS else BAD
