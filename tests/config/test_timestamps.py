"""RFC 3339 as columns of instants, against the standard library and the text of the RFC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.config.timestamps import BAD, reason, times_ms

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59)
moments = st.datetimes().filter(lambda m: 1 < m.year < 9999)


def one(text: str) -> int:
    return int(times_ms([text.encode()])[0])


@given(moment=moments, offset=offsets, digits=st.integers(0, 6))
def test_every_time_with_an_offset_is_that_instant_cut_to_ms(moment: datetime, offset: int, digits: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    cut = aware.replace(microsecond=aware.microsecond // 10 ** (6 - digits) * 10 ** (6 - digits))
    fraction = f".{cut.microsecond:06d}"[: digits + 1] if digits else ""
    sign = "-" if offset < 0 else "+"
    text = (
        f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + f"{fraction}{sign}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
    )
    assert one(text) == (cut - EPOCH) // timedelta(milliseconds=1)


@given(st.lists(st.tuples(moments, offsets, st.sampled_from(["seconds", "milliseconds", "microseconds"])), max_size=20))
def test_a_column_is_its_times_one_by_one(rows: list[tuple[datetime, int, str]]) -> None:
    texts = [m.replace(tzinfo=timezone(timedelta(minutes=o))).isoformat(timespec=spec).encode() for m, o, spec in rows]
    texts = [t.replace(b"+00:00", b"Z") if i % 3 else t for i, t in enumerate(texts)]
    assert times_ms(texts).tolist() == [int(times_ms([t])[0]) for t in texts]


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01 08:00:00+08:00", 0),
        ("1970-01-01T00:00:00-00:00", 0),
        ("1970-01-01T00:00:00.9Z", 900),
        ("1970-01-01T00:00:00.0019999999999Z", 1),
        ("1969-12-31T23:59:59.9999Z", -1),  # cut, not rounded, also before 1970
        ("1969-12-31T23:59:59.9991+00:00", -1),
        ("2000-02-29T00:00:00Z", 951_782_400_000),
        ("2026-10-01T00:00:00+08:00", 1_790_784_000_000),
        ("2026-09-30T12:15:00-03:45", 1_790_784_000_000),
        ("2026-10-01T23:59:00+23:59", 1_790_812_800_000),
    ],
)
def test_known_instants(text: str, ms: int) -> None:
    assert one(text) == ms


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no time"),
        ("2026-10-01T00:00:00", "no offset"),
        ("2026-10-01 00:00", "no offset"),
        ("2026-10-01", "no offset"),
        ("2026-10-01T00:00:00.123", "no offset"),
        ("2026-02-29T00:00:00+08:00", "impossible"),
        ("2026-02-30T00:00:00+08:00", "impossible"),
        ("1900-02-29T00:00:00Z", "impossible"),
        ("2026-04-31T00:00:00.000Z", "impossible"),
        ("2026-13-01T00:00:00+08:00", "impossible"),
        ("2026-00-10T00:00:00+08:00", "impossible"),
        ("2026-10-00T00:00:00+08:00", "impossible"),
        ("2026-10-01T24:00:00+08:00", "impossible"),
        ("2026-10-01T00:60:00+08:00", "impossible"),
        ("2016-12-31T23:59:60Z", "impossible"),  # the leap second there was: POSIX time has no place for it
        ("2026-10-01T00:00:00+24:00", "impossible"),
        ("2026-10-01T00:00:00+08:60", "impossible"),
        ("0000-10-01T00:00:00+08:00", "impossible"),
        ("0001-01-01T00:00:00+14:00", "impossible"),
        ("2026-10-01T00:00:00+0800", "not RFC 3339"),
        ("2026-10-01T00:00:00+08", "not RFC 3339"),
        ("2026-10-01T00:00+08:00", "not RFC 3339"),
        ("20261001T000000Z", "not RFC 3339"),
        ("2026-10-01T00:00:00,5Z", "not RFC 3339"),
        ("2026-10-01T00:00:00.Z", "not RFC 3339"),
        (" 2026-10-01T00:00:00Z", "not RFC 3339"),
        ("2026-10-01T00:00:00Z ", "not RFC 3339"),
        ("2026/10/01T00:00:00Z", "not RFC 3339"),
        ("+2026-10-01T00:00:00Z", "not RFC 3339"),
        ("２０２６-10-01T00:00:00Z", "not RFC 3339"),
        ("2026-10-01T00:00:00 08:00", "not RFC 3339"),
        ("1790784000000", "not RFC 3339"),
    ],
)
def test_what_is_no_time_has_a_reason(text: str, words: str) -> None:
    assert one(text) == BAD
    assert words in reason(text.encode())


@given(st.binary(max_size=30))
def test_no_bytes_break_it(data: bytes) -> None:
    (ms,) = times_ms([data]).tolist()
    if ms == BAD:
        assert reason(data)
