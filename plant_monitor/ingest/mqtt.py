"""Receiving from an MQTT station: acknowledged is what is durable, and nothing else.

MQTT 3.1.1, QoS 1, a persistent session under a stable client id. A message is acknowledged after the
commit that made its readings, or its refusal, durable, in the order of receipt. When a commit fails,
nothing more is acknowledged on that connection: it is closed, the broker keeps the messages, and the
reconnect brings them again, where what is stored already changes nothing. A message that cannot be
read is set aside and acknowledged, since one that stays unacknowledged would hold up all others.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from plant_monitor.clock import Clock
from plant_monitor.errors import InputError, StoreError
from plant_monitor.ingest.intake import Intake
from plant_monitor.ingest.payloads import bind_point, decode_payload, topic_filter
from plant_monitor.plant import MqttStation, Plant
from plant_monitor.readings import Readings, Refused

log = structlog.get_logger()

LOOP_S = 0.2  # how long the network loop sleeps at most before it looks at what it was told
GOODBYE_S = 5.0  # how long stop() waits for commits under way, so that they are still acknowledged
CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A message on its way to the journal. A message id means another message on the next connection."""

    receiver: MqttReceiver
    connection: int
    mid: int
    qos: int
    payload: bytes

    def durable(self) -> None:
        self.receiver._acknowledge(self)

    def failed(self, error: Exception) -> None:
        if isinstance(error, StoreError):
            self.receiver._commit_failed(self, error)
        else:
            self.receiver._put_aside(self, error)


