"""Sparkplug B payloads written field by field, independent of the reader's own tables."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from field_parts import plant_of, series
from mqtt_parts import NOW

from plant_monitor.payload_maps import SparkplugMapping, SparkplugMetric
from plant_monitor.plant import Plant

DOUBLE = 10
MAPPING = SparkplugMapping((SparkplugMetric("Temperature", "water_temperature", point="p"),))


def plant() -> Plant:
    return plant_of(series("p", "water_temperature", unit="degC"), series("q", "water_temperature", unit="degC"))


def varint(value: int) -> bytes:
    made = b""
    while value >= 0x80:
        made, value = made + bytes([value & 0x7F | 0x80]), value >> 7
    return made + bytes([value])


def whole(number: int, value: int) -> bytes:
    """A field of wire type 0."""
    return varint(number << 3) + varint(value)


def lump(number: int, value: bytes) -> bytes:
    """A field of wire type 2."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def double(number: int, value: float) -> bytes:
    """A field of wire type 1."""
    return varint(number << 3 | 1) + struct.pack("<d", value)


def single(number: int, value: float) -> bytes:
    """A field of wire type 5."""
    return varint(number << 3 | 5) + struct.pack("<f", value)


def metric(*parts: bytes, name: str | None = None, **fields: Any) -> bytes:
    """A metric: name, alias, timestamp, datatype, historical, null by word, values as parts."""
    made = b"" if name is None else lump(1, name.encode())
    numbers = {"alias": 2, "timestamp": 3, "datatype": 4, "historical": 5, "null": 7}
    return made + b"".join(whole(numbers[key], int(value)) for key, value in fields.items()) + b"".join(parts)


def payload(*metrics: bytes, seq: int | None = None, timestamp: int | None = NOW) -> bytes:
    made = b"" if timestamp is None else whole(1, timestamp)
    made += b"".join(lump(2, m) for m in metrics)
    return made if seq is None else made + whole(3, seq)


def nbirth(seq: int, metrics: Mapping[int, tuple[str, float]], bdseq: int = 0, timestamp: int = NOW) -> bytes:
    """A birth certificate of doubles: alias -> (name, value)."""
    made = [metric(whole(11, bdseq), name="bdSeq", datatype=8)]
    made += [metric(double(13, v), name=n, alias=a, datatype=DOUBLE) for a, (n, v) in metrics.items()]
    return payload(*made, seq=seq, timestamp=timestamp)


def data(seq: int, values: Mapping[int, float], timestamp: int | None = None) -> bytes:
    """Doubles by alias, a second later for each step of ``seq``."""
    at = NOW + seq * 1000 if timestamp is None else timestamp
    return payload(*(metric(double(13, v), alias=a) for a, v in values.items()), seq=seq, timestamp=at)


def ndeath(bdseq: int) -> bytes:
    return payload(metric(whole(11, bdseq), name="bdSeq", datatype=8))
