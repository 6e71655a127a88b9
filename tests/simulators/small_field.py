"""Plants for the simulator's tests, and the shipped example on ports of its own."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from pathlib import Path

from servers import free_port

from plant_monitor.config.plant_file import parse_plant
from plant_monitor.plant import Plant
from plant_monitor.windows import day_start_ms
from simulators.faults import Scenario
from simulators.field import Field

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "xieqiao" / "plant.yaml"
HOUR = 3_600_000
DAY = 24 * HOUR


def example(*, broker: int | None = None) -> Plant:
    """examples/xieqiao, every Modbus device on a free port, the station on ``broker`` or a free one."""
    return parse_plant(example_text(broker=broker), "plant.yaml", {})


@cache
def paper_example() -> Plant:
    """The same for tests that open no port: parsed once."""
    return example()


def example_text(*, broker: int | None = None) -> str:
    """Its text."""
    text = re.sub(r"127\.0\.0\.1:1502\d", lambda _: f"127.0.0.1:{free_port()}", EXAMPLE.read_text(encoding="utf-8"))
    return text.replace("127.0.0.1:18830", f"127.0.0.1:{broker or free_port()}")


def field_from(plant: Plant, epoch: date, scenario: Scenario | None = None, seed: int = 1) -> Field:
    """A field whose water runs from a day on (a near one keeps tests short)."""
    return Field(plant, seed, scenario, epoch)


def at(plant: Plant, day: date, hours: float = 0) -> int:
    """An instant of a local day."""
    return day_start_ms(day, plant.zone) + round(hours * HOUR)


def plant_of(points: str, devices: str = "", zone: str = "Asia/Shanghai") -> Plant:
    """A small plant from the YAML lists of its points and devices (flow style or block, as in plant.yaml)."""
    text = f"""
plant: {{id: small, name: {{zh: 小厂, en: Small}}, timezone: {zone}, capacity_m3_d: 200}}
members: [{{id: a, name: {{zh: 甲, en: A}}, quota_m3_d: 100}}, {{id: b, name: {{zh: 乙, en: B}}, quota_m3_d: 60}}]
points:
{points}
"""
    return parse_plant(text + (f"devices:\n{devices}" if devices else ""), "small.yaml", {})
