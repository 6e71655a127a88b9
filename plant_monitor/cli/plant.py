"""The plant as it is configured, and as its devices speak."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from plant_monitor.cli.options import PlantFile, messages, show
from plant_monitor.config.plant_file import json_schema, load_plant
from plant_monitor.errors import InputError, SourceError
from plant_monitor.ingest.modbus_probe import probe as probe_device
from plant_monitor.ingest.registers import ORDERS
from plant_monitor.plant import ModbusDevice


def check(plant_file: PlantFile) -> int:
    """Is the configuration right? All errors at once. 检查配置。"""
    plant = load_plant(plant_file, secrets=False)
    out = Console(highlight=False, soft_wrap=True)
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


def schema() -> int:
    """The JSON Schema of plant.yaml, for editors. 配置的 JSON Schema。"""
    sys.stdout.write(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
    return 0


def probe(
    plant_file: PlantFile,
    device: Annotated[str | None, typer.Option("--device", metavar="ID", help="This device alone.")] = None,
) -> int:
    """Read each Modbus device once and show what it says. 逐台读取并显示。"""
    plant = load_plant(plant_file, secrets=False)
    if any(isinstance(d, ModbusDevice) and d.tls is not None for d in plant.devices):
        plant = load_plant(plant_file)  # a key may have a password
    devices = [d for d in plant.devices if isinstance(d, ModbusDevice) and device in (None, d.id)]
    if not devices:
        raise InputError(f"no Modbus device {device or ''} in {plant_file}")
    values = Table("device", "point", "parameter", "registers", "value", "unit", "mark", "remark")
    orders = Table("point", "parameter", "where", "order", *ORDERS, title="What each order would make of the registers")
    failed = False
    for one in devices:
        try:
            rows = probe_device(one, plant)
        except SourceError as error:  # the others may well be there
            messages.print(f"{one.id}: {error}", style="red", markup=False)
            failed = True
            continue
        for row in rows:
            failed |= row.error is not None
            raw = " ".join(f"{word:04x}" for word in row.registers)
            unit = plant.series[plant.series_index[row.point, row.parameter]].unit
            remark = "; ".join(filter(None, (row.beside, row.error)))
            told = (_shown(row.value), unit, row.mark, remark)
            values.add_row(one.id, row.point, row.parameter, raw, *map(escape, told))
            if row.orders:
                orders.add_row(
                    row.point, row.parameter, row.place, row.order, *(escape(_shown(made)) for made in row.orders)
                )
    show(values)
    if orders.row_count:
        show(orders)
    return 3 if failed else 0


def _shown(value: float | str | None) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"  # all that a dial shows
    return "" if value is None else value
