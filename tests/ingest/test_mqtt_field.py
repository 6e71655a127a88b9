"""Brokers as they are in the field: certificates, shared subscriptions, MQTT 5's answers, and what others send."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from certificates import Authority
from field_parts import MIDNIGHT, SECOND, plant_of, series, soon
from mqtt_parts import NOW, PLANT, TOPIC, client, left_at_broker, message, publish, receiving
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from servers import Mosquitto, require_server
from sparkplug_parts import MAPPING, data, nbirth, plant

from plant_monitor.clock import ManualClock
from plant_monitor.config.json_paths import json_path
from plant_monitor.errors import InputError
from plant_monitor.ingest.mqtt import MqttReceiver
from plant_monitor.ingest.mqtt_session import reason_text, shortcomings
from plant_monitor.ingest.sparkplug import Payload, parse_payload
from plant_monitor.payload_maps import JsonMapping, JsonValue
from plant_monitor.plant import MqttStation, TlsFiles

both = pytest.mark.parametrize("version", ["3.1.1", "5"])


def with_lines(broker: Mosquitto, *lines: str, without: tuple[str, ...] = ()) -> Mosquitto:
    """The broker with other lines in its configuration."""
    made = broker.command

    def command() -> list[str]:
        found = made()
        path = broker.folder / "mosquitto.conf"
        kept = [line for line in path.read_text().splitlines() if not line.startswith(without or ("\0",))]
        path.write_text("\n".join([*kept, *lines]) + "\n")
        return found

    broker.command = command  # type: ignore[method-assign]
    return broker


@contextlib.contextmanager
def broker_with(folder: Path, *lines: str, without: tuple[str, ...] = ()) -> Iterator[Mosquitto]:
    broker = with_lines(Mosquitto(require_server("mosquitto"), folder / "mosquitto"), *lines, without=without)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


# --- TLS -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates") / "authority")


def files(authority: Authority, own: tuple[Path, Path] | None = None, password: str | None = None) -> TlsFiles:
    certificate, key = (None, None) if own is None else (str(own[0]), str(own[1]))
    return TlsFiles(str(authority.ca), certificate, key, password)


# paho leaves a socket whose handshake failed to the garbage collector.
sockets_of_paho = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@sockets_of_paho
@both
def test_a_broker_that_asks_for_a_certificate(tmp_path: Path, authority: Authority, version: str) -> None:
    certificate, key = authority.issue("127.0.0.1")
    own = authority.issue("plant-monitor", password="geheim")
    lines = (f"certfile {certificate}", f"keyfile {key}", f"cafile {authority.ca}", "require_certificate true")
    with broker_with(tmp_path, *lines) as broker:
        without = files(authority)
        with receiving(tmp_path, broker.port, tls=True, tls_files=without, version=version) as bench:
            soon(lambda: bench.health["state"] == "lost", 20)
            assert bench.health["connects"] == 0
        good = files(authority, own, "geheim")
        with receiving(tmp_path, broker.port, tls=True, tls_files=good, version=version) as bench:
            bench.subscribed()
            bench.store.full = True  # a commit that fails hangs up an encrypted connection too
            publisher = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
            plain = authority.issue("publisher")
            publisher.tls_set(str(authority.ca), str(plain[0]), str(plain[1]))
            publisher.connect("127.0.0.1", broker.port)
            publisher.loop_start()
            publisher.publish(TOPIC, message(1), qos=1).wait_for_publish(10)
            soon(lambda: bench.health["failed_commits"] >= 2, 20)
            bench.store.full = False
            bench.acknowledged(1)
            publisher.disconnect()
            publisher.loop_stop()
            assert bench.rows() == [(1000, 7.0, "N")]
            assert "geheim" not in f"{bench.health}{bench.receiver.station}"


@sockets_of_paho
def test_a_broker_of_an_unknown_authority_is_not_trusted(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = authority.issue("127.0.0.1")
    with broker_with(tmp_path, f"certfile {certificate}", f"keyfile {key}") as broker:
        with receiving(tmp_path, broker.port, tls=True) as bench:  # by the authorities of the system
            soon(lambda: "certificate" in str(bench.health["error"]), 20)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
        with receiving(tmp_path, broker.port, tls=True) as bench:
            bench.subscribed()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda a, own: TlsFiles(ca=str(own[1])), "tls.ca"),
        (lambda a, own: TlsFiles(str(a.ca), str(own[0]), str(a.folder / "ca.key")), "tls.certificate"),
        (lambda a, own: TlsFiles(str(a.ca), str(own[0]), str(own[1]), "another"), "tls.certificate"),
        (lambda a, own: TlsFiles(str(a.ca), str(own[0]), str(own[1])), "tls.certificate"),
        (lambda a, own: TlsFiles(str(a.folder / "none.pem")), "tls.ca"),
    ],
)
def test_certificates_that_cannot_be_used_are_told_before_anything_runs(
    authority: Authority, wrong: Any, said: str
) -> None:
    own = authority.issue("locked", password="geheim")
    station = MqttStation("s", "h", 8883, True, "plants/p/+/readings", tls_files=wrong(authority, own))
    with pytest.raises(InputError, match=said) as caught:
        MqttReceiver(station, PLANT, None, ManualClock(NOW))  # type: ignore[arg-type]
    assert "geheim" not in str(caught.value)


# --- services that share a broker ------------------------------------------------------------------


@both
def test_each_of_two_services_with_groups_of_their_own_gets_everything(
    mosquitto: Mosquitto, tmp_path: Path, version: str
) -> None:
    """Contract 4.4: ``$share/group/`` is for services that share a broker; each has a journal of its own."""
    groups = [
        {"topic": f"$share/{name}/plants/testplant/+/readings", "client_id": name, "name": name, "version": version}
        for name in ("production", "trial")
    ]
    with (
        receiving(tmp_path, mosquitto.port, **groups[0]) as production,  # type: ignore[arg-type]
        receiving(tmp_path, mosquitto.port, **groups[1]) as trial,  # type: ignore[arg-type]
    ):
        production.subscribed()
        trial.subscribed()
        publish(mosquitto.port, *(message(i) for i in range(20)))
        production.acknowledged(20)
        trial.acknowledged(20)
        assert production.rows() == trial.rows() == [(i * SECOND, 7.0, "N") for i in range(20)]
    publish(mosquitto.port, message(30))  # while both are away
    with receiving(tmp_path, mosquitto.port, **groups[1]) as trial:  # type: ignore[arg-type]
        trial.acknowledged(1)
        assert trial.rows()[-1] == (30 * SECOND, 7.0, "N")


@both
def test_a_shared_subscription_brings_again_what_was_not_stored(
    mosquitto: Mosquitto, tmp_path: Path, version: str
) -> None:
    topic = "$share/plant/plants/testplant/+/readings"
    with receiving(tmp_path, mosquitto.port, topic=topic, version=version) as bench:
        bench.subscribed()
        bench.store.full = True
        publish(mosquitto.port, message(1), message(2))
        soon(lambda: bench.health["failed_commits"] >= 2, 20)
        bench.store.full = False
        bench.acknowledged(2)
        assert bench.rows() == [(1000, 7.0, "N"), (2000, 7.0, "N")]


def test_mqtt_5_says_that_another_client_has_our_name() -> None:
    """mosquitto 2.0 hangs up without a word; brokers that do say so are understood."""
    reason = ReasonCode(PacketTypes.DISCONNECT, "Session taken over")
    assert "another client has the same client_id" in reason_text(reason)
    told = Properties(PacketTypes.DISCONNECT)
    told.ReasonString = "maintenance at noon"
    reason = ReasonCode(PacketTypes.DISCONNECT, "Server shutting down")
    assert reason_text(reason, told) == "Server shutting down (maintenance at noon)"


# --- brokers that lose messages --------------------------------------------------------------------


@both
def test_a_broker_without_persistence_loses_the_session_and_health_counts_it(tmp_path: Path, version: str) -> None:
    """mosquitto's defaults: after a restart it knows neither us nor what it kept for us. We subscribe anew."""
    lossy = broker_with(tmp_path, without=("persistence", "autosave", "max_queued"))
    with lossy as broker, receiving(tmp_path, broker.port, version=version) as bench:
        bench.subscribed()
        assert bench.health["sessions_lost"] == 0
        broker.restart()
        soon(lambda: bench.health["sessions_lost"] == 1, 20)
        bench.subscribed()
        publish(broker.port, message(1))
        bench.acknowledged(1)


