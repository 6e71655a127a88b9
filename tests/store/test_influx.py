"""The forwarder and the results against a real InfluxDB 1.x, and what it does when the server is not there."""

import gzip
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from servers import Influxd

from plant_monitor.clock import SystemClock
from plant_monitor.compliance.evaluate import evaluate
from plant_monitor.errors import StoreUnavailable
from plant_monitor.plant import (
    InfluxSettings,
    Limit,
    LimitSet,
    Member,
    Name,
    Plant,
    Point,
    Role,
    Series,
    Statistic,
)
from plant_monitor.readings import OVER_RANGE, Readings
from plant_monitor.store.influx import Forwarder, InfluxServer, ResultsWriter
from plant_monitor.store.journal import Journal, open_journal
from plant_monitor.store.lineprotocol import readings_lines, result_line
from plant_monitor.windows import local_windows

HOUR = 3_600_000
T0 = 1_790_784_000_000  # 2026-10-01T00:00:00+08:00


@pytest.fixture
def plant() -> Plant:
    series = (Series("out fall,1", "flow", "m3/h", HOUR), Series("out fall,1", "cod_cr", "mg/L", HOUR))
    limits = (Limit("cod_cr", Statistic.DAILY_MEAN, None, 300.0, "mg/L"),)
    return Plant(
        id="p",
        name=Name("厂", "plant"),
        zone=ZoneInfo("Asia/Shanghai"),
        capacity_m3_d=Decimal(1200),
        members=(Member("m", Name("m", "m")),),
        points=(Point("out fall,1", Role.OUTFALL, series, "m", ("agreed",)),),
        limit_sets=(LimitSet("agreed", Name("a", "a"), "", limits),),
    )


@pytest.fixture
def journal(tmp_path: Path, plant: Plant) -> Iterator[Journal]:
    opened = open_journal(tmp_path / "j.sqlite", [(s.point, s.parameter) for s in plant.series], outbox=True)
    yield opened
    opened.close()


def settings_of(url: str, api: str = "v1") -> InfluxSettings:
    return InfluxSettings(url=url, api=api, org="plant", bucket="readings", results_bucket="results", token="t0p")


def day(cod: float = 400.0) -> Readings:
    hours = np.arange(24) * HOUR + T0
    return Readings.concat([Readings.of(hours, 0, 10.0), Readings.of(hours, 1, cod)])


def test_the_outbox_drains_into_influxdb(influxd: Influxd, journal: Journal, plant: Plant) -> None:
    influxd.create_database("readings")
    journal.append(day(), accepted_ms=T0)
    journal.append(Readings.of([T0 + 1, T0 + 2], 1, [np.nan, 9000.0], [ord("N"), OVER_RANGE]), accepted_ms=T0)
    forwarder = Forwarder(journal, plant, InfluxServer(settings_of(influxd.url)), SystemClock())
    while forwarder.forward_once():
        pass
    assert journal.counts().outbox_rows == 0
    rows = influxd.query_csv("readings", "SELECT value, mark FROM readings WHERE parameter='cod_cr'")
    assert len(rows) == 26
    by_time = {int(row["time"]): row for row in rows}
    assert (by_time[T0]["value"], by_time[T0]["mark"]) == ("400", "N")
    assert (by_time[T0 + 1]["value"], by_time[T0 + 1]["mark"]) == ("", "-")
    assert (by_time[T0 + 2]["value"], by_time[T0 + 2]["mark"]) == ("9000", "T")
    (tag,) = influxd.query_csv("readings", "SHOW TAG VALUES FROM readings WITH KEY = point")
    assert tag["value"] == "out fall,1"


def test_nothing_leaves_the_outbox_while_the_server_is_down(influxd: Influxd, journal: Journal, plant: Plant) -> None:
    influxd.create_database("readings")
    url = influxd.url
    influxd.stop()
    journal.append(day(), accepted_ms=T0)
    forwarder = Forwarder(journal, plant, InfluxServer(settings_of(url)), SystemClock())
    with pytest.raises(StoreUnavailable, match="not reachable"):
        forwarder.forward_once()
    assert journal.counts().outbox_rows == 48
    influxd.start()
    assert forwarder.forward_once() == 48
    assert journal.counts().outbox_rows == 0
    assert len(influxd.query_csv("readings", "SELECT value FROM readings")) == 48


