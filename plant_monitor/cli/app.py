"""The commands (design §4.3), put together. Results go to stdout or files, messages to stderr.

Exit codes: 0 done · 1 the input has errors · 2 wrong usage · 3 something needed is not reachable.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence

import typer
from rich.console import Console

from plant_monitor import __version__
from plant_monitor.errors import PlantMonitorError, SourceError, StoreUnavailable

_ABOUT = "Telemetry, compliance and cost sharing of a shared wastewater plant. 污水处理厂的监测、达标判定与费用分摊。"
# Where each command is: module.function. A module is imported when its command is given, since the service and its
# libraries take two seconds, and `version` needs none of them.
COMMANDS = {
    "demo": "operation.demo",
    "run": "operation.run",
    "check": "plant.check",
    "probe": "plant.probe",
    "import": "data.import_",
    "export": "data.export",
    "evaluate": "results.evaluate",
    "headroom": "headroom.headroom",
    "whatif": "results.whatif",
    "explain": "results.explain",
    "annotate": "annotations.annotate",
    "bill": "statements.bill",
    "verify": "statements.verify",
    "backup": "operation.backup_",
    "restore": "operation.restore_",
    "doctor": "operation.doctor",
    "schema": "plant.schema",
    "version": "app.version",
}
# Group -> (about, module, command -> function).
GROUPS = {
    "keys": ("API keys. 接口密钥。", "keys", {"add": "keys_add", "list": "keys_list", "revoke": "keys_revoke"}),
    "alerts": (
        "Alerts and cases. 告警与咨询。",
        "alerts",
        {
            "list": "alerts_list",
            "show": "alerts_show",
            "open": "alerts_open",
            "act": "alerts_act",
            "messages": "alerts_messages",
            "month": "alerts_month",
        },
    ),
    "mutes": (
        "Mutes and maintenance windows. 静默与检修。",
        "mutes",
        {"add": "mutes_add", "list": "mutes_list", "lift": "mutes_lift"},
    ),
    "users": (
        "Accounts of people, for the console. 用户账户。",
        "users",
        {
            "add": "users_add",
            "list": "users_list",
            "password": "users_password",
            "disable": "users_disable",
            "enable": "users_enable",
        },
    ),
    "influx": ("The InfluxDB of store.influxdb. 时序数据库。", "operation", {"setup": "influx_setup"}),
    "statements": (
        "Statements: issue, correct. 结算单的签发与更正。",
        "statements",
        {
            "list": "statements_list",
            "show": "statements_show",
            "issue": "statements_issue",
            "correct": "statements_correct",
            "whatif": "statements_whatif",
        },
    ),
    "objections": (
        "Objections of members to statements. 成员对结算单的异议。",
        "objections",
        {
            "list": "objections_list",
            "show": "objections_show",
            "file": "objections_file",
            "act": "objections_act",
            "decide": "objections_decide",
        },
    ),
    "annotations": (
        "What was said about readings. 标注。",
        "annotations",
        {"list": "annotations_list", "withdraw": "annotations_withdraw"},
    ),
    "quarantine": (
        "What was refused. 被拒收的数据。",
        "data",
        {"list": "quarantine_list", "show": "quarantine_show", "reinject": "quarantine_reinject"},
    ),
}


def version() -> int:
    """The version. 版本。"""
    sys.stdout.write(f"plant-monitor {__version__}\n")
    return 0


def _end(code: int | None) -> None:
    """What a command returns is the exit code."""
    raise typer.Exit(code or 0)


def _add(group: typer.Typer, commands: Mapping[str, str]) -> typer.Typer:
    """Import the commands, ``module.function`` each, and add them to a group."""
    group.callback()(lambda: None)  # a group, also where it has one command
    for name, where in commands.items():
        module, _, function = where.partition(".")
        command: Callable[..., int] = getattr(importlib.import_module(f"plant_monitor.cli.{module}"), function)
        group.command(name)(command)
    return group


def command_line(first: str) -> typer.Typer:
    """The command line as far as its first word needs it; all of it where that is no command."""
    every = first not in COMMANDS and first not in GROUPS
    app = typer.Typer(
        name="plant-monitor",
        help=_ABOUT,
        result_callback=_end,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    _add(app, {name: where for name, where in COMMANDS.items() if every or name == first})
    for name, (about, module, commands) in GROUPS.items():
        if every or name == first:
            group = typer.Typer(help=about, no_args_is_help=True)
            app.add_typer(_add(group, {word: f"{module}.{what}" for word, what in commands.items()}), name=name)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        command_line(given[0] if given else "")(args=given, prog_name="plant-monitor")
    except (SourceError, StoreUnavailable) as error:
        return _failed(error, 3)
    except PlantMonitorError as error:
        return _failed(error, 1)
    except SystemExit as end:  # how the command line ends: usage errors are 2 and have been explained
        return end.code if isinstance(end.code, int) else 0
    return 0


def _failed(error: object, code: int) -> int:
    Console(stderr=True, highlight=False, soft_wrap=True).print(str(error), style="red", markup=False)
    return code
