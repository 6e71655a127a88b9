"""The stream of what happens: what a key may see, going on after a break, and an end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from api.api_world import NOW, OCT_1, World, alert_of, happened, make_world
from servers import free_port

from plant_monitor.api.access import Viewer, ViewerRole
from plant_monitor.api.errors import ApiError
from plant_monitor.api.live_routes import STREAMS_OF_A_KEY, LiveQuery, Shown, stream
from plant_monitor.readings import Readings
from plant_monitor.service import ApiServer

BEGIN = {"Last-Event-ID": f"{OCT_1}-0"}


def told(text: str) -> list[tuple[str, Any]]:
    """(event, data) of a stream's text."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def ids(text: str) -> list[int]:
    return [int(line.rpartition("-")[2]) for line in text.splitlines() if line.startswith("id: ")]


def live(world: World, who: str, headers: dict[str, str] = BEGIN, **query: str) -> list[tuple[str, Any]]:
    answer = world.client.get("/api/v1/live", params=query, headers={**key(world, who), **headers})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return told(answer.text)


def key(world: World, who: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {world.keys[who]}"}


def test_each_sees_what_the_other_routes_show_it(world: World) -> None:
    happened(world)
    everything, own = live(world, "operator"), live(world, "alpha")
    for one in (everything, own):
        assert {kind for kind, _ in one} == {"readings", "hours", "days", "alert"}
    assert "beta" in json.dumps(everything) and "basin" in json.dumps(everything)
    points = {(kind, r["point"]) for kind, data in own for r in data.get("items", [data])}
    assert points == {
        *(("readings", p) for p in ("alpha-outfall", "alpha-second")),
        *(
            (k, p)
            for k in ("hours", "days")
            for p in ("alpha-outfall", "alpha-second", "plant-effluent", "plant-inlet")
        ),
        ("alert", "alpha-outfall"),
    }
    rows = {kind: data["items"] for kind, data in own if kind in ("hours", "days")}
    asked = {"from": "2026-10-01", "limit": 10_000}
    for kind, path in (("hours", "/compliance/hourly"), ("days", "/compliance/daily")):
        answered = world.items("alpha", path, **asked)
        assert rows[kind] and all(row in answered for row in rows[kind])
    (alert,) = [data for kind, data in own if kind == "alert"]
    assert alert == world.items("alpha", "/alerts")[0]


def test_filters_narrow_the_stream(world: World) -> None:
    happened(world)
    for kind, data in live(world, "operator", point="beta-outfall", parameter="cod_cr"):
        for row in data.get("items", [data]):
            assert (row["point"], row["parameter"]) == ("beta-outfall", "cod_cr"), kind
    for query in ({"point": "beta-outfall"}, {"parameter": "chloride"}, {"point": "ghost"}):
        assert world.get("alpha", "/live", **query).status_code == 404


def test_what_people_do_with_alerts_is_told(world: World) -> None:
    world.ask("officer", "POST", f"/alerts/{alert_of(world, 'beta-outfall')}/acknowledge", json={"comment": "seen"})
    world.feed.close()
    assert [(kind, data["state"]) for kind, data in live(world, "officer")] == [("alert", "acknowledged")]
    assert live(world, "alpha") == []


def test_it_goes_on_where_it_was_left_and_says_where_that_cannot_be(world: World) -> None:
    happened(world)
    whole = world.client.get("/api/v1/live", headers={**key(world, "operator"), **BEGIN}).text
    assert ids(whole) == list(range(1, world.feed.newest + 1))
    assert live(world, "operator", {"Last-Event-ID": f"{OCT_1}-2"}) == told(whole)[2:]
    assert live(world, "operator", {}) == []  # from now on
    for gone in (f"{OCT_1 - 1}-2", f"{OCT_1}-99999", "x", f"{OCT_1}-", f"{OCT_1}-{'9' * 30}"):
        assert live(world, "operator", {"Last-Event-ID": gone}) == [("reset", {})]


def test_a_key_has_so_many_streams_and_a_member_none_of_anothers(served: tuple[World, str]) -> None:
    world, url = served
    with httpx.Client(trust_env=False, timeout=10) as client:
        open_ones = [client.send(client.build_request("GET", url, headers=key(world, "alpha")), stream=True)
                     for _ in range(STREAMS_OF_A_KEY)]  # fmt: skip
        texts = [answer.iter_text() for answer in open_ones]  # kept: without them the answers are closed
        for text in texts:
            next(text)
        refused = client.get(url, headers=key(world, "alpha"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_requests")
        with client.stream("GET", url, headers=key(world, "beta")) as other:
            assert other.status_code == 200
        for answer in open_ones:
            answer.close()


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    """The API behind its real server."""
    world, port = make_world(tmp_path_factory.mktemp("served")), free_port()
    server = ApiServer(world.client.app, "127.0.0.1", port)
    server.start()
    yield world, f"http://127.0.0.1:{port}/api/v1/live"
    world.feed.close()
    server.stop()
    world.client.close()
    world.ledger.close()


def test_over_the_wire_news_come_as_they_happen(served: tuple[World, str]) -> None:
    world, url = served
    cod = world.plant.series_index["alpha-outfall", "cod_cr"]
    with httpx.stream("GET", url, headers=key(world, "alpha"), timeout=20, trust_env=False) as answer:
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.iter_lines()
        assert next(lines) == "retry: 3000"
        world.feed.readings(Readings.of([NOW, NOW + 1], [cod, cod], [412.0, np.nan]))
        text = [next(lines) for _ in range(4)]
        assert text[1:3] == [f"id: {OCT_1}-1", "event: readings"]
        assert json.loads(text[3].removeprefix("data: ")) == {
            "items": [
                {"time": "2026-10-04T00:30:00+08:00", "point": "alpha-outfall", "parameter": "cod_cr",
                 "value": 412.0, "mark": "N"},
                {"time": "2026-10-04T00:30:00.001+08:00", "point": "alpha-outfall", "parameter": "cod_cr",
                 "value": None, "mark": "N"},
            ]
        }  # fmt: skip
        world.feed.close()  # a service that ends ends its streams
        assert list(lines) == [""]


def no_alerts(*_: Any) -> Any:
    raise AssertionError("there is none")


def viewer(world: World, member: str) -> Viewer:
    return Viewer(world.plant, ViewerRole.MEMBER, member, "x")


def collected(texts: AsyncIterator[str]) -> str:
    async def collect() -> str:
        return "".join([text async for text in texts])

    return asyncio.run(collect())


def test_the_line_is_kept_warm_and_ends_with_its_key(world: World) -> None:
    beats: list[int] = []

    async def asked_again() -> None:
        beats.append(1)
        if len(beats) == 3:
            raise ApiError(401, "unauthorized", "revoked")

    world.feed.readings(Readings.of([OCT_1], world.plant.series_index["beta-outfall", "chloride"], [1.0]))
    show = Shown(viewer(world, "alpha"), LiveQuery(), no_alerts)
    text = collected(stream(world.feed, show, f"{OCT_1}-0", asked_again, heartbeat_s=0.01))
    assert text == "retry: 3000\n\n" + 2 * f"id: {OCT_1}-1\n\n"  # nothing of beta, and yet it is seen


def test_who_is_slow_misses_some_and_is_told(world: World) -> None:
    async def slow() -> list[str]:
        show = Shown(viewer(world, "alpha"), LiveQuery(), no_alerts)
        texts = stream(world.feed, show, "", asyncio.Event().wait)
        got = [await anext(texts)]
        for i in range(3000):
            world.feed.readings(Readings.of([OCT_1 + i], 0, [1.0]))
        got.append(await anext(texts))
        world.feed.close()
        return got + [text async for text in texts]

    assert told("".join(asyncio.run(slow()))) == [("reset", {})]
