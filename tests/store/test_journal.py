"""The journal keeps what it was given, once, whatever comes again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from plant_monitor.readings import Readings, Refused, Touched
from plant_monitor.store import database
from plant_monitor.store.journal import BACKFILL, Journal, RefusedPoint, open_journal

SERIES = [("a", "flow"), ("a", "ph"), ("b", "flow")]
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def values(journal: Journal, series: int) -> list[float]:
    return journal.read(series, 0, 1 << 50).value.tolist()


def test_readings_come_back_and_repeats_change_nothing(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db", SERIES)
    batch = Readings.of([1000, 1000, 2000], [0, 1, 0], [1.5, np.nan, -0.0], [78, 66, 78])
    assert journal.append(batch, accepted_ms=5000).new == 3
    assert journal.append(batch, accepted_ms=6000).identical == 3
    got = journal.read(0, 0, 10_000)
    assert got.time.tolist() == [1000, 2000]
    assert np.signbit(got.value[1])
    assert np.isnan(journal.read(1, 0, 10_000).value[0])
    assert journal.extent() == (1000, 2000)
    assert journal.counts().superseded == 0


def test_a_differing_second_reading_stands_and_the_first_is_kept(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db", SERIES)
    journal.append(Readings.of(1000, 0, 1.0), accepted_ms=1)
    done = journal.append(Readings.of([1000, 1000, 3000], 0, [2.0, 3.0, 4.0]), accepted_ms=2)
    assert (done.new, done.identical, done.superseded) == (1, 0, 2)
    assert journal.read(0, 0, 9999).value.tolist() == [3.0, 4.0]
    gone = journal.superseded()
    assert [(g.value, g.accepted_ms, g.replaced_ms) for g in gone] == [(1.0, 1, 2), (2.0, 2, 2)]


def test_what_was_refused_is_kept_with_its_reason(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db", SERIES)
    journal.append(Readings.empty(), [Refused("topic", "no number", b"\xff{", 7)], accepted_ms=8)
    (kept,) = journal.quarantine()
    assert kept.refused == Refused("topic", "no number", b"\xff{", 7)
    journal.reinject([kept.id], Readings.of(7, 0, 1.0), accepted_ms=9)
    assert journal.quarantine() == []
    assert journal.counts().quarantined == 0
    assert len(journal.read(0, 0, 100)) == 1


def test_a_sealed_reading_is_replaced_as_a_hot_one(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db", SERIES)
    journal.append(Readings.of([1, 2, 3], 0, [1.0, np.nan, 3.0], [78, 66, 78]), accepted_ms=10)
    assert journal.seal(1 << 50) == 3
    late = Readings.of([2, 2, 3, 4], 0, [np.nan, 2.0, 3.0, 4.0], [66, 78, 78, 78])
    done = journal.append(late, accepted_ms=20)
    assert (done.new, done.identical, done.superseded) == (1, 2, 1)
    (gone,) = journal.superseded()
    assert (gone.series, gone.time_ms, gone.mark, gone.accepted_ms, gone.replaced_ms) == (0, 2, 66, 10, 20)
    assert values(journal, 0) == [1.0, 2.0, 3.0, 4.0]
    assert journal.counts().hot.tolist() == [2, 0, 0]
    assert journal.seal(1 << 50) == 2
    assert values(journal, 0) == [1.0, 2.0, 3.0, 4.0]
    assert journal.counts().sealed.tolist() == [4, 0, 0]
    assert journal.append(late, accepted_ms=30).superseded == 2  # NaN again, and 2.0 after it: both differ
    assert [g.accepted_ms for g in journal.superseded(10, after_id=gone.id)] == [20, 30]


def test_sealing_goes_up_to_its_instant_and_again_later(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db", SERIES)
    times = np.arange(0, 3 * DAY_MS, HOUR_MS)
    journal.append(Readings.of(times, 2, times / HOUR_MS), accepted_ms=1)
    assert journal.seal(DAY_MS + HOUR_MS) == 25
    assert journal.counts().hot.tolist() == [0, 0, 47]
    assert journal.seal(DAY_MS + HOUR_MS) == 0
    assert journal.seal(DAY_MS + 2 * HOUR_MS) == 1
    assert values(journal, 2) == list(range(72))
    assert journal.extent() == (0, 71 * HOUR_MS)


def test_series_keep_their_readings_when_the_plant_changes(tmp_path: Path) -> None:
    """plant.yaml reordered, one series gone, one new: by name, never by place."""
    path = tmp_path / "journal.db"
    journal = open_journal(path, SERIES, outbox=True)
    journal.append(Readings.of([5, 5, 5], [0, 1, 2], [0.0, 1.0, 2.0]), accepted_ms=1)
    journal.append(Readings.of(5, [1], [1.5]), accepted_ms=2)
    journal.seal(1 << 50)
    journal.close()
    journal = open_journal(path, [("c", "cod_cr"), SERIES[2], SERIES[0]], outbox=True)
    assert [values(journal, series) for series in range(3)] == [[], [2.0], [0.0]]
    assert journal.series == (("c", "cod_cr"), SERIES[2], SERIES[0], SERIES[1])
    assert journal.counts().sealed.tolist() == [0, 1, 1, 1]
    assert journal.superseded()[0].series == 3
    first, second = journal.outbox_next()
    assert [journal.series[i] for i in first.readings.series] == SERIES
    assert [journal.series[i] for i in second.readings.series] == [SERIES[1]]
    assert {t.series for t in journal.touched()[1]} == {1, 2}, "what the plant has lost is not judged"
    journal.append(Readings.of(5, [0], [9.0]), accepted_ms=3)
    journal.close()
    journal = open_journal(path, SERIES)
    assert [values(journal, series) for series in range(3)] == [[0.0], [1.5], [2.0]]


def test_the_extent_is_that_of_the_plants_series(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = open_journal(path, SERIES)
    journal.append(Readings.of([10, 20, 30], [0, 1, 2], 0.0), accepted_ms=1)
    journal.close()
    assert open_journal(path, SERIES[1:2], read_only=True).extent() == (20, 20)
    assert open_journal(path, [("x", "y")], read_only=True).extent() is None


def test_live_is_forwarded_before_backfill_and_each_in_order(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db", SERIES, outbox=True)
    journal.append(Readings.of([1, 2], 0, [1.0, 2.0]), accepted_ms=1, priority=BACKFILL)
    journal.append(Readings.of(3, 0, 3.0), accepted_ms=2)
    journal.append(Readings.of([2, 4], 0, [2.5, 4.0]), accepted_ms=3)  # a change waits for what it changes
    journal.append(Readings.of([1, 2], 0, [1.0, 2.5]), accepted_ms=4)  # nothing new: nothing to send
    batches = journal.outbox_next()
    assert [b.readings.value.tolist() for b in batches] == [[3.0], [4.0], [1.0, 2.0], [2.5]]
    assert [b.priority for b in batches] == [0, 0, 1, 1]
    assert [len(b.readings) for b in journal.outbox_next(2)] == [1, 1]
    assert [len(b.readings) for b in journal.outbox_next(1)] == [1]
    journal.outbox_done([b.id for b in batches[:3]], [RefusedPoint(0, 2, 2.0, 78, "type conflict", 9)])
    assert [b.readings.value.tolist() for b in journal.outbox_next()] == [[2.5]]
    assert journal.outbox_refused() == [RefusedPoint(0, 2, 2.0, 78, "type conflict", 9)]
    counts = journal.counts()
    assert (counts.outbox_batches, counts.outbox_rows, counts.outbox_refused) == (1, 1, 1)


def test_a_batch_reported_twice_is_never_another_one(tmp_path: Path) -> None:
    """The forwarder tells again what it could not tell; meanwhile the outbox was empty and filled anew."""
    journal = open_journal(tmp_path / "journal.db", SERIES, outbox=True)
    journal.append(Readings.of(1, 0, 1.0), accepted_ms=1)
    (sent,) = journal.outbox_next()
    journal.outbox_done([sent.id])
    journal.append(Readings.of(2, 0, 2.0), accepted_ms=2)
    journal.outbox_done([sent.id])
    assert [b.readings.value.tolist() for b in journal.outbox_next()] == [[2.0]]


def test_without_influxdb_nothing_waits_to_be_forwarded(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db", SERIES)
    journal.append(Readings.of(1, 0, 1.0), accepted_ms=1)
    assert journal.outbox_next() == []


def test_what_was_touched_is_told_until_it_was_judged(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = open_journal(path, SERIES)
    journal.append(Readings.of([10, 20, DAY_MS + 5], [0, 0, 0], 1.0), accepted_ms=1)
    one, spans = journal.touched()
    assert spans == [Touched(0, 10, 20), Touched(0, DAY_MS + 5, DAY_MS + 5)]
    assert journal.touched(one) == (one, [])
    journal.append(Readings.of([10, 5], 0, [1.0, 2.0]), accepted_ms=2)
    two, spans = journal.touched(one)
    assert two > one
    assert spans == [Touched(0, 5, 20)]
    journal.append(Readings.of([10], 0, [1.0]), accepted_ms=3)
    assert journal.touched(two) == (two, []), "an identical repeat touches nothing"
    journal.touched_done(one)
    assert journal.touched(one) == (two, [Touched(0, 5, 20)]), "a token that was given out stays good"
    journal.close()
    journal = open_journal(path, SERIES)
    two, spans = journal.touched()
    assert spans == [Touched(0, 5, 20)]
    journal.touched_done(two)
    journal.append(Readings.of(30, 1, 1.0), accepted_ms=4)
    assert journal.touched(two)[1] == [Touched(1, 30, 30)]
    journal.close()
    assert open_journal(path, SERIES).touched()[1] == [Touched(1, 30, 30)]


def test_quarantine_in_pages(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db", SERIES)
    journal.append(Readings.empty(), [Refused("t", str(n), b"", n) for n in range(5)], accepted_ms=8)
    first = journal.quarantine(2)
    second = journal.quarantine(2, after_id=first[-1].id)
    assert [q.refused.reason for q in first + second] == ["0", "1", "2", "3"]
    journal.reinject([first[1].id], Readings.empty(), accepted_ms=77)
    assert [q.refused.reason for q in journal.quarantine()] == ["0", "2", "3", "4"]
    assert journal.quarantine(reinjected=True)[1].reinjected_ms == 77


def test_each_accepted_plant_is_kept_by_its_digest(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db", SERIES)
    digest = journal.keep_plant("plant: {id: 谢桥}\n", accepted_ms=1)
    assert journal.keep_plant("plant: {id: 谢桥}\n", accepted_ms=2) == digest
    assert journal.keep_plant("plant: {id: other}\n", accepted_ms=3) != digest
    assert journal.plant_text(digest) == "plant: {id: 谢桥}\n"
    assert journal.plant_text("0" * 64) is None


def test_a_reader_learns_of_series_that_came_later(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    open_journal(path, SERIES[:1]).close()
    reader = open_journal(path, SERIES, read_only=True)
    assert values(reader, 2) == []
    writer = open_journal(path, SERIES)
    writer.append(Readings.of([1, 2], [2, 0], [7.0, 8.0]), accepted_ms=1)
    assert values(reader, 2) == [7.0]
    assert reader.counts().hot.tolist() == [1, 0, 1]


def test_the_file_gets_small_again_once_it_is_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "FREE_PAGES", 32)
    journal = open_journal(tmp_path / "journal.db", SERIES)
    times = np.arange(100_000) * 10_000
    journal.append(Readings.of(times, 0, np.round(np.sin(times / 1e8) * 50, 2)), accepted_ms=1)
    journal.seal(1 << 50)
    assert len(values(journal, 0)) == 100_000
    journal.close()
    assert (tmp_path / "journal.db").stat().st_size / 100_000 < 5


def test_check_names_what_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = open_journal(path, SERIES)
    journal.append(Readings.of(np.arange(100) * 60_000, 0, 1.5), accepted_ms=1)
    journal.seal(DAY_MS)
    assert journal.check() == []
    journal.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE chunks SET columns = CAST(substr(columns, 1, length(columns) - 1) || x'55' AS BLOB)")
    (problem,) = open_journal(path, SERIES, read_only=True).check()
    assert "/".join(SERIES[0]) in problem and "damaged" in problem
