"""Running it: the service, the demo, the data folder's health, backups."""

from __future__ import annotations

import contextlib
import queue
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from plant_monitor.backup import PLANT_FILE, backup, restore
from plant_monitor.cli.options import (
    DEFAULT_DATA,
    DataDir,
    PlantFile,
    messages,
)
from plant_monitor.clock import SystemClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.data_folder import DataFolder
from plant_monitor.demo.run import run_demo
from plant_monitor.doctor import around, servers
from plant_monitor.errors import ConfigError, InputError, PlantMonitorError
from plant_monitor.heartbeat import tell_systemd
from plant_monitor.plant import Plant
from plant_monitor.service import Service, Settings, log_to
from plant_monitor.store.influx import InfluxServer
from plant_monitor.store.influx_setup import set_up
from plant_monitor.store.journal import Journal
from plant_monitor.windows import rfc3339


def run(
    plant_file: PlantFile,
    data: DataDir = DEFAULT_DATA,
    host: Annotated[str, typer.Option(help="Address of the API; anything but loopback must be wanted.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the API.")] = 8000,
    certificate: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="Speak TLS with this certificate and its chain.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="The certificate's key.")] = None,
) -> int:
    """The service: devices, stations, verdicts, alerts, API; SIGHUP reads plant.yaml anew. 运行监测服务。"""
    if (certificate is None) != (key is None):
        raise InputError("--tls-cert and --tls-key belong together: name both files, or none")
    tls = None if certificate is None or key is None else (certificate, key)
    plant = load_plant(plant_file)
    log_to(sys.stderr)
    service = Service(plant, Settings(data=data, host=host, port=port, tls=tls), SystemClock())
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: asked.put(number))
    service.start()
    try:
        while asked.get() == signal.SIGHUP:
            service = _reloaded(service, plant_file)
    finally:
        tell_systemd("STOPPING=1")
        service.stop()
    return 0


def _reloaded(running: Service, plant_file: Path) -> Service:
    """The service with plant.yaml as it is now; with mistakes in it, as it was before (design §6)."""
    try:
        plant = load_plant(plant_file)
    except PlantMonitorError as error:
        running.configuration.refused(str(error))
        return running
    running.stop()
    try:
        service = Service(plant, running.settings, running.clock)
        service.start()
    except PlantMonitorError as error:
        service = Service(running.plant, running.settings, running.clock)
        service.start()
        service.configuration.refused(str(error))
    return service


def demo(
    stop_after: Annotated[float | None, typer.Option(metavar="SECONDS", help="End by itself after so long.")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the API.")] = 8000,
    data: DataDir = Path("demo-data"),
    speed: Annotated[float, typer.Option(min=1, max=300, help="Simulated seconds a second.")] = 120,
) -> int:
    """The plant of the five companies, simulated, in one process tree on this machine. 演示。"""
    return run_demo(stop_after_s=stop_after, port=port, data=data, speed=speed)


def doctor(plant_file: PlantFile, data: DataDir = DEFAULT_DATA) -> int:
    """Is the data folder sound, what waits, what was refused; and what is amiss around it? 检查。"""
    plant = load_plant(plant_file, secrets=False)
    with DataFolder(data).journal(plant, read_only=True) as journal:
        problems = journal.check()
        counts = journal.counts()
        for name, value in (
            ("readings", int(counts.hot.sum() + counts.sealed.sum())),
            ("superseded", counts.superseded),
            ("quarantined", counts.quarantined),
            ("dropped by retention", counts.dropped.readings),
            ("waiting for InfluxDB", counts.outbox_rows),
            ("refused by InfluxDB", counts.outbox_refused),
            ("bytes", counts.file_bytes + counts.wal_bytes),
        ):
            sys.stdout.write(f"{name}: {value}\n")
        for one in journal.quarantine(limit=10):
            messages.print(f"quarantine {one.id}: {one.refused.source}: {one.refused.reason}", markup=False)
        for refused in journal.outbox_refused(limit=10):
            where = "/".join(journal.series[refused.series])
            at = rfc3339(refused.time_ms, plant.zone)
            messages.print(f"refused by InfluxDB: {where} {at}: {refused.reason}", markup=False)
        warnings = list(around(plant, journal, data, SystemClock().now_ms()))
    try:
        warnings += servers(load_plant(plant_file))
    except ConfigError as error:  # its secrets are kept elsewhere
        warnings.append(f"brokers and InfluxDB were not asked: {error}")
    for warning in warnings:
        messages.print(f"warning: {warning}", style="yellow", markup=False)
    for problem in problems:
        messages.print(problem, style="red", markup=False)
    return 1 if problems else 0


def influx_setup(plant_file: PlantFile) -> int:
    """Make the buckets (or databases) of store.influxdb with their retention; nothing is dropped. 建库。"""
    plant = load_plant(plant_file)
    if plant.influxdb is None:
        raise InputError(f"{plant_file}: no store.influxdb; add it, or do without: the journal is complete")
    with contextlib.closing(InfluxServer(plant.influxdb)) as server:
        for line in set_up(server):
            sys.stdout.write(f"{line}\n")
    return 0


def backup_(
    plant_file: PlantFile,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The archive, .tar.gz; never overwritten.")],
    data: DataDir = DEFAULT_DATA,
) -> int:
    """Journal, ledger and plant.yaml as one set, also while the service runs. 备份。"""
    plant = load_plant(plant_file, secrets=False)
    folder = DataFolder(data)
    manifest = backup(plant, folder, out, now_ms=SystemClock().now_ms())
    messages.print(f"{out}: {', '.join(manifest['sha256'])}; plant.yaml {plant.digest[:16]}", markup=False)
    for name in manifest["secrets"]:
        messages.print(f"  not in it, keep it elsewhere: {name}", markup=False)
    with folder.journal(plant, read_only=True) as journal:
        _tell_unknown(plant, journal)
    return 0


def restore_(
    archive: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="A new folder for it.")],
) -> int:
    """A backup into a new data folder, checked. 恢复。"""
    folder = DataFolder(data)
    manifest = restore(archive, folder)
    plant = load_plant(data / PLANT_FILE, secrets=False)
    with folder.journal(plant, read_only=True) as journal:
        problems = journal.check()
        _tell_unknown(plant, journal)
    for problem in problems:
        messages.print(problem, style="red", markup=False)
    for name in manifest["secrets"]:
        messages.print(f"  not in it, set it before the service starts: {name}", markup=False)
    messages.print(f"{data}: {', '.join(manifest['sha256'])}, made by {manifest['product']}", markup=False)
    return 1 if problems else 0


def _tell_unknown(plant: Plant, journal: Journal) -> None:
    """Verdicts name the plant.yaml they were made with; this one may be another than the service's."""
    if journal.plant_text(plant.digest) is None:
        told = f"  no service has run on these data with this plant.yaml ({plant.digest[:16]}): is it the right one?"
        messages.print(told, style="yellow", markup=False)
