"""MQTT payloads to readings, value by value (contract §4.4).

Design §6, row "a payload that cannot be read, an undeclared series, live data more than 10 minutes ahead or 400 days
old".
"""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from field_parts import HOUR, MIDNIGHT, MINUTE, SECOND, plant_of, series
from hypothesis import example, given
from hypothesis import strategies as st

from plant_monitor.config.timestamps import BAD, times_ms
from plant_monitor.errors import InputError
from plant_monitor.ingest.payloads import KEPT_OF_OVERSIZED, SIZE_LIMIT, Decoded, decode_payload
from plant_monitor.ingest.topics import bind_point
from plant_monitor.plant import MqttStation
from plant_monitor.windows import parse_rfc3339

PLANT = plant_of(series("p", "cod_cr"), series("p", "ph"), series("q", "ph"))
NOW = MIDNIGHT + 8 * HOUR
TOPIC = "plants/testplant/p/readings"


def decode(content: Any, point: str | None = "p") -> Decoded:
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    return decode_payload(payload, topic=TOPIC, point=point, plant=PLANT, now_ms=NOW)


def found(decoded: Decoded) -> list[tuple[int, str, float | None, str]]:
    """(ms since MIDNIGHT, parameter, value, mark); NaN as None."""
    r = decoded.readings
    return [
        (t - MIDNIGHT, PLANT.series[s].parameter, None if math.isnan(v) else v, chr(m))
        for t, s, v, m in zip(r.time.tolist(), r.series.tolist(), r.value.tolist(), r.mark.tolist(), strict=True)
    ]


def test_the_contract_s_example() -> None:
    payload = b'{"time": "2026-10-01T08:00:00+08:00", "values": {"cod_cr": 312.4, "ph": 7.1}, "marks": {"cod_cr": "M"}}'
    decoded = decode(payload)
    assert found(decoded) == [(8 * HOUR, "cod_cr", 312.4, "M"), (8 * HOUR, "ph", 7.1, "N")]
    assert decoded.refused == () and decoded.problems == ()


def test_a_point_is_part_of_the_series() -> None:
    assert decode({"time": NOW, "values": {"ph": 7}}, "q").readings.series.tolist() == [2]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (NOW, NOW),
        (float(NOW), NOW),
        (NOW + 0.75, NOW),
        ("2026-10-01T00:00:00Z", NOW),
        ("2026-10-01t00:00:00z", NOW),
        ("2026-10-01 08:00:00+08:00", NOW),
        ("2026-09-30T20:00:00.1239-04:00", NOW + 123),  # cut to ms, not rounded
        (NOW + 10 * MINUTE, NOW + 10 * MINUTE),
        (NOW - 400 * 24 * HOUR, NOW - 400 * 24 * HOUR),
    ],
)
def test_times(time: Any, expected: int) -> None:
    assert decode({"time": time, "values": {"ph": 7}}).readings.time.tolist() == [expected]


@pytest.mark.parametrize(
    ("time", "why"),
    [
        ("2026-10-01T08:00:00", "with offset"),
        ("20261001T080000+0800", "RFC 3339"),
        ("2026-02-30T08:00:00+08:00", "day is out of range"),
        ("2026-10-01T24:00:00+08:00", "RFC 3339"),
        ("2026-10-01T08:00:00+08:00\n", "RFC 3339"),
        ("２０26-10-01T08:00:00+08:00", "RFC 3339"),
        (str(NOW), "RFC 3339"),
        ("", "RFC 3339"),
        (None, "nothing"),
        (True, "epoch milliseconds"),
        (float("nan"), "epoch milliseconds"),
        (float("inf"), "epoch milliseconds"),
        ([NOW], "epoch milliseconds"),
        (NOW // 1000, "400 days old"),  # seconds where milliseconds are due
        (10**300, "10 minutes ahead"),
        (-(10**300), "400 days old"),
        (NOW + 10 * MINUTE + 1, "10 minutes ahead"),
        (NOW - 400 * 24 * HOUR - 1, "400 days old"),
    ],
)
def test_a_time_that_is_none_refuses_its_object(time: Any, why: str) -> None:
    decoded = decode({"time": time, "values": {"ph": 7, "cod_cr": 300}})
    assert len(decoded.readings) == 0
    (refused,) = decoded.refused
    assert why in refused.reason and "time" in refused.reason
    assert (refused.source, refused.time_ms) == (TOPIC, NOW)


def test_each_value_stands_alone() -> None:
    payload = {"time": NOW, "values": {"cod_cr": "312.4", "ph": 7.1, "zinc": 1}}
    decoded = decode(payload)
    assert found(decoded) == [(8 * HOUR, "ph", 7.1, "N")]
    assert decoded.problems == (
        "values.cod_cr: '312.4', expected a number or null",
        "values.zinc: no such parameter at this point",
    )
    (refused,) = decoded.refused  # one for the message, with all of it, so that it can be put in again
    assert json.loads(refused.raw) == payload
    assert all(p in refused.reason for p in decoded.problems)


@pytest.mark.parametrize("value", [True, False, "7.1", "NaN", "", [7.1], {"value": 7.1}])
def test_what_is_no_number(value: Any) -> None:
    decoded = decode({"time": NOW, "values": {"ph": value}})
    assert len(decoded.readings) == 0 and "values.ph" in decoded.refused[0].reason


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", math.nan),
        ("NaN", math.nan),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ("1e400", math.inf),
        ("1" + "0" * 400, math.inf),
        ("-1" + "0" * 400, -math.inf),
        ("7", 7.0),
        ("-0.0", -0.0),
        ("9007199254740993", 9007199254740992.0),
    ],
)
def test_numbers_and_invalid_readings(text: str, value: float) -> None:
    """NaN and infinite are invalid readings and kept as such; ``null`` is a reading without a value."""
    decoded = decode(f'{{"time": {NOW}, "values": {{"ph": {text}}}}}'.encode())
    assert decoded.refused == ()
    (got,) = decoded.readings.value.tolist()
    assert repr(got) == repr(value)
    assert decoded.readings.mark.tolist() == [ord("N")]


