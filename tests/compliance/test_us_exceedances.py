"""Limit comparison and percentages against what the US regulators published of their own comparisons.

Rows of discharge monitoring reports: value, limit, the official percentage by which it is exceeded and the violation
code (E90: exceedance). Each value becomes one day of a series of one reading; public domain, see the data's manifest.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from plant_monitor.compliance.evaluate import Evaluation, evaluate
from plant_monitor.plant import Limit, LimitSet, Member, Name, Plant, Point, Role, Series, Statistic
from plant_monitor.readings import Readings
from plant_monitor.windows import local_windows

DAY_MS = 86_400_000
FIRST = date(2026, 1, 1)


@dataclass(frozen=True)
class Reported:
    """A value against its limit as the regulator saw it; ``percent`` None: none was published."""

    value: float
    limit: float
    upper: bool
    exceeded: bool
    percent: int | None


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def judged(reported: Sequence[Reported]) -> Evaluation:
    """Each value over a day of its own, and a limit in force on that day."""
    series = Series("p", "reported", "1", DAY_MS)
    limits = []
    for i, one in enumerate(reported):
        day = FIRST + timedelta(days=i)
        lower, upper = (None, one.limit) if one.upper else (one.limit, None)
        limits.append(Limit("reported", Statistic.DAILY_MEAN, lower, upper, "1", valid_from=day, valid_to=day))
    zone, name = ZoneInfo("UTC"), Name("p", "p")
    sets = (LimitSet("permit", name, "", tuple(limits)),)
    points = (Point("p", Role.OUTFALL, (series,), "m", ("permit",)),)
    plant = Plant("p", name, zone, Decimal(1), (Member("m", name),), points, sets)
    windows = local_windows(FIRST, FIRST + timedelta(days=len(reported) - 1), zone)
    return evaluate(plant, Readings.of(windows.day_edges[:-1], 0, [one.value for one in reported]), windows)


def agree(reported: Sequence[Reported]) -> None:
    daily = list(judged(reported).daily.rows())
    assert len(daily) == len(reported)
    for one, row in zip(reported, daily, strict=True):
        assert math.isclose(row["value"], one.value, rel_tol=1e-12)
        assert row["verdict"] == ("exceeded" if one.exceeded else "met"), one
        if one.percent is not None:
            passed = row["ratio"] - 1 if one.upper else 1 - row["value"] / row["lower"]
            assert math.floor(100 * passed + 0.5 + 1e-9) == one.percent, one


@pytest.mark.parametrize("chart", ["all", "flow"])
def test_a_plant_in_texas_over_three_years(chart: str, shared_data: Path) -> None:
    """Every reported value with a limit, met or exceeded."""
    reported = [
        Reported(
            float(row["dmr_value_standard_units"]),
            float(row["limit_value_standard_units"]),
            row["limit_value_qualifier_code"] == "<=",
            row["violation_code"] == "E90",
            int(row["exceedence_pct"]) if row["exceedence_pct"] else None,
        )
        for row in rows(shared_data / "compliance" / f"echo_effluent_chart_TX0119407_{chart}.csv")
        if row["limit_value_standard_units"] and row["dmr_value_standard_units"]
    ]
    assert (len(reported), sum(one.exceeded for one in reported)) == {"all": (680, 8), "flow": (40, 0)}[chart]
    agree(reported)


def test_exceedances_in_wyoming(shared_data: Path) -> None:
    """Of a removal in per cent the agency counts the percentage on what remains: no limit comparison, left out."""
    reported = [
        Reported(
            float(row["DMR_VALUE_STANDARD_UNITS"]),
            float(row["LIMIT_VALUE_STANDARD_UNITS"]),
            row["LIMIT_VALUE_QUALIFIER_CODE"] == "<=",
            True,
            int(row["EXCEEDENCE_PCT"]) if row["EXCEEDENCE_PCT"] else None,
        )
        for row in rows(shared_data / "compliance" / "echo_dmr_exceedances_WY_fy2026.csv")
        if row["VIOLATION_CODE"] == "E90" and "percent removal" not in row["PARAMETER_DESC"]
    ]
    assert len(reported) == 126
    assert any(not one.upper for one in reported)
    agree(reported)


def test_exceedances_in_pennsylvania(shared_data: Path) -> None:
    """Both directions, no percentages."""
    reported = [
        Reported(float(row["SAMPLE_VALUE"]), float(row["PERMIT_VALUE"]), row["VIOLATION_CONDITION"] == ">", True, None)
        for row in rows(shared_data / "compliance" / "pa_edmr_exceedances_odd.csv")
    ]
    assert len(reported) == 208
    agree(reported)
