"""What the plant removes between inlet and effluent, by concentration and by load, per day and month.

Only effective days of *both* points count, and what is compared is of those days alone: a gap at one point
never looks like treatment. The load of a day is its mean × its volume. How long the water stays in the plant
is not allowed for, so a single day is less telling than a month.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plant_monitor import units
from plant_monitor.compliance.means import PointVolume, WindowStatistics
from plant_monitor.compliance.months import Months, effective_load_kg
from plant_monitor.compliance.tables import REMOVAL_COLUMNS, Table
from plant_monitor.plant import Plant, Series
from plant_monitor.readings import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Removal:
    """One parameter over W windows: mean concentrations in ``unit``, loads in kg, NaN where unknown.

    ``by_concentration``, ``by_load`` 1 − effluent ÷ inlet; NaN where the window has too few data or it would
    divide by 0 · ``effective``, ``days`` (W,) days that count, and days of the window
    """

    parameter: str
    unit: str
    inlet_mean: FloatArray
    effluent_mean: FloatArray
    inlet_load_kg: FloatArray
    effluent_load_kg: FloatArray
    by_concentration: FloatArray
    by_load: FloatArray
    effective: IntArray
    days: IntArray


def removal_table(
    plant: Plant,
    daily: Mapping[tuple[str, str], WindowStatistics],
    volumes: Mapping[str, PointVolume],
    months: Months,
    days: Sequence[str],
) -> Table:
    """Rows of ``removal.csv``: by parameter, the days and then the months.

    ``daily`` statistics by (point, parameter) · ``days`` (D,) their names. Empty unless plant.yaml names inlet and
    effluent; the parameters are the masses per volume that both measure.
    """
    rows: list[tuple[object, ...]] = []
    for inlet, effluent in _pairs(plant):
        values = _Daily.of(inlet, effluent, daily, volumes)
        rows.extend(_rows(values.per_day(), "day", days))
        rows.extend(_rows(values.per_month(months), "month", months.names))
    return Table.of_rows(REMOVAL_COLUMNS, rows)


def _pairs(plant: Plant) -> list[tuple[Series, Series]]:
    """(inlet series, effluent series) of the parameters measured at both, by parameter."""
    if plant.inlet is None or plant.effluent is None:
        return []
    inlet, effluent = plant.point_by_id[plant.inlet], plant.point_by_id[plant.effluent]
    found = []
    for series in sorted(inlet.series, key=lambda s: s.parameter):
        other = effluent.find(series.parameter)
        if other is not None and units.is_concentration(series.unit) and units.is_concentration(other.unit):
            found.append((series, other))
    return found


@dataclass(frozen=True, slots=True)
class _Daily:
    """Effective days of both points (D,), means in the inlet's unit."""

    series: Series
    both: BoolArray
    inlet_mean: FloatArray
    effluent_mean: FloatArray
    inlet_kg: FloatArray
    effluent_kg: FloatArray

    @staticmethod
    def of(
        inlet: Series,
        effluent: Series,
        daily: Mapping[tuple[str, str], WindowStatistics],
        volumes: Mapping[str, PointVolume],
    ) -> _Daily:
        comes, leaves = (daily[s.point, s.parameter] for s in (inlet, effluent))
        loads = (
            effective_load_kg(daily[s.point, s.parameter], volumes[s.point].daily, units.factor(s.unit, "kg/m3"))
            for s in (inlet, effluent)
        )
        return _Daily(
            inlet,
            comes.enough & leaves.enough,
            np.where(comes.enough, comes.mean, np.nan),
            np.where(leaves.enough, leaves.mean * units.factor(effluent.unit, inlet.unit), np.nan),
            *loads,
        )

    def per_day(self) -> Removal:
        return Removal(
            self.series.parameter,
            self.series.unit,
            self.inlet_mean,
            self.effluent_mean,
            self.inlet_kg,
            self.effluent_kg,
            _removed(self.inlet_mean, self.effluent_mean, self.both),
            _removed(self.inlet_kg, self.effluent_kg, self.both),
            self.both.astype(np.int64),
            np.ones(self.both.size, dtype=np.int64),
        )

    def per_month(self, months: Months) -> Removal:
        """Means of the daily means, sums of the daily loads, over the days on which both are effective."""
        count = months.count(self.both)
        loaded = ~np.isnan(self.inlet_kg) & ~np.isnan(self.effluent_kg)
        with_load = months.count(loaded)
        with np.errstate(invalid="ignore", divide="ignore"):
            inlet = np.where(count > 0, months.total(self.inlet_mean, self.both) / count, np.nan)
            effluent = np.where(count > 0, months.total(self.effluent_mean, self.both) / count, np.nan)
        inlet_kg = np.where(with_load > 0, months.total(self.inlet_kg, loaded), np.nan)
        effluent_kg = np.where(with_load > 0, months.total(self.effluent_kg, loaded), np.nan)
        return Removal(
            self.series.parameter,
            self.series.unit,
            inlet,
            effluent,
            inlet_kg,
            effluent_kg,
            _removed(inlet, effluent, months.enough(count)),
            _removed(inlet_kg, effluent_kg, months.enough(with_load)),
            count,
            months.days,
        )


def _removed(inlet: FloatArray, effluent: FloatArray, enough: BoolArray) -> FloatArray:
    """1 − effluent ÷ inlet, as (inlet − effluent) ÷ inlet; negative where more leaves than comes."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(enough & (inlet > 0), (inlet - effluent) / inlet, np.nan)


def _rows(removal: Removal, step: str, names: Sequence[str]) -> list[tuple[object, ...]]:
    columns = (
        removal.inlet_mean, removal.effluent_mean, removal.inlet_load_kg, removal.effluent_load_kg,
        removal.by_concentration, removal.by_load,
    )  # fmt: skip
    return [
        (
            removal.parameter, step, name, removal.unit,
            *(None if np.isnan(column[i]) else float(column[i]) for column in columns),
            int(removal.effective[i]), int(removal.days[i]),
        )
        for i, name in enumerate(names)
    ]  # fmt: skip
