"""Every route with every wrong key: no key, no answer; another's is as good as not there."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from api.api_world import HOUR, OCT_1, PLANT, World, alert_of, happened

from plant_monitor import monitor
from plant_monitor.alerts.lifecycle import Kind as AlertKind
from plant_monitor.alerts.lifecycle import case
from plant_monitor.annotations import AnnotatedSource, Annotation, Kind
from plant_monitor.compliance.history import judged_days

OCTOBER = date(2026, 10, 1), date(2026, 10, 3)
ALL_OCTOBER = {"from": "2026-10-01"}
TABLES = ("/compliance/daily", "/compliance/hourly", "/exceedances", "/warnings", "/alerts")

# Each route of the API: how alpha asks for what is its own, and for what is beta's (None: there is no such thing).
# `{…}` is filled in below. A route that is missing here fails the first test.
ROUTES: dict[tuple[str, str], tuple[str | None, str | None]] = {
    ("GET", "/health"): ("/health", None),
    ("GET", "/metrics"): (None, None),
    ("GET", "/plant"): ("/plant", None),
    ("GET", "/members/{member}/usage"): ("/members/alpha/usage", "/members/beta/usage"),
    ("GET", "/members/{member}/comparison"): ("/members/alpha/comparison", "/members/beta/comparison"),
    ("POST", "/members/{member}/whatif"): (None, None),
    ("GET", "/points/{point}/readings"): ("/points/alpha-outfall/readings", "/points/beta-outfall/readings"),
    ("GET", "/compliance/daily"): ("/compliance/daily", "/compliance/daily?point=beta-outfall"),
    ("GET", "/compliance/hourly"): ("/compliance/hourly", "/compliance/hourly?point=beta-outfall"),
    ("GET", "/compliance/history"): ("/compliance/history", "/compliance/history?point=beta-outfall"),
    ("GET", "/exceedances"): ("/exceedances", "/exceedances?point=beta-outfall"),
    ("GET", "/headroom"): ("/headroom", None),
    ("GET", "/annotations"): ("/annotations", "/annotations?point=beta-outfall"),
    ("POST", "/annotations"): (None, None),
    ("POST", "/annotations/{number}/withdraw"): (None, None),
    ("GET", "/headroom/now"): ("/headroom/now", None),
    ("GET", "/live"): ("/live", "/live?point=beta-outfall"),
    ("GET", "/warnings"): ("/warnings", "/warnings?point=beta-outfall"),
    ("GET", "/session"): ("/session", None),
    ("GET", "/latest"): ("/latest", None),
    ("GET", "/public"): ("/public", None),
    ("GET", "/quarantine"): (None, None),
    ("GET", "/compliance/explanation"): (
        None,  # it needs a query of its own
        "/compliance/explanation?point=beta-outfall&parameter=cod_cr&date=2026-10-01",
    ),
    ("GET", "/lab"): ("/lab", "/lab?point=beta-outfall"),
    ("POST", "/lab"): (None, None),
    ("GET", "/alerts"): ("/alerts", "/alerts?point=beta-outfall"),
    ("GET", "/analysis"): ("/analysis", None),
    ("GET", "/messages"): (None, None),
    ("GET", "/mutes"): ("/mutes", None),
    ("POST", "/mutes"): (None, None),
    ("POST", "/mutes/{number}/lift"): (None, None),
    ("GET", "/alerts/{alert}"): ("/alerts/{alpha_alert}", "/alerts/{beta_alert}"),
    ("POST", "/alerts"): (None, None),
    ("GET", "/alerts/{alert}/attachments/{place}"): (None, "/alerts/{beta_case}/attachments/1"),
    ("POST", "/alerts/{alert}/{action}"): (None, "/alerts/{beta_alert}/acknowledge"),
    ("GET", "/statements"): ("/statements", None),
    ("POST", "/statements"): (None, None),
    ("POST", "/statements/{number}/issue"): (None, None),
    ("POST", "/statements/{number}/correct"): (None, None),
    ("POST", "/statements/{number}/objections"): (None, None),
    ("GET", "/statements/{number}/explanation"): (
        "/statements/2026-10-02/explanation",
        "/statements/2026-10-02/explanation?member=beta",
    ),
    ("GET", "/objections"): ("/objections", None),
    ("GET", "/objections/{objection}"): (None, "/objections/{beta_objection}"),
    ("GET", "/objections/{objection}/attachments/{place}"): (None, "/objections/{beta_objection}/attachments/1"),
    ("POST", "/objections/{objection}/{action}"): (None, None),
    ("GET", "/statements/{number}"): ("/statements/2026-10-02", None),
    ("GET", "/statements/{number}.csv"): ("/statements/2026-10-02.csv", None),
    ("GET", "/statements/{number}.pdf"): ("/statements/2026-10-02.pdf", "/statements/2026-10-02.pdf?member=beta"),
    ("GET", "/statements/{number}.xlsx"): (None, "/statements/2026-10-02.xlsx"),
}


def routes_of(world: World) -> set[tuple[str, str]]:
    paths = world.client.get("/api/v1/openapi.json").json()["paths"]
    return {(m.upper(), p.removeprefix("/api/v1")) for p, operations in paths.items() for m in operations}


def changed(world: World) -> None:
    """Verdicts that are other than they were, of every point."""
    source = world.evaluations.judged()
    said: list[Annotation] = []
    for _ in range(2):
        evaluation = monitor.evaluate_days(world.plant, AnnotatedSource(world.plant, source, said), *OCTOBER)
        days = judged_days(world.plant, evaluation, world.clock.now_ms(), said)
        world.ledger.verdicts.give(days, world.plant.zone, now_ms=world.clock.now_ms())
        said = [
            Annotation(Kind.EXCLUSION, point.id, "", OCT_1, OCT_1 + 24 * HOUR, "x", id=i)
            for i, point in enumerate(world.plant.points)
        ]


def fill(path: str, world: World) -> str:
    alerts = {f"{m}_alert": alert_of(world, f"{m}-outfall") for m in ("alpha", "beta")}
    objection = world.ledger.objections.find(member="beta")[0].id
    return path.format(**alerts, beta_objection=objection, beta_case=case_of(world, "beta"))


def case_of(world: World, member: str) -> int:
    """The member's enquiry, with a file."""
    known = [a.id for a in world.ledger.alerts.find(kind=AlertKind.ENQUIRY) if a.member == member]
    body = {"subject": f"{member} asks", "text": member, "attachments": [{"name": f"{member}.txt", "content": "YQ=="}]}
    return known[0] if known else int(world.ask(member, "POST", "/alerts", json=body).json()["id"])