@pytest.mark.parametrize(
    ("mark", "stored"), [("T", "T"), ("Z", "Z"), ("n", "n"), ("", "N"), (None, "N"), ("NN", "?"), ("正", "?"), (5, "?")]
)
def test_marks(mark: Any, stored: str) -> None:
    decoded = decode({"time": NOW, "values": {"ph": 7}, "marks": {"ph": mark, "cod_cr": "F"}})
    assert found(decoded) == [(8 * HOUR, "ph", 7.0, stored)]
    assert decoded.refused == ()


def test_a_list_is_judged_object_by_object() -> None:
    decoded = decode(
        [
            {"time": NOW, "values": {"ph": 7.0}},
            {"time": "yesterday", "values": {"ph": 7.5}},
            17,
            {"time": NOW - SECOND, "values": {"ph": 7.2, "zinc": None}},
            {"time": NOW},
            {"time": NOW, "values": [7.0]},
            {"time": NOW, "values": {"ph": 1}, "marks": "N"},
        ]
    )
    assert found(decoded) == [(8 * HOUR, "ph", 7.0, "N"), (8 * HOUR - SECOND, "ph", 7.2, "N")]
    assert [p.split(":")[0] for p in decoded.problems] == [
        "[1].time",
        "[2]",
        "[3].values.zinc",
        "[4].values",
        "[5].values",
        "[6].marks",
    ]
    assert len(decoded.refused) == 1


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"7.1",
        b'"time"',
        b"null",
        b"\xff\xfe{}",
        b"{'time': 1}",
        b'{"time": 1} {"time": 2}',
        b"[" * 100_000,
        b'{"time": 1, "values": {"ph": ' + b"9" * 5000 + b"}}",
    ],
)
def test_what_is_no_payload_is_refused_whole(payload: bytes) -> None:
    decoded = decode(payload)
    assert len(decoded.readings) == 0
    (refused,) = decoded.refused
    assert refused.raw == payload and refused.reason


def test_empty_messages_say_nothing_and_refuse_nothing() -> None:
    for content in ([], {"time": NOW, "values": {}}):
        decoded = decode(content)
        assert (len(decoded.readings), decoded.refused, decoded.problems) == (0, (), ())


def test_a_name_given_twice_is_in_doubt_and_the_others_are_not() -> None:
    decoded = decode(f'{{"time": {NOW}, "values": {{"ph": 7.0, "cod_cr": 300, "ph": 8.0}}}}'.encode())
    assert found(decoded) == [(8 * HOUR, "cod_cr", 300.0, "N")]
    assert decoded.problems == ("values.ph: value or mark given twice",) * 2
    decoded = decode(f'{{"time": {NOW}, "values": {{"ph": 7.0}}, "marks": {{"ph": "N", "ph": "D"}}}}'.encode())
    assert len(decoded.readings) == 0 and "twice" in decoded.refused[0].reason
    decoded = decode(f'{{"time": {NOW}, "time": 1, "values": {{"ph": 7.0}}}}'.encode())
    assert len(decoded.readings) == 0 and "time given twice" in decoded.refused[0].reason


def test_an_unknown_point_refuses_the_message() -> None:
    for point in ("nowhere", None):
        decoded = decode({"time": NOW, "values": {"ph": 7.0}}, point)
        assert len(decoded.readings) == 0 and "unknown point" in decoded.refused[0].reason


def test_an_oversized_message_is_named_and_its_beginning_kept() -> None:
    payload = b"[" + b" " * SIZE_LIMIT + b"]"
    (refused,) = decode(payload).refused
    assert refused.raw == payload[:KEPT_OF_OVERSIZED] and str(len(payload)) in refused.reason


def test_a_flood_of_bad_values_is_one_refusal_with_a_short_reason() -> None:
    decoded = decode({"time": NOW, "values": {f"x{i}": i for i in range(5000)}})
    assert len(decoded.problems) == 5000
    (refused,) = decoded.refused
    assert "and 4980 more" in refused.reason and len(refused.reason) < 2000


