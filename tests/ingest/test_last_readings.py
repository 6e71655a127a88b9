"""Who is silent: by the design's hold of two intervals, per series, and who may be expected to speak at all."""

from dataclasses import replace

import numpy as np
import pytest
from field_parts import HOUR, MIDNIGHT, MINUTE, SECOND, at, device_of, plant_of, series

from plant_monitor.gateways import feeds
from plant_monitor.ingest.last_readings import LastReadings
from plant_monitor.payload_maps import JsonMapping, JsonValue, SparkplugMapping, SparkplugMetric
from plant_monitor.plant import MqttStation
from plant_monitor.readings import COMMUNICATION_LOST, Readings
from plant_monitor.store.memory import MemorySource

STATION = MqttStation("station", "127.0.0.1", 1883, False, "plants/testplant/+/readings", point="{1}")
PLC = device_of(5020, at("ph", 0), at("volume", 2), poll_ms=10 * SECOND)
PLANT = plant_of(
    series("p", "ph", MINUTE), series("p", "volume", None), series("q", "cod_cr", HOUR), devices=(PLC, STATION)
)


def states(last: LastReadings, after_ms: int) -> list[str]:
    return [one.state for one in last.states(MIDNIGHT + after_ms)]


def test_the_hold_decides() -> None:
    last = LastReadings(PLANT, MIDNIGHT)
    assert states(last, 0) == ["waiting"] * 3
    assert states(last, 20 * SECOND) == ["waiting", "silent", "waiting"], "a totaliser's interval is the poll"
    last.note(Readings.of([MIDNIGHT + 30 * SECOND], 0, 7.0))
    assert states(last, 30 * SECOND + 2 * MINUTE - 1)[0] == "ok"
    assert states(last, 30 * SECOND + 2 * MINUTE)[0] == "silent", "held over [t, t + 2 intervals)"
    assert states(last, 2 * HOUR)[2] == "silent", "one that has never spoken"


@pytest.mark.parametrize(
    ("value", "mark", "state"), [(7.0, "M", "invalid"), (np.nan, "N", "invalid"), (9.0, "T", "invalid")]
)
def test_what_is_no_good_is_no_silence(value: float, mark: str, state: str) -> None:
    last = LastReadings(PLANT, MIDNIGHT)
    last.note(Readings.of([MIDNIGHT], 0, 7.0))
    last.note(Readings.of([MIDNIGHT + MINUTE], 0, value, ord(mark)))
    one = last.states(MIDNIGHT + 2 * MINUTE)[0]
    assert (one.state, one.last_good_ms, one.last_ms) == (state, MIDNIGHT, MIDNIGHT + MINUTE)
    assert one.age_s == 120.0


def test_our_own_b_is_silence() -> None:
    last = LastReadings(PLANT, MIDNIGHT)
    last.note(Readings.of([MIDNIGHT + n * MINUTE for n in range(5)], 0, np.nan, COMMUNICATION_LOST))
    assert states(last, 4 * MINUTE)[0] == "silent"


def test_what_was_known_before_the_start_is_no_excuse_and_no_charge() -> None:
    """An old reading tells when it spoke last; silence is counted from the start."""
    last = LastReadings(PLANT, MIDNIGHT)
    last.begin(MemorySource(Readings.of([MIDNIGHT - 5 * HOUR], 2, 300.0)), MIDNIGHT)
    one = last.states(MIDNIGHT + HOUR)[2]
    assert (one.state, one.last_good_ms) == ("waiting", MIDNIGHT - 5 * HOUR)
    assert states(last, 2 * HOUR)[2] == "silent"


def test_an_older_reading_changes_nothing() -> None:
    last = LastReadings(PLANT, MIDNIGHT)
    last.note(Readings.of([MIDNIGHT + HOUR, MIDNIGHT], 2, [300.0, 200.0]))
    assert last.states(MIDNIGHT + HOUR)[2].last_good_ms == MIDNIGHT + HOUR


def test_a_series_that_nothing_reads_is_not_silent() -> None:
    last = LastReadings(replace(PLANT, devices=(PLC,)), MIDNIGHT)
    assert states(last, 24 * HOUR) == ["silent", "silent", "unfed"]


def value(point: str | None = None) -> JsonValue:
    return JsonValue(path=(), parameter="ph", point=point)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("station", "p", "q"),
    [
        (STATION, True, True),
        (replace(STATION, point="p"), True, False),
        (replace(STATION, payload=JsonMapping(values=(value("q"),))), False, True),
        (replace(STATION, payload=JsonMapping(values=(value(),)), point="p"), True, False),
        (
            replace(STATION, payload=JsonMapping(values=(value(),), point=()), point="p"),
            True,
            True,
        ),  # as the message says
        (replace(STATION, payload=SparkplugMapping((SparkplugMetric("PH", "ph", point="q"),))), False, True),
    ],
)
def test_what_a_station_may_tell(station: MqttStation, p: bool, q: bool) -> None:
    assert (feeds(station, "p", "ph"), feeds(station, "q", "ph")) == (p, q)
    assert feeds(station, "p", "cod_cr") is (station.payload == "readings")


def test_a_station_is_given_as_long_as_its_most_patient_series() -> None:
    last = LastReadings(PLANT, MIDNIGHT)
    assert last.patience_ms("station") == 2 * HOUR
    assert last.patience_ms("plc") == 2 * MINUTE
    assert LastReadings(plant_of(series("p", "volume", None), devices=(STATION,)), 0).patience_ms("station") is None
