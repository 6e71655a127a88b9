"""Scripted trouble: a scenario file lists what fails, where, from when and how long.

Times count from the start of the run, in simulated time, and may be negative: what happened before the field was
switched on still shows (a brine dump of yesterday sits in the basin). Durations: ``90s``, ``20m``, ``6h``, ``2d``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from plant_monitor.errors import ConfigError, Problem
from plant_monitor.plant import ModbusDevice, MqttStation, Plant

FOREVER = 2**62
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DEMO = Path(__file__).parent / "scenarios" / "demo.yaml"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong over ``[at, until)``, in ms since 1970."""

    at: int
    until: int

    def active(self, time_ms: int) -> bool:
        """Whether it is going on."""
        return self.at <= time_ms < self.until


@dataclass(frozen=True, slots=True)
class DeadDevice(Fault):
    """A Modbus device that does not do its work.

    ``closed``: nobody at the port · ``silent``: accepts, never answers · ``exception``: refuses every request ·
    ``slow``: answers after ``delay_ms`` of the host's time.
    """

    device: str
    mode: str = "closed"
    delay_ms: int = 5000


@dataclass(frozen=True, slots=True)
class FlatLine(Fault):
    """A sensor shows for ever what it showed at the beginning."""

    point: str
    parameter: str


@dataclass(frozen=True, slots=True)
class OverRange(Fault):
    """An instrument stands at the end of its range; over MQTT with mark ``T``."""

    point: str
    parameter: str
    value: float | None = None  # the end of its range; the instrument's own if not given


@dataclass(frozen=True, slots=True)
class CommLost(Fault):
    """A station reports no value, with mark ``B``."""

    point: str
    parameter: str


@dataclass(frozen=True, slots=True)
class Spikes(Fault):
    """A share of the readings is multiplied by a factor."""

    point: str
    parameter: str
    share: float = 0.02
    factor: float = 5.0


@dataclass(frozen=True, slots=True)
class Drift(Fault):
    """A sensor moves away from the truth by ``per_day`` of its unit each day, and jumps back at the end."""

    point: str
    parameter: str
    per_day: float


@dataclass(frozen=True, slots=True)
class Rollover(Fault):
    """The totaliser of a point has counted its register full: the next water after ``at`` brings it to 0."""

    point: str


@dataclass(frozen=True, slots=True)
class MeterExchange(Fault):
    """From ``at`` on the totaliser of a point counts from ``register``: reset, or another meter."""

    point: str
    register: float = 0.0


@dataclass(frozen=True, slots=True)
class ClockDrift(Fault):
    """The clock of an MQTT station runs ahead (or, negative, behind) and is set right at the end."""

    device: str
    seconds_per_hour: float


@dataclass(frozen=True, slots=True)
class BrineShock(Fault):
    """A member empties its brine pits through the outfall: ``m3`` over the duration."""

    point: str
    m3: float


KINDS: dict[str, type[Fault]] = {
    "dead_device": DeadDevice,
    "flat_line": FlatLine,
    "over_range": OverRange,
    "comm_lost": CommLost,
    "spikes": Spikes,
    "drift": Drift,
    "rollover": Rollover,
    "meter_exchange": MeterExchange,
    "clock_drift": ClockDrift,
    "brine_shock": BrineShock,
}
MODES = ("closed", "silent", "exception", "slow")


F = TypeVar("F", bound=Fault)


@dataclass(frozen=True, slots=True)
class Scenario:
    """All faults of a run, in the order of the file."""

    faults: tuple[Fault, ...] = ()

    def of(self, kind: type[F]) -> tuple[F, ...]:
        """The faults of one kind."""
        return tuple(f for f in self.faults if isinstance(f, kind))


def load_scenario(path: Path, plant: Plant, start_ms: int) -> Scenario:
    """A scenario file, its times laid on the run that starts at ``start_ms``.

    Raises
    ------
    ConfigError  the file cannot be read, or faults are wrong or name what the plant does not have: all of them
    """
    rows, problems = _rows(path)
    faults = [_fault(row, f"faults[{i}]", str(path), start_ms, problems) for i, row in enumerate(rows)]
    for i, fault in enumerate(faults):
        if fault is not None:
            problems.extend(_strangers(fault, f"faults[{i}]", str(path), plant))
    if problems:
        raise ConfigError(problems)
    return Scenario(tuple(f for f in faults if f is not None))


def demo_scenario(plant: Plant, start_ms: int) -> Scenario:
    """The scenario of the demo, without the faults of what this plant does not have."""
    rows, problems = _rows(DEMO)
    faults = [_fault(row, f"faults[{i}]", str(DEMO), start_ms, problems) for i, row in enumerate(rows)]
    if problems:
        raise ConfigError(problems)
    return Scenario(tuple(f for f in faults if f is not None and not _strangers(f, "", "", plant)))


