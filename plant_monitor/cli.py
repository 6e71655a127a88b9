"""The commands (design §4.3). Results go to stdout or files, messages to stderr.

Exit codes: 0 done · 1 the input has errors · 2 wrong usage · 3 something needed is not reachable.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from plant_monitor import __version__, monitor
from plant_monitor.allocation.documents import document
from plant_monitor.allocation.exact import yuan_text
from plant_monitor.allocation.statement import Period
from plant_monitor.backup import PLANT_FILE, backup, restore
from plant_monitor.clock import SystemClock
from plant_monitor.compliance.difference import COMPARED, differences
from plant_monitor.compliance.laboratory import LabResult
from plant_monitor.compliance.tables import Table as Results
from plant_monitor.config.costs_file import read_costs
from plant_monitor.config.lab_file import read_lab
from plant_monitor.config.plant_file import json_schema, load_plant
from plant_monitor.config.readings_file import (
    Reject,
    iter_mapped,
    iter_readings,
    read_readings,
    write_readings,
    write_rejects,
)
from plant_monitor.config.results_file import read_results, write_evaluation, write_statement, write_table
from plant_monitor.config.scenario_file import load_scenario
from plant_monitor.demo.run import run_demo
from plant_monitor.errors import InputError, PlantMonitorError, SourceError, StoreUnavailable
from plant_monitor.ingest.modbus import probe as probe_device
from plant_monitor.ingest.payloads import decode_again
from plant_monitor.plant import ModbusDevice, Plant
from plant_monitor.readings import Readings, ReadingSource
from plant_monitor.service import DataFolder, Service, Settings, log_to, record_statement
from plant_monitor.statements.pdf import PdfNotPossible, render_pdf
from plant_monitor.statements.workbook import workbook
from plant_monitor.store.memory import MemorySource
from plant_monitor.store.outbox import BACKFILL
from plant_monitor.windows import HOUR_MS, day_start_ms, parse_rfc3339, rfc3339


def _end(code: int | None) -> None:
    """What a command returns is the exit code."""
    raise typer.Exit(code or 0)


app = typer.Typer(
    name="plant-monitor",
    help="Telemetry, compliance and cost sharing of a shared wastewater plant. 污水处理厂的监测、达标判定与费用分摊。",
    result_callback=_end,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys_app = typer.Typer(help="API keys. 接口密钥。", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
quarantine_app = typer.Typer(help="What was refused. 被拒收的数据。", no_args_is_help=True)
app.add_typer(quarantine_app, name="quarantine")

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
DEFAULT_DATA = Path("plant-monitor-data")
IMPORT_ROWS = 20_000  # readings in a commit of an import
SEAL_ROWS = 500_000

messages = Console(stderr=True, highlight=False, soft_wrap=True)


class Format(StrEnum):
    """Formats of an export."""

    CSV = "csv"
    PARQUET = "parquet"


class Role(StrEnum):
    """Roles of an API key."""

    OPERATOR = "operator"
    MEMBER = "member"
    OFFICER = "officer"
    ADMIN = "admin"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    try:
        app(args=None if argv is None else list(argv), prog_name="plant-monitor")
    except (SourceError, StoreUnavailable) as error:
        return _failed(error, 3)
    except PlantMonitorError as error:
        return _failed(error, 1)
    except SystemExit as end:  # how the command line ends: usage errors are 2 and have been explained
        return end.code if isinstance(end.code, int) else 0
    return 0


def _failed(error: object, code: int) -> int:
    messages.print(str(error), style="red", markup=False)
    return code


# -- results from readings -----------------------------------------------------------------------


@app.command()
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
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Means, verdicts, exceedances and headroom as CSV files. 均值、达标判定、超标与余量。"""
    plant = _reading_plant(plant_file, from_store=readings is None)
    asked = (_day(first, "--from"), _day(last, "--to"))
    with _source(plant, readings, data) as (source, bad):
        code = _report(bad, rejects)
        if strict and bad:
            raise InputError(f"{readings}: {len(bad)} bad rows, refused (--strict)")
        results, bad_results = _lab_results(plant, lab, None if readings else data)
        code = max(code, _report(bad_results, None))
        if strict and bad_results:
            raise InputError(f"{lab}: {len(bad_results)} bad rows, refused (--strict)")
        extent = monitor.days_with_readings(plant, source)
        known = extent or (date.max, date.min)  # no readings, no days asked for: nothing to cover, headers alone
        result = monitor.evaluate_days(plant, source, asked[0] or known[0], asked[1] or known[1], rates=True)
        judged = monitor.laboratory(plant, source, monitor.samples_within(results, result.windows))
    write_evaluation(out, result, judged)
    if diff is not None:
        old = read_results(diff, COMPARED)
        _tell_differences(out, differences(old, {name: getattr(result, name).rows() for name in COMPARED}))
    counts = f"{len(result.windows.days)} days, {len(result.daily)} daily rows, {len(result.exceedances)} exceedances"
    messages.print(f"{counts} -> {out}", markup=False)
    return code


