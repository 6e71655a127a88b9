"""Foreign JSON by the mapping of plant.yaml, from the file to the readings."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from field_parts import HOUR, MIDNIGHT, MINUTE, SECOND
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.config.plant_file import parse_plant
from plant_monitor.ingest.decoders import decode_again, decoder_of
from plant_monitor.ingest.decoding import KEPT_OF_OVERSIZED, SIZE_LIMIT, Decoded, Incoming
from plant_monitor.plant import MqttStation, Plant

NOW = MIDNIGHT + 8 * HOUR
YEAR = 365 * 24 * HOUR
PLANT = """
plant: {id: p, name: {zh: 厂, en: plant}, timezone: Asia/Shanghai, capacity_m3_d: 100}
points:
  - {id: a, role: process, parameters: {water_temperature: {interval: 1m}, flow: {interval: 1m, unit: m3/h}, ph: {interval: 1m}}}
  - {id: b, role: process, parameters: {water_temperature: {interval: 1m}, flow: {interval: 1m, unit: L/s}, humidity: {unit: '%', interval: 1m}}}
devices:
  - id: s
    protocol: mqtt
    broker: mqtt://h
"""  # noqa: E501


SECOND_STATION = """
  - id: s2
    protocol: mqtt
    broker: mqtt://h
"""


def indented(keys: str) -> str:
    return "\n".join(f"    {line}" for line in keys.strip("\n").splitlines())


def plant_of(device: str) -> Plant:
    """The plant with one station; ``device``: its further keys, in YAML."""
    return parse_plant(PLANT + indented(device), "plant.yaml", {})


class Station:
    """A station of a plant.yaml, and what it makes of messages."""

    def __init__(self, device: str) -> None:
        self.plant = plant_of(device)
        (station,) = self.plant.devices
        assert isinstance(station, MqttStation)
        self.decoder = decoder_of(station, self.plant)

    def decode(self, content: Any, topic: str = "t", *, now: int = NOW, live: bool = True) -> Decoded:
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.decoder.decode(Incoming(topic, payload, now, now if live else None))

    def found(self, decoded: Decoded) -> list[tuple[str, str, int, float | None, str]]:
        """(point, parameter, ms since NOW, value, mark)."""
        r = decoded.readings
        rows = zip(r.time.tolist(), r.series.tolist(), r.value.tolist(), r.mark.tolist(), strict=True)
        return [
            (self.plant.series[s].point, self.plant.series[s].parameter, t - NOW, None if math.isnan(v) else v, chr(m))
            for t, s, v, m in rows
        ]

    def read(self, content: Any, topic: str = "t", **more: Any) -> list[tuple[str, str, int, float | None, str]]:
        decoded = self.decode(content, topic, **more)
        assert decoded.refused == () and decoded.problems == ()
        return self.found(decoded)


PLAIN = """
topic: t
point: a
payload:
  values:
    - {path: temperature, parameter: water_temperature}
    - {path: pH, parameter: ph}
"""
TIMED = """
topic: t
point: a
payload:
  time: {path: ts, format: epoch_ms}
  values:
    - {path: values.temperature, parameter: water_temperature}
    - {path: values.pH, parameter: ph}
"""


# --- the five shapes that ThingsBoard documents ----------------------------------------------------


def shapes(test_data: Path) -> dict[str, dict[str, Any]]:
    text = (test_data / "mqtt" / "thingsboard_payload_shapes.json").read_text()
    return {e["meaning"]: e for e in json.loads(text)["examples"]}


def test_thingsboard_without_time(test_data: Path) -> None:
    station = Station(
        """
topic: v1/devices/me/telemetry
point: b
payload:
  values: [{path: temperature, parameter: water_temperature}, {path: humidity, parameter: humidity}]
"""
    )
    shape = shapes(test_data)["no timestamp: server receive time"]
    assert station.decoder.host_stamped
    assert station.read(shape["payload"], shape["topic"]) == [
        ("b", "water_temperature", 0, 22.5, "N"),
        ("b", "humidity", 0, 61.0, "N"),
    ]


def test_thingsboard_with_the_device_s_time_and_as_a_batch(test_data: Path) -> None:
    station = Station(
        """
