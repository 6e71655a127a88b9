"""How long a member waits for a month of its usage and of the daily verdicts, over HTTP on the embedded store.

The plant of the five companies with its intervals (flow each ten seconds), a month and a day of readings in a sealed
journal, the API behind its real server, one client that keeps its connection. Three cases: the month before, asked
again and again; the running month, asked again and again; and the running month with a new reading between any two
requests and what is remembered grown old, so that each answer is made anew.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import httpx
import numpy as np

from plant_monitor.answers import Evaluations, Outlooks
from plant_monitor.api import ApiServices, create_app
from plant_monitor.clock import ManualClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.data_folder import DataFolder
from plant_monitor.ledger import Ledger
from plant_monitor.live import Feed
from plant_monitor.plant import FLOW, PH, VOLUME, Plant
from plant_monitor.readings import Readings
from plant_monitor.service import ApiServer
from plant_monitor.store.journal import Journal
from plant_monitor.windows import HOUR_MS, day_start_ms

FIRST, LAST = date(2026, 9, 1), date(2026, 10, 30)  # the month before, and the running one up to its 30th, 14:00
REQUESTS = 100
Ask = Callable[[], httpx.Response]
TARGET_MS = 50
ROOT = Path(__file__).parent.parent


def fill(plant: Plant, journal: Journal, end_ms: int) -> None:
    """Two months of steady readings with some noise, sealed."""
    rng = np.random.default_rng(7)
    start_ms = day_start_ms(FIRST, plant.zone)
    for index, series in enumerate(plant.series):
        times = np.arange(start_ms, end_ms, series.interval_ms or 60_000)
        middle = {FLOW: 4.0, PH: 7.0}.get(series.parameter, 20.0)
        values = middle * (1 + 0.1 * rng.standard_normal(times.size))
        if series.parameter == VOLUME:
            values = (times - start_ms) / HOUR_MS * 4.0
        for part in range(0, times.size, 50_000):
            rows = slice(part, part + 50_000)
            journal.append(Readings.of(times[rows], index, values[rows]), accepted_ms=end_ms)
        journal.seal(end_ms - HOUR_MS)


@contextmanager
def served(folder: Path) -> Iterator[tuple[httpx.Client, ManualClock, Callable[[], None]]]:
    """A client with a member's key, the clock, and what lets a reading arrive."""
    plant = load_plant(ROOT / "examples" / "xieqiao" / "plant.yaml", secrets=False)
    now_ms = day_start_ms(LAST, plant.zone) + 14 * HOUR_MS
    clock = ManualClock(now_ms)
    ledger = Ledger(f"sqlite:///{folder}/ledger.sqlite")
    key = ledger.keys.add("member", member=plant.members[0].id, now_ms=now_ms).secret
    with DataFolder(folder).journal(plant) as journal:
        fill(plant, journal, now_ms)
        evaluations = Evaluations(plant, journal, journal, ledger.annotations, clock)
        outlook = Outlooks(plant, evaluations.judged, journal, ledger.annotations)

        def never(*_: object, **__: object) -> None:
            return None

        services = ApiServices(
            plant, journal, evaluations.judged, ledger, evaluations, evaluations.verdicts, outlook,
            evaluations.warnings,
            health=lambda: {"status": "ok"}, desk=never, feed=Feed(plant, now_ms), clock=clock, requests_per_s=1e9,
        )  # fmt: skip
        server = ApiServer(create_app(services), "127.0.0.1", 18_765)
        server.start()
        flow = plant.series_index[plant.outfalls[0].id, FLOW]

        def arrive() -> None:
            clock.set(clock.now_ms() + 10_000)
            journal.append(Readings.of([clock.now_ms() - 5_000], flow, [4.0]), accepted_ms=clock.now_ms())

        headers = {"Authorization": f"Bearer {key}"}
        try:
            url = "http://127.0.0.1:18765/api/v1"
            with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
                yield client, clock, arrive
        finally:
            server.stop()
            ledger.close()


def main() -> None:
    """Print p50 and p95 of each case in ms, and the processor time of client and server together."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (client, _clock, arrive):
        member = client.get("/plant").json()["members"][0]["id"]
        months = {"the month before": "from=2026-09-01&to=2026-10-01", "the running month": "from=2026-10-01"}
        routes = {"usage by day": f"/members/{member}/usage?step=day&", "daily compliance": "/compliance/daily?"}
        for name, route in routes.items():
            for month, span in months.items():
                show(f"{name}, {month}", lambda route=route, span=span: client.get(route + span))
        for name, route in routes.items():

            def anew(route: str = route) -> httpx.Response:
                return client.get(f"{route}from=2026-10-01")

            show(f"{name}, the running month, each answer made anew", anew, before=arrive, requests=60)


def show(what: str, ask: Ask, before: Callable[[], None] | None = None, requests: int = REQUESTS) -> None:
    took, cpu = [], []
    for _ in range(requests):
        if before is not None:
            before()
        start, busy = time.perf_counter(), time.process_time()
        answer = ask()
        took.append((time.perf_counter() - start) * 1000)
        cpu.append((time.process_time() - busy) * 1000)
        assert answer.status_code == 200 and answer.json()["items"], answer.text
    first, (p50, p95) = took[0], np.percentile(took[1:], [50, 95])
    verdict = "ok" if p95 < TARGET_MS else f"MISSED {TARGET_MS} ms"
    busy95 = np.percentile(cpu[1:], 95)
    print(f"{what}: first {first:.0f} ms, p50 {p50:.1f}, p95 {p95:.1f} ms ({busy95:.1f} ms of a core): {verdict}")
