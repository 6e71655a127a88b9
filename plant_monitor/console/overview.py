"""The operators' overview: the plant as it runs, what is left of it, what is wrong."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from plant_monitor.console import charts
from plant_monitor.console.html import Html, Part, h, table
from plant_monitor.console.page import Visit, chart, heading, part
from plant_monitor.console.words import SPANS, VERDICTS, amount, bounds, minute, share

LIVE_S = 2.0
VERDICT_EVERY_S = 20.0
_WORST_FIRST = ("exceeded", "insufficient_data", "met", "no_discharge", "no_limit")
_HIDDEN = ("volume",)


async def show(visit: Visit) -> None:
    """The page."""
    w, judged = visit.words, _Judged(visit)
    part(visit, lambda: _status(visit), every_s=5.0, kind="status")
    part(visit, lambda: _mimic(visit, judged), every_s=LIVE_S, kind="mimic")
    with ui.element("div").classes("beside"):
        with ui.element("section").classes("panel"):
            heading(w("余量", "Headroom"))
            part(visit, lambda: headroom(visit), every_s=60)
        with ui.element("section").classes("panel"):
            heading(w("未来七天进水", "Inflow of the week ahead"))
            chart(visit, lambda: _forecast(visit), every_s=300)
            part(visit, lambda: _chance(visit), every_s=300)
        with ui.element("section").classes("panel"):
            heading(w("未关闭的告警", "Open alerts"))
            part(visit, lambda: open_alerts(visit), every_s=10)


async def _status(visit: Visit) -> Html:
    w = visit.words
    health = await visit.asking.get("/health")
    status = health["status"]
    words = {
        "ok": ("✓", w("运行正常", "running well"), "met"),
        "degraded": ("▲", w("部分异常", "degraded"), "insufficient_data"),
        "not storing": ("✕", w("未在存储数据", "not storing"), "exceeded"),
    }
    shape, text, kind = words.get(status, ("?", status, "insufficient_data"))
    return h("p", h("span", h("b", shape, aria_hidden="true"), " ", text, class_=f"verdict {kind}"), role="status")


class _Judged:
    """Today's verdicts, read less often than the readings."""

    def __init__(self, visit: Visit) -> None:
        self._visit, self._until_s = visit, 0.0
        self._rows: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]] = {}

    async def __call__(self) -> Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]:
        """Rows of today, by point and parameter."""
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._until_s:
            today = (await self._visit.now()).date().isoformat()
            answer = await self._visit.asking.get("/compliance/daily", from_=today, limit=10_000)
            rows: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
            for row in answer["items"]:
                rows[row["point"], row["parameter"]].append(row)
            self._rows, self._until_s = rows, now_s + VERDICT_EVERY_S
        return self._rows


async def _mimic(visit: Visit, judged: _Judged) -> Html:
    """Outfalls → inlet → basin → effluent."""
    w = visit.words
    latest: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in await visit.asking.get("/latest"):
        latest[row["point"]].append(row)
    verdicts = await judged()
    stages = [("outfall", w("排放口", "Outfalls")), ("inlet", w("进水", "Inlet"))]
    stages += [("process", w("工艺", "Process")), ("effluent", w("出水", "Effluent"))]
    shown: list[Part] = []
    for role, title in stages:
        points = [p for p in visit.plant["points"] if p["role"] == role]
        if not points:
            continue
        if shown:
            shown.append(h("div", "➜", class_="arrow", aria_hidden="true"))
        cards = [_card(visit, p, latest[p["id"]], verdicts) for p in points]
        shown.append(h("section", h("h2", title), h("div", cards, class_="cards"), class_=f"stage {role}"))
    return h("div", shown, class_="stages")


def _card(
    visit: Visit,
    point: Mapping[str, Any],
    latest: Sequence[Mapping[str, Any]],
    verdicts: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
) -> Html:
    w = visit.words
    rows = [row for row in latest if row["parameter"] not in _HIDDEN]
    days = [v for row in rows for v in verdicts.get((point["id"], row["parameter"]), ())]
    worst = next((v for v in _WORST_FIRST if any(d["verdict"] == v for d in days)), "no_limit")
    link = h("a", visit.point_name(point["id"]), href=f"/console/trends?point={point['id']}")
    head = h("h3", link, w.verdict(worst) if worst != "no_limit" else None)
    lines = [value_line(visit, row, verdicts.get((point["id"], row["parameter"]), ())) for row in rows]
    return h("article", head, h("dl", lines), class_=f"card {worst}", data_point=point["id"])


def value_line(visit: Visit, row: Mapping[str, Any], days: Sequence[Mapping[str, Any]]) -> Html:
    """A value with its unit, mark, age, and today's verdicts on it."""
    w, mark = visit.words, row["mark"]
    stale = row["stale"]
    number = h("span", amount(row["value"], row["unit"]), class_="value")
    badge = h("span", f"{mark} {w.mark(mark)}", class_="mark") if mark not in (None, "N") else None
    age = h("span", (h("b", "! ") if stale else ""), w.age(row["age_s"]), class_="age", title=minute(row["time"]))
    signs = [_sign(visit, day) for day in days if day["verdict"] != "no_limit"]
    return h(
        "div",
        h("dt", w.parameter(row["parameter"])),
        h("dd", number, badge, age, signs),
        class_="line stale" if stale else "line",
        data_parameter=row["parameter"],
    )


