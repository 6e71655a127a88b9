"""What is amiss around a plant that runs, seen without changing anything: ``plant-monitor doctor``."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path

from plant_monitor.errors import InputError, SourceError, StoreError
from plant_monitor.host import DISK_ALARM, DISK_WARNING, disk_state
from plant_monitor.ingest.broker_check import broker_shortcomings
from plant_monitor.ingest.last_readings import LastReadings
from plant_monitor.plant import InfluxSettings, MqttStation, Plant
from plant_monitor.store.influx import InfluxServer
from plant_monitor.store.influx_setup import shortcomings
from plant_monitor.store.influx_source import CORE_REFUSED
from plant_monitor.store.journal import Journal
from plant_monitor.windows import rfc3339

_NAMED = 10  # silent series; more are counted
_TIME_ERROR = 5  # of adjtimex(2): the clock is not synchronised


def around(plant: Plant, journal: Journal, folder: Path, now_ms: int) -> Iterator[str]:
    """What is amiss on this machine and among the readings, a line each."""
    disk = disk_state(folder)
    if disk["state"] != "ok":
        marks = f"warning from {DISK_WARNING:.0%}, alarm from {DISK_ALARM:.0%}"
        yield f"disk of {folder}: {disk['used_share']:.0%} used ({marks})"
    if clock_is_free():
        yield "clock: the kernel says it is not synchronised; set up NTP (chrony, systemd-timesyncd)"
    yield from _silent(plant, journal, now_ms)


def servers(plant: Plant) -> Iterator[str]:
    """What is amiss at the servers that plant.yaml names: brokers and InfluxDB."""
    asked = set()
    for station in plant.devices:
        if isinstance(station, MqttStation) and (station.host, station.port) not in asked:
            asked.add((station.host, station.port))
            try:
                for problem in broker_shortcomings(station, plant.id):
                    yield f"broker {station.host}:{station.port}: {problem}"
            except (SourceError, InputError) as error:
                yield f"broker of {station.id}: {error}"
    if plant.influxdb is not None:
        yield from _influx(plant.influxdb)


def _influx(settings: InfluxSettings) -> Iterator[str]:
    with contextlib.closing(InfluxServer(settings, timeout_s=5)) as server:
        try:
            if server.version().is_core:
                yield CORE_REFUSED
            found = shortcomings(server)
        except StoreError as error:
            yield f"InfluxDB: {error}"
            return
    for problem in found:
        yield f"InfluxDB: {problem}; `plant-monitor influx setup PLANT.yaml` puts it right"


def _silent(plant: Plant, journal: Journal, now_ms: int) -> Iterator[str]:
    """Series whose last reading holds no more, and readings from the future."""
    last = LastReadings(plant, 0)
    last.begin(journal, now_ms)
    states = last.states(now_ms)
    fed = [one for one in states if one.state != "unfed"]
    silent = [one for one in fed if one.state == "silent"]
    extent = journal.extent()
    if extent is not None and extent[1] > now_ms + 600_000:
        yield f"clock: the last reading is of {rfc3339(extent[1], plant.zone)}, ahead of this machine's clock"
    if silent and len(silent) == len(fed):
        heard = [one.last_ms for one in silent if one.last_ms is not None]
        since = f"since {rfc3339(max(heard), plant.zone)}" if heard else "ever"
        yield f"silent: all {len(fed)} series; no reading came {since}; does the service run?"
        return
    for one in silent[:_NAMED]:
        since = "never spoke" if one.last_ms is None else f"last reading {rfc3339(one.last_ms, plant.zone)}"
        yield f"silent: {one.point}/{one.parameter}, {since} ({', '.join(one.devices)})"
    if len(silent) > _NAMED:
        yield f"silent: {len(silent) - _NAMED} more series"


def clock_is_free() -> bool:
    """True where the kernel says that nothing keeps the host's clock right; False where it cannot say."""
    try:
        return bool(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(1024)) == _TIME_ERROR)
    except (AttributeError, OSError):  # not Linux
        return False
