"""Alerts and cases: what is open, what people do about it, and what a month comes to."""

from __future__ import annotations

import json
import mimetypes
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from plant_monitor import monitor
from plant_monitor.alerts.attachments import MAX_BYTES, MAX_FILES, Attachment
from plant_monitor.alerts.desk import AlertDesk
from plant_monitor.alerts.lifecycle import CASES, Action, Alert, Kind, State
from plant_monitor.alerts.notices import problem_of
from plant_monitor.alerts.report import COLUMNS, report_lines
from plant_monitor.allocation.period import Period
from plant_monitor.cli.options import (
    DEFAULT_DATA,
    Author,
    DataDir,
    OutDir,
    PlantFile,
    actor_of,
    hand_out,
    messages,
    reading_plant,
    show,
)
from plant_monitor.clock import SystemClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.config.results_file import write_rows
from plant_monitor.data_folder import DataFolder
from plant_monitor.errors import InputError
from plant_monitor.ledger import Ledger
from plant_monitor.plant import Plant
from plant_monitor.windows import rfc3339

AlertId = Annotated[int, typer.Argument(metavar="ID", min=1, help="As `alerts list` shows it.")]
AttachedFiles = Annotated[
    list[Path], typer.Option("--attach", metavar="FILE", help="A file that goes with it; may be given again.")
]


