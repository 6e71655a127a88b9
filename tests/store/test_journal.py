"""The journal keeps what it was given, once, whatever comes again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from plant_monitor.readings import Readings, Refused
from plant_monitor.store.journal import open_journal

SERIES = [("a", "flow"), ("a", "ph"), ("b", "flow")]


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
