"""A day's verdict in words and numbers that a lay reader can follow (zh/en): from readings to mean to limit.

Nothing is computed here that the evaluation does not compute: the lines say what it did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from plant_monitor import units
from plant_monitor.annotations import Annotation, Kind
from plant_monitor.compliance.evaluate import Evaluation, evaluate
from plant_monitor.compliance.history import VerdictChange
from plant_monitor.holds import FlowCurve, flow_curve
from plant_monitor.plant import FLOW, PH, VOLUME, Limit, Name, Plant, Point, Represents, Series
from plant_monitor.readings import MADE, Readings, mark_text
from plant_monitor.windows import HOUR_MS, Windows, rfc3339

VERDICTS = {
    "no_limit": ("没有有效限值，不作判定", "no limit is in force, so nothing is judged"),
    "no_discharge": ("没有排放，不作判定", "nothing was discharged, so nothing is judged"),
    "insufficient_data": (
        "有效数据不足 75 %，不能判定达标",
        "less than 75 % of the data are valid: no verdict, and never «met»",
    ),
    "exceeded": ("超标", "exceeded"),
    "met": ("达标", "met"),
}

VERDICT_WORDS = {
    "no_limit": ("无限值", "without a limit"),
    "no_discharge": ("无排放", "without discharge"),
    "insufficient_data": ("数据不足", "insufficient data"),
    "exceeded": ("超标", "exceeded"),
    "met": ("达标", "met"),
}

# What a mark says (HJ 212-2017 table 8; X is ours).
MARKS = {
    "N": ("没有数值", "no value"),
    "F": ("仪器停运", "instrument stopped"),
    "M": ("维护", "maintenance"),
    "S": ("手工设定", "set by hand"),
    "D": ("故障", "fault"),
    "C": ("校准", "calibration"),
    "T": ("超量程", "over range"),
    "B": ("通讯中断", "communication lost"),
    "X": ("人工剔除", "excluded by a person"),
}

KINDS = {
    Kind.MAINTENANCE: ("维护", "maintenance"),
    Kind.CALIBRATION: ("校准", "calibration"),
    Kind.FAULT: ("故障", "fault"),
    Kind.EXCLUSION: ("剔除", "exclusion"),
    Kind.MANUAL_VALUE: ("手工值", "value by hand"),
    Kind.METER_EXCHANGE: ("换表", "meter exchange"),
}

UNKNOWN = ("未知标记", "a mark that is not known")


def explain_day(
    plant: Plant,
    readings: Readings,
    windows: Windows,
    point: Point,
    series: Series,
    annotations: Sequence[Annotation] = (),
) -> list[Name]:
    """The derivation of one series' verdicts on the one day of ``windows``, line by line.

    ``readings`` as for :func:`~plant_monitor.compliance.evaluate.evaluate`; ``annotations`` lie over them already,
    and are told.
    """
    evaluation = evaluate(plant, readings, windows)
    by_parameter = {
        s.parameter: readings.of_series(plant.series_index[point.id, s.parameter]).by_time() for s in point.series
    }
    own = by_parameter[series.parameter]
    curve = flow_curve(point, plant, by_parameter, windows.hour_edges)
    rows = [r for r in evaluation.daily.rows() if (r["point"], r["parameter"]) == (point.id, series.parameter)]
    lines = [_title(point, series, windows), *_readings(own, windows)]
    lines += [_annotated(one, plant) for one in annotations if _matters(one, point, series, windows)]
    lines.append(_hold(series))
    if series.parameter != FLOW:
        lines += _flow(point, plant, by_parameter, curve, windows)
    lines += _share(rows[0], curve, series, windows)
    lines += _statistic(plant, series, rows[0], curve, evaluation)
    for row in rows:
        lines += _judged(plant, series, row, evaluation)
    return lines


CAUSES = {
    "late_data": ("迟到或更正的数据", "late or corrected data"),
    "annotation": ("标注", "an annotation"),
    "limit": ("限值变更", "another limit"),
    "rule": ("判定规则变更", "another rule"),
}


def explain_change(change: VerdictChange, zone: ZoneInfo) -> Name:
    """One line: what a verdict was, what it is now, when and why it changed."""
    none = ("无", "none")
    old, new = (VERDICT_WORDS.get(v, none) for v in (change.old_verdict, change.new_verdict))
    zh, en = CAUSES[change.cause]
    ids = ", ".join(map(str, change.annotations))
    when = rfc3339(change.changed_ms // 1000 * 1000, zone)
    about = f"{change.window} {change.limit_set} ({change.statistic})"
    return Name(
        f"更改 {when}：{about} 由{old[0]}改为{new[0]}，原因：{zh}{f' {ids}' if ids else ''}。",
        f"Changed {when}: {about} was {old[1]}, is {new[1]}, because of {en}{f' ({ids})' if ids else ''}.",
    )


def _title(point: Point, series: Series, windows: Windows) -> Name:
    day = windows.days[0].isoformat()
    zh, en = (point.name.zh, point.name.en) if point.name else (point.id, point.id)
    return Name(f"{zh} {series.parameter}，{day}", f"{en}, {series.parameter} on {day}")


def _readings(own: Readings, windows: Windows) -> list[Name]:
    inside = own.take((own.time >= windows.start_ms) & (own.time < windows.end_ms) & (own.mark != MADE))
    valid = int(inside.valid.sum())
    lines = [
        Name(
            f"当日读数 {len(inside)} 个，其中有效 {valid} 个。",
            f"{len(inside)} readings that day, {valid} of them valid.",
        )
    ]
    marks = Counter(mark_text(int(m)) for m in inside.mark[~inside.valid])
    if marks:
        zh, en = (
            ", ".join(f"{m} × {n} ({MARKS.get(m, UNKNOWN)[language]})" for m, n in sorted(marks.items()))
            for language in (0, 1)
        )
        lines.append(Name(f"无效读数按标记：{zh}。", f"Invalid, by mark: {en}."))
    return lines


def _matters(one: Annotation, point: Point, series: Series, windows: Windows) -> bool:
    """True where it may have had a part in the day: it is about the series or the point's water."""
    water = [s for s in point.series if s.parameter in (FLOW, VOLUME)]
    reach = 2 * (series.interval_ms or 0)
    near = one.start_ms < windows.end_ms + reach and one.end_ms >= windows.start_ms - reach
    return near and any(one.concerns(s) for s in (series, *water))


