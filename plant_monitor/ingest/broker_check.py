"""Does a broker keep messages for a subscriber that is away? Asked by doing it, since no broker tells its settings.

mosquitto's defaults keep 1000 and drop the rest without a word. Whether a broker keeps them over a restart of its own
cannot be seen from outside; a station's ``sessions_lost`` counts it afterwards.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from paho.mqtt.client import Client, MQTTMessage

from plant_monitor.errors import SourceError
from plant_monitor.ingest.mqtt_session import aim, client_id_of, make_client, reason_text
from plant_monitor.plant import MqttStation

PROBES = 1_100  # messages of a few bytes: more than mosquitto keeps by default
_KEEPALIVE_S = 30
_ANSWER_S = 10.0
_QUIET_S = 5.0  # nothing came for so long: nothing more will


def broker_shortcomings(station: MqttStation, plant_id: str) -> list[str]:
    """What a broker does not do for a subscriber that is away; ``PROBES`` messages go over a topic of our own.

    Raises
    ------
    SourceError  not reachable, or it lets us not in
    """
    topic = f"plants/{plant_id}/$doctor"
    away = _Subscriber(station, f"{client_id_of(station, plant_id)}-doctor", topic)
    try:
        with away.connected():
            granted = away.subscribe()
            if granted != 1 or not (_publish(station, plant_id, topic, 1) and away.received(1)):
                return [
                    f"what it keeps for us while we are away is not known: it does not carry {topic} at QoS 1 for us"
                ]
        if not _publish(station, plant_id, topic, PROBES):
            return [f"it did not take {PROBES} messages within a reasonable time"]
        away.count = 0
        with away.connected():
            if not away.session_present:
                return ["it forgets our session when we leave, and what it should have kept for us"]
            kept = away.received(PROBES)
        return [] if kept == PROBES else [_dropped(kept)]
    finally:
        away.forget()


def _dropped(kept: int) -> str:
    return (
        f"it kept {kept} of {PROBES} messages for a subscriber that was away and dropped the others without a word:"
        " mosquitto's defaults are like that; set max_queued_messages 0, persistence true, autosave_on_changes true,"
        " autosave_interval 1"
    )


class _Subscriber:
    """One that comes and goes, with a session that stays."""

    def __init__(self, station: MqttStation, name: str, topic: str) -> None:
        self._station, self._name, self._topic = station, name, topic
        self.session_present = False
        self.count = 0
        self._changed = threading.Condition()

    @contextmanager
    def connected(self) -> Iterator[None]:
        with _connected(self._station, self._name, persistent=True, on_message=self._on_message) as (client, present):
            self._client, self.session_present = client, present
            yield

    def subscribe(self) -> int:
        """The QoS that is granted; above 2: refused."""
        granted: list[int] = []
        done = threading.Event()

        def told(client: Client, _: Any, mid: int, reasons: list[Any], properties: Any) -> None:
            granted.extend(reason.value for reason in reasons)
            done.set()

        self._client.on_subscribe = told
        self._client.subscribe(self._topic, qos=1)
        done.wait(_ANSWER_S)
        return granted[0] if granted else 0x80

    def received(self, wanted: int) -> int:
        """How many messages came, as soon as it is ``wanted`` or no more come."""
        with self._changed:
            before = -1
            while before < self.count < wanted:
                before = self.count
                self._changed.wait_for(lambda: self.count > before, _QUIET_S)  # noqa: B023
            return self.count

    def forget(self) -> None:
        """Have the broker drop the session and what it holds."""
        try:
            with _connected(self._station, self._name, persistent=False):
                pass
        except SourceError:
            pass  # it went away meanwhile; the caller has an answer, or a better error

    def _on_message(self, client: Client, _: Any, message: MQTTMessage) -> None:
        client.ack(message.mid, message.qos)
        with self._changed:
            self.count += 1
            self._changed.notify_all()


def _publish(station: MqttStation, plant_id: str, topic: str, count: int) -> bool:
    """Hand over so many messages at QoS 1; whether the broker acknowledged all."""
    with _connected(station, f"{client_id_of(station, plant_id)}-doctor-sender", persistent=False) as (client, _):
        told = [client.publish(topic, str(n), qos=1) for n in range(count)]
        try:
            for one in told:  # a broker that saves after every change takes its time
                one.wait_for_publish(_ANSWER_S)
        except (RuntimeError, ValueError):
            return False
        return all(one.is_published() for one in told)


@contextmanager
def _connected(
    station: MqttStation, name: str, *, persistent: bool, on_message: Any = None
) -> Iterator[tuple[Client, bool]]:
    """A connection with a thread of its own, and whether the broker had kept the session."""
    answers: list[tuple[bool, str | None]] = []
    answered = threading.Event()

    def told(client: Client, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        answers.append((flags.session_present, reason_text(reason, properties) if reason.is_failure else None))
        answered.set()

    client = make_client(station, name, persistent=persistent)
    client.on_connect, client.on_message = told, on_message
    aim(client, station, _KEEPALIVE_S, persistent=persistent)
    where = f"{station.host}:{station.port}"
    try:
        client.reconnect()
    except (OSError, ValueError) as error:
        raise SourceError(f"{where} is not reachable: {error}") from error
    client.loop_start()
    try:
        answered.wait(_ANSWER_S)
        if not answers:
            raise SourceError(f"{where} does not answer as a broker does")
        present, refused = answers[0]
        if refused is not None:
            raise SourceError(f"{where} lets us not in: {refused}")
        yield client, present
    finally:
        client.disconnect()
        client.loop_stop()
