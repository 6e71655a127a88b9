"""What every ReadingSource must answer, whatever it keeps its readings in.

A store's test module makes a subclass named ``Test…`` with a fixture ``make``: it stores batches of readings,
in their order, and returns the source. A reading without a finite value may lose what it was (NaN, infinite,
its mark), but never its instant, and it never becomes valid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from plant_monitor.readings import NORMAL, Readings, ReadingSource

SERIES = [("a", "flow"), ("a", "ph"), ("b c", "flow"), ("b c", "cod_cr")]
START_MS = 1_790_000_000_000
DAY_MS = 86_400_000

Make = Callable[[Sequence[Readings]], ReadingSource]


def batches_of(seed: int, rows: int = 400, days: int = 4) -> list[Readings]:
    """Random readings in several batches, with repeats, marks and values that are none."""
    rng = np.random.default_rng(seed)
    times = START_MS + rng.integers(0, days * 1440, rows) * 60_000 + rng.integers(0, 2, rows)
    values = np.round(rng.normal(5, 3, rows), 2)
    values[rng.random(rows) < 0.1] = np.nan
    values[rng.random(rows) < 0.05] = 0.0
    marks = rng.choice([NORMAL, NORMAL, NORMAL, ord("B"), ord("T")], rows)
    readings = Readings.of(times, rng.integers(0, len(SERIES) - 1, rows), values, marks)  # the last one stays empty
    again = readings.take(rng.integers(0, rows, rows // 4))
    changed = Readings(again.time, again.series, np.round(again.value + 1, 2), again.mark)
    whole = Readings.concat([readings, again, changed])
    cuts = np.sort(rng.integers(0, len(whole), 5))
    return [whole.take(part) for part in np.split(np.arange(len(whole)), cuts)]


def standing(batches: Sequence[Readings], series: int) -> Readings:
    """What must stand of one series: sorted by time, the later accepted one of an instant."""
    whole = Readings.concat(batches)
    last = {int(t): row for row, (t, s) in enumerate(zip(whole.time, whole.series, strict=True)) if s == series}
    return whole.take(np.array([last[t] for t in sorted(last)], dtype=int))


def assert_same(got: Readings, wanted: Readings) -> None:
    """Equal but for what the contract leaves open."""
    assert got.time.tolist() == wanted.time.tolist()
    assert got.series.tolist() == wanted.series.tolist()
    assert got.valid.tolist() == wanted.valid.tolist()
    number = np.isfinite(wanted.value)
    assert got.value[number].tolist() == wanted.value[number].tolist()
    assert not np.isfinite(got.value[~number]).any()
    assert got.mark[number].tolist() == wanted.mark[number].tolist()


class SourceContract:
    """To be subclassed with a fixture ``make``."""

    @pytest.fixture
    def make(self) -> Make:
        raise NotImplementedError

    @pytest.mark.parametrize("seed", [1, 2])
    def test_read_gives_what_stands(self, make: Make, seed: int) -> None:
        batches = batches_of(seed)
        source = make(batches)
        for series in range(len(SERIES)):
            wanted = standing(batches, series)
            assert_same(source.read(series, 0, START_MS + 400 * DAY_MS), wanted)
            for start in (START_MS - 1, START_MS + DAY_MS, START_MS + DAY_MS + 12_345_678):
                for length in (0, 1, 3_600_000, DAY_MS, 2 * DAY_MS):
                    inside = (wanted.time >= start) & (wanted.time < start + length)
                    assert_same(source.read(series, start, start + length), wanted.take(inside))

    def test_the_start_is_in_and_the_end_is_out(self, make: Make) -> None:
        source = make([Readings.of([START_MS, START_MS + 1000, START_MS + 2000], 0, [1.0, 2.0, 3.0])])
        assert source.read(0, START_MS, START_MS + 2000).value.tolist() == [1.0, 2.0]
        assert source.read(0, START_MS + 1, START_MS + 2001).value.tolist() == [2.0, 3.0]

    @pytest.mark.parametrize("valid", [False, True])
    def test_neighbours(self, make: Make, valid: bool) -> None:
        batches = batches_of(3)
        source = make(batches)
        rng = np.random.default_rng(4)
        for series in range(len(SERIES)):
            wanted = standing(batches, series)
            wanted = wanted.take(wanted.valid) if valid else wanted
            edges = wanted.time[[0, -1]] if len(wanted) else wanted.time
            moments = [*rng.choice(wanted.time, 5), *edges, edges.max() + 1] if len(wanted) else [START_MS]
            for moment in map(int, moments):
                assert_same(
                    source.before(series, moment, valid=valid), wanted.take(wanted.time < moment).take(slice(-1, None))
                )
                assert_same(
                    source.after(series, moment, valid=valid), wanted.take(wanted.time >= moment).take(slice(1))
                )

    def test_a_long_silence_is_crossed(self, make: Make) -> None:
        source = make([Readings.of([START_MS, START_MS + 90 * DAY_MS], 1, [7.0, 8.0])])
        middle = START_MS + 45 * DAY_MS
        assert source.before(1, middle).value.tolist() == [7.0]
        assert source.after(1, middle).value.tolist() == [8.0]
        assert len(source.before(1, START_MS)) == 0
        assert len(source.after(1, START_MS + 90 * DAY_MS + 1)) == 0

    def test_extent_is_that_of_all_series(self, make: Make) -> None:
        batches = batches_of(5)
        whole = Readings.concat(batches)
        assert make(batches).extent() == (int(whole.time.min()), int(whole.time.max()))

    def test_nothing_there(self, make: Make) -> None:
        source = make([])
        assert source.extent() is None
        assert source.kept_from_ms() is None
        assert len(source.read(0, 0, START_MS)) == len(source.before(0, START_MS)) == len(source.after(0, 0)) == 0