def _annotated(one: Annotation, plant: Plant) -> Name:
    zh, en = KINDS[one.kind]
    times = rfc3339(one.start_ms, plant.zone), rfc3339(one.end_ms, plant.zone)
    span = times[0] if one.start_ms == one.end_ms else " – ".join(times)
    what = one.parameter or "*"
    says = "" if one.value is None else f" {one.value:g}"
    says += "" if one.closing is None else f" {one.closing:g} → {one.opening:g}"
    shown = f" ({one.evidence})" if one.evidence else ""
    return Name(
        f"标注 {one.id}：{what} {zh}{says}，{span}；理由：{one.reason}{shown}；录入 {one.author}。原始读数保留。",
        f"Annotation {one.id}: {what}, {en}{says}, {span}; because: {one.reason}{shown}; by {one.author}. "
        "What was measured is kept.",
    )


def _hold(series: Series) -> Name:
    minutes = (series.interval_ms or 0) / 60_000
    if series.represents is Represents.BEFORE:
        return Name(
            f"每个读数代表它之前的时段，至上一个读数为止，最长 {2 * minutes:g} 分钟。",
            f"A reading speaks for the time before it, back to the previous one, at most {2 * minutes:g} min.",
        )
    return Name(
        f"每个读数有效至下一个读数，最长 {2 * minutes:g} 分钟。",
        f"A reading holds until the next one, at most {2 * minutes:g} min.",
    )


