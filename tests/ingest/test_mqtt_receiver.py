"""The receiver against a real mosquitto: acknowledged is what is durable, and nothing else."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from field_parts import MIDNIGHT, SECOND, soon
from mqtt_parts import NOW, PLANT, TOPIC, left_at_broker, message, publish, receiving
from servers import Mosquitto, free_port, require_server

from plant_monitor.clock import ManualClock
from plant_monitor.errors import InputError
from plant_monitor.ingest.decoding import SIZE_LIMIT
from plant_monitor.ingest.mqtt import MqttReceiver
from plant_monitor.plant import MqttStation
from plant_monitor.readings import Readings

# What holds holds in both versions of MQTT.
both = pytest.mark.parametrize("version", ["3.1.1", "5"])


@both
def test_readings_are_stored_and_acknowledged(mosquitto: Mosquitto, tmp_path: Path, version: str) -> None:
    with receiving(tmp_path, mosquitto.port, version=version) as bench:
        bench.subscribed()
        batch = [{"time": MIDNIGHT + i * SECOND, "values": {"ph": 7.0, "cod_cr": None}} for i in range(3)]
        publish(mosquitto.port, json.dumps(batch), message(5, 8.5))
        bench.acknowledged(2)
        assert bench.rows(0) == [(0, 7.0, "N"), (1000, 7.0, "N"), (2000, 7.0, "N"), (5000, 8.5, "N")]
        assert bench.rows(1) == [(0, None, "N"), (1000, None, "N"), (2000, None, "N")]
        assert bench.health["readings"] == 7 and bench.health["last_message_ms"] == NOW
    assert left_at_broker(mosquitto.port) == []


@both
def test_nothing_is_acknowledged_before_it_is_durable_and_then_in_order(
    mosquitto: Mosquitto, tmp_path: Path, version: str
) -> None:
    with receiving(tmp_path, mosquitto.port, version=version) as bench:
        bench.subscribed()
        sent: list[int] = []
        ack = bench.receiver._client.ack

        def spy(mid: int, qos: int) -> mqtt.MQTTErrorCode:
            sent.append(mid)
            return ack(mid, qos)

        bench.receiver._client.ack = spy  # type: ignore[method-assign]
        bench.store.open.clear()
        publish(mosquitto.port, *(message(i) for i in range(15)))
        soon(lambda: bench.health["messages"] == 15)
        assert sent == [] and bench.health["unacknowledged"] == 15
        bench.store.open.set()
        bench.acknowledged(15)
        assert sent == sorted(sent) and len(sent) == 15
        assert len(bench.rows()) == 15


@both
def test_a_failed_commit_acknowledges_nothing_and_the_messages_come_again(
    mosquitto: Mosquitto, tmp_path: Path, version: str
) -> None:
    """Design §6: a commit fails. The connection is closed, the broker keeps the messages, it resumes by itself."""
    with receiving(tmp_path, mosquitto.port, version=version) as bench:
        bench.subscribed()
        bench.store.full = True
        publish(mosquitto.port, message(1), message(2))
        soon(lambda: bench.health["failed_commits"] >= 2, 20)  # it was tried again, and failed again
        assert bench.health["acknowledged"] == 0 and bench.rows() == []
        assert not bench.intake.storing
        bench.store.full = False
        bench.acknowledged(2)
        soon(lambda: bench.health["error"] is None)
        assert bench.rows() == [(1000, 7.0, "N"), (2000, 7.0, "N")]
        assert bench.intake.storing
        assert bench.intake.counters.new == 2 and bench.intake.counters.superseded == 0
    assert left_at_broker(mosquitto.port) == []


@both
def test_a_broker_restart_brings_unacknowledged_messages_again_and_changes_nothing(
    mosquitto: Mosquitto, tmp_path: Path, version: str
) -> None:
    """Design §6: broker restarted. An acknowledgement that comes after the restart belongs to the old connection."""
    with receiving(tmp_path, mosquitto.port, version=version) as bench:
        bench.subscribed()
        bench.store.open.clear()
        publish(mosquitto.port, message(1), message(2), message(3))
        soon(lambda: bench.health["messages"] == 3)
        mosquitto.restart()
        soon(lambda: bench.health["connects"] == 2, 20)
        soon(lambda: bench.health["messages"] == 6, 20)
        bench.store.open.set()
        bench.acknowledged(3)  # not six: the first three had lost their connection
        soon(lambda: bench.intake.counters.identical == 3)
        assert bench.rows() == [(s * SECOND, 7.0, "N") for s in (1, 2, 3)]
        publish(mosquitto.port, message(4))
        bench.acknowledged(4)
    assert left_at_broker(mosquitto.port) == []


@both
def test_what_comes_while_the_service_is_away_waits_at_the_broker(
    mosquitto: Mosquitto, tmp_path: Path, version: str
) -> None:
    with receiving(tmp_path, mosquitto.port, version=version) as bench:
        bench.subscribed()
    publish(mosquitto.port, message(1), message(2))
    with receiving(tmp_path, mosquitto.port, version=version) as bench:
        bench.acknowledged(2)
        assert len(bench.rows()) == 2


@both
def test_stop_acknowledges_what_is_being_committed(mosquitto: Mosquitto, tmp_path: Path, version: str) -> None:
    with receiving(tmp_path, mosquitto.port, version=version) as bench:
        bench.subscribed()
        bench.store.open.clear()
        publish(mosquitto.port, message(1))
        bench.store.entered.acquire()
        stopper = threading.Thread(target=bench.receiver.stop)
        stopper.start()
        bench.store.open.set()
        stopper.join(20)
        assert bench.health["state"] == "stopped" and bench.health["acknowledged"] == 1
        assert left_at_broker(mosquitto.port) == []


def test_a_broker_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    """Design §6: broker down. The service goes on, and says what it cannot reach."""
    broker = Mosquitto(require_server("mosquitto"), tmp_path / "mosquitto")
    with receiving(tmp_path, broker.port) as bench:
        soon(lambda: bench.health["state"] == "lost")
        assert f"127.0.0.1:{broker.port}" in str(bench.health["error"])
        bench.intake.commit(Readings.of(MIDNIGHT, 1, 300.0))
        broker.start()
        try:
            bench.subscribed()
            publish(broker.port, message(1))
            bench.acknowledged(1)
        finally:
            bench.receiver.stop()
            broker.stop()
        assert len(bench.rows(0)) == len(bench.rows(1)) == 1


def test_a_host_that_does_not_exist_stops_nothing(tmp_path: Path) -> None:
    with receiving(tmp_path, free_port()) as bench:
        bench.receiver._client.connect_async("no-such-host.invalid", 1883)
        soon(lambda: "no-such-host.invalid" in str(bench.health) or bench.health["state"] == "lost")


def test_retained_messages_are_not_new_readings(mosquitto: Mosquitto, tmp_path: Path) -> None:
    publish(mosquitto.port, message(1), retain=True)
    with receiving(tmp_path, mosquitto.port) as bench:
        bench.acknowledged(1)
        assert bench.health["retained"] == 1 and bench.rows() == []
        publish(mosquitto.port, message(2), retain=True)  # said now, so measured now
        bench.acknowledged(2)
        assert bench.rows() == [(2000, 7.0, "N")]


def test_with_mqtt_5_retained_messages_do_not_even_come(mosquitto: Mosquitto, tmp_path: Path) -> None:
    publish(mosquitto.port, message(1), retain=True)
    with receiving(tmp_path, mosquitto.port, version="5") as bench:
        bench.subscribed()
        publish(mosquitto.port, message(2), retain=True)
        bench.acknowledged(1)
        assert bench.health["retained"] == 0 and bench.rows() == [(2000, 7.0, "N")]


@both
def test_what_cannot_be_read_is_set_aside_acknowledged_and_holds_up_nothing(
    mosquitto: Mosquitto, tmp_path: Path, version: str
) -> None:
    """Design §6: a payload that cannot be read, an undeclared series, times out of bounds."""
    bad: list[str | bytes] = [
        b"\xff\xfe",
        "[",
        json.dumps({"time": MIDNIGHT, "values": {"zinc": 1}}),
        json.dumps({"time": NOW + 11 * 60_000, "values": {"ph": 1}}),
        json.dumps({"time": "2024-01-01T00:00:00Z", "values": {"ph": 1}}),
        b"x" * (SIZE_LIMIT + 1),
    ]
    with receiving(tmp_path, mosquitto.port, version=version) as bench:
        bench.subscribed()
        publish(mosquitto.port, *bad, message(1))
        publish(mosquitto.port, message(2), topic="plants/testplant/nowhere/readings")
        bench.acknowledged(len(bad) + 2)
        assert bench.rows() == [(1000, 7.0, "N")]
        kept = [q.refused for q in bench.store.journal.quarantine()]
        assert sorted(len(r.raw) for r in kept)[-1] == 65_536
        assert {r.raw for r in kept} >= {p if isinstance(p, bytes) else p.encode() for p in bad[:5]}
        assert {r.source for r in kept} == {TOPIC, "plants/testplant/nowhere/readings"}
        assert bench.health["refused"] == len(kept) == len(bad) + 1


def test_a_message_the_journal_stumbles_over_is_set_aside(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with receiving(tmp_path, mosquitto.port) as bench:
        bench.subscribed()
        bench.store.stumble = lambda r: bool((r.value == 666.0).any())
        publish(mosquitto.port, message(1), message(2, 666.0), message(3))
        bench.acknowledged(3)
        assert bench.rows() == [(1000, 7.0, "N"), (3000, 7.0, "N")]
        (kept,) = [q.refused for q in bench.store.journal.quarantine()]
        assert kept.raw == message(2, 666.0).encode() and "a mistake of the program" in kept.reason
        assert bench.health["connects"] == 1


def test_quality_0_is_stored_too(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with receiving(tmp_path, mosquitto.port) as bench:
        bench.subscribed()
        publish(mosquitto.port, message(1), qos=0)
        soon(lambda: len(bench.rows()) == 1)


@pytest.mark.parametrize("station", [{"topic": "readings"}, {"topic": "a/+/b", "payload": "csv"}])
def test_a_station_that_cannot_be_understood_is_refused_before_it_runs(station: dict[str, str]) -> None:
    with pytest.raises(InputError, match="station"):
        MqttReceiver(MqttStation("s", "h", 1883, False, **station), PLANT, None, ManualClock(NOW))  # type: ignore[arg-type]


class Closed(Mosquitto):
    """A broker that lets nobody in without a password it does not have."""

    def command(self) -> list[str]:
        made = super().command()
        path = self.folder / "mosquitto.conf"
        path.write_text(path.read_text().replace("allow_anonymous true", "allow_anonymous false"))
        return made


def test_a_broker_that_refuses_says_why(tmp_path: Path) -> None:
    broker = Closed(require_server("mosquitto"), tmp_path / "mosquitto")
    broker.start()
    try:
        with receiving(tmp_path, broker.port, username="monitor", password="wrong-secret") as bench:
            soon(lambda: "Not authorized" in str(bench.health["error"]), 20)
            assert "wrong-secret" not in str(bench.health)
    finally:
        broker.stop()
