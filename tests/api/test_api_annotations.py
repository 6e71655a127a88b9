"""Annotations over the API: who may say what, who sees it, and what it does to verdicts."""

from __future__ import annotations

from typing import Any

import pytest
from api.api_world import World

BODY: dict[str, Any] = {
    "kind": "calibration",
    "point": "alpha-outfall",
    "parameter": "cod_cr",
    "from": "2026-10-01T09:00:00+08:00",
    "to": "2026-10-01T11:00:00+08:00",
    "reason": "half-yearly calibration",
}


def say(world: World, who: str = "operator", **more: Any) -> Any:
    return world.ask(who, "POST", "/annotations", json={**BODY, **more})


def filled(world: World) -> list[int]:
    answers = [say(world), say(world, point="beta-outfall", reason="beta"), say(world, point="plant-effluent")]
    assert [a.status_code for a in answers] == [200] * 3
    return [a.json()["id"] for a in answers]


def test_an_annotation_is_kept_with_author_and_reason(world: World) -> None:
    answer = say(world, parameter="", kind="fault").json()
    assert {k: answer[k] for k in ("kind", "point", "parameter", "from", "to", "reason", "author", "withdrawn")} == {
        **{k: BODY[k] for k in ("point", "from", "to", "reason")},
        "kind": "fault",
        "parameter": "",
        "author": "operator:operator",
        "withdrawn": None,
    }
    assert world.items("officer", "/annotations") == [answer]
    assert world.ledger.audit.list()[0].action == "annotation.add"


def test_a_withdrawn_one_stays_to_be_seen(world: World) -> None:
    number, *_ = filled(world)
    path = f"/annotations/{number}/withdraw"
    answer = world.ask("admin", "POST", path, json={"reason": "the wrong day"})
    assert answer.status_code == 200
    (seen,) = world.items("officer", "/annotations", point="alpha-outfall")
    assert seen == answer.json()
    assert (seen["withdrawn_by"], seen["withdrawn_reason"]) == ("admin:admin", "the wrong day")
    assert world.ask("admin", "POST", path, json={"reason": "again"}).status_code == 422
    assert world.ask("admin", "POST", path, json={}).status_code == 422


def test_a_member_sees_its_own_and_no_names(world: World) -> None:
    _, others, public = filled(world)
    (seen,) = world.items("alpha", "/annotations")
    assert (seen["point"], seen["author"]) == ("alpha-outfall", "operator")
    assert "beta" not in world.get("alpha", "/annotations").text
    for number in (others, public, 999):
        answer = world.ask("alpha", "POST", f"/annotations/{number}/withdraw", json={"reason": "x"})
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == f"there is no annotation '{number}'"


@pytest.mark.parametrize("who", ["alpha", "officer"])
def test_only_operators_enter_and_withdraw(world: World, who: str) -> None:
    number, *_ = filled(world)
    assert say(world, who).status_code == 403
    assert world.ask(who, "POST", f"/annotations/{number}/withdraw", json={"reason": "x"}).status_code == 403
    assert len(world.items("operator", "/annotations")) == 3


@pytest.mark.parametrize(
    ("more", "where", "words"),
    [
        ({"point": "nowhere"}, "body", "point 'nowhere' is not declared"),
        ({"parameter": "toc"}, "body", "is not measured at alpha-outfall"),
        ({"from": "2026-10-01T12:00:00+08:00"}, "body", "ends before it begins"),
        ({"from": "yesterday"}, "body.from", "found 'yesterday'"),
        ({"to": "2026-13-01"}, "body.to", "found '2026-13-01'"),
        ({"kind": "guess"}, "body.kind", "Input should be"),
        ({"kind": "manual_value", "value": 3.0}, "body", "names its evidence"),
        ({"kind": "meter_exchange"}, "body", "about the parameter volume"),
        ({"note": "x"}, "body.note", "Extra inputs"),
    ],
)
def test_what_makes_no_sense_is_refused(world: World, more: dict[str, Any], where: str, words: str) -> None:
    answer = say(world, **more)
    error = answer.json()["error"]
    assert (answer.status_code, error["where"]) == (422, where)
    assert words in error["message"]
    assert world.items("operator", "/annotations") == []


def test_a_second_value_for_one_instant_is_refused(world: World) -> None:
    value = {"kind": "manual_value", "value": 310.5, "evidence": "report 17"}
    assert say(world, **value).status_code == 200
    answer = say(world, **value)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    assert "withdraw it first" in answer.json()["error"]["message"]
    assert (
        say(world, kind="meter_exchange", parameter="", to=None, closing_register=9.5, opening_register=0).json()[
            "parameter"
        ]
        == "volume"
    )


def test_annotations_are_found_by_range_and_come_in_pages(world: World) -> None:
    filled(world)
    hours = [f"2026-10-01T{hour:02}:00:00+08:00" for hour in (9, 11, 12)]
    assert world.items("operator", "/annotations", **{"from": hours[1], "to": hours[2]}) == []
    assert len(world.items("operator", "/annotations", **{"from": hours[0], "to": hours[1]})) == 3
    seen, cursor = [], {}
    while True:
        page = world.get("operator", "/annotations", limit=2, **cursor).json()
        seen += [a["id"] for a in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == [3, 2, 1]


def test_verdicts_are_judged_anew_and_readings_stay(world: World) -> None:
    def daily() -> Any:
        asked = {"point": "alpha-outfall", "parameter": "cod_cr", "from": "2026-10-01", "to": "2026-10-02"}
        (row,) = world.items("alpha", "/compliance/daily", **asked)
        return row["verdict"], row["value"]

    def raw() -> Any:
        return world.items("alpha", "/points/alpha-outfall/readings", **{"from": "2026-10-01", "to": "2026-10-02"})

    before, readings = daily(), raw()
    assert before == ("exceeded", 0.6)
    number = say(world, **{"from": "2026-10-01", "to": "2026-10-02"}, kind="exclusion").json()["id"]
    assert daily() == ("insufficient_data", None)
    assert raw() == readings
    world.ask("operator", "POST", f"/annotations/{number}/withdraw", json={"reason": "it was water"})
    assert daily() == before