def _flow(point: Point, plant: Plant, readings: dict[str, Readings], curve: FlowCurve, windows: Windows) -> list[Name]:
    if not curve.metered:
        return [Name("该点不计流量，按时间加权。", "The point has no flow meter: every moment weighs the same.")]
    alone = flow_curve(point, plant, readings, windows.hour_edges, totaliser=False)
    known, by_flow = int(curve.known_ms.sum()), int(alone.known_ms.sum())
    volume = float(np.nansum(curve.volume_m3))
    lines = [
        Name(
            f"流量已知 {_hours(known)} 小时，排放 {volume:.3f} m³。",
            f"The flow is known for {_hours(known)} h; {volume:.3f} m³ were discharged.",
        )
    ]
    if point.find(VOLUME) is not None and known > by_flow:
        lines.append(
            Name(
                f"其中 {_hours(known - by_flow)} 小时无有效流量读数，由累积流量的斜率代替。",
                f"For {_hours(known - by_flow)} h of that no flow reading is valid: the totaliser's slope stands in.",
            )
        )
    return lines


def _share(row: dict[str, Any], curve: FlowCurve, series: Series, windows: Windows) -> list[Name]:
    due = windows.end_ms - windows.start_ms if series.parameter == FLOW else int(curve.due_ms.sum())
    if row["valid_share"] is None:
        return [Name("全天无排放，无应测时间。", "Nothing was discharged all day: no time is due.")]
    valid = round(row["valid_share"] * due)
    return [
        Name(
            f"应测时间（排放或流量未知）{_hours(due)} 小时，有效 {_hours(valid)} 小时："
            f"有效率 {row['valid_share']:.2%}（要求 ≥ 75 %）。",
            f"Due (discharging, or flow unknown) {_hours(due)} h, valid {_hours(valid)} h: "
            f"valid share {row['valid_share']:.2%} (75 % is needed).",
        )
    ]


def _statistic(
    plant: Plant, series: Series, row: dict[str, Any], curve: FlowCurve, evaluation: Evaluation
) -> list[Name]:
    if series.parameter == PH:
        return [
            Name(
                "pH 不作平均：按各小时的时间加权中位数判定。",
                "pH is never averaged: each hour's weighted median is judged.",
            )
        ]
    load = row["load_kg"]
    if not (units.is_concentration(series.unit) and curve.metered and load and row["value"]):
        return [Name("按时间加权平均。", "Time-weighted mean.")]
    if row["statistic"] == "daily_load":
        return [
            Name(
                f"负荷为有效时间内浓度 × 流量之和：{load:.6g} kg。",
                f"The load is concentration × flow, summed over the valid time: {load:.6g} kg.",
            )
        ]
    if row["statistic"] != "daily_mean":
        return [Name("各小时按流量加权。", "Each hour is flow-weighted.")]
    unit = _unit(plant, series, row, evaluation)
    m3 = load / (row["value"] * units.factor(unit, "kg/m3"))
    sum_ = f"{load:.6g} kg ÷ {m3:.3f} m³ = {row['value']:.6g} {unit}"
    return [
        Name(
            f"流量加权（HJ 212-2017 附录 D 式 12–14），有效时间内：{sum_}。",
            f"Flow-weighted (HJ 212-2017 App. D, eqs 12–14), in valid time: {sum_}.",
        )
    ]


def _unit(plant: Plant, series: Series, row: dict[str, Any], evaluation: Evaluation) -> str:
    """The unit of a row's numbers: that of its limit, else of the series."""
    if not row["limit_set"]:
        return series.unit
    limit = _limit(plant.limit_set_by_id[row["limit_set"]].limits, series, row, evaluation)
    return limit.unit or series.unit if limit else series.unit


