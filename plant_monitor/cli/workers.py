"""An evaluation point by point, over processes: what is held at a time is a few points, whatever the plant.

No point has a part in another's results, so they are the same bits, in the same order, with any number of
processes. Each process reads, evaluates and writes the text of its points; this one puts the texts together.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from rich.progress import track

from plant_monitor import monitor
from plant_monitor.cli.options import messages
from plant_monitor.compliance.evaluate import Figures, Span, evaluate_plant, points_in_order
from plant_monitor.compliance.suspects import PointDays, balances
from plant_monitor.compliance.tables import Table
from plant_monitor.compliance.warnings import warning_rows
from plant_monitor.config.results_file import evaluation_files, table_text
from plant_monitor.plant import Plant
from plant_monitor.readings import ReadingSource
from plant_monitor.windows import Windows

#: Opens what readings are read from; each process opens its own.
OpenSource = Callable[[], AbstractContextManager[ReadingSource]]
#: Of fewer points a process, starting it costs more than it saves.
POINTS_A_PROCESS = 16


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of one point: CSV rows by file, how many of two kinds, and what the plant's figures need.

    ``days`` are for the balances between points, and there only where suspect sensors are asked for.
    """

    texts: dict[str, str]
    daily_rows: int
    exceedances: int
    figures: Figures
    days: PointDays | None


def usual_jobs(plant: Plant) -> int:
    """As many processes as there are cores, or fewer for few points."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(cores, len(plant.points) // POINTS_A_PROCESS))


def write_results(
    out: Path, plant: Plant, open_source: OpenSource, windows: Windows, whole: Windows | None, lab: Table, jobs: int
) -> tuple[int, int]:
    """All result files of an evaluation; how many daily rows and exceedances they have.

    ``whole``: the windows and the days before them from which suspicion learns; None: sensors are not suspected.
    """
    figures, daily_rows, exceedances = [], 0, 0
    days: dict[str, PointDays] = {}
    with evaluation_files(out) as add:
        told_points = _each_point(_Work(plant, windows, whole), open_source, jobs)
        quiet = not messages.is_terminal
        for told in track(told_points, "points", len(plant.points), console=messages, transient=True, disable=quiet):
            add(told.texts)
            figures.append(told.figures)
            daily_rows += told.daily_rows
            exceedances += told.exceedances
            if told.days is not None:
                days[told.figures.point] = told.days
        # A balance is known when all points are: its rows come last.
        found = [] if whole is None else monitor.signs_within(windows, balances(plant, days, whole))
        _, tables = evaluate_plant(plant, figures, Span.of(plant, windows))
        tables |= {"lab": lab, "warnings": warning_rows(found, plant.zone)}
        add({name: table_text(table) for name, table in tables.items()})
    return daily_rows, exceedances


@dataclass(frozen=True, slots=True)
class _Work:
    plant: Plant
    windows: Windows
    whole: Windows | None  # with the days before from which suspicion learns


class _Worker:
    """Evaluates the points of a plant by their number."""

    def __init__(self, work: _Work, source: ReadingSource) -> None:
        self.plant, self.work, self.source = work.plant, work, source
        self.span = Span.of(work.plant, work.windows)
        self.points = points_in_order(work.plant)

    def told(self, number: int) -> Told:
        point = self.points[number]
        result = monitor.evaluate_point_days(self.plant, self.source, point, self.span)
        warnings, days = list(result.warned.rows), None
        if self.work.whole is not None:
            signs, days = monitor.suspicions_of_point(self.plant, self.source, point, self.work.whole)
            warnings.extend(monitor.signs_within(self.work.windows, signs))
        tables = {**result.tables, "warnings": warning_rows(warnings, self.plant.zone)}
        texts = {name: table_text(table) for name, table in tables.items()}
        counts = len(result.tables["daily"]), len(result.tables["exceedances"])
        return Told(texts, *counts, result.figures, days)


_of_this_process: list[_Worker] = []
_open = ExitStack()  # its source stays open as long as the process lives


def _start(work: _Work, open_source: OpenSource) -> None:
    _of_this_process.append(_Worker(work, _open.enter_context(open_source())))


def _told(number: int) -> Told:
    return _of_this_process[-1].told(number)


def _each_point(work: _Work, open_source: OpenSource, jobs: int) -> Iterator[Told]:
    """The points in order. No more of them are begun than a few before the one that is waited for."""
    numbers = range(len(work.plant.points))
    if jobs == 1:
        with open_source() as source:
            yield from map(_Worker(work, source).told, numbers)
        return
    # A fork shares the readings of a file; elsewhere each process is handed a copy.
    context = get_context("fork" if sys.platform == "linux" else None)
    ahead: deque[Future[Told]] = deque()
    with ProcessPoolExecutor(jobs, context, _start, (work, open_source)) as pool:
        for number in numbers:
            ahead.append(pool.submit(_told, number))
            if len(ahead) > 2 * jobs:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
