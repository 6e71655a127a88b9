"""Real servers for tests: private configuration, folder and port; started and ended by the test that asks.

Nothing here touches a system service.  A server that is not installed makes its test skip, with the package to install;
with ``CI=true`` it makes it fail, so that a green CI run never hides an untested path.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest

LOOPBACK = "127.0.0.1"

# Debian puts daemons where an ordinary user's PATH does not look.
_SEARCH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/usr/local/bin", "/usr/bin"))
# executable -> Debian package
_PACKAGES = {
    "mosquitto": "mosquitto",
    "influxd": "influxdb",
    "victoria-metrics": "victoria-metrics",
    "pdftotext": "poppler-utils",
}
# Below the kernel's range for outgoing connections: else a stopped server's port may be taken by some client, or a
# client that reconnects to it may connect to itself.
_PORTS = range(18_000, 32_000)
_handed_out: set[int] = set()

# Talks to loopback only, so whatever proxy the environment names must not come between.
_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def under_ci() -> bool:
    """Whether a missing part is a failure (``CI=true``) instead of a skip."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def missing(what: str, remedy: str) -> None:
    """Skip the running test because ``what`` is not there, or fail it under CI."""
    message = f"{what} is not there: {remedy}"
    if under_ci():
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def require_server(name: str) -> Path:
    """Path of the server's executable; skips the test (fails it under CI) where it is not installed."""
    found = shutil.which(name, path=_SEARCH)
    if found is None:
        missing(f"the server {name}", f"apt-get install {_PACKAGES.get(name, name)}")
        raise AssertionError("unreachable")
    return Path(found)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on and that no other test of this run was given."""
    for port in random.SystemRandom().sample(_PORTS, 200):
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        _handed_out.add(port)
        return port
    raise RuntimeError("no free port among 200 tried")


def wait_until(condition: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
    """Poll until ``condition`` is true; fails the test, naming ``what``, after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what or getattr(condition, '__name__', 'the condition')}")
        time.sleep(0.01)


def listening(port: int, host: str = LOOPBACK) -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


class ServerProcess(ABC):
    """One server in a folder of its own: ``start``, ``stop`` (asks it to end), ``kill`` (does not ask), ``restart``.

    The port stays the same over restarts, and so does what the server has stored.
    """

    host = LOOPBACK

    def __init__(self, executable: Path, folder: Path) -> None:
        self.executable = executable
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def command(self) -> list[str]:
        """The command line; writes the configuration file first."""

    def ready(self) -> bool:
        """Whether it serves."""
        return listening(self.port)

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """What it has printed so far."""
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it and wait until it serves."""
        if self.running:
            return
        self._log = (self.folder / "server.log").open("ab")
        self._process = subprocess.Popen(
            self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + 30
        while not self.ready():
            if not self.running or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"{self.executable.name} did not start:\n{self.log()[-2000:]}", pytrace=False)
            time.sleep(0.01)

    def stop(self) -> None:
        """Ask it to end (it saves what it holds) and wait for that."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._ended()

    def kill(self) -> None:
        """End it at once, as a power failure would."""
        if self._process is not None:
            self._process.kill()
        self._ended()

    def signal(self, number: int) -> None:
        """Send it a signal, as SIGSTOP and SIGCONT."""
        if self._process is not None:
            self._process.send_signal(number)

    def restart(self) -> None:
        """Stop it, and start it again on the same port with the same data."""
        self.stop()
        self.start()

    def _ended(self) -> None:
        if self._process is not None:
            self._process.wait(timeout=15)
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None


