"""What commands share: their options, where they read from, how bad rows and mistakes are told."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from plant_monitor.config.plant_file import load_plant
from plant_monitor.config.readings_file import (
    Reject,
    read_readings,
    write_rejects,
)
from plant_monitor.data_folder import DataFolder
from plant_monitor.plant import Name, Plant
from plant_monitor.readings import ReadingSource
from plant_monitor.store.memory import MemorySource
from plant_monitor.windows import day_start_ms, parse_rfc3339

PlantFile = Annotated[
    Path, typer.Argument(metavar="PLANT.yaml", help="The plant's configuration.", exists=True, dir_okay=False)
]
DataDir = Annotated[Path, typer.Option("--data", metavar="DIR", help="Where journal and ledger are kept.")]
OutDir = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the result files go.", file_okay=False)]
ReadingsFile = Annotated[
    Path | None,
    typer.Option(
        "--readings",
        metavar="FILE",
        help="Read this CSV or Parquet file and touch no store.",
        exists=True,
        dir_okay=False,
    ),
]
LabFile = Annotated[
    Path | None,
    typer.Option(
        "--lab", metavar="FILE", help="Laboratory results from this CSV, not from a store.", exists=True, dir_okay=False
    ),
]
Author = Annotated[str | None, typer.Option("--author", help="Who says so; the user of this machine, if left out.")]
DEFAULT_DATA = Path("plant-monitor-data")
messages = Console(stderr=True, highlight=False, soft_wrap=True)
_AS_WIDE_AS_NEEDED = 10_000


def actor_of(author: str | None) -> str:
    """How trails name who runs a command."""
    return f"cli:{author or getpass.getuser()}"


def hand_out(line: str) -> None:
    """One line that a script may take, on stdout; before what people are told on stderr, also in a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def show(table: Table) -> None:
    """A table to stdout: fitted to a terminal, whole in a file or a pipe."""
    console = Console()
    if not console.is_terminal:
        console.width = _AS_WIDE_AS_NEEDED
    console.print(table)


def tell(lines: Sequence[Name]) -> None:
    """Lines to stdout, in Chinese and then in English."""
    for text in [*(line.zh for line in lines), "", *(line.en for line in lines)]:
        sys.stdout.write(text + "\n")


@contextmanager
def readings_source(plant: Plant, readings: Path | None, data: Path) -> Iterator[tuple[ReadingSource, list[Reject]]]:
    """Where the command reads from: the file given, or the store under its annotations; and the file's bad rows."""
    if readings is not None:
        good, bad = read_readings(readings, plant)
        yield MemorySource(good), bad
        return
    with DataFolder(data).judged(plant) as source:
        yield source, []


def reading_plant(plant_file: Path, *, from_store: bool) -> Plant:
    """The plant; its secrets only where readings are read from a server that asks for them."""
    plant = load_plant(plant_file, secrets=False)
    return load_plant(plant_file) if from_store and plant.read_from == "influxdb" else plant


def report(bad: Sequence[Reject], rejects: Path | None, shown: int = 20) -> int:
    """List bad rows; 1 where there are any."""
    if rejects is not None:
        write_rejects(rejects, bad)
    for reject in bad[:shown]:
        messages.print(f"line {reject.line}: {reject.reason}", style="yellow", markup=False)
    if len(bad) > shown:
        where = f"see {rejects}" if rejects else "list them all with --rejects FILE"
        messages.print(f"… and {len(bad) - shown} more bad rows; {where}", style="yellow", markup=False)
    return 1 if bad else 0


def local_date(text: str | None, option: str) -> date | None:
    """A local day, where one is given."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date; expected YYYY-MM-DD", param_hint=option) from None


def instant(text: str, plant: Plant, option: str) -> int:
    """ms of an RFC 3339 time, or of a local day's start."""
    try:
        if len(text) == 10:
            return day_start_ms(date.fromisoformat(text), plant.zone)
        return parse_rfc3339(text)
    except ValueError:
        expected = "expected YYYY-MM-DD or a time with offset, as 2026-10-01T00:00:00+08:00"
        raise typer.BadParameter(f"{text!r} is no time; {expected}", param_hint=option) from None