def _sign(visit: Visit, day: Mapping[str, Any]) -> Html:
    """Today's verdict so far against one limit, in little."""
    w, verdict = visit.words, day["verdict"]
    shape, zh, en = VERDICTS[verdict]
    said = (
        f"{w('今日', 'today')} {w.statistic(day['statistic'])} {amount(day['value'], None, day['upper'])} {bounds(day)}"
    )
    text = f"{said}: {w(zh, en)} ({w('有效率', 'valid')} {share(day['valid_share'])})"
    return h(
        "span",
        h("b", shape, aria_hidden="true"),
        " ",
        bounds(day),
        class_=f"sign {verdict}",
        title=text,
        role="img",
        aria_label=text,
    )


async def headroom(visit: Visit) -> Html:
    """What is left of capacity and design loads, of the plant."""
    w = visit.words
    now = await visit.asking.get("/headroom/now")
    rows = [r for r in now["items"] if not r["member"] and (r["quantity"] == "volume" or r["span"] == "last_24_h")]
    lines = []
    for row in rows:
        water = row["quantity"] == "volume"
        name = w("水量", "water") if water else w.parameter(row["quantity"])
        used = row["used_share"]
        kind = "" if used is None else "exceeded" if used > 1 else "insufficient_data" if used > 0.85 else "met"
        width = 0 if used is None else min(100, round(used * 100))
        bar = h("span", h("span", style=f"width:{width}%", class_=kind), class_="bar-of", aria_hidden="true")
        told = "—" if used is None else f"{'✕ ' if used > 1 else ''}{share(used)}"
        left = amount(row["headroom"], row["unit"])
        lines.append((name, w(*SPANS[row["span"]]), amount(row["amount"], row["unit"]), [bar, " ", told], left))
    if not lines:
        return h("p", w("没有数据", "No data"), class_="empty")
    head = ("", "", w("已用", "used"), w("占比", "share"), w("剩余", "left"))
    when = h("p", w("截至 ", "As of "), minute(now["time"]), class_="fresh")
    return h("div", table(head, lines, caption=w("余量", "Headroom"), numeric=(2, 4)), when)


async def _forecast(visit: Visit) -> dict[str, Any] | None:
    return charts.forecast(visit, await visit.asking.get("/headroom/now"))


async def _chance(visit: Visit) -> Html:
    w = visit.words
    now = await visit.asking.get("/headroom/now")
    if not now["forecast"]:
        told = w("已知 {a} 天,预测至少需要 {b} 天", "{a} days known; a forecast needs {b}")
        return h("p", told.format(a=now["known_days"], b=now["needed_days"]), class_="empty")
    worst = max(now["forecast"], key=lambda d: d["passing_chance"])
    chance = share(worst["passing_chance"])
    said = w(
        f"超过能力的可能性最大:{worst['date']},{chance}", f"Capacity most likely passed on {worst['date']}: {chance}"
    )
    return h("p", said, class_="fresh")


async def open_alerts(visit: Visit) -> Html:
    """Alerts that are not closed, the newest first."""
    w = visit.words
    alerts = (await visit.asking.get("/alerts", limit=50))["items"]
    alerts = [a for a in alerts if a["state"] != "closed"][:8]
    if not alerts:
        return h("p", "✓ ", w("没有未关闭的告警", "No open alerts"), class_="empty")
    return h("ul", [h("li", alert_line(visit, a)) for a in alerts], class_="alerts")


def alert_line(visit: Visit, alert: Mapping[str, Any]) -> Html:
    """An alert in a line that leads to it."""
    w, exceeded = visit.words, alert["kind"] == "exceedance"
    shape, kind = ("✕", "exceeded") if exceeded else ("▲", "insufficient_data")
    if alert["kind"] in ("enquiry", "objection"):
        shape, kind = "?", "no_limit"
    sign = h("span", h("b", shape, aria_hidden="true"), " ", kind_name(visit, alert["kind"]), class_=f"verdict {kind}")
    told = [visit.point_name(alert["point"]) if alert["point"] else "", alert["subject"]]
    told.append(w.parameter(alert["parameter"]) if alert["parameter"] else "")
    where = " · ".join(text for text in told if text)
    peak = amount(alert["peak"], alert["unit"], alert["limit"])
    numbers = f"{peak} / {amount(alert['limit'], alert['unit'])}" if exceeded else ""
    number, since = h("span", numbers, class_="value"), h("span", minute(alert["since"]), class_="age")
    line = (sign, " ", h("span", where), " ", number, " ", since)
    return h("a", line, href=f"/console/case/{alert['id']}", class_="alert")


KINDS = {
    "exceedance": ("超标", "exceeded"),
    "hour_above_limit": ("小时超日限值", "hour above limit"),
    "on_course": ("当日预计超标", "on course"),
    "over_range": ("超量程", "over range"),
    "silence": ("无数据", "silent"),
    "silent_device": ("设备失联", "silent device"),
    "suspect_sensor": ("仪表可疑", "suspect sensor"),
    "headroom": ("余量不足", "headroom"),
    "unreconciled_difference": ("水量不平衡", "unreconciled"),
    "enquiry": ("咨询", "enquiry"),
    "objection": ("异议", "objection"),
}


def kind_name(visit: Visit, kind: str) -> str:
    """What a kind of alert is called."""
    return visit.words.of(KINDS.get(kind, (kind, kind)))
