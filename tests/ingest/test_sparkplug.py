"""Sparkplug B: the wire, the numbers, births and aliases, what is missing; against payloads written field by field."""

from __future__ import annotations

import base64
import csv
import dataclasses
import json
import math
import struct
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from field_parts import HOUR, SECOND
from hypothesis import given
from hypothesis import strategies as st
from mqtt_parts import NOW
from sparkplug_parts import (
    DOUBLE,
    MAPPING,
    data,
    double,
    lump,
    metric,
    nbirth,
    ndeath,
    payload,
    plant,
    single,
    varint,
    whole,
)

from plant_monitor.errors import DecodeError
from plant_monitor.ingest.births import Sequence
from plant_monitor.ingest.decoders import decode_again, decoder_of
from plant_monitor.ingest.decoding import SIZE_LIMIT, Decoded, Incoming
from plant_monitor.ingest.sparkplug import parse_payload, parse_topic, rebirth_request
from plant_monitor.ingest.sparkplug_decoder import SparkplugDecoder
from plant_monitor.ingest.wire import encoded, fields
from plant_monitor.payload_maps import SparkplugMapping, SparkplugMetric
from plant_monitor.plant import MqttStation
from plant_monitor.readings import Refused

PLANT = plant()
FILTER = "spBv1.0/g/+/n/#"


class Node:
    """A decoder, and an edge node ``n`` with its device ``d`` that send to it."""

    def __init__(
        self, mapping: SparkplugMapping = MAPPING, folder: Path | None = None, point: str | None = None
    ) -> None:
        self.station = MqttStation("s", "h", 1883, False, FILTER, payload=mapping, point=point)
        decoder = decoder_of(self.station, PLANT, folder)
        assert isinstance(decoder, SparkplugDecoder)
        self.decoder = decoder

    def send(self, kind: str, content: bytes, *, now: int = NOW, repeated: bool = False) -> Decoded:
        topic = f"spBv1.0/g/{kind}/n" + ("/d" if kind[0] == "D" else "")
        return self.decoder.decode(Incoming(topic, content, now, now, repeated))

    def values(self, kind: str, content: bytes, **more: Any) -> list[float]:
        decoded = self.send(kind, content, **more)
        assert decoded.refused == ()
        return decoded.readings.value.tolist()

    def problem(self, kind: str, content: bytes, **more: Any) -> str:
        decoded = self.send(kind, content, **more)
        assert len(decoded.readings) == 0
        (problem,) = decoded.problems
        assert decoded.refused[0].raw == content
        return problem

    @property
    def health(self) -> dict[str, int]:
        return dict(self.decoder.health())


# --- what others have made -------------------------------------------------------------------------


def test_the_captured_vectors(test_data: Path) -> None:
    vectors = json.loads((test_data / "mqtt" / "sparkplug_b_vectors.json").read_text())["vectors"]
    sent = {v["name"]: base64.b64decode(v["base64"]) for v in vectors}
    at = 1750855643474
    for vector in vectors:
        if vector["name"] != "NDEATH_V1":
            assert len(parse_payload(sent[vector["name"]]).metrics) == int(vector["metric_count"])
    node = Node()
    assert "no birth certificate" in node.problem("NDATA", sent["NDATA_BEFORE_BIRTH"], now=at)
    birth = node.send("NBIRTH", sent["NBIRTH_V1"], now=at)
    assert (birth.readings.time.tolist(), birth.readings.value.tolist()) == ([at], [21.5])
    assert node.values("NDATA", sent["NDATA_V1"], now=at) == [22.5]
    assert node.values("NDEATH", sent["NDEATH_V1"], now=at) == []
    assert node.health["deaths"] == 0, "its number is not that of the birth: it is of an earlier life"
    assert node.values("NDATA", sent["NDATA_BEFORE_BIRTH"], now=at) == [25.0]


