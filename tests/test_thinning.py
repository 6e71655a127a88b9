"""A thinned curve draws the same line with few readings, and hides neither a peak nor a mark."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.readings import COMMUNICATION_LOST, NORMAL, OVER_RANGE, Readings
from plant_monitor.store.memory import MemorySource
from plant_monitor.thinning import curve, thinned

ROWS = st.lists(
    st.tuples(
        st.integers(0, 999),
        st.sampled_from([0.0, -0.0, 1.0, 2.5, -3.0, np.inf, np.nan]),
        st.sampled_from([NORMAL, NORMAL, OVER_RANGE, COMMUNICATION_LOST]),
    ),
    unique_by=lambda row: row[0],
    max_size=60,
).map(sorted)


def readings_of(rows: list[tuple[int, float, int]]) -> Readings:
    time, value, mark = (list(column) for column in zip(*rows)) if rows else ([], [], [])
    return Readings.of(time, 0, np.array(value, dtype=float), np.array(mark, dtype=np.uint8))


def same(a: Readings, b: Readings) -> bool:
    return a.time.tolist() == b.time.tolist() and np.array_equal(a.value, b.value, equal_nan=True)


@given(ROWS, st.integers(1, 12))
def test_each_pixel_keeps_its_ends_its_extremes_and_every_mark(rows: list[tuple[int, float, int]], pixels: int) -> None:
    edges = 1000 * np.arange(pixels + 1) // pixels
    whole = readings_of(rows)
    kept = thinned([whole], edges)
    assert set(kept.time.tolist()) <= set(whole.time.tolist()) and (np.diff(kept.time) > 0).all()
    for start, end in pairwise(edges):
        was, now = (r.take((r.time >= start) & (r.time < end)) for r in (whole, kept))
        valid, left = was.take(was.valid), now.take(now.valid)
        assert len(left) <= 4
        assert sorted(set(was.mark.tolist())) == sorted(set(now.mark.tolist()))
        if len(valid):
            assert (left.value.min(), left.value.max()) == (valid.value.min(), valid.value.max())
            assert (left.time[0], left.time[-1]) == (valid.time[0], valid.time[-1])
        for mark in set(was.mark[~was.valid].tolist()):
            first = was.time[~was.valid & (was.mark == mark)][0]
            assert now.time[~now.valid & (now.mark == mark)].tolist() == [first]


@given(ROWS, st.integers(1, 12), st.lists(st.integers(0, 60), max_size=4).map(sorted))
def test_parts_give_what_the_whole_gives_and_thinning_again_nothing_else(
    rows: list[tuple[int, float, int]], pixels: int, cuts: list[int]
) -> None:
    edges = 1000 * np.arange(pixels + 1) // pixels
    kept = thinned([readings_of(rows)], edges)
    bounds = [0, *[c for c in cuts if c <= len(rows)], len(rows)]
    assert same(thinned([readings_of(rows[a:b]) for a, b in pairwise(bounds)], edges), kept)
    assert same(thinned([kept], edges), kept)


def test_a_peak_of_ten_seconds_stays_in_a_year() -> None:
    time = np.arange(0, 366 * 86_400_000, 600_000)
    value = np.ones(time.size)
    value[40_000] = 99.0
    source = MemorySource(Readings.of(time, 0, value))
    kept = curve(source, 0, 0, 366 * 86_400_000, 100)
    assert len(kept) <= 400
    assert time[40_000] in kept.time and kept.value.max() == 99.0
    assert len(curve(source, 0, 5, 6, 100)) == 0
