"""The fixtures keep their promises: what a test server took survives its restart, and nothing is left running."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from servers import Influxd, Mosquitto, free_port, listening, require_server, wait_until


def test_free_port_is_given_once() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert not any(listening(port) for port in ports)


def test_absent_server_skips_but_fails_under_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install no-such-server"):
        require_server("no-such-server")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no-such-server"):
        require_server("no-such-server")


def test_broker_keeps_messages_over_a_restart(mosquitto: Mosquitto) -> None:
    got: list[bytes] = []
    subscribed = threading.Event()

    def subscriber() -> mqtt.Client:
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="keeper", clean_session=False)
        client.on_message = lambda *args: got.append(args[2].payload)
        client.on_subscribe = lambda *args: subscribed.set()
        client.connect(mosquitto.host, mosquitto.port)
        client.loop_start()
        return client

    client = subscriber()
    client.subscribe("t", qos=1)
    assert subscribed.wait(10)
    client.disconnect()
    client.loop_stop()

    sender = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    sender.connect(mosquitto.host, mosquitto.port)
    sender.loop_start()
    sent = [sender.publish("t", str(n), qos=1) for n in range(300)]
    for message in sent:
        message.wait_for_publish(10)
    sender.disconnect()
    sender.loop_stop()

    mosquitto.restart()
    client = subscriber()
    wait_until(lambda: len(got) == 300, what="300 queued messages")
    client.disconnect()
    client.loop_stop()
    assert got == [str(n).encode() for n in range(300)]


def test_influxd_answers_in_rows_and_keeps_data_when_killed(influxd: Influxd) -> None:
    import urllib.request

    influxd.create_database("d")
    body = b"flow,point=a v=1.5 1000\nflow,point=b v=2.5 2000\n"
    request = urllib.request.Request(f"{influxd.url}/write?db=d&precision=ms", data=body, method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 204
    influxd.kill()
    assert not listening(influxd.port)
    influxd.start()
    rows = influxd.query_csv("d", "SELECT v FROM flow GROUP BY point")
    assert [(row["tags"], row["time"], row["v"]) for row in rows] == [
        ("point=a", "1000", "1.5"),
        ("point=b", "2000", "2.5"),
    ]


def test_excerpts_unpack(gunzip: Callable[[str], Path], billing_case: Callable[[str], Path]) -> None:
    assert len(gunzip("plant/ecorecover_effluent_5min.csv").read_text().splitlines()) == 7963
    assert {path.name for path in billing_case("austin-1").iterdir()} == {
        "costs.csv",
        "expected.json",
        "plant.yaml",
        "readings.csv",
    }
