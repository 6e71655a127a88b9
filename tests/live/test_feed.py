"""What happens is told once, in order, and who was away too long is told so."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
from api.api_world import DAY, HOUR, NOW, OCT_1, make_plant, make_readings

from plant_monitor import monitor
from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.live import OF_A_SERIES, Event, Feed
from plant_monitor.plant import Plant
from plant_monitor.readings import Readings
from plant_monitor.store.memory import MemorySource

PLANT = make_plant()
COD = PLANT.series_index["alpha-outfall", "cod_cr"]


def evaluated(first: date, last: date, *more: Readings, plant: Plant = PLANT) -> Evaluation:
    source = MemorySource(Readings.concat([make_readings(plant), *more]))
    return monitor.evaluate_days(plant, source, first, last, until_ms=NOW)


def rows(event: Event) -> list[dict[str, Any]]:
    assert isinstance(event.content, tuple)
    return list(event.content)


def test_events_are_numbered_kept_for_a_while_and_woken_for() -> None:
    feed, woken = Feed(PLANT, 1, kept=3), []
    assert feed.since(0) == []
    with feed.watching(lambda: woken.append(feed.newest)):
        for i in range(5):
            feed.readings(Readings.of([OCT_1 + i], COD, [1.0]))
    feed.readings(Readings.of([OCT_1 + 5], COD, [1.0]))
    assert woken == [1, 2, 3, 4, 5]
    assert [e.number for e in feed.since(3) or []] == [4, 5, 6]
    assert feed.since(2) is None and feed.since(7) is None and feed.since(-1) is None
    assert feed.since(6) == []


def test_of_a_backlog_the_newest_of_each_series_are_told() -> None:
    feed = Feed(PLANT, 1)
    feed.readings(make_readings(PLANT))
    (event,) = feed.since(0) or []
    told = event.content
    assert isinstance(told, Readings)
    whole = make_readings(PLANT).by_time()
    for series in range(len(PLANT.series)):
        newest = whole.of_series(series).time[-OF_A_SERIES:]
        assert np.array_equal(told.of_series(series).time, newest)


def test_windows_are_told_when_they_are_new_or_differ() -> None:
    feed = Feed(PLANT, 1)
    oct_3, oct_4 = date(2026, 10, 3), date(2026, 10, 4)
    feed.evaluated(evaluated(oct_3, oct_3), NOW, news=False)
    assert feed.newest == 0  # what a start says is no news
    feed.evaluated(evaluated(oct_3, oct_3), NOW)
    assert feed.newest == 0
    late = Readings.of([OCT_1 + 2 * DAY + 5 * HOUR], COD, [4000.0])
    feed.evaluated(evaluated(oct_3, oct_3, late), NOW)
    hours, days = feed.since(0) or []
    assert [(r["parameter"], r["hour"], r["mean"]) for r in rows(hours)] == [
        ("cod_cr", "2026-10-03T05:00:00+08:00", 4.0)
    ]
    assert [(r["parameter"], r["date"], r["verdict"]) for r in rows(days)] == [("cod_cr", "2026-10-03", "exceeded")]

    feed.evaluated(evaluated(oct_3, oct_4, late), NOW)  # the next day begins
    told = [r for e in feed.since(2) or [] if e.kind == "hours" for r in rows(e)]
    assert {r["hour"] for r in told} == {"2026-10-04T00:00:00+08:00"}  # later hours have not begun


def test_days_gone_by_are_no_news() -> None:
    feed = Feed(PLANT, 1)
    feed.evaluated(evaluated(date(2026, 10, 3), date(2026, 10, 4)), NOW, news=False)
    late = Readings.of([OCT_1 + 5 * HOUR], COD, [4000.0])
    feed.evaluated(evaluated(date(2026, 10, 1), date(2026, 10, 1), late), NOW)
    assert feed.newest == 0
