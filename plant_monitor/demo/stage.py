"""What the demo stands on: a folder, free ports, the simulated field as a child process, its history."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from plant_monitor.clock import SystemClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.errors import InputError, SourceError
from plant_monitor.plant import Plant
from plant_monitor.readings import Readings
from plant_monitor.windows import day_start_ms, local_day

MARKER = "made-by-plant-monitor-demo"
SIMULATORS = [sys.executable, "-m", "simulators"]
MINUTES_TO_MIDNIGHT = 150
FIELD_STARTS_MS = 3_000  # how long the field takes until all of it listens
_LOOPBACK = re.compile(r"127\.0\.0\.1:(\d+)")


def example_folder() -> Path:
    """``examples/xieqiao``, in a checkout or as it was installed."""
    here = Path(__file__).resolve()
    for folder in (here.parents[2] / "examples" / "xieqiao", here.parents[1] / "examples" / "xieqiao"):
        if (folder / "plant.yaml").exists():
            return folder
    raise InputError("the example plant (examples/xieqiao) is not part of this installation")


def fresh_folder(path: Path) -> Path:
    """An empty folder for one demo; what an earlier demo left there is removed, nothing else ever is."""
    if path.exists() and any(path.iterdir()) and not (path / MARKER).exists():
        raise InputError(f"{path} is not empty and no demo made it; choose another --data")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    (path / MARKER).touch()
    return path


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Stage:
    """The demo's folder and clock, and the field as a child process.

    ``start_ms`` the simulated start: the last day of last month, shortly before midnight, so that a day,
    and a month with its bill, end before the viewer's eyes.
    """

    def __init__(self, folder: Path, speed: float) -> None:
        self.folder = fresh_folder(folder)
        self.plant_file = self._plant_file()
        self.plant: Plant = load_plant(self.plant_file)
        self.speed = speed
        host_ms = SystemClock().now_ms()
        self.host_start_ms = host_ms + FIELD_STARTS_MS
        first_of_month = local_day(host_ms, self.plant.zone).replace(day=1)
        self.last_day: date = first_of_month - timedelta(days=1)
        self.start_ms = day_start_ms(first_of_month, self.plant.zone) - MINUTES_TO_MIDNIGHT * 60_000
        self.broker = self._broker()
        self._delivery_log = self.folder / "delivered.jsonl"
        self._field_log = self.folder / "field.log"
        self._field: subprocess.Popen[str] | None = None

    @property
    def period(self) -> str:
        """The month that is billed."""
        return f"{self.last_day:%Y-%m}"

    def _plant_file(self) -> Path:
        """The example with ports that are free here."""
        text = (example_folder() / "plant.yaml").read_text(encoding="utf-8")
        shutil.copy(example_folder() / "costs.csv", self.folder / "costs.csv")
        taken = sorted(set(_LOOPBACK.findall(text)))
        free = dict(zip(taken, free_ports(len(taken)), strict=True))
        path = self.folder / "plant.yaml"
        path.write_text(_LOOPBACK.sub(lambda m: f"127.0.0.1:{free[m[1]]}", text), encoding="utf-8")
        return path

    def _broker(self) -> str:
        station = next(d for d in self.plant.devices if hasattr(d, "topic"))
        return f"{station.host}:{station.port}"

    def start_field(self) -> None:
        """Start the devices, stations and the broker; returns once all of them listen.

        Raises
        ------
        SourceError  the field did not start; its log says why
        """
        command = [*SIMULATORS, "run", str(self.plant_file), *self._clock_options()]
        command += ["--broker", self.broker, "--log", str(self._delivery_log), "--until-stdin-closes"]
        with self._field_log.open("w") as log:
            self._field = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=_root()
            )
        if self._field.stdout is None or self._field.stdout.readline().strip() != "ready":
            self._field.kill()
            raise SourceError(f"the simulated field did not start:\n{self._field_log.read_text()[-2000:]}")

    def _clock_options(self) -> list[str]:
        numbers = {"start-ms": self.start_ms, "host-start-ms": self.host_start_ms, "speed": self.speed}
        return [text for name, value in numbers.items() for text in (f"--{name}", str(value))]

    def stop_field(self) -> None:
        """End the field; it hands over what it has taken before it goes."""
        if self._field is None:
            return
        if self._field.stdin is not None:
            self._field.stdin.close()
        try:
            self._field.wait(15)
        except subprocess.TimeoutExpired:
            self._field.kill()
            self._field.wait()
        if self._field.stdout is not None:
            self._field.stdout.close()

    def history(self) -> Readings:
        """What a monitor would have stored from the first of the month to the start."""
        out = self.folder / "history.npz"
        first = self.last_day.replace(day=1).isoformat()
        stop = np.datetime64(self.start_ms, "ms").astype(str) + "Z"
        command = [*SIMULATORS, "history", str(self.plant_file), "--from", first, "--to", stop, "--out", str(out)]
        command += ["--start-ms", str(self.start_ms)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=_root(), check=False)
        if done.returncode != 0:
            raise SourceError(f"the history could not be made:\n{done.stderr[-2000:]}")
        with np.load(out) as columns:
            readings = Readings.of(columns["time"], columns["series"], columns["value"], columns["mark"])
        out.unlink()
        return readings

    def delivered(self) -> Readings:
        """The readings of all MQTT messages that the broker acknowledged to the stations."""
        time: list[int] = []
        series: list[int] = []
        for message in self._messages():
            for parameter in message["values"]:
                time.append(message["time"])
                series.append(self.plant.series_index[message["point"], parameter])
        return Readings.of(time, series, np.nan)

    def _messages(self) -> Iterator[dict[str, Any]]:
        if self._delivery_log.exists():
            with self._delivery_log.open(encoding="utf-8") as lines:
                yield from (json.loads(line) for line in lines)


def _root() -> Path:
    """Where ``python -m simulators`` finds its package in a checkout."""
    return Path(__file__).resolve().parents[2]
