"""Laboratory results over the API: entered by operators, judged, beside the analyser, and isolated."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from api.api_world import World

ENTRY: dict[str, Any] = {
    "sample_start": "2026-10-01T00:00:00+08:00",
    "sample_end": "2026-10-02T00:00:00+08:00",
    "point": "alpha-outfall",
    "parameter": "cod_cr",
    "value": 520,
    "unit": "mg/L",
    "method": "HJ 828-2017",
    "laboratory": "county",
    "who": "Wang",
}


def enter(world: World, *entries: dict[str, Any], who: str = "operator") -> Any:
    return world.ask(who, "POST", "/lab", json={"results": [{**ENTRY, **e} for e in entries]})


def filled(world: World) -> None:
    answer = enter(
        world,
        {},
        {"parameter": "petroleum_oil", "value": "<0.06", "sample_end": None},
        {"point": "beta-outfall", "value": "900", "laboratory": "beta-lab"},
        {"point": "plant-effluent", "value": 49.5},
        {"point": "plant-inlet", "parameter": "ss", "value": 230},
    )
    assert answer.json() == {"new": 5, "known": 0, "replaced": 0}


def test_a_result_is_judged_and_stands_beside_the_analyser(world: World) -> None:
    filled(world)
    (row,) = world.items("operator", "/lab", point="alpha-outfall", parameter="cod_cr")
    # 520 mg/L against 0.5 g/L; the analyser read 600 all day: 80 apart, 15 % of 520 are allowed.
    assert (row["result"], row["value"], row["unit"], row["upper"], row["verdict"]) == (
        "520",
        0.52,
        "g/L",
        0.5,
        "exceeded",
    )
    assert (row["online_mean"], row["online_valid_share"], row["difference"]) == (600, 1, 80)
    assert (row["tolerance"], row["tolerance_mark"], row["agrees"], row["who"]) == (78, "1", "no", "Wang")
    (oil,) = world.items("operator", "/lab", parameter="petroleum_oil")
    assert (oil["result"], oil["value"], oil["verdict"], oil["online_mean"]) == ("<0.06", None, "no_limit", None)


def test_entering_again_changes_nothing_and_a_correction_replaces(world: World) -> None:
    filled(world)
    assert enter(world, {}).json() == {"new": 0, "known": 1, "replaced": 0}
    assert enter(world, {"value": 480}, who="admin").json() == {"new": 0, "known": 0, "replaced": 1}
    (row,) = world.items("operator", "/lab", point="alpha-outfall", parameter="cod_cr")
    assert (row["result"], row["verdict"]) == ("480", "met")


def test_a_member_sees_its_own_and_the_effluents_without_names(world: World) -> None:
    filled(world)
    rows = world.items("alpha", "/lab")
    assert [(r["point"], r["parameter"]) for r in rows] == [
        ("alpha-outfall", "cod_cr"),
        ("alpha-outfall", "petroleum_oil"),
        ("plant-effluent", "cod_cr"),
    ]
    assert {r["who"] for r in rows} == {""}
    text = world.get("alpha", "/lab", format="csv").text
    assert "beta" not in text and "Wang" not in text and "plant-inlet" not in text
    for query in ({"point": "beta-outfall"}, {"point": "plant-inlet"}, {"parameter": "ss"}, {"parameter": "chloride"}):
        assert world.get("alpha", "/lab", **query).status_code == 404
    assert len(world.items("officer", "/lab")) == 5


@pytest.mark.parametrize("who", ["alpha", "officer"])
def test_only_operators_enter_results(world: World, who: str) -> None:
    for point in ("alpha-outfall", "beta-outfall", "ghost"):
        answer = enter(world, {"point": point}, who=who)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert world.items("operator", "/lab") == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"point": "nowhere"}, "point 'nowhere' is not declared"),
        ({"parameter": "unheard_of"}, "parameter 'unheard_of' is not known"),
        ({"parameter": "volume"}, "parameter 'volume' is not known"),
        ({"unit": "kg"}, "cannot be told in"),
        ({"unit": ""}, "cannot be told in"),
        ({"value": "n.d."}, "no number"),
        ({"value": -3}, "impossible"),
        ({"value": "<0"}, "above 0"),
        ({"value": "nan"}, "no number"),
        ({"sample_start": "2026-10-01T00:00:00"}, "RFC 3339"),
        ({"sample_end": "2026-09-30T00:00:00+08:00"}, "ends before"),
        ({"sample_end": "2027-09-30T00:00:00+08:00"}, "longer than"),
        ({"who": " "}, "who not stated"),
        ({"method": "", "laboratory": ""}, "method, laboratory not stated"),
    ],
    ids=str,
)
def test_one_wrong_result_and_none_is_kept(world: World, wrong: dict[str, Any], words: str) -> None:
    answer = enter(world, {}, wrong)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert words in error["message"] and error["where"] == "body.results.1"
    assert world.items("operator", "/lab") == []


def test_pages_and_filters_and_csv_agree(world: World) -> None:
    filled(world)
    everything = world.items("operator", "/lab")
    got: list[dict[str, Any]] = []
    cursor = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = world.get("operator", "/lab", **query).json()
        got += answer["items"]
        if (cursor := answer["next"]) is None:
            break
    assert got == everything and len(got) == 5
    told = list(csv.DictReader(io.StringIO(world.get("operator", "/lab", format="csv").text)))
    assert [r["result"] for r in told] == [r["result"] for r in everything]
    assert [r["point"] for r in world.items("operator", "/lab", verdict="exceeded")] == [
        "alpha-outfall",
        "beta-outfall",
    ]
    assert len(world.items("operator", "/lab", limit_set="outlet")) == 1
    assert world.items("operator", "/lab", **{"from": "2026-10-02"}) == []
    assert len(world.items("operator", "/lab", **{"from": "2026-10-01T23:00:00+08:00"})) == 4  # the grab sample is over
