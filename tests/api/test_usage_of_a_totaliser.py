"""A member whose outfall has nothing but a totaliser still sees what it used."""

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from plant_monitor.alerts.lifecycle import Span
from plant_monitor.api.usage import usage_rows
from plant_monitor.compliance.evaluate import evaluate
from plant_monitor.plant import Member, Name, Plant, Point, Role, Series
from plant_monitor.readings import Readings
from plant_monitor.windows import HOUR_MS, local_windows


def test_usage_by_day_hour_and_month() -> None:
    member = Member("m", Name("成员", "member"))
    outfall = Point("out", Role.OUTFALL, (Series("out", "volume", "m3", None),), "m")
    plant = Plant("p", Name("厂", "plant"), ZoneInfo("Asia/Shanghai"), Decimal(1200), (member,), (outfall,))
    windows = local_windows(date(2026, 10, 31), date(2026, 11, 1), plant.zone)
    hours = np.arange(49)
    register = np.where(hours <= 24, hours * 2.0, 48 + (hours - 24) * 3.0)  # 2 m³/h, then 3 m³/h
    evaluation = evaluate(plant, Readings.of(windows.start_ms + hours * HOUR_MS, 0, register), windows)
    span = Span(windows.start_ms, windows.end_ms)
    days = usage_rows(plant, member, evaluation, span, "day")
    assert [row["volume_m3"] for row in days] == pytest.approx([48, 72])
    assert [row["volume_m3"] for row in usage_rows(plant, member, evaluation, span, "month")] == pytest.approx([48, 72])
    by_hour = usage_rows(plant, member, evaluation, span, "hour")
    assert [row["volume_m3"] for row in by_hour] == pytest.approx([2.0] * 24 + [3.0] * 24)
