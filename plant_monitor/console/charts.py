"""Charts as ECharts wants them. Its time axis knows no zones: local time is handed over as if it were UTC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from plant_monitor import units
from plant_monitor.console.page import Visit
from plant_monitor.console.words import amount, unit

# Okabe and Ito's colours, told apart by every kind of eye; lines also differ in their strokes.
BLUE, GREEN, RED, AMBER, SKY, PINK = "#0072b2", "#009e73", "#d55e00", "#e69f00", "#56b4e9", "#cc79a7"


def on_axis(time: str) -> int:
    """The local time of an RFC 3339 text, as the axis has it."""
    return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp() * 1000)


def off_axis(axis_ms: float, zone: ZoneInfo) -> datetime:
    """The instant that a place on the axis means."""
    return datetime.fromtimestamp(axis_ms // 60_000 * 60, UTC).replace(tzinfo=zone)


def base(visit: Visit, **more: Any) -> dict[str, Any]:
    """What all charts share."""
    ink, line = ("#d5dfe6", "#3b4c57") if visit.dark else ("#26353f", "#cfd8de")
    style = {"axisLine": {"lineStyle": {"color": line}}, "splitLine": {"lineStyle": {"color": line, "opacity": 0.6}}}
    axis = {**style, "axisLabel": {"color": ink}, "nameTextStyle": {"color": ink}}
    made: dict[str, Any] = {
        "useUTC": True,
        "animation": False,
        "backgroundColor": "transparent",
        "textStyle": {"color": ink, "fontFamily": "inherit"},
        "grid": {"left": 64, "right": 24, "top": 36, "bottom": 32},
        "tooltip": {"trigger": "axis", "confine": True},
        "aria": {"enabled": True},
        "xAxis": {"type": "time", **axis},
        "yAxis": {"type": "value", "scale": True, **axis},
        "toolbox": {"show": False},  # a brush brings tools of its own
        "legend": {"textStyle": {"color": ink}, "top": 4, "type": "scroll"},
    }
    for name, value in more.items():
        made[name] = {**made[name], **value} if isinstance(made.get(name), dict) and isinstance(value, dict) else value
    return made


def limit_lines(visit: Visit, point: Mapping[str, Any], parameter: str, of: str) -> list[dict[str, Any]]:
    """The limits of a series that are in force today, in its unit, as lines with their names."""
    today = visit.who["time"][:10]
    w, lines = visit.words, []
    for rules in visit.plant["limit_sets"]:
        if rules["id"] not in point["limits"]:
            continue
        for limit in rules["limits"]:
            in_force = (limit["valid_from"] or "") <= today <= (limit["valid_to"] or "9999")
            if limit["parameter"] != parameter or not in_force or limit["statistic"] == "daily_load":
                continue
            factor = units.factor(limit["unit"], of) if limit["unit"] else 1.0
            for bound in ("lower", "upper"):
                if limit[bound] is not None:
                    value = limit[bound] * factor
                    label = f"{w.name(rules['title'])} · {w.statistic(limit['statistic'])} {amount(value, of)}"
                    lines.append({"yAxis": value, "name": label})
    return lines


def limit_line(visit: Visit, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Limits across a chart, dashed, each with its name."""
    ink = "#f0a070" if visit.dark else "#a34700"
    return {
        "symbol": "none",
        "silent": True,
        "data": list(lines),
        "lineStyle": {"color": RED, "type": "dashed", "width": 1.5},
        "label": {"position": "insideStartTop", "formatter": "{b}", "color": ink},
    }


