"""Readings in and out, and what was refused."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from plant_monitor.cli.options import (
    DEFAULT_DATA,
    DataDir,
    PlantFile,
    instant,
    messages,
    reading_plant,
    report,
    show,
)
from plant_monitor.clock import SystemClock
from plant_monitor.config.lab_file import read_lab
from plant_monitor.config.plant_file import load_plant
from plant_monitor.config.readings_file import (
    Reject,
    iter_mapped,
    iter_readings,
    write_readings,
)
from plant_monitor.data_folder import DataFolder
from plant_monitor.errors import InputError
from plant_monitor.ingest.decoders import decode_again
from plant_monitor.monitor import is_kept
from plant_monitor.plant import Plant
from plant_monitor.readings import Readings
from plant_monitor.store.outbox import BACKFILL
from plant_monitor.windows import HOUR_MS, rfc3339

IMPORT_ROWS = 20_000  # readings in a commit of an import
SEAL_ROWS = 500_000


class Format(StrEnum):
    """Formats of an export."""

    CSV = "csv"
    PARQUET = "parquet"


def import_(
    plant_file: PlantFile,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="CSV or Parquet files.", exists=True, dir_okay=False)
    ],
    map_file: Annotated[
        Path | None,
        typer.Option("--map", metavar="MAP.yaml", help="Columns, zone and units of a foreign CSV.", exists=True),
    ] = None,
    lab: Annotated[bool, typer.Option("--lab", help="The files are laboratory results. 化验结果。")] = False,
    rejects: Annotated[Path | None, typer.Option(metavar="FILE", help="List bad rows here: line,reason.")] = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Readings into the journal; importing a file again changes nothing. 导入读数。"""
    plant = load_plant(plant_file, secrets=False)
    if lab:
        if map_file is not None:
            raise typer.BadParameter("laboratory results take no map", param_hint="--map")
        return report(_import_lab(plant, files, data), rejects)
    clock = SystemClock()
    bad: list[Reject] = []
    with DataFolder(data).journal(plant) as journal, messages.status("importing") as status:
        for file in files:
            parts = iter_mapped(file, plant, map_file) if map_file else iter_readings(file, plant)
            done, sealed = [0, 0, 0, 0], 0
            for good, refused in parts:
                bad += refused
                if sum(done[:3]) // SEAL_ROWS > sealed:
                    sealed = sum(done[:3]) // SEAL_ROWS
                    journal.seal(clock.now_ms() - HOUR_MS)  # else the file grows tenfold before it shrinks
                for first in range(0, len(good), IMPORT_ROWS):
                    part = good.take(slice(first, first + IMPORT_ROWS))
                    taken = journal.append(part, accepted_ms=clock.now_ms(), priority=BACKFILL)
                    counts = (taken.new, taken.identical, taken.superseded, 0)
                    done = [x + y for x, y in zip(done, counts, strict=True)]
                done[3] += len(refused)
                status.update(f"importing {file}: {sum(done[:3]):,} readings")
            new, known, replaced, rejected = done
            messages.print(f"{file}: {new} new, {known} known, {replaced} replaced, {rejected} bad rows", markup=False)
        journal.seal(clock.now_ms() - HOUR_MS)
    return report(bad, rejects)


def _import_lab(plant: Plant, files: Sequence[Path], data: Path) -> list[Reject]:
    """Laboratory results into the ledger; the bad rows."""
    bad: list[Reject] = []
    with DataFolder(data).ledger() as ledger:
        for file in files:
            good, refused = read_lab(file, plant)
            taken = ledger.lab.add(good, now_ms=SystemClock().now_ms(), actor="cli")
            counts = f"{taken.new} new, {taken.known} known, {taken.replaced} replaced, {len(refused)} bad rows"
            messages.print(f"{file}: {counts}", markup=False)
            bad += refused
    return bad


