"""A member whose outfall has nothing but a totaliser still sees what it used."""

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from plant_monitor import monitor
from plant_monitor.alerts.lifecycle import Span
from plant_monitor.api.usage import usage_rows
from plant_monitor.plant import Member, Name, Plant, Point, Role, Series
from plant_monitor.readings import Readings
from plant_monitor.store.memory import MemorySource
from plant_monitor.windows import HOUR_MS, local_windows


def test_usage_by_day_hour_and_month() -> None:
    member = Member("m", Name("成员", "member"))
    outfall = Point("out", Role.OUTFALL, (Series("out", "volume", "m3", None),), "m")
    plant = Plant("p", Name("厂", "plant"), ZoneInfo("Asia/Shanghai"), Decimal(1200), (member,), (outfall,))
    windows = local_windows(date(2026, 10, 31), date(2026, 11, 1), plant.zone)
    hours = np.arange(49)
    register = np.where(hours <= 24, hours * 2.0, 48 + (hours - 24) * 3.0)  # 2 m³/h, then 3 m³/h
    source = MemorySource(Readings.of(windows.start_ms + hours * HOUR_MS, 0, register))
    parts = [monitor.verdicts_of_days(plant, source, {"out"}, day, day) for day in windows.days]
    span = Span(windows.start_ms, windows.end_ms)
    for step, expected in (("day", [48, 72]), ("month", [48, 72]), ("hour", [2.0] * 24 + [3.0] * 24)):
        rows = usage_rows(plant, member, parts, span, step)
        assert [row["volume_m3"] for row in rows] == pytest.approx(expected), step


def test_a_month_in_two_parts_is_one_row() -> None:
    outfall = Point("out", Role.OUTFALL, (Series("out", "flow", "m3/h", HOUR_MS),), "m")
    member = Member("m", Name("成员", "member"), quota_m3_d=Decimal(60))
    plant = Plant("p", Name("厂", "plant"), ZoneInfo("Asia/Shanghai"), Decimal(1200), (member,), (outfall,))
    windows = local_windows(date(2026, 10, 1), date(2026, 10, 3), plant.zone)
    source = MemorySource(Readings.of(np.arange(windows.start_ms, windows.end_ms, HOUR_MS), 0, np.full(72, 2.0)))
    days = [(1, 2), (3, 3)]
    parts = [monitor.verdicts_of_days(plant, source, {"out"}, date(2026, 10, a), date(2026, 10, b)) for a, b in days]
    (row,) = usage_rows(plant, member, parts, Span(windows.start_ms, windows.end_ms), "month")
    assert (row["volume_m3"], row["quota_m3"]) == (pytest.approx(144), 180.0)
    assert (row["start"], row["end"]) == ("2026-10-01T00:00:00+08:00", "2026-10-04T00:00:00+08:00")
