"""From the checked model of an MQTT station to its record."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

from plant_monitor.config.check_mqtt import bound_point, broker
from plant_monitor.config.local_times import instant_of
from plant_monitor.config.mqtt_schema import (
    JsonMarkSection,
    JsonPayloadSection,
    JsonTimeSection,
    JsonValueSection,
    MqttSection,
    SparkplugMetricSection,
    SparkplugPayloadSection,
)
from plant_monitor.config.section import TlsSection
from plant_monitor.payload_maps import JsonMapping, JsonMark, JsonTime, JsonValue, SparkplugMapping, SparkplugMetric
from plant_monitor.plant import MqttStation, TlsFiles
from plant_monitor.readings import mark_code

Secret = Callable[[str | None], str | None]


def mqtt_record(station: MqttSection, secret: Secret, folder: Path) -> MqttStation:
    """The station. ``secret`` turns ``env:NAME`` and ``file:PATH`` into what they name; ``folder`` is plant.yaml's."""
    host, port, tls = broker(station.broker) or ("", 0, False)
    return MqttStation(
        id=station.id,
        host=host,
        port=port,
        tls=tls,
        topic=station.topic,
        payload=_payload(station.payload),
        point=bound_point(station.topic, station.point),
        username=station.username,
        password=secret(station.password),
        version=station.version,
        client_id=station.client_id,
        session_expiry_ms=station.session_expiry,
        tls_files=tls_files(station.tls, secret, folder),
        status=station.status,
    )


def tls_files(tls: TlsSection, secret: Secret, folder: Path) -> TlsFiles:
    """The files of a TLS connection, relative names being of ``folder``."""

    def path(name: str | None) -> str | None:
        return None if name is None else str(folder / name)

    return TlsFiles(path(tls.ca), path(tls.certificate), path(tls.key), secret(tls.key_password))


def _payload(payload: str | JsonPayloadSection | SparkplugPayloadSection) -> str | JsonMapping | SparkplugMapping:
    if isinstance(payload, str):
        return payload
    points = tuple(payload.points.items())
    if isinstance(payload, SparkplugPayloadSection):
        return SparkplugMapping(tuple(_metric(m) for m in payload.metrics), points, payload.rebirth)
    return JsonMapping(
        values=tuple(_value(v) for v in payload.values),
        records=payload.records,
        time=None if payload.time is None else _time(payload.time),
        mark=_mark(payload.mark),
        point=payload.point,
        points=points,
    )


def _time(time: JsonTimeSection) -> JsonTime:
    zone = None if time.zone is None else ZoneInfo(time.zone)
    instant = instant_of(time.format, zone, time.ambiguous)
    return JsonTime(time.path, time.format, instant, or_receipt=time.missing == "receipt")


def _mark(mark: JsonMarkSection | None) -> JsonMark | None:
    if mark is None:
        return None
    codes = tuple((text, mark_code(letter)) for text, letter in mark.codes.items())
    return JsonMark(mark.path, codes, None if mark.other is None else mark_code(mark.other))


def _value(value: JsonValueSection) -> JsonValue:
    return JsonValue(
        path=value.path,
        parameter=value.parameter,
        point=value.point,
        unit=value.unit,
        scale=Fraction(value.scale),
        offset=Fraction(value.offset),
        accepts=value.accepts,
        missing=tuple(value.missing),
        where=tuple((path, frozenset(texts)) for path, texts in value.where.items()),
        mark=_mark(value.mark),
    )


def _metric(metric: SparkplugMetricSection) -> SparkplugMetric:
    return SparkplugMetric(
        name=metric.name,
        parameter=metric.parameter,
        node=metric.node,
        device=metric.device,
        point=metric.point,
        unit=metric.unit,
        scale=Fraction(metric.scale),
        offset=Fraction(metric.offset),
    )
