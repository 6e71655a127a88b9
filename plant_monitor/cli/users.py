"""Accounts of people for the console. A password comes from the terminal or stdin, never from the command line,
where every process of the machine could read it."""

from __future__ import annotations

import sys
from getpass import getpass
from typing import Annotated

import typer
from rich.table import Table

from plant_monitor.cli.keys import Role
from plant_monitor.cli.options import DEFAULT_DATA, DataDir, PlantFile, show
from plant_monitor.clock import SystemClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.data_folder import DataFolder
from plant_monitor.errors import InputError
from plant_monitor.windows import rfc3339

UserName = Annotated[str, typer.Argument(metavar="NAME", help="Whose account it is.")]


def users_add(
    plant_file: PlantFile,
    name: UserName,
    role: Annotated[Role, typer.Option(help="What the account may do.")],
    member: Annotated[str, typer.Option(help="The member whose account it is (role member).")] = "",
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Make an account; the password is asked for, or read from stdin. 新建账户。"""
    plant = load_plant(plant_file, secrets=False)
    if member and member not in plant.member_by_id:
        raise InputError(f"--member {member}: no such member; expected one of {', '.join(plant.member_by_id)}")
    password = _password()
    with DataFolder(data).ledger() as ledger:
        ledger.users.add(name, role, member=member, password=password, now_ms=SystemClock().now_ms())
    return 0


def users_list(plant_file: PlantFile, data: DataDir = DEFAULT_DATA) -> int:
    """All accounts. 列出账户。"""
    plant = load_plant(plant_file, secrets=False)
    table = Table("name", "role", "member", "made", "disabled")
    with DataFolder(data).ledger() as ledger:
        for user in ledger.users.list():
            times = (
                "" if t is None else rfc3339(t // 1000 * 1000, plant.zone) for t in (user.created_ms, user.disabled_ms)
            )
            table.add_row(user.name, str(user.role), user.member, *times)
    show(table)
    return 0


def users_password(plant_file: PlantFile, name: UserName, data: DataDir = DEFAULT_DATA) -> int:
    """Another password, asked for or read from stdin; ends the account's sessions. 修改密码。"""
    load_plant(plant_file, secrets=False)
    password = _password()
    with DataFolder(data).ledger() as ledger:
        ledger.users.set_password(name, password, now_ms=SystemClock().now_ms())
    return 0


def users_disable(plant_file: PlantFile, name: UserName, data: DataDir = DEFAULT_DATA) -> int:
    """Close an account and end its sessions. 停用账户。"""
    return _set_disabled(plant_file, name, data, True)


def users_enable(plant_file: PlantFile, name: UserName, data: DataDir = DEFAULT_DATA) -> int:
    """Open a disabled account again. 启用账户。"""
    return _set_disabled(plant_file, name, data, False)


def _set_disabled(plant_file: PlantFile, name: str, data: DataDir, disabled: bool) -> int:
    load_plant(plant_file, secrets=False)
    with DataFolder(data).ledger() as ledger:
        ledger.users.set_disabled(name, disabled, now_ms=SystemClock().now_ms())
    return 0


def _password() -> str:
    """From a terminal, typed twice and not shown; else the first line of stdin."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass("Password 密码: ")
    if getpass("Again 再次输入: ") != password:
        raise InputError("password: found two different ones, expected the same twice")
    return password
