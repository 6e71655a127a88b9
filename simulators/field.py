"""The field: every reading of every series of a plant as a pure function of time.

``Field(plant, seed)`` lets instruments look at the water of a :class:`~simulators.catchment.Catchment`. Asking for one
instant or for a month gives the same numbers, so history and the live devices join without a step.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from plant_monitor import units
from plant_monitor.plant import FLOW, VOLUME, ModbusDevice, MqttStation, Plant, Represents, Series
from plant_monitor.readings import COMMUNICATION_LOST, NORMAL, OVER_RANGE, MarkArray, Readings
from plant_monitor.windows import day_start_ms, local_day
from simulators import faults
from simulators.catchment import Catchment
from simulators.chance import stream, uniform
from simulators.faults import Scenario
from simulators.instruments import INSTRUMENTS, Instrument, dial, displayed, measured
from simulators.registers import shown
from simulators.streams import Stream
from simulators.water import Shock

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

EPOCH = date(2026, 1, 1)
REFRESH_MS = 1000  # instruments renew what they show once a second
TOTALISER_MS = 60_000  # between readings of a totaliser that declares no interval
DAY_MS = 86_400_000


def epoch_of(start_ms: int, plant: Plant) -> date:
    """The day the field runs from, unless told otherwise: the same for every start since February 2026."""
    before = local_day(start_ms, plant.zone) - timedelta(days=30)
    return min(EPOCH, date(before.year, 1, 1))


def due_times(start_ms: int, end_ms: int, interval_ms: int, plant: Plant) -> IntArray:
    """The multiples of an interval from each local midnight, within ``[start, end)``."""
    day, parts = local_day(start_ms, plant.zone), []
    begin = day_start_ms(day, plant.zone)
    while begin < end_ms:
        day += timedelta(days=1)
        next_begin = day_start_ms(day, plant.zone)
        parts.append(np.arange(begin, next_begin, interval_ms, dtype=np.int64))
        begin = next_begin
    times = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
    return times[(times >= start_ms) & (times < end_ms)]


class Field:
    """All instruments of a plant. Safe to ask from several threads."""

    def __init__(self, plant: Plant, seed: int = 1, scenario: Scenario | None = None, epoch: date = EPOCH) -> None:
        self.plant, self.seed = plant, seed
        self.scenario = scenario or Scenario()
        self.epoch_ms = day_start_ms(epoch, plant.zone)
        shocks = [Shock(f.point, f.at, f.until, f.m3) for f in self.scenario.of(faults.BrineShock)]
        self.catchment = Catchment(plant, seed, epoch, shocks)
        modbus = [(d, r) for d in plant.devices if isinstance(d, ModbusDevice) for r in d.readings]
        self._registers = {(r.point, r.parameter): r for _, r in modbus}
        self._device = {(r.point, r.parameter): d.id for d, r in modbus}
        self._initial: dict[str, float] = {}  # totalisers' registers at the epoch

    def strangers(self) -> list[Series]:
        """Series this field has no model for: they show a steady made-up value."""
        return [s for s in self.plant.series if s.parameter not in INSTRUMENTS and s.parameter != VOLUME]

    def station_of(self, series: Series) -> MqttStation | None:
        """The MQTT station that reports a series; None where a Modbus device serves it."""
        if (series.point, series.parameter) in self._device:
            return None
        stations = [d for d in self.plant.devices if isinstance(d, MqttStation)]
        fixed = [s for s in stations if s.point == series.point]
        open_ = [s for s in stations if s.point is None or "{" in s.point]
        return next(iter([*fixed, *open_]), None)

    def sample(self, series: int, times: IntArray) -> tuple[FloatArray, MarkArray]:
        """(values, marks) that the instrument of a series shows at the instants, in plant.yaml's unit; NaN = none.

        The marks are those a station would send; Modbus registers show the values alone.
        """
        spec = self.plant.series[series]
        values = self._dial(spec, times) if spec.parameter == VOLUME else self._reading(spec, times)
        marks = np.full(times.size, NORMAL, dtype=np.uint8)
        return self._disturb(spec, times, values, marks)

    def history(self, start_ms: int, end_ms: int) -> Readings:
        """What a monitor would have stored over ``[start, end)``: every series at its due times, sorted by time."""
        parts = []
        for index, series in enumerate(self.plant.series):
            times = due_times(start_ms, end_ms, series.interval_ms or TOTALISER_MS, self.plant)
            values, marks = self.sample(index, times)
            register = self._registers.get((series.point, series.parameter))
            if register is not None:
                plain = np.full(times.size, NORMAL, dtype=np.uint8)  # registers carry no marks
                values, marks = self._unreached(series, times, shown(register, values), plain)
            station = self.station_of(series)
            stamps = times if station is None else times + self.clock_error_ms(station.id, times)
            parts.append(Readings.of(stamps, index, values, marks))
        everything = Readings.concat(parts)
        return everything.take(np.argsort(everything.time, kind="stable"))

    def clock_error_ms(self, station: str, times: IntArray) -> IntArray:
        """How far the clock of an MQTT station is ahead at the instants."""
        error = np.zeros(times.size, dtype=np.int64)
        for fault in self.scenario.of(faults.ClockDrift):
            if fault.device == station:
                since = np.where((times >= fault.at) & (times < fault.until), times - fault.at, 0)
                error += np.rint(since * (fault.seconds_per_hour / 3600)).astype(np.int64)
        return error

    def _stream(self, point: str, until_ms: int) -> Stream:
        return self.catchment.streams(until_ms)[point]

    def _reading(self, spec: Series, times: IntArray) -> FloatArray:
        """Everything but totalisers: truth, noise, range, resolution."""
        key = stream(self.seed, spec.point, spec.parameter)
        instrument = INSTRUMENTS.get(spec.parameter)
        if instrument is None or not times.size:
            made_up = 1 + 9 * uniform(key, 0)
            return np.round(np.broadcast_to(made_up, times.size) + 0.01 * uniform(key, times // REFRESH_MS), 2)
        times = self._renewed(spec, times)
        passing = self._stream(spec.point, int(times.max()))
        if spec.parameter == FLOW:
            truth = passing.flow(times)
        elif spec.parameter not in passing.quality:
            truth = np.full(times.size, 2.0)  # oxygen or sludge at a point outside the works
        elif spec.represents is Represents.BEFORE and spec.interval_ms is not None:
            truth = passing.mean(spec.parameter, times - spec.interval_ms, times)
        else:
            truth = passing.at(spec.parameter, times)
        factor = self._factor(instrument, spec)
        return displayed(instrument, measured(instrument, truth, key, times // REFRESH_MS), factor)

    def _renewed(self, spec: Series, times: IntArray) -> IntArray:
        """When what is shown was taken: an analyser shows its last result until the next one."""
        step = REFRESH_MS
        if spec.represents is Represents.BEFORE and spec.interval_ms is not None:
            step = spec.interval_ms
        if times.size == 1:
            midnight = np.array([day_start_ms(local_day(int(times[0]), self.plant.zone), self.plant.zone)])
        else:
            midnights = due_times(int(times.min()) - 2 * DAY_MS, int(times.max()) + 1, 2 * DAY_MS, self.plant)
            midnight = midnights[np.searchsorted(midnights, times, side="right") - 1]
        return np.asarray(midnight + (times - midnight) // step * step)

    @staticmethod
    def _factor(instrument: Instrument, spec: Series) -> float:
        """From the instrument's unit to the one of plant.yaml; 1 where they are not of one kind."""
        if units.convertible(instrument.unit, spec.unit):
            return units.factor(instrument.unit, spec.unit)
        return 1.0

    def _end_of_range(self, spec: Series) -> float:
        """The highest value an instrument shows."""
        instrument = INSTRUMENTS.get(spec.parameter)
        return 100.0 if instrument is None else instrument.high * self._factor(instrument, spec)

    def _dial(self, spec: Series, times: IntArray) -> FloatArray:
        """A totaliser's register, with its rollover and exchanges."""
        if not times.size:
            return np.empty(0)
        exchanges = [f for f in self.scenario.of(faults.MeterExchange) if f.point == spec.point]
        passing = self._stream(spec.point, max(int(times.max()), *(f.at for f in exchanges), self.epoch_ms))
        factor = units.factor("m3", spec.unit)
        total = self._initial_register(spec, factor) + passing.volume(times) * factor
        for fault in sorted(exchanges, key=lambda f: f.at):
            counted = (passing.volume(times) - passing.volume(np.array([fault.at]))) * factor
            total = np.where(times >= fault.at, fault.register + counted, total)
        return dial(total, float(spec.resolution), None if spec.rollover is None else float(spec.rollover))

    def _initial_register(self, spec: Series, factor: float) -> float:
        """The register at the epoch: of a meter in service for some years, or of one that is full when scripted."""
        if spec.point not in self._initial:
            size = float(spec.rollover) if spec.rollover is not None else 1e8
            years = 1 + 4 * float(uniform(stream(self.seed, spec.point, "register"), 0)[0])
            initial = min(0.7 * size, years * 30_000 * factor)
            for fault in self.scenario.of(faults.Rollover):
                if fault.point == spec.point:
                    until = float(self._stream(spec.point, fault.at).volume(np.array([fault.at]))[0])
                    initial = (-float(spec.resolution) / 2 - until * factor) % size
            self._initial[spec.point] = initial
        return self._initial[spec.point]

    def _disturb(
        self, spec: Series, times: IntArray, values: FloatArray, marks: MarkArray
    ) -> tuple[FloatArray, MarkArray]:
        """Lay the scripted sensor faults over what the instrument shows."""
        for fault in self.scenario.faults:
            if getattr(fault, "parameter", None) != spec.parameter or getattr(fault, "point", None) != spec.point:
                continue
            hit = (times >= fault.at) & (times < fault.until)
            if not hit.any():
                continue
            if isinstance(fault, faults.FlatLine):
                values = np.where(hit, self._reading(spec, np.array([fault.at])), values)
            elif isinstance(fault, faults.OverRange):
                values = np.where(hit, self._end_of_range(spec) if fault.value is None else fault.value, values)
                marks = np.where(hit, np.uint8(OVER_RANGE), marks)
            elif isinstance(fault, faults.CommLost):
                values = np.where(hit, np.nan, values)
                marks = np.where(hit, np.uint8(COMMUNICATION_LOST), marks)
            elif isinstance(fault, faults.Spikes):
                key = stream(self.seed, spec.point, spec.parameter, "spikes")
                hit &= uniform(key, times // REFRESH_MS) < fault.share
                values = np.where(hit, values * fault.factor, values)
            elif isinstance(fault, faults.Drift):
                values = np.where(hit, np.round(values + fault.per_day * (times - fault.at) / DAY_MS, 3), values)
        return values, marks

    def _unreached(
        self, series: Series, times: IntArray, values: FloatArray, marks: MarkArray
    ) -> tuple[FloatArray, MarkArray]:
        """No value and mark ``B`` where the series' device was dead."""
        for fault in self.scenario.of(faults.DeadDevice):
            if fault.device == self._device[series.point, series.parameter]:
                lost = (times >= fault.at) & (times < fault.until)
                values = np.where(lost, np.nan, values)
                marks = np.where(lost, np.uint8(COMMUNICATION_LOST), marks)
        return values, marks