topic: v1/devices/me/telemetry
point: b
payload:
  time: {path: ts, format: epoch_ms}
  values: [{path: values.temperature, parameter: water_temperature}, {path: values.humidity, parameter: humidity}]
"""
    )
    one, batch = (shapes(test_data)[meaning] for meaning in ("device time, ms", "batch"))
    at = 1451649600512
    assert not station.decoder.host_stamped
    assert station.read(one["payload"], one["topic"], now=at) == [
        ("b", "water_temperature", at - NOW, 22.5, "N"),
        ("b", "humidity", at - NOW, 61.0, "N"),
    ]
    assert [row[2:4] for row in station.read(batch["payload"], batch["topic"], now=at)] == [
        (1451649600000 - NOW, 22.5),
        (1451649600000 - NOW, 61.0),
        (1451649601000 - NOW, 22.7),
        (1451649601000 - NOW, 60.0),
    ]
    assert len(station.decode(one["payload"], one["topic"]).refused) == 1, "it is years old by now"


GATEWAY = """
topic: v1/gateway/telemetry
point: '{key}'
payload:
  records: $.*[*]
  points: {Device A: a, Device B: b}
  time: {path: ts, format: epoch_ms, missing: receipt}
  values: [{path: values.temperature, parameter: water_temperature}]
"""


def test_thingsboard_gateway_of_several_devices(test_data: Path) -> None:
    station = Station(GATEWAY)
    shape = shapes(test_data)["several devices; ts optional"]
    at = 1483228800000
    assert station.read(shape["payload"], shape["topic"], now=at) == [
        ("a", "water_temperature", at - NOW, 42.0, "N"),
        ("a", "water_temperature", at + 1000 - NOW, 43.0, "N"),
        ("b", "water_temperature", at - NOW, 42.0, "N"),
    ]
    without = {"Device A": [{"values": {"temperature": 1}}, {"values": {"temperature": 2}}]}
    assert [row[2:4] for row in station.read(without, shape["topic"])] == [(0, 1.0), (1, 2.0)]


def test_thingsboard_list_without_time(test_data: Path) -> None:
    """Texts are no values unless the mapping says that decimals come in quotes."""
    shape = shapes(test_data)["array without ts"]
    station = Station(
        """
topic: v1/devices/me/telemetry
point: a
payload:
  values: [{path: key1, parameter: ph, accepts: text}, {path: key2, parameter: flow, accepts: text}]
