"""The field as a function of time: same numbers however they are asked for, and faults as scripted."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_field import DAY, HOUR, at, field_from, paper_example, plant_of

from plant_monitor.errors import ConfigError
from plant_monitor.plant import ModbusDevice, Plant
from plant_monitor.readings import Readings
from simulators.faults import KINDS, Scenario, demo_scenario, load_scenario
from simulators.field import Field, due_times, epoch_of

EPOCH = date(2026, 9, 1)
START = date(2026, 9, 8)


@pytest.fixture(scope="module")
def plant() -> Plant:
    return paper_example()


@cache
def calm_field() -> Field:
    """A field without faults, computed once."""
    return field_from(paper_example(), EPOCH)


@cache
def calm_history() -> Readings:
    """Its readings of START and a little more."""
    plant = paper_example()
    return calm_field().history(at(plant, START), at(plant, START, 30))


@pytest.fixture
def calm() -> Field:
    return calm_field()


def scripted(plant: Plant, tmp_path: Path, *faults: str) -> Field:
    """A field with faults, whose scenario starts at START."""
    path = tmp_path / "scenario.yaml"
    path.write_text("faults:\n" + "".join(f"  - {{{f}}}\n" for f in faults), encoding="utf-8")
    return field_from(plant, EPOCH, load_scenario(path, plant, at(plant, START)))


def ask(field: Field, point: str, parameter: str, times: object) -> tuple[np.ndarray, np.ndarray]:
    return field.sample(field.plant.series_index[point, parameter], np.asarray(times, dtype=np.int64))


def test_every_series_has_a_reading_at_each_of_its_due_times(plant: Plant, calm: Field) -> None:
    readings = calm.history(at(plant, START), at(plant, START, 24))
    assert (np.diff(readings.time) >= 0).all()
    for index, series in enumerate(plant.series):
        mine = readings.of_series(index)
        assert series.interval_ms is not None
        due = at(plant, START) + np.arange(0, DAY, series.interval_ms)
        np.testing.assert_array_equal(mine.time, due)
        assert np.isfinite(mine.value).all() and (mine.mark == ord("N")).all()


def test_the_same_seed_gives_the_same_readings_and_another_seed_others(plant: Plant, calm: Field) -> None:
    span = at(plant, START, 8), at(plant, START, 9)
    same, other = field_from(plant, EPOCH).history(*span), field_from(plant, EPOCH, seed=2).history(*span)
    first = calm.history(*span)
    for column in ("time", "series", "value", "mark"):
        np.testing.assert_array_equal(getattr(first, column), getattr(same, column))
    assert not np.array_equal(first.value, other.value)


@settings(max_examples=8)
@given(hours=st.integers(0, 23), length=st.integers(1, 5))
def test_a_part_of_history_is_the_whole_cut_and_live_instants_are_the_same(hours: int, length: int) -> None:
    plant = paper_example()
    field = calm_field()
    whole = calm_history()
    part = field.history(at(plant, START, hours), at(plant, START, hours + length))
    inside = (whole.time >= at(plant, START, hours)) & (whole.time < at(plant, START, hours + length))
    np.testing.assert_array_equal(whole.take(inside).value, part.value)
    live = field_from(plant, EPOCH)
    mqtt = plant.series_index["plant-effluent", "cod_cr"]
    for time, value in zip(part.of_series(mqtt).time, part.of_series(mqtt).value, strict=True):
        assert live.sample(mqtt, np.array([time]))[0][0] == value


def test_the_epoch_is_the_same_for_history_and_the_run_after_it(plant: Plant) -> None:
    for first in (date(2026, 3, 1), date(2026, 11, 24), date(2028, 1, 1)):
        assert epoch_of(at(plant, first), plant) == date(2026, 1, 1)
    assert epoch_of(at(plant, date(2024, 5, 5)), plant) == date(2024, 1, 1)
    assert epoch_of(at(plant, date(2026, 1, 5)), plant) == date(2025, 1, 1)  # room for what happened before


def test_totalisers_are_the_integral_of_the_flow(plant: Plant, calm: Field) -> None:
    for point in ("shennong-outfall", "tianma-outfall", "plant-inlet", "plant-effluent"):
        seconds = at(plant, START) + np.arange(0, DAY, 1000)
        flow, _ = ask(calm, point, "flow", seconds)
        register, _ = ask(calm, point, "volume", [seconds[0], seconds[-1] + 1000])
        assert register[1] - register[0] == pytest.approx(flow.sum() / 3600, rel=0.002)
        dial, _ = ask(calm, point, "volume", seconds)
        assert (np.diff(dial) >= 0).all()
        resolution = float(next(s.resolution for s in plant.series if (s.point, s.parameter) == (point, "volume")))
        np.testing.assert_allclose(dial / resolution, np.rint(dial / resolution), atol=1e-5)


def test_at_night_an_outfall_shows_the_meters_zero_and_its_register_stands(plant: Plant, calm: Field) -> None:
    night = at(plant, START, 23) + np.arange(0, 6 * HOUR, 10_000)
    flow, _ = ask(calm, "shennong-outfall", "flow", night)
    assert (np.abs(flow) < 0.1).all() and (flow != 0).any()
    assert np.unique(ask(calm, "shennong-outfall", "volume", night)[0]).size == 1


def test_an_analyser_reports_the_mixed_sample_of_the_hour_before(plant: Plant, calm: Field) -> None:
    hour = at(plant, START, 10)
    value, _ = ask(calm, "longqiao-outfall", "cod_cr", [hour])
    stream = calm.catchment.streams(hour)["longqiao-outfall"]
    seconds = np.arange(hour - HOUR, hour, 1000)
    slot = seconds // 600_000 - stream.first_slot
    flow = stream.flow(seconds)
    mixed = (flow * stream.quality["cod_cr"][slot]).sum() / flow.sum()
    assert value[0] == pytest.approx(mixed, rel=0.07)  # the instrument's own noise is 2 %
    # It shows its last result until the next one.
    assert ask(calm, "longqiao-outfall", "cod_cr", [hour + 1, hour + HOUR - 1])[0].tolist() == [value[0]] * 2


def test_units_of_plant_yaml_are_kept() -> None:
    rows = """
  - id: out
    role: outfall
    member: a
    parameters:
      flow: {unit: FLOW, interval: 10s}
      volume: {unit: VOLUME, interval: 1m, resolution: 0.001}
      cod_cr: {unit: COD, interval: 1h}
