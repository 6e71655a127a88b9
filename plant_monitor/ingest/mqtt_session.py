"""How we stand at a broker: the client of paho by a station's settings, and what the broker's answers mean.

The session is persistent in both versions: MQTT 3.1.1 without clean session, MQTT 5 without clean start and
with an expiry that is, unless stated, never. So the broker keeps for us what comes while we are away.
"""

from __future__ import annotations

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from plant_monitor.ingest.tls import client_context
from plant_monitor.plant import MqttStation

CONNECT_TIMEOUT_S = 5.0
FOR_EVER_S = 0xFFFF_FFFF
IN_FLIGHT = 1_000  # MQTT 5: messages the broker may send before we have acknowledged the first; bounds our memory
_TAKEN_OVER = 0x8E


def client_id_of(station: MqttStation, plant_id: str) -> str:
    """Our name at the broker: the session hangs on it, so it stays the same for ever."""
    return station.client_id or f"plant-monitor-{plant_id}-{station.id}"


def make_client(station: MqttStation, client_id: str, *, persistent: bool) -> Client:
    """A client that is not connected yet and acknowledges nothing by itself.

    Raises
    ------
    InputError  a certificate or key cannot be used
    """
    five = station.version == "5"
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if five else not persistent,
        protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        manual_ack=True,
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    if station.username is not None:
        client.username_pw_set(station.username, station.password)
    if station.tls:
        client.tls_set_context(client_context(f"station {station.id}", station.tls_files))
    return client


def aim(client: Client, station: MqttStation, keepalive_s: int, *, persistent: bool) -> None:
    """Say where ``reconnect`` connects to, and what for."""
    if station.version != "5":
        client.connect_async(station.host, station.port, keepalive=keepalive_s)
        return
    properties = None
    if persistent:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = _expiry_s(station)
        properties.ReceiveMaximum = IN_FLIGHT
    client.connect_async(
        station.host, station.port, keepalive=keepalive_s, clean_start=not persistent, properties=properties
    )


def subscribe(client: Client, station: MqttStation) -> None:
    """Subscribe at QoS 1. MQTT 5 can ask for no retained messages; before, they are recognised and passed over."""
    if station.version == "5":
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        client.subscribe(station.topic, options=options)
    else:
        client.subscribe(station.topic, qos=1)


def reason_text(reason: ReasonCode, properties: Properties | None = None) -> str:
    """A reason code in words, with what the broker added."""
    told = str(reason)
    said = getattr(properties, "ReasonString", None)
    if said:
        told += f" ({said})"
    if reason.value == _TAKEN_OVER:
        told += ": another client has the same client_id"
    return told


def shortcomings(station: MqttStation, properties: Properties | None) -> str | None:
    """What the broker's answer to CONNECT says against losing nothing (MQTT 5); None where it says nothing."""
    if properties is None or station.version != "5":
        return None
    expiry = getattr(properties, "SessionExpiryInterval", None)
    wanted = _expiry_s(station)
    if getattr(properties, "MaximumQoS", 2) < 1:
        return "the broker grants QoS 0 only: messages can be lost"
    if station.topic.startswith("$share/") and getattr(properties, "SharedSubscriptionAvailable", 1) == 0:
        return "the broker has no shared subscriptions: use a topic without $share"
    if expiry is not None and expiry < wanted:
        return f"the broker keeps our messages for {expiry} s only while we are away"
    return None


def _expiry_s(station: MqttStation) -> int:
    expiry = station.session_expiry_ms
    return FOR_EVER_S if expiry is None else max(1, -(-expiry // 1000))
