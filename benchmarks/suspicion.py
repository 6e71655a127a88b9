"""How well faults are found: injected into real plant series, precision and recall by kind.

The series are those of the data folder that is kept beside the checkout (``../shared/data/plant``, or
``PLANT_DATA``); without it there is nothing to measure. Thresholds were tuned on the first half of each series
(``SUSPICION_HALF=first``); what is printed is the second.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from plant_monitor.compliance import suspicion
from plant_monitor.compliance.suspicion import Signs
from plant_monitor.config.quality import quality_record, shipped_quality
from plant_monitor.config.schema import QualitySection

DATA = Path(os.environ.get("PLANT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data" / "plant"))
ROUNDS, FAULTS = 8, 4  # copies of each series, faults in each copy
RULE = quality_record(QualitySection(), shipped_quality()).suspicion

FLOWS = ("flow_mix", "influent_5min", "influent_hourly")

# Columns of uci_water-treatment.data: of the input, then of the output.
UCI = {"flow": 1, "ph": 3, "cod": 5, "ss": 6, "conductivity": 9, "ph_out": 23, "cod_out": 25, "conductivity_out": 29}


@dataclass(frozen=True)
class Real:
    """A real series, in time order, valid readings only."""

    name: str
    time: np.ndarray
    value: np.ndarray

    @property
    def days(self) -> float:
        return float(self.time[-1] - self.time[0]) / 86_400_000

    def half(self, first: bool) -> Real:
        cut = self.value.size // 2
        part = slice(None, cut) if first else slice(cut, None)
        return replace(self, time=self.time[part], value=self.value[part])


def series_of(name: str, rows: list[tuple[datetime, str]]) -> Real:
    pairs = {at: float(text) for at, text in rows if text not in ("", "?", "nan")}
    times = sorted(pairs)
    stamps = np.array([int(t.replace(tzinfo=UTC).timestamp() * 1000) for t in times], dtype=np.int64)
    return Real(name, stamps, np.array([pairs[t] for t in times]))


def rows_of(name: str) -> list[list[str]]:
    return list(csv.reader((DATA / name).read_text(encoding="utf-8-sig").splitlines()))


def dense_series() -> list[Real]:
    """Every five minutes, and every hour."""
    head, *rows = rows_of("ecorecover_scada_5min_part1.csv")
    columns = ("flow_mix", "temp", "nh4_inf", "nh4_eff", "no3_eff", "po4_inf", "tss_ret")
    found = [series_of(c, [(datetime.fromisoformat(r[0]), r[head.index(c)]) for r in rows]) for c in columns]
    five = rows_of("memphis_influent_5min.csv")[1:]
    found.append(series_of("influent_5min", [(datetime.fromisoformat(r[0]), r[5]) for r in five]))
    hourly = rows_of("memphis_influent_hourly.csv")
    found.append(series_of("influent_hourly", [(datetime.fromisoformat(r[0]), r[1]) for r in hourly]))
    return found


def daily_series() -> dict[str, Real]:
    """A value a day, some of them unknown."""
    rows = [line.split(",") for line in (DATA / "uci_water-treatment.data").read_text().splitlines() if line]
    rows = [r for r in rows if len(r) > 30]
    days = [datetime.strptime(r[0].split("-", 1)[1], "%d/%m/%y").replace(tzinfo=UTC) for r in rows]
    named = {**UCI, "conductivity_primary": 15}
    return {name: series_of(name, [(d, r[c]) for d, r in zip(days, rows, strict=True)]) for name, c in named.items()}


def on_days(real: Real) -> np.ndarray:
    """(D,) the median of each day, NaN where there is none."""
    day = real.time // 86_400_000
    days = np.full(int(day[-1] - day[0]) + 1, np.nan)
    for d in np.unique(day):
        days[d - day[0]] = np.median(real.value[day == d])
    return days


# --- faults: each changes a copy and says where it lies -------------------------------------------------------------


def places(rng: np.random.Generator, size: int, length: int, count: int, margin: int) -> list[int]:
    """Starts of ``count`` stretches, one in each equal part."""
    part = (size - 2 * margin) // count
    return [margin + i * part + int(rng.integers(0, max(part - length - margin, 1))) for i in range(count)]


def spread_of(value: np.ndarray) -> float:
    low, high = np.nanpercentile(value, [5, 95])
    return float(high - low)


def flat(value: np.ndarray, step_ms: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    found = []
    for at in places(rng, value.size, 150, FAULTS, 20):
        length = max(int(rng.uniform(3, 12) * 3_600_000 / step_ms), 6)
        value[at : at + length] = value[at]
        found.append((at, at + length - 1))
    return found


def spike(value: np.ndarray, step_ms: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    found = []
    for at in places(rng, value.size, 2, FAULTS, 30):
        length = int(rng.integers(1, 3))
        value[at : at + length] += rng.choice([-1, 1]) * rng.uniform(0.5, 2) * spread_of(value)
        found.append((at, at + length - 1))
    return found


def jump(value: np.ndarray, step_ms: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    found, size = [], spread_of(value)
    for at in places(rng, value.size, 2, FAULTS, 60):
        value[at:] += rng.choice([-1, 1]) * rng.uniform(0.5, 1.5) * size
        found.append((at - 3, at + 3))
    return found


def drift(value: np.ndarray, step_ms: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Two in a series: over three weeks to 0.5 … 1.5 of the spread, then put right."""
    found, size = [], spread_of(value)
    for at in places(rng, value.size, 21, 2, 45):
        ramp = np.linspace(0, rng.choice([-1, 1]) * rng.uniform(0.5, 1.5) * size, 21)
        value[at : at + 21] += ramp[: value[at : at + 21].size]
        found.append((at, at + 26))
    return found


