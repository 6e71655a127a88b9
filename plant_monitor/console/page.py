"""What all pages share: the frame around them, and parts that fill themselves from the API and say how they are.

A part is loading, filled, empty or in trouble. In trouble it keeps what it showed, greyed, with the reason and the
time it was last right; a session that has ended leads to the login.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from nicegui import background_tasks, ui
from nicegui.element import Element
from starlette.requests import Request

from plant_monitor.console import html
from plant_monitor.console.asking import Asking, NotAnswered
from plant_monitor.console.html import Html, h
from plant_monitor.console.words import ROLES, Words

PAINT_S = 0.6  # how long the first paint waits for what is quick
Render = Callable[[], Awaitable[Html]]
Draw = Callable[[], Awaitable[dict[str, Any] | None]]

# path → roles, Chinese, English; in the order of the menu
MENU = {
    "/console/": ({"operator", "admin"}, "总览", "Overview"),
    "/console/trends": ({"operator", "admin", "officer", "member"}, "趋势", "Trends"),
    "/console/cases": ({"operator", "admin", "officer", "member"}, "告警", "Alerts"),
    "/console/calendar": ({"operator", "admin", "officer", "member"}, "达标日历", "Calendar"),
    "/console/analysis": ({"operator", "admin", "officer"}, "月度分析", "Month"),
    "/console/usage": ({"member"}, "用量与水质", "Usage"),
    "/console/bills": ({"member", "operator", "admin"}, "结算", "Bills"),
    "/console/devices": ({"operator", "admin"}, "设备", "Devices"),
}
HOME_OF = {"member": "/console/usage", "officer": "/console/cases"}  # others: the overview


@dataclass
class Visit:
    """One open page: who looks, in which language, and how it asks the API."""

    request: Request
    asking: Asking
    words: Words
    dark: bool
    who: dict[str, Any] = field(default_factory=dict)
    plant: dict[str, Any] = field(default_factory=dict)
    begun: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def role(self) -> str:
        """The role of who looks; empty for the public."""
        return str(self.who.get("role", ""))

    async def now(self) -> datetime:
        """The present on the service's clock, in the plant's zone."""
        return datetime.fromisoformat((await self.asking.get("/session"))["time"])

    async def settle(self) -> None:
        """Wait a moment for the parts, so that quick ones are in the first paint."""
        if self.begun:
            await asyncio.wait(self.begun, timeout=PAINT_S)

    def point_name(self, point: str) -> str:
        """What a point is called."""
        found = next((p for p in self.plant.get("points", ()) if p["id"] == point), None)
        return point if found is None else self.words.name(found["name"], point)

    def member_name(self, member: str) -> str:
        """What a member is called."""
        found = next((m for m in self.plant.get("members", ()) if m["id"] == member), None)
        return member if found is None else self.words.name(found["name"], member)

    def sign_in(self) -> None:
        """Go to the login and come back."""
        where = json.dumps(f"/login?back={quote(self.request.url.path)}")
        ui.run_javascript(f"window.location.assign({where})")  # ui.navigate stays below the console's own path


class Part:
    """A piece of a page: ``make`` asks for its content, ``show`` puts it in place of the old one.

    ``show(None)``: there was none and there is none.
    """

    def __init__(
        self,
        visit: Visit,
        body: Element,
        trouble: ui.html,
        make: Callable[[], Awaitable[Any]],
        show: Callable[[Any], None],
        every_s: float | None,
    ) -> None:
        self._visit, self._body, self._trouble = visit, body, trouble
        self._make, self._show, self._shown = make, show, False
        visit.begun.append(background_tasks.create(self.fill(), name="part of a page"))
        if every_s is not None:
            ui.timer(every_s, self.fill, immediate=False)

    async def fill(self) -> None:
        """Read it again, now."""
        if self._body.is_deleted:
            return
        try:
            content = await self._make()
        except NotAnswered as refused:
            self._tell(refused)
            return
        self._trouble.content = ""
        self._body.classes(remove="stale")
        self._show(content)
        self._shown = True

    def _tell(self, refused: NotAnswered) -> None:
        if refused.status == 401:
            with self._body.client:
                self._visit.sign_in()
            return
        told = self._visit.words("读取失败", "Could not be read")
        self._trouble.content = h("p", h("b", "⚠ ", aria_hidden="true"), f"{told}: {refused.message}")
        self._body.classes(add="stale")
        if not self._shown:
            self._show(None)


def part(visit: Visit, render: Render, *, every_s: float | None = None, kind: str = "part") -> Part:
    """A part made of HTML, read again every so often."""
    trouble = _trouble()
    body = ui.html(_loading(visit), sanitize=False).classes(kind)

    def show(content: Html | None) -> None:
        if content != body.content:
            body.content = content or ""

    return Part(visit, body, trouble, render, show, every_s)


def chart(visit: Visit, draw: Draw, *, every_s: float | None = None, height: str = "18rem") -> tuple[ui.echart, Part]:
    """A chart, drawn again every so often; ``draw`` gives None where there is nothing to draw."""
    trouble = _trouble()
    note = ui.html(_loading(visit), sanitize=False)
    echart = ui.echart({}).style(f"height: {height}").classes("chart")

    def show(options: dict[str, Any] | None) -> None:
        note.content = "" if options else h("p", visit.words("没有数据", "No data"), class_="empty")
        echart.set_visibility(options is not None)
        if options is not None and echart.options != options:
            echart.options.clear()
            echart.options.update(options)
            echart.update()

    return echart, Part(visit, echart, trouble, draw, show, every_s)


def _trouble() -> ui.html:
    return ui.html("", sanitize=False).classes("trouble").props('role="alert"')


def _loading(visit: Visit) -> Html:
    return h("p", visit.words("读取中…", "Loading …"), class_="loading", role="status")


def heading(text: str, *more: html.Part) -> None:
    """The heading of a part."""
    ui.html(h("h2", text, *more), sanitize=False)


def frame(visit: Visit, title: str, entry: str) -> None:
    """Header, menu, and the language and theme of the page. Called first."""
    w = visit.words
    ui.page_title(f"{title} · {w.name(visit.plant.get('name'))}")
    ui.dark_mode(visit.dark)
    ui.colors(primary="#3a9fd0" if visit.dark else "#005b84")
    links = [
        h("a", w(zh, en), href=to, aria_current="page" if to == entry else None)
        for to, (roles, zh, en) in MENU.items()
        if visit.role in roles
    ]
    back = quote(f"{visit.request.url.path}?{visit.request.url.query}".rstrip("?"))
    other, theme = ("en", "English") if w.language == "zh" else ("zh", "中文"), "light" if visit.dark else "dark"
    tools: list[html.Part] = [
        h("a", other[1], href=f"/console/preferences?language={other[0]}&back={back}", hreflang=other[0]),
        h(
            "a",
            "☀" if visit.dark else "☾",
            href=f"/console/preferences?theme={theme}&back={back}",
            aria_label=w("浅色", "light theme") if visit.dark else w("深色", "dark theme"),
        ),
    ]
    if visit.who:
        who = f"{visit.who['name']} · {w.of(ROLES[visit.role])}"
        out = h("button", w("退出", "Sign out"), type="submit")
        tools += [h("span", who, class_="who"), h("form", out, method="post", action="/logout")]
    ui.html(
        h(
            "div",
            h("a", w("跳到内容", "Skip to content"), href="#content", class_="skip"),
            h("strong", w.name(visit.plant.get("name"))),
            h("nav", links, aria_label=w("菜单", "Menu")),
            h("div", tools, class_="tools"),
            class_="bar",
        ),
        sanitize=False,
        tag="header",
    ).classes("top")
    ui.html(h("h1", title), sanitize=False).props("id=content tabindex=-1")
