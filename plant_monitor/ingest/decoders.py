"""Which decoder reads the messages of a station, and reading again what was refused once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from plant_monitor.errors import InputError
from plant_monitor.ingest.decoding import Decoded, Decoder, Incoming, refusal
from plant_monitor.ingest.mapped import JsonDecoder
from plant_monitor.ingest.payloads import ReadingsDecoder
from plant_monitor.ingest.sparkplug_decoder import SparkplugDecoder
from plant_monitor.ingest.topics import matched
from plant_monitor.payload_maps import JsonMapping, SparkplugMapping
from plant_monitor.plant import MqttStation, Plant
from plant_monitor.readings import Refused


def decoder_of(station: MqttStation, plant: Plant, folder: Path | None = None) -> Decoder:
    """The decoder of a station's messages. ``folder``: where it may keep what it must remember; None: nowhere.

    Raises
    ------
    InputError  the station's topic names no point, or its payload is of no known format
    """
    payload = station.payload
    if isinstance(payload, JsonMapping):
        return JsonDecoder(station, payload, plant)
    if isinstance(payload, SparkplugMapping):
        births = None if folder is None else folder / f"sparkplug-{station.id}.json"
        return SparkplugDecoder(station, payload, plant, births)
    if payload != "readings":
        raise InputError(f"station {station.id}: payload {payload!r}, expected readings (contract 4.4) or a mapping")
    return ReadingsDecoder(station, plant)


def decode_again(plant: Plant, folder: Path | None = None) -> Callable[[Refused], Decoded]:
    """A function that reads what was refused with today's plant.yaml, whatever its time.

    Of several stations that receive a topic the first counts that can read all of it, else the one that reads
    most. ``folder``: the data folder, where birth certificates are kept.
    """
    stations = [(s, decoder_of(s, plant, folder)) for s in plant.devices if isinstance(s, MqttStation)]

    def again(refused: Refused) -> Decoded:
        message = Incoming(refused.source, refused.raw, refused.time_ms, None)
        found = [d.again(message) for s, d in stations if matched(s, refused.source) is not None]
        whole = [one for one in found if not one.refused]
        if whole or found:
            return whole[0] if whole else max(found, key=lambda one: len(one.readings))
        problem = "no station of plant.yaml receives this topic"
        return refusal(refused.raw, refused.source, [problem], refused.time_ms)

    return again