class MqttReceiver:
    """One station's connection, in a thread of its own.

    Parameters
    ----------
    keepalive_s    after one and a half of these without a sign of life the connection counts as lost
    back_off_s     first and longest pause between attempts to connect, seconds of the host

    Raises
    ------
    InputError  the station's topic names no point, or its payload is not that of contract §4.4
    """

    def __init__(
        self,
        station: MqttStation,
        plant: Plant,
        intake: Intake,
        clock: Clock,
        *,
        keepalive_s: int = 30,
        back_off_s: tuple[float, float] = (1.0, 30.0),
    ) -> None:
        if station.payload != "readings":
            raise InputError(f"station {station.id}: payload {station.payload!r}, expected readings (contract 4.4)")
        bind_point(station, topic_filter(station).replace("+", "level").replace("#", "level"))
        self.station = station
        self._plant, self._intake, self._clock = plant, intake, clock
        self._keepalive_s, self._back_off_s = keepalive_s, back_off_s
        self._status_topic = f"plants/{plant.id}/$status"
        self._client = self._make_client()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        # The lock guards what the network thread and the intake thread both touch. ``_connection``
        # numbers the connections: an acknowledgement belongs to the one its message came on.
        self._lock = threading.Lock()
        self._connection = 0
        self._broken = False  # a commit failed: acknowledge nothing more on this connection
        self._storing = True  # False from a failed commit to the next message that is durable
        self._open = 0  # messages of this connection handed over and not yet acknowledged
        self._aside: deque[tuple[Refused, _Delivery]] = deque()
        self._fails = 0  # connections in a row that came to nothing
        self._state = "connecting"  # connecting | subscribed | lost | stopped
        self._error: str | None = None
        self._counts = dict.fromkeys(
            ("messages", "readings", "refused", "retained", "acknowledged", "connects", "failed_commits"), 0
        )
        self._last_message_ms: int | None = None

    # --- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start connecting. A broker that is not there is logged once and tried again and again."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name=f"mqtt {self.station.id}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Acknowledge what is being committed, say goodbye, end the thread. The session stays."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._state = "stopped"

    def health(self) -> dict[str, Any]:
        """State of the connection and counters since start."""
        with self._lock:
            return {
                "id": self.station.id,
                "protocol": "mqtt",
                "state": self._state,
                "error": self._error,
                "last_message_ms": self._last_message_ms,
                "unacknowledged": self._open,
                **self._counts,
            }

    # --- the network thread --------------------------------------------------------------------

    def _make_client(self) -> Client:
        station = self.station
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"plant-monitor-{self._plant.id}-{station.id}",
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        if station.username is not None:
            client.username_pw_set(station.username, station.password)
        if station.tls:
            client.tls_set()
        client.will_set(self._status_topic, _status("offline"), qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_socket_close = self._on_socket_close
        # Its presence keeps other threads from writing to the socket: they only queue, the loop sends.
        client.on_socket_register_write = _loop_sends
        client.connect_async(station.host, station.port, keepalive=self._keepalive_s)
        return client

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._client.reconnect()
                self._loop()
            except (OSError, ValueError) as error:  # refused, unknown host, TLS that does not fit
                self._lost(f"no connection to {self.station.host}:{self.station.port}: {error}")
            except Exception as error:  # the thread's supervisor: reception must not end silently
                log.exception("receiving failed", station=self.station.id)
                self._lost(f"{type(error).__name__}: {error}")
            self._fails += 1
            first, longest = self._back_off_s
            self._stop.wait(min(first * 2 ** min(self._fails - 1, 10), longest))

    def _loop(self) -> None:
        """Serve one connection until it is lost, given up, or the service stops."""
        while self._client.loop(LOOP_S) == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._set_aside()
            if self._broken:
                self._hang_up()
            if self._stop.is_set():
                self._say_goodbye()
                return

    def _say_goodbye(self) -> None:
        """Wait for commits under way so that they are acknowledged, announce the end, disconnect."""
        deadline = threading.Event()
        timer = threading.Timer(GOODBYE_S, deadline.set)
        timer.start()
        try:
            while self._open and not self._broken and not deadline.is_set():
                self._set_aside()
                if self._client.loop(LOOP_S) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    return
            farewell = self._client.publish(self._status_topic, _status("offline"), retain=True)
            while not farewell.is_published() and not deadline.is_set():
                if self._client.loop(LOOP_S) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    return
            self._client.disconnect()
            self._client.loop(LOOP_S)
        finally:
            timer.cancel()

    def _set_aside(self) -> None:
        """Put messages that the journal could not take into quarantine."""
        while self._aside:
            refused, delivery = self._aside.popleft()
            self._intake.submit(
                Readings.empty(),
                (refused,),
                on_durable=delivery.durable,
                on_failed=partial(self._commit_failed, delivery),
            )

    def _hang_up(self) -> None:
        """Drop the connection without DISCONNECT; the next ``loop`` finds it lost."""
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            with contextlib.suppress(OSError):  # it is gone already
                # Not sock.shutdown: that of a TLS socket drops the encryption and leaves the rest to be misread.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    # --- callbacks of paho, in the network thread -------------------------------------------------

    def _on_connect(
        self, client: Client, _: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._lost(f"the broker refused the connection: {reason}")
            return
        with self._lock:
            self._counts["connects"] += 1
        # Again on each connection, also where the broker kept the session: it costs nothing, and a
        # broker that lost the session says so in a flag only.
        client.subscribe(self.station.topic, qos=1)
        client.publish(self._status_topic, _status("online"), retain=True)
        if self._counts["connects"] > 1 and not flags.session_present:
            log.warning("the broker had lost the session", station=self.station.id)

    def _on_subscribe(
        self, client: Client, _: Any, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        if any(r.is_failure for r in reasons):
            self._lost(f"the broker does not allow the subscription to {self.station.topic}")
            self._hang_up()
            return
        was = self._state
        with self._lock:
            self._state, self._error = "subscribed", None
            if self._storing:  # else the pauses grow until the store is back
                self._fails = 0
        if was != "subscribed" and self._storing:  # while nothing is stored it comes and goes; the intake said why
            log.info("receiving", station=self.station.id, topic=self.station.topic)

    def _on_disconnect(
        self, client: Client, _: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if self._stop.is_set() or not reason.is_failure:
            return
        if self._state == "lost" or not self._storing:  # the reason is known, and a better one than this
            self._lost(self._error or "connection lost")
        else:
            self._lost(f"connection lost: {reason}")

    def _on_socket_close(self, client: Client, _: Any, sock: Any) -> None:
        """Acknowledgements of the old connection are void from here on, before the next can begin."""
        with self._lock:
            self._connection += 1
            self._broken = False
            self._open = 0

    def _on_message(self, client: Client, _: Any, message: MQTTMessage) -> None:
        now = self._clock.now_ms()
        with self._lock:
            if self._broken or self._stop.is_set():
                return  # not acknowledged: it comes again
            self._counts["messages"] += 1
            self._last_message_ms = now
            self._open += 1
            delivery = _Delivery(self, self._connection, message.mid, message.qos, bytes(message.payload))
        if message.retain:
            # Handed out at subscription: what was said once, not what is measured now.
            self._counts["retained"] += 1
            self._intake.submit(Readings.empty(), on_durable=delivery.durable)  # in its turn, to keep the order
            return
        readings, refused = self._decoded(message, now)
        with self._lock:
            self._counts["readings"] += len(readings)
            self._counts["refused"] += len(refused)
        self._intake.submit(readings, refused, on_durable=delivery.durable, on_failed=delivery.failed)

    def _decoded(self, message: MQTTMessage, now_ms: int) -> tuple[Readings, tuple[Refused, ...]]:
        payload = bytes(message.payload)
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            return Readings.empty(), (Refused(self.station.id, f"topic is no UTF-8: {error}", payload, now_ms),)
        point = bind_point(self.station, topic)
        decoded = decode_payload(payload, topic=topic, point=point, plant=self._plant, now_ms=now_ms)
        return decoded.readings, decoded.refused

    # --- what becomes of a message, told by the intake's thread -----------------------------------

    def _acknowledge(self, delivery: _Delivery) -> None:
        """The message is durable: acknowledge it, if the connection it came on still stands."""
        with self._lock:
            self._storing = True
            if delivery.connection != self._connection or self._broken:
                return
            self._client.ack(delivery.mid, delivery.qos)
            self._open -= 1
            self._counts["acknowledged"] += 1

    def _commit_failed(self, delivery: _Delivery, error: Exception) -> None:
        """Acknowledge nothing more on this connection; the network thread closes it."""
        with self._lock:
            self._storing = False
            self._counts["failed_commits"] += 1
            self._error = f"not stored, so not acknowledged: {error}"
            if delivery.connection == self._connection:
                self._broken = True

    def _put_aside(self, delivery: _Delivery, error: Exception) -> None:
        """Not the store but this message is at fault: it goes into quarantine, or it would come back for ever.

        The network thread hands it in, as the intake's thread must not wait for itself.
        """
        reason = f"cannot be stored: {type(error).__name__}: {error}"
        self._aside.append((Refused(self.station.id, reason, delivery.payload, self._clock.now_ms()), delivery))

    def _lost(self, why: str) -> None:
        was = self._state
        with self._lock:
            self._state, self._error = "lost", why
        if was != "lost" and self._storing:
            log.error("not receiving; trying again", station=self.station.id, error=why)


def _status(state: str) -> str:
    return json.dumps({"state": state})


def _loop_sends(client: Client, userdata: Any, sock: Any) -> None:
    """Nothing to do: see :meth:`MqttReceiver._make_client`."""
