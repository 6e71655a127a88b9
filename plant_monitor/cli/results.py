"""Results from readings: verdicts, what-ifs, explanations of verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from plant_monitor import monitor
from plant_monitor.cli.options import (
    DEFAULT_DATA,
    DataDir,
    LabFile,
    OutDir,
    PlantFile,
    ReadingsFile,
    local_date,
    messages,
    reading_plant,
    readings_source,
    report,
    tell,
)
from plant_monitor.cli.workers import usual_jobs, write_results
from plant_monitor.compliance.difference import COMPARED, differences
from plant_monitor.compliance.explain import explain_change
from plant_monitor.compliance.laboratory import LabResult
from plant_monitor.compliance.tables import Table as Results
from plant_monitor.config.lab_file import read_lab
from plant_monitor.config.readings_file import (
    Reject,
)
from plant_monitor.config.results_file import read_results, write_evaluation, write_table
from plant_monitor.config.scenario_file import load_scenario
from plant_monitor.data_folder import DataFolder
from plant_monitor.errors import InputError
from plant_monitor.plant import Name, Plant
from plant_monitor.readings import ReadingSource
from plant_monitor.windows import local_windows


def evaluate(
    plant_file: PlantFile,
    out: OutDir,
    readings: ReadingsFile = None,
    lab: LabFile = None,
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First local day, inclusive.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last local day, inclusive.")] = None,
    rejects: Annotated[Path | None, typer.Option(metavar="FILE", help="List bad rows here: line,reason.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a file with bad rows.")] = False,
    diff: Annotated[
        Path | None,
        typer.Option("--diff", metavar="OLD_DIR", help="Also difference.csv: what changed since.", exists=True),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", metavar="N", min=1, help="Processes. As many as cores, if left out.")
    ] = None,
    suspects: Annotated[
        bool, typer.Option("--suspects", help="Also suspect sensors in warnings.csv; takes half as long again.")
    ] = False,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Means, verdicts, exceedances and headroom as CSV files. 均值、达标判定、超标与余量。"""
    plant = reading_plant(plant_file, from_store=readings is None)
    asked = (local_date(first, "--from"), local_date(last, "--to"))
    old = None if diff is None else read_results(diff, (*COMPARED, "evidence"))
    with readings_source(plant, readings, data) as (source, bad):
        code = report(bad, rejects)
        if strict and bad:
            raise InputError(f"{readings}: {len(bad)} bad rows, refused (--strict)")
        results, bad_results = _lab_results(plant, lab, None if readings else data)
        code = max(code, report(bad_results, None))
        if strict and bad_results:
            raise InputError(f"{lab}: {len(bad_results)} bad rows, refused (--strict)")
        extent = monitor.days_with_readings(plant, source)
        known = extent or (date.max, date.min)  # no readings, no days asked for: nothing to cover, headers alone
        windows = local_windows(asked[0] or known[0], asked[1] or known[1], plant.zone)
        judged = monitor.laboratory(plant, source, monitor.samples_within(results, windows))
        again = partial(_opened, source) if readings else partial(DataFolder(data).judged, plant)
        whole = monitor.with_history(plant, source, windows) if suspects else None
        rows, exceedances = write_results(out, plant, again, windows, whole, judged, jobs or usual_jobs(plant))
    if old is not None:
        _tell_differences(out, differences(old, read_results(out, (*COMPARED, "evidence"))))
    messages.print(f"{len(windows.days)} days, {rows} daily rows, {exceedances} exceedances -> {out}", markup=False)
    return code


def whatif(
    plant_file: PlantFile,
    scenario: Annotated[
        Path, typer.Option("--scenario", metavar="FILE", help="What would be otherwise.", exists=True, dir_okay=False)
    ],
    out: OutDir,
    readings: ReadingsFile = None,
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First local day, inclusive.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last local day, inclusive.")] = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """The results as they would have been, and difference.csv against what was. 假设分析。"""
    plant = reading_plant(plant_file, from_store=readings is None)
    supposed = load_scenario(scenario, plant)
    asked = (local_date(first, "--from"), local_date(last, "--to"))
    with readings_source(plant, readings, data) as (source, bad):
        code = report(bad, None)
        known = monitor.days_with_readings(plant, source) or (date.max, date.min)
        days = asked[0] or known[0], asked[1] or known[1]
        was, would_be = monitor.what_if(plant, source, supposed, *days)
    write_evaluation(out, would_be)
    _tell_differences(out, monitor.compared(was, would_be))
    return code


def explain(
    what: Annotated[
        list[str], typer.Argument(metavar="PLANT.yaml POINT PARAMETER DATE | statement NUMBER", show_default=False)
    ],
    member: Annotated[str, typer.Option("--member", metavar="M", help="Of a statement: whose.")] = "",
    readings: ReadingsFile = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """How a day's verdict, or a member's statement, came about, in words and numbers. 说明判定或结算单的由来。"""
    if what[0] == "statement" and len(what) == 2:
        from plant_monitor.cli.statements import explain_statement  # the ledger, which no verdict needs

        return explain_statement(what[1], member, readings, data)
    if len(what) != 4 or member:
        expected = "expected PLANT.yaml POINT PARAMETER DATE, or: statement NUMBER --member M"
        raise typer.BadParameter(f"found {' '.join(what)!r}, {expected}", param_hint="explain")
    plant_file, point, parameter, day = Path(what[0]), *what[1:]
    if not plant_file.is_file():
        raise typer.BadParameter(f"there is no file {what[0]!r}", param_hint="PLANT.yaml")
    plant = reading_plant(plant_file, from_store=readings is None)
    asked = local_date(day, "DATE")
    assert asked is not None
    with readings_source(plant, readings, data) as (source, bad):
        code = report(bad, None)
        lines = monitor.explained(plant, source, point, parameter, asked)
        tell([*lines, *([] if readings else _changes(plant, data, (point, parameter), asked))])
    return code


def _changes(plant: Plant, data: Path, series: tuple[str, str], day: date) -> list[Name]:
    """What the running service has judged otherwise before, the oldest change first."""
    if not DataFolder(data).ledger_file.exists():
        return []
    windows = local_windows(day, day, plant.zone)
    with DataFolder(data).ledger() as ledger:
        found = ledger.verdicts.changed(series={series}, start_ms=windows.start_ms, end_ms=windows.end_ms)
    return [explain_change(change, plant.zone) for change in reversed(found)]


def _opened(source: ReadingSource) -> AbstractContextManager[ReadingSource]:
    """A source that is open already, as one to open."""
    return nullcontext(source)


def _tell_differences(out: Path, table: Results) -> None:
    """``difference.csv``, and how many of each cause."""
    write_table(out / "difference.csv", table)
    causes = Counter(str(cause) for cause in table.columns["cause"])
    told = ", ".join(f"{count} by {cause}" for cause, count in sorted(causes.items()))
    messages.print(
        f"{len(table)} verdicts differ{': ' + told if told else ''} -> {out / 'difference.csv'}", markup=False
    )


def _lab_results(plant: Plant, lab: Path | None, data: Path | None) -> tuple[Sequence[LabResult], list[Reject]]:
    """Laboratory results of the file given, else of the ledger of the data folder; and the file's bad rows."""
    if lab is not None:
        good, bad = read_lab(lab, plant)
        return good, [Reject(r.line, f"{lab}: {r.reason}") for r in bad]
    if data is None or not DataFolder(data).ledger_file.exists():
        return (), []
    with DataFolder(data).ledger() as ledger:
        return [stored.result for stored in ledger.lab.find()], []
