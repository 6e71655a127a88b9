"""The command line of the simulated field: ``python -m simulators``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer

from plant_monitor.clock import Clock, ScaledClock, SystemClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.errors import InputError, PlantMonitorError, SourceError
from plant_monitor.plant import MqttStation, Plant
from plant_monitor.windows import day_start_ms, parse_rfc3339
from simulators import history as history_files
from simulators.broker import EmbeddedBroker, loopback
from simulators.devices import Gateway, gateways_of
from simulators.faults import Scenario, demo_scenario, load_scenario
from simulators.field import Field, epoch_of
from simulators.stations import DeliveryLog, Publisher

FOLLOW_S = 0.02  # how often, in the host's time, devices look whether the script has killed or revived them

app = typer.Typer(
    name="simulators",
    help="A virtual field: the water of a plant, its instruments on real Modbus TCP and MQTT, and scripted trouble.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

PlantFile = Annotated[Path, typer.Argument(metavar="PLANT.yaml", exists=True, dir_okay=False)]
Seed = Annotated[int, typer.Option("--seed", help="Another seed is another year of weather and work.")]
ScenarioFile = Annotated[
    str, typer.Option("--scenario", metavar="FILE", help="Scripted faults; 'demo' = the built-in ones, 'none' = none.")
]
Epoch = Annotated[
    str | None,
    typer.Option(
        "--epoch",
        metavar="DATE",
        help="Day the water runs from; give history and run the same. [2026-01-01, or that year's first day]",
    ),
]


def scenario_of(name: str, plant: Plant, start_ms: int) -> Scenario:
    """``demo``, ``none`` or a file."""
    if name == "none":
        return Scenario()
    return demo_scenario(plant, start_ms) if name == "demo" else load_scenario(Path(name), plant, start_ms)


def instant(text: str, plant: Plant, *, end: bool = False) -> int:
    """ms of an RFC 3339 time, or of a local day: its start, or with ``end`` the start of the next."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        try:
            return parse_rfc3339(text)
        except ValueError as error:
            raise InputError(f"time {text!r}: expected a date or an RFC 3339 time with offset") from error
    return day_start_ms(day + timedelta(days=1 if end else 0), plant.zone)


def make_field(plant: Plant, seed: int, scenario: Scenario, epoch: str | None, start_ms: int) -> Field:
    """The field, computed up to the start; says on stderr what it has no model for."""
    try:
        first = date.fromisoformat(epoch) if epoch else epoch_of(start_ms, plant)
    except ValueError as error:
        raise InputError(f"--epoch {epoch!r}: expected a date such as 2026-01-01") from error
    field = Field(plant, seed, scenario, first)
    if start_ms < field.epoch_ms:
        raise InputError(f"the start lies before the epoch {first}: give an earlier --epoch")
    for series in field.strangers():
        print(f"{series.point}/{series.parameter}: no model, a made-up value is shown", file=sys.stderr)
    field.catchment.streams(start_ms)
    return field


@app.command()
def run(
    plant_file: PlantFile,
    start_ms: Annotated[int | None, typer.Option(help="Simulated time at the start, ms since 1970. [now]")] = None,
    host_start_ms: Annotated[int | None, typer.Option(help="Host time that belongs to it. [now]")] = None,
    speed: Annotated[float, typer.Option(min=0.001, help="Simulated seconds a second.")] = 1.0,
    seed: Seed = 1,
    broker: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Also run an MQTT broker there (loopback only).")
    ] = None,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Delivery log: every acknowledged MQTT message, JSON lines.")
    ] = None,
    scenario: ScenarioFile = "demo",
    epoch: Epoch = None,
    until_stdin_closes: Annotated[bool, typer.Option(help="End when standard input is closed.")] = False,
) -> None:
    """Serve the plant's devices and stations until SIGTERM; prints "ready" when all listen."""
    plant = load_plant(plant_file)
    now = SystemClock().now_ms()
    start = now if start_ms is None else start_ms
    clock: Clock = ScaledClock(start, now if host_start_ms is None else host_start_ms, speed)
    field = make_field(plant, seed, scenario_of(scenario, plant, start), epoch, start)
    embedded = EmbeddedBroker(*loopback(broker)) if broker else None
    deliveries = DeliveryLog(log)
    try:
        asyncio.run(_serve(plant, field, clock, embedded, deliveries, until_stdin_closes))
    finally:
        deliveries.close()


