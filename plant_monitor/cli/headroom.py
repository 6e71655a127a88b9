"""What is left now, and what the next days may bring."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from plant_monitor.answers import Outlooks
from plant_monitor.cli.options import (
    DEFAULT_DATA,
    DataDir,
    PlantFile,
    ReadingsFile,
    instant,
    messages,
    reading_plant,
    readings_source,
    report,
    show,
)
from plant_monitor.clock import SystemClock
from plant_monitor.compliance.standing import Outlook
from plant_monitor.plant import VOLUME, Plant
from plant_monitor.windows import rfc3339

SPANS = {
    "last_hour": "上一小时 last hour",
    "last_24_h": "近 24 小时 last 24 h",
    "today": "今日至此 today so far",
    "midnight": "预计至零点 by midnight",
}


def headroom(
    plant_file: PlantFile,
    readings: ReadingsFile = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="As it was then; now, or the end of the file, if left out."),
    ] = None,
    data: DataDir = DEFAULT_DATA,
) -> int:
    """What is left of capacity, loads and quotas, and the inflow of seven days. 当前余量与七日预测。"""
    plant = reading_plant(plant_file, from_store=readings is None)
    asked = None if at is None else instant(at, plant, "--at")
    with readings_source(plant, readings, data) as (source, bad):
        code = report(bad, None)
        extent = source.extent() if readings is not None else None
        now_ms = asked if asked is not None else SystemClock().now_ms() if extent is None else extent[1]
        outlook = Outlooks(plant, lambda: source, None, None)(now_ms)
    show(_standing(plant, outlook))
    if len(outlook.forecast):
        show(_forecast(outlook))
    else:
        known, needed = outlook.known_days, outlook.needed_days
        messages.print(
            f"没有预测：需 {needed} 个已知进水量的日子，现有 {known} 个。"
            f"no forecast: it needs {needed} days of known inflow, there are {known}",
            markup=False,
        )
    return code


def _standing(plant: Plant, outlook: Outlook) -> Table:
    table = Table(title=f"余量 Headroom {rfc3339(outlook.now_ms, plant.zone)}", title_justify="left")
    for name in ("", *SPANS.values()):
        table.add_column(name, justify="left" if not name else "right")
    names = {"": plant.name.zh, **{m.id: f"{m.name.zh} {m.id}" for m in plant.members}}
    rows = list(outlook.standing.rows())
    for first in range(0, len(rows), len(SPANS)):
        spans = rows[first : first + len(SPANS)]
        quantity = "" if spans[0]["quantity"] == VOLUME else f" {spans[0]['quantity']}"
        cells = [_amount(row) for row in spans]
        table.add_row(f"{names[spans[0]['member']]}{quantity} {spans[0]['unit']}", *cells)
    return table


def _amount(row: dict[str, Any]) -> str:
    """Amount / allowed (share), or what there is of it."""
    if row["amount"] is None:
        return "—"
    allowed = "" if row["allowed"] is None else f" / {_number(row['allowed'])}"
    known = "" if row["valid_share"] > 0.995 else f" 有效 valid {row['valid_share']:.0%}"
    used = "" if row["used_share"] is None else f" = {row['used_share']:.0%}"
    return f"{_number(row['amount'])}{allowed}{used}{known}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _forecast(outlook: Outlook) -> Table:
    table = Table(
        title=f"进水量预测 Forecast of inflow, m³（{outlook.known_days} 日 days known）", title_justify="left"
    )
    columns = ("日期 date", "P10", "P50", "P90", "超过产能的概率 chance of passing the capacity")
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i else "left")
    for row in outlook.forecast.rows():
        quantiles = [_number(row[name]) for name in ("p10_m3", "p50_m3", "p90_m3")]
        table.add_row(row["date"], *quantiles, f"{row['passing_chance']:.1%}")
    return table
