"""When each series spoke last, and whether it is silent (design §5: a reading holds for two intervals).

A series is *silent* where no reading but ``B`` has come for two intervals, or since the start for as long: so one
that has never spoken is known, too. ``B`` is our own word for a device that did not answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plant_monitor.gateways import feeds
from plant_monitor.ingest.schedule import effective_interval
from plant_monitor.plant import ModbusDevice, Plant
from plant_monitor.readings import COMMUNICATION_LOST, NORMAL, Readings, ReadingSource

_NEVER = -(2**62)
_HOLDS = 2  # intervals


@dataclass(frozen=True, slots=True)
class SeriesState:
    """How a series is now.

    ``state``: ``ok`` a valid reading holds · ``invalid`` a reading holds that is none · ``waiting`` nothing holds,
    and it is too early to call it silent · ``silent`` · ``unfed`` no device reads it.
    """

    point: str
    parameter: str
    devices: tuple[str, ...]  # that may read it
    state: str
    last_good_ms: int | None  # the last valid reading
    last_ms: int | None  # the last reading of any mark but B
    age_s: float | None  # of the last valid reading


class LastReadings:
    """The last readings of a plant's series: told of by the intake, asked by health."""

    def __init__(self, plant: Plant, started_ms: int) -> None:
        self._plant, self._started_ms = plant, started_ms
        self.feeders = [tuple(d.id for d in plant.devices if feeds(d, s.point, s.parameter)) for s in plant.series]
        self._hold_ms = [_hold_ms(plant, index) for index in range(len(plant.series))]
        self._good = np.full(len(plant.series), _NEVER, dtype=np.int64)
        self._any = self._good.copy()

    def begin(self, source: ReadingSource, now_ms: int) -> None:
        """Look up what is known by now."""
        for index in range(len(self._plant.series)):
            self.note(source.before(index, now_ms + 1))
            self.note(source.before(index, now_ms + 1, valid=True))

    def note(self, readings: Readings) -> None:
        """These are stored."""
        for last, chosen in (
            (self._any, readings.mark != COMMUNICATION_LOST),
            (self._good, (readings.mark == NORMAL) & np.isfinite(readings.value)),
        ):
            np.maximum.at(last, readings.series[chosen], readings.time[chosen])

    def states(self, now_ms: int) -> list[SeriesState]:
        """Every series, in the order of ``Plant.series``."""
        return [self._state(index, now_ms) for index in range(len(self._plant.series))]

    def patience_ms(self, device: str) -> int | None:
        """How long a device may say nothing: as long as the most patient of its series; None: it is not known."""
        holds = [h for h, devices in zip(self._hold_ms, self.feeders, strict=True) if device in devices and h]
        return max(holds, default=None)

    def _state(self, index: int, now_ms: int) -> SeriesState:
        series, hold_ms = self._plant.series[index], self._hold_ms[index]
        good, last = int(self._good[index]), int(self._any[index])
        holds = last > _NEVER and (hold_ms is None or now_ms - last < hold_ms)
        if not self.feeders[index]:
            state = "unfed"
        elif holds:
            state = "ok" if good == last else "invalid"
        elif hold_ms is not None and now_ms - max(last, self._started_ms) >= hold_ms:
            state = "silent"
        else:
            state = "waiting"
        return SeriesState(
            series.point,
            series.parameter,
            self.feeders[index],
            state,
            good if good > _NEVER else None,
            last if last > _NEVER else None,
            max(0, now_ms - good) / 1000 if good > _NEVER else None,
        )


def _hold_ms(plant: Plant, index: int) -> int | None:
    """Two intervals, as long as a reading holds; a totaliser that states none is read once per poll."""
    series = plant.series[index]
    polls = [
        effective_interval(series.interval_ms, device.poll_ms)
        for device in plant.devices
        if isinstance(device, ModbusDevice) and feeds(device, series.point, series.parameter)
    ]
    interval_ms = max(polls, default=series.interval_ms)
    return None if interval_ms is None else _HOLDS * interval_ms
