"""Writing to InfluxDB: the forwarder that empties the outbox, and the results for panels (design §4.7).

Nothing here is a buffer. Readings wait in the journal's outbox until the server has taken them; results
can be computed again. influxdb-client carries the requests; its batching writer is not used, since it
drops data after its retries.
"""

from __future__ import annotations

import base64
import gzip
import threading
from collections.abc import Sequence
from typing import Any

import structlog
import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException

from plant_monitor.clock import Clock
from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.errors import StoreError, StoreUnavailable
from plant_monitor.plant import InfluxSettings, Plant
from plant_monitor.readings import Readings
from plant_monitor.store.journal import Journal
from plant_monitor.store.lineprotocol import readings_lines, result_line
from plant_monitor.store.outbox import RefusedPoint
from plant_monitor.windows import rfc3339

log = structlog.get_logger()

BATCH_ROWS = 10_000
LONGEST_WAIT_S = 60.0


class LinesRefused(StoreError):
    """The server understood the request and refuses lines in it; the good ones it has kept."""


class InfluxServer:
    """One InfluxDB, spoken to through influxdb-client.

    ``api: v2`` writes to ``/api/v2/write`` with a token, ``api: v1`` to ``/write`` with user and password;
    queries are InfluxQL over ``/query`` in both.
    """

    def __init__(self, settings: InfluxSettings, *, timeout_s: float = 20.0) -> None:
        self.settings = settings
        timeout_ms = round(timeout_s * 1000)
        self._client = InfluxDBClient(settings.url, token="", org=settings.org, timeout=timeout_ms)
        self._authorization = _authorization(settings)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def write(self, bucket: str, lines: Sequence[str]) -> None:
        """Write lines (times in ms) in one gzip request.

        Raises
        ------
        LinesRefused      some lines are refused (the rest may be stored)
        StoreUnavailable  not reachable, busy, or not allowed: try again later
        """
        if self.settings.api == "v1":
            path, query = "/write", [("db", bucket), ("precision", "ms")]
        else:
            path, query = "/api/v2/write", [("org", self.settings.org), ("bucket", bucket), ("precision", "ms")]
        body = gzip.compress("\n".join(lines).encode(), compresslevel=1)
        headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip"}
        self._call(path, "POST", query, headers, body)

    def query(self, bucket: str, influxql: str) -> str:
        """The answer to one InfluxQL statement, as CSV with times in ms."""
        query = [("db", bucket), ("q", influxql), ("epoch", "ms")]
        method = "GET" if influxql.lstrip().upper().startswith("SELECT") else "POST"
        answer = self._call("/query", method, query, {"Accept": "application/csv"}, None)
        return str(answer)

    def _call(
        self, path: str, method: str, query: list[tuple[str, str]], headers: dict[str, str], body: bytes | None
    ) -> str:
        try:
            answer = self._client.api_client.call_api(
                path,
                method,
                query_params=query,
                header_params={**headers, **self._authorization},
                body=body,
                response_type="str",
                _return_http_data_only=True,
            )
        except ApiException as error:
            detail = f"{self.settings.url}{path} answered {error.status}: {_reason(error)}"
            if error.status in (400, 422):
                raise LinesRefused(_reason(error)) from error
            if error.status == 413:
                raise LinesRefused("request too large") from error
            raise StoreUnavailable(detail) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise StoreUnavailable(f"{self.settings.url} is not reachable: {type(error).__name__}: {error}") from error
        return answer if isinstance(answer, str) else ""


def _authorization(settings: InfluxSettings) -> dict[str, str]:
    """The header that says who we are; none where nothing is configured."""
    if settings.api == "v1" and settings.username:
        pair = f"{settings.username}:{settings.password or ''}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {"Authorization": f"Token {settings.token}"} if settings.token else {}


def _reason(error: ApiException) -> str:
    body = error.body
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or error.reason)
    return text.strip()[:500]


