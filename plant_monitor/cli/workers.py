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
from plant_monitor.compliance.tables import Table
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
    """What is told of one point: CSV rows by file, how many of two kinds, and what the plant's figures need."""

    texts: dict[str, str]
    daily_rows: int
    exceedances: int
    figures: Figures


def usual_jobs(plant: Plant) -> int:
    """As many processes as there are cores, or fewer for few points."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, min(cores, len(plant.points) // POINTS_A_PROCESS))


def write_results(
    out: Path, plant: Plant, open_source: OpenSource, windows: Windows, lab: Table, jobs: int
) -> tuple[int, int]:
    """All result files of an evaluation; how many daily rows and exceedances they have."""
    figures, daily_rows, exceedances = [], 0, 0
    with evaluation_files(out) as add:
        told_points = _each_point(plant, open_source, windows, jobs)
        quiet = not messages.is_terminal
        for told in track(told_points, "points", len(plant.points), console=messages, transient=True, disable=quiet):
            add(told.texts)
            figures.append(told.figures)
            daily_rows += told.daily_rows
            exceedances += told.exceedances
        _, tables = evaluate_plant(plant, figures, Span.of(plant, windows))
        add({name: table_text(table) for name, table in (tables | {"lab": lab}).items()})
    return daily_rows, exceedances


class _Worker:
    """Evaluates the points of a plant by their number."""

    def __init__(self, plant: Plant, source: ReadingSource, windows: Windows) -> None:
        self.plant, self.source, self.span = plant, source, Span.of(plant, windows)
        self.points = points_in_order(plant)

    def told(self, number: int) -> Told:
        result = monitor.evaluate_point_days(self.plant, self.source, self.points[number], self.span)
        texts = {name: table_text(table) for name, table in result.tables.items()}
        return Told(texts, len(result.tables["daily"]), len(result.tables["exceedances"]), result.figures)


_of_this_process: list[_Worker] = []
_open = ExitStack()  # its source stays open as long as the process lives


def _start(plant: Plant, open_source: OpenSource, windows: Windows) -> None:
    _of_this_process.append(_Worker(plant, _open.enter_context(open_source()), windows))


def _told(number: int) -> Told:
    return _of_this_process[-1].told(number)


def _each_point(plant: Plant, open_source: OpenSource, windows: Windows, jobs: int) -> Iterator[Told]:
    """The points in order. No more of them are begun than a few before the one that is waited for."""
    numbers = range(len(plant.points))
    if jobs == 1:
        with open_source() as source:
            yield from map(_Worker(plant, source, windows).told, numbers)
        return
    # A fork shares the readings of a file; elsewhere each process is handed a copy.
    context = get_context("fork" if sys.platform == "linux" else None)
    ahead: deque[Future[Told]] = deque()
    with ProcessPoolExecutor(jobs, context, _start, (plant, open_source, windows)) as pool:
        for number in numbers:
            ahead.append(pool.submit(_told, number))
            if len(ahead) > 2 * jobs:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
