"""`store.read_from: influxdb`: another machine, without this one's journal, comes to the same results."""

from pathlib import Path

from servers import Influxd

from plant_monitor.cli import main
from plant_monitor.clock import SystemClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.data_folder import DataFolder
from plant_monitor.store.forwarder import Forwarder
from plant_monitor.store.influx import InfluxServer

CASE = Path(__file__).resolve().parents[1] / "cases" / "evaluate" / "totaliser_stands_in"


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


def test_the_same_results_without_the_journal(influxd: Influxd, tmp_path: Path) -> None:
    influxd.create_database("readings")
    server = f"{{url: '{influxd.url}', api: v1, org: plant, bucket: readings, results_bucket: results}}"
    store = f"store:\n  influxdb: {server}\n"
    here, elsewhere = tmp_path / "here.yaml", tmp_path / "elsewhere.yaml"
    text = (CASE / "plant.yaml").read_text(encoding="utf-8")
    here.write_text(text + store, encoding="utf-8")
    elsewhere.write_text(text + store + "  read_from: influxdb\n", encoding="utf-8")

    data, away = tmp_path / "data", tmp_path / "away"
    assert run("import", here, CASE / "readings.csv", "--data", data) == 0
    plant = load_plant(here)
    assert plant.influxdb is not None
    influx = InfluxServer(plant.influxdb)
    with DataFolder(data).journal(plant) as journal:
        forwarder = Forwarder(journal, plant, influx, SystemClock())
        while forwarder.forward_once():
            pass
    influx.close()

    assert run("evaluate", here, "--data", data, "--out", tmp_path / "a") == 0
    assert run("evaluate", elsewhere, "--data", away, "--out", tmp_path / "b") == 0
    assert not away.exists(), "it had no journal"
    for name in ("hourly.csv", "daily.csv", "exceedances.csv", "headroom.csv"):
        assert (tmp_path / "a" / name).read_text() == (tmp_path / "b" / name).read_text()

    influxd.stop()
    assert run("evaluate", elsewhere, "--data", away, "--out", tmp_path / "c") == 3, "not reachable"
