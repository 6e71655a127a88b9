"""Mutes and maintenance windows: messages about alerts are held back until an end, for a reason."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from plant_monitor.alerts.lifecycle import Kind
from plant_monitor.alerts.mutes import Mute, problem_of
from plant_monitor.cli.options import (
    DEFAULT_DATA,
    Author,
    DataDir,
    PlantFile,
    actor_of,
    hand_out,
    instant,
    messages,
    show,
)
from plant_monitor.clock import SystemClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.data_folder import DataFolder
from plant_monitor.errors import InputError
from plant_monitor.windows import rfc3339


def mutes_add(
    plant_file: PlantFile,
    end: Annotated[str, typer.Option("--to", metavar="T", help="When it ends: a date or RFC 3339.")],
    reason: Annotated[str, typer.Option(help="Why messages are held back.")],
    start: Annotated[str | None, typer.Option("--from", metavar="T", help="When it begins; left out: now.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Of this kind alone.")] = None,
    point: Annotated[str, typer.Option(help="Of this point alone.")] = "",
    parameter: Annotated[str, typer.Option(help="Of this parameter alone.")] = "",
    author: Author = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Hold messages back; alerts open and count all the while. 静默一段时间(检修)。"""
    plant = load_plant(plant_file, secrets=False)
    now_ms = SystemClock().now_ms()
    start_ms = now_ms if start is None else instant(start, plant, "--from")
    mute = Mute(start_ms, instant(end, plant, "--to"), reason, str(kind or ""), point, parameter)
    problem = problem_of(mute, plant, now_ms)
    if problem is not None:
        raise InputError(f"--{problem[0]}: {problem[1]}")
    with DataFolder(data).ledger() as ledger:
        stored = ledger.mutes.add(mute, now_ms=now_ms, actor=actor_of(author))
    hand_out(str(stored.id))
    messages.print(f"mute {stored.id}: {stored.state(now_ms)}", markup=False)
    return 0


def mutes_list(plant_file: PlantFile, data: DataDir = DEFAULT_DATA) -> int:
    """All mutes, the newest first. 列出静默。"""
    plant, now_ms = load_plant(plant_file, secrets=False), SystemClock().now_ms()
    table = Table("id", "state", "kind", "point", "parameter", "from", "to", "reason", "author", "lifted")
    with DataFolder(data).ledger() as ledger:
        for one in ledger.mutes.find():
            about = (one.kind or "*", one.point or "*", one.parameter or "*")
            times = (rfc3339(t // 1000 * 1000, plant.zone) for t in (one.start_ms, one.end_ms))
            lifted = "" if one.lifted_ms is None else f"{one.lifted_by}: {one.lifted_reason}"
            table.add_row(str(one.id), one.state(now_ms), *about, *times, one.reason, one.author, lifted)
    show(table)
    return 0


def mutes_lift(
    plant_file: PlantFile,
    number: Annotated[int, typer.Argument(metavar="ID", help="As `mutes list` shows it.")],
    reason: Annotated[str, typer.Option(help="Why it ends early.")],
    author: Author = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """End a mute before its end. 提前解除静默。"""
    load_plant(plant_file, secrets=False)
    with DataFolder(data).ledger() as ledger:
        done = ledger.mutes.lift(number, reason, now_ms=SystemClock().now_ms(), actor=actor_of(author))
    if done is None:
        raise InputError(f"there is no mute {number}; `mutes list` shows what is there")
    messages.print(f"mute {number}: lifted", markup=False)
    return 0