def concrete(path: str) -> str:
    """A path that the route matches, whatever it names."""
    return re.sub(r"\{action\}", "close", re.sub(r"\{(?!action)\w+\}", "1", path))


def test_this_walk_knows_every_route(world: World) -> None:
    assert routes_of(world) == set(ROUTES)


def wrong_keys(world: World) -> dict[str, Any]:
    good = world.keys["operator"]
    revoked = world.ledger.keys.add("admin", now_ms=1)
    world.ledger.keys.revoke(revoked.key.prefix, now_ms=2)
    expired = world.ledger.keys.add("admin", now_ms=1, expires_ms=OCT_1)
    former = world.ledger.keys.add("member", member="gone", now_ms=1)
    return {
        "none": {},
        "empty": {"Authorization": ""},
        "no secret": {"Authorization": "Bearer "},
        "other scheme": {"Authorization": f"Basic {good}"},
        "no scheme": {"Authorization": good},
        "invented": {"Authorization": "Bearer pm_00000000_" + "x" * 43},
        "cut": {"Authorization": f"Bearer {good[:-1]}"},
        "revoked": {"Authorization": f"Bearer {revoked.secret}"},
        "expired": {"Authorization": f"Bearer {expired.secret}"},
        "former member": {"Authorization": f"Bearer {former.secret}"},
        "no text": {b"Authorization": b"Bearer \xff\xfe"},
    }


