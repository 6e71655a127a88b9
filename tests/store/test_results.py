"""Results, alerts and health in a real InfluxDB 1.x: written, changed, and gone when they lose a number."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from servers import Influxd

from plant_monitor.alerts.lifecycle import Alert, Exceedance, Kind, State
from plant_monitor.compliance.evaluate import evaluate
from plant_monitor.plant import InfluxSettings, Plant
from plant_monitor.readings import Readings
from plant_monitor.store.influx import InfluxServer
from plant_monitor.store.lineprotocol import result_line
from plant_monitor.store.results import ResultsWriter
from plant_monitor.windows import local_windows
from tests.store.fake_influx import Answer, Asked, FakeInflux

HOUR = 3_600_000
T0 = 1_790_784_000_000  # 2026-10-01T00:00:00+08:00


@pytest.fixture
def server(influxd: Influxd) -> Iterator[InfluxServer]:
    influxd.create_database("results")
    made = InfluxServer(InfluxSettings(influxd.url, "v1", "", "readings", "results"))
    yield made
    made.close()


def day(cod: float = 400.0) -> Readings:
    hours = np.arange(24) * HOUR + T0
    return Readings.concat([Readings.of(hours, 0, 10.0), Readings.of(hours, 1, cod)])


def test_results_are_written_and_a_lost_number_is_deleted(
    influxd: Influxd, server: InfluxServer, small_plant: Plant
) -> None:
    windows = local_windows(date(2026, 10, 1), date(2026, 10, 1), small_plant.zone)
    writer = ResultsWriter(small_plant, server)
    writer.publish(evaluate(small_plant, day(400.0), windows))
    rows = influxd.query_csv("results", "SELECT value, verdict, upper FROM daily WHERE parameter='cod_cr' GROUP BY *")
    assert [(r["value"], r["verdict"], r["upper"]) for r in rows] == [("400", "exceeded", "300")]
    assert len(influxd.query_csv("results", "SELECT mean FROM hourly WHERE parameter='cod_cr'")) == 24
    (headroom,) = influxd.query_csv("results", "SELECT inflow_m3, headroom_m3 FROM headroom")
    assert (headroom["inflow_m3"], headroom["headroom_m3"]) == ("240", "960")
    faults = day(400.0)
    faults = replace(faults, mark=np.full(48, ord("D"), dtype=np.uint8))
    writer.publish(evaluate(small_plant, faults, windows))
    rows = influxd.query_csv("results", "SELECT value, verdict FROM daily WHERE parameter='cod_cr'")
    assert [(r["value"], r["verdict"]) for r in rows] == [("", "insufficient_data")]
    assert influxd.query_csv("results", "SELECT mean FROM hourly WHERE parameter='cod_cr'") == []


def test_a_new_process_clears_what_an_earlier_one_wrote(
    influxd: Influxd, server: InfluxServer, small_plant: Plant
) -> None:
    windows = local_windows(date(2026, 10, 1), date(2026, 10, 1), small_plant.zone)
    ResultsWriter(small_plant, server).publish(evaluate(small_plant, day(400.0), windows))
    ResultsWriter(small_plant, server).publish(evaluate(small_plant, Readings.empty(), windows))
    assert influxd.query_csv("results", "SELECT mean FROM hourly WHERE parameter='cod_cr'") == []


def episode(start: int = T0, **changes: object) -> Exceedance:
    made = Exceedance(
        "out fall,1", "cod_cr", "agreed", "daily_mean", start, start + 24 * HOUR, 1, 400.0, 300.0, 4 / 3, True, "mg/L"
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def alert(*episodes: Exceedance, **changes: object) -> Alert:
    made = Alert(Kind.EXCEEDANCE, "out fall,1", "cod_cr", "agreed", T0, episodes, id=7)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_alerts_as_they_are_now(influxd: Influxd, server: InfluxServer, small_plant: Plant) -> None:
    writer = ResultsWriter(small_plant, server)
    second = T0 + 72 * HOUR
    assert writer.publish_alerts([alert(episode(), episode(second))]) == 2
    assert writer.publish_alerts([alert(episode(), episode(second))]) == 0, "only what changed is written"
    changed = alert(episode(peak=500.0, peak_ratio=None, ongoing=False), episode(second), state=State.REPLIED)
    assert writer.publish_alerts([changed]) == 2
    rows = influxd.query_csv("results", "SELECT state, ongoing, peak, peak_ratio, alert FROM alerts")
    told = [(int(r["time"]), r["state"], r["ongoing"], r["peak"], r["peak_ratio"], r["alert"]) for r in rows]
    assert told == [
        (T0, "replied", "false", "500", "", "7"),
        (second, "replied", "true", "400", "1.3333333333333333", "7"),
    ]
    assert writer.publish_alerts([alert(episode(withdrawn=True), episode(second + HOUR))]) == 1
    assert [int(r["time"]) for r in influxd.query_csv("results", "SELECT peak FROM alerts")] == [second + HOUR]
    ResultsWriter(small_plant, server).publish_alerts([])
    assert influxd.query_csv("results", "SELECT peak FROM alerts") == [], "a new process begins anew"


def test_health_each_minute(influxd: Influxd, server: InfluxServer, small_plant: Plant) -> None:
    writer = ResultsWriter(small_plant, server)
    tags = {"device": "plc", "point": "out fall,1", "parameter": "flow"}
    for minute in range(2):
        rows = [(tags, {"state": "ok", "last_good_ms": T0, "age_s": 60.0 * minute, "round_trip_ms": None, "errors": 0})]
        writer.write_health(writer.health_lines(rows, T0 + minute * 60_000))
    rows_there = influxd.query_csv("results", "SELECT state, age_s, last_good_ms FROM device_health WHERE device='plc'")
    assert [(r["state"], r["age_s"]) for r in rows_there] == [("ok", "0"), ("ok", "60")]
    assert rows_there[0]["last_good_ms"] == str(T0), "whole, not as 1.79e+12"


def test_influxdb_3_deletes_nothing(fake_influx: FakeInflux, small_plant: Plant) -> None:
    """It has no way to; the results are written all the same."""

    def answer(asked: Asked) -> Answer:
        if asked.path == "/ping":
            return Answer(200, "{}", {"X-Influxdb-Version": "3.1.0", "X-Influxdb-Build": "Core"})
        return Answer() if asked.path == "/api/v2/write" else Answer(405)

    fake_influx.answer = answer
    writer = ResultsWriter(small_plant, InfluxServer(fake_influx.settings()))
    windows = local_windows(date(2026, 10, 1), date(2026, 10, 1), small_plant.zone)
    assert writer.publish(evaluate(small_plant, day(400.0), windows)) > 24
    assert writer.publish_alerts([alert(episode())]) == 1
    assert {asked.path for asked in fake_influx.asked} == {"/ping", "/api/v2/write"}


def test_names_come_back_from_the_server_as_they_were(influxd: Influxd, server: InfluxServer) -> None:
    name = "a\\b c=d,e\nf"
    line = result_line("daily", [("point", name)], [("value", 1.5)], 0)
    assert "\n" not in line
    server.write(server.settings.results_bucket, line.encode())
    rows = influxd.query_csv(server.settings.results_bucket, "SELECT point, value FROM daily")
    assert [(r["point"], r["value"]) for r in rows] == [("a\\b c=d,e f", "1.5")]
