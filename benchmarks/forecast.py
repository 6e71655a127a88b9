"""The seven-day forecast of inflow against the same weekday last week, on the real daily flows of two plants.

Rolling origin: on every evening from the 28th day on the next seven days are forecast from the days before alone, by
the very function that the product uses. Against it the seasonal-naive forecast: the same weekday last week (the latest
known), and around it the P10 and P90 of its own errors so far at the same distance. Both are scored on the same days:
mean pinball loss of P10, P50, P90, and the share of days within P10…P90.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np

from plant_monitor.compliance.forecast import DAYS_NEEDED, HORIZONS, forecast
from plant_monitor.readings import FloatArray

DATA = Path(__file__).parent.parent / "tests" / "data" / "plant"
CHANCES = (0.1, 0.5, 0.9)
MGD_M3_D = 3785.411784
DROPOUT_MGD = 1.0  # the telemetry writes lost hours as some 0.004
ENOUGH_HOURS = 18  # three quarters of a day, as in daily verdicts


@dataclass(frozen=True)
class DailyFlow:
    """``m3`` (T,) of consecutive days from ``first`` on, NaN = unknown."""

    name: str
    first: date
    m3: FloatArray


def memphis() -> DailyFlow:
    """Influent of a municipal plant in Memphis: a year of hours, storms in it."""
    hours: dict[date, list[float]] = defaultdict(list)
    for time, value in _rows("memphis_influent_hourly.csv.gz"):
        if value and float(value) > DROPOUT_MGD:
            hours[datetime.fromisoformat(time).date()].append(float(value))
    days = {day: float(np.mean(v)) * MGD_M3_D for day, v in hours.items() if len(v) >= ENOUGH_HOURS}
    return _consecutive("Memphis", days)


def manresa() -> DailyFlow:
    """Input flow of the plant of Manresa (UCI Water Treatment Plant): 22 months of days, Saturdays mostly missing."""
    days = {}
    for label, value in _rows("uci_input_flow.csv.gz"):
        day, month, year = (int(part) for part in label.removeprefix("D-").split("/"))
        if value != "?":
            days[date(1900 + year, month, day)] = float(value)
    return _consecutive("Manresa", days)


def _rows(name: str) -> Iterator[list[str]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8-sig") as lines:
        yield from csv.reader(lines)


def _consecutive(name: str, days: dict[date, float]) -> DailyFlow:
    first, last = min(days), max(days)
    m3 = np.full((last - first).days + 1, np.nan)
    for day, value in days.items():
        m3[(day - first).days] = value
    return DailyFlow(name, first, m3)


def naive(m3: FloatArray) -> FloatArray:
    """(T, HORIZONS, 3) P10, P50, P90 said before day t of day t + h: last week's, and its own errors so far."""
    last = m3.copy()
    for t in range(7, last.size):
        last[t] = last[t - 7] if np.isnan(last[t]) else last[t]
    said = np.full((m3.size, HORIZONS, len(CHANCES)), np.nan)
    for h in range(HORIZONS):
        errors = np.full(m3.size, np.nan)  # by the day that was forecast: day t + h from day t on
        errors[7:] = m3[7:] - last[:-7]
        for t in range(DAYS_NEEDED, m3.size - h):
            known = errors[7 + h : t]
            known = known[np.isfinite(known)]
            around = np.quantile(known, CHANCES, method="weibull") if known.size else np.full(3, np.nan)
            said[t, h] = np.maximum(last[t + h - 7] + around, 0.0)
    return said


def ours(flow: DailyFlow, every: int = 1) -> FloatArray:
    """(T, HORIZONS, 3) the same by the product; NaN on evenings that are left out."""
    said = np.full((flow.m3.size, HORIZONS, len(CHANCES)), np.nan)
    for t in range(DAYS_NEEDED, flow.m3.size, every):
        told = forecast(flow.m3[:t], flow.first.weekday())
        if told is not None:
            said[t] = np.stack([told.quantile(chance) for chance in CHANCES], axis=1)
    return said


@dataclass(frozen=True)
class Score:
    """``loss`` m³/d · ``coverage`` of P10…P90 · ``count`` of days forecast."""

    loss: float
    coverage: float
    count: int


def scores(m3: FloatArray, first: int, last: int, *forecasts: FloatArray) -> list[Score]:
    """Each forecast on the days ``[first, last)`` of which all speak."""
    came = np.full((m3.size, HORIZONS), np.nan)
    for h in range(HORIZONS):
        came[: m3.size - h, h] = m3[h:]
    target = np.arange(m3.size)[:, None] + np.arange(HORIZONS)
    judged = np.isfinite(came) & (target >= first) & (target < last)
    judged &= np.all([np.isfinite(said).all(axis=2) for said in forecasts], axis=0)
    found = []
    for said in forecasts:
        value, off = said[judged], came[judged][:, None] - said[judged]
        loss = np.maximum(np.array(CHANCES) * off, (np.array(CHANCES) - 1) * off).mean()
        inside = (came[judged] >= value[:, 0]) & (came[judged] <= value[:, 2])
        found.append(Score(float(loss), float(inside.mean()), int(judged.sum())))
    return found


def main() -> None:
    """Print the table."""
    print("series     days     pinball  naive  less  P10-P90  naive  forecasts")
    for flow in (memphis(), manresa()):
        said, other = ours(flow), naive(flow.m3)
        days, half = flow.m3.size, flow.m3.size // 2
        for name, first, last in (("all", 0, days), ("1st half", 0, half), ("2nd half", half, days)):
            us, them = scores(flow.m3, first, last, said, other)
            print(
                f"{flow.name:10} {name:8} {us.loss:7.0f} {them.loss:6.0f}  {1 - us.loss / them.loss:4.0%}"
                f"  {us.coverage:7.1%}  {them.coverage:5.1%}  {us.count}"
            )


if __name__ == "__main__":
    main()
