"""Alerts and cases: the list, and one of them with its clock, its trail and what may be done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nicegui import ui

from plant_monitor.alerts.lifecycle import CASES
from plant_monitor.console.asking import NotAnswered
from plant_monitor.console.desk import show_acts
from plant_monitor.console.forms import file_links
from plant_monitor.console.html import Html, h, table
from plant_monitor.console.overview import KINDS, alert_line, kind_name
from plant_monitor.console.page import Part, Visit, part
from plant_monitor.console.words import amount, minute

STATES = {
    "open": ("待确认", "open"),
    "acknowledged": ("已确认", "acknowledged"),
    "assigned": ("已交办", "assigned"),
    "replied": ("已答复", "replied"),
    "reopened": ("退回", "reopened"),
    "closed": ("已关闭", "closed"),
}
STEPS = {
    "opened": ("发生", "opened"),
    "grew": ("发展", "went on"),
    "resumed": ("再次发生", "again"),
    "over": ("结束", "over"),
    "withdrawn": ("撤销", "withdrawn"),
    "acknowledged": ("确认", "acknowledged"),
    "assigned": ("交办", "assigned"),
    "replied": ("答复", "replied"),
    "closed": ("关闭", "closed"),
    "reopened": ("退回", "sent back"),
    "unacknowledged": ("无人确认", "not acknowledged"),
    "reminded": ("催办", "reminded"),
    "overdue": ("逾期", "overdue"),
}
EVERY_S = 10.0


async def show_list(visit: Visit) -> None:
    """The page of all alerts."""
    w = visit.words
    chosen: dict[str, str | None] = {"state": "unclosed", "kind": None}
    shown: list[Part] = []

    async def choose(name: str, value: str) -> None:
        chosen[name] = value or None
        await shown[0].fill()

    states = {"unclosed": w("未关闭", "not closed"), "": w("全部", "all"), **{k: w.of(v) for k, v in STATES.items()}}
    kinds = {"": w("全部种类", "every kind"), **{k: kind_name(visit, k) for k in KINDS}}
    with ui.element("div").classes("controls"):
        ui.html(h("a", w("提出咨询…", "Ask a question …"), href="/console/ask"), sanitize=False)
        ui.select(
            states, value="unclosed", label=w("状态", "State"), on_change=lambda e: choose("state", e.value)
        ).props("outlined dense").classes("wide")
        ui.select(kinds, value="", label=w("种类", "Kind"), on_change=lambda e: choose("kind", e.value)).props(
            "outlined dense"
        ).classes("wide")
    with ui.element("section").classes("panel"):
        shown.append(part(visit, lambda: _list(visit, chosen), every_s=EVERY_S))


async def _list(visit: Visit, chosen: Mapping[str, str | None]) -> Html:
    w, state = visit.words, chosen["state"]
    asked = None if state == "unclosed" else state
    alerts = (await visit.asking.get("/alerts", limit=200, kind=chosen["kind"], state=asked))["items"]
    if state == "unclosed":
        alerts = [a for a in alerts if a["state"] != "closed"]
    if not alerts:
        return h("p", "✓ ", w("没有这样的告警", "There are none"), class_="empty")
    head = ("#", w("告警", "Alert"), w("状态", "State"), w("交给", "For"))
    rows = [(str(a["id"]), alert_line(visit, a), state_name(visit, a["state"]), _whom(visit, a)) for a in alerts]
    return table(head, rows, caption=w("告警", "Alerts"))


def state_name(visit: Visit, state: str) -> str:
    """What a state is called."""
    return visit.words.of(STATES.get(state, (state, state)))


def _whom(visit: Visit, alert: Mapping[str, Any]) -> str:
    return visit.member_name(alert["assignee"]) if alert["assignee"] else ""


async def show_one(visit: Visit) -> None:
    """The page of one alert."""
    number = visit.request.path_params["number"]
    with ui.element("section").classes("panel"):
        facts = part(visit, lambda: _facts(visit, number), every_s=EVERY_S)
    try:
        alert = await visit.asking.get(f"/alerts/{number}")
    except NotAnswered:
        return  # the part above says why
    show_acts(visit, alert, facts)


async def _facts(visit: Visit, number: str) -> Html:
    w = visit.words
    alert = await visit.asking.get(f"/alerts/{number}")
    now = await visit.now()
    evidence = w.name(alert["evidence"]) if alert["evidence"] else None
    lines: list[tuple[str, Any]] = [(w("状态", "State"), state_name(visit, alert["state"]))]
    if alert["subject"]:
        lines.append((w("事由", "Subject"), alert["subject"]))
    if alert["assignee"]:
        lines.append((w("交给", "For"), _whom(visit, alert)))
    lines += _clock(visit, alert["deadlines"], now)
    if alert["peak"] is not None:
        peak = f"{amount(alert['peak'], alert['unit'], alert['limit'])} / {amount(alert['limit'], alert['unit'])}"
        lines.append((w("峰值 / 限值", "Peak / limit"), peak))
    lines.append((w("时段", "When"), f"{minute(alert['since'])} – {minute(alert['until'])}"))
    if evidence:
        lines.append(
            (
                w("问题", "Question") if alert["kind"] in CASES else w("依据", "Evidence"),
                h("div", evidence, class_="said"),
            )
        )
    if alert["muted_until"]:
        lines.append((w("消息静默至", "Muted until"), minute(alert["muted_until"])))
    links: list[Html | str] = []
    if alert["point"]:
        day = alert["since"][:10]
        why = f"/console/evidence?point={alert['point']}&parameter={alert['parameter']}&date={day}"
        links = [h("a", w("查看趋势", "Trend"), href=f"/console/trends?point={alert['point']}")]
        links += [" · ", h("a", w("判定依据", "Evidence of the day"), href=why)] if alert["parameter"] else []
    steps = [
        (minute(e["time"]), w.of(STEPS.get(e["transition"], (e["transition"],) * 2)), e["actor"] or "—")
        + (
            h(
                "div",
                e["comment"],
                *([" ", one] for one in file_links(e["attachments"], f"/alerts/{number}")),
                class_="said",
            ),
        )
        for e in alert["events"]
    ]
    head = (w("时间", "Time"), w("步骤", "Step"), w("谁", "Who"), w("说明", "Comment"))
    return h(
        "div",
        alert_line(visit, alert),
        h("dl", [h("div", h("dt", k), h("dd", v), class_="line") for k, v in lines], class_="facts"),
        h("p", links),
        h("h2", w("经过", "Trail")),
        table(head, steps, caption=w("经过", "Trail")),
    )


def _clock(visit: Visit, deadlines: Mapping[str, Any] | None, now: datetime) -> list[tuple[str, Any]]:
    """Until when, and how long that still is."""
    w, lines = visit.words, []
    for name, zh, en in (("acknowledge_by", "确认期限", "Acknowledge by"), ("answer_by", "答复期限", "Answer by")):
        until = deadlines and deadlines[name]
        if not until:
            continue
        left_s = (datetime.fromisoformat(until) - now).total_seconds()
        hours = f"{abs(left_s) / 3600:.1f} {w('小时', 'h')}"
        late = left_s < 0
        text = w(f"已逾期 {hours}", f"{hours} late") if late else w(f"还有 {hours}", f"{hours} left")
        kind = "exceeded" if late else "insufficient_data" if left_s < 8 * 3600 else "met"
        shape = {"exceeded": "✕ ", "insufficient_data": "▲ ", "met": "✓ "}[kind]
        sign = h("span", h("b", shape, aria_hidden="true"), text, class_=f"verdict {kind}")
        sure = None if deadlines is None or deadlines["certain"] else w("(节假日未公布)", "(holidays not known yet)")
        lines.append((w(zh, en), [minute(until), " ", sign, " ", sure]))
    return lines
