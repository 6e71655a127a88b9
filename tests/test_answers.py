"""Hours and days of some points: what the whole evaluation says of them, remembered while it is true."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from api.api_world import DAY, HOUR, OCT_1, make_plant, make_readings

from plant_monitor import monitor
from plant_monitor.annotations import Annotation, Kind
from plant_monitor.answers import Evaluations
from plant_monitor.clock import ManualClock
from plant_monitor.ledger import Ledger
from plant_monitor.readings import Readings
from plant_monitor.store.journal import Journal, open_journal
from plant_monitor.store.memory import MemorySource

PLANT = make_plant()
FIRST, SECOND, TODAY = (date(2026, 10, d) for d in (1, 2, 3))
ALPHA = frozenset({"alpha-outfall"})
COD = PLANT.series_index["alpha-outfall", "cod_cr"]
VOLUME = PLANT.series_index["alpha-outfall", "volume"]


class Answering:
    """Answers over a journal, and how often each stretch of days was made."""

    def __init__(self, journal: Journal, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        self.journal, self.ledger, self.made = journal, ledger, list[tuple[date, date]]()
        self.clock = ManualClock(OCT_1 + 2 * DAY + 14 * HOUR)
        self.asked = Evaluations(PLANT, journal, journal, ledger.annotations, self.clock)
        real = monitor.verdicts_of_days

        def counted(plant: object, source: object, points: object, first: date, last: date, **more: object) -> object:
            self.made.append((first, last))
            return real(plant, source, points, first, last, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(monitor, "verdicts_of_days", counted)

    def days(self, first: date, last: date, points: frozenset[str] = ALPHA) -> list[float | None]:
        """The daily COD; some time after the last answer."""
        self.clock.set(self.clock.now_ms() + 11_000)
        rows = self.asked.verdicts(first, last, points).daily.rows()
        return [row["value"] for row in rows if (row["point"], row["parameter"]) == ("alpha-outfall", "cod_cr")]

    def arrives(self, series: int, time_ms: int, value: float) -> None:
        self.journal.append(Readings.of([time_ms], series, [value]), accepted_ms=self.clock.now_ms())


@pytest.fixture
def answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    journal = open_journal(tmp_path / "j.sqlite", [(s.point, s.parameter) for s in PLANT.series])
    whole = make_readings(PLANT)
    journal.append(whole.take(whole.time < OCT_1 + 2 * DAY + 14 * HOUR), accepted_ms=OCT_1)
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    yield Answering(journal, ledger, monkeypatch)
    journal.close()
    ledger.close()


def test_parts_are_what_the_whole_says() -> None:
    source = MemorySource(make_readings(PLANT))
    whole = monitor.evaluate_days(PLANT, source, FIRST, TODAY)
    for points in ({"alpha-outfall"}, {"alpha-outfall", "plant-effluent"}, {p.id for p in PLANT.points}):
        for name in ("hourly", "daily"):
            parts = [
                monitor.verdicts_of_days(PLANT, source, points, a, b) for a, b in ((FIRST, SECOND), (TODAY, TODAY))
            ]
            rows = sorted(
                (r for p in parts for r in getattr(p, name).rows()), key=lambda r: (r["point"], r["parameter"])
            )
            assert rows == [r for r in getattr(whole, name).rows() if r["point"] in points]
        for part in parts:
            for point in points:
                at = np.isin(whole.windows.day_edges[:-1], part.windows.day_edges[:-1])
                assert np.array_equal(part.volumes[point].daily, whole.volumes[point].daily[at], equal_nan=True)


def test_what_is_over_is_remembered_while_today_goes_on(answering: Answering) -> None:
    assert answering.days(FIRST, FIRST) == [0.6] and answering.days(TODAY, TODAY) == [0.4]
    for minute in range(3):
        answering.arrives(COD, answering.clock.now_ms() + minute, 500.0)
        assert answering.days(FIRST, FIRST) == [0.6]
        assert answering.days(TODAY, TODAY)[0] > 0.4
    assert answering.made == [(FIRST, FIRST), *[(TODAY, TODAY)] * 4]


def test_a_late_reading_of_the_point_is_seen_and_of_another_nothing_is_made_anew(answering: Answering) -> None:
    other = PLANT.series_index["beta-outfall", "cod_cr"]
    answering.days(FIRST, FIRST)
    answering.arrives(other, OCT_1 + 5 * HOUR, 9000.0)
    assert answering.days(FIRST, FIRST) == [0.6] and len(answering.made) == 1
    answering.arrives(COD, OCT_1 + 5 * HOUR, 9000.0)
    assert answering.days(FIRST, FIRST)[0] > 0.6 and len(answering.made) == 2
    answering.arrives(VOLUME, OCT_1 + 5 * HOUR, 1051.0)  # a register reaches to its neighbours
    answering.days(FIRST, FIRST)
    assert len(answering.made) == 3


def test_an_annotation_is_seen_at_once(answering: Answering) -> None:
    answering.days(FIRST, FIRST)
    said = Annotation(Kind.EXCLUSION, "alpha-outfall", "cod_cr", OCT_1, OCT_1 + DAY, "x")
    answering.ledger.annotations.add(said, now_ms=answering.clock.now_ms(), actor="operator:x")
    assert answering.days(FIRST, FIRST) == [None]


def test_points_are_remembered_apart(answering: Answering) -> None:
    both = ALPHA | {"plant-effluent"}
    assert len(answering.asked.verdicts(FIRST, FIRST, both).daily) > len(
        answering.asked.verdicts(FIRST, FIRST, ALPHA).daily
    )
    assert answering.made == [(FIRST, FIRST)] * 2
