"""Whatever the OpenAPI document lets one name, named wrongly: a new route or filter without a word here fails.

Each name that may be a member's own is asked for by another member, in every route that takes it and every form that
the route answers in. The answer is the one to what does not exist.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from api.api_world import OCT_1, World, alert_of, happened
from api.test_api_isolation import case_of

from plant_monitor.api import errors, schemas
from plant_monitor.api.summaries import EXAMPLES

# Parameters that name what may be beta's alone, with beta's value; `…` is filled in below.
NAMES = {
    ("member", "path"): "beta",
    ("point", "path"): "beta-outfall",
    ("alert", "path"): "…",
    ("objection", "path"): "…",
    ("member", "query"): "beta",
    ("point", "query"): "beta-outfall",
    ("parameter", "query"): "chloride",
    ("limit_set", "query"): "beta-permit",
}
# Parameters that name nothing of anybody: with what alpha may ask.
PLAIN: dict[tuple[str, str], str] = {
    **{(name, "query"): "" for name in ("limit", "cursor", "from", "to", "format", "step", "pixels", "verdict")},
    **{(name, "query"): "" for name in ("kind", "state", "period", "month", "statement")},
    ("date", "query"): "2026-10-01",
    ("last-event-id", "header"): "",
    ("number", "path"): "2026-10-02",  # of a statement: whole only to operators, of a member its rows
    ("place", "path"): "1",
    ("action", "path"): "reopen",
}
# What is said with a POST.
BODIES: dict[str, dict[str, Any]] = {"/members/{member}/whatif": {"statement": "2026-10-02"}}
GHOST = {"alert": "987654", "objection": "987654"}


def operations(world: World) -> Iterator[tuple[str, str, dict[str, Any]]]:
    paths = world.client.get("/api/v1/openapi.json").json()["paths"]
    for path, by_method in paths.items():
        for method, operation in by_method.items():
            yield method.upper(), path.removeprefix("/api/v1"), operation


def parameters(operation: dict[str, Any]) -> list[tuple[str, str]]:
    return [(p["name"], p["in"]) for p in operation.get("parameters", [])]


def required(operation: dict[str, Any]) -> list[str]:
    """Query parameters without which nothing is answered."""
    return [p["name"] for p in operation.get("parameters", []) if p["in"] == "query" and p["required"]]


def formats(operation: dict[str, Any]) -> list[str]:
    found = [p["schema"]["enum"] for p in operation.get("parameters", []) if p["name"] == "format"]
    return found[0] if found else [""]


def test_every_parameter_has_a_word_here(world: World) -> None:
    for _, path, operation in operations(world):
        for parameter in parameters(operation):
            assert parameter in NAMES or parameter in PLAIN, f"{path} has a parameter that this walk does not know"


def test_what_is_anothers_is_not_there_in_any_route_filter_or_form(world: World) -> None:
    happened(world)  # a stream ends
    betas = dict(NAMES)
    betas["objection", "path"] = str(world.ledger.objections.find(member="beta")[0].id)
    beta_alerts = [str(alert_of(world, "beta-outfall")), str(case_of(world, "beta"))]
    asked = 0
    for method, path, operation in operations(world):
        known = parameters(operation)
        for name in [p for p in known if p in NAMES]:
            values = beta_alerts if name[0] == "alert" else [betas[name]]
            for value, form in itertools.product(values, formats(operation)):
                theirs, nothing = (ask(world, method, path, operation, name, v, form) for v in (value, ghost(name[0])))
                where = f"{method} {path} {name[0]}={value} {form}"
                own_only = method == "POST" and theirs.status_code == 403  # for operators alone, whatever is named
                assert own_only or theirs.status_code == 404, (where, theirs.text)
                named = theirs.text.replace(value, ghost(name[0]))
                assert (theirs.status_code, named) == (nothing.status_code, nothing.text), where
                asked += 1
    assert asked > 60


def ghost(name: str) -> str:
    return GHOST.get(name, "ghost")


def ask(
    world: World, method: str, path: str, operation: dict[str, Any], name: tuple[str, str], value: str, form: str
) -> Any:
    """One request of alpha; what else is to be said is its own."""
    own = {"member": "alpha", "point": "alpha-outfall", "parameter": "cod_cr"}
    own |= {n: v for (n, _), v in PLAIN.items() if v}
    path_names = [n for n, where in parameters(operation) if where == "path"]
    filled = {n: value if (n, "path") == name else own.get(n, "1") for n in path_names}
    query = {n: own[n] for n in required(operation)} | ({name[0]: value} if name[1] == "query" else {})
    if form:
        query["format"] = form
    body = BODIES.get(path, {"comment": "x"}) if method == "POST" else None
    return world.ask("alpha", method, re.sub(r"\{(\w+)\}", lambda m: filled[m[1]], path), params=query, json=body)


def test_what_operators_have_said_of_another_is_not_there(world: World) -> None:
    """Annotations and mutes are counted, and only operators undo them: beta's are to alpha like none at all."""
    annotation = {"kind": "exclusion", "point": "beta-outfall", "parameter": "cod_cr", "reason": "beta",
                  "from": "2026-10-01T00:00:00+08:00", "to": "2026-10-02T00:00:00+08:00"}  # fmt: skip
    number = world.ask("operator", "POST", "/annotations", json=annotation).json()["id"]
    paths = {p for m, p, _ in operations(world) if m == "POST" and "{number}" in p and not p.startswith("/statements")}
    assert paths == {"/annotations/{number}/withdraw", "/mutes/{number}/lift"}
    for path in paths:
        theirs, nothing = (
            world.ask("alpha", "POST", path.format(number=n), json={"reason": "x"}) for n in (number, 987654)
        )
        assert theirs.status_code == nothing.status_code and theirs.status_code in (403, 404), path
        assert theirs.text.replace(f"'{number}'", "'987654'") == nothing.text, path