def test_without_a_valid_key_only_health_answers(world: World) -> None:
    asked = [*routes_of(world), ("GET", "/nothing/here"), ("DELETE", "/plant"), ("GET", "/"), ("POST", "/alerts/1/x")]
    for name, headers in wrong_keys(world).items():
        for method, path in asked:
            answer = world.client.request(
                method, f"/api/v1{concrete(path)}", headers=headers, content=b"{broken" if method == "POST" else None
            )
            if (name, path) == ("none", "/health"):
                assert answer.json() == {"status": "ok"}
                continue
            if (name, path) == ("none", "/public"):  # this plant publishes something
                assert answer.status_code == 200
                continue
            assert answer.status_code == 401, (name, path)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["error"]["code"] == "unauthorized"


def test_another_members_is_answered_like_what_does_not_exist(world: World) -> None:
    happened(world)
    for (method, route), (_, others) in ROUTES.items():
        if others is None:
            continue
        path = fill(others, world)
        ghost = path.replace("beta", "ghost") if "beta" in path else re.sub(r"\d+", "987654", path)
        theirs, nothing = (world.ask("alpha", method, p) for p in (path, ghost))
        assert theirs.status_code == nothing.status_code == 404, route
        named = theirs.text.replace("beta", "ghost") if "beta" in path else re.sub(r"\d+", "987654", theirs.text)
        assert named == nothing.text
        assert world.ask("operator", method, path).status_code == 200  # it is there


@pytest.mark.parametrize(
    "query",
    [
        {"point": "beta-outfall"},
        {"parameter": "chloride"},
        {"limit_set": "beta-permit"},
        {"point": "plant-basin"},
        {"point": "alpha-outfall", "parameter": "chloride"},
    ],
    ids=str,
)
def test_a_filter_by_what_is_anothers_finds_nothing(world: World, query: dict[str, str]) -> None:
    for path in TABLES:
        for form in ({}, {"format": "csv"}) if path != "/alerts" else ({},):
            answer = world.get("alpha", path, **query, **form)
            assert answer.status_code == 404, path
            ghost = world.get("alpha", path, **{**query, list(query)[-1]: "ghost"}, **form)
            assert answer.text.replace(list(query.values())[-1], "ghost") == ghost.text
    assert world.get("operator", "/compliance/daily", point="beta-outfall").status_code == 200


def test_nothing_of_another_member_is_in_any_answer(world: World) -> None:
    world.ask("officer", "POST", f"/alerts/{alert_of(world, 'beta-outfall')}/acknowledge", json={"comment": "beta!"})
    changed(world)
    happened(world)
    forms: list[dict[str, Any]] = [
        ALL_OCTOBER,
        {**ALL_OCTOBER, "format": "csv"},
        {**ALL_OCTOBER, "step": "hour"},
        {**ALL_OCTOBER, "step": "day"},
        {**ALL_OCTOBER, "step": "month", "format": "csv"},
        {"limit": 1},
        {},
    ]
    answered = set()
    for (method, route), (own, _) in ROUTES.items():
        if own is None:
            continue
        for form in forms:
            from_the_start = {"Last-Event-ID": f"{OCT_1}-0"}  # of the stream
            answer = world.ask("alpha", method, fill(own, world), params=form, headers=from_the_start)
            assert answer.status_code in (200, 422), (route, form)  # 422: a parameter this route does not have
            assert "beta" not in answer.text + str(answer.headers), (route, form)
            assert "chloride" not in answer.text
            assert "basin" not in answer.text
            if answer.status_code == 200:
                answered.add(route)
    assert answered == {route for (_, route), (own, _) in ROUTES.items() if own}
    assert "beta" in PLANT  # the mark is there to be found
    assert "beta" in world.get("operator", "/compliance/daily", **ALL_OCTOBER).text


