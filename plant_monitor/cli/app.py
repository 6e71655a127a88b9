"""The commands (design §4.3), put together. Results go to stdout or files, messages to stderr.

Exit codes: 0 done · 1 the input has errors · 2 wrong usage · 3 something needed is not reachable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from plant_monitor.cli import (
    alerts,
    data,
    headroom,
    keys,
    mutes,
    objections,
    operation,
    plant,
    results,
    statements,
    users,
)
from plant_monitor.cli import annotations as notes
from plant_monitor.cli.options import messages
from plant_monitor.errors import PlantMonitorError, SourceError, StoreUnavailable


def _end(code: int | None) -> None:
    """What a command returns is the exit code."""
    raise typer.Exit(code or 0)


def _group(about: str, **commands: Callable[..., int]) -> typer.Typer:
    """A group of commands, by name."""
    group = typer.Typer(help=about, no_args_is_help=True)
    for name, command in commands.items():
        group.command(name)(command)
    return group


app = typer.Typer(
    name="plant-monitor",
    help="Telemetry, compliance and cost sharing of a shared wastewater plant. 污水处理厂的监测、达标判定与费用分摊。",
    result_callback=_end,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
COMMANDS: dict[str, Callable[..., int]] = {
    "demo": operation.demo,
    "run": operation.run,
    "check": plant.check,
    "probe": plant.probe,
    "import": data.import_,
    "export": data.export,
    "evaluate": results.evaluate,
    "headroom": headroom.headroom,
    "whatif": results.whatif,
    "explain": results.explain,
    "annotate": notes.annotate,
    "bill": statements.bill,
    "verify": statements.verify,
    "backup": operation.backup_,
    "restore": operation.restore_,
    "doctor": operation.doctor,
    "schema": plant.schema,
    "version": plant.version,
}
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)
app.add_typer(
    _group("API keys. 接口密钥。", add=keys.keys_add, list=keys.keys_list, revoke=keys.keys_revoke), name="keys"
)
app.add_typer(
    _group(
        "Alerts and cases. 告警与咨询。",
        list=alerts.alerts_list,
        show=alerts.alerts_show,
        open=alerts.alerts_open,
        act=alerts.alerts_act,
        messages=alerts.alerts_messages,
        month=alerts.alerts_month,
    ),
    name="alerts",
)
app.add_typer(
    _group(
        "Mutes and maintenance windows. 静默与检修。", add=mutes.mutes_add, list=mutes.mutes_list, lift=mutes.mutes_lift
    ),
    name="mutes",
)
app.add_typer(
    _group(
        "Accounts of people, for the console. 用户账户。",
        add=users.users_add,
        list=users.users_list,
        password=users.users_password,
        disable=users.users_disable,
        enable=users.users_enable,
    ),
    name="users",
)
app.add_typer(_group("The InfluxDB of store.influxdb. 时序数据库。", setup=operation.influx_setup), name="influx")
app.add_typer(
    _group(
        "Statements: issue, correct. 结算单的签发与更正。",
        list=statements.statements_list,
        show=statements.statements_show,
        issue=statements.statements_issue,
        correct=statements.statements_correct,
        whatif=statements.statements_whatif,
    ),
    name="statements",
)
app.add_typer(
    _group(
        "Objections of members to statements. 成员对结算单的异议。",
        list=objections.objections_list,
        show=objections.objections_show,
        file=objections.objections_file,
        act=objections.objections_act,
        decide=objections.objections_decide,
    ),
    name="objections",
)
app.add_typer(
    _group("What was said about readings. 标注。", list=notes.annotations_list, withdraw=notes.annotations_withdraw),
    name="annotations",
)
app.add_typer(
    _group(
        "What was refused. 被拒收的数据。",
        list=data.quarantine_list,
        show=data.quarantine_show,
        reinject=data.quarantine_reinject,
    ),
    name="quarantine",
)


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
