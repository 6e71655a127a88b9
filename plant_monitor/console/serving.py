"""The console on the API's own app: NiceGUI under ``/console``, behind the same gate."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from nicegui import Client, ui
from nicegui import app as nicegui_app
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plant_monitor.alerts.attachments import MAX_BYTES
from plant_monitor.api.gate import SESSION_COOKIE, session_token
from plant_monitor.api.login_page import LANGUAGE_COOKIE, language_of, local
from plant_monitor.console import analysis, bills, calendar, cases, desk, devices, overview, public, trends, usage
from plant_monitor.console.asking import Asking, NotAnswered
from plant_monitor.console.page import HOME_OF, MENU, Visit, frame
from plant_monitor.console.words import Words

ROOT = "/console"
THEME_COOKIE = "plant_monitor_theme"
YEAR_S = 31_536_000
RECONNECT_S = 30.0
BUILD_S = 10.0
# Vue compiles templates in the browser and NiceGUI sets a page up in scripts of its own: both are allowed here.
# What matters holds: nothing is loaded from, sent to, or framed by anybody else.
_ALLOWED = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_POLICY = (b"content-security-policy", _ALLOWED.encode())

Show = Callable[[Visit], Awaitable[None]]
PAGES: dict[str, Show] = {
    "/": overview.show,
    "/trends": trends.show,
    "/cases": cases.show_list,
    "/case/{number}": cases.show_one,
    "/ask": desk.show_ask,
    "/calendar": calendar.show,
    "/evidence": calendar.show_evidence,
    "/analysis": analysis.show,
    "/usage": usage.show,
    "/bills": bills.show_list,
    "/bill/{number}": bills.show_one,
    "/devices": devices.show,
}


class _Served:
    """The app that pages ask now: NiceGUI is one per process, and a reload of plant.yaml brings another app."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None, "pages are served by an app"
        await self.app(scope, receive, send)


_served = _Served()


def add_console(app: FastAPI) -> None:
    """Serve the console on the app of the API. Of several apps of a process the one that started last is asked."""
    style = files("plant_monitor.console").joinpath("console.css").read_text(encoding="utf-8")

    @app.get("/", include_in_schema=False)
    async def get_root() -> Response:
        return RedirectResponse(f"{ROOT}/", 303)

    @app.get(f"{ROOT}/preferences", include_in_schema=False)
    async def get_preferences(back: str = "/", language: str | None = None, theme: str | None = None) -> Response:
        answer = RedirectResponse(local(back), 303)
        if language in ("zh", "en"):
            answer.set_cookie(LANGUAGE_COOKIE, language, max_age=YEAR_S, samesite="strict")
        if theme in ("light", "dark"):
            answer.set_cookie(THEME_COOKIE, theme, max_age=YEAR_S, samesite="strict")
        return answer

    @app.get(f"{ROOT}/console.css", include_in_schema=False)
    async def get_style() -> Response:
        return Response(style, media_type="text/css; charset=utf-8", headers={"Cache-Control": "max-age=3600"})

    @app.get(f"{ROOT}/public", include_in_schema=False)
    async def get_public(request: Request) -> Response:
        return await public.public_page(request, Asking(_served, ""))

    @app.get(f"{ROOT}/public.js", include_in_schema=False)
    async def get_script() -> Response:
        return Response(public.SCRIPT, media_type="text/javascript; charset=utf-8")

    _set_up()
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: FastAPI) -> AsyncIterator[Any]:
        _served.app = app
        async with nicegui_app.router.lifespan_context(nicegui_app), inner(running) as state:
            yield state
        for client in list(Client.instances.values()):
            client.delete()  # what kept it up to date ends here: its browser opens the page anew

    app.router.lifespan_context = lifespan
    app.mount(ROOT, nicegui_app)
    app.add_middleware(_Pages)


@cache
def _set_up() -> None:
    """Pages and settings, once in a process."""
    for path, show in PAGES.items():
        _add(path, show)
    ui.run_with(
        FastAPI(),  # ours is mounted by hand, since it may be another one after a reload
        title="plant-monitor",
        dark=False,
        tailwind=False,
        reconnect_timeout=RECONNECT_S,
        show_welcome_message=False,
        binding_refresh_interval=None,
    )


def _add(path: str, show: Show) -> None:
    @ui.page(path, response_timeout=BUILD_S)
    async def get_page(request: Request) -> Response | None:
        visit = visit_of(request)
        try:
            visit.who = await visit.asking.get("/session")
            visit.plant = await visit.asking.get("/plant")
        except NotAnswered as refused:
            if refused.status == 401:
                return RedirectResponse(f"/login?back={quote(request.url.path)}", 303)
            raise
        roles, zh, en = MENU[menu_of(path)]
        if visit.role not in roles:
            return RedirectResponse(HOME_OF.get(visit.role, f"{ROOT}/"), 303)
        frame(visit, visit.words(zh, en), menu_of(path))
        with ui.element("main").classes("page"):
            await show(visit)
        await visit.settle()
        return None


def menu_of(path: str) -> str:
    """The entry of the menu that a page belongs to."""
    first = path.split("/")[1]
    return f"{ROOT}/" + {"case": "cases", "ask": "cases", "bill": "bills", "evidence": "calendar"}.get(first, first)


def visit_of(request: Request) -> Visit:
    """Who looks, before the API has said who that is."""
    token = session_token(request.scope)
    cookie = f"{SESSION_COOKIE}={token}" if token else ""
    ui.add_head_html(f'<link rel="stylesheet" href="{ROOT}/console.css">')
    dark = request.cookies.get(THEME_COOKIE) == "dark"
    return Visit(request, Asking(_served, cookie), Words(language_of(request)), dark)


def _within(length: str) -> bool:
    """True for a body of a known length that a form's file may have: one comes at a time."""
    return length.isdecimal() and int(length) <= MAX_BYTES + 100_000


class _Pages:
    """ASGI middleware around the console: what its pages may load and send; a browser that has gone is no error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(f"{ROOT}/"):
            await self._app(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD") and not _within(Headers(scope=scope).get("content-length", "")):
            await PlainTextResponse("too large", 413)(scope, receive, send)
            return
        gone = False

        async def listening() -> Message:
            nonlocal gone
            message = await receive()
            gone = gone or message["type"] == "http.disconnect"
            return message

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [(name, value) for name, value in message["headers"] if name != _POLICY[0]]
                message["headers"] = [*others, _POLICY]
            await send(message)

        try:
            await self._app(scope, listening, with_policy)
        except RuntimeError:  # of Starlette, where nobody listens to the answer any more
            if not gone:
                raise
