"""The composition root: the one place that names concrete adapters and puts them together.

:class:`Service` runs a plant: intake, devices, stations, forwarder, watch, alerts, API. Each part is a thread with
``start``, ``stop`` and ``health``. What it keeps on disk is opened by ``data_folder``.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

import structlog
import uvicorn

from plant_monitor.alerts.bulletins import DayFigures
from plant_monitor.alerts.channels import open_senders
from plant_monitor.alerts.desk import AlertDesk
from plant_monitor.alerts.envelope import Message
from plant_monitor.answers import Evaluations, Outlooks
from plant_monitor.api.app import ApiServices, create_app
from plant_monitor.clock import Clock, ClockStep
from plant_monitor.data_folder import DataFolder
from plant_monitor.errors import InputError
from plant_monitor.health import Health
from plant_monitor.heartbeat import Heartbeat
from plant_monitor.host import HostWatch
from plant_monitor.ingest.intake import Intake
from plant_monitor.ingest.last_readings import LastReadings
from plant_monitor.ingest.modbus import ModbusPoller
from plant_monitor.ingest.modbus_link import Lines
from plant_monitor.ingest.mqtt import MqttReceiver
from plant_monitor.ingest.service_status import announcers
from plant_monitor.ledger import Ledger
from plant_monitor.live import Feed
from plant_monitor.plant import ModbusDevice, MqttStation, Plant
from plant_monitor.raised import day_figures
from plant_monitor.readings import Readings, ReadingSource
from plant_monitor.statements.pdf import render_pdf
from plant_monitor.statements.workbook import workbook
from plant_monitor.store.forwarder import Forwarder
from plant_monitor.store.influx import InfluxServer
from plant_monitor.store.journal import Journal
from plant_monitor.store.publisher import Publisher
from plant_monitor.store.results import ResultsWriter
from plant_monitor.watch import Watch

log = structlog.get_logger()


def log_to(file: TextIO) -> None:
    """Log lines, one an event, in UTC. Tracebacks are plain: a rich one would show local variables, keys among them."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=file.isatty(), exception_formatter=structlog.dev.plain_traceback),
        ],
        logger_factory=structlog.WriteLoggerFactory(file),
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """How a service runs, apart from its plant."""

    data: Path
    host: str = "127.0.0.1"  # nothing listens beyond loopback unless told to
    port: int = 8000
    tls: tuple[Path, Path] | None = None  # files of the certificate (with its chain) and its key
    evaluate_every_ms: int = 60_000
    show_alert: Callable[[Message], None] | None = None  # where ``console:`` messages go; None = stderr


class Configuration:
    """Which plant.yaml is in force, and why a newer one is not (design §6)."""

    def __init__(self, digest: str, since_ms: int) -> None:
        self._digest, self._since_ms = digest, since_ms
        self._error: str | None = None

    def refused(self, error: str) -> None:
        """A newer one has mistakes: this one stays."""
        self._error = error
        log.error("plant.yaml was not taken; the one before stays in force", error=error)

    def health(self) -> dict[str, Any]:
        """What is in force, and the mistakes of what is not."""
        return {"digest": self._digest, "since_ms": self._since_ms, "error": self._error}


