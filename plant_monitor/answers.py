"""Evaluations on demand: what API and screens ask for, computed from the source and remembered while it is true."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from plant_monitor import monitor
from plant_monitor.annotations import AnnotatedSource, Annotations, touched_by
from plant_monitor.clock import Clock
from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.plant import Plant
from plant_monitor.readings import ReadingSource, Touched
from plant_monitor.windows import local_day

REMEMBERED = 16  # evaluations


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
    evaluation: Evaluation


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
        self._remembered: OrderedDict[tuple[date, date], _Remembered] = OrderedDict()
        self._token = self._row = 0

    def judged(self) -> AnnotatedSource:
        """The readings as judged: under the annotations that stand now."""
        return AnnotatedSource(self._plant, self._source, self._annotations.standing())

    def __call__(self, first: date, last: date) -> Evaluation:
        """The evaluation of the local days ``first`` … ``last``."""
        now_ms = self._clock.now_ms()
        with self._lock:
            known = self._remembered.get((first, last))
        if known is not None and self._still_true(known, first, last, now_ms):
            return known.evaluation
        token = self._token
        if self._touches is not None:
            token, _ = self._touches.touched(token)  # before reading: what comes meanwhile is looked at again
        row, _ = self._annotations.changed(self._row)
        evaluation = monitor.evaluate_days(self._plant, self.judged(), first, last, until_ms=now_ms)
        with self._lock:
            self._token, self._row = max(self._token, token), max(self._row, row)
            self._remembered[first, last] = _Remembered(token, row, now_ms, evaluation)
            self._remembered.move_to_end((first, last))
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return evaluation

    def _still_true(self, known: _Remembered, first: date, last: date, now_ms: int) -> bool:
        _, annotations = self._annotations.changed(known.row)
        said = touched_by(self._plant, annotations)
        if not said and 0 <= now_ms - known.made_ms < self._fresh_ms:
            return True
        if self._touches is None or first <= local_day(now_ms, self._plant.zone) <= last:
            return False
        _, touched = self._touches.touched(known.token)
        days = monitor.affected_days(self._plant, self.judged(), [*touched, *said])
        return not any(first <= day <= last for day in days)