def test_a_captured_production_sequence(test_data: Path) -> None:
    """Which messages of a plant are missing: the numbers go round at 255; a node and its devices count together."""
    text = (test_data / "mqtt" / "sparkplug_production_sequence_part1.csv").read_text()
    rows = list(csv.DictReader(line for line in text.splitlines() if line and line[0] != "#"))
    station = MqttStation("s", "h", 1883, False, "spBv1.0/org_A/+/+/#", payload=MAPPING)
    decoder = decoder_of(station, PLANT)
    unread = 0
    sent: list[Incoming] = []
    for row in rows:
        names = [metric(double(13, 1.0), name=f"m{i}") for i in range(int(row["metric_count"]))]
        content = payload(*names, seq=int(row["seq"]), timestamp=int(row["payload_timestamp"])) if row["seq"] else b""
        sent.append(Incoming(row["topic"], content, NOW, None))
        decoded = decoder.decode(sent[-1])
        unread += len(decoded.refused)
        assert len(decoded.refused) == (not row["seq"])
    health = decoder.health()
    assert (len(rows), unread, health["gaps"], health["missing"]) == (253, 7, 7, 9)
    for message in sent[-100:]:  # all of it once more, as after a lost acknowledgement
        decoder.decode(dataclasses.replace(message, repeated=True))
    assert decoder.health()["missing"] == 9


# --- the wire --------------------------------------------------------------------------------------


def test_fields_of_every_kind() -> None:
    content = whole(1, 2**64 - 1) + double(13, 1.5) + lump(2, b"xy") + single(12, 0.5)
    assert list(fields(content)) == [
        (1, 0, 2**64 - 1),
        (13, 1, struct.pack("<d", 1.5)),
        (2, 2, b"xy"),
        (12, 5, struct.pack("<f", 0.5)),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"\x08",  # no value
        b"\x08\x80",  # a cut number
        b"\x08" + b"\xff" * 11,  # too long a number
        b"\x0a\x05abc",  # shorter than it says
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x0d\x00\x00",  # half a float
        b"\x09\x00\x00\x00\x00",  # half a double
        b"\x0b\x0c",  # a group
        b"\x0e",  # wire type 6
        b"\x00\x01",  # field 0
        lump(2, lump(1, b"\xff")),  # a name that is no UTF-8
        lump(2, lump(9, b"\x08")),
        lump(4, b"SPBV1.0_COMPRESSED") + lump(5, b"xx"),
        b"",
    ],
)
def test_what_is_no_payload_is_refused_whole(content: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_payload(content)
    assert Node().problem("NDATA", content)


def test_unknown_fields_are_passed_over() -> None:
    content = payload(metric(double(13, 5.0), lump(99, b"x"), single(77, 1.0), name="Temperature", datatype=DOUBLE))
    assert Node().values("NDATA", content + lump(6, b"ext") + double(100, 1)) == [5.0]


def test_a_request_for_rebirth_is_what_the_specification_says() -> None:
    (asked,) = parse_payload(rebirth_request(NOW)).metrics
    assert (asked.name, asked.datatype, asked.field, asked.value) == ("Node Control/Rebirth", 11, 14, 1)


@given(st.integers(1, 2**29 - 1), st.integers(0, 2**64 - 1), st.binary(max_size=300))
def test_what_is_written_is_read(number: int, value: int, text: bytes) -> None:
    assert list(fields(encoded(number, value) + encoded(number, text))) == [(number, 0, value), (number, 2, text)]
    assert encoded(number, value) == whole(number, value) and varint(len(text)) in encoded(number, text)


# --- topics ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topic",
    [
        "spBv1.0/g/NDATA",
        "spBv1.0/g/NDATA/n/d",
        "spBv1.0/g/DDATA/n",
        "spBv1.0/g/DDATA/n/d/e",
        "spAv1.0/g/NDATA/n",
        "spBv1.0/STATE/host",
        "spBv1.0",
        "",
        "plants/p/a/readings",
    ],
)
def test_topics_that_are_none(topic: str) -> None:
    with pytest.raises(DecodeError, match="no Sparkplug topic"):
        parse_topic(topic)
    decoded = Node().decoder.decode(Incoming(topic, data(1, {}), NOW, NOW))
    assert "no Sparkplug topic" in decoded.problems[0]