class Service:
    """One plant, running. ``start`` undoes what it began where a part fails to start."""

    def __init__(self, plant: Plant, settings: Settings, clock: Clock) -> None:
        self.plant, self.settings, self.clock = plant, settings, clock
        self.configuration = Configuration(plant.digest, clock.now_ms())
        self._cleanups = ExitStack()
        self.sources: list[ModbusPoller | MqttReceiver] = []
        self._forwarder: Forwarder | None = None
        self._publisher: Publisher | None = None
        self.journal: Journal
        self.source: ReadingSource
        self.evaluations: Evaluations
        self.outlooks: Outlooks
        self.ledger: Ledger
        self.intake: Intake
        self.feed: Feed
        self.desk: AlertDesk
        self.watch: Watch
        self.state: Health
        self.host: HostWatch

    def start(self) -> None:
        """Open the stores, then start every part, the API last."""
        with ExitStack() as undo:
            self._start(undo)
            self._cleanups = undo.pop_all()
        log.info("running", plant=self.plant.id, devices=len(self.sources), api=self.api_url)

    def _start(self, undo: ExitStack) -> None:
        plant, clock, folder = self.plant, self.clock, DataFolder(self.settings.data)
        self.journal = undo.enter_context(folder.journal(plant))
        self.ledger = undo.enter_context(folder.ledger())
        if plant.source_text:
            self.journal.keep_plant(plant.source_text, accepted_ms=clock.now_ms())
        senders = open_senders(plant.notify.channels, base=folder.path, show=self.settings.show_alert)
        self.feed = Feed(plant, clock.now_ms())
        self.desk = AlertDesk(self.ledger, senders, plant, clock, self.feed.alerts, self._day_figures)
        self._write_to_influxdb(undo)
        self._answer_from(undo)
        every = self.settings.evaluate_every_ms
        self.watch = Watch(
            plant,
            self.journal,
            self.ledger,
            self.desk,
            self._publisher,
            clock,
            every_ms=every,
            judged=self.feed.evaluated,
        )
        api = self._api()  # slow to make: whatever is measured from the start begins after it
        last = LastReadings(plant, clock.now_ms())
        last.begin(self.journal, clock.now_ms())
        self.host = HostWatch(folder.path, clock, self._keep_step)

        def stored(readings: Readings) -> None:
            last.note(readings)
            self.watch.note(readings)
            self.feed.readings(readings)

        self.intake = Intake(self.journal, clock, stored=stored)
        lines = Lines()
        self.sources = [self._source(device, folder.path, lines) for device in plant.devices]
        status = announcers(plant, lambda: self.intake.storing)
        heartbeat = Heartbeat(plant.notify.heartbeat, clock, alive=_dead_threads, storing=lambda: self.intake.storing)
        self.state = self._health(last, heartbeat)
        sending = [self._forwarder, self._publisher]
        parts = [
            self.host,
            *sending,
            self.intake,
            self.desk,
            self.watch,
            *self.sources,
            *status,
            api,
            heartbeat,
        ]
        for part in parts:
            if part is not None:
                part.start()
                undo.callback(part.stop)
        undo.callback(self.feed.close)  # first of all: an open stream would hold up the end of the API

    def _health(self, last: LastReadings, heartbeat: Heartbeat) -> Health:
        """How all of it is doing."""
        return Health(
            self.journal,
            last,
            host=self.host,
            parts={
                "intake": self.intake,
                "watch": self.watch,
                "alerts": self.desk,
                "forwarder": self._forwarder,
                "results": self._publisher,
                "heartbeat": heartbeat,
                "configuration": self.configuration,
            },
            devices=self.sources,
            started_ms=self.clock.now_ms(),
        )

    def _write_to_influxdb(self, undo: ExitStack) -> None:
        """Readings and results, each by a thread that nothing waits for."""
        plant, clock = self.plant, self.clock
        if plant.influxdb is None:
            return
        server = InfluxServer(plant.influxdb)
        undo.callback(server.close)
        self._forwarder = Forwarder(self.journal, plant, server, clock)
        self._publisher = Publisher(
            ResultsWriter(plant, server),
            clock,
            evaluate=lambda first, last: self.watch.evaluate(first, last, clock.now_ms()),
            alerts=self.ledger.alerts,
            health=lambda now_ms: self.state.rows(now_ms),
            forecast=lambda now_ms: self.outlooks(now_ms).forecast,
        )

    def _answer_from(self, undo: ExitStack) -> None:
        """The API answers from the source that is configured; alerts always rest on the journal beside us."""
        self.source = self.journal
        touches: Journal | None = self.journal
        if self.plant.read_from == "influxdb":
            self.source = undo.enter_context(DataFolder(self.settings.data).source(self.plant))
            touches = None
        self.evaluations = Evaluations(self.plant, self.source, touches, self.ledger.annotations, self.clock)
        self.outlooks = Outlooks(self.plant, self.evaluations.judged, touches, self.ledger.annotations)

    def _day_figures(self, day: date) -> DayFigures:
        return day_figures(self.plant, self.watch.evaluate(day, day, self.clock.now_ms()))

    def _keep_step(self, step: ClockStep) -> None:
        self.ledger.audit.add(step.at_ms, "host", "clock set", "clock", {"by_ms": step.by_ms})

    def stop(self) -> None:
        """Stop every part in the reverse order: sources before intake, intake before the journal."""
        self._cleanups.close()
        log.info("stopped", plant=self.plant.id)

    @property
    def api_url(self) -> str:
        """Where the API answers."""
        scheme = "http" if self.settings.tls is None else "https"
        return f"{scheme}://{self.settings.host}:{self.settings.port}"

    def _api(self) -> ApiServer:
        services = ApiServices(
            plant=self.plant,
            source=self.source,
            ledger=self.ledger,
            judged=self.evaluations.judged,
            evaluation=self.evaluations,
            verdicts=self.evaluations.verdicts,
            outlook=self.outlooks,
            warnings=self.evaluations.warnings,
            health=self.health,
            desk=self.desk,
            feed=self.feed,
            quarantine=self.journal.quarantine,
            clock=self.clock,
            workbook=workbook,
            member_pdf=render_pdf,
        )
        app = create_app(services)
        if find_spec("nicegui") is None:
            log.info("no console here: pip install 'plant-monitor[console]'")
        else:
            from plant_monitor.console.serving import add_console  # slow to load, and only who serves needs it

            add_console(app)
        return ApiServer(app, self.settings.host, self.settings.port, self.settings.tls)

    def _source(self, device: ModbusDevice | MqttStation, folder: Path, lines: Lines) -> ModbusPoller | MqttReceiver:
        if isinstance(device, ModbusDevice):
            return ModbusPoller(device, self.plant, self.intake, self.clock, lines)
        kept = self.journal.receipts(device.id)
        return MqttReceiver(device, self.plant, self.intake, self.clock, folder=folder, receipts=kept)

    def health(self) -> dict[str, Any]:
        """The state of every part; ``status`` is ok, degraded or not storing."""
        return self.state.now(self.clock.now_ms())


