"""Bills: drafts, issued statements, corrections, and the proof that one is what the store says."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from plant_monitor import comparison, monitor, settlement
from plant_monitor.allocation.documents import (
    STATEMENT_HEADER,
    VOLUMES_HEADER,
    document,
    statement_rows,
    volume_rows,
)
from plant_monitor.allocation.exact import yuan_text
from plant_monitor.allocation.findings import BillFinding
from plant_monitor.allocation.running import running_document
from plant_monitor.allocation.statement import Period
from plant_monitor.allocation.supposition import supposition
from plant_monitor.cli.options import (
    DEFAULT_DATA,
    DataDir,
    OutDir,
    PlantFile,
    ReadingsFile,
    local_date,
    messages,
    reading_plant,
    readings_source,
    report,
    show,
    tell,
)
from plant_monitor.clock import SystemClock
from plant_monitor.config.costs_file import read_costs
from plant_monitor.config.plant_file import load_plant, parse_plant
from plant_monitor.config.results_file import write_statement
from plant_monitor.data_folder import DataFolder
from plant_monitor.errors import InputError
from plant_monitor.ledger import Ledger
from plant_monitor.plant import Plant
from plant_monitor.settlement import Deed, StoredStatement
from plant_monitor.statements.pdf import PdfNotPossible, render_pdf
from plant_monitor.statements.workbook import workbook

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="As 2026-10-02.")]
Override = Annotated[
    str, typer.Option("--override", metavar="REASON", help="Issue with blocking findings; the reason is printed.")
]
_ACTOR = "cli"


def bill(
    plant_file: PlantFile,
    period: Annotated[str, typer.Option(metavar="YYYY-MM|YYYY-Qn", help="The month or quarter.")],
    costs: Annotated[
        Path, typer.Option(metavar="COSTS.csv", help="item,basis,amount_yuan[,note]", exists=True, dir_okay=False)
    ],
    out: OutDir,
    readings: ReadingsFile = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="So far: the days before DATE alone, with a projection of the period."),
    ] = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """The statement of a month or quarter, to the fen. 月度或季度结算单。"""
    plant = reading_plant(plant_file, from_store=readings is None)
    span, last = Period.parse(period, plant.zone), local_date(until, "--until")
    items = read_costs(costs, plant)
    with readings_source(plant, readings, data) as (source, bad):
        code = report(bad, None)
        running = None if last is None else monitor.bill_running(plant, source, span, items, last)
        statement = running.so_far if running else monitor.bill_period(plant, source, span, items)
    told = running_document(running) if running else document(statement)
    _write(out, told, statement_rows(statement), volume_rows(statement))
    if readings is None:
        with DataFolder(data).ledger() as ledger:
            kept = settlement.draft(ledger.statements, running or statement, _deed())
            messages.print(f"{kept.state} {kept.number}", markup=False)
    days = f" in {statement.period.days} days" if running else ""
    messages.print(
        f"{period}: {yuan_text(statement.total_fen)} yuan over {len(plant.members)} members{days} -> {out}",
        markup=False,
    )
    if running:
        messages.print(f"  projection of {period}: {yuan_text(running.projection.total_fen)} yuan", markup=False)
    _tell_findings(statement.findings)
    return code


def statements_list(plant_file: PlantFile, data: DataDir = DEFAULT_DATA) -> int:
    """All statements, the newest first. 结算单列表。"""
    load_plant(plant_file, secrets=False)
    table = Table("number", "period", "kind", "state", "total yuan", "corrects", "cause")
    with DataFolder(data).ledger() as ledger:
        before = None
        while page := ledger.statements.find(before_id=before, limit=500):
            before = page[-1].id
            for one in page:
                total = yuan_text(one.total_fen)
                table.add_row(one.number, one.period, one.kind, one.state, total, one.predecessor, one.cause)
    show(table)
    return 0


def statements_show(plant_file: PlantFile, number: Number, out: OutDir, data: DataDir = DEFAULT_DATA) -> int:
    """The files of a statement or correction: JSON, CSV, XLSX, PDF. 导出结算单。"""
    plant = load_plant(plant_file, secrets=False)
    with DataFolder(data).ledger() as ledger:
        kept = _found(ledger, number)
    _write(
        out,
        settlement.shown(kept, plant.zone),
        [[row[c] for c in STATEMENT_HEADER] for row in kept.lines],
        [[row[c] for c in VOLUMES_HEADER] for row in kept.volumes],
    )
    messages.print(f"{number} ({kept.kind}, {kept.state}) -> {out}", markup=False)
    return 0


def statements_issue(
    plant_file: PlantFile, number: Number, override: Override = "", data: DataDir = DEFAULT_DATA
) -> int:
    """Issue a draft; from then on it never changes. 签发结算单。"""
    with _desk(plant_file, data) as (plant, source, ledger):
        kept = settlement.issue(ledger.statements, plant, source, number, _deed(override))
    messages.print(f"{kept.number} is issued", markup=False)
    return 0


def statements_correct(
    plant_file: PlantFile,
    number: Number,
    cause: Annotated[
        str, typer.Option(metavar="TEXT", help="Why: an annotation, late data, an objection; it is printed.")
    ],
    override: Override = "",
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Issue what a new draft differs by from what is issued, as a correction. 签发更正单。"""
    with _desk(plant_file, data) as (plant, source, ledger):
        kept = settlement.correct(ledger.statements, plant, source, number, cause, _deed(override))
    change = kept.document["total_yuan"]
    messages.print(f"{kept.number} corrects {kept.predecessor}: {change} yuan in all", markup=False)
    return 0


