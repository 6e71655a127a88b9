"""Results for panels in InfluxDB: measurements hourly, daily, headroom, alerts and device_health (design §4.7), and
shares, reconciliation and forecast (decision 0015).

All of it can be computed again, so nothing waits here: what the server does not take is published anew.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import structlog

from plant_monitor.alerts.lifecycle import CASES, Alert
from plant_monitor.compliance.evaluate import Evaluation
from plant_monitor.compliance.sharing import member_shares, reconciliation
from plant_monitor.compliance.tables import Table
from plant_monitor.plant import Plant
from plant_monitor.store.influx import InfluxServer, quoted
from plant_monitor.store.lineprotocol import result_line
from plant_monitor.windows import day_start_ms, rfc3339

log = structlog.get_logger()

BATCH_LINES = 10_000
DAYS_REMEMBERED = 40
DAY_MS = 86_400_000

Tags = tuple[tuple[str, str], ...]
Key = tuple[str, Tags, int]  # measurement, tags, time
Row = tuple[str, Tags, list[tuple[str, Any]], int]
HealthRow = tuple[dict[str, str], dict[str, Any]]  # tags, fields


class ResultsWriter:
    """Writes what evaluations, alerts and the service's health say, for one plant.

    A row that was written before and has lost a number, or no longer exists, is deleted first, since a
    field once written stays. What an earlier process wrote is not remembered: the first time a process
    writes a stretch of days, or the alerts, it deletes them before.
    """

    def __init__(self, plant: Plant, server: InfluxServer) -> None:
        self._plant, self._server = plant, server
        self._bucket = server.settings.results_bucket
        self._written: dict[Key, frozenset[str]] = {}  # names of the fields
        self._known_days: set[int] = set()
        self._alerts: dict[Key, str] | None = None  # the lines as they were written; None before the first time
        self._deletes: bool | None = None  # InfluxDB 3 deletes no rows; None: not known yet

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
                self._delete_row(key)
                del self._written[key]
        lines = [line for m, tags, fields, t in rows if (line := result_line(m, tags, fields, t))]
        self._write(lines)
        self._written.update(kept)
        self._known_days.update(day_starts)
        self._forget(windows.end_ms - DAYS_REMEMBERED * DAY_MS)
        return len(lines)

    def publish_forecast(self, forecast: Table) -> int:
        """Write the days of a forecast; the number of lines. A day that is over keeps what was expected of it.

        Raises
        ------
        StoreUnavailable  the server did not take it
        """
        tags = (("plant", self._plant.id),)
        rows = [(_fields(row, "date"), date.fromisoformat(row["date"])) for row in forecast.rows()]
        lines = [result_line("forecast", tags, fields, day_start_ms(day, self._plant.zone)) for fields, day in rows]
        self._write([line for line in lines if line])
        return len(lines)

    def publish_alerts(self, alerts: Iterable[Alert]) -> int:
        """Write the episodes of all alerts, as far as they differ from what was written; the number of lines.

        One row an episode, at its start. An episode that was withdrawn, or begins at another instant, is deleted.

        Raises
        ------
        StoreUnavailable  the server did not take all of it; publishing again repairs it
        """
        rows = [row for alert in alerts for row in _alert_rows(self._plant, alert)]
        lines = {(m, tags, t): result_line(m, tags, fields, t) for m, tags, fields, t in rows}
        if self._alerts is None:
            self._delete(f'DELETE FROM "alerts" WHERE "plant" = \'{quoted(self._plant.id)}\'')
            self._alerts = {}
        for key in [key for key, line in self._alerts.items() if key not in lines or _lost(line, lines[key])]:
            self._delete_row(key)
            del self._alerts[key]
        changed = {key: line for key, line in lines.items() if self._alerts.get(key) != line}
        self._write(list(changed.values()))
        self._alerts.update(changed)
        return len(changed)

    def health_lines(self, rows: Sequence[HealthRow], now_ms: int) -> bytes:
        """How devices and series are at an instant, gzipped for :meth:`write_health`."""
        plant = (("plant", self._plant.id),)
        lines = (result_line("device_health", (*plant, *t.items()), fields.items(), now_ms) for t, fields in rows)
        return gzip.compress("\n".join(line for line in lines if line).encode())

    def write_health(self, packed: bytes) -> None:
        """Write what :meth:`health_lines` made.

        Raises
        ------
        StoreUnavailable  the server did not take it
        """
        self._server.write_packed(self._bucket, packed)

    def _write(self, lines: Sequence[str]) -> None:
        for first in range(0, len(lines), BATCH_LINES):
            self._server.write(self._bucket, "\n".join(lines[first : first + BATCH_LINES]).encode())

    def _delete_span(self, start_ms: int, end_ms: int) -> None:
        for measurement in ("hourly", "daily", "headroom", "shares", "reconciliation"):
            where = f"\"plant\" = '{quoted(self._plant.id)}' AND time >= {start_ms}ms AND time < {end_ms}ms"
            self._delete(f'DELETE FROM "{measurement}" WHERE {where}')

    def _delete_row(self, key: Key) -> None:
        measurement, tags, time_ms = key
        where = " AND ".join(f"\"{name}\" = '{quoted(value)}'" for name, value in tags)
        self._delete(f'DELETE FROM "{measurement}" WHERE {where} AND time = {time_ms}ms')

    def _delete(self, influxql: str) -> None:
        if self._deletes is None:
            version = self._server.version()
            self._deletes = version.major < 3
            if not self._deletes:
                log.warning(
                    "rows that lose a number keep the old one in panels: no deleting there", server=str(version)
                )
        if self._deletes:
            self._server.query(self._bucket, influxql)

    def _forget(self, before_ms: int) -> None:
        """Bounded memory: older days are deleted whole before they are written again."""
        self._known_days = {day for day in self._known_days if day >= before_ms}
        self._written = {key: fields for key, fields in self._written.items() if key[2] >= before_ms}


def _lost(was: str, now: str) -> bool:
    """True where a line of an alert's row has lost its ratio, the one number that may become unknown."""
    return "peak_ratio=" in was and "peak_ratio=" not in now


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
            tags: Tags = (
                ("plant", plant.id),
                ("point", row["point"]),
                ("parameter", row["parameter"]),
                ("limit_set", row["limit_set"] or "none"),
                ("statistic", row["statistic"] or "none"),
            )
            names = (value, "lower", "upper", "valid_share", "volume_m3", "load_kg", "verdict")
            rows.append((measurement, tags, [(name, row[name]) for name in names], times[row[time_column]]))
    of_plant = (("plant", plant.id),)
    for row in evaluation.headroom.rows():
        rows.append(("headroom", of_plant, _fields(row, "date"), day_ms[row["date"]]))
    for row in reconciliation(plant, evaluation.volumes, windows).rows():
        rows.append(("reconciliation", of_plant, _fields(row, "date"), day_ms[row["date"]]))
    for row in member_shares(plant, evaluation.volumes, windows).rows():
        tags = (*of_plant, ("member", row["member"]))
        rows.append(("shares", tags, _fields(row, "date", "member"), day_ms[row["date"]]))
    return rows


def _fields(row: Mapping[str, Any], *but: str) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in row.items() if name not in but]


def _alert_rows(plant: Plant, alert: Alert) -> list[Row]:
    rows: list[Row] = []
    if alert.kind in CASES:  # they are people's, and of no series
        return rows
    for episode in alert.standing:
        tags = (
            ("plant", plant.id),
            ("point", episode.point),
            ("parameter", episode.parameter),
            ("limit_set", episode.limit_set),
            ("statistic", episode.statistic),
            ("kind", str(alert.kind)),
        )
        fields = [
            ("state", str(alert.state)),
            ("ongoing", episode.ongoing),
            ("end_ms", episode.end_ms),
            ("windows", episode.windows),
            ("peak", episode.peak),
            ("limit", episode.limit),
            ("peak_ratio", episode.peak_ratio),
            ("alert", alert.id),
        ]
        rows.append(("alerts", tags, fields, episode.start_ms))
    return rows
