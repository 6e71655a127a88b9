"""A dead gateway is one warning, not forty: silences of series that share a fate, told as one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plant_monitor.compliance.warnings import PlantWarning, patience_ms
from plant_monitor.gateways import Group
from plant_monitor.plant import Name, Plant
from plant_monitor.readings import IntArray


@dataclass(frozen=True, slots=True)
class Outage:
    """Nothing came from a whole group in ``[start_ms, end_ms)``; ``instruments`` of it have been missed by now."""

    group: Group
    start_ms: int
    end_ms: int
    instruments: int
    ongoing: bool
    evidence: Name


def outages(
    plant: Plant, groups: Sequence[Group], silent: Sequence[PlantWarning], came: Mapping[int, IntArray], until_ms: int
) -> tuple[list[Outage], list[PlantWarning]]:
    """The outages of groups, and the silences that none of them explains.

    ``groups`` the widest first · ``silent`` runs of silence · ``came`` by series (n,) ms when something came, sorted,
    from before the first run on. A group is out while none of its series says anything for longer than the fastest
    of them may, and at least two of them are missed. That explains a silence that began not much before and ended
    not much later: by no more than the instrument itself may keep quiet.
    """
    found: list[Outage] = []
    rest = list(silent)
    for group in groups:
        intervals = [ms for i in group.series if (ms := plant.series[i].interval_ms) is not None]
        mine = [w for w in rest if plant.series_index[w.point, w.parameter] in group.series]
        if len(mine) < 2 or not intervals:
            continue
        for start, end in _gaps([came[i] for i in group.series], patience_ms(min(intervals)), until_ms):
            explained = [w for w in mine if _explains(plant, start, end, w)]
            if len({w.parameter + w.point for w in explained}) > 1:
                found.append(_outage(group, start, end, len(explained), ongoing=end >= until_ms))
                rest = [w for w in rest if w not in explained]
                mine = [w for w in mine if w not in explained]
    return found, rest


def _gaps(came: Sequence[IntArray], longest_ms: int, until_ms: int) -> list[tuple[int, int]]:
    """Stretches in which nothing came of any."""
    times = np.unique(np.concatenate([*came, np.array([until_ms], dtype=np.int64)]))
    times = times[times <= until_ms]
    long = np.flatnonzero(np.diff(times) > longest_ms)
    return [(int(times[i]), int(times[i + 1])) for i in long]


def _explains(plant: Plant, start: int, end: int, silence: PlantWarning) -> bool:
    interval = plant.series[plant.series_index[silence.point, silence.parameter]].interval_ms
    patience = patience_ms(interval or 0)
    overlap = silence.start_ms < end and start < silence.end_ms
    return overlap and start - silence.start_ms <= patience and silence.end_ms - end <= patience


def _outage(group: Group, start: int, end: int, missed: int, *, ongoing: bool) -> Outage:
    hours, size = (end - start) / 3_600_000, len(group.series)
    evidence = Name(
        f"{group.name.zh}:{size} 个因子 {hours:.3g} 小时无任何读数(其中 {missed} 个已超时)",
        f"{group.name.en}: nothing from any of its {size} series for {hours:.3g} h ({missed} of them overdue)",
    )
    return Outage(group, start, end, missed, ongoing, evidence)
