"""`influx setup`: against a real InfluxDB 1.x, and in the words of the HTTP API of 2.x, which no test here can run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from servers import Influxd

from plant_monitor.cli.app import main
from plant_monitor.errors import StoreUnavailable
from plant_monitor.plant import InfluxSettings
from plant_monitor.store.influx import InfluxServer, Misconfigured
from plant_monitor.store.influx_setup import set_up, shortcomings
from tests.store.fake_influx import Answer, Asked, FakeInflux, error

DAY_S = 86_400


@pytest.fixture
def server(influxd: Influxd) -> InfluxServer:
    return InfluxServer(InfluxSettings(influxd.url, "v1", "", "readings", "results"))


def durations(influxd: Influxd, database: str) -> list[str]:
    return [row["duration"] for row in influxd.query_csv("", f'SHOW RETENTION POLICIES ON "{database}"')]


def test_a_new_server(influxd: Influxd, server: InfluxServer) -> None:
    assert len(shortcomings(server)) == 2
    assert set_up(server) == ["readings: database made, keeps 400 days", "results: database made, keeps everything"]
    assert (durations(influxd, "readings"), durations(influxd, "results")) == (["9600h0m0s"], ["0s"])
    assert shortcomings(server) == []
    again = ["readings: there is a database that keeps 400 days", "results: there is a database that keeps everything"]
    assert set_up(server) == again


def test_retention_is_lengthened_and_never_shortened(influxd: Influxd, server: InfluxServer) -> None:
    server.table("", 'CREATE DATABASE "readings" WITH DURATION 30d')
    server.table("", 'CREATE DATABASE "results" WITH DURATION 12w')
    assert len(shortcomings(server)) == 2
    assert set_up(server) == [
        "readings: keeps 400 days from now on, 30 days before",
        "results: keeps everything from now on, 84 days before",
    ]
    assert (durations(influxd, "readings"), durations(influxd, "results")) == (["9600h0m0s"], ["0s"])
    server.table("", 'ALTER RETENTION POLICY "autogen" ON "readings" DURATION INF')
    assert shortcomings(server) == []
    assert set_up(server)[0] == "readings: there is a database that keeps everything; 400 days would do, left as it is"
    assert durations(influxd, "readings") == ["0s"]


def test_data_are_there_afterwards(influxd: Influxd, server: InfluxServer) -> None:
    influxd.create_database("readings")
    server.write("readings", b"readings,plant=p value=1.5 1000")
    set_up(server)
    assert [row["value"] for row in influxd.query_csv("readings", "SELECT value FROM readings")] == ["1.5"]


def test_one_database_for_both_keeps_everything_and_odd_names_are_quoted(influxd: Influxd) -> None:
    name = 'a "b" c'
    server = InfluxServer(InfluxSettings(influxd.url, "v1", "", name, name))
    assert set_up(server) == [f"{name}: database made, keeps everything"]
    assert set_up(server) == [f"{name}: there is a database that keeps everything"]


def test_the_command(influxd: Influxd, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example = Path(__file__).resolve().parents[2] / "examples" / "xieqiao" / "plant.yaml"
    text = re.sub(r"(?ms)^store:.*?(?=^\S)", "", example.read_text(encoding="utf-8"))
    plant = tmp_path / "plant.yaml"
    plant.write_text(text, encoding="utf-8")
    assert main(["influx", "setup", str(plant)]) == 1
    assert "no store.influxdb" in capsys.readouterr().err
    plant.write_text(f"{text}\nstore: {{influxdb: {{url: '{influxd.url}', api: v1}}}}\n", encoding="utf-8")
    assert main(["influx", "setup", str(plant)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "readings: database made, keeps 400 days",
        "results: database made, keeps everything",
    ]
    influxd.stop()
    assert main(["influx", "setup", str(plant)]) == 3
    assert "not reachable" in capsys.readouterr().err


def test_a_user_who_may_not_is_told_what_an_administrator_has_to_say(fake_influx: FakeInflux) -> None:
    def answer(asked: Asked) -> Answer:
        if "CREATE" in asked.query.get("q", ""):
            return error(403, "error authorizing query: plant not authorized, requires admin privilege")
        return Answer.json({"results": [{"series": [{"columns": ["name"], "values": []}]}]})

    fake_influx.answer = answer
    with pytest.raises(Misconfigured, match='may give the order: CREATE DATABASE "readings" WITH DURATION 400d'):
        set_up(InfluxServer(fake_influx.settings("v1")))


# --- 2.x, by its published API --------------------------------------------------------------------


class Influx2:
    """Organisations, buckets and mappings as the HTTP API of 2.x tells them. ``virtual``: as 2.5 and later map."""

    def __init__(self, fake: FakeInflux, *, virtual: bool = False) -> None:
        self.buckets: list[dict[str, Any]] = []
        self.mappings: list[dict[str, Any]] = []
        self.writes: list[tuple[str, str, Any]] = []
        self.virtual = virtual
        fake.answer = self.answer

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/ping":
            return Answer(204, "", {"X-Influxdb-Version": "v2.7.11", "X-Influxdb-Build": "OSS"})
        if asked.headers["Authorization"] != "Token t0p":
            return Answer.json({"code": "unauthorized", "message": "unauthorized access"}, 401)
        if asked.method != "GET":
            self.writes.append((asked.method, asked.path, json.loads(asked.body)))
        return getattr(self, f"{asked.method}_{asked.path.split('/')[3]}")(asked)  # type: ignore[no-any-return]

    def GET_orgs(self, asked: Asked) -> Answer:
        if asked.query["org"] != "org":
            return Answer.json({"code": "not found", "message": "organization name not found"}, 404)
        return Answer.json({"orgs": [{"id": "0a", "name": "org"}]})

    def GET_buckets(self, asked: Asked) -> Answer:
        assert asked.query["orgID"] == "0a"
        found = [one for one in self.buckets if one["name"] == asked.query["name"]]
        system = {"id": "01", "name": "_tasks", "retentionRules": [{"type": "expire", "everySeconds": 259_200}]}
        return Answer.json({"buckets": found or [system]})  # 2.0 names the system's where there is none

    def POST_buckets(self, asked: Asked) -> Answer:
        made = {"id": f"b{len(self.buckets)}", **json.loads(asked.body)}
        self.buckets.append(made)
        return Answer.json(made, 201)

    def PATCH_buckets(self, asked: Asked) -> Answer:
        (bucket,) = [one for one in self.buckets if one["id"] == asked.path.split("/")[4]]
        bucket.update(json.loads(asked.body))
        return Answer.json(bucket)

    def GET_dbrps(self, asked: Asked) -> Answer:
        found = [one for one in self.mappings if one["database"] == asked.query["db"]]
        if self.virtual and not found:
            named = [one for one in self.buckets if one["name"] == asked.query["db"]]
            found = [
                {
                    "database": b["name"],
                    "bucketID": b["id"],
                    "retention_policy": "autogen",
                    "default": True,
                    "virtual": True,
                }
                for b in named
            ]
        return Answer.json({"content": found})

    def POST_dbrps(self, asked: Asked) -> Answer:
        self.mappings.append(json.loads(asked.body))
        return Answer.json(self.mappings[-1], 201)


def rules(days: int) -> list[dict[str, Any]]:
    return [{"type": "expire", "everySeconds": days * DAY_S}]


def test_buckets_and_mappings_of_2x(fake_influx: FakeInflux) -> None:
    influx = Influx2(fake_influx)
    server = InfluxServer(fake_influx.settings())
    assert shortcomings(server) == ["there is no bucket readings", "there is no bucket results"]
    assert set_up(server) == [
        "readings: bucket made, keeps 400 days, InfluxQL finds it",
        "results: bucket made, keeps everything, InfluxQL finds it",
    ]
    assert influx.writes == [
        ("POST", "/api/v2/buckets", {"orgID": "0a", "name": "readings", "retentionRules": rules(400)}),
        (
            "POST",
            "/api/v2/dbrps",
            {"orgID": "0a", "bucketID": "b0", "database": "readings", "retention_policy": "autogen", "default": True},
        ),
        ("POST", "/api/v2/buckets", {"orgID": "0a", "name": "results", "retentionRules": []}),
        (
            "POST",
            "/api/v2/dbrps",
            {"orgID": "0a", "bucketID": "b1", "database": "results", "retention_policy": "autogen", "default": True},
        ),
    ]
    assert shortcomings(server) == []
    set_up(server)
    assert len(influx.writes) == 4, "again it changes nothing"


def test_2x_with_mappings_of_its_own_needs_none(fake_influx: FakeInflux) -> None:
    influx = Influx2(fake_influx, virtual=True)
    set_up(InfluxServer(fake_influx.settings()))
    assert [path for _, path, _ in influx.writes] == ["/api/v2/buckets"] * 2


def test_retention_of_2x_is_lengthened_and_never_shortened(fake_influx: FakeInflux) -> None:
    influx = Influx2(fake_influx, virtual=True)
    influx.buckets = [
        {"id": "b0", "name": "readings", "retentionRules": rules(1000)},
        {"id": "b1", "name": "results", "retentionRules": rules(30)},
    ]
    assert set_up(InfluxServer(fake_influx.settings())) == [
        "readings: there is a bucket that keeps 1000 days; 400 days would do, left as it is",
        "readings: InfluxQL finds it under its name",
        "results: keeps everything from now on, 30 days before",
        "results: InfluxQL finds it under its name",
    ]
    assert influx.writes == [("PATCH", "/api/v2/buckets/b1", {"retentionRules": []})]


def test_a_name_that_is_another_bucket_s_is_left_and_said(fake_influx: FakeInflux) -> None:
    influx = Influx2(fake_influx)
    influx.buckets = [
        {"id": "b0", "name": "readings", "retentionRules": rules(400)},
        {"id": "b1", "name": "results", "retentionRules": []},
    ]
    influx.mappings = [{"database": "readings", "bucketID": "old", "retention_policy": "x", "default": True}]
    told = set_up(InfluxServer(fake_influx.settings()))
    assert told[1] == "readings: InfluxQL finds another bucket under this name (old); put that right there"
    assert [body["database"] for _, _, body in influx.writes] == ["results"]


def test_what_2x_does_not_let_us_do(fake_influx: FakeInflux) -> None:
    Influx2(fake_influx)
    settings = fake_influx.settings()
    with pytest.raises(Misconfigured, match="no organisation 'other'"):
        set_up(InfluxServer(InfluxSettings(settings.url, "v2", "other", "readings", "results", token="t0p")))
    with pytest.raises(Misconfigured, match="401"):
        set_up(InfluxServer(InfluxSettings(settings.url, "v2", "org", "readings", "results", token="no")))
    with pytest.raises(StoreUnavailable):
        set_up(InfluxServer(InfluxSettings("http://127.0.0.1:9", "v2", "org", "readings", "results", token="t0p")))


def test_18_that_is_written_to_as_v2_has_databases(fake_influx: FakeInflux) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/ping":
            return Answer(204, "", {"X-Influxdb-Version": "1.8.10", "X-Influxdb-Build": "OSS"})
        assert asked.path == "/query"
        if asked.query["q"] == "SHOW DATABASES":
            return Answer.json({"results": [{"series": [{"columns": ["name"], "values": [["_internal"]]}]}]})
        return Answer.json({"results": [{}]})

    fake_influx.answer = answer
    assert set_up(InfluxServer(fake_influx.settings()))[0] == "readings: database made, keeps 400 days"


def test_3x_makes_its_databases_by_itself(fake_influx: FakeInflux) -> None:
    fake_influx.answer = lambda asked: Answer(200, "{}", {"X-Influxdb-Version": "3.1.0", "X-Influxdb-Build": "Core"})
    assert set_up(InfluxServer(fake_influx.settings())) == [
        "InfluxDB 3.1.0 Core: the first write makes the databases, with the retention set there"
    ]
