"""Metrics in Prometheus' format: requests of the API, alerts and messages by state, the numbers of health."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plant_monitor.api.services import ApiServices
from plant_monitor.errors import StoreError

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class ApiMetrics:
    """What is measured of one app."""

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._registry = CollectorRegistry(auto_describe=False)
        labels = ("method", "route", "status")
        self.requests = Counter("plant_monitor_api_requests", "Requests answered", labels, registry=self._registry)
        self.seconds = Histogram(
            "plant_monitor_api_request_seconds", "Time to the end of the answer", ("route",), registry=self._registry
        )
        self._registry.register(_State(services))

    def text(self) -> bytes:
        """All metrics, those of the service first."""
        own = generate_latest(self._registry)
        other = self._services.registry
        return own if other is None else generate_latest(other) + own


class Measure:
    """ASGI middleware: counts and times every request by its route."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        start_s = time.monotonic()
        try:
            await self._app(scope, receive, watched)
        finally:
            # The template, never the path: a path may name anything, as often as anyone likes.
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(scope["method"], route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.monotonic() - start_s)


class _State(Collector):
    """Asked anew at every scrape."""

    def __init__(self, services: ApiServices) -> None:
        self._services = services

    def collect(self) -> Iterable[Metric]:
        ledger = self._services.ledger
        try:
            yield _by_state("plant_monitor_alerts", "Alerts by state", ledger.alerts.counts())
            yield _by_state("plant_monitor_messages", "Messages by state", ledger.deliveries.counts())
        except StoreError:
            pass  # their absence is the sign; the other metrics still are worth having
        health = GaugeMetricFamily("plant_monitor_health", "Numbers of the service's health", labels=["name"])
        told = self._services.health()
        for name, value in _numbers(told):
            health.add_metric([name], value)
        yield health
        yield from _of_devices(told.get("devices", ()))
        yield from _of_series(told.get("series", ()))


def _of_devices(devices: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    """By ``device``; a time that never was has no sample."""
    silent = GaugeMetricFamily("plant_monitor_device_silent", "1: the device says nothing", labels=["device"])
    last = GaugeMetricFamily(
        "plant_monitor_device_last_heard_timestamp_seconds", "Last good reading, or last message", labels=["device"]
    )
    trip = GaugeMetricFamily("plant_monitor_device_round_trip_seconds", "Of the last answer", labels=["device"])
    errors = CounterMetricFamily("plant_monitor_device_errors", "Failed requests by kind", labels=["device", "kind"])
    numbers = GaugeMetricFamily("plant_monitor_device", "Other numbers of a device's health", labels=["device", "name"])
    for device in devices:
        name = str(device["id"])
        silent.add_metric([name], float(device["silent"]))
        heard_ms = device.get("last_message_ms", device.get("last_good_ms"))
        if heard_ms is not None:
            last.add_metric([name], heard_ms / 1000)
        if device.get("round_trip_ms") is not None:
            trip.add_metric([name], device["round_trip_ms"] / 1000)
        for kind, count in sorted(device.get("errors", {}).items()):
            errors.add_metric([name, kind], count)
        for key, value in device.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and not key.endswith("_ms"):
                numbers.add_metric([name, key], value)
    yield from (silent, last, trip, errors, numbers)


def _of_series(series: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    """By ``point`` and ``parameter``."""
    labels = ["point", "parameter"]
    silent = GaugeMetricFamily("plant_monitor_series_silent", "1: no reading for two intervals", labels=labels)
    last = GaugeMetricFamily(
        "plant_monitor_series_last_good_timestamp_seconds", "Time of the last valid reading", labels=labels
    )
    for one in series:
        where = [one["point"], one["parameter"]]
        silent.add_metric(where, float(one["silent"]))
        if one["last_good_ms"] is not None:
            last.add_metric(where, one["last_good_ms"] / 1000)
    yield from (silent, last)


def _by_state(name: str, text: str, counts: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["state"])
    for state, count in sorted(counts.items()):
        family.add_metric([state], count)
    return family


def _numbers(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a nested document with the path to it; the status as 1, 0.5 or 0."""
    for key, value in values.items():
        name = f"{path}.{key}" if path else str(key)
        if name == "status":
            yield name, {"ok": 1.0, "degraded": 0.5}.get(str(value), 0.0)
        elif isinstance(value, Mapping):
            yield from _numbers(value, name)
        elif isinstance(value, int | float):
            yield name, float(value)