def test_commands_of_others_are_no_readings() -> None:
    node = Node()
    assert node.values("NCMD", b"\xff") == [] and node.values("DCMD", b"") == []
    assert node.health["commands"] == 2


# --- numbers ---------------------------------------------------------------------------------------

INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, FLOAT, _, BOOLEAN, STRING, DATETIME = range(1, 14)


@pytest.mark.parametrize(
    ("datatype", "value", "expected"),
    [
        (INT8, whole(10, 127), 127.0),
        (INT8, whole(10, 0xFF), -1.0),
        (INT8, whole(10, 0xFFFFFFFF), -1.0),
        (INT8, whole(10, 128), -128.0),
        (INT16, whole(10, 0xFFFE), -2.0),
        (INT16, whole(10, 0xFFFFFFFE), -2.0),
        (INT32, whole(10, 0xFFFFFFFF), -1.0),
        (INT32, whole(11, 2**64 - 1), -1.0),
        (INT32, whole(10, 2**31 - 1), 2.0**31 - 1),
        (INT64, whole(11, 2**64 - 5), -5.0),
        (INT64, whole(10, 5), 5.0),
        (UINT8, whole(10, 255), 255.0),
        (UINT16, whole(10, 65535), 65535.0),
        (UINT32, whole(10, 2**32 - 1), 2.0**32 - 1),
        (UINT32, whole(11, 2**32 - 1), 2.0**32 - 1),
        (UINT64, whole(11, 2**64 - 1), 2.0**64),
        (FLOAT, single(12, 7.1), struct.unpack("<f", struct.pack("<f", 7.1))[0]),
        (FLOAT, double(13, 7.1), 7.1),
        (DOUBLE, double(13, 7.1), 7.1),
        (DOUBLE, double(13, -0.0), -0.0),
        (DOUBLE, double(13, math.inf), math.inf),
        (BOOLEAN, whole(14, 1), 1.0),
        (BOOLEAN, whole(14, 0), 0.0),
        (None, double(13, 7.1), 7.1),
        (None, single(12, 0.5), 0.5),
        (None, whole(14, 1), 1.0),
    ],
)
def test_numbers(datatype: int | None, value: bytes, expected: float) -> None:
    """Signed integers are on the wire as unsigned ones of 32 or 64 bits, extended or not; the datatype tells."""
    stated = {} if datatype is None else {"datatype": datatype}
    (found,) = Node().values("NDATA", payload(metric(value, name="Temperature", **stated)))
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("datatype", "value", "why"),
    [
        (None, whole(10, 5), "unknown datatype"),
        (0, whole(11, 5), "unknown datatype"),
        (INT8, whole(10, 300), "300, which is no Int8"),
        (INT16, whole(10, 70_000), "no Int16"),
        (UINT8, whole(10, 256), "no UInt8"),
        (UINT16, whole(10, 2**32 - 1), "no UInt16"),
        (STRING, lump(15, b"7.1"), "String"),
        (DATETIME, whole(11, NOW), "DateTime"),
        (INT32, double(13, 1.5), "Int32"),
        (DOUBLE, whole(10, 5), "Double"),
        (99, whole(10, 5), "datatype 99"),
        (DOUBLE, b"", "no value"),
        (DOUBLE, lump(13, b"12345678"), "no value"),  # another wire type: not the field it looks like
        (19, lump(18, b""), "Template"),
    ],
)
def test_what_is_no_number(datatype: int | None, value: bytes, why: str) -> None:
    stated = {} if datatype is None else {"datatype": datatype}
    problem = Node().problem("NDATA", payload(metric(value, name="Temperature", **stated)))
    assert problem.startswith("Temperature: ") and why in problem


def test_null_is_a_reading_without_value() -> None:
    (found,) = Node().values("NDATA", payload(metric(name="Temperature", datatype=DOUBLE, null=True)))
    assert math.isnan(found)


def quality(code: int) -> bytes:
    values = whole(1, INT32) + whole(3, code)
    return lump(9, lump(1, b"engUnit") + lump(1, b"Quality") + lump(2, lump(8, b"C")) + lump(2, values))