"""
    )
    decoded = station.decode(shape["payload"], shape["topic"])
    assert decoded.problems == (
        "[0].key1: 'value1', expected a number, in quotes or not, or null",
        "[1].key2: 'value2', expected a number, in quotes or not, or null",
    )
    good = [{"key1": "7.1"}, {"key2": " 1.5e1 "}, {"key1": 7.2}]
    assert station.read(good, shape["topic"]) == [
        ("a", "ph", 0, 7.1, "N"),
        ("a", "flow", 1, 15.0, "N"),
        ("a", "ph", 2, 7.2, "N"),
    ]
    assert station.decode(good, shape["topic"]).stamped == 3


# --- times -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "time", "at"),
    [
        ("format: epoch_ms", NOW, 0),
        ("format: epoch_ms", str(NOW), 0),
        ("format: epoch_ms", float(NOW), 0),
        ("format: epoch_s", NOW // 1000, 0),
        ("format: epoch_s", NOW / 1000 + 0.25, 250),
        ("format: epoch_s", str(NOW // 1000), 0),
        ("format: iso", "2026-10-01T08:00:00+08:00", 0),
        ("format: iso", "2026-10-01T00:00:00.5Z", 500),
        ("zone: Asia/Shanghai", "2026-10-01 08:00:00", 0),
        ("zone: Asia/Shanghai", "2026-10-01 08:00", 0),
        ("zone: America/Chicago, format: '%m/%d/%Y %I:%M %p'", "09/30/2026 07:00 PM", 0),
        ("zone: Asia/Shanghai, format: '%Y%m%d%H%M%S'", "20261001080000", 0),
        ("zone: Asia/Shanghai, format: '%Y%m%d%H%M%S'", 20261001080000, 0),
    ],
)
def test_times(keys: str, time: Any, at: int) -> None:
    station = Station(TIMED.replace("format: epoch_ms", keys))
    assert station.read({"ts": time, "values": {"pH": 7}}) == [("a", "ph", at, 7.0, "N")]


@pytest.mark.parametrize(
    ("keys", "time", "why"),
    [
        ("format: epoch_ms", None, "nothing"),
        ("format: epoch_ms", True, "expected a time"),
        ("format: epoch_ms", {"$date": NOW}, "an object"),
        ("format: epoch_ms", "yesterday", "no number"),
        ("format: epoch_ms", math.nan, "no number"),
        ("format: epoch_ms", 10**300, "10 minutes ahead"),
        ("format: epoch_ms", NOW // 1000, "400 days old"),
        ("format: epoch_s", NOW, "10 minutes ahead"),
        ("format: epoch_ms", NOW + 10 * MINUTE + 1, "10 minutes ahead"),
        ("format: epoch_ms", NOW - 400 * 24 * HOUR - 1, "400 days old"),
        ("format: iso", "2026-10-01T08:00:00", "no offset"),
        ("format: iso", NOW, "not ISO"),
        ("zone: America/Chicago", "2026-11-01 01:30:00", "twice"),
        ("zone: America/Chicago", "2026-03-08 02:30:00", "skips"),
        ("format: '%H:%M', zone: Asia/Shanghai", "x" * 300, "does not match"),
    ],
)
def test_a_time_that_is_none_refuses_its_record(keys: str, time: Any, why: str) -> None:
    station = Station(TIMED.replace("format: epoch_ms", keys))
    decoded = station.decode([{"ts": time, "values": {"pH": 7, "temperature": 1}}])
    assert len(decoded.readings) == 0
    (problem,) = decoded.problems
    assert problem.startswith("[0].time: ") and why in problem


def test_a_record_without_time_is_refused_unless_receipt_stands_in() -> None:
    for record in ({"values": {"pH": 7}}, {"ts": None, "values": {"pH": 7}}):
        assert "time: nothing" in Station(TIMED).decode(record).problems[0]
        receipt = Station(TIMED.replace("format: epoch_ms", "format: epoch_ms, missing: receipt"))
        assert receipt.read(record) == [("a", "ph", 0, 7.0, "N")]
    assert "time: 'x'" in receipt.decode({"ts": "x", "values": {"pH": 7}}).problems[0]


def test_a_time_above_the_records_is_that_of_all() -> None:
    station = Station(
        """
topic: t
point: a
payload:
  records: $.sensors[*]
  time: {path: $.at, format: epoch_s}
  values:
    - {path: v, parameter: ph, where: {id: ph-1}}
    - {path: v, parameter: flow, unit: L/s, where: {id: [f-1, '7'], ok: 'true'}}
