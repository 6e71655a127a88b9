"""Small plants and readings by hand, for the tests of allocation."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from plant_monitor.allocation.split import CostItem
from plant_monitor.allocation.statement import Period
from plant_monitor.plant import Member, Name, Plant, Point, Role, Series, Tariff
from plant_monitor.readings import Readings, mark_code

ZONE = ZoneInfo("Asia/Shanghai")
HOUR = 3_600_000
DAY = 24 * HOUR
OCTOBER = Period.parse("2026-10", ZONE)
START, END = OCTOBER.start_ms, OCTOBER.end_ms


def at(text: str) -> int:
    """Ms of a wall clock time in the plant's zone: ``10-03 08:00`` of 2026."""
    return round(datetime.fromisoformat(f"2026-{text}").replace(tzinfo=ZONE).timestamp() * 1000)


def flow(point: str, **more: Any) -> Series:
    return Series(point, "flow", more.pop("unit", "m3/h"), more.pop("interval_ms", HOUR), **more)


def totaliser(point: str, **more: Any) -> Series:
    more = {"rollover": Decimal(1_000_000), "max_rate_m3_h": Decimal(200)} | more
    return Series(point, "volume", more.pop("unit", "m3"), None, **more)


def analyser(point: str, parameter: str = "cod_cr", **more: Any) -> Series:
    return Series(point, parameter, more.pop("unit", "mg/L"), more.pop("interval_ms", HOUR), **more)


def outfall(member: str, *series: Series, point: str | None = None) -> Point:
    return Point(point or series[0].point, Role.OUTFALL, series, member=member)


def member(member_id: str, share: str | None = None, quota: str | None = None) -> Member:
    return Member(
        member_id,
        Name(f"{member_id}公司", member_id),
        None if share is None else Decimal(share),
        None if quota is None else Decimal(quota),
    )


def plant(members: Sequence[Member], points: Sequence[Point], tariff: Tariff | None = None, **more: Any) -> Plant:
    return Plant(
        "small",
        Name("小厂", "small"),
        ZONE,
        more.pop("capacity_m3_d", Decimal(1200)),
        tuple(members),
        tuple(points),
        tariff=tariff or Tariff(),
        **more,
    )


Row = tuple[str, str, int, float] | tuple[str, str, int, float, str]  # point, parameter, ms, value[, mark]


def readings(of: Plant, rows: Sequence[Row]) -> Readings:
    return Readings.of(
        [r[2] for r in rows],
        [of.series_index[r[0], r[1]] for r in rows],
        [r[3] for r in rows],
        [mark_code(r[4]) if len(r) > 4 else ord("N") for r in rows],
    )


def steady(point: str, parameter: str, value: float, start: int = START, end: int = END, step: int = HOUR) -> list[Row]:
    """The same value from ``start`` to before ``end``."""
    return [(point, parameter, t, value) for t in range(start, end, step)]


def cost(item: str, basis: str, yuan: str) -> CostItem:
    return CostItem(item, basis, int(Decimal(yuan) * 100))
