"""What a month's alerts come to."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from plant_monitor import monitor
from plant_monitor.alerts.report import COLUMNS, report_lines
from plant_monitor.allocation.period import Period
from plant_monitor.cli.options import DEFAULT_DATA, DataDir, OutDir, PlantFile, messages, reading_plant
from plant_monitor.config.results_file import write_rows
from plant_monitor.service import DataFolder


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