"""
    )
    content = {
        "at": NOW // 1000 - 5,
        "sensors": [
            {"id": "ph-1", "v": 7.1},
            {"id": "f-1", "ok": True, "v": 2},
            {"id": 7, "ok": True, "v": 3},
            {"id": "f-1", "ok": False, "v": 4},
            {"id": "rssi", "v": -70},
        ],
    }
    assert station.read(content) == [
        ("a", "ph", -5000, 7.1, "N"),
        ("a", "flow", -5000, 7.2, "N"),
        ("a", "flow", -5000, 10.8, "N"),
    ]


# --- points, units, values, marks ------------------------------------------------------------------


def test_the_point_may_be_in_the_topic_in_the_record_under_a_name_or_stated() -> None:
    by_topic = Station("topic: site/+/data\npayload: {values: [{path: T, parameter: water_temperature}]}")
    assert by_topic.read({"T": 1}, "site/b/data")[0][0] == "b"
    named = Station(
        "topic: site/+/x/+\npoint: '{2}'\n"
        "payload: {points: {basin-1: a}, values: [{path: T, parameter: water_temperature}]}"
    )
    assert named.read({"T": 1}, "site/z/x/basin-1")[0][0] == "a"
    assert named.read({"T": 1}, "site/z/x/b")[0][0] == "b"
    inside = Station(
        "topic: t\npayload: {point: $.dev.id, points: {'17': b}, values: [{path: T, parameter: water_temperature}]}"
    )
    assert inside.read({"dev": {"id": 17}, "T": 1})[0][0] == "b"
    assert inside.read({"dev": {"id": "a"}, "T": 1})[0][0] == "a"
    stated = Station(
        "topic: t\npayload: {values: [{path: T1, point: a, parameter: water_temperature},"
        " {path: T2, point: b, parameter: water_temperature}]}"
    )
    assert [row[0] for row in stated.read({"T1": 1, "T2": 2})] == ["a", "b"]
    for decoded in (
        by_topic.decode({"T": 1}, "site/z/data"),
        inside.decode({"T": 1}),
        inside.decode({"dev": {"id": {}}, "T": 1}),
    ):
        assert len(decoded.readings) == 0 and "unknown point" in decoded.refused[0].reason
    (problem,) = by_topic.decode({"T": 1}, "other/b/data").problems
    assert "does not match" in problem


def test_units_are_converted_to_that_of_each_series() -> None:
    station = Station(
        "topic: t/+\npayload: {values: [{path: q, parameter: flow, unit: m3/d},"
        " {path: f, parameter: water_temperature, scale: 0.5, offset: -16}]}"
    )
    assert station.read({"q": 24, "f": 100}, "t/a") == [
        ("a", "flow", 0, 1.0, "N"),
        ("a", "water_temperature", 0, 34.0, "N"),
    ]
    assert station.read({"q": 86.4}, "t/b") == [("b", "flow", 0, pytest.approx(1.0, rel=1e-15), "N")]
    (problem,) = (
        Station("topic: t/+\npayload: {values: [{path: x, parameter: humidity}]}").decode({"x": 1}, "t/a").problems
    )
    assert problem == "x: a has no such humidity"


def test_a_value_as_sent_keeps_every_bit() -> None:
    station = Station(PLAIN)
    for text in ("0.1", "-0.0", "1e400", "NaN", "9007199254740993"):
        (value,) = station.decode(f'{{"pH": {text}}}'.encode()).readings.value.tolist()
        assert repr(value) == repr(float(text))


@pytest.mark.parametrize(
    ("accepts", "value", "expected"),
    [
        ("number", 1, 1.0),
        ("number", None, None),
        ("number", "1", "refused"),
        ("number", True, "refused"),
        ("number", [1], "refused"),
        ("number", {"v": 1}, "refused"),
        ("text", "1", 1.0),
        ("text", "-1.5E2", -150.0),
        ("text", "١", "refused"),
        ("text", "1,5", "refused"),
        ("text", "0x10", "refused"),
        ("text", "", "refused"),
        ("text", "1_0", "refused"),
        ("text", True, "refused"),
        ("boolean", True, 1.0),
        ("boolean", False, 0.0),
        ("boolean", 3, 3.0),
        ("boolean", "true", "refused"),
        ("number", -9999, None),
        ("number", -9999.0, None),
        ("number", "OFF", None),
        ("text", "-9999.0", None),
    ],
)
def test_what_is_a_value(accepts: str, value: Any, expected: Any) -> None:
    station = Station(
        "topic: t\npoint: a\n"
        f"payload: {{values: [{{path: v, parameter: ph, accepts: {accepts}, missing: [-9999, OFF]}}]}}"
    )
    decoded = station.decode({"v": value})
    if expected == "refused":
        assert len(decoded.readings) == 0 and "expected a number" in decoded.refused[0].reason
    else:
        assert [row[3] for row in station.found(decoded)] == [expected] and decoded.refused == ()


def test_marks_are_translated() -> None:
    station = Station(
        """
topic: t
point: a
payload:
  mark: {path: q, codes: {good: N, '0': D, 'false': B, '': M}, other: C}
  values:
    - {path: pH, parameter: ph}
    - {path: T, parameter: water_temperature, mark: {path: quality.T}}
