"""How the service and what it reads from are: a document for people, rows for panels (design §4.7, §4.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from plant_monitor.ingest.last_readings import LastReadings, SeriesState
from plant_monitor.store.journal import Journal
from plant_monitor.store.results import HealthRow

_WITH_ERROR = ("configuration", "watch", "forwarder", "results")  # parts whose error makes the service degraded
_WELL = ("ok", "subscribed", "starting", "connecting")


class Part(Protocol):
    """A part of the service."""

    def health(self) -> dict[str, Any]:
        """Its state."""
        ...


class Health:
    """Asks every part how it is.

    ``parts`` by name, with ``configuration``, ``intake``, ``watch``, ``alerts``, ``forwarder`` and ``results``
    among them; None: not configured. ``host`` tells of disk and clock.
    """

    def __init__(
        self,
        journal: Journal,
        last: LastReadings,
        *,
        host: Part,
        parts: Mapping[str, Part | None],
        devices: Sequence[Part],
        started_ms: int,
    ) -> None:
        self._journal, self._last, self._host = journal, last, host
        self._parts, self._devices, self._started_ms = parts, devices, started_ms

    def now(self, now_ms: int) -> dict[str, Any]:
        """The state of every part; ``status`` is ok, degraded or not storing."""
        states = self._last.states(now_ms)
        parts: dict[str, Any] = {name: None if part is None else part.health() for name, part in self._parts.items()}
        devices = [self._device(device.health(), states, now_ms) for device in self._devices]
        host = self._host.health()
        troubled = (
            any(device["state"] not in _WELL or device["silent"] for device in devices)
            or any(parts[name] is not None and parts[name]["error"] for name in _WITH_ERROR)
            or bool(parts["alerts"]["failing"])
            or host["disk"]["state"] == "alarm"
            or host["clock"]["state"] != "ok"
        )
        storing = parts["intake"]["state"] == "storing"
        return {
            "status": "not storing" if not storing else "degraded" if troubled else "ok",
            **parts,
            "devices": devices,
            "series": [_series(state) for state in states],
            "journal": self._counts(),
            **host,
        }

    def rows(self, now_ms: int) -> list[HealthRow]:
        """Measurement ``device_health``: a row of the service without tags, one a device, one a series."""
        health = self.now(now_ms)
        service = {
            "state": health["status"],
            "backlog": health["journal"]["outbox_rows"],
            "refused": health["journal"]["outbox_refused"],
            "quarantined": health["journal"]["quarantined"],
            "journal_bytes": health["journal"]["bytes"],
            "disk_used_share": health["disk"]["used_share"],
        }
        devices = [({"device": device["id"]}, _fields_of_device(device)) for device in health["devices"]]
        series = [
            (
                {"point": one["point"], "parameter": one["parameter"]},
                {name: one[name] for name in ("state", "silent", "last_good_ms", "age_s")},
            )
            for one in health["series"]
        ]
        return [({}, service), *devices, *series]

    def _device(self, told: dict[str, Any], states: Iterable[SeriesState], now_ms: int) -> dict[str, Any]:
        """With ``silent``: nothing came for as long as the most patient of its series waits, or ever."""
        if told["protocol"] == "mqtt":
            patience_ms = self._last.patience_ms(told["id"])
            heard_ms = max(told["last_message_ms"] or 0, self._started_ms)
            return {**told, "silent": patience_ms is not None and now_ms - heard_ms >= patience_ms}
        own = [state.state for state in states if told["id"] in state.devices]
        return {**told, "silent": bool(own) and all(state == "silent" for state in own)}

    def _counts(self) -> dict[str, int | None]:
        counts = self._journal.counts()
        return {
            "readings": int(counts.hot.sum() + counts.sealed.sum()),
            "superseded": counts.superseded,
            "dropped": counts.dropped.readings,
            "dropped_superseded": counts.dropped.superseded,
            "kept_from_ms": counts.kept_from_ms,
            "quarantined": counts.quarantined,
            "outbox_rows": counts.outbox_rows,
            "outbox_refused": counts.outbox_refused,
            "bytes": counts.file_bytes + counts.wal_bytes,
        }


def _series(state: SeriesState) -> dict[str, Any]:
    return {
        "point": state.point,
        "parameter": state.parameter,
        "devices": list(state.devices),
        "state": state.state,
        "silent": state.state == "silent",
        "last_good_ms": state.last_good_ms,
        "last_ms": state.last_ms,
        "age_s": state.age_s,
    }


def _fields_of_device(device: dict[str, Any]) -> dict[str, Any]:
    """What devices of both protocols have in common, and the few numbers of each."""
    names = ["state", "silent"]
    if device["protocol"] == "mqtt":
        names += ["last_message_ms", "messages", "readings", "refused", "unacknowledged", "sessions_lost"]
        return {name: device[name] for name in names}
    names += ["last_good_ms", "round_trip_ms", "requests", "missed"]
    return {name: device[name] for name in names} | {"errors": sum(device["errors"].values())}
