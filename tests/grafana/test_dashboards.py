"""Every query of every dashboard runs on a real InfluxDB that the product has filled, and finds its series."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from servers import Influxd

from plant_monitor import monitor
from plant_monitor.clock import SystemClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.plant import InfluxSettings, Plant
from plant_monitor.readings import Readings
from plant_monitor.store.forwarder import Forwarder
from plant_monitor.store.influx import InfluxServer
from plant_monitor.store.journal import open_journal
from plant_monitor.store.results import ResultsWriter
from plant_monitor.windows import local_windows

ROOT = Path(__file__).resolve().parents[2]
BOARDS = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
DAY = date(2026, 10, 1)
QUARTER_HOUR = 900_000


@pytest.fixture(scope="module")
def plant() -> Plant:
    return load_plant(ROOT / "examples" / "xieqiao" / "plant.yaml", secrets=False)


def two_days(plant: Plant) -> Readings:
    """Every series of the plant over two days: flow and quality each five minutes at least, within all limits."""
    windows = local_windows(DAY, date(2026, 10, 2), plant.zone)
    parts = []
    for index, series in enumerate(plant.series):
        step = min(series.interval_ms or 60_000, QUARTER_HOUR)
        time = np.arange(windows.start_ms, windows.end_ms, max(step, 60_000))
        value = {"flow": 4.0, "ph": 7.0, "cod_cr": 200.0}.get(series.parameter, 3.0)
        if series.parameter == "volume":
            parts.append(Readings.of(time, index, (time - windows.start_ms) / 3_600_000 * 4.0))
        else:
            parts.append(Readings.of(time, index, value))
    return Readings.concat(parts)


@pytest.fixture
def filled(influxd: Influxd, plant: Plant, tmp_path: Path) -> Iterator[Influxd]:
    """An InfluxDB that the product's own forwarder and results writer have filled."""
    for name in ("readings", "results"):
        influxd.create_database(name)
    server = InfluxServer(InfluxSettings(influxd.url, "v1", "", "readings", "results"))
    journal = open_journal(tmp_path / "j.sqlite", [(s.point, s.parameter) for s in plant.series], outbox=True)
    journal.append(two_days(plant), accepted_ms=0)
    forwarder = Forwarder(journal, plant, server, SystemClock())
    while forwarder.forward_once():
        pass
    ResultsWriter(plant, server).publish(monitor.evaluate_days(plant, journal, DAY, date(2026, 10, 2)))
    yield influxd
    journal.close()
    server.close()


def targets(board: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(panel["title"], target) for panel in board["panels"] for target in panel.get("targets", ())]


@pytest.mark.parametrize("path", BOARDS, ids=lambda p: p.stem)
def test_every_query_returns_its_series(path: Path, filled: Influxd, plant: Plant) -> None:
    windows = local_windows(DAY, date(2026, 10, 2), plant.zone)
    time_filter = f"time >= {windows.start_ms}ms AND time < {windows.end_ms}ms"
    databases = {"plant-monitor-readings": "readings", "plant-monitor-results": "results"}
    asked = targets(json.loads(path.read_text()))
    assert len(asked) >= 10
    for title, target in asked:
        query = target["query"].replace("$timeFilter", time_filter).replace("$__interval", "10m")
        assert "$" not in query, f"{title}: a variable that this test does not know: {query}"
        rows = filled.query_csv(databases[target["datasource"]["uid"]], query)
        numbers = [v for row in rows for k, v in row.items() if k not in ("name", "tags", "time") and v]
        assert numbers, f"{title}: nothing came back from {query}"


def test_the_overview_shows_what_is_true(filled: Influxd, plant: Plant) -> None:
    """Five outfalls at 4 m³/h; the inlet's day is 96 m³ of 1200; every limited series of the effluent is met."""
    board = json.loads((ROOT / "grafana" / "dashboards" / "plant-overview.json").read_text())
    by_title = {title: target["query"].replace("$timeFilter", "time > 0") for title, target in targets(board)}
    flows = filled.query_csv("readings", by_title["排放口流量 Outfall flows"].replace("$__interval", "1d"))
    assert {row["tags"] for row in flows} == {f"point={p.id}" for p in plant.outfalls}
    assert {row["mean"] for row in flows if row["mean"]} == {"4"}
    (headroom,) = filled.query_csv("results", by_title["余量 Headroom to 1200 m³/d"])
    assert float(headroom["last"]) == pytest.approx(1104, abs=0.1)  # the last seconds of the day are not known
    verdicts = filled.query_csv("results", by_title["每日判定 Daily verdicts"])
    limited = {s.parameter for s in plant.point_by_id["plant-effluent"].series} & {
        "cod_cr",
        "ammonia_n",
        "total_p",
        "ss",
    }
    met = {row["tags"] for row in verdicts if row["verdict"] == "met"}
    for parameter in limited:
        assert any("point=plant-effluent" in tags and f"parameter={parameter}" in tags for tags in met), parameter


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
