"""Answers on demand: what API and screens ask for, computed from the source and remembered while it is true."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Protocol

import numpy as np

from plant_monitor import monitor
from plant_monitor.annotations import AnnotatedSource, Annotations, touched_by
from plant_monitor.clock import Clock
from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.compliance.forecast import DAYS_USED
from plant_monitor.compliance.headroom import daily_headroom, inflow_points
from plant_monitor.compliance.means import PointVolume
from plant_monitor.compliance.standing import (
    Outlook,
    daily_inflow,
    forecast_rows,
    standing,
    standing_series,
    standing_since_ms,
)
from plant_monitor.compliance.suspicion import HISTORY_DAYS
from plant_monitor.compliance.warnings import PlantWarning
from plant_monitor.holds import flow_curve
from plant_monitor.monitor import Verdicts
from plant_monitor.plant import FLOW, VOLUME, Plant
from plant_monitor.readings import FloatArray, ReadingSource, Touched
from plant_monitor.windows import HOUR_MS, day_start_ms, local_day, local_windows

REMEMBERED_ROWS = 400_000  # of all that is remembered: some 60 MB
DAYS_AT_ONCE = 28  # whose flows are in memory


class TouchLog(Protocol):
    """Where it is told which readings came or changed."""

    def touched(self, since: int = 0) -> tuple[int, list[Touched]]:
        """What came or changed after a token, and the token that stands for it."""
        ...


@dataclass(frozen=True, slots=True)
class _Remembered:
    token: int
    row: int  # of the annotations
    made_ms: int
    rows: int  # of its tables: what it takes to remember it
    answer: Any


_Key = tuple[str, date, date, frozenset[str] | None]  # what, first, last, of which points (None: all)


class Evaluations:
    """Verdicts of any days, with all readings up to at most ``fresh_ms`` ago, and all annotations up to now.

    ``touches`` tells when an answer is no longer true; without it (the source is elsewhere, as InfluxDB)
    an answer is given again for ``fresh_ms`` alone.
    """

    def __init__(
        self,
        plant: Plant,
        source: ReadingSource,
        touches: TouchLog | None,
        annotations: Annotations,
        clock: Clock,
        *,
        fresh_ms: int = 10_000,
    ) -> None:
        self._plant, self._source, self._touches, self._clock = plant, source, touches, clock
        self._annotations = annotations
        self._fresh_ms = fresh_ms
        self._lock = threading.Lock()
        self._remembered: OrderedDict[_Key, _Remembered] = OrderedDict()
        self._token = self._row = 0

    def judged(self) -> AnnotatedSource:
        """The readings as judged: under the annotations that stand now."""
        return AnnotatedSource(self._plant, self._source, self._annotations.standing())

    def __call__(self, first: date, last: date) -> Evaluation:
        """The evaluation of the local days ``first`` … ``last``."""

        def make(now_ms: int) -> Evaluation:
            return monitor.evaluate_days(self._plant, self.judged(), first, last, until_ms=now_ms)

        answer: Evaluation = self._answer("evaluation", first, last, make)
        return answer

    def verdicts(self, first: date, last: date, points: frozenset[str]) -> Verdicts:
        """The hours and days ``first`` … ``last`` of some points, for the price of these points."""

        def make(now_ms: int) -> Verdicts:
            return monitor.verdicts_of_days(self._plant, self.judged(), points, first, last, until_ms=now_ms)

        answer: Verdicts = self._answer("verdicts", first, last, make, points)
        return answer

    def warnings(self, first: date, last: date) -> tuple[PlantWarning, ...]:
        """What was or would have been warned of on the local days ``first`` … ``last``."""

        def make(now_ms: int) -> tuple[PlantWarning, ...]:
            evaluation = monitor.evaluate_days(self._plant, self.judged(), first, last, until_ms=now_ms, warnings=True)
            return monitor.warnings_of_days(self._plant, self.judged(), evaluation, now_ms)

        answer: tuple[PlantWarning, ...] = self._answer("warnings", first, last, make)
        return answer

    def _answer(
        self,
        what: str,
        first: date,
        last: date,
        make: Callable[[int], Any],
        points: frozenset[str] | None = None,
    ) -> Any:
        """What is remembered while it is true, else what ``make(now_ms)`` says."""
        key, now_ms = (what, first, last, points), self._clock.now_ms()
        with self._lock:
            known = self._remembered.get(key)
        since = first - timedelta(days=HISTORY_DAYS) if what == "warnings" else first  # what is suspect rests on that
        if known is not None and self._still_true(known, since, last, now_ms, points):
            return known.answer
        token = self._token
        if self._touches is not None:
            token, _ = self._touches.touched(token)  # before reading: what comes meanwhile is looked at again
        row, _ = self._annotations.changed(self._row)
        answer = make(now_ms)
        with self._lock:
            self._token, self._row = max(self._token, token), max(self._row, row)
            self._remembered[key] = _Remembered(token, row, now_ms, _rows(answer), answer)
            self._remembered.move_to_end(key)
            while len(self._remembered) > 1 and sum(r.rows for r in self._remembered.values()) > REMEMBERED_ROWS:
                self._remembered.popitem(last=False)
        return answer

    def _still_true(
        self, known: _Remembered, first: date, last: date, now_ms: int, points: frozenset[str] | None
    ) -> bool:
        _, annotations = self._annotations.changed(known.row)
        said = touched_by(self._plant, annotations)
        if not said and 0 <= now_ms - known.made_ms < self._fresh_ms:
            return True
        if self._touches is None or first <= local_day(now_ms, self._plant.zone) <= last:
            return False
        _, touched = self._touches.touched(known.token)
        chosen = [t for t in (*touched, *said) if points is None or self._plant.series[t.series].point in points]
        days = monitor.affected_days(self._plant, self.judged(), chosen)
        return not any(first <= day <= last for day in days)


def _rows(answer: Any) -> int:
    return len(answer) if isinstance(answer, tuple) else len(answer.hourly) + len(answer.daily)


class Outlooks:
    """Outlooks at any instant. The inflow of days that are over is remembered until anything in them changes.

    ``judged()`` the readings under their annotations · ``touches`` tells which came; without it (the source is
    elsewhere, as InfluxDB) all is read again each hour · ``annotations`` what is laid over them; None: never another.
    """

    def __init__(
        self,
        plant: Plant,
        judged: Callable[[], ReadingSource],
        touches: TouchLog | None,
        annotations: Annotations | None,
    ) -> None:
        self._plant, self._judged, self._touches, self._annotations = plant, judged, touches, annotations
        self._lock = threading.Lock()
        self._token = self._row = 0
        self._read_ms: int | None = None
        self._days: dict[date, float] = {}  # m³; NaN = unknown

    def __call__(self, now_ms: int) -> Outlook:
        """How things stand at the end of the last whole hour before ``now_ms``."""
        plant, today = self._plant, local_day(now_ms, self._plant.zone)
        begin_ms = day_start_ms(today, plant.zone)
        hour_ms = begin_ms + (now_ms - begin_ms) // HOUR_MS * HOUR_MS
        since_ms = standing_since_ms(plant, hour_ms)
        with self._lock:
            inflow = self._inflow_before(today, hour_ms)
        readings = monitor.readings_around(plant, self._judged(), since_ms, hour_ms, chosen=standing_series(plant))
        known = int(np.isfinite(inflow).sum())
        return Outlook(hour_ms, standing(plant, readings, hour_ms), forecast_rows(plant, inflow, today), known)

    def _inflow_before(self, today: date, hour_ms: int) -> FloatArray:
        """(T,) of the days from the first reading on, a year of them at most, up to yesterday."""
        touched = self._touched(hour_ms)
        source = self._judged()
        for day in monitor.affected_days(self._plant, source, touched):
            self._days.pop(day, None)
        extent = monitor.days_with_readings(self._plant, source)
        first = today if extent is None else max(extent[0], today - timedelta(days=DAYS_USED))
        days = monitor.days_between(first, today - timedelta(days=1))
        missing = [day for day in days if day not in self._days]
        for run_first, run_last in monitor.runs_of_days(missing):
            for start in monitor.days_between(run_first, run_last)[::DAYS_AT_ONCE]:
                self._read(source, start, min(run_last, start + timedelta(days=DAYS_AT_ONCE - 1)))
        self._days = {day: self._days[day] for day in days}
        return np.array([self._days[day] for day in days])

    def _touched(self, hour_ms: int) -> list[Touched]:
        """What came, changed or was said since the last time."""
        touched: list[Touched] = []
        if self._touches is not None:
            self._token, touched = self._touches.touched(self._token)
        elif self._read_ms != hour_ms:
            self._days.clear()
        self._read_ms = hour_ms
        if self._annotations is not None:
            self._row, said = self._annotations.changed(self._row)
            touched = [*touched, *touched_by(self._plant, said)]
        return touched

    def _read(self, source: ReadingSource, first: date, last: date) -> None:
        plant, windows = self._plant, local_windows(first, last, self._plant.zone)
        points = inflow_points(plant)
        ids = {p.id for p in points}
        chosen = {i for i, s in enumerate(plant.series) if s.point in ids and s.parameter in (FLOW, VOLUME)}
        found = monitor.readings_around(plant, source, windows.start_ms, windows.end_ms, chosen=chosen).by_time()
        volumes = {}
        for point in points:
            own = {s.parameter: found.of_series(plant.series_index[point.id, s.parameter]) for s in point.series}
            volumes[point.id] = PointVolume(flow_curve(point, plant, own, windows.hour_edges), windows)
        inflow = daily_inflow(daily_headroom(plant, volumes, windows))
        self._days.update(zip(windows.days, inflow.tolist(), strict=True))