def export(
    plant_file: PlantFile,
    start: Annotated[str, typer.Option("--from", metavar="T", help="First instant, inclusive: a date or RFC 3339.")],
    end: Annotated[str, typer.Option("--to", metavar="T", help="Last instant, exclusive.")],
    point: Annotated[str | None, typer.Option(help="This point alone.")] = None,
    parameter: Annotated[str | None, typer.Option(help="This parameter alone.")] = None,
    format_: Annotated[Format, typer.Option("--format")] = Format.CSV,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write here instead of stdout.")] = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Readings out of the journal, as a file that import and evaluate read. 导出读数。"""
    plant = reading_plant(plant_file, from_store=True)
    span = instant(start, plant, "--from"), instant(end, plant, "--to")
    chosen = [i for i, s in enumerate(plant.series) if point in (None, s.point) and parameter in (None, s.parameter)]
    if not chosen:
        raise InputError(
            f"no series {point or '*'}.{parameter or '*'}; `plant-monitor check` lists what the plant measures"
        )
    with DataFolder(data).source(plant) as source:
        readings = Readings.concat([source.read(i, *span) for i in chosen])
        if not is_kept(source, span[0]):
            kept = rfc3339(source.kept_from_ms() or 0, plant.zone)
            messages.print(f"readings before {kept} were dropped (store.retention)", style="yellow", markup=False)
    write_readings(out, plant, readings, format_)
    return 0


def quarantine_list(
    plant_file: PlantFile,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the oldest first.")] = 100,
    after: Annotated[int, typer.Option(help="Those after this number.")] = 0,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """What could not be taken as a reading, and why. 列出被拒收的数据。"""
    plant = load_plant(plant_file, secrets=False)
    table = Table("id", "arrived", "source", "reason", "bytes")
    with DataFolder(data).journal(plant, read_only=True) as journal:
        for one in journal.quarantine(limit, after_id=after):
            arrived = rfc3339(one.refused.time_ms // 1000 * 1000, plant.zone)
            table.add_row(str(one.id), arrived, one.refused.source, one.refused.reason, str(len(one.refused.raw)))
    show(table)
    return 0


def quarantine_show(
    plant_file: PlantFile, number: Annotated[int, typer.Argument(metavar="ID")], data: DataDir = DEFAULT_DATA
) -> int:
    """The bytes of one, as they came. 显示原始内容。"""
    with DataFolder(data).journal(load_plant(plant_file, secrets=False), read_only=True) as journal:
        found = journal.quarantine(1, after_id=number - 1, reinjected=True)
    if not found or found[0].id != number:
        raise InputError(f"nothing in quarantine has the number {number}; `quarantine list` shows what is there")
    sys.stdout.buffer.write(found[0].refused.raw + b"\n")
    return 0


def quarantine_reinject(
    plant_file: PlantFile,
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[ID…]", help="These; all, if none is named.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All, as if none is named.")] = False,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Read them again with today's plant.yaml and take what is good; the rest stays. 重新接收。"""
    plant = load_plant(plant_file, secrets=False)
    if numbers and every:
        raise typer.BadParameter("either numbers or --all", param_hint="--all")
    clock, again_of = SystemClock(), decode_again(plant, data)
    taken = left = readings = 0
    with DataFolder(data).journal(plant) as journal:
        last = 0
        while page := journal.quarantine(500, after_id=last):
            last = page[-1].id
            for one in page:
                if numbers and one.id not in numbers:
                    continue
                again = again_of(one.refused)
                if again.refused:
                    left += 1
                    messages.print(f"{one.id}: {one.refused.source}: {again.refused[0].reason}", markup=False)
                    if not len(again.readings):
                        continue
                done = journal.reinject([] if again.refused else [one.id], again.readings, accepted_ms=clock.now_ms())
                readings += done.new + done.superseded
                taken += not again.refused
    messages.print(f"{taken} taken whole, {left} stay; {readings} new readings", markup=False)
    return 1 if left else 0