def scale(value: np.ndarray, step_ms: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    found = []
    for at in places(rng, value.size, 10, 2, 30):
        value[at : at + 10] *= rng.choice([0.6, 1.5])
        found.append((at, at + 9))
    return found


# --- counting -------------------------------------------------------------------------------------------------------


@dataclass
class Count:
    injected: int = 0
    found: int = 0
    signs: int = 0
    right: int = 0
    real: int = 0  # signs at readings that were at or near 0 before: dropouts of the data itself
    untouched: int = 0  # signs in the series as they are
    days: float = 0.0  # of those series

    def add(self, signs: Signs, faults: list[tuple[int, int]], dropout: np.ndarray) -> None:
        hits = [(signs.first <= b) & (signs.last >= a) for a, b in faults]
        self.injected += len(faults)
        self.found += sum(bool(h.any()) for h in hits)
        any_hit = np.any(hits, axis=0) if hits and len(signs) else np.zeros(len(signs), dtype=bool)
        near = np.array([dropout[max(a - 13, 0) : b + 14].any() for a, b in zip(signs.first, signs.last, strict=True)])
        real = ~any_hit & near.astype(bool) if near.size else np.zeros(0, dtype=bool)
        self.signs += int((~real).sum())
        self.right += int(any_hit.sum())
        self.real += int(real.sum())

    def text(self) -> str:
        precision = self.right / self.signs if self.signs else float("nan")
        recall = self.found / self.injected if self.injected else float("nan")
        return (
            f"precision {precision:5.2f} ({self.right}/{self.signs})  recall {recall:5.2f} "
            f"({self.found}/{self.injected})  at real dropouts {self.real}; "
            f"untouched {self.untouched} signs in {self.days:.0f} days"
        )


Fault = Callable[[np.ndarray, float, np.random.Generator], list[tuple[int, int]]]
DENSE: dict[str, tuple[Fault, Callable[[Real, np.ndarray], Signs]]] = {
    "flat_line": (flat, lambda r, v: suspicion.flat_lines(r.time, v, hours=RULE.flat_hours, idle=v == 0)),
    "spike": (spike, lambda r, v: suspicion.spikes(r.time, v, sigmas=RULE.spike_sigmas)),
    "jump": (jump, lambda r, v: suspicion.jumps(r.time, v, times=RULE.jump_times)),
}


def measure(first: bool, detail: bool) -> dict[str, Count]:
    counts: dict[str, Count] = {}
    for real in (r.half(first) for r in dense_series()):
        step_ms = float(np.median(np.diff(real.time)))
        dropout = real.value <= 0.05 * np.median(real.value)
        for kind, (fault, test) in DENSE.items():
            if kind == "jump" and real.name in FLOWS:
                continue  # not looked for: a flow jumps with every pump
            one = Count()
            for seed in range(ROUNDS):
                value = real.value.copy()
                faults = fault(value, step_ms, np.random.default_rng(seed))
                one.add(test(real, value), faults, dropout)
            one.untouched, one.days = len(test(real, real.value)), real.days
            tell(detail, kind, real.name, one)
            add(counts, kind, one)
    daily = daily_series()
    hourly = next(r for r in dense_series() if r.name == "influent_hourly")
    for name, real in {**{n: r for n, r in daily.items() if n in UCI}, "influent": hourly}.items():
        days = on_days(real.half(first))
        one = Count()
        for seed in range(ROUNDS):
            value = days.copy()
            faults = drift(value, 0, np.random.default_rng(seed))
            one.add(suspicion.drifts(value, sigmas=RULE.drift_sigmas), faults, np.zeros(days.size, dtype=bool))
        one.untouched, one.days = len(suspicion.drifts(days, sigmas=RULE.drift_sigmas)), days.size
        tell(detail, "drift", name, one)
        add(counts, "drift", one)
    left, right = (on_days(daily[n].half(first)) for n in ("conductivity", "conductivity_primary"))
    size = min(left.size, right.size)
    one = Count()
    for seed in range(ROUNDS):
        value = left[:size].copy()
        faults = scale(value, 0, np.random.default_rng(seed))
        signs = suspicion.ratio_shifts(value, right[:size], share=RULE.ratio_share)
        one.add(signs, faults, np.zeros(size, dtype=bool))
    one.untouched = len(suspicion.ratio_shifts(left[:size], right[:size], share=RULE.ratio_share))
    one.days = size
    add(counts, "ratio (of two conductivities)", one)
    return counts


def add(counts: dict[str, Count], kind: str, one: Count) -> None:
    total = counts.setdefault(kind, Count())
    for name in vars(one):
        setattr(total, name, getattr(total, name) + getattr(one, name))


def tell(detail: bool, kind: str, name: str, one: Count) -> None:
    if detail:
        print(f"  {kind:10} {name:16} {one.text()}")


def main() -> None:
    """Print precision and recall by kind."""
    if not (DATA / "uci_water-treatment.data").exists():
        print(f"no real series in {DATA}: nothing to measure (PLANT_DATA says where they are)")
        return
    first = os.environ.get("SUSPICION_HALF") == "first"
    print(f"{'first' if first else 'second'} half of each series")
    for kind, count in measure(first, "--detail" in sys.argv or first).items():
        print(f"{kind:30} {count.text()}")