@pytest.mark.parametrize(("code", "mark"), [(192, "N"), (500, "B"), (0, "D"), (64, "D")])
def test_quality_is_a_mark(code: int, mark: str) -> None:
    decoded = Node().send("NDATA", payload(metric(double(13, 7.0), quality(code), name="Temperature")))
    assert [chr(m) for m in decoded.readings.mark.tolist()] == [mark] and decoded.readings.value.tolist() == [7.0]


def test_times_are_those_of_metrics_else_of_the_message_and_history_is_taken() -> None:
    node = Node()
    old = metric(double(13, 1.0), name="Temperature", timestamp=NOW - HOUR, historical=True)
    new = metric(double(13, 2.0), name="Temperature")
    decoded = node.send("NDATA", payload(old, new))
    assert decoded.readings.time.tolist() == [NOW - HOUR, NOW] and node.health["historical"] == 1
    assert "time: nothing" in node.problem("NDATA", payload(new, timestamp=None))
    assert "10 minutes ahead" in node.problem("NDATA", payload(new, timestamp=NOW + 11 * 60 * SECOND))
    assert "400 days old" in node.problem("NDATA", payload(new, timestamp=5))
    assert "ahead" in node.problem("NDATA", payload(new, timestamp=2**64 - 1))


# --- which series ----------------------------------------------------------------------------------


def test_metrics_of_nodes_and_devices_go_where_the_plant_says() -> None:
    mapping = SparkplugMapping(
        (
            SparkplugMetric("T", "water_temperature", device="d", point="q"),
            SparkplugMetric("T", "water_temperature", point="p"),
            SparkplugMetric("U", "water_temperature", node="other", point="p"),
        )
    )
    node = Node(mapping)
    content = payload(metric(double(13, 1.0), name="T"), metric(double(13, 2.0), name="U"))
    assert node.send("DDATA", content).readings.series.tolist() == [1]
    assert node.send("NDATA", content).readings.series.tolist() == [0]


def test_the_point_may_be_the_name_of_the_device() -> None:
    mapping = SparkplugMapping((SparkplugMetric("T", "water_temperature"),), points=(("n.d", "q"),))
    content = payload(metric(double(13, 1.0), name="T"))
    assert Node(mapping, point="{node}.{device}").send("DDATA", content).readings.series.tolist() == [1]
    assert "unknown point 'd'" in Node(mapping, point="{device}").problem("DDATA", content)


def test_units_and_scales() -> None:
    mapping = SparkplugMapping(
        (SparkplugMetric("F", "water_temperature", point="p", scale=Fraction(1, 2), offset=Fraction(Decimal("-16"))),)
    )
    assert Node(mapping).values("NDATA", payload(metric(double(13, 100.0), name="F"))) == [34.0]


# --- births, aliases, deaths -----------------------------------------------------------------------


def dbirth(seq: int, alias: int = 7) -> bytes:
    return payload(metric(double(13, 1.0), name="Temperature", alias=alias, datatype=DOUBLE), seq=seq)


def test_aliases_are_those_of_the_last_birth_of_the_same_node_or_device() -> None:
    node = Node()
    assert node.values("NBIRTH", nbirth(0, {100: ("Temperature", 21.5), 101: ("other", 1.0)})) == [21.5]
    assert node.values("NDATA", data(1, {100: 22.5, 101: 3.0})) == [22.5]
    assert "no birth certificate of 'n/d'" in node.problem("DDATA", data(2, {100: 5.0}))
    assert node.values("DBIRTH", dbirth(3)) == [1.0]
    assert node.values("DDATA", data(4, {7: 5.0})) == [5.0]
    assert node.values("NBIRTH", nbirth(0, {101: ("Temperature", 1.0), 100: ("other", 2.0)})) == [1.0]
    assert node.values("NDATA", data(1, {100: 9.0})) == []
    assert "no birth certificate of 'n/d'" in node.problem("DDATA", data(2, {7: 5.0})), "devices are born anew"


