"""The shape of a source of readings over MQTT in plant.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plant_monitor.config.scalars import Id, Plain
from plant_monitor.config.section import Secret, Section


class MqttSection(Section):
    """A source of readings over MQTT."""

    id: Id = Field(description="short name of the source")
    protocol: Literal["mqtt"] = Field(description="mqtt")
    broker: Plain = Field(description="mqtt://host:port, mqtts:// for TLS")
    topic: Plain = Field(description="topic filter; + for one level")
    point: Plain | None = Field(
        None, description="a point id, or {1}, {2} … for the levels that + stands for; omitted: {1} if there is one +"
    )
    payload: Literal["readings"] = Field("readings", description="format of the messages: readings")
    username: Plain | None = Field(None, description="user of the broker")
    password: Secret | None = Field(None, description="env:NAME or file:PATH")