@pytest.mark.parametrize("who", ["alpha", "officer"])
def test_no_route_or_form_says_what_the_asker_may_not_know(world: World, who: str) -> None:
    """Every GET that needs no name of anybody, in every form and from the beginning, holds no word of another's."""
    happened(world)
    words = ["beta", "chloride", "basin"] if who == "alpha" else ["beta-lab", "255.01"]  # to an officer: costs
    for method, path, operation in operations(world):
        if method != "GET" or "{" in path or required(operation):
            continue
        for form in formats(operation):
            query = {"from": "2026-10-01"} if ("from", "query") in parameters(operation) else {}
            query |= {"format": form} if form else {}
            from_the_start = {"Last-Event-ID": f"{OCT_1}-0"}
            answer = world.ask(who, method, path, params=query, headers=from_the_start)
            text = answer.content.decode("utf-8", "replace") + json.dumps(dict(answer.headers))
            assert not [word for word in words if word in text], (path, form)


def test_examples_are_what_the_server_could_say(world: World) -> None:
    shown = world.client.get("/api/v1/openapi.json").json()["components"]["schemas"]
    for name, example in EXAMPLES.items():
        assert shown[name]["examples"] == [example]
        model = getattr(schemas, name, None) or getattr(errors, name)
        assert model.model_validate(example).model_dump() == example


def test_each_parameter_and_route_is_described(world: World) -> None:
    document = world.client.get("/api/v1/openapi.json").json()
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    for method, path, operation in operations(world):
        assert set(operation["tags"]) <= set(tags), path
        assert operation["description"] and operation["operationId"], (method, path)
        assert re.fullmatch(r".*[一-龥A-Z].* · .*[a-z].*", operation["summary"]), f"{method} {path}: api/summaries.py"
    for description in tags.values():
        assert re.search("[一-龥]", description) and re.search("[a-z]{4}", description)
