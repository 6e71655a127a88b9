"""Keeps the results bucket in step with verdicts, alerts and health, from a thread of its own (design §4.7).

Nobody waits for it: verdicts and alerts go on whatever the server does. What the server did not take is
published anew: days are evaluated again, alerts are read again, and the health of up to a day is kept.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from typing import Any, Protocol

import structlog

from plant_monitor.alerts.lifecycle import Alert
from plant_monitor.clock import Clock
from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.compliance.tables import Table
from plant_monitor.store.attempts import Attempts
from plant_monitor.store.influx import LinesRefused
from plant_monitor.store.results import HealthRow, ResultsWriter

log = structlog.get_logger()

LOOK_S = 1.0  # how often alerts and the minute are looked at
FRESH_KEPT = 4  # evaluations held ready; older ones are computed again
DAYS_AT_ONCE = 14
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
HEALTH_KEPT = 1_440  # minutes


class AlertSource(Protocol):
    """Where alerts are read from."""

    def revision(self) -> int:
        """A number that grows with every change of any alert."""
        ...

    def all(self) -> Iterable[Alert]:
        """Every alert."""
        ...


class Publisher:
    """A thread that writes results.

    Parameters
    ----------
    evaluate  the verdicts of the local days first … last, as they are now
    health    how devices and series are at an instant
    forecast  of the inflow as it is at an instant; written each hour
    """

    def __init__(
        self,
        writer: ResultsWriter,
        clock: Clock,
        *,
        evaluate: Callable[[date, date], Evaluation],
        alerts: AlertSource,
        health: Callable[[int], Sequence[HealthRow]],
        forecast: Callable[[int], Table],
    ) -> None:
        self._writer, self._clock = writer, clock
        self._evaluate, self._alerts, self._health, self._forecast = evaluate, alerts, health, forecast
        self._lock = threading.Lock()
        self._number = 0  # of the last evaluation handed over
        self._owed: dict[date, int] = {}  # day -> the latest evaluation it was part of
        self._fresh: deque[tuple[int, Evaluation]] = deque(maxlen=FRESH_KEPT)
        self._minutes: deque[bytes] = deque(maxlen=HEALTH_KEPT)  # gzipped lines of device_health, the oldest first
        self._minute: int | None = None  # the last one that was looked at
        self._hour: int | None = None  # of the forecast as it was published
        self._revision: int | None = None  # of the alerts as they were published
        self._refused = 0  # requests in which the server refused lines
        self._refusal: str | None = None  # why, the last time
        self._attempts = Attempts(
            clock, "publishing", "InfluxDB takes no results; they are published later", "InfluxDB takes results again"
        )
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    # --- for the watch -------------------------------------------------------------------------

    def publish(self, evaluation: Evaluation) -> None:
        """Have an evaluation written soon; returns at once."""
        with self._lock:
            self._number += 1
            self._owed.update(dict.fromkeys(evaluation.windows.days, self._number))
            self._fresh.append((self._number, evaluation))
        self._wake.set()

    @property
    def days_unpublished(self) -> int:
        """Days of which the server has not taken what is known."""
        return len(self._owed)

    # --- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the request under way; the next process publishes what is left."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def health(self) -> dict[str, Any]:
        """State, and what waits."""
        return {
            **self._attempts.health(),
            "days_unpublished": self.days_unpublished,
            "minutes_unpublished": len(self._minutes),
            "refused": self._refused,
            "refusal": self._refusal,
        }

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                if self.step():
                    continue
            except Exception as error:  # noqa: BLE001 - the thread's supervisor: told in health, tried again
                self._stop.wait(self._attempts.failed(error))
                continue
            self._wake.wait(LOOK_S)

    # --- sending -------------------------------------------------------------------------------

    def step(self) -> bool:
        """Write what is new: alerts first, then fresh verdicts, a run of older days, health. True: more waits.

        Raises
        ------
        StoreUnavailable  the server did not take all; the next step begins with what is left
        """
        self._look_at_health()
        self._send_alerts()
        self._send_fresh()
        more = self._send_days()
        self._send_health()
        self._send_forecast()
        self._attempts.succeeded()
        return more

    def _send_alerts(self) -> None:
        revision = self._alerts.revision()
        if revision != self._revision:
            alerts = list(self._alerts.all())
            self._send(lambda: self._writer.publish_alerts(alerts))
            self._revision = revision  # of before they were read: a change meanwhile is seen at the next look

    def _send_fresh(self) -> None:
        while True:
            with self._lock:
                if not self._fresh:
                    return
                number, evaluation = self._fresh.popleft()
            self._send_evaluation(number, evaluation)

    def _send_days(self) -> bool:
        """One run of days that are owed and not at hand any more, the latest first. True: more days wait."""
        with self._lock:
            if not self._owed or self._fresh:
                return bool(self._owed)
            number, last = self._number, max(self._owed)
            first = last
            while first - timedelta(days=1) in self._owed and (last - first).days < DAYS_AT_ONCE - 1:
                first -= timedelta(days=1)
        self._send_evaluation(number, self._evaluate(first, last))
        return self.days_unpublished > 0

    def _send_evaluation(self, number: int, evaluation: Evaluation) -> None:
        self._send(lambda: self._writer.publish(evaluation))
        with self._lock:
            for day in evaluation.windows.days:
                if self._owed.get(day, number + 1) <= number:
                    del self._owed[day]

    def _look_at_health(self) -> None:
        now_ms = self._clock.now_ms()
        if now_ms // MINUTE_MS != self._minute:
            self._minute = now_ms // MINUTE_MS
            rows = self._health(now_ms)
            if rows:
                self._minutes.append(self._writer.health_lines(rows, now_ms))

    def _send_health(self) -> None:
        while self._minutes:
            packed = self._minutes[0]
            self._send(lambda: self._writer.write_health(packed))  # noqa: B023  called at once
            self._minutes.popleft()

    def _send_forecast(self) -> None:
        now_ms = self._clock.now_ms()
        if now_ms // HOUR_MS != self._hour:
            forecast = self._forecast(now_ms)
            self._send(lambda: self._writer.publish_forecast(forecast))
            self._hour = now_ms // HOUR_MS

    def _send(self, write: Callable[[], object]) -> None:
        """Lines that the server will never take hold up nothing; the good ones beside them it has kept."""
        try:
            write()
        except LinesRefused as refusal:
            self._refused += 1
            if str(refusal) != self._refusal:
                log.warning("results refused by InfluxDB", reason=str(refusal))
            self._refusal = str(refusal)
