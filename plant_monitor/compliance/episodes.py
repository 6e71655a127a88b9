"""Runs of exceeded windows (design §5, *Episodes*)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plant_monitor.compliance.limits import EXCEEDED, MET, NO_LIMIT, VerdictArray, closest
from plant_monitor.holds import exceeds
from plant_monitor.plant import Statistic
from plant_monitor.readings import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Episode:
    """A maximal run of exceeded windows of one series, limit set and statistic.

    ``start_ms``, ``end_ms`` of the first and last exceeded window · ``windows`` the exceeded ones ·
    ``peak`` the value with the smallest margin · ``limit`` the bound passed there, both in the limit's
    unit · ``peak_ratio`` peak ÷ upper, or lower ÷ peak; None where that divides by 0 · ``ongoing`` no
    later window of the evaluation ends it.
    """

    point: str
    parameter: str
    limit_set: str
    statistic: Statistic
    start_ms: int
    end_ms: int
    windows: int
    peak: float
    limit: float
    peak_ratio: float | None
    unit: str
    ongoing: bool


def episodes(
    key: tuple[str, str, str, Statistic, str],
    value: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    verdict: VerdictArray,
    edges: IntArray,
) -> list[Episode]:
    """The episodes of one (point, parameter, limit set, statistic, unit) over W windows.

    ``met`` and ``no_limit`` windows end a run; ``insufficient_data`` and ``no_discharge`` neither extend
    nor end one. ``edges`` (W+1,) ms.
    """
    hit = np.flatnonzero(verdict == EXCEEDED)
    if hit.size == 0:
        return []
    ends = (verdict == MET) | (verdict == NO_LIMIT)
    breaks = np.cumsum(ends)
    run = np.unique(breaks[hit], return_inverse=True)[1]
    first = np.flatnonzero(np.diff(run, prepend=-1))
    last = np.append(first[1:], hit.size) - 1
    peaks = hit[closest(value[hit], lower[hit], upper[hit], run, first.size)]
    over = exceeds(value[peaks], upper[peaks])
    limits = np.where(over, upper[peaks], lower[peaks])
    final = np.flatnonzero(ends)[-1:]  # the last window that ends a run
    ongoing = hit[last] >= (final[0] if final.size else -1)
    point, parameter, limit_set, statistic, unit = key
    found = []
    columns = (
        edges[hit[first]], edges[hit[last] + 1], last - first + 1, value[peaks], limits, over, ongoing,
    )  # fmt: skip
    for start, end, windows, peak, limit, high, goes_on in zip(*(c.tolist() for c in columns), strict=True):
        above, below = (peak, limit) if high else (limit, peak)
        found.append(
            Episode(
                point,
                parameter,
                limit_set,
                statistic,
                start,
                end,
                windows,
                peak,
                limit,
                above / below if below != 0 else None,
                unit,
                goes_on,
            )
        )
    return found
