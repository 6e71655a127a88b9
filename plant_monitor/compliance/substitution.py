"""Loads that stand in where a day has no effective mean: beside the measured load, never in a verdict.

The rule (HJ 356-2019 as it is remembered, no text was found: rules.md §4.3 [M]): the daily load is the largest of
the last 30 effective daily loads before; concentration and flow are not substituted. Manual monitoring, which
the rule prefers in abnormal periods, stands in lab.csv by itself. How many days and how sure the number is are
settings (``quality.substitution``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plant_monitor import units
from plant_monitor.compliance.means import PointVolume, WindowStatistics
from plant_monitor.compliance.months import effective_load_kg
from plant_monitor.compliance.tables import SUBSTITUTED_COLUMNS, Table
from plant_monitor.plant import MarkedNumber, Series
from plant_monitor.readings import FloatArray, IntArray


def substituted_table(
    series: Series,
    daily: WindowStatistics,
    volume: PointVolume,
    days: Sequence[str],
    rule: MarkedNumber | None,
) -> Table:
    """Rows of ``substituted.csv`` of one series: its days with discharge, or unknown flow, and too few data.

    ``days`` (D,) names. The days before are those of the evaluation: where it begins fewer than asked for stand
    behind a number, ``basis_days`` says how many; without any there is no number.
    """
    rows: list[tuple[object, ...]] = []
    if rule is not None and volume.metered and units.is_concentration(series.unit):
        load = effective_load_kg(daily, volume.daily, units.factor(series.unit, "kg/m3"))
        lacking = np.flatnonzero((daily.due_ms > 0) & ~daily.enough)
        chosen, basis = largest_before(load, lacking, int(rule.value))
        share = daily.valid_share
        method = f"largest_of_{int(rule.value)}_effective_daily_loads"
        for day, at, count in zip(lacking.tolist(), chosen.tolist(), basis.tolist(), strict=True):
            measured = float(daily.load_kg[day])
            rows.append((
                series.point, series.parameter, days[day],
                None if np.isnan(measured) else measured, float(share[day]),
                float(load[at]) if at >= 0 else None, days[at] if at >= 0 else "", count, method, rule.mark,
            ))  # fmt: skip
    return Table.of_rows(SUBSTITUTED_COLUMNS, rows)


def largest_before(load: FloatArray, wanted: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """For each wanted day: the index of the largest of the last ``count`` loads before it, and of how many.

    ``load`` (D,) NaN where a day has none · −1 and 0 where no day before has one; ties: the latest.
    """
    known = np.flatnonzero(~np.isnan(load))
    ends = np.searchsorted(known, wanted)
    chosen, basis = np.full(wanted.size, -1, dtype=np.int64), np.minimum(ends, count).astype(np.int64)
    for i in np.flatnonzero(basis):
        candidates = known[ends[i] - basis[i] : ends[i]]
        chosen[i] = candidates[::-1][np.argmax(load[candidates][::-1])]
    return chosen, basis
