"""A year of bills of a large plant: 1,000 members, 12 months, 20 cost items.

Each member has one outfall with a register each hour and a COD every four hours; half of the items go by volume, load
or equivalents, the others by capacity, heads or one member. Beside it, the same sums of money as a plain float loop,
which is what exactness is paid against.
"""

from __future__ import annotations

import time
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from plant_monitor.allocation.documents import document
from plant_monitor.allocation.period import Period
from plant_monitor.allocation.split import CostItem
from plant_monitor.allocation.statement import Statement
from plant_monitor.monitor import bill_period
from plant_monitor.plant import Member, Name, Plant, Point, Role, Series, StrengthStep, Tariff
from plant_monitor.readings import Readings
from plant_monitor.store.memory import MemorySource
from plant_monitor.windows import HOUR_MS, Windows, local_windows

ZONE = ZoneInfo("Asia/Shanghai")
MEMBERS = 1_000
BASES = ("volume", "load:cod_cr", "load", "capacity_share", "equal", "direct:m0001")


def plant_of(members: int) -> Plant:
    """Alike members, each with one outfall."""
    ids = [f"m{k:04d}" for k in range(members)]
    points = tuple(
        Point(
            f"{id_}-out",
            Role.OUTFALL,
            (Series(f"{id_}-out", "volume", "m3", None), Series(f"{id_}-out", "cod_cr", "mg/L", 4 * HOUR_MS)),
            id_,
        )
        for id_ in ids
    )
    people = tuple(Member(id_, Name(id_, id_), capacity_share=Decimal(1) / 1024) for id_ in ids)
    step = StrengthStep("cod_cr", Decimal(300), Decimal(100), Decimal("0.3"))
    tariff = Tariff(volume_price_yuan_m3=Decimal("4.5"), strength_steps=(step,))
    return Plant("bench", Name("b", "b"), ZONE, Decimal(members * 100), people, points, (), tariff=tariff)


def year_of(plant: Plant, windows: Windows) -> Readings:
    """Registers that rise by up to 8 m³ an hour, and strengths around 400 mg/L."""
    rng = np.random.default_rng(5)
    hours = np.arange(windows.start_ms, windows.end_ms + 1, HOUR_MS)
    parts = []
    for index, series in enumerate(plant.series):
        times = hours if series.parameter == "volume" else hours[::4]
        steps = rng.uniform(0, 8, times.size).round(2)
        value = steps.cumsum().round(2) if series.parameter == "volume" else rng.gamma(4.0, 100.0, times.size).round(1)
        parts.append(Readings.of(times, index, value))
    return Readings.concat(parts)


def costs() -> list[CostItem]:
    """Twenty items, of sums that do not divide."""
    return [CostItem(f"item {i}", BASES[i % len(BASES)], 10_000_019 + 7_919 * i) for i in range(20)]


def plain_loop(statement: Statement) -> float:
    """Each item times each member's share, in floats: the work without its exactness."""
    paid = dict.fromkeys(statement.billed_litres, 0.0)
    total = sum(statement.billed_litres.values())
    for item in statement.items:
        for member, litres in statement.billed_litres.items():
            paid[member] += item.total_fen * litres / total
    return sum(paid.values())


def main() -> None:
    """Print what a year costs."""
    plant, items = plant_of(MEMBERS), costs()
    readings = year_of(plant, local_windows(date(2025, 1, 1), date(2025, 12, 31), ZONE))
    print(f"{MEMBERS:,} members, 12 months, {len(items)} items, {len(readings):,} readings")
    source = MemorySource(readings)
    started = time.process_time()
    bills = [bill_period(plant, source, Period.parse(f"2025-{month:02d}", ZONE), items) for month in range(1, 13)]
    billed_s = time.process_time() - started
    started = time.process_time()
    documents = [document(one) for one in bills]
    documents_s = time.process_time() - started
    started = time.process_time()
    for one in bills:
        plain_loop(one)
    plain_s = time.process_time() - started
    wrong = sum(
        item.total_fen != cost.amount_fen for one in bills for item, cost in zip(one.items, items, strict=False)
    )
    lines = sum(len(one["items"]) for one in documents) * MEMBERS
    print(f"bills: {billed_s:.1f} s of a core = {billed_s / 12:.2f} s a month; documents {documents_s:.1f} s")
    print(f"{lines:,} lines of members; items whose parts do not sum to the fen: {wrong}")
    print(f"a plain float loop over members and items: {plain_s:.2f} s")


if __name__ == "__main__":
    main()
