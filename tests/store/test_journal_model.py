"""The journal against a dictionary, over random histories of appends, sealing and restarts."""

from __future__ import annotations

import struct
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plant_monitor.readings import NORMAL, Readings
from plant_monitor.store.journal import BACKFILL, LIVE, Appended, Journal, open_journal

SERIES = [("a", "flow"), ("a", "ph"), ("b", "flow")]
HOUR_MS = 3_600_000

Key = tuple[int, int]  # series, time
Content = tuple[bytes, int]  # bits of the value, mark


def content(value: float, mark: int) -> Content:
    return struct.pack("<d", np.nan if np.isnan(value) else value), mark


@dataclass
class Model:
    """What the journal promises, in the plainest words."""

    stands: dict[Key, tuple[Content, int]] = field(default_factory=dict)
    replaced: list[tuple[Key, Content, int, int]] = field(default_factory=list)

    def append(self, rows: list[tuple[int, int, float, int]], now: int) -> Appended:
        counts: Counter[str] = Counter()
        for time, series, value, mark in rows:
            key, new = (series, time), content(value, mark)
            old = self.stands.get(key)
            if old is None:
                counts["new"] += 1
            elif old[0] == new:
                counts["identical"] += 1
                continue
            else:
                counts["superseded"] += 1
                self.replaced.append((key, old[0], old[1], now))
            self.stands[key] = new, now
        return Appended(counts["new"], counts["identical"], counts["superseded"], 0)


# Few instants over three UTC days, so that they repeat and meet sealed days; values that equal each other nearly.
rows_of = st.tuples(
    st.integers(-3, 9).map(lambda n: n * 8 * HOUR_MS + n % 3),
    st.integers(0, 2),
    st.sampled_from([0.0, -0.0, 1.0, 1.5, float("nan"), float("inf"), -float("inf"), 1e300, 0.1 + 0.2]),
    st.sampled_from([NORMAL, ord("B")]),
)
append_of = st.tuples(st.just("append"), st.lists(rows_of, max_size=8), st.sampled_from([LIVE, BACKFILL]))
seal_of = st.tuples(st.just("seal"), st.integers(-3, 10).map(lambda n: n * 8 * HOUR_MS + 1))
history_of = st.lists(st.one_of(append_of, append_of, seal_of, st.just(("reopen",))), max_size=12)


def readings_of(rows: list[tuple[int, int, float, int]]) -> Readings:
    return Readings.of(*([row[i] for row in rows] for i in range(4)))


def played(path: Path, history: list[tuple], model: Model) -> Journal:  # type: ignore[type-arg]
    journal = open_journal(path, SERIES, outbox=True)
    for now, step in enumerate(history):
        if step[0] == "append":
            before = set(model.stands.items())
            token, _ = journal.touched()
            assert journal.append(readings_of(step[1]), accepted_ms=now, priority=step[2]) == model.append(step[1], now)
            covered = journal.touched(token)[1]
            for series, time in {key for key, _ in set(model.stands.items()) - before}:
                assert any(t.series == series and t.first_ms <= time <= t.last_ms for t in covered)
        elif step[0] == "seal":
            journal.seal(step[1])
        else:
            journal.close()
            journal = open_journal(path, SERIES, outbox=True)
    return journal


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history_of)
def test_any_history(history: list[tuple]) -> None:  # type: ignore[type-arg]
    model = Model()
    with tempfile.TemporaryDirectory() as folder:
        journal = played(Path(folder) / "journal.db", history, model)
        everything_is_as_in(model, journal)
        journal.close()


def everything_is_as_in(model: Model, journal: Journal) -> None:
    far = 100 * 24 * HOUR_MS
    for series in range(3):
        mine = sorted((time, kept[0]) for (s, time), kept in model.stands.items() if s == series)
        got = journal.read(series, -far, far)
        assert got.time.tolist() == [time for time, _ in mine]
        assert [content(v, m) for v, m in zip(got.value.tolist(), got.mark.tolist(), strict=True)] == [
            c for _, c in mine
        ]
        for valid in (False, True):
            times = got.time[got.valid] if valid else got.time
            for moment in (-24 * HOUR_MS, 0, 1, 8 * HOUR_MS + 1, 40 * HOUR_MS):
                assert journal.before(series, moment, valid=valid).time.tolist() == times[times < moment][-1:].tolist()
                assert journal.after(series, moment, valid=valid).time.tolist() == times[times >= moment][:1].tolist()
    times = [time for _, time in model.stands]
    assert journal.extent() == ((min(times), max(times)) if times else None)
    gone = journal.superseded(10_000)
    assert Counter(
        ((g.series, g.time_ms), content(g.value, g.mark), g.accepted_ms, g.replaced_ms) for g in gone
    ) == Counter(model.replaced)
    assert_outbox_ends_as(model, journal)
    counts = journal.counts()
    assert counts.superseded == len(model.replaced)
    assert counts.hot.sum() <= len(model.stands) <= counts.hot.sum() + counts.sealed.sum()
    keys = [*model.stands, (0, 5), (1, 5)]
    there = journal.has(Readings.of([t for _, t in keys], [s for s, _ in keys], 0.0))
    assert there.tolist() == [True] * len(model.stands) + [False, False]


def assert_outbox_ends_as(model: Model, journal: Journal) -> None:
    """Writing the outbox in its order, each point over the one before, ends with what stands."""
    server: dict[Key, Content] = {}
    for batch in journal.outbox_next(1_000_000):
        r = batch.readings
        for time, series, value, mark in zip(*(c.tolist() for c in (r.time, r.series, r.value, r.mark)), strict=True):
            server[series, time] = content(value, mark)
    assert server == {key: kept[0] for key, kept in model.stands.items()}


@settings(max_examples=40, deadline=None)
@given(st.lists(rows_of, min_size=1, max_size=40), st.lists(st.integers(0, 40), max_size=6), st.integers(-3, 10))
def test_the_cuts_between_batches_change_nothing(
    rows: list[tuple[int, int, float, int]], cuts: list[int], seal_at: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole = open_journal(Path(folder) / "whole.db", SERIES)
        parts = open_journal(Path(folder) / "parts.db", SERIES)
        done = [whole.append(readings_of(rows), accepted_ms=1)]
        edges = sorted({0, len(rows), *(c for c in cuts if c < len(rows))})
        pieces = []
        for first, last in pairwise(edges):
            pieces.append(parts.append(readings_of(rows[first:last]), accepted_ms=1))
            parts.seal(seal_at * 8 * HOUR_MS)
        for name in ("new", "identical", "superseded"):
            assert sum(getattr(d, name) for d in done) == sum(getattr(p, name) for p in pieces)
        for series in range(3):
            one, other = (j.read(series, -(10**12), 10**12) for j in (whole, parts))
            for column in ("time", "value", "mark"):
                assert getattr(one, column).tobytes() == getattr(other, column).tobytes()
        again = parts.append(whole_of(whole), accepted_ms=2)
        assert (again.new, again.superseded) == (0, 0)
        whole.close()
        parts.close()


def whole_of(journal: Journal) -> Readings:
    return Readings.concat([journal.read(series, -(10**12), 10**12) for series in range(3)])
