"""From what proves something to the message handed to a channel, on the example's plant, at its rate of readings.

The whole service runs on the plant of examples/xieqiao with two days of history. Its field is replaced by a thread that
submits every series once per interval, as devices would; the channel is a real web hook on loopback. Measured are

* a reading that proves something by itself: an over-range mark, from its submission to the web hook;
* a verdict: from the instant at which the hour may be judged (two minutes after its end) to the web hook.

Both with InfluxDB absent from the plant, and configured but down.
"""

from __future__ import annotations

import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from plant_monitor.clock import ScaledClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.notify import Channel, Notify
from plant_monitor.plant import PH, InfluxSettings, Plant
from plant_monitor.readings import NORMAL, OVER_RANGE, Readings
from plant_monitor.service import DataFolder, Service, Settings
from plant_monitor.windows import HOUR_MS, parse_rfc3339

EXAMPLE = Path(__file__).parents[1] / "examples" / "xieqiao" / "plant.yaml"
HOUR_OVER = parse_rfc3339("2026-10-14T11:00:00+08:00")
START = HOUR_OVER + 100_000  # 20 s before the hour may be judged
JUDGED = HOUR_OVER + 120_000
HISTORY_MS = 48 * HOUR_MS
PROOFS, APART_S = 12, 3.0


class Hook:
    """A web hook that notes when each message came, s of the host."""

    def __init__(self) -> None:
        self.came: list[tuple[float, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.came.append((time.time(), body["title"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait(self, words: str, after: float, seconds: float) -> float | None:
        """When the first message with these words came after an instant."""
        end = time.time() + seconds
        while time.time() < end:
            found = [t for t, title in list(self.came) if words in title and t >= after]
            if found:
                return min(found)
            time.sleep(0.005)
        return None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def value(plant: Plant, index: int, times: np.ndarray) -> np.ndarray:
    """Plausible and alive; the pH of one outfall is too low in the hour that will be judged."""
    series = plant.series[index]
    usual = {"flow": 8.0, PH: 7.0, "conductivity": 9000.0, "cod_cr": 40.0, "ammonia_n": 2.0}.get(series.parameter, 5.0)
    if series.parameter == "volume":
        return 1000.0 + (times - times[0]) / 450_000
    found = usual * (1 + 0.05 * np.sin(times / 3e5 + index))
    if (series.point, series.parameter) == ("keqiao-outfall", PH):
        found = np.where((times >= HOUR_OVER - HOUR_MS) & (times < HOUR_OVER), 3.0, found)
    return found


def readings(plant: Plant, start: int, end: int) -> Readings:
    """All series in ``[start, end)``, once per interval."""
    parts = []
    for index, series in enumerate(plant.series):
        step = series.interval_ms or 60_000
        times = np.arange(-(-start // step) * step, end, step)
        if times.size:
            parts.append(Readings.of(times, index, value(plant, index, times), np.full(times.size, NORMAL)))
    return Readings.concat(parts)


@contextmanager
def field(service: Service, clock: ScaledClock, plant: Plant) -> Iterator[None]:
    """Readings as time goes on."""
    stop = threading.Event()

    def run() -> None:
        done = clock.now_ms()
        while not stop.wait(0.5):
            now = clock.now_ms()
            service.intake.submit(readings(plant, done, now))
            done = now

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join()


def run(influxdb: InfluxSettings | None) -> tuple[float | None, list[float]]:
    """Seconds of the verdict, and of each proof."""
    hook = Hook()
    notify = Notify((Channel("hook", hook.url),), "en")
    plant = replace(load_plant(EXAMPLE, env={}, secrets=False), devices=(), notify=notify, influxdb=influxdb)
    with tempfile.TemporaryDirectory() as folder, DataFolder(Path(folder)).journal(plant) as journal:
        journal.append(readings(plant, START - HISTORY_MS, START), accepted_ms=START)
        journal.close()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        clock = ScaledClock(START, int(time.time() * 1000), 1.0)
        service = Service(plant, Settings(Path(folder), port=port), clock)
        service.start()
        try:
            with field(service, clock, plant):
                judged_s = (clock.host_start_ms + JUDGED - START) / 1000
                verdict = hook.wait("hourly median", judged_s, 60.0)
                proofs = [s for s in (prove(service, clock, hook, plant, n) for n in range(PROOFS)) if s is not None]
        finally:
            service.stop()
            hook.close()
    return None if verdict is None else verdict - judged_s, proofs


def prove(service: Service, clock: ScaledClock, hook: Hook, plant: Plant, number: int) -> float | None:
    """Seconds from an over-range reading of the ``number``-th suitable series to the web hook."""
    time.sleep(APART_S)
    chosen = [i for i, s in enumerate(plant.series) if s.parameter in ("cod_cr", "ammonia_n", PH, "conductivity")]
    index = chosen[number % len(chosen)]
    began = time.time()
    at = np.array([clock.now_ms()])
    service.intake.submit(Readings.of(at, index, np.array([np.nan]), np.array([OVER_RANGE])))
    came = hook.wait("over range", began, 30.0)
    return None if came is None else came - began


def main() -> None:
    """Print the two figures, without and with an InfluxDB that is down."""
    down = InfluxSettings("http://127.0.0.1:9", "v1", "", "readings", "results")
    for title, influxdb in (("no InfluxDB configured", None), ("InfluxDB configured and down", down)):
        verdict, proofs = run(influxdb)
        told = "not within a minute" if verdict is None else f"{verdict:.2f} s"
        print(f"{title}: verdict {told} after the hour may be judged; over-range reading: ", end="")
        print(f"median {statistics.median(proofs):.2f} s, at most {max(proofs):.2f} s of {len(proofs)}")


if __name__ == "__main__":
    main()