def _judged(plant: Plant, series: Series, row: dict[str, Any], evaluation: Evaluation) -> list[Name]:
    zh, en = VERDICTS[row["verdict"]]
    if not row["limit_set"]:
        value = "—" if row["value"] is None else f"{row['value']:.6g} {series.unit}"
        return [Name(f"{row['statistic']} {value}：{zh}。", f"{row['statistic']} {value}: {en}.")]
    limit_set = plant.limit_set_by_id[row["limit_set"]]
    limit = _limit(limit_set.limits, series, row, evaluation)
    unit = _unit(plant, series, row, evaluation)
    shown = "" if unit == "1" else f" {unit}"
    bounds = " … ".join(f"{row[b]:g}" for b in ("lower", "upper") if row[b] is not None)
    value = "—" if row["value"] is None else f"{row['value']:.6g}"
    head = f"{row['limit_set']} ({row['statistic']})"
    lines = [
        Name(
            f"{limit_set.title.zh} {head}：{value}{shown}，限值 {bounds}{shown}：{zh}。",
            f"{limit_set.title.en} {head}: {value}{shown}, limit {bounds}{shown}: {en}.",
        )
    ]
    if limit is not None:
        dates = _in_force(limit)
        source = " ".join(x for x in (limit.clause, limit.source or limit_set.source) if x)
        of = Name(f"{source}；" if source else "", f"{source}; " if source else "")
        lines.append(Name(f"  限值来源：{of.zh}{dates.zh}。", f"  The limit: {of.en}{dates.en}."))
        if not limit.verified:
            lines.append(
                Name(
                    "  注意：该限值数字尚未与标准原文核对。",
                    "  Note: this number was not seen in the standard's own text.",
                )
            )
    if row["statistic"].startswith("hourly"):
        lines.append(_hours_judged(series, row, evaluation))
    return lines


def _limit(limits: Sequence[Limit], series: Series, row: dict[str, Any], evaluation: Evaluation) -> Limit | None:
    """The limit of a row: of those in force that day the one with the latest ``valid_from``."""
    day = evaluation.windows.days[0]
    mine = [x for x in limits if (x.parameter, x.statistic) == (series.parameter, row["statistic"]) and x.in_force(day)]
    return max(mine, key=lambda x: str(x.valid_from or ""), default=None)


def _in_force(limit: Limit) -> Name:
    if limit.valid_from and limit.valid_to:
        span = f"{limit.valid_from} – {limit.valid_to}"
        return Name(f"有效期 {span}", f"in force {span}")
    if limit.valid_from:
        return Name(f"自 {limit.valid_from} 起有效", f"in force since {limit.valid_from}")
    if limit.valid_to:
        return Name(f"有效至 {limit.valid_to}", f"in force until {limit.valid_to}")
    return Name("长期有效", "in force at all times")


def _hours_judged(series: Series, row: dict[str, Any], evaluation: Evaluation) -> Name:
    key = (series.point, series.parameter, row["limit_set"], row["statistic"])
    hours = [r for r in evaluation.hourly.rows() if (r["point"], r["parameter"], r["limit_set"], r["statistic"]) == key]
    counts = Counter(r["verdict"] for r in hours)
    told = ", ".join(f"{verdict} × {count}" for verdict, count in sorted(counts.items()))
    told_zh = "，".join(f"{VERDICT_WORDS[verdict][0]} × {count}" for verdict, count in sorted(counts.items()))
    decided = [r for r in hours if r["verdict"] in ("met", "exceeded")]
    tightest = next((r["hour"][11:16] for r in decided if r["mean"] == row["value"]), None)
    over = [f"{r['hour'][11:16]} ({r['mean']:.6g})" for r in decided if r["verdict"] == "exceeded"]
    zh, en = f"  各小时：{told_zh}", f"  By hour: {told}"
    if tightest is not None:
        zh, en = (
            f"{zh}；当日数值为余量最小的小时（{tightest}）",
            f"{en}; the day's value is its tightest hour's: {tightest}",
        )
    if over:
        zh, en = f"{zh}；超标小时：{'、'.join(over)}", f"{en}; exceeded in the hour of {', '.join(over)}"
    return Name(f"{zh}。", f"{en}.")


def _hours(ms: int) -> str:
    return f"{ms / HOUR_MS:.2f}".rstrip("0").rstrip(".")