def test_reasons_can_always_be_stored() -> None:
    """JSON may hold lone surrogates, which no UTF-8 text can."""
    decoded = decode(b'{"time": "\\ud800", "values": {}}')
    assert decoded.refused[0].reason.encode()
    decoded = decode(f'{{"time": {NOW}, "values": {{"\\ud800": 1, "ph": "\\udfff"}}}}'.encode())
    assert decoded.refused[0].reason.encode() and len(decoded.problems) == 2


# --- the law: every value is a reading or named in the refusal -------------------------------------

NAMES = st.sampled_from(["ph", "cod_cr", "zinc", "", "a b"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
TIMES = st.one_of(
    st.integers(NOW - HOUR, NOW),
    SCALARS,
    st.just("2026-10-01T08:00:00+08:00"),
    st.datetimes().map(lambda d: d.isoformat()),
)
VALUES = st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, max_size=2), max_size=5)
OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "time": TIMES,
        "values": VALUES | SCALARS,
        "marks": st.dictionaries(NAMES, SCALARS) | SCALARS,
        "x": SCALARS,
    },
)


@given(st.lists(OBJECTS | SCALARS, max_size=6))
@example([{"time": NOW, "values": {"ph": 10**400}}])
def test_every_value_is_a_reading_or_refused(content: list[Any]) -> None:
    decoded = decode(content)
    expected_readings, expected_problems = 0, 0
    for entry in content:
        whole = isinstance(entry, dict) and isinstance(entry.get("values"), dict)
        if not whole or not isinstance(entry.get("marks"), dict | None) or not time_is_good(entry.get("time")):
            expected_problems += 1
            continue
        for name, value in entry["values"].items():
            good = name in ("ph", "cod_cr") and not isinstance(value, bool | str | list)
            expected_readings += good
            expected_problems += not good
    assert len(decoded.readings) == expected_readings
    assert len(decoded.problems) == expected_problems
    assert len(decoded.refused) == (expected_problems > 0)
    for refused in decoded.refused:
        assert refused.raw == json.dumps(content).encode() and refused.reason.encode()


def time_is_good(time: Any) -> bool:
    """Of the times drawn above."""
    if isinstance(time, str):
        return time == "2026-10-01T08:00:00+08:00"
    if isinstance(time, bool) or not isinstance(time, int | float) or not math.isfinite(time):
        return False
    return NOW - 400 * 24 * HOUR <= math.floor(time) <= NOW + 10 * MINUTE


@given(
    st.binary(max_size=200) | st.text(alphabet='[]{}":,0123456789.eE+-timevalusrkphNn\\ud', max_size=80).map(str.encode)
)
def test_no_bytes_make_it_fail(payload: bytes) -> None:
    decoded = decode(payload)
    for refused in decoded.refused:
        assert refused.raw == payload and refused.reason.encode()


TIME_TEXTS = st.tuples(
    st.integers(1970, 2100),
    st.integers(0, 13),
    st.integers(0, 32),
    st.sampled_from("Tt _"),
    st.integers(0, 24),
    st.integers(0, 60),
    st.integers(0, 60),
    st.sampled_from(["", ".", ".5", ".123", ".9999999"]),
    st.sampled_from(["Z", "z", "", "+08:00", "-00:00", "+23:59", "+24:00", "-05:60", "+0800"]),
).map(lambda p: f"{p[0]}-{p[1]:02}-{p[2]:02}{p[3]}{p[4]:02}:{p[5]:02}:{p[6]:02}{p[7]}{p[8]}")


@given(st.lists(TIME_TEXTS, min_size=1, max_size=20))
def test_a_message_and_a_readings_file_understand_the_same_times(texts: list[str]) -> None:
    def parsed(text: str) -> int:
        try:
            return parse_rfc3339(text)
        except ValueError:
            return BAD

    assert [parsed(t) for t in texts] == times_ms([t.encode() for t in texts]).tolist()


# --- topics ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic_filter", "point", "topic", "expected"),
    [
        ("plants/x/+/readings", None, "plants/x/p/readings", "p"),
        ("plants/x/+/readings", "{1}", "plants/x/p/readings", "p"),
        ("plants/x/+/readings", "x-{1}", "plants/x/p/readings", "x-p"),
        ("+/x/+/readings", "{2}", "plants/x/p/readings", "p"),
        ("plants/x/p/readings", None, "plants/x/p/readings", "p"),
        ("plants/x/p/readings", "q", "plants/x/p/readings", "q"),
        ("$share/group/plants/x/+/readings", None, "plants/x/p/readings", "p"),
        ("plants/+/#", "{1}", "plants/x/y/z", "x"),
        ("plants/x/+/readings", None, "plants/y/p/readings", None),
        ("plants/x/+/readings", None, "plants/x/p", None),
        ("plants/x/+/readings", None, "plants/x/p/readings/more", None),
    ],
)
def test_the_point_of_a_topic(topic_filter: str, point: str | None, topic: str, expected: str | None) -> None:
    assert bind_point(MqttStation("s", "h", 1883, False, topic_filter, point=point), topic) == expected


def test_a_topic_that_names_no_point_says_so() -> None:
    with pytest.raises(InputError, match="names no point"):
        bind_point(MqttStation("s", "h", 1883, False, "readings"), "readings")
