"""A member objects to a line; it is answered and decided with a trail; granted, it leads to a correction."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from api.api_world import World, make_world
from api.test_api_settlement import BODY, NOVEMBER, Store, posted


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def world(tmp_path: Path, store: Store) -> World:
    made = make_world(tmp_path, source=store)
    made.clock.set(NOVEMBER)
    return made


def issued(world: World) -> str:
    number: str = posted(world, "/statements", BODY)["number"]
    posted(world, f"/statements/{number}/issue", {})
    return number


OBJECTION: dict[str, Any] = {
    "item": "power",
    "reason": "our dial showed 9000 at midnight",
    "attachments": [
        {"name": "dial 表.jpg", "media_type": "image/jpeg", "content": base64.b64encode(b"picture").decode()},
    ],
}


def test_from_objection_to_correction(world: World, store: Store) -> None:
    number = issued(world)
    mine = posted(world, f"/statements/{number}/objections", OBJECTION, who="alpha")
    assert (mine["statement"], mine["member"], mine["item"], mine["state"]) == (number, "alpha", "power", "open")
    path = f"/objections/{mine['id']}"
    file = world.get("operator", f"{path}/attachments/1")
    assert (file.content, file.headers["content-type"]) == (b"picture", "image/jpeg")
    assert world.get("operator", f"{path}/attachments/2").status_code == 404

    posted(world, f"{path}/acknowledge", {"comment": "we look at it"})
    posted(world, f"{path}/reply", {"comment": "the register of midnight had not arrived"})
    granted = {"comment": "corrected", "decision": "granted"}
    assert (
        "expected the number of a correction" in posted(world, f"{path}/close", granted, status=409)["error"]["message"]
    )
    posted(world, f"{path}/close", {**granted, "correction": number}, status=409)  # that is the statement itself

    store.late()
    draft = posted(world, "/statements", BODY)["number"]
    fix = posted(world, f"/statements/{draft}/correct", {"cause": f"objection {mine['id']}: late register"})
    done = posted(world, f"{path}/close", {**granted, "correction": fix["number"]})
    assert (done["state"], done["decision"], done["correction"]) == ("closed", "granted", fix["number"])
    trail = world.get("alpha", path).json()["events"]
    assert [(e["state"], e["actor"]) for e in trail] == [
        ("open", "member"), ("acknowledged", "operator"), ("replied", "operator"), ("closed", "operator"),
    ]  # fmt: skip
    assert [e["transition"] for e in trail] == ["opened", "acknowledged", "replied", "closed"]
    case = world.get("operator", f"/alerts/{mine['alert']}").json()
    assert (case["kind"], case["state"], case["member"]) == ("objection", "closed", "alpha")
    assert [e["comment"] for e in case["events"]] == [e["comment"] for e in trail]  # one trail, read from either side
    assert world.get("alpha", f"/statements/{number}").json()["lines"]  # as it was issued
    assert [o["id"] for o in world.items("alpha", "/objections")] == [mine["id"]]
    assert len(world.items("operator", "/objections")) == 2


def test_the_member_reopens_what_does_not_satisfy_it(world: World) -> None:
    path = f"/objections/{posted(world, f'/statements/{issued(world)}/objections', OBJECTION, who='alpha')['id']}"
    posted(world, f"{path}/close", {"comment": "no"}, status=409)  # closing decides
    posted(world, f"{path}/close", {"comment": "the dial agrees with the register", "decision": "rejected"})
    posted(world, f"{path}/reply", {"comment": "too late"}, status=409)
    posted(world, f"{path}/reopen", {"comment": "for them"}, status=403)
    again = posted(world, f"{path}/reopen", {"comment": "look at the picture"}, who="alpha")
    assert (again["state"], again["decision"]) == ("reopened", None)
    assert again["events"][1]["decision"] == "rejected"  # the trail keeps it


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"item": "beta-lab"}, 422, "expected one of power, lab, TOTAL"),
        ({"reason": ""}, 422, "at least 1 character"),
        ({"attachments": [{"name": "a", "content": "%%"}]}, 422, "base64"),
        ({"attachments": [{"name": "../a", "content": ""}]}, 422, "pattern"),
    ],
    ids=["item", "reason", "base64", "name"],
)
def test_an_objection_names_a_line_of_ones_own_and_a_reason(world: World, change: Any, status: int, words: str) -> None:
    path = f"/statements/{issued(world)}/objections"
    assert words in posted(world, path, {**OBJECTION, **change}, who="alpha", status=status)["error"]["message"]


def test_who_may_object_to_what(world: World) -> None:
    draft = posted(world, "/statements", BODY)["number"]
    path = f"/statements/{draft}/objections"
    assert "a draft may still change" in posted(world, path, OBJECTION, who="alpha", status=409)["error"]["message"]
    posted(world, path, OBJECTION, status=403)
    posted(world, path, OBJECTION, who="officer", status=404)
    posted(world, "/objections/1/reply", {"comment": "x"}, who="alpha", status=404)  # beta's
    posted(world, "/objections/1/reply", {"comment": "x"}, who="beta", status=403)


def test_an_explanation_tells_a_member_its_own_alone(world: World) -> None:
    number = issued(world)
    told = world.get("alpha", f"/statements/{number}/explanation").json()
    assert told["en"][0].startswith(f"Statement {number} (issued), Alpha")
    assert any("power: a cost of 1000.01 yuan by billed volume" in line for line in told["en"])
    assert any(line.startswith("  reading: 1000 m3 (2026-10-01T00:00:00+08:00)") for line in told["en"])
    assert "beta" not in str(told) and len(told["zh"]) == len(told["en"])


def test_its_case_is_nobody_elses_and_is_decided_as_an_objection(world: World) -> None:
    path = f"/statements/{issued(world)}/objections"
    mine = posted(world, path, OBJECTION, who="alpha")
    case = f"/alerts/{mine['alert']}"
    assert [world.get(who, case).status_code for who in ("alpha", "beta", "officer", "operator")] == [
        200,
        404,
        404,
        200,
    ]
    for action in ("close", "reopen"):
        error = posted(world, f"{case}/{action}", {"comment": "so be it"}, status=422)["error"]
        assert error["message"] == "an objection is decided, and reopened by its member, as an objection"
    posted(world, f"{case}/acknowledge", {"comment": "we look"})
    posted(world, f"{case}/reply", {"comment": "the register came late"})  # the same step as at /objections
    assert world.get("alpha", f"/objections/{mine['id']}").json()["state"] == "replied"
    again = posted(world, path, OBJECTION, who="alpha", status=409)["error"]["message"]
    assert "is open" in again  # one at a time about one line
    posted(world, path, {**OBJECTION, "item": "TOTAL"}, who="alpha")


def test_an_objection_is_handed_to_somebody_and_steps_take_files(world: World) -> None:
    path = f"/objections/{posted(world, f'/statements/{issued(world)}/objections', OBJECTION, who='alpha')['id']}"
    error = posted(world, f"{path}/assign", {"comment": "please", "assignee": "ghost"}, status=422)["error"]
    assert error["where"] == "body.assignee"
    handed = posted(world, f"{path}/assign", {"comment": "please", "assignee": "operator"})
    assert (handed["state"], handed["assignee"], handed["deadlines"]) == ("assigned", "operator", None)
    proof = {"name": "register.csv", "content": base64.b64encode(b"1,2").decode()}
    answered = posted(world, f"{path}/reply", {"comment": "see the file", "attachments": [proof]})
    assert [(f["place"], f["name"]) for f in answered["attachments"]] == [(1, "dial 表.jpg"), (2, "register.csv")]
    assert world.get("alpha", f"{path}/attachments/2").content == b"1,2"
    assert world.get("beta", f"{path}/attachments/2").status_code == 404
