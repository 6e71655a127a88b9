"""The forwarder: empties the outbox into InfluxDB, live before backfill, each in order (design §1, §4.7).

A batch leaves the outbox when the server has taken it. A point that the server refuses is found by halving,
set aside with the server's reason, and holds up nothing; that the whole server refuses us (no database, no
permission, another address) is not the points' fault, and then they wait.
"""

from __future__ import annotations

import re
import threading
from typing import Any

import numpy as np
import structlog

from plant_monitor.clock import Clock
from plant_monitor.plant import Plant
from plant_monitor.readings import IntArray, Readings
from plant_monitor.store.attempts import Attempts
from plant_monitor.store.influx import InfluxServer, LinesRefused, Misconfigured, TooLarge
from plant_monitor.store.journal import Journal
from plant_monitor.store.lineprotocol import encode_lines
from plant_monitor.store.outbox import RefusedPoint

log = structlog.get_logger()

BATCH_ROWS = 10_000
IDLE_S = 0.5
# A reason that speaks of lines or points; one that does not may be about the request, the server, or us.
_ABOUT_LINES = re.compile(r"partial write|unable to parse|conflict|retention|dropped|line|point|field|tag|timest", re.I)


class Forwarder:
    """A thread that sends what waits in the outbox.

    While the server takes nothing it waits, twice as long each time up to a minute, or as long as the server
    asks for.
    """

    def __init__(
        self, journal: Journal, plant: Plant, server: InfluxServer, clock: Clock, *, batch_rows: int = BATCH_ROWS
    ) -> None:
        self._journal, self._plant, self._server, self._clock = journal, plant, server, clock
        self._bucket = server.settings.bucket
        self._batch_rows = batch_rows  # fewer, once the server has found a request too large
        self._accepted: Readings | None = None  # one that the server took: sent again it changes nothing
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._attempts = Attempts(
            clock,
            "forwarding",
            "InfluxDB takes nothing; readings wait in the outbox",
            "InfluxDB takes readings again",
        )
        self._last_ms: int | None = None  # when it took something last
        self._forwarded = self._refused = 0

    # --- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the request under way; what is not sent stays in the outbox."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def health(self) -> dict[str, Any]:
        """State and counters; the backlog is the journal's to tell."""
        return {
            **self._attempts.health(),
            "last_forwarded_ms": self._last_ms,
            "forwarded": self._forwarded,
            "refused": self._refused,
        }

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                sent = self.forward_once()
            except Exception as error:  # noqa: BLE001 - the thread's supervisor: told in health, tried again
                self._stop.wait(self._attempts.failed(error))
                continue
            if sent == 0:
                self._stop.wait(IDLE_S)

    def _succeeded(self, sent: int, refused: int) -> None:
        self._forwarded += sent
        self._refused += refused
        self._last_ms = self._clock.now_ms()
        self._attempts.succeeded()

    # --- sending -------------------------------------------------------------------------------

    def forward_once(self) -> int:
        """Send what waits first; the number of readings that left the outbox.

        Raises
        ------
        StoreUnavailable  the server took nothing, or not all: what it took is sent again and changes nothing
        """
        batches = self._journal.outbox_next(self._batch_rows)
        if not batches:
            return 0
        readings = Readings.concat([batch.readings for batch in batches])
        refused = self._send(readings)
        self._journal.outbox_done([batch.id for batch in batches], refused)
        self._succeeded(len(readings) - len(refused), len(refused))
        return len(readings)

    def _send(self, readings: Readings) -> list[RefusedPoint]:
        """Send a batch; the points that the server does not take, each with its reason."""
        reasons: dict[int, str] = {}
        parts = [np.arange(len(readings))]
        while parts:
            rows = parts.pop()
            refusal = self._try(readings.take(rows))
            if refusal is None:
                self._accepted = readings.take(rows[-1:])
            elif isinstance(refusal, TooLarge) and rows.size > 1:
                self._batch_rows = max(1, min(self._batch_rows, int(rows.size)) // 2)
                parts += _halves(rows)
            elif "retention" in str(refusal) and rows.size > 1:
                old, rest = self._too_old(readings, rows)
                reasons |= dict.fromkeys(old.tolist(), str(refusal))
                parts += _halves(rest) if old.size == 0 else [rest] if rest.size else []
            elif rows.size > 1:
                parts += _halves(rows)
            else:
                reasons[int(rows[0])] = str(refusal)
        if len(reasons) == len(readings):
            self._blame(reasons)
        if reasons:
            first = next(iter(reasons.values()))
            log.warning("points refused by InfluxDB are kept apart", points=len(reasons), reason=first)
        return [self._set_aside(readings, row, reason) for row, reason in sorted(reasons.items())]

    def _try(self, readings: Readings) -> LinesRefused | None:
        try:
            self._server.write(self._bucket, encode_lines(self._plant.id, self._journal.series, readings))
        except LinesRefused as refusal:
            return refusal
        return None

    def _too_old(self, readings: Readings, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Of rows that hold some older than the server keeps: those, and the rest, by a few single tries."""
        rows = rows[np.argsort(readings.time[rows], kind="stable")]
        low, high = 0, int(rows.size)  # rows[:low] are too old, rows[high:] are not
        while low < high:
            middle = (low + high) // 2
            refusal = self._try(readings.take(rows[middle : middle + 1]))
            if refusal is not None and "retention" in str(refusal):
                low = middle + 1
            else:
                high = middle
        return rows[:low], rows[low:]

    def _blame(self, reasons: dict[int, str]) -> None:
        """Every point of a batch was refused: is it their fault? A point that was taken once tells.

        Raises
        ------
        Misconfigured  the server takes nothing at all from us
        """
        reason = next(iter(reasons.values()))
        refusal = self._try(self._accepted) if self._accepted is not None else None
        if refusal is not None or (self._accepted is None and not _ABOUT_LINES.search(reason)):
            raise Misconfigured(f"{self._server.settings.url} takes no point at all: {refusal or reason}")

    def _set_aside(self, readings: Readings, row: int, reason: str) -> RefusedPoint:
        one = readings.series[row], readings.time[row], readings.value[row], readings.mark[row]
        return RefusedPoint(int(one[0]), int(one[1]), float(one[2]), int(one[3]), reason, self._clock.now_ms())


def _halves(rows: IntArray) -> list[IntArray]:
    """The second half, then the first, as a stack wants them."""
    middle = rows.size // 2
    return [rows[middle:], rows[:middle]]
