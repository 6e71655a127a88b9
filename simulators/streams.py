"""A stream of water past one monitoring point, over all slots so far: what a perfect instrument would see."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulators.slots import SLOT_MS

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Stream:
    """Flow as a pulse and a constant part in each slot; qualities as one number in each slot.

    ``first_slot`` number of the first slot · ``pulse_*`` and ``steady_m3_h`` (n,) · ``quality`` parameter -> (n,).
    """

    first_slot: int
    pulse_from_ms: IntArray  # into the slot
    pulse_for_ms: IntArray
    pulse_m3_h: FloatArray
    steady_m3_h: FloatArray
    quality: dict[str, FloatArray]
    _volume: FloatArray = field(init=False, repr=False)  # (n+1,) m3 up to each slot's start
    _mass: dict[str, FloatArray] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        per_slot = (self.pulse_m3_h * self.pulse_for_ms + self.steady_m3_h * SLOT_MS) / 3_600_000
        object.__setattr__(self, "_volume", np.concatenate(([0.0], np.cumsum(per_slot))))

    @staticmethod
    def steady(first_slot: int, volume_m3: FloatArray, quality: dict[str, FloatArray]) -> Stream:
        """A stream that runs evenly through each slot."""
        none = np.zeros(volume_m3.size, dtype=np.int64)
        flow = volume_m3 * (3_600_000 / SLOT_MS)
        return Stream(first_slot, none, none, np.zeros(volume_m3.size), flow, quality)

    def _slot(self, times: IntArray) -> tuple[IntArray, IntArray]:
        """(index of the slot, ms into it); instants beyond the ends count to the nearest slot."""
        slot = np.clip(times // SLOT_MS - self.first_slot, 0, self.steady_m3_h.size - 1)
        return slot, times - (slot + self.first_slot) * SLOT_MS

    def flow(self, times: IntArray) -> FloatArray:
        """m3/h at the instants."""
        slot, into = self._slot(times)
        since = into - self.pulse_from_ms[slot]
        runs = (since >= 0) & (since < self.pulse_for_ms[slot])
        return self.steady_m3_h[slot] + np.where(runs, self.pulse_m3_h[slot], 0.0)

    def volume(self, times: IntArray) -> FloatArray:
        """m3 that passed from the first slot's start to the instants."""
        slot, into = self._slot(times)
        pumped = np.clip(into - self.pulse_from_ms[slot], 0, self.pulse_for_ms[slot])
        within = self.pulse_m3_h[slot] * pumped + self.steady_m3_h[slot] * np.clip(into, 0, SLOT_MS)
        return self._volume[slot] + within / 3_600_000

    def at(self, parameter: str, times: IntArray) -> FloatArray:
        """A quality at the instants: linear between the middles of the slots."""
        values = self.quality[parameter]
        place = (times - self.first_slot * SLOT_MS) / SLOT_MS - 0.5
        low = np.clip(np.floor(place).astype(np.int64), 0, values.size - 1)
        high = np.minimum(low + 1, values.size - 1)
        result: FloatArray = values[low] + (values[high] - values[low]) * np.clip(place - low, 0.0, 1.0)
        return result

    def mean(self, parameter: str, start: IntArray, end: IntArray) -> FloatArray:
        """A quality's flow-weighted mean over ``[start, end)``; where nothing flowed, what stands there at the end."""
        volume = self.volume(end) - self.volume(start)
        mass = self._mass_until(parameter, end) - self._mass_until(parameter, start)
        flows = volume > 1e-6
        standing = self.quality[parameter][self._slot(end - 1)[0]]
        return np.where(flows, mass / np.where(flows, volume, 1.0), standing)

    def _mass_until(self, parameter: str, times: IntArray) -> FloatArray:
        """g (of mg/L) that passed until the instants."""
        values = self.quality[parameter]
        if parameter not in self._mass:
            self._mass[parameter] = np.concatenate(([0.0], np.cumsum(values * np.diff(self._volume))))
        slot, _ = self._slot(times)
        return self._mass[parameter][slot] + values[slot] * (self.volume(times) - self._volume[slot])