def test_pages_of_a_member_hold_no_others_rows_by_cursor(world: World) -> None:
    """A cursor of somebody else's list opens nothing: it is only a place to go on from."""
    page = world.get("operator", "/compliance/daily", limit=1, point="beta-outfall").json()
    for path in TABLES[:2]:
        answer = world.get("alpha", path, cursor=page["next"])
        assert "beta" not in answer.text


def test_public_figures_are_open_to_members(world: World) -> None:
    assert {r["verdict"] for r in world.items("alpha", "/compliance/daily", point="plant-effluent", **ALL_OCTOBER)} >= {
        "met", "exceeded",
    }  # fmt: skip
    assert [r["limit_set"] for r in world.items("alpha", "/exceedances", point="plant-effluent", **ALL_OCTOBER)] == [
        "outlet"
    ]
    assert world.items("alpha", "/headroom", **ALL_OCTOBER)[0]["inflow_m3"] == pytest.approx(240)
    inflow = world.items("alpha", "/compliance/hourly", point="plant-inlet", **ALL_OCTOBER)
    assert {r["parameter"] for r in inflow} == {"flow"}  # not what comes in with it
    assert inflow[0]["volume_m3"] == pytest.approx(10)
    assert world.get("alpha", "/compliance/daily", point="plant-inlet", parameter="ss").status_code == 404
    assert {s["id"] for s in world.get("alpha", "/plant").json()["limit_sets"]} == {"intake", "outlet"}
    assert world.items("alpha", "/statements")[0]["total_yuan"] == "255.01"


def test_changed_verdicts_are_those_of_the_results_one_sees(world: World) -> None:
    changed(world)
    seen = {(x["point"], x["parameter"]) for x in world.items("alpha", "/compliance/history")}
    assert seen == {("alpha-outfall", "cod_cr"), ("alpha-outfall", "ph"), ("plant-effluent", "cod_cr")}
    everything = world.items("officer", "/compliance/history")
    assert {x["point"] for x in everything} == {"alpha-outfall", "beta-outfall", "plant-effluent"}
    (one,) = world.items("alpha", "/compliance/history", point="plant-effluent")
    names = ("table", "window", "old_verdict", "new_verdict", "old_value", "cause", "annotations")
    effluent = [p.id for p in world.plant.points].index("plant-effluent")
    assert [one[n] for n in names] == [
        "daily",
        "2026-10-01",
        "met",
        "insufficient_data",
        40.0,
        "annotation",
        [effluent],
    ]
    hours = world.items("alpha", "/compliance/history", parameter="ph", **{"from": "2026-10-01", "to": "2026-10-02"})
    assert len(hours) == 25 and [x["id"] for x in hours] == sorted((x["id"] for x in hours), reverse=True)
    assert world.items("alpha", "/compliance/history", **{"from": "2026-10-02"}) == []
    page = world.get("alpha", "/compliance/history", limit=7).json()
    rest = world.get("alpha", "/compliance/history", cursor=page["next"]).json()
    assert len(page["items"]) == 7 and not {x["id"] for x in page["items"]} & {x["id"] for x in rest["items"]}


def test_public_figures_do_not_open_readings_alerts_or_messages(world: World) -> None:
    for point in ("plant-effluent", "plant-inlet", "plant-basin"):
        assert world.get("alpha", f"/points/{point}/readings").status_code == 404
    effluent = alert_of(world, "plant-effluent")
    assert world.get("alpha", f"/alerts/{effluent}").status_code == 404
    assert {a["point"] for a in world.items("alpha", "/alerts")} == {"alpha-outfall"}
    own = world.get("alpha", f"/alerts/{alert_of(world, 'alpha-outfall')}").json()
    assert own["deliveries"] is None