@both
def test_a_broker_with_persistence_keeps_the_session_over_a_restart(
    mosquitto: Mosquitto, tmp_path: Path, version: str
) -> None:
    with receiving(tmp_path, mosquitto.port, version=version) as bench:
        bench.subscribed()
    publish(mosquitto.port, message(1), message(2))
    mosquitto.restart()
    with receiving(tmp_path, mosquitto.port, version=version) as bench:
        bench.acknowledged(2)
        assert len(bench.rows()) == 2 and bench.health["warning"] is None
    assert left_at_broker(mosquitto.port) == []


@both
def test_a_broker_that_grants_quality_0_only_is_a_warning(tmp_path: Path, version: str) -> None:
    with broker_with(tmp_path, "max_qos 0") as broker, receiving(tmp_path, broker.port, version=version) as bench:
        bench.subscribed()
        assert "QoS 0" in str(bench.health["warning"])


class _Answer:
    """Properties of a CONNACK."""

    def __init__(self, **properties: int) -> None:
        self.__dict__.update(properties)


@pytest.mark.parametrize(
    ("answer", "topic", "said"),
    [
        ({}, "a/+/b", None),
        ({"SessionExpiryInterval": 0xFFFF_FFFF, "MaximumQoS": 1}, "a/+/b", None),
        ({"SessionExpiryInterval": 3600}, "a/+/b", "3600 s"),
        ({"MaximumQoS": 0}, "a/+/b", "QoS 0"),
        ({"SharedSubscriptionAvailable": 0}, "$share/g/a/+/b", "shared"),
        ({"SharedSubscriptionAvailable": 0}, "a/+/b", None),
    ],
)
def test_what_a_broker_s_answer_says_against_losing_nothing(
    answer: dict[str, int], topic: str, said: str | None
) -> None:
    found = shortcomings(MqttStation("s", "h", 1, False, topic, version="5"), _Answer(**answer))  # type: ignore[arg-type]
    assert found is None if said is None else said in str(found)


