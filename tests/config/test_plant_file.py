"""plant.yaml to records: what each key becomes, its defaults, and all mistakes of a file at once."""

from __future__ import annotations

import hashlib
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.config.plant_file import json_schema, load_plant, parse_plant
from plant_monitor.errors import ConfigError
from plant_monitor.notify import Channel
from plant_monitor.plant import ModbusDevice, MqttStation, Plant, Represents, Role, Statistic
from plant_monitor.register_maps import RegisterFraction, RegisterReading

EXAMPLE = Path(__file__).parents[2] / "examples" / "xieqiao" / "plant.yaml"

HEAD = """\
plant: {id: p, name: {zh: 厂, en: P}, timezone: Asia/Shanghai, capacity_m3_d: 1200}
members: [{id: a, name: {zh: 甲, en: A}}]
"""
POINT = """\
points:
  - {id: o, role: outfall, member: a, parameters: {flow: {interval: 10s}, volume: {}, cod_cr: {interval: 1h}}}
"""

# Each line is ten times the line before.
LAUGHS = "a: &a [1]\n" + "".join(f"{y}: &{y} [{', '.join(['*' + x] * 10)}]\n" for x, y in zip("abcdef", "bcdefg"))


def parsed(text: str, **env: str) -> Plant:
    return parse_plant(text, "plant.yaml", env)


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    return [str(p) for p in caught.value.problems]


def test_the_example_is_the_plant_of_the_five_companies() -> None:
    plant = load_plant(EXAMPLE, env={})
    assert [m.name.zh for m in plant.members] == [
        "海宁市神农小吃佬食品股份有限公司",
        "海宁市龙桥蔬菜股份有限公司",
        "海宁市丰旺食品有限公司",
        "海宁市天马食品有限公司",
        "海宁市科桥旅游食品有限公司",
    ]
    assert plant.name.zh == "海宁市洁净污水处理有限公司"
    assert plant.operator is not None and plant.operator.zh == "杭州引胜科技有限公司"
    assert plant.capacity_m3_d == Decimal(1200) == sum(m.quota_m3_d or 0 for m in plant.members)
    assert sum(m.capacity_share or 0 for m in plant.members) == 1
    for outfall in plant.outfalls:
        assert [s.parameter for s in outfall.series] == ["flow", "volume", "ph", "conductivity", "cod_cr", "ammonia_n"]
        assert outfall.member is not None and outfall.id == f"{outfall.member}-outfall"
    effluent = plant.point_by_id["plant-effluent"]
    assert {s.parameter for s in effluent.series} == {
        "flow", "volume", "ph", "cod_cr", "ammonia_n", "total_p", "total_n", "ss"
    }  # fmt: skip
    assert plant.digest == hashlib.sha256(EXAMPLE.read_bytes()).hexdigest()
    assert plant.source_text == EXAMPLE.read_text(encoding="utf-8")


def test_every_series_of_the_example_has_one_source() -> None:
    plant = load_plant(EXAMPLE, env={})
    polled = [(r.point, r.parameter) for d in plant.devices if isinstance(d, ModbusDevice) for r in d.readings]
    assert len(polled) == len(set(polled)) == 26
    assert {r.order for d in plant.devices if isinstance(d, ModbusDevice) for r in d.readings} == {
        "ABCD", "BADC", "CDAB", "DCBA"
    }  # fmt: skip
    rest = {k for k in plant.series_index if k not in polled}
    assert {p for _, p in rest} == {"cod_cr", "ammonia_n", "dissolved_oxygen", "mlss", "total_p", "total_n", "ss"}


def test_defaults() -> None:
    plant = parsed(HEAD + POINT)
    flow, volume, cod = plant.series
    assert (flow.unit, volume.unit, cod.unit) == ("m3/h", "m3", "mg/L")
    assert (flow.interval_ms, volume.interval_ms, cod.interval_ms) == (10_000, None, 3_600_000)
    assert flow.no_flow_below_m3_h == 0.1
    assert (volume.rollover, volume.resolution, volume.max_rate_m3_h) == (None, Decimal(1), None)
    assert plant.max_rate_m3_h(volume) == 200
    assert cod.represents is Represents.AFTER
    assert (plant.inlet, plant.effluent, plant.influxdb, plant.read_from) == (None, None, None, "journal")
    assert plant.retention_days is None
    assert (plant.tariff.unmetered_difference, plant.notify.language) == ("report", "zh")
    assert plant.members[0].capacity_share is None and plant.members[0].quota_m3_d is None
    assert plant.points[0].role is Role.OUTFALL


