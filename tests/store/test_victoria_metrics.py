"""`/api/v2/write` on the wire, against a server that is not ours and not InfluxDB's: Debian's VictoriaMetrics.

It takes line protocol as InfluxDB 2.x does, ignores strings, and knows no token, organisation or bucket.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from servers import VictoriaMetrics, require_server

from plant_monitor.clock import SystemClock
from plant_monitor.plant import InfluxSettings, Plant
from plant_monitor.readings import Readings
from plant_monitor.store.forwarder import Forwarder
from plant_monitor.store.influx import InfluxServer
from plant_monitor.store.journal import Journal

T0 = 1_790_784_000_000  # 2026-10-01T00:00:00+08:00


@pytest.fixture
def victoria_metrics(tmp_path: Path) -> Iterator[VictoriaMetrics]:
    server = VictoriaMetrics(require_server("victoria-metrics"), tmp_path / "victoria-metrics")
    server.start()
    yield server
    server.kill()


def test_our_lines_arrive_there_with_every_value(
    victoria_metrics: VictoriaMetrics, small_journal: Journal, small_plant: Plant
) -> None:
    """By the forwarder, gzipped, with instants to the millisecond."""
    rng = np.random.default_rng(1)  # plausible values: it keeps a block of values as decimals of one exponent
    values = np.concatenate([rng.uniform(0, 5_000, 1_000).round(4), [0.0, -3.25, 123456.125]])
    times = T0 - np.cumsum(rng.integers(1, 60_000, values.size))[::-1]
    small_journal.append(Readings.of(times, 1, values), accepted_ms=T0)
    small_journal.append(Readings.of([T0], 1, [np.nan]), accepted_ms=T0)  # no value: there is nothing to store there
    settings = InfluxSettings(victoria_metrics.url, "v2", "org", "readings", "results", token="none")
    server = InfluxServer(settings)
    packed: list[bytes] = []
    write_packed = server.write_packed

    def seen(bucket: str, body: bytes) -> None:
        packed.append(body)
        write_packed(bucket, body)

    server.write_packed = seen  # type: ignore[method-assign]
    forwarder = Forwarder(small_journal, small_plant, server, SystemClock())
    while forwarder.forward_once():
        pass
    assert small_journal.counts().outbox_rows == 0 and small_journal.outbox_refused() == []
    assert all(body[:2] == b"\x1f\x8b" for body in packed), "gzip"
    (series,) = victoria_metrics.export("readings_value")
    labels = {name: series["metric"][name] for name in ("plant", "point", "parameter")}
    assert labels == {"plant": "p", "point": "out fall,1", "parameter": "cod_cr"}
    assert series["timestamps"] == times.tolist()
    assert series["values"] == values.tolist()


def test_sent_again_it_changes_no_value(
    victoria_metrics: VictoriaMetrics, small_journal: Journal, small_plant: Plant
) -> None:
    server = InfluxServer(InfluxSettings(victoria_metrics.url, "v2", "org", "readings", "results", token="none"))
    for _ in range(2):
        server.write("readings", f"readings,plant=p value=7.5 {T0}\n".encode())
    (series,) = victoria_metrics.export("readings_value")
    assert set(zip(series["timestamps"], series["values"], strict=True)) == {(T0, 7.5)}