class Mosquitto(ServerProcess):
    """An MQTT broker that loses nothing: persistent, saved on every change, no limit on what it queues."""

    @property
    def url(self) -> str:
        """As plant.yaml names a broker."""
        return f"mqtt://{self.host}:{self.port}"

    def command(self) -> list[str]:
        """Its defaults drop QoS 1 messages silently, hence the queue and persistence settings."""
        config = self.folder / "mosquitto.conf"
        # Started by root it would become a user who may not write into the test's folder.
        user = "user root\n" if os.geteuid() == 0 else ""
        config.write_text(
            f"listener {self.port} {self.host}\n"
            "allow_anonymous true\n"
            "persistence true\n"
            f"persistence_location {self.folder}/\n"
            "autosave_on_changes true\n"
            "autosave_interval 1\n"
            f"max_queued_messages 0\n{user}"
        )
        return [str(self.executable), "-c", str(config)]


class Influxd(ServerProcess):
    """An InfluxDB 1.x server; durable on every write, as nobody waits long in a test."""

    def __init__(self, executable: Path, folder: Path) -> None:
        super().__init__(executable, folder)
        self.rpc_port = free_port()

    @property
    def url(self) -> str:
        """As plant.yaml names it."""
        return f"http://{self.host}:{self.port}"

    def command(self) -> list[str]:
        """Nothing but the data store and HTTP."""
        config = self.folder / "influxdb.conf"
        config.write_text(
            f"""
reporting-disabled = true
bind-address = "{self.host}:{self.rpc_port}"
[meta]
  dir = "{self.folder}/meta"
[data]
  dir = "{self.folder}/data"
  wal-dir = "{self.folder}/wal"
  wal-fsync-delay = "0s"
  index-version = "inmem"
  query-log-enabled = false
[http]
  enabled = true
  bind-address = "{self.host}:{self.port}"
  log-enabled = false
[monitor]
  store-enabled = false
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
[logging]
  level = "warn"
"""
        )
        return [str(self.executable), "-config", str(config)]

    def ready(self) -> bool:
        """It listens a little before it answers."""
        try:
            with _http.open(f"{self.url}/ping", timeout=1) as answer:
                return bool(answer.status == 204)
        except OSError:
            return False

    def create_database(self, name: str) -> None:
        """Create the database if it does not exist."""
        self._query({"q": f'CREATE DATABASE "{name}"'}, post=True)

    def query_csv(self, db: str, q: str, *, epoch: str = "ms") -> list[dict[str, str]]:
        """Rows of an InfluxQL query over all its series: ``name``, ``tags``, ``time`` (epoch unit) and the columns."""
        text = self._query({"db": db, "q": q, "epoch": epoch}).replace("\r\n", "\n")
        blocks = (block for block in text.split("\n\n") if block.strip())
        return [dict(row) for block in blocks for row in csv.DictReader(io.StringIO(block.lstrip("\n")))]

    def _query(self, parameters: dict[str, str], *, post: bool = False) -> str:
        encoded = urllib.parse.urlencode(parameters)
        request = urllib.request.Request(
            f"{self.url}/query?{encoded}", method="POST" if post else "GET", headers={"Accept": "application/csv"}
        )
        try:
            with _http.open(request, timeout=30) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                pytest.fail(f"InfluxDB refused {parameters}: {error.read().decode(errors='replace')}")


class VictoriaMetrics(ServerProcess):
    """A server that is no InfluxDB and takes its line protocol at ``/api/v2/write``."""

    @property
    def url(self) -> str:
        """As plant.yaml names it."""
        return f"http://{self.host}:{self.port}"

    def command(self) -> list[str]:
        """All it has is in the test's folder; it keeps whatever time a test writes."""
        data = self.folder / "data"
        return [
            str(self.executable),
            f"-httpListenAddr={self.host}:{self.port}",
            f"-storageDataPath={data}",
            "-retentionPeriod=100y",
        ]

    def export(self, name: str) -> list[dict[str, Any]]:
        """All that stands under a metric's name: ``metric`` (its labels), ``values``, ``timestamps`` (ms)."""
        self._get("/internal/force_flush")
        found = self._get(f"/api/v1/export?match[]={name}")
        return [json.loads(line) for line in found.splitlines()]

    def _get(self, path: str) -> str:
        with _http.open(f"{self.url}{path}", timeout=30) as answer:
            return str(answer.read().decode())