class OneBadLine(BaseHTTPRequestHandler):
    """Takes every write but those that hold the value 666."""

    taken: list[str]

    def do_POST(self) -> None:
        body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"]))).decode()
        bad = "value=666.0" in body
        if not bad:
            self.taken.extend(body.splitlines())
        answer = b'{"error":"partial write: field type conflict"}' if bad else b""
        self.send_response(400 if bad else 204)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.headers_seen = dict(self.headers)
        type(self).last_path, type(self).last_authorization = self.path, self.headers["Authorization"]

    def log_message(self, *args: object) -> None:
        return


def test_a_refused_point_is_set_aside_and_holds_up_nothing(journal: Journal, plant: Plant) -> None:
    OneBadLine.taken = []
    server = HTTPServer(("127.0.0.1", 0), OneBadLine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    journal.append(day(), accepted_ms=T0)
    journal.append(Readings.of([T0 + 5], 1, [666.0]), accepted_ms=T0)
    url = f"http://127.0.0.1:{server.server_port}"
    forwarder = Forwarder(journal, plant, InfluxServer(settings_of(url, "v2")), SystemClock())
    assert forwarder.forward_once() == 49
    server.shutdown()
    server.server_close()
    (refused,) = journal.outbox_refused()
    assert (refused.time_ms, refused.value) == (T0 + 5, 666.0)
    assert "field type conflict" in refused.reason
    assert len(set(OneBadLine.taken)) == 48
    assert journal.counts().outbox_rows == 0
    assert OneBadLine.last_path == "/api/v2/write?org=plant&bucket=readings&precision=ms"
    assert OneBadLine.last_authorization == "Token t0p"


def test_results_are_written_and_a_lost_number_is_deleted(influxd: Influxd, plant: Plant) -> None:
    influxd.create_database("results")
    windows = local_windows(date(2026, 10, 1), date(2026, 10, 1), plant.zone)
    writer = ResultsWriter(plant, InfluxServer(settings_of(influxd.url)))
    writer.publish(evaluate(plant, day(400.0), windows))
    rows = influxd.query_csv("results", "SELECT value, verdict, upper FROM daily WHERE parameter='cod_cr' GROUP BY *")
    assert [(r["value"], r["verdict"], r["upper"]) for r in rows] == [("400", "exceeded", "300")]
    assert len(influxd.query_csv("results", "SELECT mean FROM hourly WHERE parameter='cod_cr'")) == 24
    (headroom,) = influxd.query_csv("results", "SELECT inflow_m3, headroom_m3 FROM headroom")
    assert (headroom["inflow_m3"], headroom["headroom_m3"]) == ("240", "960")
    faults = day(400.0)
    faults = replace(faults, mark=np.full(48, ord("D"), dtype=np.uint8))
    writer.publish(evaluate(plant, faults, windows))
    rows = influxd.query_csv("results", "SELECT value, verdict FROM daily WHERE parameter='cod_cr'")
    assert [(r["value"], r["verdict"]) for r in rows] == [("", "insufficient_data")]
    assert influxd.query_csv("results", "SELECT mean FROM hourly WHERE parameter='cod_cr'") == []


def test_lines_escape_and_keep_every_bit() -> None:
    values = np.array([0.1, 1e-300, -0.0, 1e22, np.inf])
    lines = readings_lines("p p", [("a=b", "c,d")], Readings.of(np.arange(5), 0, values))
    assert lines[0] == 'readings,plant=p\\ p,point=a\\=b,parameter=c\\,d value=0.1,mark="N" 0'
    assert [float(line.split("value=")[1].split(",")[0]) for line in lines[:4]] == values[:4].tolist()
    assert lines[4].endswith(' mark="-" 4')


def test_names_come_back_from_the_server_as_they_were(influxd: Influxd) -> None:
    name = "a\\b c=d,e\nf"
    line = result_line("daily", [("point", name)], [("value", 1.5)], 0)
    assert "\n" not in line
    influxd.create_database("readings")
    InfluxServer(settings_of(influxd.url)).write("readings", [line])
    rows = influxd.query_csv("readings", "SELECT point, value FROM daily")
    assert [(r["point"], r["value"]) for r in rows] == [("a\\b c=d,e f", "1.5")]