def test_an_enquiry_is_its_members_and_its_files_too(world: World) -> None:
    number = case_of(world, "beta")
    assert number not in [a["id"] for a in world.items("alpha", "/alerts")]
    assert world.items("beta", "/alerts", kind="enquiry")[0]["subject"] == "beta asks"
    (file,) = world.get("beta", f"/alerts/{number}").json()["events"][0]["attachments"]
    assert (file["name"], file["bytes"]) == ("beta.txt", 1)
    answer = world.get("officer", f"/alerts/{number}/attachments/1")
    assert (answer.content, answer.headers["content-disposition"]) == (b"a", "attachment")
    assert world.get("officer", f"/alerts/{number}/attachments/2").status_code == 404
    for point in ("beta-outfall", "plant-basin", "ghost"):
        body = {"subject": "x", "text": "y", "point": point}
        assert world.ask("alpha", "POST", "/alerts", json=body).status_code == 404
    assert world.ask("alpha", "POST", "/alerts", json={**body, "point": "plant-effluent"}).status_code == 200


def test_who_asked_says_whether_it_is_answered(world: World) -> None:
    path = f"/alerts/{case_of(world, 'beta')}"
    assert world.ask("beta", "POST", f"{path}/close").status_code == 403  # not answered yet
    assert world.ask("officer", "POST", f"{path}/acknowledge").status_code == 200
    file = {"name": "why.txt", "content": "YmVjYXVzZQ=="}
    answer = world.ask("officer", "POST", f"{path}/reply", json={"comment": "so", "attachments": [file]})
    assert [e["attachments"] for e in answer.json()["events"]][2][0]["name"] == "why.txt"
    assert world.ask("beta", "POST", f"{path}/reopen", json={"comment": "no"}).json()["state"] == "reopened"
    assert world.ask("officer", "POST", f"{path}/reply", json={"comment": "so"}).status_code == 200
    assert world.ask("beta", "POST", f"{path}/close").json()["state"] == "closed"
    broken = {"comment": "x", "attachments": [{"name": "x", "content": "?"}]}
    error = world.ask("beta", "POST", f"{path}/reopen", json=broken).json()["error"]
    assert error["where"] == "body.attachments.0"


def test_mutes_are_the_operators_and_a_member_reads_those_of_its_points(world: World) -> None:
    body = {"to": "2026-10-05", "reason": "beta is served", "point": "beta-outfall"}
    for who in ("alpha", "officer"):
        assert world.ask(who, "POST", "/mutes", json=body).status_code == 403
    made = world.ask("operator", "POST", "/mutes", json=body).json()
    assert (made["state"], made["author"]) == ("in force", "operator:operator")
    assert world.get("alpha", "/mutes").json() == []
    assert [m["author"] for m in world.get("beta", "/mutes").json()] == ["operator"]
    alert = world.get("officer", f"/alerts/{alert_of(world, 'beta-outfall')}").json()
    assert alert["muted_until"] == "2026-10-05T00:00:00+08:00"
    assert world.ask("officer", "POST", "/mutes/1/lift", json={"reason": "x"}).status_code == 403
    assert world.ask("operator", "POST", "/mutes/1/lift", json={"reason": "x"}).json()["state"] == "lifted"
    assert world.ask("operator", "POST", "/mutes/1/lift", json={"reason": "x"}).status_code == 409
    assert world.ask("operator", "POST", "/mutes/7/lift", json={"reason": "x"}).status_code == 404
    for wrong, where in (({"point": "ghost"}, "point"), ({"to": "2026-10-01"}, "to"), ({"from": "2026-10-01"}, "from")):
        error = world.ask("operator", "POST", "/mutes", json={**body, **wrong}).json()["error"]
        assert error["where"] == f"body.{where}"


