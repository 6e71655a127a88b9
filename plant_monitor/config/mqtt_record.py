"""From the checked model of an MQTT station to its record."""

from __future__ import annotations

from collections.abc import Callable

from plant_monitor.config.check_mqtt import bound_point, broker
from plant_monitor.config.mqtt_schema import MqttSection
from plant_monitor.plant import MqttStation


def mqtt_record(station: MqttSection, secret: Callable[[str | None], str | None]) -> MqttStation:
    """The station; ``secret`` turns ``env:NAME`` and ``file:PATH`` into what they name."""
    host, port, tls = broker(station.broker) or ("", 0, False)
    return MqttStation(
        id=station.id,
        host=host,
        port=port,
        tls=tls,
        topic=station.topic,
        payload=station.payload,
        point=bound_point(station.topic, station.point),
        username=station.username,
        password=secret(station.password),
    )
