"""The compliance calendar, days by parameters, and the evidence behind one verdict."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from plant_monitor.console import charts
from plant_monitor.console.desk import ask_link
from plant_monitor.console.html import Html, h, table
from plant_monitor.console.page import Part, Visit, chart, heading, part
from plant_monitor.console.words import VERDICTS, amount, bounds, minute, share

WORST = ("exceeded", "insufficient_data", "met", "no_discharge", "no_limit")


async def show(visit: Visit) -> None:
    """The page: a month of one point."""
    w = visit.words
    points = {p["id"]: visit.point_name(p["id"]) for p in visit.plant["points"] if p["limits"]}
    if not points:
        ui.html(h("p", w("没有可看的监测点", "There is no point to show"), class_="empty"), sanitize=False)
        return
    asked = visit.request.query_params.get("point")
    chosen = {"point": asked if asked in points else _first(visit, points), "month": visit.who["time"][:7]}
    shown: list[Part] = []

    async def choose(name: str, value: str) -> None:
        if value:
            chosen[name] = value
            await shown[0].fill()

    with ui.element("div").classes("controls"):
        ui.select(
            points, value=chosen["point"], label=w("监测点", "Point"), on_change=lambda e: choose("point", e.value)
        ).props("outlined dense").classes("wide")
        ui.input(w("月份", "Month"), value=chosen["month"], on_change=lambda e: choose("month", e.value)).props(
            "type=month outlined dense stack-label"
        )
    with ui.element("section").classes("panel"):
        shown.append(part(visit, lambda: _month(visit, chosen), every_s=60))
        ui.html(h("p", [[w.verdict(v), " "] for v in WORST[:-1]], class_="legend"), sanitize=False)


def _first(visit: Visit, points: Mapping[str, str]) -> str:
    own = [p["id"] for p in visit.plant["points"] if p["readings"] and p["id"] in points]
    effluent = visit.plant["effluent"]
    return effluent if effluent in points and visit.role != "member" else (own or list(points))[0]


async def _month(visit: Visit, chosen: Mapping[str, str]) -> Html:
    w = visit.words
    first = date.fromisoformat(f"{chosen['month']}-01")
    following = (first + timedelta(days=31)).replace(day=1)
    answer = await visit.asking.get(
        "/compliance/daily", point=chosen["point"], from_=first.isoformat(), to=following.isoformat(), limit=10_000
    )
    cells: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for row in answer["items"]:
        if row["verdict"] != "no_limit":
            cells.setdefault((row["parameter"], row["statistic"]), {}).setdefault(row["date"], row)
            known = cells[row["parameter"], row["statistic"]][row["date"]]
            if WORST.index(row["verdict"]) < WORST.index(known["verdict"]):
                cells[row["parameter"], row["statistic"]][row["date"]] = row
    if not cells:
        return h("p", w("这个月没有判定", "No verdicts in this month"), class_="empty")
    days = [first + timedelta(days=i) for i in range((following - first).days)]
    linked = any(p["id"] == chosen["point"] and p["readings"] for p in visit.plant["points"])
    head = ["", *(str(d.day) for d in days), w("达标率", "met")]
    rows = []
    for (parameter, statistic), by_day in sorted(cells.items()):
        name = [w.parameter(parameter), h("small", f" {w.statistic(statistic)}")]
        judged = [r["verdict"] for r in by_day.values() if r["verdict"] in ("met", "exceeded")]
        rate = share(judged.count("met") / len(judged)) if judged else "—"
        rows.append([name, *(_cell(visit, by_day.get(d.isoformat()), linked) for d in days), rate])
    return h("div", table(head, rows, caption=w("达标日历", "Compliance calendar")), class_="calendar")


def _cell(visit: Visit, row: Mapping[str, Any] | None, linked: bool) -> Html:
    w = visit.words
    if row is None:
        return h("span", "·", class_="day none")
    shape, zh, en = VERDICTS[row["verdict"]]
    said = f"{row['date']}: {w(zh, en)}, {amount(row['value'], None, row['upper'])} {bounds(row)}"
    told = {"class_": f"day {row['verdict']}", "title": said, "aria_label": said}
    if not linked:
        return h("span", shape, role="img", **told)
    query = urlencode({"point": row["point"], "parameter": row["parameter"], "date": row["date"]})
    return h("a", shape, href=f"/console/evidence?{query}", **told)


async def show_evidence(visit: Visit) -> None:
    """The page: how one day's verdict on one series came about."""
    w, asked = visit.words, visit.request.query_params
    about = {name: asked.get(name, "") for name in ("point", "parameter", "date")}
    point = next((p for p in visit.plant["points"] if p["id"] == about["point"]), None)
    series = next((s for s in point["series"] if s["parameter"] == about["parameter"]), None) if point else None
    if point is None or series is None:
        ui.html(h("p", w("没有这个序列", "There is no such series"), class_="empty"), sanitize=False)
        return
    title = f"{visit.point_name(point['id'])} · {w.parameter(series['parameter'])} · {about['date']}"
    heading(
        title,
        " · ",
        ask_link(visit, f"{w('判定', 'Verdict')} {about['date']}", point=point["id"], parameter=series["parameter"]),
    )
    with ui.element("section").classes("panel"):
        part(visit, lambda: _verdicts(visit, about))
    with ui.element("section").classes("panel"):
        heading(w("由来", "How it came about"))
        part(visit, lambda: _explained(visit, about))
    with ui.element("section").classes("panel"):
        heading(w("当日数据", "Readings of the day"))
        chart(visit, lambda: _readings(visit, about, point, series))
    with ui.element("section").classes("panel"):
        heading(w("小时", "Hours"))
        part(visit, lambda: _hours(visit, about))


