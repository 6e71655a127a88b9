"""The public screen (公示大屏): what plant.yaml publishes, on a wall, without signing in and without NiceGUI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from plant_monitor.api.login_page import language_of
from plant_monitor.console.asking import Asking, NotAnswered
from plant_monitor.console.html import Html, h
from plant_monitor.console.words import Words, amount, bounds, minute, share

SCRIPT = """setInterval(async () => {
  const board = document.getElementById("board");
  try {
    const answer = await fetch(location.href, { headers: { "X-Part": "board" } });
    if (!answer.ok) throw new Error(answer.status);
    board.innerHTML = await answer.text();
    board.classList.remove("stale");
  } catch {
    board.classList.add("stale");
  }
}, 5000);
"""


async def public_page(request: Request, asking: Asking) -> Response:
    """The page, or its board alone where the page itself asks."""
    w = Words(language_of(request))
    try:
        told = await asking.get("/public")
    except NotAnswered as refused:
        nothing = w("这里没有公示内容", "Nothing is published here")
        body = h("main", h("p", nothing if refused.status == 404 else refused.message, class_="empty"), class_="page")
        return HTMLResponse(_page(w, "", body), refused.status)
    board = _board(w, told)
    if request.headers.get("x-part") == "board":
        return HTMLResponse(board)
    dark = request.query_params.get("theme", "dark") == "dark"
    body = h("main", board, id="board", class_="page public")
    return HTMLResponse(_page(w, told["plant"][w.language], body, dark))


def _page(w: Words, title: str, body: Html, dark: bool = False) -> str:
    style = h("link", rel="stylesheet", href="/console/console.css")
    script = h("script", src="/console/public.js", defer=True)
    icon = h("link", rel="icon", href="data:,")  # none, and none is asked for
    wide = h("meta", name="viewport", content="width=device-width, initial-scale=1")
    head = h("head", h("meta", charset="utf-8"), wide, h("title", title), icon, style, script)
    return "<!doctype html>" + h("html", head, h("body", body, class_="body--dark" if dark else None), lang=w.language)


def _board(w: Words, told: Mapping[str, Any]) -> Html:
    points: dict[str, list[Mapping[str, Any]]] = {}
    for series in told["series"]:
        points.setdefault(series["point"], []).append(series)
    cards = [_point(w, point, series) for point, series in points.items()]
    room = told["headroom"]
    if room is not None:
        cards.append(_headroom(w, room))
    time = h("p", minute(told["time"]), class_="fresh")
    return h("div", h("h1", told["plant"][w.language]), time, h("div", cards, class_="boards"))


def _point(w: Words, point: str, series: list[Mapping[str, Any]]) -> Html:
    return h(
        "section", h("h2", w.name(series[0]["name"], point)), h("dl", [_series(w, s) for s in series]), class_="panel"
    )


def _series(w: Words, one: Mapping[str, Any]) -> Html:
    value = h("span", amount(one["value"], one["unit"]), class_="value")
    mark = one["mark"]
    badge = h("span", f"{mark} {w.mark(mark)}", class_="mark") if mark not in (None, "N") else None
    age = h("span", h("b", "! ") if one["stale"] else None, w.age(one["age_s"]), class_="age")
    days = [
        h("div", h("span", d["date"], " ", w.statistic(d["statistic"]), " "), amount(d["value"], d["unit"], d["upper"]))
        + h("span", " · ", bounds(d, d["unit"]), " ", w.verdict(d["verdict"]))
        for d in one["days"]
    ]
    return h(
        "div",
        h("dt", w.parameter(one["parameter"])),
        h("dd", value, badge, age),
        [h("dd", Html(day), class_="told") for day in days],
        class_="line stale" if one["stale"] else "line",
        data_parameter=one["parameter"],
    )


def _headroom(w: Words, room: Mapping[str, Any]) -> Html:
    used, text = room["used_share"], w("近 24 小时进水", "Inflow of the last 24 h")
    sums = f"{amount(room['amount'], 'm3')} / {amount(room['allowed'], 'm3')} ({share(used)})"
    left = h("p", w("剩余能力 ", "Left: "), h("span", amount(room["headroom"], "m3"), class_="value"))
    return h("section", h("h2", w("余量", "Headroom")), h("p", text, " ", sums), left, class_="panel headroom")
