"""Objections to issued statements: file, answer, decide."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from plant_monitor.alerts.deadlines import deadlines, policy_for
from plant_monitor.alerts.lifecycle import Action
from plant_monitor.alerts.notices import calendar_of, problem_of
from plant_monitor.cli.alerts import AttachedFiles, alert_desk, read_attached, save_attached
from plant_monitor.cli.options import DEFAULT_DATA, Author, DataDir, PlantFile, actor_of, messages, show
from plant_monitor.clock import SystemClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.data_folder import DataFolder
from plant_monitor.errors import InputError
from plant_monitor.ledger import Ledger
from plant_monitor.ledger.objections import Objection, ObjectionEvent
from plant_monitor.plant import Plant
from plant_monitor.settlement import check_objection
from plant_monitor.windows import rfc3339

ObjectionId = Annotated[int, typer.Argument(metavar="ID", min=1, help="As `objections list` shows it.")]
Comment = Annotated[str, typer.Option(metavar="TEXT", help="What is said with it.")]


class Step(StrEnum):
    """What is done with an objection before it is decided, and when its member is not satisfied."""

    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    REPLY = "reply"
    REOPEN = "reopen"


class Decision(StrEnum):
    """How an objection ends."""

    GRANTED = "granted"
    REJECTED = "rejected"


def objections_list(
    plant_file: PlantFile,
    statement: Annotated[str | None, typer.Option(metavar="NUMBER", help="To this document alone.")] = None,
    member: Annotated[str | None, typer.Option(metavar="M", help="Of this member alone.")] = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Objections, the newest first. 异议列表。"""
    plant = load_plant(plant_file, secrets=False)
    table = Table("id", "statement", "member", "item", "state", "answer by", "decision", "led to")
    with DataFolder(data).ledger() as ledger:
        before = None
        while page := ledger.objections.find(statement=statement, member=member, before_id=before):
            before = page[-1].id
            for one in page:
                last = one.events[-1]
                due = _answer_by(one, plant)
                about = one.statement, one.member, one.item, str(one.state)
                table.add_row(str(one.id), *about, due, last.decision, _led_to(last))
    show(table)
    return 0