def statements_whatif(
    plant_file: PlantFile,
    number: Number,
    member: Annotated[str, typer.Option(metavar="M", help="Who sends other water.")],
    volume: Annotated[str | None, typer.Option("--volume", metavar="M3", help="Water of the period, m3.")] = None,
    mean: Annotated[
        list[str] | None, typer.Option("--mean", metavar="PARAMETER=MG_L", help="A strength; may be repeated.")
    ] = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """What a statement would ask of a member at another volume or strength. 换一种水量或浓度，账单如何。"""
    wish = supposition(member, volume, dict(_mean(text) for text in mean or []))
    with _desk(plant_file, data) as (plant, source, ledger):
        told = settlement.shown(_found(ledger, number), plant.zone)
        entry = comparison.as_it_might_be(plant, source, told, wish)
    table = Table("item", "basis", "quantity", "would be", "yuan", "would be", "difference")
    for line in entry["lines"]:
        was, now = line["before"], line["after"]
        pairs = (was["quantity"], now["quantity"], was["amount_yuan"], now["amount_yuan"], line["amount_yuan"])
        table.add_row(line["item"], line["basis"], *pairs)
    was, now, price = entry["before"], entry["after"], entry["yuan_m3"]
    totals = (was["billed_m3"], now["billed_m3"], was["total_yuan"], now["total_yuan"], entry["total_yuan"])
    table.add_row("TOTAL", "", *totals)
    table.add_row("yuan/m3", "", "", "", price["before"] or "", price["after"] or "", "")
    show(table)
    return 0


def _mean(text: str) -> tuple[str, str]:
    parameter, equals, mean = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"found {text!r}, expected PARAMETER=MG_L, as cod_cr=450", param_hint="--mean")
    return parameter, mean


def verify(
    file: Annotated[Path, typer.Argument(metavar="STATEMENT.json", exists=True, dir_okay=False)],
    plant_file: Annotated[
        Path | None,
        typer.Option("--plant", metavar="PLANT.yaml", help="Else the one the ledger keeps with it.", exists=True),
    ] = None,
    readings: ReadingsFile = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Make a statement again from the store: is it identical? 复算并核对结算单。"""
    told = _read(file)
    with DataFolder(data).ledger() as ledger:
        if plant_file is not None:
            plant = reading_plant(plant_file, from_store=readings is None)
        else:
            plant = plant_of(ledger, told["plant"]["digest"])
        with readings_source(plant, readings, data) as (source, bad):
            report(bad, None)
            differs = settlement.verified(ledger.statements, plant, source, told)
    if not differs:
        sys.stdout.write("一致 identical\n")
        return 0
    sys.stdout.write(f"不一致，{len(differs)} 处 differs in {len(differs)} places\n")
    for path, was, now in differs:
        sys.stdout.write(f"{path}: {_short(was)} -> {_short(now)}\n")
    return 1


def explain_statement(number: str, member: str, readings: Path | None, data: Path) -> int:
    """From cost item to share to litres to registers to readings, by the plant.yaml that the ledger keeps with it."""
    if not member:
        raise typer.BadParameter("whose statement is it? --member M", param_hint="--member")
    with DataFolder(data).ledger() as ledger:
        kept = _found(ledger, number)
        plant = plant_of(ledger, kept.plant_digest)
    with readings_source(plant, readings, data) as (source, bad):
        report(bad, None)
        tell(settlement.explained(plant, source, settlement.shown(kept, plant.zone), member))
    return 0


def plant_of(ledger: Ledger, digest: str) -> Plant:
    """The plant that a statement rests on, as the ledger keeps it."""
    text = ledger.statements.plant_text(digest)
    if text is None:
        raise InputError(f"the ledger keeps no plant.yaml {digest[:16]}; name it with --plant")
    name = f"plant.yaml {digest[:16]}"
    plant = parse_plant(text, name, os.environ, secrets=False)
    return parse_plant(text, name, os.environ) if plant.read_from == "influxdb" else plant


@contextmanager
def _desk(plant_file: Path, data: Path) -> Iterator[tuple[Plant, Any, Ledger]]:
    """Where statements are issued: the plant, its readings, the ledger."""
    plant = reading_plant(plant_file, from_store=True)
    with DataFolder(data).judged(plant) as source, DataFolder(data).ledger() as ledger:
        yield plant, source, ledger


def _deed(override: str = "") -> Deed:
    return Deed(_ACTOR, SystemClock().now_ms(), override)


def _found(ledger: Ledger, number: str) -> StoredStatement:
    kept = ledger.statements.get(number)
    if kept is None:
        raise InputError(f"there is no statement {number!r}; `statements list` shows what there is")
    return kept


def _read(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        if not {"plant", "period", "items", "rule_version", "inputs"} <= set(told):
            raise ValueError("no statement.json of this program")
    except (ValueError, TypeError) as error:
        raise InputError(f"{file}: found {error}, expected a statement.json") from None
    result: dict[str, Any] = told
    return result


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:119] + "…"


def _write(
    out: Path, told: Mapping[str, Any], lines: Sequence[Sequence[str]], volumes: Sequence[Sequence[str]]
) -> None:
    """All files of a statement; a PDF per member where this machine can make one."""
    write_statement(out, told, lines, volumes)
    (out / "statement.xlsx").write_bytes(workbook(told))
    try:
        for member in told["members"]:
            (out / f"statement-{member['member']}.pdf").write_bytes(render_pdf(told, member["member"]))
    except PdfNotPossible as error:
        messages.print(str(error), markup=False)


def _tell_findings(findings: Sequence[BillFinding]) -> None:
    for found in findings:
        about = " ".join(part for part in (found.point or found.member, found.parameter) if part) or "statement"
        messages.print(
            f"  {found.severity}: {about}: {found.code}: {found.message.zh} {found.message.en}", markup=False
        )
