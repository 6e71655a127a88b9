"""What people do about alerts and cases: ask something, and take the next step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from plant_monitor.console.forms import Files, sent, trouble
from plant_monitor.console.html import Html, h
from plant_monitor.console.page import Part, Visit, heading
from plant_monitor.console.words import ROLES

ACTIONS = {
    "acknowledge": ("确认", "Acknowledge"),
    "assign": ("交办", "Assign"),
    "reply": ("答复", "Reply"),
    "close": ("关闭", "Close"),
    "reopen": ("退回", "Send back"),
}
DECISIONS = {"granted": ("支持", "granted"), "rejected": ("驳回", "rejected")}


def ask_link(visit: Visit, subject: str, **about: str) -> Html:
    """A link to the form of an enquiry, with what it is about filled in."""
    asked = urlencode({"subject": subject, **about})
    return h("a", visit.words("就此咨询…", "Ask about this …"), href=f"/console/ask?{asked}", class_="ask")


async def show_ask(visit: Visit) -> None:
    """The page: a question, which becomes a case."""
    w, given = visit.words, visit.request.query_params
    points = {p["id"]: p for p in visit.plant["points"]}
    wanted = given.get("point", "")
    with ui.element("section").classes("panel form-inline"):
        heading(w("提出咨询", "Ask a question"))
        readers = w(
            "运行人员和环保管理人员会看到咨询及附件;对费用的异议请在结算单上提出。",
            "Operators and officers read an enquiry and its files; object to costs at the statement instead.",
        )
        ui.html(h("p", readers, class_="fresh"), sanitize=False)
        subject = ui.input(w("事由", "Subject"), value=given.get("subject", "")[:200])
        subject.props("outlined dense maxlength=200").classes("full")
        text = ui.textarea(w("问题", "Question")).props("outlined autogrow maxlength=4000").classes("full")
        names = {"": w("不涉及监测点", "about no point"), **{p: visit.point_name(p) for p in points}}
        point = ui.select(names, value=wanted if wanted in names else "", label=w("监测点", "Point"))
        parameter = ui.select({"": ""}, value="", label=w("因子", "Parameter"))
        for one in (point, parameter):
            one.props("outlined dense").classes("wide")

        def choices(wish: str = "") -> None:
            series = points[point.value]["series"] if point.value else []
            known = {s["parameter"]: w.parameter(s["parameter"]) for s in series}
            parameter.set_options({"": w("不限因子", "any"), **known}, value=wish if wish in known else "")

        choices(given.get("parameter", ""))
        point.on_value_change(lambda: choices())
        files, told = Files(visit), trouble()

        async def send() -> None:
            attached = files.bodies()
            if attached is None:
                return
            about = {"point": point.value, "parameter": parameter.value, "attachments": attached}
            body = {"subject": subject.value or "", "text": text.value or "", **about}
            case = await sent(visit, "/alerts", body, told)
            if case is not None:
                ui.navigate.to(f"/case/{case['id']}")

        ui.button(w("提交咨询", "Ask"), on_click=send).props("no-caps")


def show_acts(visit: Visit, alert: Mapping[str, Any], facts: Part) -> None:
    """What may be done about an alert, as a form. What does not fit the state of things the API refuses, and why."""
    w, whole = visit.words, visit.role != "member"
    with ui.element("section").classes("panel form-inline"):
        heading(w("处理", "What to do"))
        comment = ui.textarea(w("说明", "Comment")).props("outlined autogrow maxlength=4000").classes("full")
        people = {a["id"]: _person(visit, a) for a in alert["assignees"]}
        assignee = ui.select(people, value=None, label=w("交给", "For"), clearable=True)
        assignee.props("outlined dense").classes("wide").set_visibility(whole)
        decided = _decision(visit) if whole and alert["kind"] == "objection" else dict
        files, told = Files(visit), trouble()

        async def act(action: str) -> None:
            attached = files.bodies()
            if attached is None:
                return
            body: dict[str, Any] = {"comment": comment.value or "", "attachments": attached}
            if action == "assign":
                body["assignee"] = assignee.value or ""
            path = f"/alerts/{alert['id']}"
            if alert["kind"] == "objection" and action in ("close", "reopen"):
                path = f"/objections/{await _objection_of(visit, alert)}"
                body |= decided() if action == "close" else {}
            if await sent(visit, f"{path}/{action}", body, told) is not None:
                comment.value = ""
                files.clear()
                await facts.fill()

        with ui.row():
            for action in ACTIONS if whole else ("reply", "close", "reopen"):
                ui.button(w.of(ACTIONS[action]), on_click=lambda a=action: act(a)).props(
                    f"no-caps outline data-action={action}"
                )


def _person(visit: Visit, one: Mapping[str, Any]) -> str:
    """To whom an alert may be handed: the operators, the company, or a person of plant.yaml."""
    w = visit.words
    if one["id"] == "operator":
        return w("运行人员", "operators")
    if one["role"] == "company":
        return visit.member_name(one["id"])
    company = f", {visit.member_name(one['member'])}" if one["member"] else ""
    return f"{one['id']} ({w.of(ROLES[one['role']])}{company})"


def _decision(visit: Visit) -> Callable[[], dict[str, Any]]:
    """What closing an objection decides."""
    w = visit.words
    heading(w("关闭异议时的决定", "Closing an objection decides it"))
    decision = ui.select({k: w.of(v) for k, v in DECISIONS.items()}, label=w("决定", "Decision"), clearable=True)
    correction = ui.input(w("更正单编号(支持时)", "Number of the correction (granted)"))
    annotation = ui.number(w("或标注编号", "or of the annotation"), min=1, precision=0)
    for one in (decision, correction, annotation):
        one.props("outlined dense").classes("wide")
    return lambda: {
        "decision": decision.value or "",
        "correction": correction.value or "",
        "annotation": None if annotation.value is None else int(annotation.value),
    }


async def _objection_of(visit: Visit, alert: Mapping[str, Any]) -> int:
    """The number of an objection whose case an alert is."""
    statement, cursor = alert["subject"].partition(" ")[0], None
    while True:
        page = await visit.asking.get("/objections", statement=statement, limit=500, cursor=cursor)
        for one in page["items"]:
            if one["alert"] == alert["id"]:
                return int(one["id"])
        cursor = page["next"]
        assert cursor is not None, "every case of an objection has one"
