"""How much of the data that were due arrived, and how much of it was valid, per series and month (HJ 355/356 style).

A reading is due once per ``interval`` while the point discharges or its flow is unknown (the flow itself:
always). *Effective transmission rate = transmission rate × validity rate* (数据传输有效率; rules.md §4.5 [1]). A
lost reading counts here though the one before it still holds: this is about the data link, the valid share of
a window about the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plant_monitor.compliance.months import Months
from plant_monitor.compliance.tables import RATES_COLUMNS, Table
from plant_monitor.holds import FlowCurve, exceeds
from plant_monitor.plant import FLOW, MarkedNumber, Represents, Series
from plant_monitor.readings import COMMUNICATION_LOST, MADE, IntArray, Readings
from plant_monitor.windows import Windows


@dataclass(frozen=True, slots=True)
class Counts:
    """Readings of a series per day, (D,): ``expected``, of them ``received``, of these ``valid``."""

    expected: IntArray
    received: IntArray
    valid: IntArray


def count_readings(series: Series, readings: Readings, curve: FlowCurve, windows: Windows) -> Counts:
    """Readings due and come, by day.

    ``readings`` of the series, sorted by time, one per instant · ``curve`` the point's flow over the hours.
    Expected is the due time ÷ interval, whole, but at least one in a day with due time. No more than expected
    count in a day, so a burst hides no gap of another day. Mark ``B`` says that nothing came.
    """
    if series.interval_ms is None:
        raise ValueError(f"{series.point}.{series.parameter} has no interval, so no reading is ever due")
    days = len(windows.days)
    if series.parameter == FLOW:
        due_ms = np.diff(windows.day_edges)
    else:
        due_ms = np.bincount(windows.hour_day, curve.due_ms, days).astype(np.int64)
    expected = np.where(due_ms > 0, np.maximum(due_ms // series.interval_ms, 1), 0)
    # A result that represents the time before it belongs to the day that ends with it.
    time = readings.time - 1 if series.represents is Represents.BEFORE else readings.time
    first, stop = np.searchsorted(time, [windows.day_edges[0], windows.day_edges[-1]])
    time, readings = time[first:stop], readings.take(slice(first, stop))
    came = (readings.mark != COMMUNICATION_LOST) & (readings.mark != MADE)
    if series.parameter != FLOW and not curve.due.all():
        came &= curve.due[np.searchsorted(curve.edges, time, side="right") - 1]
    day = np.searchsorted(windows.day_edges, time, side="right") - 1
    received = np.minimum(np.bincount(day, came, days).astype(np.int64), expected)
    valid = np.minimum(np.bincount(day, came & readings.valid, days).astype(np.int64), received)
    return Counts(expected, received, valid)


def rates_table(series: Series, counts: Counts, months: Months, required: MarkedNumber | None) -> Table:
    """Rows of ``rates.csv`` of one series: the days of each month that were seen."""
    rows: list[tuple[object, ...]] = []
    expected, received, valid = (months.count(c) for c in (counts.expected, counts.received, counts.valid))
    for i, name in enumerate(months.names):
        due, came, good = int(expected[i]), int(received[i]), int(valid[i])
        effective = good / due if due else None
        reached = ""
        if required is not None and effective is not None:
            reached = "no" if exceeds(required.value, effective) else "yes"
        rows.append((
            series.point, series.parameter, name, due, came, good,
            came / due if due else None, good / came if came else None, effective,
            None if required is None else required.value, "" if required is None else required.mark, reached,
            int(months.seen[i]), int(months.days[i]),
        ))  # fmt: skip
    return Table.of_rows(RATES_COLUMNS, rows)
