"""A member's own page: what it discharges, how good it is, and how that stands against quota and limits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from nicegui import ui

from plant_monitor.console import charts
from plant_monitor.console.html import Html, h, table
from plant_monitor.console.overview import LIVE_S, open_alerts, value_line
from plant_monitor.console.page import Visit, chart, heading, part
from plant_monitor.console.words import SPANS, amount, bounds, minute, share

DAYS_SHOWN = 31


async def show(visit: Visit) -> None:
    """The page."""
    w = visit.words
    part(visit, lambda: _now(visit), every_s=LIVE_S, kind="mimic")
    with ui.element("div").classes("beside"):
        with ui.element("section").classes("panel"):
            heading(w("本月", "This month"))
            part(visit, lambda: _month(visit), every_s=60)
        with ui.element("section").classes("panel"):
            heading(w("对照配额", "Against the quota"))
            part(visit, lambda: _standing(visit), every_s=60)
        with ui.element("section").classes("panel"):
            heading(w("与本企业有关的告警", "Alerts that concern you"))
            part(visit, lambda: open_alerts(visit), every_s=10)
    with ui.element("section").classes("panel"):
        heading(w("每日水量", "Volume by day"), " ", h("small", "m³"))
        chart(visit, lambda: _days(visit), every_s=120)
    with ui.element("section").classes("panel"):
        heading(w("全厂公开数据", "Public figures of the plant"))
        part(visit, lambda: _public(visit), every_s=60)


async def _now(visit: Visit) -> Html:
    """The member's outfalls as they are, with today's verdicts."""
    latest: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in await visit.asking.get("/latest"):
        latest[row["point"]].append(row)
    today = (await visit.now()).date().isoformat()
    days: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in (await visit.asking.get("/compliance/daily", from_=today, limit=1000))["items"]:
        days[row["point"], row["parameter"]].append(row)
    cards = [
        h(
            "article",
            h("h3", h("a", visit.point_name(point), href=f"/console/trends?point={point}")),
            h("dl", [value_line(visit, row, days[point, row["parameter"]]) for row in rows]),
            class_="card",
            data_point=point,
        )
        for point, rows in latest.items()
    ]
    return h("section", h("div", cards, class_="cards"), class_="stage own")


async def _month(visit: Visit) -> Html:
    w, member = visit.words, visit.who["member"]
    first = (await visit.now()).date().replace(day=1).isoformat()
    rows = (await visit.asking.get(f"/members/{member}/usage", step="month", from_=first))["items"]
    if not rows:
        return h("p", w("本月还没有数据", "Nothing yet in this month"), class_="empty")
    row = rows[-1]
    lines = [(w("排放量", "discharged"), amount(row["volume_m3"], "m3"), _of_quota(visit, row))]
    lines += [(w.parameter(p), amount(kg, "kg"), "") for p, kg in row["load_kg"].items()]
    head = ("", w("本月至今", "so far"), w("配额占比", "of quota"))
    until = h("p", w("截至 ", "Until "), minute(row["end"]), class_="fresh")
    return h("div", table(head, lines, caption=w("本月", "This month"), numeric=(1, 2)), until)


def _of_quota(visit: Visit, row: Mapping[str, Any]) -> str:
    if not row["quota_m3"] or row["volume_m3"] is None:
        return "—"
    return f"{share(row['volume_m3'] / row['quota_m3'])} {visit.words('/', 'of')} {amount(row['quota_m3'], 'm3')}"


async def _standing(visit: Visit) -> Html:
    w = visit.words
    now = await visit.asking.get("/headroom/now")
    own = [r for r in now["items"] if r["member"] == visit.who["member"] and r["quantity"] == "volume"]
    if not own:
        return h("p", w("没有约定配额", "No quota is agreed"), class_="empty")
    lines = [
        (w(*SPANS[r["span"]]), amount(r["amount"], r["unit"]), amount(r["allowed"], r["unit"]), share(r["used_share"]))
        for r in own
    ]
    head = ("", w("水量", "volume"), w("配额", "quota"), w("占比", "share"))
    when = h("p", w("截至 ", "As of "), minute(now["time"]), class_="fresh")
    return h("div", table(head, lines, caption=w("对照配额", "Against the quota"), numeric=(1, 2, 3)), when)


async def _days(visit: Visit) -> dict[str, Any] | None:
    w, member = visit.words, visit.who["member"]
    first = (await visit.now()).date() - timedelta(days=DAYS_SHOWN)
    rows = (await visit.asking.get(f"/members/{member}/usage", step="day", from_=first.isoformat()))["items"]
    if not any(r["volume_m3"] is not None for r in rows):
        return None
    quota = next((r["quota_m3"] for r in rows if r["quota_m3"]), None)
    name = w("配额", "quota")
    line = [{"yAxis": quota, "name": f"{name} {quota:g} m³"}] if quota else []
    return charts.base(
        visit,
        xAxis={"type": "category", "data": [r["start"][5:10] for r in rows]},
        yAxis={"min": 0, "scale": False, "max": None if quota is None else _top(rows, quota)},
        series=[
            {
                "type": "bar",
                "name": w("水量", "volume"),
                "data": [None if r["volume_m3"] is None else round(r["volume_m3"], 1) for r in rows],
                "itemStyle": {"color": charts.SKY if visit.dark else charts.BLUE},
                "markLine": charts.limit_line(visit, line),
            }
        ],
    )


def _top(rows: list[Mapping[str, Any]], quota: float) -> float:
    return round(max(quota, *(r["volume_m3"] or 0 for r in rows)) * 1.1, 1)


async def _public(visit: Visit) -> Html:
    """The effluent's verdicts of yesterday and today, open to every member."""
    w = visit.words
    today = (await visit.now()).date()
    effluent = visit.plant["effluent"]
    if effluent is None:
        return h("p", w("没有总排口", "There is no effluent"), class_="empty")
    asked = {"point": effluent, "from_": (today - timedelta(days=1)).isoformat(), "limit": 1000}
    rows = [r for r in (await visit.asking.get("/compliance/daily", **asked))["items"] if r["verdict"] != "no_limit"]
    lines = [
        (r["date"], w.parameter(r["parameter"]), w.statistic(r["statistic"]), amount(r["value"], None, r["upper"]))
        + (bounds(r), w.verdict(r["verdict"]))
        for r in rows
    ]
    head = (w("日期", "Date"), w("因子", "Parameter"), w("统计", "Statistic"), w("值", "Value"), w("限值", "Limit"), "")
    return table(head, lines, caption=w("总排口达标情况", "Compliance of the effluent"), numeric=(3,))