def test_every_key_reaches_its_record() -> None:
    plant = parsed(
        """\
plant:
  id: p
  name: {zh: 厂, en: P}
  operator: {zh: 运营, en: Op}
  timezone: America/Chicago
  capacity_m3_d: 1e3
  inlet: i
  effluent: e
  design_load_kg_d: {cod_cr: 3600}
members:
  - {id: a, name: {zh: 甲, en: A}, capacity_share: 0.30, quota_m3_d: 360.5}
points:
  - id: o
    name: {zh: 口, en: O}
    role: outfall
    member: a
    limits: [s, gb8978-1996-grade3]
    parameters:
      flow: {unit: L/s, interval: 0.5s, no_flow_below: 0}
      volume: {unit: L, interval: 1m, rollover: 42949672.96, resolution: 0.01, max_rate_m3_h: 80.25}
      cod_cr: {unit: g/L, interval: 1h, represents: before}
      sweetness: {unit: Brix, interval: 2h}
  - {id: i, role: inlet, parameters: {flow: {interval: 10s}}}
  - {id: e, role: effluent, parameters: {}}
limit_sets:
  - id: s
    title: {zh: 协议, en: Agreement}
    source: paper
    limits:
      - {parameter: cod_cr, lower: -1, upper: 4000, unit: mg/L, valid_from: 2022-01-01, valid_to: 2026-12-31,
         clause: '3', verified: false, note: n}
      - {parameter: cod_cr, upper: 2, unit: t/d, statistic: daily_load, source: other}
devices:
  - id: d
    protocol: modbus-tcp
    address: '[::1]:502'
    unit_id: 7
    poll: 5s
    timeout: 1s
    readings:
      - {point: o, parameter: volume, table: input, register: 0x10, type: int32, order: CDAB, scale: 10, offset: -3,
         fraction: {register: 20, type: uint16, scale: 0.001}}
      - {point: o, parameter: sweetness, table: coil, register: 9}
  - {id: m, protocol: mqtt, broker: 'mqtts://h', topic: '$share/g/+/x/+', point: '{2}', username: u, password: 'env:PW'}
  - {id: n, protocol: mqtt, broker: 'mqtt://h:2883', topic: plants/p/o/readings}
store:
  influxdb: {url: 'http://h:8086', api: v1, bucket: b, results_bucket: r, username: u, password: 'env:PW'}
  read_from: influxdb
  retention: 800d
tariff:
  volume_price_yuan_m3: 4.50
  fixed_yuan_month: {a: 3000}
  strength_steps: [{parameter: cod_cr, above: 300, step: 100, yuan_m3: 0.30, partial_step: floor}]
  unmetered_difference: equal
notify:
  language: both
  channels: [{id: c, url: 'console:'}, {id: f, url: 'folder:alerts'}, {id: w, url: 'env:URL'}]
""",
        PW="geheim",
        URL="dingtalk://token",
    )
    assert plant.capacity_m3_d == 1000 and plant.zone.key == "America/Chicago"
    assert plant.design_load_kg_d == (("cod_cr", Decimal(3600)),)
    flow, volume, cod, sweetness = plant.points[0].series
    assert (flow.unit, flow.interval_ms, flow.no_flow_below_m3_h) == ("L/s", 500, 0.0)
    assert (volume.rollover, volume.resolution) == (Decimal("42949672.96"), Decimal("0.01"))
    assert volume.max_rate_m3_h == Decimal("80.25")
    assert (cod.represents, sweetness.unit) == (Represents.BEFORE, "Brix")
    first, second = plant.limit_set_by_id["s"].limits
    assert (first.lower, first.upper, first.unit, first.statistic) == (-1, 4000, "mg/L", Statistic.DAILY_MEAN)
    assert (first.valid_from, first.valid_to) == (date(2022, 1, 1), date(2026, 12, 31))
    assert (first.clause, first.source, first.verified, first.note) == ("3", "paper", False, "n")
    assert (second.statistic, second.source, second.verified) == (Statistic.DAILY_LOAD, "other", True)
    device, station, other = plant.devices
    assert device == ModbusDevice(
        "d", "::1", 502, 7, 5_000,
        (
            RegisterReading(
                "o", "volume", "input", 16, "int32", "CDAB", 10.0, -3.0, RegisterFraction(20, "uint16", "ABCD", 0.001)
            ),
            RegisterReading("o", "sweetness", "coil", 9, "bool", "ABCD"),
        ),
        1_000,
    )  # fmt: skip
    assert station == MqttStation("m", "h", 8883, True, "$share/g/+/x/+", "readings", "{2}", "u", "geheim")
    assert isinstance(other, MqttStation) and (other.port, other.tls, other.point) == (2883, False, "o")
    assert plant.influxdb is not None and (plant.influxdb.api, plant.influxdb.password) == ("v1", "geheim")
    assert (plant.read_from, plant.retention_days) == ("influxdb", 800)
    assert plant.tariff.volume_price_yuan_m3 == Decimal("4.50")
    assert plant.tariff.fixed_yuan_month == (("a", Decimal(3000)),)
    assert (plant.tariff.strength_steps[0].yuan_m3, plant.tariff.strength_steps[0].partial_step) == (
        Decimal("0.30"), "floor"
    )  # fmt: skip
    assert plant.notify.channels == (
        Channel("c", "console:"), Channel("f", "folder:alerts"), Channel("w", "dingtalk://token")
    )  # fmt: skip


