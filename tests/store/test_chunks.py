"""Sealed columns come back bit for bit, and small."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.errors import StoreError
from plant_monitor.store import chunks

DAY_MS = 86_400_000
floats = st.one_of(
    st.floats(width=64),
    st.floats(width=32),
    st.integers(-(10**6), 10**6).map(lambda n: n / 100),
    st.integers(0, 2**32 - 1).map(lambda n: n * 0.01),
    st.sampled_from([0.0, -0.0, 1e300, 2.0**53, 5e-324]),
)


def bits(values: np.ndarray) -> list[int]:  # type: ignore[type-arg]
    return values.view(np.int64).tolist()


@given(st.lists(st.tuples(st.integers(0, DAY_MS - 1), floats, st.integers(0, 255)), unique_by=lambda row: row[0]))
def test_any_day_comes_back(rows: list[tuple[int, float, int]]) -> None:
    rows.sort(key=lambda row: row[0])
    time = np.array([row[0] for row in rows], dtype=np.int64) - 3 * DAY_MS
    value = np.array([row[1] for row in rows], dtype=np.float64)
    mark = np.array([row[2] for row in rows], dtype=np.uint8)
    got = chunks.decode(chunks.encode(time, value, mark))
    assert got[0].tolist() == time.tolist()
    assert bits(got[1]) == bits(value)
    assert got[2].tolist() == mark.tolist()


@given(st.lists(st.integers(-(2**50), 2**50)))
def test_acceptance_times_come_back(accepted: list[int]) -> None:
    time = np.arange(len(accepted), dtype=np.int64) * 10_000
    column = np.array(accepted, dtype=np.int64)
    assert chunks.decode_accepted(chunks.encode_accepted(column, time), time).tolist() == accepted


@pytest.mark.parametrize(
    ("kind", "bytes_a_reading"), [("two decimals", 1.5), ("scaled register", 1.5), ("float32", 4.0), ("with gaps", 2.0)]
)
def test_a_day_of_an_instrument_is_small(kind: str, bytes_a_reading: float) -> None:
    """Sizes, not times: they are the same on every machine."""
    rng = np.random.default_rng(1)
    walk = 20 + np.cumsum(rng.normal(0, 0.05, 8640))
    value = {
        "two decimals": np.round(walk, 2),
        "scaled register": np.cumsum(rng.integers(0, 4, 8640)) * 0.01,
        "float32": walk.astype(np.float32).astype(np.float64),
        "with gaps": np.where(rng.random(8640) < 0.03, np.nan, np.round(walk, 2)),
    }[kind]
    blob = chunks.encode(np.arange(8640) * 10_000, value, np.full(8640, 78, dtype=np.uint8))
    assert len(blob) / 8640 < bytes_a_reading


def test_the_format_on_disk_stays_what_it_is() -> None:
    """Bytes of version 1, all planes too short to be worth zlib: a journal of years must open for ever."""
    time = np.array([1_000, 11_000, 21_000, 31_500], dtype=np.int64)
    value = np.array([7.25, np.nan, 7.5, -0.0])
    assert chunks.encode(time, value, np.array([78, 66, 78, 78], dtype=np.uint8)).hex() == STORED_V1
    got = chunks.decode(bytes.fromhex(STORED_V1))
    assert got[0].tolist() == time.tolist()
    assert bits(got[1]) == bits(value)


def test_damage_and_newer_formats_are_said() -> None:
    time = np.arange(100) * 1000
    blob = chunks.encode(time, np.arange(100) / 10, np.full(100, 78, dtype=np.uint8))
    body = b"\x09" + blob[5:]
    with pytest.raises(StoreError, match="newer plant-monitor"):
        chunks.decode(zlib.crc32(body).to_bytes(4, "little") + body)
    accepted = chunks.encode_accepted(time + 5, time)
    for place in range(len(blob)):
        with pytest.raises(StoreError, match="restore the journal"):
            chunks.decode(blob[:place])
        with pytest.raises(StoreError, match="restore the journal"):
            chunks.decode(blob[:place] + bytes([blob[place] ^ 4]) + blob[place + 1 :])
    for place in range(len(accepted)):
        with pytest.raises(StoreError, match="restore the journal"):
            chunks.decode_accepted(accepted[:place], time)


STORED_V1 = (
    "f51270b001000002080400000000000000e80300000000000003000000101004030000002727290400000000000000040000"
    "00000000000400000000000000040000000000000004000000000000000400000000000000040000001df81e0004000000407f4080040000004e424e4e"
)