def trend(
    visit: Visit,
    point: Mapping[str, Any],
    series: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    notes: Iterable[Mapping[str, Any]],
) -> dict[str, Any] | None:
    """Readings of a series, with its limits, what is not valid, and what was said about it."""
    if not rows:
        return None
    w, of = visit.words, series["unit"]
    valid = [[on_axis(r["time"]), r["value"] if r["mark"] == "N" else None] for r in rows]
    amiss = [r for r in rows if r["mark"] != "N"]
    lines = limit_lines(visit, point, series["parameter"], of)
    known = [v for _, v in valid if v is not None]
    floor = min(known, default=0.0)
    marked = [[on_axis(r["time"]), floor if r["value"] is None else r["value"], r["mark"]] for r in amiss]
    said = [
        [{"xAxis": on_axis(n["from"]), "name": n["kind"]}, {"xAxis": on_axis(n["to"])}]
        for n in notes
        if n["parameter"] in ("", series["parameter"]) and n["withdrawn"] is None
    ]
    return base(
        visit,
        legend={"show": bool(marked)},
        yAxis={"name": unit(of), "max": _top(known, lines), "min": _bottom(known, lines)},
        brush={"xAxisIndex": 0, "brushType": "lineX", "brushMode": "single", "toolbox": []},
        dataZoom=[{"type": "inside", "zoomOnMouseWheel": "ctrl", "moveOnMouseMove": False}],
        series=[
            {
                "name": w.parameter(series["parameter"]),
                "type": "line",
                "data": valid,
                "showSymbol": len(valid) < 60,
                "symbolSize": 5,
                "lineStyle": {"width": 1.6},
                "itemStyle": {"color": SKY if visit.dark else BLUE},
                "markLine": limit_line(visit, lines),
                "markArea": {
                    "silent": True,
                    "itemStyle": {"color": AMBER, "opacity": 0.22},
                    "label": {"color": "inherit"},
                    "data": said,
                },
            },
            {
                "name": w("无效", "not valid"),
                "type": "scatter",
                "symbol": "triangle",
                "symbolSize": 9,
                "itemStyle": {"color": AMBER},
                "data": marked,
                "encode": {"x": 0, "y": 1, "tooltip": [2]},
            },
        ],
    )


def _top(known: Sequence[float], lines: Sequence[Mapping[str, Any]]) -> float | None:
    """Room for the limit lines, where they are not so far off that the readings would be flat."""
    near = [x["yAxis"] for x in lines if known and x["yAxis"] <= 3 * max(known)]
    return _round(max(*known, *near) * 1.06) if near and max(near) > max(known) else None


def _bottom(known: Sequence[float], lines: Sequence[Mapping[str, Any]]) -> float | None:
    near = [x["yAxis"] for x in lines if known and 3 * x["yAxis"] >= min(known) > 0]
    return _round(min(*known, *near) * 0.94) if near and min(near) < min(known) else None


def _round(value: float) -> float:
    return float(f"{value:.3g}")


def forecast(visit: Visit, outlook: Mapping[str, Any]) -> dict[str, Any] | None:
    """The inflow of the days to come: the likely one, and the band that holds four days of five."""
    days = outlook["forecast"]
    if not days:
        return None
    w, capacity = visit.words, days[0]["capacity_m3"]
    dates = [d["date"][5:] for d in days]
    band = {"type": "line", "stack": "band", "symbol": "none", "lineStyle": {"opacity": 0}, "silent": True}
    low = [round(d["p10_m3"], 1) for d in days]
    spread = [round(d["p90_m3"] - d["p10_m3"], 1) for d in days]
    return base(
        visit,
        xAxis={"type": "category", "data": dates},
        yAxis={"name": "m³/d", "min": 0, "max": round(max(capacity, *(d["p90_m3"] for d in days)) * 1.1)},
        series=[
            {**band, "name": "p10", "data": low, "tooltip": {"show": False}},
            {
                **band,
                "name": w("十有八九在此之间", "four days of five"),
                "data": spread,
                "itemStyle": {"color": SKY},
                "areaStyle": {"color": SKY, "opacity": 0.35},
            },
            {
                "name": w("预计进水", "expected inflow"),
                "type": "line",
                "data": [round(d["p50_m3"], 1) for d in days],
                "itemStyle": {"color": SKY if visit.dark else BLUE},
                "markLine": limit_line(
                    visit, [{"yAxis": capacity, "name": w("能力", "capacity") + f" {capacity:g} m³/d"}]
                ),
            },
        ],
        legend={"data": [w("预计进水", "expected inflow"), w("十有八九在此之间", "four days of five")]},
    )
