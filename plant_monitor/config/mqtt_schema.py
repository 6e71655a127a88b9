"""The shape of a source of readings over MQTT in plant.yaml, and of the messages it may send."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from plant_monitor.config.json_paths import Path, SinglePath
from plant_monitor.config.scalars import Cell, Cells, Duration, Flag, Id, NotZero, Number, Plain, Unit, expected
from plant_monitor.config.section import Secret, Section, TlsSection


class JsonTimeSection(Section):
    """Where the time of a record stands."""

    path: SinglePath = Field(description="JSON path of the time")
    format: Plain = Field("iso", description="iso, epoch_s, epoch_ms, or a format of Python's strptime")
    zone: Plain | None = Field(None, description="IANA zone of times that carry no offset")
    ambiguous: Literal["refuse", "first", "second"] = Field(
        "refuse", description="a local time that the clock passes twice: refuse it, or take it as the first or second"
    )
    missing: Literal["refuse", "receipt"] = Field(
        "refuse", description="a record without time: refuse it, or give it the time of its receipt"
    )


class JsonMarkSection(Section):
    """Where a mark stands."""

    path: SinglePath = Field(description="JSON path of the mark; where nothing stands there, it is N")
    codes: dict[Cell, Cell] = Field({}, description="foreign mark -> N, F, M, S, D, C, T or B")
    other: Cell | None = Field(None, description="mark of the texts that codes does not list; omitted: the text itself")


class JsonValueSection(Section):
    """One value of a record."""

    path: SinglePath = Field(description="JSON path of the value")
    point: Id | None = Field(None, description="point of the series; omitted: that of the record")
    parameter: Id = Field(description="parameter of the series")
    unit: Unit | None = Field(
        None, description="unit in the message, after scale and offset; omitted: that of the series"
    )
    scale: NotZero = Field(Decimal(1), description="value in unit = number · scale + offset")
    offset: Number = Field(Decimal(0), description="value in unit = number · scale + offset")
    accepts: Literal["number", "text", "boolean"] = Field(
        "number", description="what is a value: numbers alone, decimals in quotes too, or true and false too (1 and 0)"
    )
    missing: Cells = Field([], description="texts and numbers, as sent, that mean no value")
    where: dict[SinglePath, Cells] = Field(
        {}, description="only in records that have this text (or one of these) there"
    )
    mark: JsonMarkSection | None = Field(None, description="the mark of this value; omitted: that of the record")


class JsonPayloadSection(Section):
    """Messages of JSON that others have shaped."""

    format: Literal["json"] = Field("json", description="json: by JSON paths")
    records: Path | None = Field(
        None, description="JSON path of the records, * for each of many; omitted: the message. A list is many records"
    )
    time: JsonTimeSection | None = Field(None, description="the time of a record; omitted: that of its receipt")
    point: SinglePath | None = Field(
        None, description="JSON path of the name of the record's point; omitted: the point of the device"
    )
    points: dict[Plain, Id] = Field({}, description="foreign name -> point id; other names stand for themselves")
    mark: JsonMarkSection | None = Field(None, description="the mark of a record; omitted: N")
    values: list[JsonValueSection] = Field(min_length=1, description="the values to take; others are ignored")


class SparkplugMetricSection(Section):
    """One metric of Sparkplug B."""

    name: Plain = Field(description="name of the metric, as in the birth certificate")
    node: Plain | None = Field(None, description="edge node; omitted: any")
    device: Plain | None = Field(None, description="device; omitted: any, and the node itself")
    point: Id | None = Field(None, description="point of the series; omitted: the point of the device")
    parameter: Id = Field(description="parameter of the series")
    unit: Unit | None = Field(
        None, description="unit of the metric, after scale and offset; omitted: that of the series"
    )
    scale: NotZero = Field(Decimal(1), description="value in unit = metric · scale + offset")
    offset: Number = Field(Decimal(0), description="value in unit = metric · scale + offset")


class SparkplugPayloadSection(Section):
    """Messages of Sparkplug B."""

    format: Literal["sparkplug_b"] = Field(description="sparkplug_b")
    points: dict[Plain, Id] = Field({}, description="foreign name -> point id; other names stand for themselves")
    rebirth: Flag = Field(
        False, description="ask a node whose birth certificate is not known for it; else we send nothing to any node"
    )
    metrics: list[SparkplugMetricSection] = Field(min_length=1, description="the metrics to take; others are ignored")


def _readings(value: Any) -> Any:
    if value != "readings":
        raise expected("readings, or a mapping (of JSON paths, or of metrics with format: sparkplug_b)")
    return value


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "sparkplug_b" if value.get("format") == "sparkplug_b" else "json"
    if isinstance(value, JsonPayloadSection | SparkplugPayloadSection):
        return value.format
    return "readings"


Payload = Annotated[
    Annotated[Literal["readings"], BeforeValidator(_readings), Tag("readings")]
    | Annotated[JsonPayloadSection, Tag("json")]
    | Annotated[SparkplugPayloadSection, Tag("sparkplug_b")],
    Discriminator(_kind),
]


class MqttSection(Section):
    """A source of readings over MQTT."""

    id: Id = Field(description="short name of the source")
    protocol: Literal["mqtt"] = Field(description="mqtt")
    broker: Plain = Field(description="mqtt://host:port, mqtts:// for TLS")
    version: Literal["3.1.1", "5"] = Field("3.1.1", description="version of MQTT")
    client_id: Plain | None = Field(
        None, description="our name at the broker, which nobody else may use (plant-monitor-PLANT-DEVICE)"
    )
    session_expiry: Duration | None = Field(
        None, description="MQTT 5: how long the broker keeps messages for us while we are away; omitted: for ever"
    )
    topic: Plain = Field(description="topic filter; + for one level, # for all below, $share/GROUP/ before it")
    point: Plain | None = Field(
        None, description="a point id, or {1}, {2} … for the levels that + stands for; omitted: {1} if there is one +"
    )
    payload: Payload = Field("readings", description="format of the messages: readings, or a mapping")
    username: Plain | None = Field(None, description="user of the broker")
    password: Secret | None = Field(None, description="env:NAME or file:PATH")
    tls: TlsSection = Field(TlsSection(), description="certificates for an mqtts:// broker")
    status: Flag = Field(True, description="tell this broker's subscribers the state of the service")
