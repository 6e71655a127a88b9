"""The state of the service on ``plants/{plant}/$status`` (contract §4.4), retained, with a last will.

It is the state of the service, not of one of its stations: so it has a connection of its own to each broker,
whatever number of stations are there, and it says ``online`` as long as the service stores. When the process
or its machine ends without a word, the broker says ``offline`` in its place.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import structlog
from paho.mqtt.client import Client, ConnectFlags, MQTTMessageInfo
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from plant_monitor.ingest.mqtt_session import aim, client_id_of, make_client, reason_text
from plant_monitor.plant import MqttStation, Plant

log = structlog.get_logger()

ONLINE, NOT_STORING, OFFLINE = "online", "not storing", "offline"
LOOK_S = 0.5  # how often the state is looked at
GOODBYE_S = 2.0


def status_topic(plant_id: str) -> str:
    """Where the state of the service stands."""
    return f"plants/{plant_id}/$status"


def announcers(plant: Plant, storing: Callable[[], bool]) -> list[StatusAnnouncer]:
    """One for each broker that the plant's stations receive from, as its first station connects to it."""
    first: dict[tuple[str, int], MqttStation] = {}
    for device in plant.devices:
        if isinstance(device, MqttStation) and device.status:
            first.setdefault((device.host, device.port), device)
    return [StatusAnnouncer(station, plant, storing) for station in first.values()]


class StatusAnnouncer:
    """Tells one broker's subscribers the state of the service; nothing depends on it.

    Parameters
    ----------
    station     how to connect: address, version, user, certificates
    storing     whether readings are being made durable
    back_off_s  first and longest pause between attempts to connect, seconds of the host
    """

    def __init__(
        self,
        station: MqttStation,
        plant: Plant,
        storing: Callable[[], bool],
        *,
        keepalive_s: int = 30,
        back_off_s: tuple[float, float] = (1.0, 60.0),
    ) -> None:
        self.broker = f"{station.host}:{station.port}"
        self._topic, self._storing = status_topic(plant.id), storing
        self._back_off_s = back_off_s
        # The name of the service at this broker is that of its first station there, which nobody else may have.
        self._client = make_client(station, f"{client_id_of(station, plant.id)}-status", persistent=False)
        self._client.will_set(self._topic, _told(OFFLINE), qos=1, retain=True)
        self._client.on_connect = self._on_connect
        aim(self._client, station, keepalive_s, persistent=False)
        self._said: str | None = None  # on this connection
        self._last: MQTTMessageInfo | None = None
        self._connected = False
        self._error: str | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start connecting."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name=f"status at {self.broker}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Say that the service is off, and end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def health(self) -> dict[str, Any]:
        """What was said last, and why it cannot be said."""
        return {"broker": self.broker, "said": self._said, "error": self._error}

    def _run(self) -> None:
        fails = 0
        while not self._stop.is_set():
            try:
                self._client.reconnect()
                self._serve()
                fails = 0 if self._said is not None else fails
                self._failed("connection lost")
            except (OSError, ValueError) as error:  # refused, unknown host, TLS that does not fit
                self._failed(str(error))
            except Exception as error:  # the thread's supervisor: readings are received all the same
                log.exception("the state of the service cannot be told", broker=self.broker)
                self._failed(f"{type(error).__name__}: {error}")
            self._connected, self._said = False, None
            fails += 1
            first, longest = self._back_off_s
            self._stop.wait(min(first * 2 ** min(fails - 1, 10), longest))

    def _serve(self) -> None:
        """Say what is new, as long as the connection lasts."""
        while self._client.loop(LOOK_S) == MQTTErrorCode.MQTT_ERR_SUCCESS:
            if self._stop.is_set():
                self._say_goodbye()
                return
            if self._connected:
                self._say(ONLINE if self._storing() else NOT_STORING)

    def _say(self, state: str) -> None:
        if state != self._said:
            self._last = self._client.publish(self._topic, _told(state), qos=1, retain=True)
            self._said = state

    def _say_goodbye(self) -> None:
        """Say ``offline`` ourselves: at a proper end the broker drops the last will."""
        if self._connected:
            self._say(OFFLINE)
            over = threading.Event()
            timer = threading.Timer(GOODBYE_S, over.set)
            timer.start()
            while self._last is not None and not self._last.is_published():
                if over.is_set() or self._client.loop(0.05) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    break
            timer.cancel()
        self._client.disconnect()
        self._client.loop(0.05)

    def _on_connect(
        self, client: Client, _: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._failed(f"refused: {reason_text(reason, properties)}")
            return
        self._connected = True
        self._error = None

    def _failed(self, why: str) -> None:
        if self._error is None and not self._stop.is_set():
            log.warning("the state of the service cannot be told; trying again", broker=self.broker, error=why)
        self._error = why


def _told(state: str) -> str:
    return json.dumps({"state": state})
