"""A plant that is read once a day, so that a day is one flow, one value and whether it is valid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from plant_monitor.compliance.evaluate import Evaluation, evaluate
from plant_monitor.plant import (
    Limit,
    LimitSet,
    MarkedNumber,
    Member,
    Name,
    Plant,
    Point,
    Quality,
    Role,
    Series,
    Statistic,
)
from plant_monitor.readings import NORMAL, Readings
from plant_monitor.windows import day_start_ms, local_windows

ZONE = ZoneInfo("Europe/Berlin")  # days of 23 and 25 hours
DAY_MS = 86_400_000
FIRST = date(2026, 9, 17)
UPPER = 300.0


@dataclass(frozen=True)
class Day:
    """Flow in m³/h (None: unknown), COD in mg/L, and whether its reading is valid."""

    flow: float | None
    cod: float
    valid: bool

    @property
    def due(self) -> bool:
        return self.flow is None or self.flow > 0

    @property
    def effective(self) -> bool:
        return self.valid and self.flow is not None and self.flow > 0


flows = st.sampled_from([10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 37.5, 0.0, None])
values = st.one_of(st.sampled_from([0.0, 290.0, 300.0, 310.0, 1000.0]), st.floats(0, 1000, allow_nan=False))
days = st.lists(st.builds(Day, flows, values, st.sampled_from([True] * 7 + [False])), min_size=1, max_size=80)


def make_plant(*limits: Limit, quality: Quality | None = None) -> Plant:
    """One outfall with one limit on the monthly mean of COD, or those given."""
    own = limits or (Limit("cod_cr", Statistic.MONTHLY_MEAN, None, UPPER, "mg/L"),)
    series = (Series("out", "flow", "m3/h", DAY_MS), Series("out", "cod_cr", "mg/L", DAY_MS))
    return Plant(
        id="p",
        name=Name("p", "p"),
        zone=ZONE,
        capacity_m3_d=Decimal(1200),
        members=(Member("m", Name("m", "m")),),
        points=(Point("out", Role.OUTFALL, series, "m", ("s",)),),
        limit_sets=(LimitSet("s", Name("s", "s"), "", own),),
        quality=quality or Quality(substitution_days=MarkedNumber(30, "M")),
    )


def readings_of(sequence: Sequence[Day]) -> Readings:
    """One reading of each series at every local midnight, and an end to the last hold."""
    times = [day_start_ms(FIRST + timedelta(days=i), ZONE) for i in range(len(sequence) + 1)]
    nan = float("nan")
    flow = [nan if d.flow is None else d.flow for d in sequence] + [nan]
    marks = [NORMAL if d.valid else ord("D") for d in sequence] + [ord("D")]
    return Readings.concat(
        [Readings.of(times, 0, flow), Readings.of(times, 1, [d.cod for d in sequence] + [nan], marks)]
    )


def evaluated(
    sequence: Sequence[Day], plant: Plant, *, first: int = 0, last: int | None = None, until_ms: int | None = None
) -> Evaluation:
    """Days ``first`` … ``last`` by their place in the sequence."""
    end = len(sequence) - 1 if last is None else last
    windows = local_windows(FIRST + timedelta(days=first), FIRST + timedelta(days=end), ZONE)
    return evaluate(plant, readings_of(sequence), windows, until_ms=until_ms)