def test_the_statistic_of_ph_is_the_hourly_median() -> None:
    plant = parsed(HEAD + POINT + "limit_sets: [{id: s, limits: [{parameter: ph, upper: 9}]}]\n")
    limit_set = plant.limit_set_by_id["s"]
    assert limit_set.limits[0].statistic is Statistic.HOURLY_MEDIAN
    assert (limit_set.title.zh, limit_set.source) == ("s", "")


@pytest.mark.parametrize("text", ["on", "no", "12:30", "2026-10-01", "1e3", "~x", "0o17", "null-member"])
def test_yaml_1_1_has_no_traps_for_ids(text: str) -> None:
    plant = parsed(HEAD.replace("id: a", f"id: {text}") + POINT.replace("member: a", f"member: {text}"))
    assert plant.members[0].id == text


@pytest.mark.parametrize(("text", "unit"), [("1", "1"), ("'1'", "1"), ("NTU", "NTU")])
def test_a_unit_may_look_like_a_number(text: str, unit: str) -> None:
    plant = parsed(HEAD + POINT.replace("cod_cr: {", f"turbidity: {{unit: {text}, "))
    assert plant.series[2].unit == unit


@pytest.mark.parametrize("text", ["12:30", "1_200", "0x10", "01200", ".inf", ".nan", "1e400", "１２００", "1,200"])
def test_what_is_no_number_is_refused(text: str) -> None:
    (problem,) = problems_of((HEAD + POINT).replace("1200", f"{text}" if "," not in text else f'"{text}"'))
    assert problem.startswith("plant.yaml:1: plant.capacity_m3_d: found ")


@pytest.mark.parametrize(("text", "number"), [("1200", "1200"), ("1.2e3", "1.2e3"), ("+.5", ".5"), ("0.30", "0.30")])
def test_numbers_keep_their_literal_text(text: str, number: str) -> None:
    plant = parsed((HEAD + POINT).replace("1200", text))
    assert plant.capacity_m3_d == Decimal(number)