def _dead_threads() -> str | None:
    """What would never come back by itself: a part whose thread has ended."""
    missing = {"intake", "watch", "alert-desk"} - {thread.name for thread in threading.enumerate()}
    return f"{', '.join(sorted(missing))} ended" if missing else None


class ApiServer:
    """uvicorn in a thread. The socket is bound at once, so that a port in use is an error at the start.

    Parameters
    ----------
    tls  files of certificate and key; None: plain HTTP

    Raises
    ------
    InputError  certificate or key cannot be used
    """

    def __init__(self, app: Any, host: str, port: int, tls: tuple[Path, Path] | None = None) -> None:
        self._host, self._port = host, port
        files: dict[str, Any] = {}
        if tls is not None:
            _check_certificate(*tls)
            files = {"ssl_certfile": tls[0], "ssl_keyfile": tls[1]}
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, **files))
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Bind and serve.

        Raises
        ------
        InputError  the address is in use or not ours
        """
        listener = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
            listener.listen(128)
        except OSError as error:
            listener.close()
            raise InputError(
                f"cannot listen on {self._host}:{self._port}: {error.strerror}; choose another --port"
            ) from error
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="api", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish open requests and end."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(10)


def _check_certificate(certificate: Path, key: Path) -> None:
    """Now, and not in the server's thread.

    Raises
    ------
    InputError  see there
    """

    def no_password() -> str:
        raise InputError(f"{key}: is protected by a password, expected a key without one that only we may read")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, no_password)
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(
            f"{certificate} and {key}: no certificate with its key ({why}), expected both as PEM"
        ) from None
