"""What alerts are opened for beside the episodes and warnings of an evaluation: gateways, headroom, balances."""

from __future__ import annotations

from collections.abc import Sequence

from plant_monitor import monitor
from plant_monitor.alerts.bulletins import DayFigures
from plant_monitor.alerts.lifecycle import Exceedance, Kind
from plant_monitor.alerts.messages import PARAMETERS
from plant_monitor.compliance.balance import Passed, daily_differences, passed
from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.compliance.outages import outages
from plant_monitor.compliance.standing import standing_series, standing_since_ms
from plant_monitor.compliance.warnings import PlantWarning, came
from plant_monitor.gateways import Group
from plant_monitor.plant import FLOW, VOLUME, Name, Plant
from plant_monitor.readings import ReadingSource
from plant_monitor.windows import HOUR_MS, Windows


def day_figures(plant: Plant, evaluation: Evaluation) -> DayFigures:
    """What the daily report tells of an evaluated day."""
    rows = [row for row in evaluation.daily.rows() if row["limit_set"]]
    over = [row for row in rows if row["verdict"] == "exceeded"]
    told = []
    for row in over:
        name = PARAMETERS.get(row["parameter"], Name(row["parameter"], row["parameter"]))
        bounds = [f"{side} {row[key]:g}" for side, key in (("≥", "lower"), ("≤", "upper")) if row[key] is not None]
        numbers = f"{'' if row['value'] is None else format(row['value'], '.4g')} ({', '.join(bounds)})"
        told.append(Name(f"- {row['point']} {name.zh} {numbers}", f"- {row['point']} {name.en} {numbers}"))
    inflow = None
    for day in evaluation.headroom.rows():
        if day["used_share"] is not None:
            text = f"{day['inflow_m3']:.0f} m3, {100 * day['used_share']:.0f} %"
            inflow = Name(f"进水量:{text}(设计能力)", f"Inflow: {text} of capacity")
    short = sum(row["verdict"] == "insufficient_data" for row in rows)
    return DayFigures(tuple(told), len(rows), short, inflow)


def silences(
    plant: Plant, source: ReadingSource, groups: Sequence[Group], silent: Sequence[PlantWarning], until_ms: int
) -> list[Exceedance]:
    """Silent instruments, as what alerts are opened for: those of a gateway that is out as one."""
    suspects = [g for g in groups if sum(plant.series_index[w.point, w.parameter] in g.series for w in silent) > 1]
    if not suspects:
        return monitor.warned(silent)
    chosen = frozenset().union(*(g.series for g in suspects))
    start_ms = min(w.start_ms for w in silent)
    readings = monitor.readings_around(plant, source, start_ms, until_ms, chosen=chosen).by_time()
    found, rest = outages(plant, suspects, silent, {i: came(readings.of_series(i)) for i in chosen}, until_ms)
    return monitor.warned(rest) + [
        Exceedance(
            point=o.group.point, parameter="", limit_set="", statistic=str(Kind.SILENT_DEVICE), start_ms=o.start_ms,
            end_ms=o.end_ms, windows=o.instruments, peak=float(o.instruments), limit=0.0, peak_ratio=None,
            ongoing=o.ongoing, kind=Kind.SILENT_DEVICE, evidence=o.evidence, subject=o.group.id,
        )
        for o in found
    ]  # fmt: skip


def short_of_headroom(plant: Plant, source: ReadingSource, hour_ms: int) -> list[Exceedance]:
    """What passes capacity, design loads and quotas by a full hour, as what alerts are opened for."""
    since_ms = standing_since_ms(plant, hour_ms - HOUR_MS)
    readings = monitor.readings_around(plant, source, since_ms, hour_ms, chosen=standing_series(plant))
    return [
        Exceedance(
            point="", parameter=one.quantity, limit_set="", statistic="day", start_ms=one.start_ms,
            end_ms=one.end_ms, windows=1, peak=one.amount, limit=one.allowed, peak_ratio=one.amount / one.allowed,
            ongoing=True, unit=one.unit, kind=Kind.HEADROOM, subject=one.member, member=one.member,
            evidence=_passed_words(one),
        )
        for one in passed(plant, readings, hour_ms)
    ]  # fmt: skip


def _passed_words(one: Passed) -> Name:
    zh, en = {"last_24_h": ("近 24 小时", "the last 24 h"), "midnight": ("预计到午夜", "by midnight, as it goes")}[
        one.span
    ]
    amount, allowed = f"{one.amount:.4g} {one.unit}", f"{one.allowed:.4g} {one.unit}"
    return Name(f"{zh} {amount},允许每天 {allowed}", f"{en}: {amount}; {allowed} a day are allowed")


def unreconciled(plant: Plant, source: ReadingSource, windows: Windows, until_ms: int) -> list[Exceedance]:
    """Days on which inlet and outfalls do not agree, as what alerts are opened for."""
    if plant.inlet is None or plant.tariff.difference_tolerance is None:
        return []
    metered = {plant.inlet, *(p.id for p in plant.outfalls)}
    chosen = {i for i, s in enumerate(plant.series) if s.point in metered and s.parameter in (FLOW, VOLUME)}
    readings = monitor.readings_around(plant, source, windows.start_ms, windows.end_ms, chosen=chosen)
    found = []
    for one in daily_differences(plant, readings, windows, until_ms):
        off = one.inlet_m3 - one.outfalls_m3
        sides = f"{one.inlet_m3:.4g}", f"{one.outfalls_m3:.4g}", f"{off:+.4g}", f"{one.tolerated_m3:.4g}"
        words = Name(
            "进水口 {} m3,各排放口合计 {} m3,差额 {} m3,允许 {} m3".format(*sides),
            "inlet {} m3, outfalls together {} m3, difference {} m3, tolerated {} m3".format(*sides),
        )
        ratio = abs(off) / one.tolerated_m3 if one.tolerated_m3 else None
        found.append(
            Exceedance(
                plant.inlet, VOLUME, "", "day", one.start_ms, one.end_ms, 1, abs(off), one.tolerated_m3, ratio,
                False, "m3", kind=Kind.UNRECONCILED_DIFFERENCE, evidence=words,
            )
        )  # fmt: skip
    return found