@app.command()
def history(
    plant_file: PlantFile,
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First local day, or a time with offset.")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last local day, or the time it ends before.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Ends in .csv, .parquet or .npz.")],
    seed: Seed = 1,
    scenario: ScenarioFile = "demo",
    start_ms: Annotated[
        int | None, typer.Option(help="Start of the run the scenario belongs to. [the end of the history]")
    ] = None,
    epoch: Epoch = None,
) -> None:
    """Write what a monitor would have stored: all series of the plant, ready to import."""
    if out.suffix not in history_files.FORMATS:
        raise InputError(f"{out}: expected a name that ends in {', '.join(history_files.FORMATS)}")
    plant = load_plant(plant_file, secrets=False)
    begin, end = instant(first, plant), instant(last, plant, end=True)
    if begin >= end:
        raise InputError(f"--from {first} does not lie before --to {last}")
    faults = scenario_of(scenario, plant, end if start_ms is None else start_ms)
    field = make_field(plant, seed, faults, epoch, begin)
    readings = field.history(begin, end)
    history_files.write(readings, plant, out)
    print(f"{len(readings)} readings of {len(plant.series)} series in {out}", file=sys.stderr)


async def _serve(
    plant: Plant,
    field: Field,
    clock: Clock,
    broker: EmbeddedBroker | None,
    log: DeliveryLog,
    until_stdin_closes: bool,
) -> None:
    """Broker, devices, stations; then wait for the end, and take them down in reverse."""
    stop = _ending(until_stdin_closes)
    gateways = gateways_of(plant, field, clock)
    stations = [Publisher(s, plant, field, clock, log) for s in plant.devices if isinstance(s, MqttStation)]
    async with contextlib.AsyncExitStack() as cleanup:
        if broker is not None:
            cleanup.push_async_callback(broker.stop)
            await broker.start()
        for gateway in gateways:
            cleanup.push_async_callback(gateway.stop)
            await gateway.start()
        for station in stations:
            cleanup.push_async_callback(asyncio.to_thread, station.stop)
            station.start()
        print("ready", flush=True)
        await _follow(gateways, stop)


async def _follow(gateways: Sequence[Gateway], stop: asyncio.Event) -> None:
    """Let the devices live and die by the script until the end is asked for."""
    scripted = [g for g in gateways if any(u.faults for u in g.units)]
    while not stop.is_set():
        for gateway in scripted:
            await gateway.follow_script()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), FOLLOW_S if scripted else None)


def _ending(until_stdin_closes: bool) -> asyncio.Event:
    """An event that SIGTERM, SIGINT or, if wanted, the end of standard input sets."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def wait_for_parent() -> None:
        with contextlib.suppress(OSError, ValueError):
            while os.read(sys.stdin.fileno(), 4096):  # unbuffered: a thread in it holds no lock at exit
                pass
        with contextlib.suppress(RuntimeError):  # the loop may have ended meanwhile
            loop.call_soon_threadsafe(stop.set)

    if until_stdin_closes:
        threading.Thread(target=wait_for_parent, name="parent", daemon=True).start()
    return stop


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code: 0 done, 1 wrong input, 2 wrong usage, 3 a port or a part is missing."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="python -m simulators")
    except SystemExit as done:
        return int(done.code or 0)
    except SourceError as error:
        print(error, file=sys.stderr)
        return 3
    except PlantMonitorError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
