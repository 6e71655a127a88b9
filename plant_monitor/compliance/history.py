"""Verdicts that changed after they had been given: what they were, what they are, and why."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from plant_monitor.annotations import Annotation
from plant_monitor.compliance.difference import COMPARED, differences
from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.compliance.tables import Table
from plant_monitor.plant import FLOW, VOLUME, Plant
from plant_monitor.windows import hour_labels, window_start_ms

LATE_DATA, ANNOTATION = "late_data", "annotation"

_SHARE = {"monthly": "effective_days"}  # how much of the window is known; else the valid share
_KEPT = ("point", "parameter", "limit_set", "statistic", "verdict", "lower", "upper")

#: A verdict as it is kept: table, window, then ``_KEPT``, value, known share.
Judged = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A verdict that is another than it was; an empty one did not exist.

    ``table`` hourly | daily | monthly · ``window`` as in that file · ``start_ms`` of the window · ``cause`` late_data |
    annotation | limit | rule · ``annotations`` ids of those that came or were taken back
    """

    table: str
    point: str
    parameter: str
    window: str
    start_ms: int
    limit_set: str
    statistic: str
    old_verdict: str
    new_verdict: str
    old_value: float | None
    new_value: float | None
    cause: str
    annotations: tuple[int, ...] = ()
    changed_ms: int = 0
    id: int = 0


@dataclass(frozen=True, slots=True)
class JudgedDay:
    """The verdicts of a local day, of windows that are over, and what they rest on beside readings.

    A month stands at its last day. ``limits`` digest of the limits · ``said`` ids of annotations by ``point/parameter``
    """

    verdicts: tuple[Judged, ...]
    limits: str
    said: Mapping[str, tuple[int, ...]]


def limits_version(plant: Plant) -> str:
    """A digest of what is judged by which limits: another one, and verdicts may be others for the same readings."""
    applied = [(p.id, p.series, [plant.limit_set_by_id[s] for s in p.limits]) for p in plant.points]
    return hashlib.sha256(repr((applied, plant.zone.key)).encode()).hexdigest()[:16]


def judged_days(
    plant: Plant, evaluation: Evaluation, until_ms: int, annotations: Sequence[Annotation]
) -> dict[date, JudgedDay]:
    """The verdicts of an evaluation, by day, of windows that end by ``until_ms``. No early warnings: an hour counts
    under an hourly statistic alone."""
    windows, limits = evaluation.windows, limits_version(plant)
    over = [day for day, end in zip(windows.days, windows.day_edges[1:].tolist(), strict=True) if end <= until_ms]
    verdicts: dict[date, list[Judged]] = {day: [] for day in windows.days}
    for row in _limited(evaluation.daily):
        day = date.fromisoformat(row["date"])
        if day in over:
            verdicts[day].append(_judged("daily", row))
    hours = zip(hour_labels(windows, plant.zone), windows.hour_edges[1:].tolist(), strict=True)
    ended = {label for label, end in hours if end <= until_ms}
    for row in _limited(evaluation.hourly, "hourly"):
        if row["hour"] in ended:
            verdicts[date.fromisoformat(row["hour"][:10])].append(_judged("hourly", row))
    seen = Counter(day.isoformat()[:7] for day in over)
    for row in _limited(evaluation.monthly):
        if seen[row["month"]] == row["days"]:
            last = max(day for day in over if day.isoformat()[:7] == row["month"])
            verdicts[last].append(_judged("monthly", row))
    edges = windows.day_edges.tolist()
    said = {day: _said(plant, annotations, edges[i], edges[i + 1]) for i, day in enumerate(windows.days)}
    return {day: JudgedDay(tuple(rows), limits, said[day]) for day, rows in verdicts.items() if rows}


def changes(old: JudgedDay, new: JudgedDay, zone: ZoneInfo) -> list[VerdictChange]:
    """Verdicts of a day that differ, of windows that both have judged.

    ``cause``: as :func:`~plant_monitor.compliance.difference.differences` has it, ``data`` told apart: other
    annotations lie over the series or the point's water than did (``annotation``), else ``late_data``.
    """
    found = []
    for row in differences(_by_table(old.verdicts), _by_table(new.verdicts)).rows():
        cause, series = row["cause"], f"{row['point']}/{row['parameter']}"
        if cause == "days":  # judged for the first time
            continue
        apart = set(old.said.get(series, ())) ^ set(new.said.get(series, ()))
        if cause == "data" or (cause == "rule" and apart):
            cause = ANNOTATION if apart else LATE_DATA
        found.append(
            VerdictChange(
                row["table"], row["point"], row["parameter"], row["window"], window_start_ms(row["window"], zone),
                row["limit_set"], row["statistic"], row["old_verdict"] or "", row["new_verdict"] or "",
                row["old_value"], row["new_value"], cause, tuple(sorted(apart)) if cause == ANNOTATION else (),
            )
        )  # fmt: skip
    return found


def _limited(table: Table, statistic: str = "") -> Iterator[dict[str, Any]]:
    """Rows of a table that a limit judges, of statistics that begin so."""
    mask = np.array([bool(x) for x in table.columns["limit_set"]], dtype=bool)
    mask &= np.array([x.startswith(statistic) for x in table.columns["statistic"]], dtype=bool)
    return table.take(mask).rows()


def _judged(table: str, row: Mapping[str, Any]) -> Judged:
    window, value = COMPARED[table]
    return (table, row[window], *(row[name] for name in _KEPT), row[value], row[_SHARE.get(table, "valid_share")])


def _by_table(verdicts: Iterable[Judged]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for table, at, *kept, value, share in verdicts:
        window, number = COMPARED[table]
        row = dict(zip(_KEPT, kept, strict=True)) | {window: at, number: value, _SHARE.get(table, "valid_share"): share}
        found.setdefault(table, []).append(row)
    return found


def _said(plant: Plant, annotations: Sequence[Annotation], start_ms: int, end_ms: int) -> dict[str, tuple[int, ...]]:
    """Ids of what was said about each series or its point's water, at a time from which it may reach into the span."""
    found = {}
    for series in plant.series:
        reach = 2 * (series.interval_ms or 0)
        near = [a for a in annotations if a.start_ms < end_ms + reach and a.end_ms >= start_ms - reach]
        water = [s for s in plant.point_by_id[series.point].series if s.parameter in (FLOW, VOLUME)]
        ids = tuple(sorted(a.id for a in near if any(a.concerns(s) for s in (series, *water))))
        if ids:
            found[f"{series.point}/{series.parameter}"] = ids
    return found
