"""Modbus devices of plant.yaml: from the text to the record."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from plant_monitor.config.plant_file import load_plant, parse_plant
from plant_monitor.plant import ModbusDevice, TlsFiles
from plant_monitor.register_maps import RegisterReading, StatusRegister, UnitCode

PLANT = """\
plant: {id: p, name: {zh: 厂, en: Plant}, timezone: Asia/Shanghai, capacity_m3_d: 1200}
points:
  - id: o
    role: process
    parameters:
      flow: {interval: 10s}
      volume: {unit: L}
      ammonia_n: {interval: 1h}
      level: {unit: '1', interval: 1m}
      pump: {unit: '1', interval: 1m}
      ph: {interval: 1m}
templates:
  line: {protocol: modbus-tcp, address: 'gateway:802', point: o, tls: {ca: certs/ca.pem, key_password: 'env:KEY'}}
devices:
"""


def devices(tmp_path: Path, text: str) -> tuple[ModbusDevice, ...]:
    (tmp_path / "certs").mkdir(exist_ok=True)
    (tmp_path / "certs" / "ca.pem").touch()
    file = tmp_path / "plant.yaml"
    file.write_text(PLANT + text, encoding="utf-8")
    found = load_plant(file, env={"KEY": "geheim"}).devices
    assert all(isinstance(device, ModbusDevice) for device in found)
    return found  # type: ignore[return-value]


def test_everything_that_can_be_said_of_a_device(tmp_path: Path) -> None:
    (first, second) = devices(
        tmp_path,
        """\
  - id: a
    template: line
    readings:
      - parameter: flow
        register: 0x1010
        type: float32
        table: input
        order: CDAB
        unit_code: {register: 0x1020, units: {0: L/s, 5: m3/h, 0x08: 1000}}
      - {parameter: level, register: 7, type: bit, bit: 12, order: BADC}
      - {parameter: pump, table: discrete, register: 3}
  - id: b
    template: line
    unit_id: 2
    timeout: 0.5s
    readings:
      - parameter: volume
        register: 2
        type: bcd32
        unit_code: {register: 216, type: string, length: 2, units: {m3: m3, l: L}}
      - parameter: ammonia_n
        register: 9
        type: float32
        order: CDAB
        status:
          - {register: 9391, codes: {0: N, 0x4E: N, 0x4D: M}, order: ABCD, other: D}
          - {register: 11, type: uint32, bits: {31: D, 4: C}}
          - {table: discrete, register: 5, bits: {0: F}}
      - {parameter: ph, register: 30, type: string, length: 3}
""",
    )
    tls = TlsFiles(str(tmp_path / "certs/ca.pem"), None, None, "geheim")
    assert (first.host, first.port, first.unit_id, first.framing, first.tls) == ("gateway", 802, 1, "tcp", tls)
    assert (first.max_block, first.max_gap, first.min_delay_ms) == (125, 16, 0)
    codes = UnitCode("input", 0x1020, "uint16", "CDAB", ((0, Fraction(18, 5)), (5, Fraction(1)), (8, Fraction(1000))))
    assert first.readings == (
        RegisterReading("o", "flow", "input", 0x1010, "float32", "CDAB", unit_code=codes),
        RegisterReading("o", "level", "holding", 7, "bit", "BADC", bit=12),
        RegisterReading("o", "pump", "discrete", 3, "bool", "ABCD"),
    )
    assert (second.unit_id, second.timeout_ms, second.tls) == (2, 500, tls)
    volume, ammonia, ph = second.readings
    assert volume.unit_code == UnitCode(
        "holding", 216, "string", "ABCD", (("m3", Fraction(1000)), ("l", Fraction(1))), length=2
    )
    assert ammonia.status == (
        StatusRegister("holding", 9391, "uint16", "ABCD", codes=((0, "N"), (0x4E, "N"), (0x4D, "M"))),
        StatusRegister("holding", 11, "uint32", "CDAB", bits=((31, "D"), (4, "C"))),
        StatusRegister("discrete", 5, "bool", "CDAB", bits=((0, "F"),)),
    )
    assert (ph.type, ph.length) == ("string", 3)


def test_a_serial_line_behind_a_converter(tmp_path: Path) -> None:
    (device,) = devices(
        tmp_path,
        """\
  - id: line
    protocol: modbus-tcp
    address: '[fe80::1]:4001'
    framing: rtu
    min_delay: 0.05s
    max_block: 20
    max_gap: 0
    point: o
    readings:
      - {parameter: ph, register: 0, type: float64}
""",
    )
    assert (device.host, device.port, device.framing, device.tls) == ("fe80::1", 4001, "rtu", None)
    assert (device.min_delay_ms, device.max_block, device.max_gap) == (50, 20, 0)


def test_the_examples_of_the_page_are_right() -> None:
    """Every YAML block of the page that is a Modbus device loads."""
    outfall = "role: process, parameters: {flow: {interval: 1m}, volume: {}, ph: {interval: 1m}}"
    plant = PLANT[: PLANT.index("points:")] + "points:\n"
    plant += "".join(f"  - {{id: {point}, {outfall}}}\n" for point in ("a-outfall", "b-outfall"))
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n((?:devices|templates):.*?)```", page, re.DOTALL)
    blocks = [block for block in blocks if "protocol: modbus-tcp" in block]
    assert len(blocks) == 2
    for block in blocks:
        found = parse_plant(plant + block, "docs", {}, secrets=False).devices
        assert all(isinstance(device, ModbusDevice) for device in found)