"""
    )
    for q, mark in (("good", "N"), (0, "D"), (False, "B"), (None, "M"), ("odd", "C"), ([], "?")):
        assert station.read({"pH": 7, "q": q}) == [("a", "ph", 0, 7.0, mark)]
    assert station.read({"pH": 7})[0][4] == "N"
    for q, mark in (("T", "T"), ("x", "x"), ("XX", "?"), ("", "N"), (5, "5")):
        assert station.read({"T": 7, "quality": {"T": q}})[0][4] == mark


# --- what is ignored, and what is not --------------------------------------------------------------


def test_a_record_may_lack_values_and_have_others() -> None:
    station = Station(PLAIN)
    assert station.read([{"pH": 7}, {"rssi": -70}, {"temperature": 20, "x": {}}]) == [
        ("a", "ph", 0, 7.0, "N"),
        ("a", "water_temperature", 2, 20.0, "N"),
    ]
    for nothing in ([], {}):
        decoded = station.decode(nothing)
        assert (len(decoded.readings), decoded.refused) == (0, ())


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"7.1", b"null", b"\xff", b'{"rssi": 1}', b"[[]]", b'[{"a": 1}]', b"[" * 100_000]
)
def test_an_unknown_message_is_refused_whole(payload: bytes) -> None:
    decoded = Station(PLAIN).decode(payload)
    assert len(decoded.readings) == 0
    (refused,) = decoded.refused
    assert refused.raw == payload and refused.reason and (refused.source, refused.time_ms) == ("t", NOW)


def test_an_oversized_message_is_named_and_its_beginning_kept() -> None:
    payload = b'{"pH":' + b" " * SIZE_LIMIT + b"7}"
    (refused,) = Station(PLAIN).decode(payload).refused
    assert refused.raw == payload[:KEPT_OF_OVERSIZED] and str(len(payload)) in refused.reason


def test_a_name_given_twice_is_in_doubt() -> None:
    station = Station(PLAIN)
    decoded = station.decode(b'{"pH": 7, "temperature": 20, "pH": 8}')
    assert station.found(decoded) == [("a", "water_temperature", 0, 20.0, "N")]
    assert decoded.problems == ("pH: value or mark given twice",)
    gateway = Station(GATEWAY)
    text = b'{"Device A": [{"values": {"temperature": 1}}], "Device A": [{"values": {"temperature": 2}}]}'
    decoded = gateway.decode(text, "v1/gateway/telemetry")
    assert len(decoded.readings) == 0 and "given twice" in decoded.problems[0]
    decoded = Station(TIMED).decode(b'{"ts": 1, "ts": 2, "values": {"pH": 7}}')
    assert decoded.problems == ("time: given twice",)


def test_an_element_of_a_list_that_is_no_record_is_told() -> None:
    decoded = Station(PLAIN).decode([{"pH": 7}, 17, "x", None])
    assert [p.split(":")[0] for p in decoded.problems] == ["[1]", "[2]", "[3]"]
    assert len(decoded.readings) == 1


def test_rows_of_a_table_are_records_where_values_are_named_by_position() -> None:
    station = Station(
        """
topic: t
point: a
payload:
  records: $.rows[*]
  time: {path: '[0]', format: epoch_ms}
  values: [{path: '[1]', parameter: ph}, {path: '[-1]', parameter: flow}]
"""
    )
    assert station.read({"rows": [[NOW, 7, 30], [NOW - SECOND, 7.5, 31]]}) == [
        ("a", "ph", 0, 7.0, "N"),
        ("a", "flow", 0, 30.0, "N"),
        ("a", "ph", -1000, 7.5, "N"),
        ("a", "flow", -1000, 31.0, "N"),
    ]


def test_names_with_anything_in_them() -> None:
    station = Station(
        """
topic: t
point: a
payload:
  values:
    - {path: "['Flow (m3/h)'].value[0]", parameter: flow}
    - {path: 水质.pH值, parameter: ph}
