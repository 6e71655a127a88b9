"""Every query of every dashboard runs on a real InfluxDB that the whole service has filled, and finds its series."""

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_world import EXCEEDED, filled, windows_of
from servers import Influxd, require_server

from plant_monitor.config.plant_file import load_plant
from plant_monitor.plant import Plant
from plant_monitor.windows import HOUR_MS

ROOT = Path(__file__).resolve().parents[2]
BOARDS = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
RULES = ROOT / "grafana" / "provisioning" / "alerting" / "plant-monitor.yaml"
DATABASES = {"plant-monitor-readings": "readings", "plant-monitor-results": "results"}


@pytest.fixture(scope="module")
def plant() -> Plant:
    return load_plant(ROOT / "examples" / "xieqiao" / "plant.yaml", secrets=False)


@pytest.fixture(scope="module")
def influx(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    server = Influxd(require_server("influxd"), tmp_path_factory.mktemp("influxd"))
    server.start()
    with filled(server, plant, tmp_path_factory.mktemp("data")):
        yield server
    server.kill()


def board(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "grafana" / "dashboards" / f"{name}.json").read_text())
    return found


def targets(board: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(panel["title"], target) for panel in board["panels"] for target in panel.get("targets", ())]


class Asked:
    """The queries of a board as Grafana would send them, looking at the two days; with ``now`` also at what came
    after them: the health of the service, a day that has just begun."""

    def __init__(self, influx: Influxd, plant: Plant, name: str, *, now: bool = False, **variables: str) -> None:
        self._influx, self._variables = influx, variables
        windows = windows_of(plant)
        end_ms = windows.end_ms + (HOUR_MS if now else 0)
        self._filter = f"time >= {windows.start_ms}ms AND time < {end_ms}ms"
        self._now = f"{windows.end_ms}ms"
        self.targets = targets(board(name)) if name else []

    def rows(self, title: str, ref: str = "A") -> list[dict[str, str]]:
        (target,) = [t for found, t in self.targets if title == found[-len(title) :] and t["refId"] == ref]
        return self.ask(target)

    def ask(self, target: dict[str, Any]) -> list[dict[str, str]]:
        query = target["query"].replace("$timeFilter", self._filter).replace("$__interval", "10m")
        query = query.replace("now()", self._now)
        for name, value in self._variables.items():
            query = query.replace(f"${name}", value)
        assert "$" not in query, f"a variable that this test does not know: {query}"
        return self._influx.query_csv(DATABASES[target["datasource"]["uid"]], query)


def values(rows: list[dict[str, str]], column: str) -> set[str]:
    return {row[column] for row in rows if row.get(column)}


def tag(row: dict[str, str], name: str) -> str:
    return dict(part.split("=", 1) for part in row["tags"].split(","))[name]


@pytest.mark.parametrize("path", BOARDS, ids=lambda p: p.stem)
def test_every_query_returns_its_series(path: Path, influx: Influxd, plant: Plant) -> None:
    """Of a point that does not measure a parameter nothing comes back, of every other its series does."""
    variables = json.loads(path.read_text()).get("templating", {}).get("list", [])
    points = [o["value"] for v in variables for o in v["options"]] or [""]
    for point in points:
        asked = Asked(influx, plant, path.stem, now=True, point=point)
        assert asked.targets
        for title, target in asked.targets:
            rows = asked.ask(target)
            numbers = [v for row in rows for k, v in row.items() if k not in ("name", "tags", "time") and v]
            parameter = re.search("\"parameter\" = '(\\w+)'", target["query"])
            measured = not point or not parameter or plant.point_by_id[point].find(parameter[1]) is not None
            if "= 'exceeded'" in target["query"] or (point and target["refId"] != "A"):
                continue  # told below
            assert bool(numbers) == measured, f"{title}, {point}: {target['query']}"


