"""The state of the service on ``plants/{plant}/$status``: one for the plant, whatever number of stations it has."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from field_parts import plant_of, series, soon
from mqtt_parts import PLANT, client, receiving
from servers import Mosquitto, require_server

from plant_monitor.ingest.service_status import StatusAnnouncer, announcers
from plant_monitor.plant import MqttStation, Plant

STATUS = "plants/testplant/$status"
both = pytest.mark.parametrize("version", ["3.1.1", "5"])


def station(port: int, name: str = "station", **more: object) -> MqttStation:
    options: dict[str, object] = {"topic": "plants/testplant/+/readings"} | more
    return MqttStation(name, "127.0.0.1", port, False, **options)  # type: ignore[arg-type]


def plant_with(*stations: MqttStation) -> Plant:
    return plant_of(series("p", "ph"), devices=stations)


@contextlib.contextmanager
def announcing(plant: Plant, storing: list[bool]) -> Iterator[list[StatusAnnouncer]]:
    made = announcers(plant, lambda: storing[0])
    for one in made:
        one._back_off_s = (0.05, 0.2)
        one.start()
    try:
        yield made
    finally:
        for one in made:
            one.stop()


def state(port: int) -> str | None:
    """What a newcomer is told."""
    with client(port) as reader:
        reader.subscribe(STATUS, 1)
        with contextlib.suppress(AssertionError):
            soon(lambda: reader.heard, 2)
        if not reader.heard:
            return None
        return str(json.loads(reader.heard[-1][1])["state"])


@both
def test_the_state_follows_the_service(mosquitto: Mosquitto, version: str) -> None:
    storing = [True]
    with announcing(plant_with(station(mosquitto.port, version=version)), storing) as (one,):
        soon(lambda: one.health()["said"] == "online")
        soon(lambda: state(mosquitto.port) == "online")
        storing[0] = False
        soon(lambda: state(mosquitto.port) == "not storing")
        storing[0] = True
        soon(lambda: state(mosquitto.port) == "online")
    with client(mosquitto.port) as newcomer:
        newcomer.subscribe(STATUS, 1)
        soon(lambda: newcomer.heard)
        assert newcomer.heard == [(STATUS, b'{"state": "offline"}', True)]


@both
def test_the_broker_says_offline_for_a_service_that_ends_without_a_word(mosquitto: Mosquitto, version: str) -> None:
    with announcing(plant_with(station(mosquitto.port, version=version)), [True]) as (one,):
        soon(lambda: state(mosquitto.port) == "online")
        one._back_off_s = (60.0, 60.0)
        one._client._sock.close()  # type: ignore[union-attr]
        soon(lambda: state(mosquitto.port) == "offline")


def test_stations_come_and_go_and_the_service_stays_online(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Contract 4.4: the topic tells the state of the service; a station of it that is lost is no state of that."""
    plant = plant_with(station(mosquitto.port, "a"), station(mosquitto.port, "b"))
    with announcing(plant, [True]) as made:
        assert len(made) == 1
        soon(lambda: state(mosquitto.port) == "online")
        with (
            receiving(tmp_path, mosquitto.port, client_id="a", name="a") as a,
            receiving(tmp_path, mosquitto.port, client_id="b", name="b") as b,
        ):
            a.subscribed()
            b.subscribed()
            a.receiver._hang_up()
            soon(lambda: a.health["connects"] == 2)
            assert state(mosquitto.port) == "online"
            a.receiver.stop()
            assert state(mosquitto.port) == "online"


def test_each_broker_is_told_once_and_only_where_it_is_wanted(mosquitto: Mosquitto, tmp_path: Path) -> None:
    other = Mosquitto(require_server("mosquitto"), tmp_path / "other")
    other.start()
    try:
        plant = plant_with(
            station(mosquitto.port, "a"), station(mosquitto.port, "b"), station(other.port, "c", status=False)
        )
        with announcing(plant, [True]) as made:
            assert [one.broker for one in made] == [f"127.0.0.1:{mosquitto.port}"]
            soon(lambda: state(mosquitto.port) == "online")
            assert state(other.port) is None
    finally:
        other.stop()
    assert announcers(PLANT, lambda: True) == []


def test_a_broker_that_comes_later_is_told_then(tmp_path: Path) -> None:
    broker = Mosquitto(require_server("mosquitto"), tmp_path / "broker")
    with announcing(plant_with(station(broker.port)), [True]) as (one,):
        soon(lambda: one.health()["error"] is not None)
        broker.start()
        try:
            soon(lambda: state(broker.port) == "online")
            broker.restart()
            soon(lambda: one.health()["said"] is None or one.health()["error"] is None)
            soon(lambda: state(broker.port) == "online")
        finally:
            one.stop()
            broker.stop()


def test_its_name_at_the_broker_is_no_station_s() -> None:
    plain = station(1)
    named = dataclasses.replace(plain, client_id="trial")
    names = {announcers(plant_with(s), lambda: True)[0]._client._client_id.decode() for s in (plain, named)}
    assert names == {"plant-monitor-testplant-station-status", "trial-status"}
