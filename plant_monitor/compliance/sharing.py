"""What each member brought of a day's water, and how it compares with what came in at the plant.

Measured flows, for panels and screens: a bill counts litres between registers (``allocation``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from plant_monitor.compliance.headroom import all_known_ms, sum_known
from plant_monitor.compliance.means import ENOUGH, PointVolume
from plant_monitor.compliance.tables import RECONCILIATION_COLUMNS, SHARE_COLUMNS, Table
from plant_monitor.plant import Plant
from plant_monitor.readings import FloatArray
from plant_monitor.windows import Windows


def member_shares(plant: Plant, volumes: Mapping[str, PointVolume], windows: Windows) -> Table:
    """A row a day and member: what is known of its volume, m³, and its share of all members'.

    The share is unknown on a day on which less than three quarters of any member's time are known, or nothing
    flowed. ``quota_m3`` is empty where the member has none.
    """
    days = {m.id: _days(_of_member(plant, volumes, m.id), windows) for m in plant.members}
    total = sum_known([volume for volume, _ in days.values()], len(windows.days))
    known = np.all([share >= ENOUGH for _, share in days.values()], axis=0) & (total > 0)
    rows = []
    for i, day in enumerate(windows.days):
        for member in plant.members:
            volume, share = days[member.id]
            quota = None if member.quota_m3_d is None else float(member.quota_m3_d)
            of_all = float(volume[i] / total[i]) if known[i] else None
            rows.append((day.isoformat(), member.id, _known(volume[i]), of_all, quota, float(share[i])))
    return Table.of_rows(SHARE_COLUMNS, rows)


def reconciliation(plant: Plant, volumes: Mapping[str, PointVolume], windows: Windows) -> Table:
    """A row a day: the inlet's volume, the outfalls' sum, and what the inlet has more, m³ and as a share of it.

    The difference is unknown where less than three quarters of either are known. No rows without an inlet.
    """
    if plant.inlet is None:
        return Table.of_rows(RECONCILIATION_COLUMNS, [])
    inlet, inlet_share = _days([volumes[plant.inlet]], windows)
    outfalls, outfall_share = _days([volumes[p.id] for p in plant.outfalls], windows)
    rows = []
    for i, day in enumerate(windows.days):
        share = min(float(inlet_share[i]), float(outfall_share[i]))
        difference = float(inlet[i] - outfalls[i]) if share >= ENOUGH else None
        part = difference / float(inlet[i]) if difference is not None and inlet[i] > 0 else None
        rows.append((day.isoformat(), _known(inlet[i]), _known(outfalls[i]), difference, part, share))
    return Table.of_rows(RECONCILIATION_COLUMNS, rows)


def _of_member(plant: Plant, volumes: Mapping[str, PointVolume], member: str) -> list[PointVolume]:
    return [volumes[p.id] for p in plant.outfalls if p.member == member]


def _days(parts: Sequence[PointVolume], windows: Windows) -> tuple[FloatArray, FloatArray]:
    """(D,) the sum of what is known, NaN where nothing is; the share of the day in which all of it is known."""
    days = len(windows.days)
    lengths = np.maximum(np.diff(windows.day_edges), 1)
    known_ms = np.bincount(windows.hour_day, all_known_ms(parts, windows.hour_edges), days)
    return sum_known([part.daily for part in parts], days), known_ms / lengths


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
