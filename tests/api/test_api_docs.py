"""The documentation page and the OpenAPI document."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

import pytest
from api.api_world import World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plant_monitor.api import errors


@pytest.mark.parametrize("path", ["/docs", "/api/v1/docs"])
def test_the_page_loads_nothing_from_elsewhere(world: World, path: str) -> None:
    page = world.client.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    used = set(re.findall(r'(?:src|href)="([^"]+)"', page.text)) - {"data:,"}
    assert used == {"/docs/page.js", "/docs/page.css", "/api/v1/openapi.json"}
    for reference in used:
        assert world.client.get(reference).status_code == 200
    assert not re.search(r"<script(?! src)|<style|\bon\w+=", page.text)  # the policy forbids what is inline


def test_its_script_asks_nobody_else_and_makes_no_markup_of_text(world: World) -> None:
    script = world.client.get("/docs/page.js").text
    for name in ("docs.html", "docs.css", "docs.js"):
        text = files("plant_monitor.api").joinpath("page", name).read_text()
        assert not re.search(r"(https?:)?//[a-z]", text)
    assert "innerHTML" not in script
    assert set(re.findall(r"fetch\(([^,)]+)", script)) == {'"/api/v1/openapi.json"', "url"}


def test_the_document_describes_routes_keys_and_errors(world: World) -> None:
    document = world.client.get("/api/v1/openapi.json").json()
    paths = document["paths"]
    assert "/api/v1/members/{member}/usage" in paths
    assert not any(path.startswith("/docs") for path in paths)
    for path, operations in paths.items():
        for operation in operations.values():
            assert operation["description"], path
            assert operation["security"][0] == {"key": []}
            assert ({} in operation["security"]) == (path in ("/api/v1/health", "/api/v1/public"))
            for code in ("401", "404", "422"):
                shape = operation["responses"][code]["content"]["application/json"]["schema"]
                assert shape == {"$ref": "#/components/schemas/ErrorBody"}
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


ODD = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(
        [
            "", "0", "-1", "1e9", "nan", "null", "2026-10-01", "2026-10-02T00:00:00Z", "2200-01-01", "raw", "day",
            "csv", "met", "open", "alpha-outfall", "cod_cr", "intake", "../..", "%00", "'; DROP TABLE alerts; --",
            "WyJhbHBoYS1vdXRmYWxsIiwiY29kX2NyIiwxLCJhIiwiYiJd",
        ]
    ),
)  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    route=st.integers(0, 200),
    values=st.lists(st.one_of(st.none(), ODD), min_size=12, max_size=12),
    who=st.sampled_from(["operator", "alpha", "officer"]),
)
def test_whatever_is_asked_is_answered_in_the_shape_that_is_promised(
    world: World, route: int, values: list[str | None], who: str
) -> None:
    world.feed.close()  # a stream would never end
    paths = world.client.get("/api/v1/openapi.json").json()["paths"]
    routes = [(path, method, o) for path, operations in paths.items() for method, o in operations.items()]
    path, method, operation = routes[route % len(routes)]
    query = {}
    for parameter, value in zip(operation.get("parameters", []), values):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(value or "x", safe=""))
        elif value is not None:
            query[parameter["name"]] = value
    headers = {"Authorization": f"Bearer {world.keys[who]}"}
    answer = world.client.request(method, path, params=query, headers=headers)
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        assert set(answer.json()) == {"error"}


def test_the_guide_names_every_route_and_error_and_no_other(world: World) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    paths = world.client.get("/api/v1/openapi.json").json()["paths"]
    served = {f"{m.upper()} {p.removeprefix('/api/v1')}" for p, operations in paths.items() for m in operations}
    assert set(re.findall(r"^\| `((?:GET|POST) [^`]+)`", guide, re.MULTILINE)) == served
    source = "".join(f.read_text() for f in Path(errors.__file__).parent.glob("*.py"))
    told = set(re.findall(r"^\| \d+ \| (.+?) \|", guide, re.MULTILINE))
    codes = set(re.findall(r"ApiError\(\s*\d+,\s*\"(\w+)\"", source)) | set(
        re.findall(r"error_response\(\d+, \"(\w+)\"", source)
    )
    assert set(re.findall(r"`(\w+)`", " ".join(told))) == codes | {"method_not_allowed"}
