"""Foreign times as instants: local times of a zone, with a stated rule where a clock change makes them doubtful."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from plant_monitor.config.timestamps import BAD, times_ms
from plant_monitor.errors import InputError

_LOCAL = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?", re.ASCII)
_EPOCH_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d+)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)

Instant = Callable[[str], int]


def instant_of(format_: str, zone: ZoneInfo | None, ambiguous: str) -> Instant:
    """A function from the text of a time to ms since 1970 UTC.

    Parameters
    ----------
    format_    ``iso`` | ``epoch_s`` | ``epoch_ms`` | a format of ``strptime``
    zone       of the times that carry no offset themselves
    ambiguous  of a local time that a clock change lets pass twice: ``refuse`` it, or take it as the
               ``first`` or the ``second`` of the two. One that is skipped is always refused.

    The function raises InputError with the reason where a text is no time.
    """

    def local(moment: datetime) -> int:
        return _localised(moment, zone, ambiguous)

    if format_ == "iso":
        return lambda text: _iso(text, local)
    if format_ in ("epoch_s", "epoch_ms"):
        return lambda text: _epoch(text, 1000 if format_ == "epoch_s" else 1)
    return lambda text: _strptime(text, format_, local)


def _localised(moment: datetime, zone: ZoneInfo | None, ambiguous: str) -> int:
    if moment.tzinfo is not None:
        return (moment - _EPOCH) // _MS
    if zone is None:
        raise InputError(f"time {moment.isoformat()!r} has no offset, and the map states no zone")
    if not date(1, 1, 2) <= moment.date() <= date(9999, 12, 30):
        raise InputError(f"time {moment.isoformat()!r} is out of range")
    first, second = moment.replace(tzinfo=zone, fold=0), moment.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return (first - _EPOCH) // _MS
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment:
        raise InputError(f"local time {moment.isoformat(sep=' ')} does not exist in {zone.key}: the clock skips it")
    if ambiguous == "refuse":
        raise InputError(
            f"local time {moment.isoformat(sep=' ')} is ambiguous in {zone.key}: the clock passes it twice "
            "(ambiguous: first or second in the map decides)"
        )
    return ((first if ambiguous == "first" else second) - _EPOCH) // _MS


def _iso(text: str, local: Callable[[datetime], int]) -> int:
    match = _LOCAL.fullmatch(text)
    if match is None:
        ms = int(times_ms([text.encode()])[0])
        if ms == BAD:
            raise InputError(f"time {text[:40]!r} is not ISO 8601")
        return ms
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  the zone is local()'s affair
    except ValueError:
        raise InputError(f"time {text[:40]!r} is impossible") from None
    return local(moment) + int(((match[7] or "0") + "00")[:3])


def _epoch(text: str, factor: int) -> int:
    if not _EPOCH_NUMBER.fullmatch(text):
        raise InputError(f"time {text[:40]!r} is no number")
    whole, _, fraction = text.partition(".")
    cut = int((fraction + "000")[:3]) if factor == 1000 else 0
    return int(whole) * factor + (-cut if whole.startswith("-") else cut)


def _strptime(text: str, format_: str, local: Callable[[datetime], int]) -> int:
    try:
        moment = datetime.strptime(text, format_)  # noqa: DTZ007  the zone is local()'s affair
    except ValueError:
        raise InputError(f"time {text[:40]!r} does not match the format {format_!r}") from None
    cut = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    return local(cut)
