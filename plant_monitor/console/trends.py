"""Trends of a point: readings with limits over any period; a stretch that is dragged over can be annotated."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import events, ui

from plant_monitor.console import charts
from plant_monitor.console.asking import NotAnswered
from plant_monitor.console.desk import ask_link
from plant_monitor.console.html import Html, h
from plant_monitor.console.page import Part, Visit, chart, heading, part
from plant_monitor.console.words import minute, unit

PIXELS = 900
DAYS = {1: ("一天", "1 day"), 3: ("三天", "3 days"), 7: ("一周", "1 week"), 31: ("一月", "1 month")}
KINDS = {
    "maintenance": ("维护", "maintenance"),
    "calibration": ("校准", "calibration"),
    "fault": ("故障", "fault"),
    "exclusion": ("剔除", "exclusion"),
    "manual_value": ("手工值", "value by hand"),
}
RECENT_S = 30.0
# ECharts brushes only once it is told to: when it has drawn for the first time.
_ARM = """() => {
  const chart = getElement(ID).chart;
  if (!chart || chart.armed || !(chart.getOption().brush || []).length) return;
  chart.armed = true;
  const brushOption = { brushType: "lineX", brushMode: "single" };
  chart.dispatchAction({ type: "takeGlobalCursor", key: "brush", brushOption });
}"""


class _Period:
    """What the charts cover: the last days, or from one date to another."""

    def __init__(self, days: int) -> None:
        self.days, self.first, self.last = days, "", ""

    async def query(self, visit: Visit) -> dict[str, str | None]:
        """``from_`` and ``to`` of a query."""
        if self.first and self.last:
            return {"from_": self.first, "to": (date.fromisoformat(self.last) + timedelta(days=1)).isoformat()}
        now = await visit.now()
        return {"from_": (now - timedelta(days=self.days)).isoformat(timespec="seconds"), "to": None}


async def show(visit: Visit) -> None:
    """The page; the point stands in the query."""
    w = visit.words
    points = [p for p in visit.plant["points"] if p["readings"]]
    wanted = visit.request.query_params.get("point")
    point = next((p for p in points if p["id"] == wanted), points[0] if points else None)
    if point is None:
        ui.html(h("p", w("没有可看的监测点", "There is no point to show"), class_="empty"), sanitize=False)
        return
    period, parts = _Period(3), list[Part]()

    async def again() -> None:
        for one in parts:
            await one.fill()

    with ui.element("div").classes("controls"):
        names = {p["id"]: visit.point_name(p["id"]) for p in points}
        ui.select(
            names,
            value=point["id"],
            label=w("监测点", "Point"),
            on_change=lambda e: ui.navigate.to(f"/trends?point={e.value}"),
        ).props("outlined dense").classes("wide")
        _period_controls(visit, period, again)
    dialog = _AnnotationDialog(visit, point, again) if visit.role in ("operator", "admin") else None
    if dialog is not None:
        hint = w("在图上拖选一段时间即可标注。", "Drag over a stretch of a chart to annotate it.")
        with ui.row().classes("hint"):
            ui.html(h("span", hint), sanitize=False)
            ui.button(w("标注…", "Annotate …"), on_click=lambda: dialog.open("", None, None)).props(
                "flat dense no-caps"
            )
    for series in point["series"]:
        with ui.element("section").classes("panel"):
            about = {"point": point["id"], "parameter": series["parameter"]}
            name = w.parameter(series["parameter"])
            ask = ask_link(visit, w("读数", "Readings"), **about)
            heading(name, " ", h("small", unit(series["unit"])), " ", ask)
            parts.append(_chart(visit, point, series, period, dialog))
    if dialog is not None:
        with ui.element("section").classes("panel"):
            heading(w("标注", "Annotations"))
            parts.append(part(visit, lambda: _said(visit, point, period)))


def _period_controls(visit: Visit, period: _Period, again: Any) -> None:
    w = visit.words

    async def last_days(event: events.ValueChangeEventArguments[int]) -> None:
        period.days, period.first, period.last = event.value, "", ""
        await again()

    async def between(_: Any) -> None:
        period.first, period.last = first.value or "", last.value or ""
        if period.first and period.last and period.first <= period.last:
            await again()

    ui.toggle({days: w.of(text) for days, text in DAYS.items()}, value=period.days, on_change=last_days).props(
        f'no-caps unelevated aria-label="{w("时段", "Period")}"'
    )
    first = ui.input(w("从", "From"), on_change=between).props("type=date outlined dense stack-label")
    last = ui.input(w("至", "To"), on_change=between).props("type=date outlined dense stack-label")


def _chart(visit: Visit, point: Any, series: Any, period: _Period, dialog: _AnnotationDialog | None) -> Part:
    async def draw() -> dict[str, Any] | None:
        span = await period.query(visit)
        path = f"/points/{point['id']}/readings"
        rows: list[Any] = []
        cursor = None
        while True:
            page = await visit.asking.get(
                path, parameter=series["parameter"], pixels=PIXELS, limit=10_000, cursor=cursor, **span
            )
            rows += page["items"]
            cursor = page["next"]
            if cursor is None:
                break
        notes = await visit.asking.get("/annotations", point=point["id"], limit=200, **span)
        return charts.trend(visit, point, series, rows, notes["items"])

    echart, made = chart(visit, draw, every_s=RECENT_S)
    if dialog is not None:
        zone = ZoneInfo(visit.plant["timezone"])

        def dragged(event: events.GenericEventArguments) -> None:
            areas = event.args.get("areas") or []
            if areas and areas[0].get("coordRange"):
                start, end = (charts.off_axis(x, zone) for x in areas[0]["coordRange"])
                dialog.open(series["parameter"], start, end)

        echart.on("chart:brushEnd", dragged, ["areas"])
        echart.on("chart:finished", js_handler=_ARM.replace("ID", str(echart.id)))
    return made


class _AnnotationDialog:
    """The form of an annotation, its period filled in."""

    def __init__(self, visit: Visit, point: Any, done: Any) -> None:
        self._visit, self._point, self._done = visit, point, done
        w = visit.words
        every = w("全部因子", "every parameter")
        parameters = {"": every, **{s["parameter"]: w.parameter(s["parameter"]) for s in point["series"]}}
        with ui.dialog() as self._dialog, ui.card().classes("form"):
            ui.html(h("h2", w("标注", "Annotation"), " · ", visit.point_name(point["id"])), sanitize=False)
            self._kind = ui.select({k: w.of(v) for k, v in KINDS.items()}, value="maintenance", label=w("种类", "Kind"))
            self._parameter = ui.select(parameters, value="", label=w("因子", "Parameter"))
            self._from = ui.input(w("开始", "From")).props("type=datetime-local stack-label")
            self._to = ui.input(w("结束", "To")).props("type=datetime-local stack-label")
            self._value = ui.number(w("数值(手工值)", "Value (by hand)"))
            self._reason = ui.input(w("原因", "Reason")).props("maxlength=2000")
            self._evidence = ui.input(w("依据", "Evidence")).props("maxlength=2000")
            self._told = ui.label().classes("trouble").props('role="alert"')
            with ui.row():
                ui.button(w("保存", "Save"), on_click=self._save).props("no-caps")
                ui.button(w("取消", "Cancel"), on_click=self._dialog.close).props("flat no-caps")

    def open(self, parameter: str, start: datetime | None, end: datetime | None) -> None:
        """Show the form for a stretch of time."""
        self._parameter.value = parameter
        self._from.value = "" if start is None else start.strftime("%Y-%m-%dT%H:%M")
        self._to.value = "" if end is None else end.strftime("%Y-%m-%dT%H:%M")
        self._told.text = ""
        self._dialog.open()

    async def _save(self) -> None:
        zone = ZoneInfo(self._visit.plant["timezone"])
        try:
            body = {
                "kind": self._kind.value,
                "point": self._point["id"],
                "parameter": self._parameter.value,
                "from": datetime.fromisoformat(self._from.value).replace(tzinfo=zone).isoformat(),
                "to": datetime.fromisoformat(self._to.value).replace(tzinfo=zone).isoformat(),
                "value": self._value.value if self._kind.value == "manual_value" else None,
                "reason": self._reason.value,
                "evidence": self._evidence.value,
            }
            await self._visit.asking.post("/annotations", body)
        except ValueError:
            self._told.text = self._visit.words("请填写开始与结束时间", "Say from when to when")
            return
        except NotAnswered as refused:
            self._told.text = refused.message
            return
        self._dialog.close()
        ui.notify(self._visit.words("已保存标注", "Annotation saved"), type="positive")
        await self._done()


async def _said(visit: Visit, point: Any, period: _Period) -> Html:
    w = visit.words
    notes = (await visit.asking.get("/annotations", point=point["id"], limit=50, **await period.query(visit)))["items"]
    if not notes:
        return h("p", w("此时段没有标注", "No annotations in this period"), class_="empty")
    lines = [
        h(
            "li",
            h("b", w.of(KINDS.get(n["kind"], (n["kind"], n["kind"])))),
            f" {w.parameter(n['parameter']) if n['parameter'] else w('全部因子', 'every parameter')} · ",
            f"{minute(n['from'])} – {minute(n['to'])} · {n['reason']} · {n['author']}",
            h("i", f" · {w('已撤回', 'withdrawn')} {minute(n['withdrawn'])}") if n["withdrawn"] else None,
        )
        for n in notes
    ]
    return h("ul", lines)