@pytest.mark.parametrize("packet", ["Not authorized", "Shared subscription not supported"])
def test_a_subscription_that_is_not_allowed_is_told(packet: str) -> None:
    receiver = MqttReceiver(MqttStation("s", "h", 1, False, "a/+/b", version="5"), PLANT, None, ManualClock(NOW))  # type: ignore[arg-type]
    receiver._on_subscribe(receiver._client, None, 1, [ReasonCode(PacketTypes.SUBACK, packet)], None)
    health = receiver.health()
    assert health["state"] == "lost" and packet in health["error"] and "a/+/b" in health["error"]


# --- messages without a time -----------------------------------------------------------------------


def path(text: str) -> Any:
    found = json_path(text)
    assert found is not None
    return found


PLAIN = JsonMapping((JsonValue(path("ph"), "ph"), JsonValue(path("cod"), "cod_cr")))


@both
def test_messages_without_time_are_stamped_and_come_again_as_what_they_were(
    mosquitto: Mosquitto, tmp_path: Path, version: str
) -> None:
    """A message whose commit stood but whose acknowledgement was lost changes nothing when it comes again."""
    with receiving(tmp_path, mosquitto.port, payload=PLAIN, version=version) as bench:
        bench.subscribed()
        bench.store.open.clear()
        publish(mosquitto.port, *(json.dumps({"ph": value}) for value in (7.0, 7.0, 7.2)))
        soon(lambda: bench.health["messages"] == 3)
        bench.clock.set(NOW + 60 * SECOND)
        mosquitto.restart()
        soon(lambda: bench.health["messages"] == 6, 20)
        bench.store.open.set()
        bench.acknowledged(3)
        assert bench.rows() == [(NOW - MIDNIGHT + i, v, "N") for i, v in enumerate((7.0, 7.0, 7.2))]
        assert bench.intake.counters.identical == 3 and bench.intake.counters.superseded == 0


