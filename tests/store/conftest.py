"""A small plant with one limit, its journal with an outbox, and an InfluxDB that says what a test wants."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from plant_monitor.plant import Limit, LimitSet, Member, Name, Plant, Point, Role, Series, Statistic
from plant_monitor.store.journal import Journal, open_journal
from tests.store.fake_influx import FakeInflux

HOUR = 3_600_000


@pytest.fixture
def small_plant() -> Plant:
    series = (Series("out fall,1", "flow", "m3/h", HOUR), Series("out fall,1", "cod_cr", "mg/L", HOUR))
    limits = (Limit("cod_cr", Statistic.DAILY_MEAN, None, 300.0, "mg/L"),)
    return Plant(
        id="p",
        name=Name("厂", "plant"),
        zone=ZoneInfo("Asia/Shanghai"),
        capacity_m3_d=Decimal(1200),
        members=(Member("m", Name("m", "m")),),
        points=(Point("out fall,1", Role.OUTFALL, series, "m", ("agreed",)),),
        limit_sets=(LimitSet("agreed", Name("a", "a"), "", limits),),
    )


@pytest.fixture
def small_journal(tmp_path: Path, small_plant: Plant) -> Iterator[Journal]:
    series = [(s.point, s.parameter) for s in small_plant.series]
    opened = open_journal(tmp_path / "j.sqlite", series, outbox=True)
    yield opened
    opened.close()


@pytest.fixture
def fake_influx() -> Iterator[FakeInflux]:
    server = FakeInflux()
    server.start()
    yield server
    server.stop()