"""
    )
    assert station.read({"Flow (m3/h)": {"value": [3]}, "水质": {"pH值": 7}}) == [
        ("a", "flow", 0, 3.0, "N"),
        ("a", "ph", 0, 7.0, "N"),
    ]


# --- put in again ----------------------------------------------------------------------------------


def test_what_was_refused_is_read_again_as_it_arrived() -> None:
    """Records without time get the same stamps again, so what was stored changes nothing."""
    station = Station(PLAIN)
    content = [{"humidity": 60}, {"pH": 7, "temperature": "x"}, {"pH": 8}]
    decoded = station.decode(content)
    (refused,) = decoded.refused
    later = plant_of(PLAIN.replace("parameter: water_temperature", "parameter: water_temperature, missing: [x]"))
    again = decode_again(later)(refused)
    assert again.refused == ()
    assert [row[1:4] for row in station.found(decoded)] == [("ph", 1, 7.0), ("ph", 2, 8.0)]
    assert [row[1:4] for row in station.found(again)] == [
        ("water_temperature", 1, None),
        ("ph", 1, 7.0),
        ("ph", 2, 8.0),
    ]


def test_again_takes_any_time_and_the_station_that_can_read_it() -> None:
    (refused,) = Station(TIMED).decode({"ts": NOW - 3 * YEAR, "values": {"pH": 7}}).refused
    plant = parse_plant(PLANT + indented(PLAIN) + "\n" + SECOND_STATION + indented(TIMED), "plant.yaml", {})
    assert len(plant.devices) == 2
    for one in (plant, plant_of(TIMED)):
        again = decode_again(one)(refused)
        assert again.readings.time.tolist() == [NOW - 3 * YEAR] and again.refused == ()
    nowhere = decode_again(plant_of(TIMED.replace("topic: t", "topic: u")))(refused)
    assert "no station" in nowhere.refused[0].reason


# --- the law: never a crash, every value a reading or named ----------------------------------------

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4))
NAMES = st.sampled_from(["ts", "values", "temperature", "pH", "x", "Device A", "a"])
TREES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=4), max_leaves=12
)
STATIONS = [Station(PLAIN), Station(TIMED), Station(GATEWAY)]


@given(TREES, st.sampled_from(STATIONS))
def test_whatever_is_sent_is_a_reading_or_refused(content: Any, station: Station) -> None:
    topic = "t" if station is not STATIONS[2] else "v1/gateway/telemetry"
    decoded = station.decode(content, topic)
    assert len(decoded.refused) == (len(decoded.problems) > 0)
    if len(decoded.readings) == 0 and content not in ([], {}):
        assert decoded.problems
    for refused in decoded.refused:
        assert refused.raw == json.dumps(content).encode() and refused.reason.encode()
    assert decoded.readings.value.size == decoded.readings.time.size


RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "ts": st.integers(NOW - HOUR, NOW) | SCALARS,
        "values": st.dictionaries(st.sampled_from(["temperature", "pH", "x"]), SCALARS, max_size=3),
    },
)


@given(st.lists(RECORDS, max_size=6))
def test_each_value_the_mapping_names_is_a_reading_or_a_problem(records: list[dict[str, Any]]) -> None:
    readings = problems = 0
    met = False
    for record in records:
        named = [v for k, v in record.get("values", {}).items() if k != "x"]
        met = met or bool(named)
        time = record.get("ts")
        if isinstance(time, float) and math.isfinite(time) and abs(time) < 1e15:
            time = math.trunc(time)
        good_time = type(time) is int and NOW - 400 * 24 * HOUR <= time <= NOW + 10 * MINUTE
        if named and not good_time:
            problems += 1
            continue
        for value in named:
            is_number = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
            readings += is_number
            problems += not is_number
    decoded = STATIONS[1].decode(records)
    assert len(decoded.readings) == readings
    assert len(decoded.problems) == (problems if met or not records else 1)


@given(
    st.binary(max_size=200) | st.text(alphabet='[]{}":,0123456789.eE+-tsvaluepHNn\\ud', max_size=80).map(str.encode),
    st.sampled_from(STATIONS),
    st.text(max_size=8),
)
def test_no_bytes_make_it_fail(payload: bytes, station: Station, topic: str) -> None:
    for at in ("t", "v1/gateway/telemetry", topic):
        for refused in station.decode(payload, at).refused:
            assert refused.raw == payload and refused.reason.encode()
