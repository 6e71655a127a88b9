"""Statements: the list, and one with every line, its explanation, and objections to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from nicegui import ui

from plant_monitor.console import html
from plant_monitor.console.asking import NotAnswered
from plant_monitor.console.cases import state_name
from plant_monitor.console.desk import DECISIONS, ask_link
from plant_monitor.console.forms import Files, file_links, sent, trouble
from plant_monitor.console.html import Html, h, table
from plant_monitor.console.page import Part, Visit, heading, part
from plant_monitor.console.words import minute, share

STATES = {"draft": ("草稿", "draft"), "superseded": ("已被替换", "superseded"), "issued": ("已签发", "issued")}
KINDS = {"statement": ("结算单", "statement"), "correction": ("更正单", "correction")}


async def show_list(visit: Visit) -> None:
    """The page of all statements."""
    with ui.element("section").classes("panel"):
        part(visit, lambda: _list(visit), every_s=60)


async def _list(visit: Visit) -> Html:
    w, own = visit.words, visit.role == "member"
    heads = (await visit.asking.get("/statements", limit=100))["items"]
    heads = [x for x in heads if x["state"] != "superseded"]
    if not heads:
        return h("p", w("还没有结算单", "There is no statement yet"), class_="empty")
    columns = [w("编号", "Number"), w("期间", "Period"), w("种类", "Kind"), w("状态", "State"), w("日期", "Date")]
    columns += [w("本企业(元)", "Yours (yuan)")] if own else []
    columns += [w("合计(元)", "Total (yuan)")]
    rows = [
        [
            h("a", x["number"], href=f"/console/bill/{quote(x['number'])}"),
            x["period"],
            w.of(KINDS.get(x["kind"], (x["kind"],) * 2)),
            _state(visit, x["state"]),
            minute(x["issued"] or x["created"]),
            *([x["member_total_yuan"] or "—"] if own else []),
            x["total_yuan"],
        ]
        for x in heads
    ]
    return table(columns, rows, caption=w("结算单", "Statements"), numeric=(5, 6) if own else (5,))


def _state(visit: Visit, state: str) -> Html:
    kind = {"issued": "met", "draft": "insufficient_data"}.get(state, "no_limit")
    shape = {"issued": "✓", "draft": "✎"}.get(state, "–")
    name = visit.words.of(STATES.get(state, (state, state)))
    return h("span", h("b", shape, aria_hidden="true"), " ", name, class_=f"verdict {kind}")


async def show_one(visit: Visit) -> None:
    """The page of one statement."""
    w, number = visit.words, visit.request.path_params["number"]
    chosen = {"member": visit.who["member"] or (visit.plant["members"] or [{"id": ""}])[0]["id"]}
    with ui.element("section").classes("panel"):
        part(visit, lambda: _statement(visit, number))
    with ui.element("section").classes("panel"):
        heading(w("每一行的由来", "How every line came about"))
        if visit.role != "member":
            shown: list[Part] = []

            async def choose(value: str) -> None:
                chosen["member"] = value
                await shown[0].fill()

            names = {m["id"]: w.name(m["name"]) for m in visit.plant["members"]}
            ui.select(
                names, value=chosen["member"], label=w("企业", "Company"), on_change=lambda e: choose(e.value)
            ).props("outlined dense").classes("wide")
            shown.append(part(visit, lambda: _explained(visit, number, chosen["member"])))
        else:
            part(visit, lambda: _explained(visit, number, chosen["member"]))
    with ui.element("section").classes("panel"):
        heading(w("异议", "Objections"))
        objections = part(visit, lambda: _objections(visit, number), every_s=30)
        if visit.role == "member":
            await _object(visit, number, objections)


async def _statement(visit: Visit, number: str) -> Html:
    w = visit.words
    statement = await visit.asking.get(f"/statements/{quote(number)}")
    columns = [w("项目", "Item"), w("金额(元)", "Amount (yuan)"), w("企业", "Company"), w("份额", "Share")]
    columns += [w("数量", "Quantity"), "", w("分摊依据", "Basis")]
    rows = [
        [
            w("合计", "TOTAL") if x["item"] == "TOTAL" else x["item"],
            h("b", x["amount_yuan"]) if x["item"] == "TOTAL" else x["amount_yuan"],
            w("全体", "all") if x["member"] == "TOTAL" else visit.member_name(x["member"]),
            share(float(x["share"])) if x["share"] else "",
            x["quantity"],
            x["unit"],
            x["basis"],
        ]
        for x in statement["lines"]
    ]
    base = f"/api/v1/statements/{quote(number)}"
    files = [h("a", "CSV", href=f"{base}.csv")]
    files += [h("a", "PDF", href=f"{base}.pdf")] if visit.role == "member" else [h("a", "XLSX", href=f"{base}.xlsx")]
    kind = w.of(KINDS.get(statement["kind"], (statement["kind"],) * 2))
    before = statement["predecessor"]
    cause = h("p", w("更正 ", "Corrects "), before, ": ", statement["cause"]) if before else None
    title = h("h2", f"{kind} {number} · {statement['period']} ", _state(visit, statement["state"]))
    return h(
        "div",
        title,
        cause,
        table(columns, rows, caption=kind, numeric=(1, 3, 4)),
        h("p", [[x, " "] for x in [*files, ask_link(visit, f"{kind} {number}")]]),
    )


async def _explained(visit: Visit, number: str, member: str) -> Html:
    answer = await visit.asking.get(f"/statements/{quote(number)}/explanation", member=member)
    return h("ol", [h("li", line) for line in answer[visit.words.language]], class_="explained")


async def _objections(visit: Visit, number: str) -> Html:
    w = visit.words
    found = (await visit.asking.get("/objections", statement=number))["items"]
    if not found:
        return h("p", w("没有异议", "None"), class_="empty")
    return h("ul", [h("li", _objection(visit, o)) for o in found], class_="objections")


def _objection(visit: Visit, one: Mapping[str, Any]) -> list[html.Part]:
    w = visit.words
    decision = one["decision"]
    said = [f"{minute(e['time'])} {e['actor']}: {e['comment']}" for e in one["events"] if e["comment"]]
    outcome = f" · {w.of(DECISIONS[decision])}" if decision else f" · {state_name(visit, one['state'])}"
    case = h("a", w("处理经过", "Its case"), href=f"/console/case/{one['alert']}")
    return [
        h("b", f"{visit.member_name(one['member'])} · {one['item']}"),
        outcome,
        ": ",
        one["reason"],
        *([" ", x] for x in file_links(one["attachments"], f"/objections/{one['id']}")),
        " · ",
        case,
        *(h("p", x) for x in said),
    ]


async def _object(visit: Visit, number: str, objections: Part) -> None:
    """The form of a member's objection."""
    w = visit.words
    try:
        statement = await visit.asking.get(f"/statements/{quote(number)}")
    except NotAnswered:
        return  # the part above says why
    if statement["state"] != "issued":
        told = w("草稿还会变,签发后才能提出异议。", "A draft may still change; object once it is issued.")
        ui.html(h("p", told, class_="fresh"), sanitize=False)
        return
    items = [x["item"] for x in statement["lines"] if x["member"] == visit.who["member"]]
    item = ui.select(items, value=items[-1] if items else None, label=w("项目", "Item")).props("outlined dense")
    item.classes("wide")
    reason = ui.textarea(w("理由", "Reason")).props("outlined autogrow maxlength=4000").classes("full")
    attachments, refused = Files(visit), trouble()

    async def send() -> None:
        attached = attachments.bodies()
        if attached is None:
            return
        body = {"item": item.value, "reason": reason.value or "", "attachments": attached}
        if await sent(visit, f"/statements/{quote(number)}/objections", body, refused) is not None:
            reason.value = ""
            attachments.clear()
            await objections.fill()

    ui.button(w("提出异议", "Object"), on_click=send).props("no-caps")
