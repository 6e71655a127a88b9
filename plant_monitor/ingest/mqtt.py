"""Receiving from an MQTT station: acknowledged is what is durable, and nothing else.

MQTT 3.1.1 or 5, QoS 1, a persistent session under a stable client id. A message is acknowledged after the
commit that made its readings, or its refusal, durable, in the order of receipt. When a commit fails,
nothing more is acknowledged on that connection: it is closed, the broker keeps the messages, and the
reconnect brings them again, where what is stored already changes nothing. A message that cannot be
read is set aside and acknowledged, since one that stays unacknowledged would hold up all others.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from plant_monitor.clock import Clock
from plant_monitor.errors import StoreError
from plant_monitor.ingest.arrivals import Arrivals
from plant_monitor.ingest.decoders import decoder_of
from plant_monitor.ingest.decoding import Decoded, Incoming, refusal
from plant_monitor.ingest.intake import Intake, Submission
from plant_monitor.ingest.mqtt_session import (
    aim,
    client_id_of,
    make_client,
    reason_text,
    shortcomings,
    subscribe,
)
from plant_monitor.plant import MqttStation, Plant
from plant_monitor.readings import Readings, Receipt, Refused

log = structlog.get_logger()

LOOP_S = 0.2  # how long the network loop sleeps at most before it looks at what it was told
AT_ONCE = 500  # messages that are taken off the socket, as long as there are any, before they are handed over
GOODBYE_S = 5.0  # how long stop() waits for commits under way, so that they are still acknowledged


@dataclass(slots=True)  # frozen ones take three times as long to make
class _Delivery:
    """A message on its way to the journal. A message id means another message on the next connection."""

    receiver: MqttReceiver
    connection: int
    mid: int
    qos: int
    topic: str
    payload: bytes
    arrival_ms: int
    receipt: Receipt | None  # of a message that may have no time of its own, if it can come again
    over: Sequence[Receipt]  # what its commit deletes

    def durable(self) -> None:
        self.receiver._acknowledge(self)

    def failed(self, error: Exception) -> None:
        self.receiver._not_deleted(self.over)
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
    folder         where it keeps what must outlive the process (births of Sparkplug); None: nowhere
    receipts       what the journal kept of messages without a time that may come again

    Raises
    ------
    InputError  the station's topic names no point, its payload is of no known format, or a certificate is unusable
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
        folder: Path | None = None,
        receipts: Sequence[Receipt] = (),
    ) -> None:
        self.station = station
        self._intake, self._clock = intake, clock
        self._keepalive_s, self._back_off_s = keepalive_s, back_off_s
        self._decoder = decoder_of(station, plant, folder)
        self._arrivals = Arrivals(station.id, receipts)
        self._gathered: list[Submission] = []  # read off the socket, not handed over yet
        self._sending: list[Receipt] = []  # their acknowledgements may not have left the process
        self._client = self._make_client(client_id_of(station, plant.id))
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        # The lock guards what the network thread and the intake thread both touch. ``_connection``
        # numbers the connections: an acknowledgement belongs to the one its message came on.
        self._lock = threading.Lock()
        self._connection = 0
        self._broken = False  # a commit failed: acknowledge nothing more on this connection
        self._storing = True  # False from a failed commit to the next message that is durable
        self._open = 0  # messages of this connection that are not acknowledged yet
        self._durable: list[_Delivery] = []  # to be acknowledged by the network thread
        self._pipe: tuple[socket.socket, socket.socket] | None = None  # wakes the network thread, while it runs
        self._aside: deque[tuple[Refused, _Delivery]] = deque()
        self._fails = 0  # connections in a row that came to nothing
        self._state = "connecting"  # connecting | subscribed | lost | stopped
        self._error: str | None = None
        self._warning: str | None = None  # why messages may be lost although all seems well
        self._counts = dict.fromkeys(
            (
                "messages",
                "readings",
                "refused",
                "retained",
                "acknowledged",
                "connects",
                "sessions_lost",
                "failed_commits",
            ),
            0,
        )
        self._last_message_ms: int | None = None

    # --- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start connecting. A broker that is not there is logged once and tried again and again."""
        self._stop.clear()
        self._pipe = _wake_pair()
        self._thread = threading.Thread(target=self._run, name=f"mqtt {self.station.id}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Acknowledge what is being committed, say goodbye, end the thread. The session stays."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        pipe, self._pipe = self._pipe, None
        for end in pipe or ():
            end.close()
        self._state = "stopped"

    def health(self) -> dict[str, Any]:
        """State of the connection and counters since start."""
        with self._lock:
            return {
                "id": self.station.id,
                "protocol": "mqtt",
                "state": self._state,
                "error": self._error,
                "warning": self._warning,
                "last_message_ms": self._last_message_ms,
                "unacknowledged": self._open,
                **self._counts,
                **self._decoder.health(),
            }

    # --- the network thread --------------------------------------------------------------------

    def _make_client(self, client_id: str) -> Client:
        client = make_client(self.station, client_id, persistent=True)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_socket_close = self._on_socket_close
        # Its presence keeps other threads from writing to the socket: they only queue, the loop sends.
        client.on_socket_register_write = _loop_sends
        aim(client, self.station, self._keepalive_s, persistent=True)
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
        while self._step():
            self._set_aside()
            if self._broken:
                self._hang_up()
            if self._stop.is_set():
                self._say_goodbye()
                return

    def _step(self) -> bool:
        """Take what has come, hand it over, send what waits; False when the connection is no more."""
        client, sock, pipe = self._client, self._client.socket(), self._pipe
        if sock is None or pipe is None:
            return False
        decrypted = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0  # select does not see these bytes
        writes = [sock] if client.want_write() else []
        ready, _, _ = select.select([sock, pipe[0]], writes, [], 0 if decrypted else LOOP_S)
        if pipe[0] in ready:
            pipe[0].recv(AT_ONCE)
        try:
            if (decrypted or sock in ready) and not self._read():
                return False
        finally:
            self._hand_over()
        self._acknowledge_durable()
        if client.want_write() and client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        self._settle()
        return client.loop_misc() == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _read(self) -> bool:
        """Messages as long as there are any: together they cost one commit, and nobody waits for company."""
        for _ in range(AT_ONCE):
            before = len(self._gathered)
            if self._client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return False
            if len(self._gathered) == before:  # nothing there, or it was no message
                return True
        return True

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._intake.submit_all(gathered)

    def _acknowledge_durable(self) -> None:
        """What the intake says is durable, in the order it came."""
        with self._lock:
            durable, self._durable = self._durable, []
        for delivery in durable:
            if delivery.connection != self._connection:
                continue
            self._client.ack(delivery.mid, delivery.qos)
            self._open -= 1
            self._counts["acknowledged"] += 1
            if delivery.receipt is not None:
                self._sending.append(delivery.receipt)

    def _say_goodbye(self) -> None:
        """Wait for commits under way so that they are acknowledged, then disconnect."""
        deadline = threading.Event()
        timer = threading.Timer(GOODBYE_S, deadline.set)
        timer.start()
        try:
            while self._open and not self._broken and not deadline.is_set():
                self._set_aside()
                if not self._step():
                    return
            self._client.disconnect()
            self._client.loop_write()
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

    def _settle(self) -> None:
        """Receipts whose acknowledgements are with the system's socket: a kill loses these no more."""
        if self._sending and not self._client.want_write():
            with self._lock:
                self._arrivals.settled(self._sending)
            self._sending = []

    def _hang_up(self) -> None:
        """Drop the connection without DISCONNECT; the next step finds it lost."""
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
            self._lost(f"the broker refused the connection: {reason_text(reason, properties)}")
            return
        with self._lock:
            self._counts["connects"] += 1
            self._warning = shortcomings(self.station, properties)
        # Again on each connection, also where the broker kept the session: it costs nothing, and a
        # broker that lost the session says so in a flag only.
        subscribe(client, self.station)
        if not flags.session_present:
            self._session_lost()

    def _session_lost(self) -> None:
        """The broker knows nothing of us: messages, and the packet ids of those under way, are gone."""
        self._decoder.session_lost()
        with self._lock:
            self._arrivals.forget()
        if self._counts["connects"] > 1:
            self._counts["sessions_lost"] += 1
            log.warning("the broker had lost the session, and what it kept for us", station=self.station.id)

    def _on_subscribe(
        self, client: Client, _: Any, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        refused = [r for r in reasons if r.is_failure]
        if refused:
            why = reason_text(refused[0], properties)
            self._lost(f"the broker does not allow the subscription to {self.station.topic}: {why}")
            self._hang_up()
            return
        if any(r.value < 1 for r in reasons):
            self._warning = "the broker grants QoS 0 only: messages can be lost"
        was = self._state
        with self._lock:
            self._state, self._error = "subscribed", None
            if self._storing:  # else the pauses grow until the store is back
                self._fails = 0
        if was != "subscribed" and self._storing:  # while nothing is stored it comes and goes; the intake said why
            log.info("receiving", station=self.station.id, topic=self.station.topic, warning=self._warning)

    def _on_disconnect(
        self, client: Client, _: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if self._stop.is_set() or not reason.is_failure:
            return
        if self._state == "lost" or not self._storing:  # the reason is known, and a better one than this
            self._lost(self._error or "connection lost")
        else:
            self._lost(f"connection lost: {reason_text(reason, properties)}")

    def _on_socket_close(self, client: Client, _: Any, sock: Any) -> None:
        """Acknowledgements of the old connection are void from here on, before the next can begin."""
        with self._lock:
            self._connection += 1
            self._broken = False
            self._open = 0
            self._sending = []
            self._arrivals.reconnected()

    def _on_message(self, client: Client, _: Any, message: MQTTMessage) -> None:
        now, trusted, payload = self._clock.now_ms(), self._clock.trusted, bytes(message.payload)
        topic, bad_topic = _topic(message)
        with self._lock:
            if self._broken or self._stop.is_set():
                return  # not acknowledged: it comes again
            self._counts["messages"] += 1
            self._last_message_ms = now
            self._open += 1
            arrival, receipt, over = now, None, []
            if self._decoder.host_stamped and not message.retain:
                given = self._arrivals.of(now, message.mid, topic, payload, repeated=message.dup)
                arrival, receipt, over = given.stamp_ms, given if given.mid else None, self._arrivals.over()
            number, mid, qos = self._connection, message.mid, message.qos
            delivery = _Delivery(self, number, mid, qos, topic, payload, arrival, receipt, over)
        if message.retain:
            # Handed out at subscription: what was said once, not what is measured now.
            self._counts["retained"] += 1
            # In its turn, to keep the order.
            self._gathered.append(Submission(Readings.empty(), on_durable=delivery.durable))
            return
        incoming = Incoming(topic, payload, arrival, now, repeated=message.dup, in_doubt=not trusted)
        decoded = self._decoded(incoming) if bad_topic is None else refusal(payload, topic, [bad_topic], arrival)
        self._arrivals.used(arrival, decoded.stamped)
        with self._lock:
            self._counts["readings"] += len(decoded.readings)
            self._counts["refused"] += len(decoded.refused)
        receipts = [*over, receipt] if receipt else over
        self._gathered.append(
            Submission(decoded.readings, decoded.refused, receipts, delivery.durable, delivery.failed)
        )
        for to, request in self._decoder.outgoing():
            client.publish(to, request, qos=0)

    def _decoded(self, message: Incoming) -> Decoded:
        """The message taken apart. A decoder never raises; a mistake in one must not stop the others' messages."""
        try:
            return self._decoder.decode(message)
        except Exception as error:
            log.exception("a message could not be decoded", station=self.station.id, topic=message.topic)
            reason = f"cannot be decoded: {type(error).__name__}: {error}"
            return refusal(message.payload, message.topic, [reason], message.arrival_ms)

    # --- what becomes of a message, told by the intake's thread -----------------------------------

    def _acknowledge(self, delivery: _Delivery) -> None:
        """The message is durable: to be acknowledged, if the connection it came on still stands."""
        with self._lock:
            self._storing = True
            if delivery.connection != self._connection or self._broken:
                return
            self._durable.append(delivery)
            first = len(self._durable) == 1
        if first:
            self._rouse()

    def _not_deleted(self, over: Sequence[Receipt]) -> None:
        with self._lock:
            self._arrivals.not_deleted(over)

    def _commit_failed(self, delivery: _Delivery, error: Exception) -> None:
        """Acknowledge nothing more on this connection; the network thread closes it."""
        with self._lock:
            self._storing = False
            self._counts["failed_commits"] += 1
            self._error = f"not stored, so not acknowledged: {error}"
            if delivery.connection == self._connection:
                self._broken = True
        self._rouse()

    def _put_aside(self, delivery: _Delivery, error: Exception) -> None:
        """Not the store but this message is at fault: it goes into quarantine, or it would come back for ever.

        The network thread hands it in, as the intake's thread must not wait for itself.
        """
        reason = f"cannot be stored: {type(error).__name__}: {error}"
        refused = Refused(delivery.topic, reason, delivery.payload, delivery.arrival_ms)
        self._aside.append((refused, delivery))
        self._rouse()

    def _rouse(self) -> None:
        """Wake the network thread."""
        if (pipe := self._pipe) is not None:
            with contextlib.suppress(OSError):  # full: it will wake anyway; closed: it has ended
                pipe[1].send(b"\0")

    def _lost(self, why: str) -> None:
        was = self._state
        with self._lock:
            self._state, self._error = "lost", why
        if was != "lost" and self._storing:
            log.error("not receiving; trying again", station=self.station.id, error=why)


def _wake_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a pipe for ``select``, none of which ever blocks."""
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    return ends


def _topic(message: MQTTMessage) -> tuple[str, str | None]:
    """The topic, and what is wrong with it."""
    try:
        return message.topic, None
    except UnicodeDecodeError as error:
        return message._topic.decode("utf-8", "backslashreplace"), f"topic is no UTF-8: {error}"


def _loop_sends(client: Client, userdata: Any, sock: Any) -> None:
    """Nothing to do: see :meth:`MqttReceiver._make_client`."""