def test_integers_by_alias_have_the_datatype_of_the_birth() -> None:
    node = Node()
    born = payload(metric(whole(10, 0xFFFF), name="Temperature", alias=1, datatype=INT16), seq=0)
    assert node.values("NBIRTH", born) == [-1.0]
    assert node.values("NDATA", payload(metric(whole(10, 0xFFFE), alias=1), seq=1)) == [-2.0]
    assert node.values("NDATA", payload(metric(whole(10, 0xFFFD), name="Temperature"), seq=2)) == [-3.0]


def test_an_alias_that_the_birth_does_not_name_is_refused_and_others_are_taken() -> None:
    node = Node()
    node.send("NBIRTH", nbirth(0, {100: ("Temperature", 21.5)}))
    decoded = node.send("NDATA", data(1, {100: 1.0, **dict.fromkeys(range(8), 2.0)}))
    assert decoded.readings.value.tolist() == [1.0]
    assert decoded.problems == (
        "8 metrics by alias (0, 1, 2, 3, 4, …) that the birth certificate of 'n' does not name, or did not name then",
    )


def test_an_alias_that_a_birth_gives_to_two_names_means_neither() -> None:
    node = Node()
    twice = [metric(double(13, v), name=n, alias=5, datatype=DOUBLE) for n, v in (("Temperature", 1.0), ("other", 2.0))]
    assert node.values("NBIRTH", payload(*twice, seq=0)) == [1.0]
    assert "does not name" in node.problem("NDATA", data(1, {5: 3.0}))
    assert "by alias (5)" in node.problem("NBIRTH", payload(metric(double(13, 1.0), alias=5), seq=0))


def test_a_death_ends_the_trust_in_aliases_and_a_late_one_of_an_earlier_life_does_not() -> None:
    node = Node()
    node.send("NBIRTH", nbirth(0, {100: ("Temperature", 1.0)}, bdseq=4))
    node.send("DBIRTH", dbirth(1))
    node.send("NDEATH", ndeath(3))
    assert node.values("NDATA", data(2, {100: 2.0})) == [2.0] and node.health["deaths"] == 0
    node.send("DDEATH", payload(seq=3))
    assert node.problem("DDATA", data(4, {7: 5.0}))
    assert node.values("NDATA", data(5, {100: 2.0})) == [2.0]
    node.send("NDEATH", ndeath(4))
    assert "no birth certificate" in node.problem("NDATA", data(6, {100: 2.0}))
    node.send("NBIRTH", nbirth(0, {100: ("Temperature", 1.0)}, bdseq=5))
    node.send("NDEATH", b"")
    assert node.problem("NDATA", data(1, {100: 2.0})), "an empty death is a death"
    assert node.health["deaths"] == 3


def test_births_outlive_the_process_and_deaths_too(tmp_path: Path) -> None:
    Node(folder=tmp_path).send("NBIRTH", nbirth(0, {100: ("Temperature", 1.0)}, bdseq=4))
    node = Node(folder=tmp_path)
    assert node.values("NDATA", data(9, {100: 2.0})) == [2.0] and node.health["gaps"] == 0
    node.send("NDEATH", ndeath(4))
    assert Node(folder=tmp_path).problem("NDATA", data(10, {100: 2.0}))


def test_a_lost_session_ends_the_trust_in_aliases_until_the_next_birth(tmp_path: Path) -> None:
    node = Node(folder=tmp_path)
    node.send("NBIRTH", nbirth(0, {100: ("Temperature", 1.0)}))
    node.decoder.session_lost()
    assert node.problem("NDATA", data(1, {100: 2.0}))
    assert Node(folder=tmp_path).problem("NDATA", data(2, {100: 2.0}))
    node.send("NBIRTH", nbirth(0, {100: ("Temperature", 1.0)}))
    assert node.values("NDATA", data(1, {100: 2.0})) == [2.0]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 2, "nodes": []}', '{"format": 1, "nodes": [{}]}', '{"format": 1}']
)
def test_a_file_of_births_that_cannot_be_read_is_no_birth(tmp_path: Path, text: str) -> None:
    (tmp_path / "sparkplug-s.json").write_text(text)
    node = Node(folder=tmp_path)
    assert node.problem("NDATA", data(2, {100: 2.0}))
    node.send("NBIRTH", nbirth(0, {100: ("Temperature", 1.0)}))
    assert Node(folder=tmp_path).values("NDATA", data(1, {100: 2.0})) == [2.0]