def _span(about: Mapping[str, str]) -> dict[str, str]:
    return {"from_": about["date"], "to": (date.fromisoformat(about["date"]) + timedelta(days=1)).isoformat()}


async def _verdicts(visit: Visit, about: Mapping[str, str]) -> Html:
    w = visit.words
    series = {"point": about["point"], "parameter": about["parameter"]}
    rows = (await visit.asking.get("/compliance/daily", **series, **_span(about)))["items"]
    head = [w("限值集", "Limit set"), w("统计", "Statistic"), w("值", "Value"), w("限值", "Limit")]
    head += [w("有效率", "Valid"), w("判定", "Verdict")]
    titles = {s["id"]: w.name(s["title"]) for s in visit.plant["limit_sets"]}
    lines = [
        (
            titles.get(r["limit_set"], r["limit_set"]),
            w.statistic(r["statistic"]),
            amount(r["value"], None, r["upper"]),
            bounds(r),
            share(r["valid_share"]),
            w.verdict(r["verdict"]),
        )
        for r in rows
    ]
    history = (await visit.asking.get("/compliance/history", **series, **_span(about)))["items"]
    changes = [
        h(
            "li",
            f"{minute(c['changed'])}: ",
            w.verdict(c["old_verdict"]),
            " → ",
            w.verdict(c["new_verdict"]),
            f" ({c['cause']})",
        )
        for c in history
        if c["old_verdict"]
    ]
    return h(
        "div", table(head, lines, caption=w("判定", "Verdicts"), numeric=(2, 4)), h("ul", changes) if changes else None
    )


async def _explained(visit: Visit, about: Mapping[str, str]) -> Html:
    answer = await visit.asking.get("/compliance/explanation", **about)
    return h("ol", [h("li", line) for line in answer[visit.words.language]], class_="explained")


async def _readings(visit: Visit, about: Mapping[str, str], point: Any, series: Any) -> dict[str, Any] | None:
    asked = {"parameter": about["parameter"], "limit": 10_000, "pixels": 900}
    rows = await visit.asking.get(f"/points/{about['point']}/readings", **asked, **_span(about))
    notes = await visit.asking.get("/annotations", point=about["point"], **_span(about))
    return charts.trend(visit, point, series, rows["items"], notes["items"])


async def _hours(visit: Visit, about: Mapping[str, str]) -> Html:
    w = visit.words
    asked = {"point": about["point"], "parameter": about["parameter"], "limit": 1000}
    rows = (await visit.asking.get("/compliance/hourly", **asked, **_span(about)))["items"]
    if not rows:
        return h("p", w("没有数据", "No data"), class_="empty")
    head = (w("小时", "Hour"), w("统计值", "Value"), w("限值", "Limit"), w("有效率", "Valid"), "m³", "kg", "")
    lines = [
        (
            r["hour"][11:16],
            amount(r["mean"], None, r["upper"]),
            f"{bounds(r)} {w.statistic(r['statistic'])}" if r["limit_set"] else "",
            share(r["valid_share"]),
            amount(r["volume_m3"]),
            amount(r["load_kg"]),
            _hour_sign(visit, r),
        )
        for r in rows
    ]
    return table(head, lines, caption=w("小时", "Hours"), numeric=(1, 3, 4, 5))


def _hour_sign(visit: Visit, row: Mapping[str, Any]) -> Html:
    """An hour above a daily limit is an early warning and no exceedance (design §5)."""
    if row["verdict"] != "exceeded" or row["statistic"] != "daily_mean":
        return visit.words.verdict(row["verdict"])
    said = visit.words("高于日限值(预警)", "above the daily limit (warning)")
    return h("span", h("b", "▲", aria_hidden="true"), " ", said, class_="verdict insufficient_data")