@app.command()
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
    plant = _reading_plant(plant_file, from_store=readings is None)
    supposed = load_scenario(scenario, plant)
    asked = (_day(first, "--from"), _day(last, "--to"))
    with _source(plant, readings, data) as (source, bad):
        code = _report(bad, None)
        known = monitor.days_with_readings(plant, source) or (date.max, date.min)
        days = asked[0] or known[0], asked[1] or known[1]
        was, would_be = monitor.what_if(plant, source, supposed, *days)
    write_evaluation(out, would_be, monitor.laboratory(plant, MemorySource(Readings.empty()), []))
    _tell_differences(out, monitor.compared(was, would_be))
    return code


@app.command()
def explain(
    plant_file: PlantFile,
    point: Annotated[str, typer.Argument(metavar="POINT")],
    parameter: Annotated[str, typer.Argument(metavar="PARAMETER")],
    day: Annotated[str, typer.Argument(metavar="DATE")],
    readings: ReadingsFile = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """How a day's verdict came about, in words and numbers. 说明某日判定的由来。"""
    plant = _reading_plant(plant_file, from_store=readings is None)
    asked = _day(day, "DATE")
    assert asked is not None
    with _source(plant, readings, data) as (source, bad):
        code = _report(bad, None)
        lines = monitor.explained(plant, source, point, parameter, asked)
    for text in [*(line.zh for line in lines), "", *(line.en for line in lines)]:
        sys.stdout.write(text + "\n")
    return code


def _tell_differences(out: Path, table: Results) -> None:
    """``difference.csv``, and how many of each cause."""
    write_table(out / "difference.csv", table)
    causes = Counter(str(cause) for cause in table.columns["cause"])
    told = ", ".join(f"{count} by {cause}" for cause, count in sorted(causes.items()))
    messages.print(
        f"{len(table)} verdicts differ{': ' + told if told else ''} -> {out / 'difference.csv'}", markup=False
    )


@app.command()
def bill(
    plant_file: PlantFile,
    period: Annotated[str, typer.Option(metavar="YYYY-MM|YYYY-Qn", help="The month or quarter.")],
    costs: Annotated[
        Path, typer.Option(metavar="COSTS.csv", help="item,basis,amount_yuan[,note]", exists=True, dir_okay=False)
    ],
    out: OutDir,
    readings: ReadingsFile = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """The statement of a month or quarter, to the fen. 月度或季度结算单。"""
    plant = _reading_plant(plant_file, from_store=readings is None)
    span = Period.parse(period, plant.zone)
    items = read_costs(costs, plant)
    with _source(plant, readings, data) as (source, bad):
        code = _report(bad, None)
        statement = monitor.bill_period(plant, source, span, items)
    write_statement(out, statement)
    told = document(statement)
    (out / "statement.xlsx").write_bytes(workbook(told))
    _write_pdfs(out, told)
    if readings is None:
        with DataFolder(data).ledger() as ledger:
            messages.print(f"draft {record_statement(ledger, statement, SystemClock().now_ms())}", markup=False)
    messages.print(
        f"{period}: {yuan_text(statement.total_fen)} yuan over {len(plant.members)} members -> {out}", markup=False
    )
    for finding in statement.findings:
        messages.print(f"  {finding.severity}: {finding.code}: {finding.message.zh} {finding.message.en}", markup=False)
    return code


def _write_pdfs(out: Path, told: Mapping[str, Any]) -> None:
    """A PDF per member, where this machine can make one."""
    try:
        for member in told["members"]:
            (out / f"statement-{member['member']}.pdf").write_bytes(render_pdf(told, member["member"]))
    except PdfNotPossible as error:
        messages.print(str(error), markup=False)


@contextmanager
def _source(plant: Plant, readings: Path | None, data: Path) -> Iterator[tuple[ReadingSource, list[Reject]]]:
    """Where the command reads from: the file given, or the journal; and the file's bad rows."""
    if readings is not None:
        good, bad = read_readings(readings, plant)
        yield MemorySource(good), bad
        return
    with DataFolder(data).source(plant) as source:
        yield source, []


def _reading_plant(plant_file: Path, *, from_store: bool) -> Plant:
    """The plant; its secrets only where readings are read from a server that asks for them."""
    plant = load_plant(plant_file, secrets=False)
    return load_plant(plant_file) if from_store and plant.read_from == "influxdb" else plant


def _lab_results(plant: Plant, lab: Path | None, data: Path | None) -> tuple[Sequence[LabResult], list[Reject]]:
    """Laboratory results of the file given, else of the ledger of the data folder; and the file's bad rows."""
    if lab is not None:
        good, bad = read_lab(lab, plant)
        return good, [Reject(r.line, f"{lab}: {r.reason}") for r in bad]
    if data is None or not DataFolder(data).ledger_file.exists():
        return (), []
    with DataFolder(data).ledger() as ledger:
        return [stored.result for stored in ledger.lab.find()], []


def _report(bad: Sequence[Reject], rejects: Path | None, shown: int = 20) -> int:
    """List bad rows; 1 where there are any."""
    if rejects is not None:
        write_rejects(rejects, bad)
    for reject in bad[:shown]:
        messages.print(f"line {reject.line}: {reject.reason}", style="yellow", markup=False)
    if len(bad) > shown:
        where = f"see {rejects}" if rejects else "list them all with --rejects FILE"
        messages.print(f"… and {len(bad) - shown} more bad rows; {where}", style="yellow", markup=False)
    return 1 if bad else 0


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date; expected YYYY-MM-DD", param_hint=option) from None


def _instant(text: str, plant: Plant, option: str) -> int:
    """ms of an RFC 3339 time, or of a local day's start."""
    try:
        if len(text) == 10:
            return day_start_ms(date.fromisoformat(text), plant.zone)
        return parse_rfc3339(text)
    except ValueError:
        expected = "expected YYYY-MM-DD or a time with offset, as 2026-10-01T00:00:00+08:00"
        raise typer.BadParameter(f"{text!r} is no time; {expected}", param_hint=option) from None


# -- readings in and out -------------------------------------------------------------------------


@app.command("import")
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
        return _report(_import_lab(plant, files, data), rejects)
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
    return _report(bad, rejects)


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


@app.command()
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
    plant = _reading_plant(plant_file, from_store=True)
    span = _instant(start, plant, "--from"), _instant(end, plant, "--to")
    chosen = [i for i, s in enumerate(plant.series) if point in (None, s.point) and parameter in (None, s.parameter)]
    if not chosen:
        raise InputError(
            f"no series {point or '*'}.{parameter or '*'}; `plant-monitor check` lists what the plant measures"
        )
    with DataFolder(data).source(plant) as source:
        readings = Readings.concat([source.read(i, *span) for i in chosen])
    write_readings(out, plant, readings, format_)
    return 0


# -- the plant -----------------------------------------------------------------------------------


@app.command()
def check(plant_file: PlantFile) -> int:
    """Is the configuration right? All errors at once. 检查配置。"""
    plant = load_plant(plant_file, secrets=False)
    out = Console(highlight=False)
    out.print(
        f"{plant.name.zh} · {plant.name.en} ({plant.id}): {plant.capacity_m3_d} m³/d, {plant.zone.key}", markup=False
    )
    for point in plant.points:
        series = ", ".join(f"{s.parameter} [{s.unit}]" for s in point.series)
        out.print(f"  {point.id} ({point.role}): {series}; limits: {', '.join(point.limits) or 'none'}", markup=False)
    fed = {(r.point, r.parameter) for d in plant.devices for r in getattr(d, "readings", ())}
    counts = f"{len(plant.members)} members, {len(plant.series)} series, {len(plant.devices)} devices"
    out.print(f"{counts} ({len(fed)} series over Modbus)")
    return 0


@app.command()
def schema() -> int:
    """The JSON Schema of plant.yaml, for editors. 配置的 JSON Schema。"""
    sys.stdout.write(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
    return 0


@app.command()
def version() -> int:
    """The version. 版本。"""
    sys.stdout.write(f"plant-monitor {__version__}\n")
    return 0


@app.command()
def probe(
    plant_file: PlantFile,
    device: Annotated[str | None, typer.Option("--device", metavar="ID", help="This device alone.")] = None,
) -> int:
    """Read each Modbus device once and show what it says. 逐台读取并显示。"""
    plant = load_plant(plant_file, secrets=False)
    devices = [d for d in plant.devices if isinstance(d, ModbusDevice) and device in (None, d.id)]
    if not devices:
        raise InputError(f"no Modbus device {device or ''} in {plant_file}")
    table = Table("device", "point", "parameter", "registers", "value", "unit", "remark")
    failed = False
    for one in devices:
        for row in probe_device(one, plant):
            failed |= row.error is not None
            raw = " ".join(f"{word:04x}" for word in row.registers)
            unit = plant.series[plant.series_index[row.point, row.parameter]].unit
            table.add_row(one.id, row.point, row.parameter, raw, _shown(row.value), unit, row.error or "")
    Console().print(table)
    return 3 if failed else 0


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


# -- running -------------------------------------------------------------------------------------


@app.command()
def run(
    plant_file: PlantFile,
    data: DataDir = DEFAULT_DATA,
    host: Annotated[str, typer.Option(help="Address of the API; anything but loopback must be wanted.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the API.")] = 8000,
) -> int:
    """The service: devices, stations, verdicts, alerts, API. 运行监测服务。"""
    plant = load_plant(plant_file)
    log_to(sys.stderr)
    service = Service(plant, Settings(data=data, host=host, port=port), SystemClock())
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    service.start()
    try:
        stop.wait()
    finally:
        service.stop()
    return 0


@app.command()
def demo(
    stop_after: Annotated[float | None, typer.Option(metavar="SECONDS", help="End by itself after so long.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the API.")] = 8000,
    data: DataDir = Path("demo-data"),
    speed: Annotated[float, typer.Option(min=1, max=300, help="Simulated seconds a second.")] = 120,
) -> int:
    """The plant of the five companies, simulated, in one process tree on this machine. 演示。"""
    return run_demo(stop_after_s=stop_after, port=port, data=data, speed=speed)


@app.command()
def doctor(plant_file: PlantFile, data: DataDir = DEFAULT_DATA) -> int:
    """Look after the data folder: is it sound, what waits, what was refused? 检查数据。"""
    plant = load_plant(plant_file, secrets=False)
    with DataFolder(data).journal(plant, read_only=True) as journal:
        problems = journal.check()
        counts = journal.counts()
        for name, value in (
            ("readings", int(counts.hot.sum() + counts.sealed.sum())),
            ("superseded", counts.superseded),
            ("quarantined", counts.quarantined),
            ("waiting for InfluxDB", counts.outbox_rows),
            ("refused by InfluxDB", counts.outbox_refused),
            ("bytes", counts.file_bytes + counts.wal_bytes),
        ):
            sys.stdout.write(f"{name}: {value}\n")
        for one in journal.quarantine(limit=10):
            messages.print(f"quarantine {one.id}: {one.refused.source}: {one.refused.reason}", markup=False)
    for problem in problems:
        messages.print(problem, style="red", markup=False)
    return 1 if problems else 0


@app.command("backup")
def backup_(
    plant_file: PlantFile,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The archive, .tar.gz; never overwritten.")],
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Journal, ledger and plant.yaml as one set, also while the service runs. 备份。"""
    plant = load_plant(plant_file, secrets=False)
    manifest = backup(plant, DataFolder(data), out, now_ms=SystemClock().now_ms())
    messages.print(f"{out}: {', '.join(manifest['sha256'])}; plant.yaml {plant.digest[:16]}", markup=False)
    for name in manifest["secrets"]:
        messages.print(f"  not in it, keep it elsewhere: {name}", markup=False)
    return 0


@app.command("restore")
def restore_(
    archive: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="A new folder for it.")],
) -> int:
    """A backup into a new data folder, checked. 恢复。"""
    folder = DataFolder(data)
    manifest = restore(archive, folder)
    plant = load_plant(data / PLANT_FILE, secrets=False)
    with folder.journal(plant, read_only=True) as journal:
        problems = journal.check()
    for problem in problems:
        messages.print(problem, style="red", markup=False)
    messages.print(f"{data}: {', '.join(manifest['sha256'])}, made by {manifest['product']}", markup=False)
    return 1 if problems else 0


# -- what was refused ----------------------------------------------------------------------------


@quarantine_app.command("list")
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
    Console().print(table)
    return 0


@quarantine_app.command("show")
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


@quarantine_app.command("reinject")
def quarantine_reinject(
    plant_file: PlantFile,
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[ID…]", help="These; all, if none is named.")] = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Read them again with today's plant.yaml and take what is good; the rest stays. 重新接收。"""
    plant = load_plant(plant_file, secrets=False)
    clock = SystemClock()
    taken = left = readings = 0
    with DataFolder(data).journal(plant) as journal:
        last = 0
        while page := journal.quarantine(500, after_id=last):
            last = page[-1].id
            for one in page:
                if numbers and one.id not in numbers:
                    continue
                again = decode_again(one.refused, plant)
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


# -- API keys ------------------------------------------------------------------------------------


@keys_app.command("add")
def keys_add(
    plant_file: PlantFile,
    role: Annotated[Role, typer.Option(help="What the key may do.")],
    member: Annotated[str, typer.Option(help="The member whose key it is (role member).")] = "",
    label: Annotated[str, typer.Option(help="Whose it is, for the list.")] = "",
    expires: Annotated[str | None, typer.Option(metavar="T", help="A date or RFC 3339; never, if left out.")] = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Make a key; it is shown this once. 新建密钥。"""
    plant = load_plant(plant_file, secrets=False)
    if member and member not in plant.member_by_id:
        raise InputError(f"--member {member}: no such member; expected one of {', '.join(plant.member_by_id)}")
    until = None if expires is None else _instant(expires, plant, "--expires")
    with DataFolder(data).ledger() as ledger:
        made = ledger.keys.add(role, now_ms=SystemClock().now_ms(), member=member, label=label, expires_ms=until)
    sys.stdout.write(made.secret + "\n")
    messages.print("Keep it: it is not shown again. 请保存，不再显示。")
    return 0


@keys_app.command("list")
def keys_list(plant_file: PlantFile, data: DataDir = DEFAULT_DATA) -> int:
    """All keys, without their secrets. 列出密钥。"""
    plant = load_plant(plant_file, secrets=False)
    table = Table("prefix", "role", "member", "label", "made", "expires", "revoked")
    with DataFolder(data).ledger() as ledger:
        for key in ledger.keys.list():
            times = (key.created_ms, key.expires_ms, key.revoked_ms)
            told = ("" if t is None else rfc3339(t // 1000 * 1000, plant.zone) for t in times)
            table.add_row(key.prefix, str(key.role), key.member, key.label, *told)
    Console().print(table)
    return 0


@keys_app.command("revoke")
def keys_revoke(
    plant_file: PlantFile,
    prefix: Annotated[str, typer.Argument(help="As `keys list` shows it.")],
    data: DataDir = DEFAULT_DATA,
) -> int:
    """End a key. 吊销密钥。"""
    load_plant(plant_file, secrets=False)
    with DataFolder(data).ledger() as ledger:
        ledger.keys.revoke(prefix, now_ms=SystemClock().now_ms())
    return 0


if __name__ == "__main__":
    sys.exit(main())
