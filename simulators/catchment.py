"""From the outfalls through the sewer and the works to the effluent: the streams past every monitoring point.

Computed in whole local days, as far as somebody asked; what is computed stays as it is, however the asking went.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from plant_monitor.plant import Plant, Role
from plant_monitor.windows import day_start_ms, local_day
from simulators.chance import around_one, normal, stream
from simulators.slots import SLOT_MS, Slots, slots_of_days
from simulators.sludge import COLUMNS, Works
from simulators.streams import Stream
from simulators.water import SUBSTANCES, Discharge, Shock, discharge, profile_of

FloatArray = NDArray[np.float64]

INFILTRATION = 0.012  # groundwater that leaks into the sewer, against the yearly mean of the outfalls
AHEAD_DAYS = 1  # computed beyond what was asked for, so that a live field seldom waits


class Catchment:
    """The water of a plant from the epoch on. Safe to ask from several threads."""

    def __init__(self, plant: Plant, seed: int, epoch: date, shocks: Sequence[Shock] = ()) -> None:
        self.plant, self.seed, self.epoch, self.shocks = plant, seed, epoch, tuple(shocks)
        self.works = Works(float(plant.capacity_m3_d))
        self.first_slot = day_start_ms(epoch, plant.zone) // SLOT_MS
        self._profiles = {p.id: profile_of(plant, p) for p in plant.outfalls}
        self._lag = {p.id: 1 + i % 3 for i, p in enumerate(plant.outfalls)}  # slots through the sewer
        self._discharges: dict[str, list[Discharge]] = {p.id: [] for p in plant.outfalls}
        self._inlet = np.empty((0, 1 + len(SUBSTANCES)))  # m3, then g
        self._rows = np.empty((0, len(COLUMNS)))
        self._temperature = np.empty(0)
        self._next_day = epoch
        self._streams: dict[str, Stream] = {}
        self._lock = threading.Lock()

    @property
    def end_ms(self) -> int:
        """Up to where the water is computed."""
        return (self.first_slot + len(self._rows)) * SLOT_MS

    def streams(self, until_ms: int) -> dict[str, Stream]:
        """Point id -> its stream, computed at least up to an instant."""
        with self._lock:
            if until_ms >= self.end_ms:
                self._extend(local_day(until_ms, self.plant.zone) + timedelta(days=AHEAD_DAYS))
            return self._streams

    def in_sewer(self) -> FloatArray:
        """Water (m3, first) and substances (g) that left the outfalls and have not reached the inlet."""
        parts = [self._sent(p)[len(self._rows) - lag :] for p, lag in self._lag.items()]
        return np.asarray(sum((part.sum(axis=0) for part in parts), np.zeros(1 + len(SUBSTANCES))))

    def sent(self) -> FloatArray:
        """Water (m3, first) and substances (g) that left the outfalls so far."""
        return np.asarray(sum((self._sent(p).sum(axis=0) for p in self._lag), np.zeros(1 + len(SUBSTANCES))))

    def leaked_in_m3(self) -> float:
        """Groundwater that reached the inlet so far: the unmetered difference."""
        return float((self._inlet[:, 0]).sum() - (self.sent() - self.in_sewer())[0])

    def _extend(self, last: date) -> None:
        slots = slots_of_days(self._next_day, last, self.plant.zone)
        for point, profile in self._profiles.items():
            shocks = [s for s in self.shocks if s.point == point]
            self._discharges[point].append(discharge(self.seed, point, profile, slots, shocks))
        fresh = self._arriving(slots)
        temperature = self._basin_temperature(slots)
        rows = self.works.run(fresh[:, 0], fresh[:, 1:], temperature)
        self._inlet = np.concatenate((self._inlet, fresh))
        self._rows = np.concatenate((self._rows, rows))
        self._temperature = np.concatenate((self._temperature, temperature))
        self._next_day = last + timedelta(days=1)
        self._streams = self._make_streams()

    def _sent(self, point: str) -> FloatArray:
        """(n, 1 + substances) of an outfall: m3 and g in each slot so far."""
        parts = self._discharges[point]
        volume = np.concatenate([p.volume_m3 for p in parts])[:, None]
        strength = np.concatenate([p.concentration for p in parts])
        return np.concatenate((volume, volume * strength), axis=1)

    def _arriving(self, slots: Slots) -> FloatArray:
        """(n, 1 + substances) at the inlet in fresh slots: every outfall after its lag, and clean groundwater."""
        start = len(self._rows)
        total = np.zeros((slots.count, 1 + len(SUBSTANCES)))
        for point, lag in self._lag.items():
            sent = self._sent(point)
            delayed = np.concatenate((np.zeros((lag, sent.shape[1])), sent))
            total += delayed[start : start + slots.count]
        mean = sum(p.mean_m3_d for p in self._profiles.values())
        wet = around_one(stream(self.seed, "groundwater"), slots.day_number, 0.3)
        total[:, 0] += INFILTRATION * mean * wet * (SLOT_MS / 86_400_000)
        return total

    def _basin_temperature(self, slots: Slots) -> FloatArray:
        """°C: the season, and warmer and colder days."""
        year = 19 - 7 * np.cos(2 * np.pi * (slots.day_of_year - 25) / 365)
        day = normal(stream(self.seed, "weather"), slots.day_number)
        return np.asarray(year + 0.4 * day + 0.3 * np.sin(2 * np.pi * (slots.hour - 10) / 24))

    def _make_streams(self) -> dict[str, Stream]:
        streams: dict[str, Stream] = {}
        for point in self.plant.points:
            if point.role is Role.OUTFALL:
                streams[point.id] = self._outfall(point.id)
            elif point.role is Role.INLET:
                streams[point.id] = self._inlet_stream()
            else:
                streams[point.id] = self._works_stream()
        return streams

    def _outfall(self, point: str) -> Stream:
        parts = Discharge.concat(self._discharges[point])
        quality = {s: parts.concentration[:, k] for k, s in enumerate(SUBSTANCES)}
        quality["ph"] = parts.ph
        quality["water_temperature"] = self._temperature + 2.5
        return Stream(
            self.first_slot,
            np.rint(parts.pump_from_s * 1000).astype(np.int64),
            np.rint(parts.pump_for_s * 1000).astype(np.int64),
            parts.pump_m3_h,
            parts.extra_m3_h,
            _derived(quality, biodegradable=0.5),
        )

    def _inlet_stream(self) -> Stream:
        volume = self._inlet[:, 0]
        quality = {s: self._inlet[:, 1 + k] / volume for k, s in enumerate(SUBSTANCES)}
        # At night only groundwater comes; the channel then keeps the water of the evening.
        flows = volume > 2 * INFILTRATION * sum(p.mean_m3_d for p in self._profiles.values()) * SLOT_MS / 86_400_000
        latest = np.maximum.accumulate(np.where(flows, np.arange(volume.size), 0))
        quality = {s: values[latest] for s, values in quality.items()}
        quality["ph"] = 7.0 - 0.9 * quality["chloride"] / (quality["chloride"] + 9000)
        quality["water_temperature"] = self._temperature + 1.5
        return Stream.steady(self.first_slot, volume, _derived(quality, biodegradable=0.5))

    def _works_stream(self) -> Stream:
        """The effluent; the insides of the works ride along as qualities of the same slots."""
        column = {name: self._rows[:, k] for k, name in enumerate(COLUMNS)}
        quality = {s: column[f"effluent_{s}"] for s in SUBSTANCES}
        quality["ph"] = column["effluent_ph"]
        quality["water_temperature"] = self._temperature
        quality["dissolved_oxygen"], quality["mlss"] = column["dissolved_oxygen"], column["mlss"]
        return Stream.steady(self.first_slot, column["effluent_m3"], _derived(quality, biodegradable=0.15))


def _derived(quality: dict[str, FloatArray], biodegradable: float) -> dict[str, FloatArray]:
    """With what follows from the followed substances: conductivity (uS/cm, from the salt) and BOD5."""
    salt = quality["chloride"]
    quality["conductivity"] = 700 + 3.1 * salt / (1 + salt / 90_000)
    quality["bod5"] = biodegradable * quality["cod_cr"]
    return quality