def test_the_overview_shows_what_is_true(influx: Influxd, plant: Plant) -> None:
    """Five outfalls at 4 m³/h; the inlet's day is 480 m³ of 1200; every limited series of the effluent is met."""
    asked = Asked(influx, plant, "plant-overview")
    flows = asked.rows("Outfall flows")
    assert {row["tags"] for row in flows} == {f"point={p.id}" for p in plant.outfalls}
    assert values(flows, "mean") == {"4"}
    (headroom,) = asked.rows("Headroom to 1200 m³/d")
    assert float(headroom["last"]) == pytest.approx(720, abs=0.5)  # the last seconds of the day are not known
    met = {row["tags"] for row in asked.rows("Daily verdicts") if row["verdict"] == "met"}
    for parameter in ("cod_cr", "ammonia_n", "total_p", "ss"):
        assert any("point=plant-effluent" in tags and f"parameter={parameter}" in tags for tags in met), parameter


def test_limit_lines_and_bands_are_those_of_the_limit_sets(influx: Influxd, plant: Plant) -> None:
    asked = Asked(influx, plant, "plant-overview")
    upper = {tag(row, "limit_set"): float(row["upper"]) for row in asked.rows("ammonia_n", "B") if row["upper"]}
    early = {tag(row, "limit_set"): float(row["early"]) for row in asked.rows("ammonia_n", "C") if row["early"]}
    limits = {
        s.id: x.upper for s in plant.limit_sets for x in s.limits
        if x.parameter == "ammonia_n" and s.id in plant.point_by_id["plant-effluent"].limits
    }  # fmt: skip
    assert upper == limits and early == {s: pytest.approx(0.8 * u) for s, u in limits.items()}
    panels = {p["title"]: p for p in board("plant-overview")["panels"]}
    assert [t["refId"] for t in panels["ph"]["targets"]] == ["A", "B"]  # two bounds: no band below one of them
    bands = [
        (o["matcher"]["options"], p["value"])
        for o in panels["ammonia_n"]["fieldConfig"]["overrides"]
        for p in o["properties"]
        if p["id"] == "custom.fillBelowTo"
    ]
    assert bands == [(f"{s} upper", f"{s} early warning") for s in sorted(limits)]


def test_the_outfall_and_the_calendar_show_the_point_that_is_chosen(influx: Influxd, plant: Plant) -> None:
    point, parameter = EXCEEDED
    detail = Asked(influx, plant, "outfall-detail", point=point)
    assert [float(v) for v in values(detail.rows("Daily volume"), "max")] == 2 * [pytest.approx(96, rel=1e-3)]
    loads = {tag(row, "parameter") for row in detail.rows("Daily load") if row["max"]}
    assert loads == {"cod_cr", "ammonia_n"}
    days = [
        row["verdict"] for row in detail.rows("Daily values and verdicts") if f"parameter={parameter}," in row["tags"]
    ]
    assert days[:2] == ["met", "exceeded"]
    calendar = Asked(influx, plant, "compliance-calendar", point=point)
    squares = {tag(r, "parameter"): [] for r in calendar.rows("Verdicts by day")}
    for row in calendar.rows("Verdicts by day"):
        squares[tag(row, "parameter")].append(row["verdict"])
    assert squares["cod_cr"][:2] == ["met", "exceeded"] and squares["ph"][:2] == ["met", "met"]
    (worst,) = calendar.rows("Days exceeded, all points")
    assert (worst["days"], float(worst["worst"]), tag(worst, "point")) == ("1", 5000.0, point)


def test_headroom_and_forecast(influx: Influxd, plant: Plant) -> None:
    asked = Asked(influx, plant, "headroom")
    days = asked.rows("Inflow forecast, seven days")
    assert len(days) >= 7
    for row in days:
        assert float(row["p10_m3"]) <= float(row["p50_m3"]) <= float(row["p90_m3"])
        assert float(row["p50_m3"]) == pytest.approx(480, rel=0.1) and row["capacity_m3"] == "1200"
    (chance,) = asked.rows("capacity, week ahead")
    assert float(chance["max"]) == max(float(row["passing_chance"]) for row in days)
    assert {row["tags"] for row in asked.rows("Hourly inflow")} == {"point=plant-inlet"}


