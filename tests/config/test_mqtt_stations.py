"""MQTT stations of plant.yaml: every key becomes what ingest reads, and paths mean one thing."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.config.json_paths import json_path
from plant_monitor.config.plant_file import load_plant, parse_plant
from plant_monitor.errors import ConfigError
from plant_monitor.payload_maps import JsonMapping, JsonPath, SparkplugMapping, SparkplugMetric
from plant_monitor.plant import MqttStation, TlsFiles

PLANT = """
plant: {id: p, name: {zh: 厂, en: plant}, timezone: Asia/Shanghai, capacity_m3_d: 100}
points: [{id: a, role: process, parameters: {ph: {interval: 1m}, flow: {interval: 1m}}}]
devices:
"""
SPARKPLUG = "{format: sparkplug_b, metrics: [{name: F, point: a, parameter: flow}]}"


def station(text: str, **env: str) -> MqttStation:
    (found,) = parse_plant(PLANT + text, "plant.yaml", env).devices
    assert isinstance(found, MqttStation)
    return found


def test_what_is_not_stated_is_as_it_was() -> None:
    found = station("  - {id: s, protocol: mqtt, broker: mqtt://h, topic: plants/p/+/readings}\n")
    assert found == MqttStation("s", "h", 1883, False, "plants/p/+/readings", point="{1}")
    assert (found.version, found.client_id, found.session_expiry_ms, found.status) == ("3.1.1", None, None, True)


def test_every_key_of_a_connection(tmp_path: Path) -> None:
    for name in ("ca", "own", "key"):
        (tmp_path / f"{name}.pem").touch()
    path = tmp_path / "plant.yaml"
    path.write_text(
        PLANT
        + """
  - id: s
    protocol: mqtt
    broker: mqtts://h
    version: 5
    client_id: production
    session_expiry: 72h
    topic: $share/production/plants/p/a/readings
    username: u
    password: env:PW
    tls: {ca: ca.pem, certificate: own.pem, key: key.pem, key_password: env:KEY}
    status: false
""",
        encoding="utf-8",
    )
    (found,) = load_plant(path, {"PW": "geheim", "KEY": "geheim2"}).devices
    files = TlsFiles(*(str(tmp_path / f"{name}.pem") for name in ("ca", "own", "key")), "geheim2")
    assert found == MqttStation(
        "s", "h", 8883, True, "$share/production/plants/p/a/readings", point="a", username="u", password="geheim",
        version="5", client_id="production", session_expiry_ms=72 * 3_600_000, tls_files=files, status=False,
    )  # fmt: skip
    assert "geheim" not in repr(found)
    assert load_plant(path, {}, secrets=False).devices[0].id == "s"  # a command that speaks to no broker needs neither
    (tmp_path / "ca.pem").unlink()
    assert load_plant(path, {}, secrets=False).devices[0].id == "s"
    with pytest.raises(ConfigError, match=r"devices\[0\]\.tls\.ca: found ca\.pem, which cannot be read"):
        load_plant(path, {"PW": "geheim", "KEY": "geheim2"})


def test_every_key_of_a_mapping() -> None:
    found = station(
        """
  - id: s
    protocol: mqtt
    broker: mqtt://h
    topic: gateway
    payload:
      format: json
      records: $.*[*]
      time: {path: ts, format: epoch_s, missing: receipt}
      point: $.who
      points: {Device A: a}
      mark: {path: q, codes: {good: N, bad: D}, other: C}
      values:
        - path: v[0]
          point: a
          parameter: flow
          unit: L/s
          scale: 0.1
          offset: -2
          accepts: text
          missing: [-9999, '']
          where: {id: [x, 7]}
          mark: {path: m}
"""
    ).payload
    assert isinstance(found, JsonMapping)
    (value,) = found.values
    assert found.records == JsonPath("$.*[*]", (None, None), True)
    assert found.time is not None and found.time.or_receipt and found.time.instant("1.5") == 1500
    assert (found.point, found.points) == (JsonPath("$.who", ("who",), True), (("Device A", "a"),))
    assert found.mark is not None
    assert (found.mark.codes, found.mark.other) == ((("good", ord("N")), ("bad", ord("D"))), ord("C"))
    assert value.path == JsonPath("v[0]", ("v", 0)) and (value.point, value.parameter) == ("a", "flow")
    assert (value.unit, value.scale, value.offset) == ("L/s", Fraction(1, 10), Fraction(-2))
    assert (value.accepts, value.missing) == ("text", ("-9999", ""))
    assert value.where == ((JsonPath("id", ("id",)), frozenset({"x", "7"})),)
    assert value.mark is not None and value.mark.path == JsonPath("m", ("m",)) and value.mark.other is None


def test_every_key_of_sparkplug() -> None:
    found = station(
        """
  - id: s
    protocol: mqtt
    broker: mqtt://h
    topic: spBv1.0/g/+/+/#
    point: '{device}'
    payload:
      format: sparkplug_b
      rebirth: true
      points: {pump: a}
      metrics:
        - {name: Outfall/Flow, node: n, device: pump, point: a, parameter: flow, unit: L/s, scale: 2, offset: 1}
        - {name: pH, parameter: ph}