def _rows(path: Path) -> tuple[list[Any], list[Problem]]:
    """The list under ``faults``."""
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return [], [Problem(str(path), "", " ".join(str(error).split()), "a readable YAML file")]
    rows = tree.get("faults") if isinstance(tree, Mapping) else None
    if not isinstance(rows, list) or set(tree) != {"faults"}:
        return [], [Problem(str(path), "", type(tree).__name__, "one key, faults, with a list")]
    return rows, []


def _fault(row: Any, where: str, file: str, start_ms: int, problems: list[Problem]) -> Fault | None:
    """One entry as a record; what is wrong with it goes to ``problems``."""
    if not isinstance(row, Mapping) or row.get("kind") not in KINDS:
        found = repr(row.get("kind") if isinstance(row, Mapping) else row)
        problems.append(Problem(file, f"{where}.kind", found, "one of " + ", ".join(KINDS)))
        return None
    kind = KINDS[row["kind"]]
    before = len(problems)
    own = {f.name: f for f in fields(kind) if f.name not in ("at", "until")}
    for key in row:
        if key not in own and key not in ("kind", "at", "for"):
            problems.append(Problem(file, f"{where}.{key}", "an unknown key", "one of at, for, " + ", ".join(own)))
    start = _duration(row.get("at", 0), f"{where}.at", file, problems)
    length = _duration(row["for"], f"{where}.for", file, problems) if "for" in row else FOREVER - start_ms - start
    values = {}
    for name, spec in own.items():
        if name not in row:
            if spec.default is MISSING:
                problems.append(Problem(file, f"{where}.{name}", "nothing", f"a value: {row['kind']} needs it"))
            continue
        values[name] = _value(row[name], str(spec.type), name, f"{where}.{name}", file, problems)
    if len(problems) > before:
        return None
    return kind(at=start_ms + start, until=start_ms + start + length, **values)


def _duration(text: Any, where: str, file: str, problems: list[Problem]) -> int:
    """ms of ``-30h``, ``20m``, 0."""
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?", str(text))
    if found is None or (found[2] is None and float(found[1]) != 0):
        problems.append(Problem(file, where, repr(text), "a duration such as 90s, 20m, 6h, -2d"))
        return 0
    return round(float(found[1]) * _UNITS_MS[found[2] or "ms"])


def _value(value: Any, type_: str, name: str, where: str, file: str, problems: list[Problem]) -> Any:
    """A field's value, checked against its declared type."""
    if name == "mode" and value not in MODES:
        problems.append(Problem(file, where, repr(value), "one of " + ", ".join(MODES)))
    if type_ == "str" and not isinstance(value, str):
        problems.append(Problem(file, where, repr(value), "text"))
    if type_ != "str" and (isinstance(value, bool) or not isinstance(value, int | float)):
        problems.append(Problem(file, where, repr(value), "a number"))
    return value


def _strangers(fault: Fault, where: str, file: str, plant: Plant) -> list[Problem]:
    """What a fault names that the plant does not have."""
    point, parameter = getattr(fault, "point", None), getattr(fault, "parameter", None)
    if isinstance(fault, Rollover | MeterExchange):
        parameter = "volume"
    problems = []
    if point is not None and point not in plant.point_by_id:
        problems.append(Problem(file, f"{where}.point", repr(point), "one of " + ", ".join(plant.point_by_id)))
    elif parameter is not None and (point, parameter) not in plant.series_index:
        known = ", ".join(s.parameter for s in plant.point_by_id[str(point)].series)
        problems.append(Problem(file, f"{where}.parameter", repr(parameter), f"one of {known}"))
    elif isinstance(fault, Rollover) and _endless(plant, str(point)):
        problems.append(Problem(file, f"{where}.point", f"{point}, whose volume declares no rollover", "one that does"))
    elif isinstance(fault, BrineShock) and point not in {p.id for p in plant.outfalls}:
        problems.append(Problem(file, f"{where}.point", repr(point), "an outfall"))
    device = getattr(fault, "device", None)
    if device is not None:
        wanted = ModbusDevice if isinstance(fault, DeadDevice) else MqttStation
        devices = [d.id for d in plant.devices if isinstance(d, wanted)]
        if device not in devices:
            problems.append(Problem(file, f"{where}.device", repr(device), "one of " + ", ".join(devices)))
    return problems


def _endless(plant: Plant, point: str) -> bool:
    """Whether plant.yaml does not say where the register of a point's totaliser ends."""
    totaliser = plant.point_by_id[point].find("volume")
    return totaliser is None or totaliser.rollover is None
