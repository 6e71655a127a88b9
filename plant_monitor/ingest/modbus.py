"""Polling Modbus devices, one thread each, so that a dead one costs the others nothing.

Each series is read once per its interval, at its multiples from local midnight (design §4.1). A value
is stamped with the due instant it was asked for: a try that begins within the interval serves that
instant, so every due instant ends with one row, a value or one ``B``. The ``B`` is written when the
interval is over and no try within it succeeded. A reading counts as served when it is durable: a
failed commit is a failed try. Devices begin their tries a little apart; the due instant stays the time.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any

import numpy as np
import structlog

from plant_monitor.clock import Clock
from plant_monitor.errors import InputError, StoreError
from plant_monitor.ingest.blocks import check_spans
from plant_monitor.ingest.intake import Intake
from plant_monitor.ingest.modbus_link import Lines
from plant_monitor.ingest.modbus_reader import Answers, BlockReader
from plant_monitor.ingest.schedule import (
    BACK_OFF_LIMIT_MS,
    MISSED_LIMIT_MS,
    Cycle,
    back_off,
    effective_interval,
    stagger,
)
from plant_monitor.plant import ModbusDevice, Plant
from plant_monitor.readings import COMMUNICATION_LOST, IntArray, Readings

log = structlog.get_logger()

MISSED_BATCH = 10_000  # rows of ``B`` in one commit


def series_of(device: ModbusDevice, plant: Plant) -> list[int]:
    """Index into ``Plant.series`` of each of the device's readings.

    Raises
    ------
    InputError  the device does not fit the plant: all reasons
    """
    problems = check_spans(device.readings, device.max_block)
    series = []
    for reading in device.readings:
        index = plant.series_index.get((reading.point, reading.parameter))
        if index is None:
            problems.append(f"{reading.point}/{reading.parameter}: no such series in the plant")
        else:
            series.append(index)
    if problems:
        raise InputError("\n".join([f"device {device.id} cannot be read:", *problems]))
    return series


class ModbusPoller:
    """One device's thread: waits for due instants, reads, stores, and owns up to what it missed.

    ``lines`` are those of all pollers that must share connections; None: this one has its own.
    """

    def __init__(
        self, device: ModbusDevice, plant: Plant, intake: Intake, clock: Clock, lines: Lines | None = None
    ) -> None:
        self.device = device
        self._series = series_of(device, plant)
        self._names = [f"{r.point}/{r.parameter}" for r in device.readings]
        self._intervals = [effective_interval(plant.series[s].interval_ms, device.poll_ms) for s in self._series]
        self._others = [d.id for d in plant.devices if isinstance(d, ModbusDevice)]
        self._zone, self._intake, self._clock = plant.zone, intake, clock
        self._link = (lines or Lines()).link(device)
        self._reader = BlockReader(device, self._link)
        self._cycles: list[Cycle] = []
        self._owed: dict[tuple[int, ...], IntArray] = {}  # readings -> instants whose ``B`` is not stored yet
        self._dead_fails = 0  # tries in a row without any answer
        self._dead_until_ms = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()  # guards what health() tells
        self._last_good: dict[str, int | None] = dict.fromkeys(self._names)
        self._failing: dict[str, str] = {}  # series -> why its last try failed
        self._state = "starting"  # starting | ok | partly | lost
        self._missed = 0

    # --- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start polling with the first due instants after now; a device without readings is left alone."""
        if not self._series:
            return
        now, offset = self._clock.now_ms(), self._offset_ms()
        by_interval: dict[int, list[int]] = defaultdict(list)
        for i, interval in enumerate(self._intervals):
            by_interval[interval].append(i)
        self._cycles = [
            Cycle.start(interval, self._zone, self.device.poll_ms, tuple(group), now, offset)
            for interval, group in sorted(by_interval.items())
        ]
        self._stop.clear()
        self._link.start()
        self._thread = threading.Thread(target=self._run, name=f"modbus {self.device.id}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a request that waits for its answer is cut off."""
        self._stop.set()
        self._link.interrupt()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def health(self) -> dict[str, Any]:
        """State of the device and of each of its series. A device that never spoke has no ``last_good_ms``."""
        with self._lock:
            heard = [t for t in self._last_good.values() if t is not None]
            return {
                "id": self.device.id,
                "protocol": "modbus-tcp",
                "state": self._state,
                "last_good_ms": max(heard) if heard else None,
                "round_trip_ms": self._reader.round_trip_ms,
                "requests": self._reader.requests,
                "connects": self._link.connects,
                "errors": dict(self._reader.errors),
                "last_error": self._reader.last_error,
                "missed": self._missed,
                "series": {n: {"last_good_ms": t, "error": self._failing.get(n)} for n, t in self._last_good.items()},
            }

    # --- the thread ----------------------------------------------------------------------------

    def _offset_ms(self) -> int:
        """How long after a due instant this device's tries begin, by its place among the plant's devices."""
        if self.device.id not in self._others:
            return 0
        return stagger(self._others.index(self.device.id), len(self._others), min(self._intervals))

    def _run(self) -> None:
        while not self._clock.wait_until(self._wake_ms(), self._stop):
            try:
                self._step(self._clock.now_ms())
            except Exception:  # the thread's supervisor: one device's mishap must not silence it for ever
                log.exception("polling failed", device=self.device.id)
                self._link.close()
                self._dead_fails += 1
                self._dead_until_ms = self._clock.now_ms() + back_off(self._dead_fails, self.device.poll_ms)
        self._link.leave()

    def _wake_ms(self) -> int:
        """The next due instant's turn, or the next try of what is open."""
        return min(min(c.next_ms + c.offset_ms, max(c.wake_ms, self._dead_until_ms)) for c in self._cycles)

    def _step(self, now_ms: int) -> None:
        """Own up to what was missed, then try what is open."""
        for cycle in self._cycles:
            for instants, readings in cycle.advance(now_ms):
                before = self._owed.get(readings)
                self._owed[readings] = instants if before is None else np.concatenate([before, instants])
        self._write_missed(now_ms)
        longest = max(self.device.poll_ms, BACK_OFF_LIMIT_MS)
        if now_ms < self._dead_until_ms <= now_ms + longest:  # further off only where the clock was set back
            return
        due = {i: cycle.due_ms for cycle in self._cycles for i in cycle.wanted(now_ms)}
        if due:
            self._try(due, now_ms)

    def _write_missed(self, now_ms: int) -> None:
        """Store the ``B`` rows owed; they stay owed where the store does not take them."""
        for readings, instants in list(self._owed.items()):
            series = np.array([self._series[i] for i in readings], dtype=np.int32)
            left = instants[instants >= now_ms - MISSED_LIMIT_MS]
            per_batch = max(1, MISSED_BATCH // series.size)
            while left.size:
                batch, left = left[:per_batch], left[per_batch:]
                rows = Readings.of(
                    np.repeat(batch, series.size), np.tile(series, batch.size), np.nan, COMMUNICATION_LOST
                )
                try:
                    self._intake.commit(rows)
                except StoreError:
                    self._owed[readings] = np.concatenate([batch, left])
                    return
                with self._lock:
                    self._missed += len(rows)
            del self._owed[readings]

    def _try(self, due: dict[int, int], started_ms: int) -> None:
        """Ask for what is due, store what answered, and say what is still open."""
        answers = self._reader.read(due)
        if self._stop.is_set() and not answers.values:
            return
        self._store(answers, due)
        self._dead_fails = 0 if answers.alive else self._dead_fails + 1
        self._dead_until_ms = 0 if answers.alive else started_ms + back_off(self._dead_fails, self.device.poll_ms)
        for cycle in self._cycles:
            if not due.keys().isdisjoint(cycle.readings):
                cycle.settle(answers.values.keys(), started_ms)
        self._note(due, answers)

    def _store(self, answers: Answers, due: dict[int, int]) -> None:
        """Make the values durable; where that fails, they were not read."""
        got = sorted(answers.values)
        if not got:
            return
        samples = [answers.values[i] for i in got]
        rows = Readings.of(
            [due[i] for i in got],
            [self._series[i] for i in got],
            [sample.value for sample in samples],
            [sample.mark for sample in samples],
        )
        try:
            self._intake.commit(rows)
        except StoreError as error:
            answers.values.clear()
            answers.failed.update(dict.fromkeys(got, f"not stored: {error}"))

    def _note(self, due: dict[int, int], answers: Answers) -> None:
        """Remember for health(), and log a change of state once."""
        with self._lock:
            for i, sample in answers.values.items():
                self._last_good[self._names[i]] = due[i]
                self._failing.pop(self._names[i], None)
                if sample.note is not None:
                    self._failing[self._names[i]] = sample.note
            for i, why in answers.failed.items():
                self._failing[self._names[i]] = why
            state = "lost" if not answers.alive else "partly" if self._failing else "ok"
            changed, self._state = state != self._state, state
            failing = dict(self._failing)
        if not changed:
            return
        if state == "ok":
            log.info("device answers", device=self.device.id)
        elif state == "partly":
            log.warning("device answers in part", device=self.device.id, failing=failing)
        else:
            log.error("device does not answer", device=self.device.id, error=self._reader.last_error)