def test_stamps_go_on_when_the_host_s_clock_goes_back(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Design §6: host-stamped times go on monotonically."""
    with receiving(tmp_path, mosquitto.port, payload=PLAIN) as bench:
        bench.subscribed()
        publish(mosquitto.port, '{"ph": 7.0}')
        bench.acknowledged(1)
        bench.clock.set(NOW - 3_600_000)
        publish(mosquitto.port, '{"ph": 7.1}', '{"ph": 7.2}')
        bench.acknowledged(3)
        bench.clock.set(NOW + SECOND)
        publish(mosquitto.port, '{"ph": 7.3}')
        bench.acknowledged(4)
        at = NOW - MIDNIGHT
        assert bench.rows() == [(at, 7.0, "N"), (at + 1, 7.1, "N"), (at + 2, 7.2, "N"), (at + SECOND, 7.3, "N")]


def test_a_mistake_in_a_decoder_sets_the_message_aside(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with receiving(tmp_path, mosquitto.port) as bench:
        bench.subscribed()
        decode = bench.receiver._decoder.decode

        def stumble(incoming: Any) -> Any:
            if b"666" in incoming.payload:
                raise TypeError("a mistake of the program")
            return decode(incoming)

        bench.receiver._decoder.decode = stumble  # type: ignore[method-assign]
        publish(mosquitto.port, message(1), message(2, 666.0), message(3))
        bench.acknowledged(3)
        assert bench.rows() == [(1000, 7.0, "N"), (3000, 7.0, "N")]
        (kept,) = [q.refused for q in bench.store.journal.quarantine()]
        assert kept.raw == message(2, 666.0).encode() and kept.source == TOPIC


# --- Sparkplug over a broker -----------------------------------------------------------------------


def test_sparkplug_by_way_of_a_broker_and_over_a_restart(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Births outlive the process; a lost session ends the trust in them; no node is asked unless the plant says so."""
    station = {"topic": "spBv1.0/g/+/n/#", "payload": MAPPING, "plant": plant()}
    topics = {kind: f"spBv1.0/g/{kind}/n" for kind in ("NBIRTH", "NDATA", "NCMD")}
    with client(mosquitto.port) as watcher:
        watcher.subscribe(topics["NCMD"], 1)
        with receiving(tmp_path, mosquitto.port, **station) as bench:  # type: ignore[arg-type]
            bench.subscribed()
            publish(mosquitto.port, nbirth(0, {100: ("Temperature", 21.5)}), topic=topics["NBIRTH"])
            publish(mosquitto.port, data(1, {100: 22.5}), topic=topics["NDATA"])
            bench.acknowledged(2)
            assert [v for _, v, _ in bench.rows()] == [21.5, 22.5]
        publish(mosquitto.port, data(2, {100: 23.5}), topic=topics["NDATA"])
        with receiving(tmp_path, mosquitto.port, **station) as bench:  # type: ignore[arg-type]
            bench.acknowledged(1)
            assert [v for _, v, _ in bench.rows()] == [21.5, 22.5, 23.5]
            with client(mosquitto.port, "plant-monitor-testplant-station"):
                pass  # clean: the session is gone
            soon(lambda: bench.health["sessions_lost"] == 1, 20)
            bench.subscribed()
            publish(mosquitto.port, data(9, {100: 24.5}), topic=topics["NDATA"])
            bench.acknowledged(2)
            (kept,) = [q.refused for q in bench.store.journal.quarantine()]
            assert "no birth certificate" in kept.reason and kept.source == topics["NDATA"]
        assert watcher.heard == []


def test_sparkplug_rebirth_is_asked_for_where_the_plant_says_so(mosquitto: Mosquitto, tmp_path: Path) -> None:
    asking = dataclasses.replace(MAPPING, rebirth=True)
    topic = "spBv1.0/g/NDATA/n"
    with client(mosquitto.port) as watcher:
        watcher.subscribe("spBv1.0/g/NCMD/n", 1)
        with receiving(tmp_path, mosquitto.port, topic="spBv1.0/g/+/n/#", payload=asking, plant=plant()) as bench:
            bench.subscribed()
            publish(mosquitto.port, data(1, {100: 22.5}), data(2, {100: 22.5}), topic=topic)
            bench.acknowledged(3)  # our own request comes back too, and is no reading
            soon(lambda: watcher.heard)
            assert bench.health["commands"] == 1 and len(bench.store.journal.quarantine()) == 2
        (asked,) = watcher.heard  # once, however many data come
        (metric,) = parse_payload(asked[1]).metrics
        assert (metric.name, metric.datatype, metric.value) == ("Node Control/Rebirth", 11, 1)


def test_stations_do_not_share_what_they_remember(tmp_path: Path) -> None:
    """Births are kept per station."""
    for name in ("a", "b"):
        station = MqttStation(name, "h", 1, False, "spBv1.0/g/+/n/#", payload=MAPPING)
        receiver = MqttReceiver(station, plant_of(series("p", "t")), None, ManualClock(NOW), folder=tmp_path)  # type: ignore[arg-type]
        receiver._decoder.births.born(receiver._decoder.births.node("g", "n"), None, _payload())  # type: ignore[attr-defined]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sparkplug-a.json", "sparkplug-b.json"]


def _payload() -> Any:
    return Payload(NOW, 0)
