"""API keys."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from plant_monitor.cli.options import (
    DEFAULT_DATA,
    DataDir,
    PlantFile,
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


class Role(StrEnum):
    """Roles of an API key."""

    OPERATOR = "operator"
    MEMBER = "member"
    OFFICER = "officer"
    ADMIN = "admin"


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
    until = None if expires is None else instant(expires, plant, "--expires")
    with DataFolder(data).ledger() as ledger:
        made = ledger.keys.add(role, now_ms=SystemClock().now_ms(), member=member, label=label, expires_ms=until)
    hand_out(made.secret)
    messages.print("Keep it: it is not shown again. 请保存，不再显示。")
    return 0


def keys_list(plant_file: PlantFile, data: DataDir = DEFAULT_DATA) -> int:
    """All keys, without their secrets. 列出密钥。"""
    plant = load_plant(plant_file, secrets=False)
    table = Table("prefix", "role", "member", "label", "made", "expires", "revoked")
    with DataFolder(data).ledger() as ledger:
        for key in ledger.keys.list():
            times = (key.created_ms, key.expires_ms, key.revoked_ms)
            told = ("" if t is None else rfc3339(t // 1000 * 1000, plant.zone) for t in times)
            table.add_row(key.prefix, str(key.role), key.member, key.label, *told)
    show(table)
    return 0


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
