"""What people say about readings, laid over them."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from plant_monitor.annotations import Annotation, Kind, covered, problem_of
from plant_monitor.cli.options import (
    DEFAULT_DATA,
    Author,
    DataDir,
    PlantFile,
    actor_of,
    hand_out,
    instant,
    messages,
    reading_plant,
    show,
)
from plant_monitor.clock import SystemClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.data_folder import DataFolder
from plant_monitor.errors import InputError
from plant_monitor.ledger.annotations import StoredAnnotation
from plant_monitor.plant import VOLUME, Plant
from plant_monitor.windows import rfc3339


def annotate(
    plant_file: PlantFile,
    kind: Annotated[Kind, typer.Option(help="What it is.")],
    point: Annotated[str, typer.Option(help="The point.")],
    start: Annotated[str, typer.Option("--from", metavar="T", help="First instant: a date or RFC 3339.")],
    reason: Annotated[str, typer.Option(help="Why; it is shown wherever the verdict is explained.")],
    end: Annotated[
        str | None, typer.Option("--to", metavar="T", help="Last instant, exclusive; left out for an instant.")
    ] = None,
    parameter: Annotated[str, typer.Option(help="The parameter; every one of the point, if left out.")] = "",
    value: Annotated[
        float | None,
        typer.Option(help="manual_value: in the unit of plant.yaml; left out, it backs readings marked S."),
    ] = None,
    closing: Annotated[float | None, typer.Option(help="meter_exchange: last register of the old meter.")] = None,
    opening: Annotated[float | None, typer.Option(help="meter_exchange: first register of the new meter.")] = None,
    evidence: Annotated[str, typer.Option(help="What shows it: a report, a photo; manual_value needs it.")] = "",
    author: Author = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Lay an annotation over readings; they stay as they came, verdicts are judged anew. 标注读数。"""
    plant = reading_plant(plant_file, from_store=True)
    start_ms = instant(start, plant, "--from")
    end_ms = start_ms if end is None else instant(end, plant, "--to")
    parameter = parameter or (VOLUME if kind is Kind.METER_EXCHANGE else "")
    one = Annotation(kind, point, parameter, start_ms, end_ms, reason, evidence, value, closing, opening)
    problem = problem_of(plant, one)
    if problem is not None:
        raise InputError(f"annotation: {problem}")
    folder = DataFolder(data)
    with folder.source(plant) as source:
        count = covered(plant, source, one)
    with folder.ledger() as ledger:
        stored = ledger.annotations.add(one, now_ms=SystemClock().now_ms(), actor=actor_of(author))
    hand_out(str(stored.id))
    messages.print(
        f"annotation {stored.id}: {kind} of {point} {parameter or '*'}, {count} readings in it", markup=False
    )
    return 0


def annotations_list(
    plant_file: PlantFile,
    point: Annotated[str | None, typer.Option(help="Of this point alone.")] = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """All annotations, the newest first; withdrawn ones with their reason. 列出标注。"""
    plant = load_plant(plant_file, secrets=False)
    table = Table("id", "kind", "point", "parameter", "from", "to", "says", "reason", "author", "withdrawn")
    with DataFolder(data).ledger() as ledger:
        for stored in ledger.annotations.find(points=None if point is None else {point}):
            table.add_row(*_row(stored, plant))
    show(table)
    return 0


def annotations_withdraw(
    plant_file: PlantFile,
    number: Annotated[int, typer.Argument(metavar="ID", help="As `annotations list` shows it.")],
    reason: Annotated[str, typer.Option(help="Why it is taken back.")],
    author: Author = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Take an annotation back; verdicts are again what they were without it. 撤回标注。"""
    load_plant(plant_file, secrets=False)
    with DataFolder(data).ledger() as ledger:
        done = ledger.annotations.withdraw(number, reason, now_ms=SystemClock().now_ms(), actor=actor_of(author))
    if done is None:
        raise InputError(f"there is no annotation {number}; `annotations list` shows what is there")
    messages.print(f"annotation {number}: withdrawn", markup=False)
    return 0


def _row(stored: StoredAnnotation, plant: Plant) -> tuple[str, ...]:
    one, back = stored.annotation, stored.withdrawn
    says = ("" if one.value is None else f"{one.value:g}") + (
        "" if one.closing is None else f"{one.closing:g} | {one.opening:g}"
    )
    times = (rfc3339(t, plant.zone) for t in (one.start_ms, one.end_ms))
    reason = one.reason + (f" ({one.evidence})" if one.evidence else "")
    withdrawn = (
        "" if back is None else f"{rfc3339(back.time_ms // 1000 * 1000, plant.zone)} {back.author}: {back.reason}"
    )
    return str(one.id), str(one.kind), one.point, one.parameter or "*", *times, says, reason, one.author, withdrawn