def test_all_mistakes_of_a_file_at_once() -> None:
    """Mistakes of shape and of meaning, in every part of the file, in one run, each once and in order."""
    text = """\
plant:
  id: demo
  name: {zh: 示范, en: demo}
  timezone: Nowhere/Town
  capacity_m3_d: many
  inlet: gone
members:
  - {id: a, name: {zh: 甲, en: A}, capacity_shares: 1}
  - {id: a, name: {zh: 乙, en: B}, quota_m3_d: -1}
points:
  - id: o
    role: outfall
    parameters:
      flow: {unit: mg/L, interval: 10s}
      sweetness: {interval: 1m}
  - id: x
    role: pond
    parameters: {ph: {}}
  - id: y
    role: effluent
    member: a
    limits: [nothing]
    parameters:
      ph: {}
devices:
  - {id: d, protocol: modbus-tcp, address: here, readings: [{point: o, parameter: brix, register: 70000, type: int16}]}
  - {id: e, protocol: mqtt, broker: ftp://x, topic: a/+/b, password: geheim}
store: {read_from: influxdb}
tariff: {fixed_yuan_month: {z: 1}, surcharge: 2}
"""
    found = [(int(p.split(":")[1]), p.split(": ")[1]) for p in problems_of(text)]
    assert found == [
        (4, "plant.timezone"),
        (5, "plant.capacity_m3_d"),
        (6, "plant.inlet"),
        (8, "members[0].capacity_shares"),
        (9, "members[1].id"),
        (9, "members[1].quota_m3_d"),
        (11, "points[0].member"),
        (14, "points[0].parameters.flow.unit"),
        (15, "points[0].parameters.sweetness.unit"),
        (17, "points[1].role"),
        (21, "points[2].member"),
        (22, "points[2].limits[0]"),
        (24, "points[2].parameters.ph.interval"),
        (26, "devices[0].address"),
        (26, "devices[0].readings[0].parameter"),
        (26, "devices[0].readings[0].register"),
        (27, "devices[1].broker"),
        (27, "devices[1].password"),
        (28, "store.read_from"),
        (29, "tariff.fixed_yuan_month.z"),
        (29, "tariff.surcharge"),
    ]


def test_a_broken_part_hides_no_mistake_elsewhere_and_makes_none() -> None:
    """A member whose name is broken is still a member; a plant without name is still checked."""
    text = HEAD.replace("name: {zh: 甲, en: A}", "name: 甲").replace("timezone: Asia/Shanghai, ", "")
    found = problems_of(text + POINT.replace("interval: 1h", "interval: 1 hour"))
    assert [p.split(": ")[1] for p in found] == [
        "plant.timezone",
        "members[0].name",
        "points[0].parameters.cod_cr.interval",
    ]


def test_templates_give_keys_that_devices_can_override() -> None:
    plant = parsed(
        HEAD
        + POINT
        + """\
templates:
  meter:
    protocol: modbus-tcp
    poll: 5s
    unit_id: 3
    readings: [{parameter: flow, register: 0, type: float32, order: CDAB}]
devices:
  - {id: m1, template: meter, address: 'h:502', point: o}
  - id: m2
    template: meter
    address: h:503
    unit_id: 4
    readings: [{point: o, parameter: cod_cr, register: 4, type: int16}]
"""
    )
    first, second = plant.devices
    assert isinstance(first, ModbusDevice) and isinstance(second, ModbusDevice)
    assert (first.poll_ms, first.unit_id, first.readings[0].point, first.readings[0].order) == (5_000, 3, "o", "CDAB")
    assert (second.poll_ms, second.unit_id, second.readings[0].parameter) == (5_000, 4, "cod_cr")


def test_a_mistake_in_a_template_is_told_once_and_where_it_stands() -> None:
    found = problems_of(
        HEAD
        + POINT
        + """\
templates:
  meter:
    protocol: modbus-tcp
    readings: [{parameter: flow, register: 0, type: real}]
devices:
  - {id: m1, template: meter, address: 'h:502', point: o}
  - {id: m2, template: meter, address: 'h:503', point: o}
"""
    )
    assert any("plant.yaml:8: templates.meter.readings[0].type: found real" in p for p in found)
    assert len([p for p in found if "real" in p]) == 1


def test_secrets_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from a file\n", encoding="utf-8")
    store = "store: {influxdb: {url: 'http://h', org: o, token: 'file:token'}}\n"
    path = tmp_path / "plant.yaml"
    path.write_text(HEAD + POINT + store, encoding="utf-8")
    influx = load_plant(path, env={}).influxdb
    assert influx is not None and influx.token == "from a file"
    path.write_text((HEAD + POINT + store).replace("file:token", "env:TOKEN"), encoding="utf-8")
    influx = load_plant(path, env={"TOKEN": "from outside"}).influxdb
    assert influx is not None and influx.token == "from outside"
    with pytest.raises(ConfigError, match="TOKEN is not set"):
        load_plant(path, env={})
    unneeded = load_plant(path, env={}, secrets=False).influxdb  # an evaluation needs no token
    assert unneeded is not None and unneeded.token is None


