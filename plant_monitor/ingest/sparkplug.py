"""Sparkplug B payloads (Eclipse Sparkplug 3.0, ``org.eclipse.tahu.protobuf.Payload``): metrics and numbers. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from plant_monitor.errors import DecodeError
from plant_monitor.ingest.wire import BYTES, FIXED32, FIXED64, VARINT, encoded, fields
from plant_monitor.readings import COMMUNICATION_LOST, NORMAL

NAMESPACE = "spBv1.0"
BDSEQ = "bdSeq"
_REBIRTH = "Node Control/Rebirth"
_COMPRESSED = "SPBV1.0_COMPRESSED"

# Names of data types, by number (sparkplug_b.proto, enum DataType).
# fmt: off
DATATYPES = [
    "Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float", "Double",
    "Boolean", "String", "DateTime", "Text", "UUID", "DataSet", "Bytes", "File", "Template", "PropertySet",
    "PropertySetList", "Int8Array", "Int16Array", "Int32Array", "Int64Array", "UInt8Array", "UInt16Array",
    "UInt32Array", "UInt64Array", "FloatArray", "DoubleArray", "BooleanArray", "StringArray", "DateTimeArray",
]
# fmt: on
_SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}  # bits
_UNSIGNED = {5: 8, 6: 16, 7: 32, 8: 64}
_FLOAT, _DOUBLE, _BOOLEAN = 9, 10, 11
# Fields of Metric that hold its value.
_INT, _LONG, _FLOAT_VALUE, _DOUBLE_VALUE, _BOOL = 10, 11, 12, 13, 14

# The property ``Quality`` (Sparkplug 3.0 §6.4.11): 192 good, 500 stale, 0 bad.
_GOOD, _STALE = 192, 500
_FAULT = ord("D")


@dataclass(frozen=True, slots=True)
class Topic:
    """``spBv1.0/GROUP/TYPE/NODE[/DEVICE]``."""

    group: str
    kind: str  # NBIRTH NDATA NDEATH NCMD DBIRTH DDATA DDEATH DCMD
    node: str
    device: str | None


@dataclass(slots=True)
class Metric:
    """A metric as it was sent."""

    name: str | None = None
    alias: int | None = None
    timestamp: int | None = None  # ms since 1970 UTC
    datatype: int | None = None
    historical: bool = False
    is_null: bool = False
    quality: int | None = None
    field: int | None = None  # which field holds the value
    value: int | float | None = None  # integers as the unsigned number on the wire


@dataclass(slots=True)
class Payload:
    """A payload as it was sent."""

    timestamp: int | None = None  # ms since 1970 UTC
    seq: int | None = None
    metrics: list[Metric] = field(default_factory=list)

    @property
    def bdseq(self) -> int | None:
        """The number that binds a death to its birth."""
        for metric in self.metrics:
            if metric.name == BDSEQ and isinstance(metric.value, int):
                return metric.value
        return None


def parse_topic(topic: str) -> Topic:
    """The parts of a topic.

    Raises
    ------
    DecodeError  it is none of Sparkplug B
    """
    parts = topic.split("/")
    kinds = {4: ("NBIRTH", "NDATA", "NDEATH", "NCMD"), 5: ("DBIRTH", "DDATA", "DDEATH", "DCMD")}
    if parts[0] != NAMESPACE or parts[2:3] == [] or parts[2] not in kinds.get(len(parts), ()):
        raise DecodeError("no Sparkplug topic: spBv1.0/GROUP/N…/NODE or spBv1.0/GROUP/D…/NODE/DEVICE")
    return Topic(parts[1], parts[2], parts[3], parts[4] if len(parts) == 5 else None)


def parse_payload(data: bytes) -> Payload:
    """The payload that bytes mean.

    Raises
    ------
    DecodeError  they are none
    """
    if not data:
        raise DecodeError("an empty payload")
    payload = Payload()
    for number, kind, value in fields(data):
        if number == 1 and kind == VARINT:
            payload.timestamp = int(value)
        elif number == 2 and kind == BYTES:
            payload.metrics.append(_metric(_bytes(value)))
        elif number == 3 and kind == VARINT:
            payload.seq = int(value)
        elif number == 4 and kind == BYTES and _utf8(value) == _COMPRESSED:
            raise DecodeError("a compressed payload, expected a plain one")
    return payload


def _metric(data: bytes) -> Metric:
    metric = Metric()
    for number, kind, value in fields(data):
        if kind == BYTES:
            if number == 1:
                metric.name = _utf8(value)
            elif number == 9:
                metric.quality = _quality(_bytes(value))
            elif number in (15, 16, 17, 18, 19):
                metric.field, metric.value = number, None
        elif kind == VARINT:
            _take_integer(metric, number, int(value))
        elif (number, kind) in ((_FLOAT_VALUE, FIXED32), (_DOUBLE_VALUE, FIXED64)):
            metric.field = number
            metric.value = struct.unpack("<f" if kind == FIXED32 else "<d", _bytes(value))[0]
    return metric


def _take_integer(metric: Metric, number: int, value: int) -> None:
    if number == 2:
        metric.alias = value
    elif number == 3:
        metric.timestamp = value
    elif number == 4:
        metric.datatype = value
    elif number == 5:
        metric.historical = bool(value)
    elif number == 7:
        metric.is_null = bool(value)
    elif number in (_INT, _LONG, _BOOL):
        metric.field, metric.value = number, value


def _quality(data: bytes) -> int | None:
    """The property ``Quality`` of a PropertySet: keys and values stand side by side."""
    keys, values = [], list[int | None]()
    for number, kind, value in fields(data):
        if kind == BYTES and number == 1:
            keys.append(_utf8(value))
        elif kind == BYTES and number == 2:
            integers = {n: int(v) for n, k, v in fields(_bytes(value)) if k == VARINT}
            values.append(integers.get(3, integers.get(4)))
    return dict(zip(keys, values, strict=False)).get("Quality")


def _bytes(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else b""


def _utf8(value: int | bytes) -> str:
    try:
        return str(_bytes(value), "utf-8")
    except UnicodeDecodeError:
        raise DecodeError("text that is no UTF-8") from None


def number_of(metric: Metric, datatype: int | None) -> float | str:
    """The value of a metric as float64, NaN where it is null; or what is wrong with it.

    ``datatype`` that of the birth, where the metric does not state its own. Without one an integer is refused:
    of -1 and 4294967295 the wire shows the same.
    """
    kind = metric.datatype or datatype or 0
    if metric.is_null:
        return float("nan")
    value = metric.value
    if metric.field in (_FLOAT_VALUE, _DOUBLE_VALUE) and kind in (0, _FLOAT, _DOUBLE) and value is not None:
        return float(value)
    if metric.field in (_INT, _LONG) and isinstance(value, int) and (kind in _SIGNED or kind in _UNSIGNED):
        whole = _signed(value, _SIGNED[kind]) if kind in _SIGNED else value if value >> _UNSIGNED[kind] == 0 else None
        return float(whole) if whole is not None else f"{value}, which is no {DATATYPES[kind]}"
    if metric.field == _BOOL and kind in (0, _BOOLEAN) and value is not None:
        return float(bool(value))
    return _why_no_number(metric, kind)


def _signed(raw: int, bits: int) -> int | None:
    """A two's complement of so many bits; senders extend the sign to 32 or 64 bits or do not."""
    for width in (bits, 32, 64):
        if 0 <= raw < 1 << (bits - 1):
            return raw
        if (1 << width) - (1 << (bits - 1)) <= raw < 1 << width:
            return raw - (1 << width)
    return None


def _why_no_number(metric: Metric, kind: int) -> str:
    if metric.field is None:
        return "no value, expected one or is_null"
    if kind == 0 and metric.field in (_INT, _LONG):
        return "an integer of unknown datatype: the birth certificate is not known"
    named = DATATYPES[kind] if kind < len(DATATYPES) else str(kind)
    return f"a value of datatype {named}, expected a number"


def mark_of(metric: Metric) -> int:
    """The mark that a metric's quality means: good or none ``N``, stale ``B``, anything else ``D``."""
    if metric.quality in (None, _GOOD):
        return NORMAL
    return COMMUNICATION_LOST if metric.quality == _STALE else _FAULT


def rebirth_request(timestamp_ms: int) -> bytes:
    """The payload that asks a node for its birth certificates."""
    metric = encoded(1, _REBIRTH.encode()) + encoded(3, timestamp_ms) + encoded(4, _BOOLEAN) + encoded(_BOOL, 1)
    return encoded(1, timestamp_ms) + encoded(2, metric)