def alerts_list(
    plant_file: PlantFile,
    state: Annotated[State | None, typer.Option(help="In this state alone.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Of this kind alone.")] = None,
    point: Annotated[str | None, typer.Option(help="Of this point alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Alerts and cases, the newest first. 列出告警与咨询。"""
    plant = load_plant(plant_file, secrets=False)
    table = Table("id", "kind", "state", "assignee", "point", "parameter", "about", "since", "ongoing", "ratio")
    with DataFolder(data).ledger() as ledger:
        found = ledger.alerts.find(
            points=None if point is None else {point}, states=None if state is None else [state], kind=kind, limit=limit
        )
    for one in found:
        ratio = one.told.peak_ratio
        since, about = rfc3339(one.since_ms, plant.zone), one.subject or one.limit_set
        numbers = since, "yes" if one.ongoing else "no", "" if ratio is None else f"{ratio:.3g}"
        table.add_row(str(one.id), one.kind, one.state, one.assignee, one.point, one.parameter, about, *numbers)
    show(table)
    return 0


def alerts_show(
    plant_file: PlantFile,
    number: AlertId,
    save: Annotated[Path | None, typer.Option(metavar="DIR", help="Write its files there.", file_okay=False)] = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """One alert with its trail, its files and its messages. 查看一条告警及其经过。"""
    plant = load_plant(plant_file, secrets=False)
    trail, sent = Table("time", "step", "who", "said", "files"), Table("step", "to", "channel", "state", "tries", "why")
    with DataFolder(data).ledger() as ledger:
        alert = _found(ledger, number)
        files = ledger.alerts.files(number)
        for event in ledger.alerts.events(number):
            names = ", ".join(f"{f.place}: {f.name} ({f.bytes} bytes)" for f in files if f.seq == event.seq)
            time = rfc3339(event.time_ms // 1000 * 1000, plant.zone)
            trail.add_row(time, event.transition, event.actor or "the monitor", event.comment, names)
        for one in reversed(ledger.deliveries.find(alert_id=number, limit=1000)):
            sent.add_row(str(one.transition), one.recipient, one.channel, one.state, str(one.attempts), one.error)
        if save is not None:
            for file in files:
                save_attached(ledger.alerts.file(number, file.place), save, f"{number}-{file.place}-{file.name}")
    sys.stdout.write(f"#{alert.id} {_title(alert)}: {alert.state}{', ongoing' if alert.ongoing else ''}\n")
    show(trail)
    show(sent)
    return 0


def alerts_open(
    plant_file: PlantFile,
    subject: Annotated[str, typer.Option(help="Its title.")],
    text: Annotated[str, typer.Option(help="What is asked.")],
    point: Annotated[str, typer.Option(help="The point it is about, if any.")] = "",
    parameter: Annotated[str, typer.Option(help="The parameter there, if any.")] = "",
    member: Annotated[str, typer.Option(help="The company whose person asks, if it is one's.")] = "",
    attach: AttachedFiles = [],  # noqa: B006  typer reads the default and never changes it
    author: Author = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Open an enquiry: it is told, answered within the deadline, and closed like any alert. 提出咨询。"""
    with alert_desk(plant_file, data) as (plant, _, desk):
        _check_about(plant, point, parameter, member)
        if not subject.strip() or not text.strip():
            raise InputError("an enquiry needs a --subject and a --text")
        about = {"subject": subject.strip(), "text": text, "point": point, "parameter": parameter, "member": member}
        done = desk.open_case(Kind.ENQUIRY, actor=actor_of(author), files=read_attached(attach), **about)
    hand_out(str(done.id))
    messages.print(f"enquiry {done.id}: open", markup=False)
    return 0


def alerts_act(
    plant_file: PlantFile,
    number: AlertId,
    action: Annotated[Action, typer.Argument(help="What is done.")],
    comment: Annotated[str, typer.Option(help="What is said with it; reply and reopen need it.")] = "",
    assignee: Annotated[str, typer.Option(help="assign: a person, the company, or `operator`.")] = "",
    attach: AttachedFiles = [],  # noqa: B006
    author: Author = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Acknowledge, assign, reply to, close or reopen an alert. 确认、交办、答复、办结或退回。"""
    with alert_desk(plant_file, data) as (plant, ledger, desk):
        problem = problem_of(action, _found(ledger, number), plant, comment=comment, assignee=assignee)
        if problem is not None:
            raise InputError(f"--{problem[0]}: {problem[1]}")
        said = {"comment": comment, "assignee": assignee}
        done = desk.act(number, action, actor=actor_of(author), files=read_attached(attach), **said)
    messages.print(f"alert {number}: {done.state if done else 'gone'}", markup=False)
    return 0


def alerts_messages(
    plant_file: PlantFile,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that were given up.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """What was told to whom, the newest first, and what could not be. 列出消息及其送达状态。"""
    plant = load_plant(plant_file, secrets=False)
    table = Table("created", "alert", "kind", "to", "channel", "state", "tries", "title", "why")
    with DataFolder(data).ledger() as ledger:
        for one in ledger.deliveries.find(state="failed" if failed else None, limit=limit):
            about = rfc3339(one.created_ms // 1000 * 1000, plant.zone), str(one.alert_id or ""), one.transition
            table.add_row(
                *about, one.recipient, one.channel, one.state, str(one.attempts), one.message.title, one.error
            )
    show(table)
    return 0


@contextmanager
def alert_desk(plant_file: Path, data: Path) -> Iterator[tuple[Plant, Ledger, AlertDesk]]:
    """The desk over a ledger: what it owes, the running service sends."""
    plant = load_plant(plant_file, secrets=False)
    with DataFolder(data).ledger() as ledger:
        yield plant, ledger, AlertDesk(ledger, {}, plant, SystemClock())


def _found(ledger: Ledger, number: int) -> Alert:
    alert = ledger.alerts.get(number)
    if alert is None:
        raise InputError(f"there is no alert {number}; `alerts list` shows what is there")
    return alert


def _title(alert: Alert) -> str:
    about = alert.subject if alert.kind in CASES else f"{alert.parameter} {alert.limit_set}"
    return " ".join(part for part in (alert.kind, alert.point, about.strip()) if part)


def _check_about(plant: Plant, point: str, parameter: str, member: str) -> None:
    found = plant.point_by_id.get(point)
    if point and found is None:
        raise InputError(f"--point: found {point!r}, expected one of {', '.join(plant.point_by_id)}")
    if parameter and (found is None or found.find(parameter) is None):
        raise InputError(f"--parameter: found {parameter!r}, expected a parameter of --point")
    if member and member not in plant.member_by_id:
        raise InputError(f"--member: found {member!r}, expected one of {', '.join(plant.member_by_id)}")


def read_attached(paths: Sequence[Path]) -> list[Attachment]:
    """Files that go with a step; not too many, none too large."""
    if len(paths) > MAX_FILES:
        raise InputError(f"--attach: found {len(paths)} files, expected at most {MAX_FILES}")
    return [_read(path) for path in paths]


def _read(path: Path) -> Attachment:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"--attach {path}: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"--attach {path}: found {len(content)} bytes, expected at most {MAX_BYTES}")
    return Attachment(path.name, mimetypes.guess_type(path.name)[0] or "application/octet-stream", content)


def save_attached(file: Attachment | None, folder: Path, name: str) -> None:
    """Write a file into a folder."""
    if file is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(file.content)


def alerts_month(
    plant_file: PlantFile,
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="The month.")],
    out: OutDir,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """How many, how long, who again, what is rising: JSON, CSV and a page to read. 月度告警分析。"""
    plant = reading_plant(plant_file, from_store=True)
    period = Period.parse(month, plant.zone)
    with DataFolder(data).judged(plant) as source, DataFolder(data).ledger() as ledger:
        kept = ledger.alerts.opened_between(monitor.compared_from_ms(plant, period), period.end_ms)
        rows = monitor.month_of_alerts(plant, source, kept, period)
    out.mkdir(parents=True, exist_ok=True)
    write_rows(out / "alerts.csv", COLUMNS, [tuple(asdict(row).values()) for row in rows])
    text = json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2)
    Path(out / "alerts.json").write_text(text + "\n", encoding="utf-8")
    Path(out / "alerts.md").write_text("\n".join(report_lines(rows, plant)) + "\n", encoding="utf-8")
    messages.print(f"{month}: {sum(r.opened for r in rows)} alerts -> {out}", markup=False)
    return 0