def test_a_limit_without_unit_has_that_of_the_series_and_may_not_differ_from_the_others() -> None:
    sets = """\
limit_sets:
  - id: s
    limits:
      - {parameter: cod_cr, upper: 500, unit: mg/L, valid_from: 2020-01-01}
      - {parameter: cod_cr, upper: 400, valid_from: 2024-01-01}
"""
    point = POINT.replace("member: a,", "member: a, limits: [s],")
    assert len(parsed(HEAD + point + sets).limit_set_by_id["s"].limits) == 2
    (problem,) = problems_of(HEAD + point.replace("cod_cr: {", "cod_cr: {unit: g/L, ") + sets)
    assert "points[0].limits[0]: found limits of 's' on cod_cr, daily_mean in g/L and mg/L" in problem


def test_a_limit_on_what_a_point_does_not_measure_is_fine() -> None:
    sets = "limit_sets: [{id: s, limits: [{parameter: brix, upper: 5, unit: Brix}]}]\n"
    assert parsed(HEAD + POINT.replace("member: a,", "member: a, limits: [s],") + sets).points[0].limits == ("s",)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"plant\.yaml: found No such file or directory, expected a readable file"):
        load_plant(tmp_path / "plant.yaml")
    path = tmp_path / "plant.yaml"
    path.write_bytes("plant:\n  name: 厂\n".encode("gb18030"))
    with pytest.raises(ConfigError, match=r"plant\.yaml:2: found the byte 0xB3, which is not UTF-8"):
        load_plant(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x [*x]\n", "an alias that holds itself"),
        (LAUGHS, "more than 200000 values"),
        ("- 1\n- 2\n", "a list"),
        ("plant\n", "a mapping with the keys"),
        ("a: 1\n---\nb: 2\n", "another document"),
        ("a: \x07\n", "U+0007"),
        ("? [1]\n: 2\n", "a key that is a list"),
        ("", "an empty file"),
        ("# nothing\n", "an empty file"),
    ],
)  # fmt: skip
def test_texts_that_are_no_configuration(text: str, words: str) -> None:
    assert words in "\n".join(problems_of(text))


def test_keys_with_nothing_below_them_are_not_stated() -> None:
    plant = parsed(HEAD + POINT + "devices:\n  # none yet\nstore:\ntariff:\nnotify:\nlimit_sets:\n")
    assert plant.devices == () and plant.influxdb is None


def test_the_json_schema_describes_every_key() -> None:
    schema = json_schema()
    assert schema["required"] == ["plant", "points"]
    assert set(schema["properties"]) == {
        "plant", "members", "points", "limit_sets", "templates", "devices", "store", "tariff", "notify",
        "quality", "public_screen",
    }  # fmt: skip
    for name, part in schema["$defs"].items():
        for key, about in part["properties"].items():
            assert about.get("description"), f"{name}.{key} is not described"
    assert schema["$defs"]["ModbusSection"]["required"] == ["id"]  # the rest may come from a template
    assert schema["$defs"]["ParameterSection"]["additionalProperties"] is False


ODD = ["[]", "{}", "null", "-1", "1e999", "x", "[[1]]", "{a: {b: c}}", '""', "*x", "&x", "!!int 1", "9" * 400, "١",
       "a/b", "true", "2022-13-01", "10s", "{1}", "file:/", "env:", "[1, a, {}]", "id: {"]  # fmt: skip


@given(data=st.data())
def test_whatever_stands_in_a_file_it_is_a_plant_or_a_list_of_problems(data: st.DataObject) -> None:
    """Values exchanged, lines lost or doubled: never another exception, and a problem always has a place."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["value", "drop", "double"])):
            case "drop":
                del lines[at]
            case "double":
                lines.insert(data.draw(st.integers(0, len(lines))), lines[at])
            case _:
                words = list(re.finditer(r"\{[^{}]*\}|\[[^\[\]]*\]|[^\s:,{}\[\]]+", lines[at]))
                if words:
                    word = data.draw(st.sampled_from(words))
                    lines[at] = lines[at][: word.start()] + data.draw(st.sampled_from(ODD)) + lines[at][word.end() :]
    try:
        parsed("\n".join(lines))
    except ConfigError as error:
        assert error.problems and all(p.where.startswith("plant.yaml") and p.expected for p in error.problems)
