"""Results as columns, in the shape of the files of design §4.3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HOURLY_COLUMNS = (
    "point", "parameter", "hour", "mean", "min", "max", "valid_share", "volume_m3", "load_kg",
    "limit_set", "statistic", "lower", "upper", "verdict",
)  # fmt: skip
DAILY_COLUMNS = (
    "point", "parameter", "date", "statistic", "value", "lower", "upper", "limit_set", "ratio",
    "valid_share", "volume_m3", "load_kg", "verdict",
)  # fmt: skip
MONTHLY_COLUMNS = (
    "point", "parameter", "month", "statistic", "value", "lower", "upper", "limit_set", "ratio",
    "effective_days", "days", "verdict",
)  # fmt: skip
EXCEEDANCE_COLUMNS = (
    "point", "parameter", "limit_set", "statistic", "start", "end", "windows", "peak", "limit", "peak_ratio",
)  # fmt: skip
HEADROOM_COLUMNS = ("date", "inflow_m3", "capacity_m3", "headroom_m3", "used_share", "peak_m3_h", "valid_share")
STANDING_COLUMNS = (
    "member", "quantity", "unit", "span", "start", "end", "amount", "allowed", "headroom", "used_share", "valid_share",
)  # fmt: skip
FORECAST_COLUMNS = ("date", "p10_m3", "p50_m3", "p90_m3", "capacity_m3", "passing_chance")
SHARE_COLUMNS = ("date", "member", "volume_m3", "share", "quota_m3", "valid_share")
RECONCILIATION_COLUMNS = ("date", "inlet_m3", "outfalls_m3", "difference_m3", "difference_share", "valid_share")
REMOVAL_COLUMNS = (
    "parameter", "step", "period", "unit", "inlet_mean", "effluent_mean", "inlet_load_kg", "effluent_load_kg",
    "removal_by_concentration", "removal_by_load", "effective_days", "days",
)  # fmt: skip
SUBSTITUTED_COLUMNS = (
    "point", "parameter", "date", "measured_load_kg", "valid_share", "substituted_load_kg", "from_date",
    "basis_days", "method", "mark",
)  # fmt: skip
RATES_COLUMNS = (
    "point", "parameter", "month", "expected", "received", "valid", "transmission_rate", "validity_rate",
    "effective_rate", "required_rate", "required_mark", "reached", "seen_days", "days",
)  # fmt: skip
LAB_COLUMNS = (
    "point", "parameter", "sample_start", "sample_end", "date", "result", "result_unit", "value", "unit", "limit_set",
    "statistic", "lower", "upper", "ratio", "verdict", "limit_verified", "online_mean", "online_valid_share",
    "difference", "difference_share", "tolerance", "tolerance_mark", "agrees", "method", "laboratory", "who",
)  # fmt: skip
EVIDENCE_COLUMNS = (
    "point", "parameter", "date", "limit_set", "statistic", "verdict", "rule_version", "limit_set_version",
    "readings", "readings_sha256",
)  # fmt: skip
WARNING_COLUMNS = (
    "point", "parameter", "kind", "start", "end", "limit_set", "statistic", "value", "bound", "unit", "count",
    "passes_at", "avoid_mg_l", "avoid_flow_m3_h", "message_zh", "message_en",
)  # fmt: skip
FINDING_COLUMNS = ("time", "point", "parameter", "code", "message")


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns of one length: text as object arrays, numbers as float64 or int64, NaN = unknown."""

    columns: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @staticmethod
    def of_rows(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
        """A table from rows; None stands for unknown."""
        columns = {}
        for i, name in enumerate(names):
            column = np.empty(len(rows), dtype=object)
            column[:] = [row[i] for row in rows]
            columns[name] = column
        return Table(columns)

    @staticmethod
    def stack(names: Sequence[str], parts: Sequence[Table]) -> Table:
        """The parts one below the other. Those without rows have no say in a column's type."""
        parts = [part for part in parts if len(part)]
        if not parts:
            return Table.of_rows(names, [])
        return Table({name: np.concatenate([p.columns[name] for p in parts]) for name in names})

    def take(self, index: NDArray[Any]) -> Table:
        """The rows chosen by an index or mask."""
        return Table({name: column[index] for name, column in self.columns.items()})

    def tuples(self) -> Iterator[tuple[Any, ...]]:
        """Rows as tuples of Python values, None for unknown."""
        return zip(*(_plain(column) for column in self.columns.values()), strict=True)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Rows as dicts of Python values, None for unknown."""
        names = tuple(self.columns)
        return (dict(zip(names, row, strict=True)) for row in self.tuples())


def text_column(value: str, n: int) -> NDArray[Any]:
    """One text repeated."""
    column = np.empty(n, dtype=object)
    column[:] = value
    return column


def _plain(column: NDArray[Any]) -> list[Any]:
    values: list[Any] = column.tolist()
    if column.dtype.kind != "f":
        return values
    for i in np.flatnonzero(np.isnan(column)):
        values[i] = None
    return values
