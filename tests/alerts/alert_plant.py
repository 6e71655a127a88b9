"""A small plant and an episode for the tests of alerts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from plant_monitor.alerts.lifecycle import Exceedance
from plant_monitor.notify import Channel, Notify
from plant_monitor.plant import (
    Limit,
    LimitSet,
    Member,
    Name,
    Plant,
    Point,
    Role,
    Series,
    Statistic,
)

HOUR = 3_600_000
DAY = 24 * HOUR
OCT_1 = int(datetime(2026, 9, 30, 16, tzinfo=UTC).timestamp()) * 1000  # 2026-10-01 00:00 at the plant


def make_plant(language: str = "zh", channels: tuple[Channel, ...] = (), notify: Notify | None = None) -> Plant:
    intake = LimitSet(
        "xieqiao-intake",
        Name("纳管协议", "Intake agreement"),
        "agreement of 2022",
        (
            Limit("cod_cr", Statistic.DAILY_MEAN, None, 3000.0, "mg/L", None, date(2021, 12, 31), clause="old"),
            Limit("cod_cr", Statistic.DAILY_MEAN, None, 4000.0, "mg/L", date(2022, 1, 1), clause="§ 3"),
            Limit("ph", Statistic.HOURLY_MEDIAN, 4.5, 9.0),
        ),
    )
    return Plant(
        id="xieqiao",
        name=Name("海宁市洁净污水处理有限公司", "Jiejing shared wastewater plant"),
        zone=ZoneInfo("Asia/Shanghai"),
        capacity_m3_d=Decimal(1200),
        members=(Member("shennong", Name("神农", "Shennong")),),
        points=(
            Point(
                "shennong-outfall",
                Role.OUTFALL,
                (
                    Series("shennong-outfall", "cod_cr", "mg/L", HOUR),
                    Series("shennong-outfall", "ph", "1", 60_000),
                ),
                member="shennong",
                limits=("xieqiao-intake",),
            ),
        ),
        limit_sets=(intake,),
        notify=notify or Notify(channels, language),
    )


def cod_day(*, days: int = 1, ongoing: bool = True, peak: float = 4312.55) -> Exceedance:
    span = OCT_1, OCT_1 + days * DAY
    key = "shennong-outfall", "cod_cr", "xieqiao-intake", "daily_mean"
    return Exceedance(*key, *span, days, peak, 4000.0, peak / 4000, ongoing, "mg/L")


def ph_hours(*, hours: int = 2) -> Exceedance:
    span = OCT_1 + 8 * HOUR, OCT_1 + (8 + hours) * HOUR
    key = "shennong-outfall", "ph", "xieqiao-intake", "hourly_median"
    return Exceedance(*key, *span, hours, 4.21, 4.5, 4.5 / 4.21, False, "1")