def test_shares_and_reconciliation(influx: Influxd, plant: Plant) -> None:
    asked = Asked(influx, plant, "members")
    shares = {tag(row, "member"): float(row["sum"]) for row in asked.rows("Shares of the range")}
    assert shares == {m.id: pytest.approx(2 * 96, rel=1e-3) for m in plant.members}
    days = asked.rows("Inlet against the sum of the outfalls")
    assert [float(row["inlet_m3"]) for row in days[:2]] == pytest.approx([480, 480], rel=1e-3)
    assert [float(row["outfalls_m3"]) for row in days[:2]] == pytest.approx([480, 480], rel=1e-3)
    assert [float(row["difference_m3"]) for row in days[:2]] == pytest.approx([0, 0], abs=0.5)


def test_devices_that_are_not_there_and_series_that_were(influx: Influxd, plant: Plant) -> None:
    now, asked = Asked(influx, plant, "devices", now=True), Asked(influx, plant, "devices")
    assert {tag(row, "device") for row in now.rows("设备 Devices")} == {d.id for d in plant.devices}
    assert len(now.rows("序列 Series")) == len(plant.series)
    shares = {
        (tag(r, "point"), tag(r, "parameter")): float(r["worst"]) for r in asked.rows("day, 7 days") if r["worst"]
    }
    assert shares["plant-effluent", "cod_cr"] > 0.9


def test_alerts_and_the_rules_of_grafana(influx: Influxd, plant: Plant) -> None:
    asked = Asked(influx, plant, "alerts")
    rows = [row for row in asked.rows("过程 Episodes") if row["kind"] == "exceedance"]
    assert [(r["point"], r["parameter"], r["state"], r["peak"]) for r in rows] == [(*EXCEEDED, "open", "5000")]
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    dead, silent = (rule["data"][0]["model"] for rule in rules)
    one = Asked(influx, plant, "", now=True)
    assert int(one.ask(dead)[0]["count"]) >= 1  # it lives
    assert {rule["labels"]["to"] for rule in rules} == {"operators"}
    assert one.ask({**silent, "query": silent["query"].replace("= true", "= false")})  # none has been silent for long


def test_dashboards_are_what_grafana_knows() -> None:
    """Every key and value of a board survives Grafana's own types (of the SDK): none is unknown to them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer Grafana has a second kind of dashboards, which files do not use yet
        from grafana_foundation_sdk.models.dashboard import Dashboard
    for path in BOARDS:
        model = json.loads(path.read_text())
        again = json.loads(json.dumps(Dashboard.from_json(model), cls=JSONEncoder))
        assert _without_targets(again) == _without_targets(model), path.name
        assert model["uid"].startswith("xieqiao-") and model["schemaVersion"] and model["title"]
        for panel in model["panels"]:
            if panel["type"] != "row":
                assert panel["fieldConfig"]["defaults"].get("noValue"), panel["title"]  # an empty panel says why
                assert re.search("[一-龥]|^[a-z_0-9]+$", panel["title"]), panel["title"]


def _without_targets(model: dict[str, Any]) -> dict[str, Any]:
    """The SDK has no type for InfluxQL queries."""
    return {**model, "panels": [{k: v for k, v in p.items() if k != "targets"} for p in model["panels"]]}


def test_panels_do_not_collide() -> None:
    for path in BOARDS:
        panels = json.loads(path.read_text())["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        cells = [
            (x, y)
            for g in (panel["gridPos"] for panel in panels)
            for x in range(g["x"], g["x"] + g["w"])
            for y in range(g["y"], g["y"] + g["h"])
        ]
        assert len(set(cells)) == len(cells) and max(x for x, _ in cells) < 24


def test_committed_dashboards_are_what_the_script_writes() -> None:
    done = subprocess.run([sys.executable, "-m", "grafana", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_provisioning_names_the_data_sources_of_the_dashboards() -> None:
    folder = ROOT / "grafana" / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "plant-monitor.yaml").read_text())["datasources"]
    provisioned = {source["uid"] for source in sources}
    used = {t["datasource"]["uid"] for path in BOARDS for _, t in targets(json.loads(path.read_text()))}
    assert used <= provisioned
