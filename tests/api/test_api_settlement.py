"""Drafting, issuing and correcting over HTTP: operators do it, members read their own, nobody changes a document."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from api.api_world import DAY, OCT_1, World, make_plant, make_readings, make_world

from plant_monitor.readings import NORMAL, Readings
from plant_monitor.store.memory import MemorySource

NOVEMBER = OCT_1 + 31 * DAY
COSTS = [
    {"item": "power", "basis": "volume", "amount_yuan": "1000.01"},
    {"item": "lab", "basis": "direct:beta", "amount_yuan": "55"},
]
BODY = {"period": "2026-10", "costs": COSTS}


class Store:
    """A source to which readings come late."""

    def __init__(self) -> None:
        self.now = MemorySource(make_readings(make_plant()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.now, name)

    def late(self) -> None:
        """A register of alpha's after the month, which counts the month to its end."""
        plant = make_plant()
        register = Readings.of([NOVEMBER], plant.series_index["alpha-outfall", "volume"], [9000.0], [NORMAL])
        self.now = MemorySource(Readings.concat([make_readings(plant), register]))


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def world(tmp_path: Path, store: Store) -> World:
    made = make_world(tmp_path, source=store)
    made.clock.set(NOVEMBER)
    return made


def posted(world: World, path: str, body: Any, who: str = "operator", status: int = 200) -> Any:
    answer = world.ask(who, "POST", path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_bill_from_draft_to_issue_to_correction(world: World, store: Store) -> None:
    draft = posted(world, "/statements", BODY)
    assert (draft["number"], draft["kind"], draft["state"]) == ("2026-10-03", "statement", "draft")
    assert posted(world, "/statements", BODY)["number"] == draft["number"]  # the same inputs, the same draft
    issued = posted(world, f"/statements/{draft['number']}/issue", {})
    assert (issued["state"], issued["issued"]) == ("issued", "2026-11-01T00:00:00+08:00")
    assert issued["document"]["issue"]["by"] == "operator:operator"
    assert posted(world, f"/statements/{draft['number']}/issue", None, status=409)["error"]["code"] == "conflict"

    store.late()
    second = posted(world, "/statements", BODY)
    path = f"/statements/{second['number']}/correct"
    assert posted(world, path, {}, status=422)["error"]["where"] == "body.cause"
    fix = posted(world, path, {"cause": "register of 1 November came late"})
    assert (fix["kind"], fix["state"], fix["predecessor"]) == ("correction", "issued", draft["number"])
    assert fix["cause"] == "register of 1 November came late"
    own = world.get("alpha", f"/statements/{fix['number']}").json()
    assert own["document"] is None
    assert {row["member"] for row in own["lines"]} == {"alpha", "TOTAL"}
    total = next(r for r in own["lines"] if (r["member"], r["item"]) == ("alpha", "TOTAL"))
    assert own["member_total_yuan"] == total["amount_yuan"] != "0.00"
    assert "beta" not in world.get("alpha", f"/statements/{fix['number']}.csv").text
    for kind in ("pdf", "xlsx"):
        answer = world.get(
            "operator", f"/statements/{fix['number']}.{kind}", **({"member": "beta"} if kind == "pdf" else {})
        )
        assert answer.status_code == 200, answer.text


def test_a_running_month_is_drafted_so_far_and_not_issued(world: World) -> None:
    draft = posted(world, "/statements", {**BODY, "until": "2026-10-04"})
    assert draft["document"]["period"]["days"] == 3
    assert draft["document"]["projection"]["days"] == 31
    error = posted(world, f"/statements/{draft['number']}/issue", {}, status=409)["error"]
    assert "bill so far" in error["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({**BODY, "period": "2026-13"}, "expected a month"),
        ({**BODY, "until": "2026-11-04"}, "expected a day inside"),
        ({**BODY, "costs": [{"item": "x", "basis": "direct:gone", "amount_yuan": "1"}]}, "direct:<member>"),
        ({**BODY, "costs": [{"item": "x", "basis": "volume", "amount_yuan": "1.005"}]}, "match pattern"),
    ],
    ids=["period", "until", "basis", "amount"],
)
def test_what_cannot_be_billed_says_why(world: World, body: Any, words: str) -> None:
    assert words in posted(world, "/statements", body, status=422)["error"]["message"]


def test_only_operators_settle(world: World) -> None:
    draft = posted(world, "/statements", BODY)["number"]
    for path, body in (
        ("/statements", BODY),
        (f"/statements/{draft}/issue", {}),
        (f"/statements/{draft}/correct", {"cause": "mine"}),
    ):
        for who, status in (("alpha", 403), ("officer", 404 if re.search(r"\d", path) else 403)):
            posted(world, path, body, who=who, status=status)
    assert world.get("operator", f"/statements/{draft}").json()["state"] == "draft"