"""
    metric = plant_of(rows.replace("FLOW", "m3/h").replace("VOLUME", "m3").replace("COD", "mg/L"))
    other = plant_of(rows.replace("FLOW", "L/s").replace("VOLUME", "L").replace("COD", "g/L"))
    times = at(metric, START, 9) + np.arange(0, HOUR, 60_000)
    one, two = field_from(metric, EPOCH), field_from(other, EPOCH)
    np.testing.assert_allclose(ask(one, "out", "flow", times)[0], ask(two, "out", "flow", times)[0] * 3.6, atol=0.03)
    grams = ask(two, "out", "cod_cr", times)[0]
    np.testing.assert_allclose(ask(one, "out", "cod_cr", times)[0], grams * 1000, atol=0.2)
    litres, cubic = (np.diff(ask(f, "out", "volume", times[[0, -1]])[0])[0] for f in (two, one))
    assert litres == pytest.approx(1000 * cubic, abs=2) and cubic > 0.5


def test_a_parameter_without_a_model_is_named_and_shows_something() -> None:
    plant = plant_of("  - {id: out, role: outfall, member: b, parameters: {odour: {unit: OU, interval: 1h}}}")
    field = field_from(plant, EPOCH)
    assert [s.parameter for s in field.strangers()] == ["odour"]
    values, _ = ask(field, "out", "odour", [at(plant, START, h) for h in range(3)])
    assert np.isfinite(values).all()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Chicago", "Asia/Shanghai"])
def test_due_times_start_anew_at_each_local_midnight(zone: str) -> None:
    plant = plant_of("  - {id: out, role: outfall, member: a, parameters: {flow: {interval: 7h}}}", zone=zone)
    for day in (date(2026, 3, 8), date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 1)):
        span = at(plant, day), at(plant, day + timedelta(days=1))
        assert due_times(*span, 7 * HOUR, plant).tolist() == list(range(*span, 7 * HOUR))
        assert np.isfinite(field_from(plant, date(2026, 3, 1)).history(*span).value).all()


# Faults


def test_a_flat_line_shows_what_it_showed_at_its_beginning(plant: Plant, tmp_path: Path) -> None:
    field = scripted(plant, tmp_path, "kind: flat_line, point: tianma-outfall, parameter: ph, at: 1h, for: 8h")
    ph, _ = ask(field, "tianma-outfall", "ph", at(plant, START) + np.arange(0, 12 * HOUR, 60_000))
    flat = ph[60 : 9 * 60]
    assert np.unique(flat).size == 1 and np.unique(ph[:60]).size > 1 and np.unique(ph[9 * 60 :]).size > 1
    assert flat[0] == ask(field_from(plant, EPOCH), "tianma-outfall", "ph", [at(plant, START, 1)])[0][0]


def test_over_range_and_lost_values_carry_their_marks(plant: Plant, tmp_path: Path) -> None:
    field = scripted(
        plant,
        tmp_path,
        "kind: over_range, point: shennong-outfall, parameter: cod_cr, at: 2h, for: 2h, value: 10000",
        "kind: comm_lost, point: shennong-outfall, parameter: ammonia_n, at: 2h, for: 2h",
    )
    hours = at(plant, START) + np.arange(6) * HOUR
    values, marks = ask(field, "shennong-outfall", "cod_cr", hours)
    assert "".join(map(chr, marks)) == "NNTTNN" and values[2:4].tolist() == [10_000.0] * 2
    values, marks = ask(field, "shennong-outfall", "ammonia_n", hours)
    assert "".join(map(chr, marks)) == "NNBBNN"
    assert np.isnan(values).tolist() == [False, False, True, True, False, False]


def test_a_totaliser_rolls_over_at_the_scripted_instant(plant: Plant, tmp_path: Path) -> None:
    field = scripted(plant, tmp_path, "kind: rollover, point: fengwang-outfall, at: 10h")
    full = at(plant, START, 10)
    register, _ = ask(field, "fengwang-outfall", "volume", full + np.arange(-30, 31) * 60_000)
    assert (register[:31] > 999_900).all() and register[30] == 999_999.99
    assert register[-1] < 100 and np.count_nonzero(np.diff(register) < 0) == 1
    # History before the run knows of it: no jump where the two join.
    history = field.history(full - HOUR, full + HOUR).of_series(plant.series_index["fengwang-outfall", "volume"])
    steps = np.mod(np.diff(history.value), 1_000_000)
    assert ((steps >= 0) & (steps < 2)).all()


def test_an_exchanged_meter_starts_from_its_own_register(plant: Plant, tmp_path: Path) -> None:
    field = scripted(plant, tmp_path, "kind: meter_exchange, point: shennong-outfall, at: 9h, register: 12.5")
    calm = field_from(plant, EPOCH)
    times = at(plant, START) + np.arange(24 * 60) * 60_000
    register, untouched = (ask(f, "shennong-outfall", "volume", times)[0] for f in (field, calm))
    np.testing.assert_array_equal(register[: 9 * 60], untouched[: 9 * 60])
    assert register[9 * 60] == 12.5
    np.testing.assert_allclose(np.diff(register[9 * 60 :]), np.diff(untouched[9 * 60 :]), atol=0.0021)


def test_spikes_and_drift_disturb_as_told(plant: Plant, tmp_path: Path) -> None:
    field = scripted(
        plant,
        tmp_path,
        "kind: spikes, point: longqiao-outfall, parameter: conductivity, at: 0, for: 10h, share: 0.1, factor: 3",
        "kind: drift, point: fengwang-outfall, parameter: ph, at: 0, for: 2d, per_day: 1",
    )
    calm = field_from(plant, EPOCH)
    times = at(plant, START) + np.arange(10 * 60) * 60_000
    loud, quiet = (ask(f, "longqiao-outfall", "conductivity", times)[0] for f in (field, calm))
    spiked = loud != quiet
    assert 0.05 < spiked.mean() < 0.15
    np.testing.assert_allclose(loud[spiked], 3 * quiet[spiked])
    late = [at(plant, START, 24), at(plant, START, 36), at(plant, START, 48)]
    drifted, true = (ask(f, "fengwang-outfall", "ph", late)[0] for f in (field, calm))
    np.testing.assert_allclose(drifted - true, [1, 1.5, 0], atol=1e-9)


def test_a_drifting_station_stamps_wrong_times_and_a_dead_device_leaves_marks(plant: Plant, tmp_path: Path) -> None:
    field = scripted(
        plant,
        tmp_path,
        "kind: clock_drift, device: field-analysers, at: 0, for: 6h, seconds_per_hour: -30",
        "kind: dead_device, device: keqiao-plc, at: 1h, for: 30m",
    )
    history = field.history(at(plant, START), at(plant, START, 8))
    cod = history.of_series(plant.series_index["plant-effluent", "cod_cr"])
    error_s = (cod.time - at(plant, START) - HOUR * np.arange(8)) // 1000
    assert error_s.tolist() == [0, -30, -60, -90, -120, -150, 0, 0]
    flow = history.of_series(plant.series_index["keqiao-outfall", "flow"])
    lost = (flow.time >= at(plant, START, 1)) & (flow.time < at(plant, START, 1.5))
    assert (flow.mark[lost] == ord("B")).all() and np.isnan(flow.value[lost]).all()
    assert (flow.mark[~lost] == ord("N")).all() and lost.sum() == 180


def test_the_demo_has_an_exceedance_when_it_starts(plant: Plant) -> None:
    start = at(plant, START, 20)
    field = field_from(plant, EPOCH, demo_scenario(plant, start))
    effluent = field.catchment.streams(start)["plant-effluent"]
    assert effluent.mean("cod_cr", np.array([at(plant, START)]), np.array([at(plant, START, 24)]))[0] > 500
    kinds = {type(f).__name__ for f in field.scenario.faults}
    assert kinds == {
        *("BrineShock", "Rollover", "FlatLine", "OverRange", "DeadDevice", "CommLost", "Spikes", "Drift", "ClockDrift"),
    }


def test_the_demo_scenario_leaves_out_what_a_plant_does_not_have() -> None:
    small = plant_of("  - {id: tianma-outfall, role: outfall, member: a, parameters: {ph: {interval: 1m}}}")
    assert [type(f).__name__ for f in demo_scenario(small, 0).faults] == ["FlatLine"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("faults: [{kind: meltdown}]", ["faults[0].kind", "'meltdown'", "dead_device"]),
        ("faults: [{kind: rollover}]", ["faults[0].point", "nothing"]),
        ("faults: [{kind: rollover, point: nowhere, at: 1h}]", ["'nowhere'", "shennong-outfall"]),
        ("faults: [{kind: flat_line, point: plant-inlet, parameter: total_p}]", ["'total_p'", "cod_cr"]),
        ("faults: [{kind: dead_device, device: field-analysers}]", ["'field-analysers'", "keqiao-plc"]),
        ("faults: [{kind: clock_drift, device: keqiao-plc, seconds_per_hour: 1}]", ["field-analysers"]),
        ("faults: [{kind: clock_drift, device: field-analysers, seconds_per_hour: fast}]", ["'fast'", "a number"]),
        ("faults: [{kind: dead_device, device: keqiao-plc, mode: sulking}]", ["'sulking'", "silent"]),
        ("faults: [{kind: dead_device, device: keqiao-plc, at: soon}]", ["'soon'", "20m"]),
        ("faults: [{kind: dead_device, device: keqiao-plc, colour: red}]", ["colour", "unknown key"]),
        ("faults: [{kind: brine_shock, point: plant-inlet, m3: 5}]", ["'plant-inlet'", "an outfall"]),
        ("trouble: []", ["faults"]),
        ("faults: [", ["readable YAML"]),
    ],
)
def test_a_wrong_scenario_says_where_and_what(plant: Plant, tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_scenario(path, plant, 0)
    for word in (*words, "wrong.yaml"):
        assert word in str(caught.value)


def test_all_mistakes_of_a_scenario_are_told_at_once(plant: Plant, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("faults: [{kind: meltdown}, {kind: rollover, point: nowhere}, {kind: rollover}]", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_scenario(path, plant, 0)
    assert len(caught.value.problems) == 3


def test_registers_carry_no_marks(plant: Plant, tmp_path: Path) -> None:
    devices = tuple(d for d in plant.devices if isinstance(d, ModbusDevice))
    bare = replace(plant, devices=devices)
    fault = "kind: over_range, point: keqiao-outfall, parameter: flow, at: 0, for: 1h, value: 90"
    field = scripted(bare, tmp_path, fault)
    flow = field.history(at(plant, START), at(plant, START, 1)).of_series(plant.series_index["keqiao-outfall", "flow"])
    assert (flow.mark == ord("N")).all() and flow.value == pytest.approx(90)


def test_history_without_a_scenario_is_not_touched(plant: Plant, calm: Field) -> None:
    assert isinstance(calm.history(at(plant, START), at(plant, START, 1)), Readings) and calm.scenario == Scenario()


def test_the_readme_explains_every_fault() -> None:
    readme = (Path(__file__).resolve().parents[2] / "simulators" / "README.md").read_text(encoding="utf-8")
    for kind, record in KINDS.items():
        row = next(line for line in readme.splitlines() if line.startswith(f"| `{kind}` |"))
        for field in fields(record):
            assert field.name in ("at", "until") or field.name in row
