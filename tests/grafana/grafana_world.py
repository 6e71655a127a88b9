"""An InfluxDB that the whole service has filled, for the queries of panels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
from servers import Influxd, free_port, wait_until

from plant_monitor.clock import ManualClock
from plant_monitor.data_folder import DataFolder
from plant_monitor.plant import InfluxSettings, Plant
from plant_monitor.readings import Readings
from plant_monitor.service import Service, Settings
from plant_monitor.windows import HOUR_MS, Windows, local_windows

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 2)
QUARTER_HOUR = 900_000
DAY_MS = 24 * HOUR_MS
DAYS_BEFORE = 35  # of registers alone: enough for a forecast
EXCEEDED = ("shennong-outfall", "cod_cr")  # on the second day


def windows_of(plant: Plant) -> Windows:
    return local_windows(FIRST, LAST, plant.zone)


def two_days(plant: Plant) -> Readings:
    """Every series of the plant over two days: flow and quality each quarter of an hour at least, within all limits but
    one; before them the registers of the inlet, day by day."""
    windows = windows_of(plant)
    parts = []
    for index, series in enumerate(plant.series):
        step = min(series.interval_ms or 60_000, QUARTER_HOUR)
        time = np.arange(windows.start_ms, windows.end_ms, max(step, 60_000))
        value = np.full(time.size, {"flow": 4.0, "ph": 7.0, "cod_cr": 200.0}.get(series.parameter, 3.0))
        if series.parameter == "volume":
            if series.point == plant.inlet:
                days = windows.start_ms - DAY_MS * np.arange(DAYS_BEFORE, 0, -1)
                time = np.concatenate([days, time])
            value = 10_000 + (time - windows.start_ms) / HOUR_MS * (20.0 if series.point == plant.inlet else 4.0)
        if series.parameter == "flow" and series.point == plant.inlet:
            value[:] = 20.0
        if (series.point, series.parameter) == EXCEEDED:
            value[time >= windows.start_ms + DAY_MS] = 5000.0
        parts.append(Readings.of(time, index, value))
    return Readings.concat(parts)


@contextmanager
def filled(influxd: Influxd, plant: Plant, folder: Path) -> Iterator[None]:
    """The service runs over the two days, ten minutes after they are over, until InfluxDB has taken all it has to say.

    Its devices are not there: their silence is among it.
    """
    for name in ("readings", "results"):
        influxd.create_database(name)
    plant = replace(plant, influxdb=InfluxSettings(influxd.url, "v1", "", "readings", "results"))
    clock = ManualClock(windows_of(plant).end_ms + 10 * 60_000)
    with DataFolder(folder).journal(plant) as journal:
        journal.append(two_days(plant), accepted_ms=clock.now_ms())
    service = Service(plant, Settings(folder, port=free_port()), clock)
    service.start()
    try:
        wait_until(lambda: service.watch.health()["judged_until_ms"] is not None, what="the first look", seconds=120)

        def all_taken() -> bool:
            results = service.health()["results"]
            waits = results["days_unpublished"] + results["minutes_unpublished"] + service.journal.counts().outbox_rows
            return waits == 0 and bool(influxd.query_csv("results", "SELECT last(p50_m3) FROM forecast"))

        wait_until(all_taken, what="InfluxDB", seconds=120)
        clock.set(clock.now_ms() + 60_000)  # another minute of health
        wait_until(lambda: len(influxd.query_csv("results", MINUTES)) >= 2, what="health", seconds=60)
    finally:
        service.stop()
    yield


MINUTES = "SELECT state FROM device_health WHERE device = '' AND parameter = ''"