def test_births_that_cannot_be_kept_are_known_all_the_same(tmp_path: Path) -> None:
    node = Node(folder=tmp_path / "gone")
    assert node.values("NBIRTH", nbirth(0, {100: ("Temperature", 1.0)})) == [1.0]
    assert node.values("NDATA", data(1, {100: 2.0})) == [2.0]


def test_rebirth_is_asked_for_only_where_the_plant_says_so_and_not_too_often() -> None:
    silent = Node()
    silent.problem("NDATA", data(1, {100: 2.0}))
    assert list(silent.decoder.outgoing()) == []
    node = Node(dataclasses.replace(MAPPING, rebirth=True))
    for i in range(3):
        node.problem("DDATA", data(i, {100: 2.0}), now=NOW + i * SECOND)
    ((topic, content),) = node.decoder.outgoing()
    assert topic == "spBv1.0/g/NCMD/n" and parse_payload(content).metrics[0].name == "Node Control/Rebirth"
    assert list(node.decoder.outgoing()) == []
    node.problem("NDATA", data(9, {100: 2.0}), now=NOW + 61 * SECOND)
    assert len(node.decoder.outgoing()) == 1


# --- read again ------------------------------------------------------------------------------------


def test_data_by_alias_are_read_again_only_where_births_before_and_after_say_the_same(tmp_path: Path) -> None:
    node = Node(folder=tmp_path)
    early = data(1, {100: 2.0}, timestamp=NOW - SECOND)
    between = data(3, {100: 3.0}, timestamp=NOW + 20 * SECOND)
    refused = [*node.send("NDATA", early).refused]
    node.send("NBIRTH", nbirth(0, {100: ("Temperature", 1.0)}, timestamp=NOW))
    node.send("NDEATH", ndeath(0))
    refused += node.send("NDATA", between).refused
    plant = dataclasses.replace(PLANT, devices=(node.station,))
    for one in refused:
        assert decode_again(plant, tmp_path)(one).refused, "no birth holds yet"
    node.send("NBIRTH", nbirth(0, {100: ("Temperature", 4.0)}, bdseq=1, timestamp=NOW + 60 * SECOND))
    first, second = (decode_again(plant, tmp_path)(one) for one in refused)
    assert first.refused and len(first.readings) == 0, "what aliases meant before the first birth nobody knows"
    assert second.refused == () and second.readings.value.tolist() == [3.0]
    node.send("NBIRTH", nbirth(0, {100: ("other", 4.0)}, bdseq=2, timestamp=NOW + 90 * SECOND))
    assert decode_again(plant, tmp_path)(refused[1]).refused, "another birth: it may have been so then"
    assert node.health["births"] == 3


def test_reading_again_teaches_nothing(tmp_path: Path) -> None:
    node = Node(folder=tmp_path)
    plant = dataclasses.replace(PLANT, devices=(node.station,))
    birth = Refused("spBv1.0/g/NBIRTH/n", "x", nbirth(0, {100: ("Temperature", 1.0)}), NOW)
    assert decode_again(plant, tmp_path)(birth).readings.value.tolist() == [1.0]
    assert list(tmp_path.iterdir()) == []


# --- what is missing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "missing"),
    [
        ([(0, 0), (1, 1), (2, 2)], 0),
        ([(254, 0), (255, 1), (0, 2)], 0),
        ([(1, 0), (5, 1)], 3),
        ([(250, 0), (3, 1)], 8),
        ([(5, 0), (5, 0), (6, 1)], 0),  # the same message again
        ([(5, 5), (3, 3), (4, 4), (6, 6)], 0),  # overtaken
        ([(5, 0), (5, 9)], 255),  # the same number at another time: all the others
        ([(5, 0), (4, 1)], 254),
    ],
)
def test_gaps_of_a_sequence(steps: list[tuple[int, int]], missing: int) -> None:
    sequence = Sequence()
    assert sum(sequence.follow(seq, ms, repeated=False) for seq, ms in steps) == missing