"""
    ).payload
    assert found == SparkplugMapping(
        (
            SparkplugMetric("Outfall/Flow", "flow", "n", "pump", "a", "L/s", Fraction(2), Fraction(1)),
            SparkplugMetric("pH", "ph"),
        ),
        (("pump", "a"),),
        True,
    )


@pytest.mark.parametrize(
    "topic",
    ["'#'", "spBv1.0/#", "spBv1.0/g/#", "spBv1.0/g/+/#", "spBv1.0/g/+/n/#", "+/+/+/+/#", "$share/x/spBv1.0/g/+/n/#"],
)
def test_filters_that_bring_births(topic: str) -> None:
    assert station(f"  - {{id: s, protocol: mqtt, broker: mqtt://h, topic: {topic}, point: a, payload: {SPARKPLUG}}}\n")


@pytest.mark.parametrize("topic", ["spBv1.0/g/+/n", "spBv1.0/g/DDATA/#", "spAv1.0/#", "spBv1.0/g/+/n/d", "plants/#"])
def test_filters_that_do_not(topic: str) -> None:
    with pytest.raises(ConfigError, match="so that births come as well as data"):
        station(f"  - {{id: s, protocol: mqtt, broker: mqtt://h, topic: {topic}, point: a, payload: {SPARKPLUG}}}\n")


def test_a_template_may_hold_a_mapping() -> None:
    plant = parse_plant(
        "templates:\n  logger: {protocol: mqtt, broker: mqtt://h, payload: {values: [{path: v, parameter: ph}]}}\n"
        + PLANT
        + "  - {id: s, template: logger, topic: loggers/+}\n",
        "plant.yaml",
        {},
    )
    assert isinstance(plant.devices[0], MqttStation) and isinstance(plant.devices[0].payload, JsonMapping)


@pytest.mark.parametrize(
    ("text", "steps", "from_message"),
    [
        ("$", (), True),
        ("a", ("a",), False),
        ("$.a.b", ("a", "b"), True),
        ("a b.c/d", ("a b", "c/d"), False),
        ("a[0][-1]", ("a", 0, -1), False),
        ("[1]", (1,), False),
        ("*", (None,), False),
        ("$[*].v", (None, "v"), True),
        ("$.*", (None,), True),
        ("['Device A'].x", ("Device A", "x"), False),
        ('a["b.c"]', ("a", "b.c"), False),
        (r"a['it\'s']", ("a", "it's"), False),
        ("温度.值", ("温度", "值"), False),
        ("a.[0]", ("a", 0), False),
    ],
)
def test_paths(text: str, steps: tuple[str | int | None, ...], from_message: bool) -> None:
    assert json_path(text) == JsonPath(text, steps, from_message)


@pytest.mark.parametrize(
    "text", ["", " ", ".", "a.", "a..b", "$a", "a[", "a[x]", "a[0", "a['b]", "a[1.5]", "$.", "a.$", "[]"]
)
def test_what_is_no_path(text: str) -> None:
    assert json_path(text) is None


@given(st.text(alphabet=".[]*$'\"\\ab0-9 ", max_size=12))
def test_no_text_makes_a_path_fail(text: str) -> None:
    found = json_path(text)
    assert found is None or found.text == text


DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"
OF_DOCS = """
plant: {id: p, name: {zh: 厂, en: plant}, timezone: Asia/Shanghai, capacity_m3_d: 100}
points:
"""


def test_the_examples_of_the_page_are_right() -> None:
    """Every YAML block of the page that is a station, or the keys of one, loads."""
    points = "".join(
        f"  - {{id: {p}, role: process, parameters: "
        "{flow: {interval: 1m}, volume: {interval: 1m}, ph: {interval: 1m}, water_temperature: {interval: 1m}}}\n"
        for p in ("a-outfall", "b-outfall", "plant-effluent")
    )
    blocks = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    stations = ["devices:\n  - id: s\n    protocol: mqtt\n    broker: mqtt://h\n" + b for b in blocks if b[0] == " "]
    stations += [b for b in blocks if b.startswith("devices:") and "protocol: mqtt" in b]
    assert len(stations) == 5
    for text in stations:
        (found,) = parse_plant(OF_DOCS + points + text, "docs", {}, secrets=False).devices
        assert isinstance(found, MqttStation)