def test_an_officer_knows_of_no_objection(world: World) -> None:
    made = case(AlertKind.OBJECTION, subject="s", text="t", now_ms=1, member="alpha", series=("", ""))
    number = world.ledger.alerts.open_case(made, actor="member:x", comment="t").id
    assert world.get("officer", f"/alerts/{number}").status_code == 404
    assert world.get("beta", f"/alerts/{number}").status_code == 404
    assert number not in [a["id"] for a in world.items("officer", "/alerts")]
    assert number in [a["id"] for a in world.items("alpha", "/alerts")]
    assert world.get("operator", f"/alerts/{number}").json()["peak"] is None


def test_a_member_may_not_treat_its_own_alert(world: World) -> None:
    answer = world.ask("alpha", "POST", f"/alerts/{alert_of(world, 'alpha-outfall')}/close")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert world.items("alpha", "/alerts")[0]["state"] == "open"


def test_an_officer_sees_every_point_and_no_costs(world: World) -> None:
    points = {p["id"] for p in world.get("officer", "/plant").json()["points"]}
    assert points == {p.id for p in world.plant.points}
    for point in points:
        assert world.get("officer", f"/points/{point}/readings").status_code == 200
    for path in ("/statements", "/statements/2026-10-02", "/statements/2026-10-02.csv", "/statements/none"):
        answer = world.get("officer", path)
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == "there are no statements for this key"


def test_the_service_itself_is_for_operators(world: World) -> None:
    for who in ("operator", "admin"):
        assert world.get(who, "/metrics").status_code == 200
        assert {m["channel"] for m in world.items(who, "/messages", state="pending")} == {"beta-phone"}
        assert world.get(who, "/health").json()["journal"]["rows"] == 12
    for who in ("alpha", "officer"):
        assert world.get(who, "/metrics").status_code == 403
        assert world.get(who, "/messages").status_code == 403
        assert world.get(who, "/health").json() == {"status": "ok"}


def test_a_statement_shows_a_member_its_rows_and_the_totals(world: World) -> None:
    own = world.get("alpha", "/statements/2026-10-02").json()
    assert [(r["member"], r["item"]) for r in own["lines"]] == [
        ("alpha", "power"), ("alpha", "TOTAL"), ("TOTAL", "power"), ("TOTAL", "TOTAL"),
    ]  # fmt: skip
    assert [v["point"] for v in own["volumes"]] == ["alpha-outfall", "plant-inlet"]
    assert (own["total_yuan"], own["member_total_yuan"], own["document"]) == ("255.01", "100.00", None)
    text = world.get("alpha", "/statements/2026-10-02.csv").text
    assert text.splitlines() == [
        "member,item,basis,quantity,unit,share,amount_yuan",
        "alpha,power,volume,720,m3,0.5,100.00",
        "alpha,TOTAL,,,,,100.00",
        "TOTAL,power,volume,1440,m3,1,200.01",
        "TOTAL,TOTAL,,,,,255.01",
    ]
    charged = world.get("beta", "/statements/2026-10-02").json()
    assert ("beta", "beta-lab") in [(r["member"], r["item"]) for r in charged["lines"]]
    whole = world.get("operator", "/statements/2026-10-02").json()
    assert len(whole["lines"]) == 9
    assert whole["document"]["beta"] == "everything"
    assert whole["member_total_yuan"] is None


def test_documents_of_a_statement_show_a_member_nobody_else(world: World) -> None:
    pdf = world.get("alpha", "/statements/2026-10-02.pdf")
    assert pdf.status_code == 200 and pdf.content.startswith(b"%PDF")
    assert world.get("operator", "/statements/2026-10-02.pdf", member="alpha").content == pdf.content
    assert world.get("operator", "/statements/2026-10-02.pdf").status_code == 422
    assert world.get("operator", "/statements/2026-10-02.pdf", member="nobody").status_code == 404
    assert world.get("operator", "/statements/2026-10-02.xlsx").content.startswith(b"PK")
    assert world.get("alpha", "/statements/2026-10-02.xlsx").status_code == 404
    for kind in ("pdf", "xlsx"):
        assert world.get("officer", f"/statements/2026-10-02.{kind}").status_code == 404