def test_a_birth_begins_the_count_anew() -> None:
    node = Node()
    node.send("NBIRTH", nbirth(0, {100: ("Temperature", 1.0)}))
    node.send("NDATA", data(1, {}))
    node.send("NDATA", data(4, {}))
    assert (node.health["gaps"], node.health["missing"]) == (1, 2)
    node.send("NBIRTH", nbirth(0, {100: ("Temperature", 1.0)}, timestamp=NOW + 10 * SECOND))
    node.send("NDATA", data(1, {}, timestamp=NOW + 11 * SECOND))
    assert node.health["gaps"] == 1


def test_an_oversized_message_is_named() -> None:
    assert str(SIZE_LIMIT + 1) in Node().send("NDATA", b"\x0a" * (SIZE_LIMIT + 1)).problems[0]


# --- the law ---------------------------------------------------------------------------------------

VALUES = st.one_of(
    st.floats().map(lambda v: double(13, v)),
    st.floats(width=32).map(lambda v: single(12, v)),
    st.integers(0, 2**32 - 1).map(lambda v: whole(10, v)),
    st.integers(0, 2**64 - 1).map(lambda v: whole(11, v)),
    st.booleans().map(lambda v: whole(14, int(v))),
    st.text(max_size=3).map(lambda v: lump(15, v.encode("utf-8", "replace"))),
    st.just(b""),
)
METRICS = st.builds(
    lambda value, name, more: metric(value, name=name, **more),
    VALUES,
    st.sampled_from(["Temperature", "other", None]),
    st.fixed_dictionaries(
        {},
        optional={
            "alias": st.sampled_from([100, 101, 2**63]),
            "datatype": st.integers(0, 40),
            "timestamp": st.integers(NOW - HOUR, NOW) | st.integers(0, 2**64 - 1),
            "null": st.booleans(),
            "historical": st.booleans(),
        },
    ),
)


@given(st.lists(METRICS, max_size=5), st.sampled_from(["NBIRTH", "NDATA", "DBIRTH", "DDATA", "NDEATH"]))
def test_every_metric_the_plant_names_is_a_reading_or_a_problem(metrics: list[bytes], kind: str) -> None:
    node = Node()
    node.send("NBIRTH", nbirth(0, {100: ("Temperature", 1.0)}))
    decoded = node.send(kind, payload(*metrics, seq=1))
    assert len(decoded.refused) == (len(decoded.problems) > 0)
    named = sum(m.startswith(lump(1, b"Temperature")) for m in metrics)
    if kind == "NDATA":  # which name a metric of alias 100 and no name has
        named += sum(p.name is None and p.alias == 100 for p in parse_payload(payload(*metrics)).metrics)
    told = sum(p.startswith("Temperature: ") for p in decoded.problems)
    assert len(decoded.readings) + told == (0 if kind == "NDEATH" else named)
    for refused in decoded.refused:
        assert refused.raw == payload(*metrics, seq=1) and refused.reason.encode()


@given(st.binary(max_size=120), st.sampled_from(["NBIRTH", "NDATA", "DDATA", "NDEATH", "DBIRTH"]), st.text(max_size=10))
def test_no_bytes_make_it_fail(content: bytes, kind: str, topic: str) -> None:
    node = Node()
    for refused in node.send(kind, content).refused:
        assert refused.raw == content and refused.reason.encode()
    assert node.decoder.decode(Incoming(topic, content, NOW, NOW)).refused


@given(st.data())
def test_damaged_payloads_do_not_make_it_fail(draw: st.DataObject) -> None:
    content = bytearray(nbirth(0, {100: ("Temperature", 21.5), 101: ("other", 1.0)}))
    for _ in range(draw.draw(st.integers(1, 4))):
        content[draw.draw(st.integers(0, len(content) - 1))] = draw.draw(st.integers(0, 255))
    cut = bytes(content[: draw.draw(st.integers(0, len(content)))])
    node = Node()
    for refused in node.send("NBIRTH", cut).refused:
        assert refused.raw == cut
    node.send("NDATA", data(1, {100: 1.0}))
