"""Line protocol and forwarding: `python -m benchmarks.influx` prints ratios; nothing is asserted.

The encoder against influxdb-client's ``Point``, and the forwarder against a bare loop that posts gzipped batches, made
beforehand, to the same InfluxDB over one kept connection. Each pair runs in turns, and the best run of each counts.

On a machine that does other things the time of a request says more about those than about either; so the processor
time of client and server together is told beside it.
"""

from __future__ import annotations

import gzip
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import urllib3
from influxdb_client.client.write.point import Point
from influxdb_client.domain.write_precision import WritePrecision

from benchmarks.journal import SERIES, batches, field
from plant_monitor.clock import SystemClock
from plant_monitor.plant import InfluxSettings, Name, Plant, Role, Series
from plant_monitor.plant import Point as MonitoringPoint
from plant_monitor.readings import Readings
from plant_monitor.store.forwarder import BATCH_ROWS, Forwarder
from plant_monitor.store.influx import InfluxServer
from plant_monitor.store.journal import open_journal
from plant_monitor.store.lineprotocol import encode_lines
from tests.servers import Influxd, require_server

COMMIT = 500
ENCODED = 50_000
FORWARDED = 300_000
ROUNDS = 5


def plant() -> Plant:
    """The plant of the journal's bench."""
    points = sorted({point for point, _ in SERIES}, key=[point for point, _ in SERIES].index)
    made = (
        MonitoringPoint(p, Role.PROCESS, tuple(Series(p, q, "1", 10_000) for of, q in SERIES if of == p))
        for p in points
    )
    return Plant("bench", Name("b", "b"), ZoneInfo("Asia/Shanghai"), Decimal(1200), (), tuple(made), ())


def with_points(readings: Readings) -> bytes:
    """What a user of influxdb-client writes."""
    lines = []
    for t, s, v, m in zip(
        readings.time.tolist(), readings.series.tolist(), readings.value.tolist(), readings.mark.tolist(), strict=True
    ):
        name, parameter = SERIES[s]
        made = Point("readings").tag("plant", "bench").tag("point", name).tag("parameter", parameter)
        lines.append(made.field("value", v).field("mark", chr(m)).time(t, WritePrecision.MS).to_line_protocol())
    return "\n".join(lines).encode()


@dataclass(frozen=True)
class Cost:
    """What a run took."""

    wall_s: float
    cpu_s: float  # of client and server


def in_turns(*works: Callable[[], Cost], rounds: int = ROUNDS) -> list[Cost]:
    """The best of each, of runs that take turns: what else the machine does hits all alike."""
    runs = list(zip(*([work() for work in works] for _ in range(rounds)), strict=True))
    return [Cost(min(run.wall_s for run in of), min(run.cpu_s for run in of)) for of in runs]


def cost(work: Callable[[], object], server_pid: int | None = None) -> Cost:
    """Run it once."""
    cpu = time.process_time() + _cpu_s(server_pid)
    started = time.perf_counter()
    work()
    return Cost(time.perf_counter() - started, time.process_time() + _cpu_s(server_pid) - cpu)


def _cpu_s(pid: int | None) -> float:
    """Processor time of another process so far."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def encoder() -> None:
    """Ours against one object a point."""
    readings = field(ENCODED)
    ours, theirs = in_turns(
        lambda: cost(lambda: encode_lines("bench", SERIES, readings)),
        lambda: cost(lambda: with_points(readings)),
        rounds=3,
    )
    times = theirs.cpu_s / ours.cpu_s
    print(f"encoder: {ENCODED / ours.cpu_s:,.0f} readings/s, {times:.1f} x influxdb-client's Point (target 10)")


class Server:
    """An InfluxDB, and a new database for each run."""

    def __init__(self, influxd: Influxd) -> None:
        self.influxd, self._runs = influxd, 0
        assert influxd._process is not None
        self.pid = influxd._process.pid

    def database(self) -> str:
        """An empty one."""
        self._runs += 1
        self.influxd.create_database(f"run{self._runs}")
        return f"run{self._runs}"


def bare_loop(server: Server, bodies: list[bytes]) -> Cost:
    """The batches as they are, one request after the other."""
    pool = urllib3.HTTPConnectionPool(server.influxd.host, server.influxd.port, maxsize=1)
    path = f"/write?db={server.database()}&precision=ms"

    def post() -> None:
        for body in bodies:
            answer = pool.request("POST", path, body=body, headers={"Content-Encoding": "gzip"})
            assert answer.status == 204, answer.data

    return cost(post, server.pid)


def forwarding(server: Server, folder: Path, readings: Readings) -> Cost:
    """The same readings out of an outbox that was filled beforehand, as live commits fill it."""
    name = server.database()
    journal = open_journal(folder / f"{name}.sqlite", SERIES, outbox=True)
    for part in batches(readings, COMMIT):
        journal.append(part, accepted_ms=int(part.time[-1]))
    influx = InfluxServer(InfluxSettings(server.influxd.url, "v1", "", name, name))
    forwarder = Forwarder(journal, plant(), influx, SystemClock())

    def drain() -> None:
        while forwarder.forward_once():
            pass

    spent = cost(drain, server.pid)
    assert journal.counts().outbox_rows == 0
    journal.close()
    influx.close()
    return spent


def forwarder(folder: Path) -> None:
    """Ours against the bare loop."""
    readings = field(FORWARDED)
    bodies = [gzip.compress(encode_lines("bench", SERIES, part), 1) for part in batches(readings, BATCH_ROWS)]
    influxd = Influxd(require_server("influxd"), folder / "influxd")
    influxd.start()
    try:
        server = Server(influxd)
        bare, ours = in_turns(lambda: bare_loop(server, bodies), lambda: forwarding(server, folder, readings))
        print(
            f"forwarder: {FORWARDED / ours.wall_s:,.0f} readings/s, the bare loop {FORWARDED / bare.wall_s:,.0f}:"
            f" {bare.wall_s / ours.wall_s:.2f} of it by time, {bare.cpu_s / ours.cpu_s:.2f} by processor (target 0.70)"
        )
    finally:
        influxd.kill()


def main() -> None:
    """Print the ratios."""
    encoder()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        forwarder(Path(folder))


if __name__ == "__main__":
    main()
