"""The Python client against the API behind its real server: rows, pages, files, errors, the stream."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from api.api_world import NOW, World, make_world
from servers import free_port

from plant_monitor.client import ApiProblem, Client
from plant_monitor.readings import Readings
from plant_monitor.service import ApiServer

OCTOBER = {"from_": "2026-10-01"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, str]]:
    world, port = make_world(tmp_path_factory.mktemp("client")), free_port()
    server = ApiServer(world.client.app, "127.0.0.1", port)
    server.start()
    yield world, f"http://127.0.0.1:{port}/api/v1/"
    world.feed.close()
    server.stop()
    world.client.close()
    world.ledger.close()


@pytest.fixture
def alpha(served: tuple[World, str]) -> Client:
    world, url = served
    return Client(url, world.keys["alpha"])


def test_what_is_asked_most(alpha: Client) -> None:
    assert [m.id for m in alpha.plant().members] == ["alpha"]
    assert [round(day.volume_m3 or 0) for day in alpha.usage("alpha", **OCTOBER)][:3] == [480, 480, 480]
    exceeded = [
        (day.date, round(day.value or 0, 9), day.upper)
        for day in alpha.daily(verdict="exceeded", point="alpha-outfall", **OCTOBER)
    ]
    assert exceeded == [("2026-10-01", 0.6, 0.5), ("2026-10-02", 0.7, 0.5)]
    assert {hour.verdict for hour in alpha.hourly(point="plant-inlet", **OCTOBER)} == {"no_limit"}
    assert [e.limit_set for e in alpha.exceedances(point="plant-effluent", **OCTOBER)] == ["outlet"]
    assert next(alpha.headroom(**OCTOBER)).capacity_m3 == 1000
    assert alpha.headroom_now().needed_days == 28
    assert [a.point for a in alpha.alerts(kind="exceedance")] == ["alpha-outfall"]
    assert next(alpha.statements()).number == "2026-10-02"
    assert {w.statistic for w in alpha.windows("alpha-outfall", "ph", step="day", **OCTOBER)} == {"hourly_median"}


def test_lists_are_whole_however_small_their_pages(alpha: Client) -> None:
    whole = list(alpha.readings("alpha-outfall", "cod_cr", **OCTOBER))
    assert len(whole) == 72 and whole[0].value == 600
    in_pages = list(alpha.readings("alpha-outfall", "cod_cr", limit="7", **OCTOBER))
    assert in_pages == whole
    assert len(list(alpha.readings("alpha-outfall", "cod_cr", pixels=10, **OCTOBER))) < 40


def test_files(alpha: Client, tmp_path: Path) -> None:
    saved = alpha.save("/compliance/daily", tmp_path / "daily.csv", format="csv", **OCTOBER)
    assert saved.read_text().startswith("point,parameter,date,")
    with pytest.raises(ApiProblem):
        alpha.save("/statements/none.pdf", tmp_path / "none.pdf")
    assert [p.name for p in tmp_path.iterdir()] == ["daily.csv"]


def test_errors_say_what_the_server_says(alpha: Client, served: tuple[World, str]) -> None:
    with pytest.raises(ApiProblem, match="there is no member 'beta'") as caught:
        list(alpha.usage("beta"))
    assert (caught.value.status, caught.value.code, caught.value.where) == (404, "not_found", "path.member")
    with pytest.raises(ApiProblem, match="no valid key"):
        Client(served[1], "pm_wrong").plant()
    with pytest.raises(ApiProblem) as away:
        Client(f"http://127.0.0.1:{free_port()}/api/v1", "x").plant()
    assert (away.value.status, away.value.code) == (0, "unreachable")
    operator = Client(served[1], served[0].keys["operator"])
    with pytest.raises(ApiProblem, match="Field required"):
        operator.post("/lab", {})


def test_the_stream_goes_on_where_it_broke(alpha: Client, served: tuple[World, str]) -> None:
    world, url = served
    cod = world.plant.series_index["alpha-outfall", "cod_cr"]
    begin = f"{world.feed.started_ms}-0"
    world.feed.readings(Readings.of([NOW], cod, [1.0]))
    world.feed.readings(Readings.of([NOW + 1], cod, [2.0]))
    events = alpha.live(last_id=begin, point="alpha-outfall")
    first, second = next(events), next(events)
    assert [e.data["items"][0]["value"] for e in (first, second)] == [1.0, 2.0] and first.kind == "readings"
    later = Client(url, world.keys["alpha"]).live(last_id=first.id)
    assert next(later) == second


def test_a_server_without_time_is_asked_again_and_a_broken_stream_taken_up() -> None:
    asked: list[tuple[str, str]] = []

    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Last-Event-ID", "")))
            if self.path.endswith("/live"):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(f"id: s-{len(asked)}\nevent: readings\ndata: {{}}\n\nid: s-9{len(asked)}\n\n".encode())
                return
            self.send_response(429 if len(asked) < 3 else 200)
            self.send_header("Retry-After", "2")
            self.end_headers()
            self.wfile.write(b'{"items": [], "next": null}')

        def log_message(self, *_: object) -> None:
            pass

    server, slept = HTTPServer(("127.0.0.1", 0), Busy), list[float]()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = Client(f"http://127.0.0.1:{server.server_port}", "k", sleep=slept.append)
    try:
        assert list(client.daily()) == [] and slept == [2.0, 2.0]
        asked.clear()
        events = client.live()
        assert [next(events).id for _ in range(2)] == ["s-1", "s-2"]
        assert [last for _, last in asked] == ["", "s-91"] and slept[2:] == [3.0]
    finally:
        server.shutdown()
        server.server_close()
