"""A month of alerts in numbers."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from plant_monitor.console.html import Html, h, table
from plant_monitor.console.overview import kind_name
from plant_monitor.console.page import Part, Visit, part
from plant_monitor.console.words import amount

TENDENCIES = {
    "rising": ("↑ 上升", "↑ rising"),
    "falling": ("↓ 下降", "↓ falling"),
    "none": ("– 无", "– none"),
}


async def show(visit: Visit) -> None:
    """The page."""
    w, chosen, shown = visit.words, {"month": visit.who["time"][:7]}, list[Part]()

    async def choose(value: str) -> None:
        if value:
            chosen["month"] = value
            await shown[0].fill()

    with ui.element("div").classes("controls"):
        ui.input(w("月份", "Month"), value=chosen["month"], on_change=lambda e: choose(e.value)).props(
            "type=month outlined dense stack-label"
        )
    with ui.element("section").classes("panel"):
        shown.append(part(visit, lambda: _month(visit, chosen["month"])))


async def _month(visit: Visit, month: str) -> Html:
    w = visit.words
    rows = await visit.asking.get("/analysis", month=month)
    if not rows:
        return h("p", w("这个月没有告警", "No alerts in this month"), class_="empty")
    head = (
        w("企业", "Company"),
        w("种类", "Kind"),
        w("发生", "opened"),
        w("超标天", "days exceeded"),
        w("超标小时", "hours exceeded"),
        w("最大倍数", "worst ratio"),
        w("确认用时", "to acknowledge"),
        w("答复用时", "to answer"),
        w("关闭用时", "to close"),
        w("逾期", "overdue"),
        w("退回", "sent back"),
        w("未关闭", "not closed"),
        w("趋势", "tendency"),
    )
    lines = [[_cell(visit, row, name) for name in _COLUMNS] for row in rows]
    return table(head, lines, caption=w("月度分析", "The month"), numeric=range(2, 12))


_COLUMNS = (
    "member",
    "kind",
    "opened",
    "days_exceeded",
    "hours_exceeded",
    "worst_ratio",
    "acknowledged_hours",
    "answered_hours",
    "closed_hours",
    "overdue",
    "sent_back",
    "unclosed",
    "tendency",
)


def _cell(visit: Visit, row: dict[str, Any], name: str) -> str:
    w, value = visit.words, row[name]
    if name == "member":
        return visit.member_name(value) if value else w("全厂", "the plant")
    if name == "kind":
        return kind_name(visit, value)
    if name == "tendency":
        return w.of(TENDENCIES.get(value, (value, value)))
    if name.endswith("_hours"):
        return "—" if value is None else f"{value:.1f} h"
    return amount(value)