def objections_show(
    plant_file: PlantFile,
    number: ObjectionId,
    save: Annotated[Path | None, typer.Option(metavar="DIR", help="Write its files there.", file_okay=False)] = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """One objection with its trail and its files. 查看一项异议及其经过。"""
    plant = load_plant(plant_file, secrets=False)
    trail = Table("time", "step", "who", "said", "files", "decision")
    with DataFolder(data).ledger() as ledger:
        one = _found(ledger, number)
        for event in one.events:
            names = ", ".join(f"{f.place}: {f.name} ({f.bytes} bytes)" for f in one.files if f.seq == event.seq)
            time = rfc3339(event.time_ms // 1000 * 1000, plant.zone)
            decided = " ".join(x for x in (event.decision, _led_to(event)) if x)
            trail.add_row(time, event.transition, event.actor or "the monitor", event.comment, names, decided)
        if save is not None:
            for file in one.files:
                save_attached(ledger.alerts.file(one.alert.id, file.place), save, f"{number}-{file.place}-{file.name}")
    due = f", answer by {by}" if (by := _answer_by(one, plant)) else ""
    about = f"to {one.statement}, {one.item}, by {one.member} (alert {one.alert.id})"
    sys.stdout.write(f"objection {one.id} {about}: {one.state}{due}\n")
    show(trail)
    return 0


def objections_file(
    plant_file: PlantFile,
    statement: Annotated[str, typer.Argument(metavar="NUMBER", help="The issued document, as 2026-10-02.")],
    member: Annotated[str, typer.Option(metavar="M", help="Whose objection it is.")],
    item: Annotated[str, typer.Option(metavar="ITEM", help="A line of the member's, or TOTAL.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why.")],
    attach: AttachedFiles = [],  # noqa: B006  typer reads the default and never changes it
    author: Author = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """File an objection that came by letter or telephone. 登记异议。"""
    if not reason.strip():
        raise InputError("an objection needs a --reason")
    about: dict[str, Any] = {"statement": statement, "member": member, "item": item, "reason": reason}
    with alert_desk(plant_file, data) as (_, ledger, desk):
        kept = ledger.statements.get(statement)
        if kept is None:
            raise InputError(f"there is no statement {statement!r}; `statements list` shows what there is")
        check_objection(kept, member, item)
        who: dict[str, Any] = {"files": read_attached(attach), **_who(author)}
        done = desk.telling(lambda notices: ledger.objections.add(**about, **who, notices=notices))
    sys.stdout.write(f"{done.id}\n")
    messages.print(f"objection {done.id}: open", markup=False)
    return 0


def objections_act(
    plant_file: PlantFile,
    number: ObjectionId,
    step: Annotated[Step, typer.Argument(help="What is done.")],
    comment: Comment,
    assignee: Annotated[str, typer.Option(help="assign: a person, the company, or `operator`.")] = "",
    attach: AttachedFiles = [],  # noqa: B006
    author: Author = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Acknowledge, assign, answer an objection; reopen it for a member not satisfied. 受理、交办、答复、退回异议。"""
    with alert_desk(plant_file, data) as (plant, ledger, desk):
        one, action = _found(ledger, number), Action(step)
        if action is not Action.REOPEN:
            problem = problem_of(action, one.alert, plant, comment=comment, assignee=assignee)
            if problem is not None:
                raise InputError(f"--{problem[0]}: {problem[1]}")
        said: dict[str, Any] = {"comment": comment, "assignee": assignee, "files": read_attached(attach)}
        act = ledger.objections.act
        done = desk.telling(lambda notices: act(number, action, **said, **_who(author), notices=notices))
    messages.print(f"objection {number}: {done.state}", markup=False)
    return 0


def objections_decide(
    plant_file: PlantFile,
    number: ObjectionId,
    decision: Annotated[Decision, typer.Argument(help="How it ends.")],
    comment: Comment,
    correction: Annotated[
        str, typer.Option(metavar="NUMBER", help="granted: the correction it led to; a statement is never edited.")
    ] = "",
    annotation: Annotated[int | None, typer.Option(metavar="ID", min=1, help="granted: or the annotation.")] = None,
    author: Author = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Decide an objection, which closes it. 裁定异议。"""
    with alert_desk(plant_file, data) as (_, ledger, desk):
        _found(ledger, number)
        said: dict[str, Any] = {"comment": comment, "decision": str(decision)}
        said |= {"correction": correction, "annotation": annotation}
        act = ledger.objections.act
        desk.telling(lambda notices: act(number, Action.CLOSE, **said, **_who(author), notices=notices))
    messages.print(f"objection {number}: {decision}", markup=False)
    return 0


def _who(author: str | None) -> dict[str, Any]:
    return {"actor": actor_of(author), "now_ms": SystemClock().now_ms()}


def _found(ledger: Ledger, number: int) -> Objection:
    one = ledger.objections.get(number)
    if one is None:
        raise InputError(f"there is no objection {number}; `objections list` shows what there is")
    return one


def _led_to(event: ObjectionEvent) -> str:
    """The correction, or the annotation, that a granted objection led to."""
    return event.correction or ("" if event.annotation is None else f"annotation {event.annotation}")


def _answer_by(one: Objection, plant: Plant) -> str:
    """Until when somebody has to answer; empty where no policy asks, or it is answered."""
    policy = policy_for(one.alert, plant.notify.policies)
    if policy is None:
        return ""
    at = deadlines(one.alert, [(e.transition, e.time_ms) for e in one.events], policy, calendar_of(plant))
    return "" if at.answer_ms is None else rfc3339(at.answer_ms, plant.zone)