class Forwarder:
    """A thread that sends what waits in the outbox, live before backfill, each in order.

    Deletes from the outbox only what the server has taken. A point that the server refuses is found by
    halving, set aside with the server's reason, and holds up nothing. While the server is down the
    thread waits, longer each time up to a minute.
    """

    def __init__(self, journal: Journal, plant: Plant, server: InfluxServer, clock: Clock) -> None:
        self._journal, self._plant, self._server, self._clock = journal, plant, server, clock
        self._bucket = server.settings.bucket
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: str | None = None
        self._forwarded = 0
        self._refused = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is not sent stays in the outbox."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def health(self) -> dict[str, Any]:
        """State and counters; the backlog is the journal's to tell."""
        return {
            "state": "forwarding" if self._error is None else "waiting",
            "error": self._error,
            "forwarded": self._forwarded,
            "refused": self._refused,
        }

    def forward_once(self) -> int:
        """Send what waits first; the number of readings that left the outbox.

        Raises
        ------
        StoreUnavailable  the server took nothing; all is still in the outbox
        """
        batches = self._journal.outbox_next(BATCH_ROWS)
        if not batches:
            return 0
        readings = Readings.concat([batch.readings for batch in batches])
        refused = self._send(readings)
        self._journal.outbox_done([batch.id for batch in batches], refused)
        self._forwarded += len(readings) - len(refused)
        self._refused += len(refused)
        return len(readings)

    def _send(self, readings: Readings) -> list[RefusedPoint]:
        lines = readings_lines(self._plant.id, self._journal.series, readings)
        refused: list[RefusedPoint] = []
        parts = [(0, len(lines))]
        while parts:
            first, stop = parts.pop()
            try:
                self._server.write(self._bucket, lines[first:stop])
            except LinesRefused as error:
                if stop - first > 1:
                    middle = (first + stop) // 2
                    parts += [(middle, stop), (first, middle)]
                    continue
                refused.append(self._set_aside(readings, first, str(error)))
        return refused

    def _set_aside(self, readings: Readings, row: int, reason: str) -> RefusedPoint:
        log.warning("a point was refused by InfluxDB and is kept apart", reason=reason)
        one = readings.series[row], readings.time[row], readings.value[row], readings.mark[row]
        return RefusedPoint(int(one[0]), int(one[1]), float(one[2]), int(one[3]), reason, self._clock.now_ms())

    def _run(self) -> None:
        wait_s = 0.5
        while not self._stop.is_set():
            try:
                sent = self.forward_once()
            except StoreUnavailable as error:
                if self._error is None:
                    log.error("InfluxDB takes nothing; readings wait in the outbox", error=str(error))
                self._error = str(error)
                self._stop.wait(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                continue
            if self._error is not None:
                log.info("InfluxDB takes readings again")
            self._error, wait_s = None, 0.5
            if sent == 0:
                self._stop.wait(wait_s)


class ResultsWriter:
    """Writes evaluations for panels: measurements ``hourly``, ``daily`` and ``headroom``.

    A row that was written before and has lost a number, or no longer exists, is deleted first, since a
    field once written stays. What an earlier process wrote is not remembered: the first time a process
    writes a stretch of days it deletes them before.
    """

    def __init__(self, plant: Plant, server: InfluxServer) -> None:
        self._plant, self._server = plant, server
        self._bucket = server.settings.results_bucket
        self._written: dict[tuple[str, tuple[tuple[str, str], ...], int], frozenset[str]] = {}
        self._known_days: set[int] = set()

    def publish(self, evaluation: Evaluation) -> int:
        """Write the evaluation's windows; the number of lines.

        Raises
        ------
        StoreUnavailable  the server did not take all of it; publishing again repairs it
        """
        windows = evaluation.windows
        day_starts = [int(t) for t in windows.day_edges[:-1]]
        for start, end in zip(day_starts, windows.day_edges[1:].tolist()):
            if start not in self._known_days:
                self._delete_span(start, end)
        rows = _result_rows(self._plant, evaluation)
        kept = {(m, tags, t): frozenset(k for k, v in fields if v is not None) for m, tags, fields, t in rows}
        for key in [k for k in self._written if windows.start_ms <= k[2] < windows.end_ms]:
            if not self._written[key] <= kept.get(key, frozenset()):
                self._delete_row(*key)
                del self._written[key]
        lines = [line for m, tags, fields, t in rows if (line := result_line(m, tags, fields, t))]
        for first in range(0, len(lines), BATCH_ROWS):
            self._server.write(self._bucket, lines[first : first + BATCH_ROWS])
        self._written.update(kept)
        self._known_days.update(day_starts)
        self._forget(windows.end_ms - 40 * 86_400_000)
        return len(lines)

    def _delete_span(self, start_ms: int, end_ms: int) -> None:
        for measurement in ("hourly", "daily", "headroom"):
            where = f"\"plant\" = '{quoted(self._plant.id)}' AND time >= {start_ms}ms AND time < {end_ms}ms"
            self._server.query(self._bucket, f'DELETE FROM "{measurement}" WHERE {where}')

    def _delete_row(self, measurement: str, tags: tuple[tuple[str, str], ...], time_ms: int) -> None:
        where = " AND ".join(f"\"{key}\" = '{quoted(value)}'" for key, value in tags)
        self._server.query(self._bucket, f'DELETE FROM "{measurement}" WHERE {where} AND time = {time_ms}ms')

    def _forget(self, before_ms: int) -> None:
        """Bounded memory: older days are deleted whole before they are written again."""
        self._known_days = {day for day in self._known_days if day >= before_ms}
        self._written = {key: fields for key, fields in self._written.items() if key[2] >= before_ms}


def quoted(text: str) -> str:
    """The content of an InfluxQL string literal."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


Row = tuple[str, tuple[tuple[str, str], ...], list[tuple[str, Any]], int]


def _result_rows(plant: Plant, evaluation: Evaluation) -> list[Row]:
    windows = evaluation.windows
    hour_ms = {rfc3339(t, plant.zone): t for t in windows.hour_edges[:-1].tolist()}
    day_ms = {day.isoformat(): t for day, t in zip(windows.days, windows.day_edges.tolist())}
    rows: list[Row] = []
    for measurement, table, value, time_column in (
        ("hourly", evaluation.hourly, "mean", "hour"),
        ("daily", evaluation.daily, "value", "date"),
    ):
        times = hour_ms if time_column == "hour" else day_ms
        for row in table.rows():
            tags = (
                ("plant", plant.id),
                ("point", row["point"]),
                ("parameter", row["parameter"]),
                ("limit_set", row["limit_set"] or "none"),
                ("statistic", row["statistic"] or "none"),
            )
            names = (value, "lower", "upper", "valid_share", "volume_m3", "load_kg", "verdict")
            rows.append((measurement, tags, [(name, row[name]) for name in names], times[row[time_column]]))
    for row, start in zip(evaluation.headroom.rows(), windows.day_edges.tolist()):
        fields = [(name, row[name]) for name in row if name != "date"]
        rows.append(("headroom", (("plant", plant.id),), fields, start))
    return rows
