"""What other projects have recorded and expect: their requests, their registers, their values, through our reader."""

from __future__ import annotations

import json
import re
import socket
import struct
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from field_parts import RawServer, at, device_of
from register_image import value_of

from plant_monitor.ingest.blocks import Block
from plant_monitor.ingest.modbus_link import ExceptionAnswer, Lines, LinkLost
from plant_monitor.ingest.modbus_reader import BlockReader
from plant_monitor.ingest.registers import decode_text
from plant_monitor.plant import ModbusDevice

DATA = Path(__file__).parents[1] / "data" / "modbus"
TABLES = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


# --- telegraf --------------------------------------------------------------------------------------


def telegraf_device(server: RawServer, connection: socket.socket, request: bytes) -> None:
    """The device of telegraf's tests: a request for 1, 2 or 4 registers is answered by its own first address."""
    first, count = struct.unpack(">2H", request[8:12])
    number = first if count in (1, 2, 4) else 0
    body = bytes([request[6], request[7], 2 * count]) + number.to_bytes(2 * count, "big")
    connection.sendall(request[:4] + len(body).to_bytes(2, "big") + body)


def telegraf_case(name: str) -> tuple[int, list[dict[str, Any]], dict[str, float]]:
    """Unit, fields, and the value each is expected to have: MEASUREMENT.NAME -> value."""
    told = tomllib.loads((DATA / f"telegraf_{name}_telegraf.conf").read_text())["inputs"]["modbus"][0]
    (request,) = [*told.get("request", ()), *told.get("metric", ())]
    fields = [{"register": request.get("register"), "measurement": "modbus"} | field for field in request["fields"]]
    expected = {}
    for line in (DATA / f"telegraf_{name}_expected.out").read_text().splitlines():
        head, values = line.split(" ")[:2]
        for field in values.split(","):
            key, _, value = field.partition("=")
            expected[f"{head.split(',')[0]}.{key}"] = float(re.sub("[iu]$", "", value))
    return request["slave_id"], fields, expected


@pytest.mark.parametrize("name", ["duplicate_fields_issue_12091", "metric_style_issue_16031"])
def test_cases_of_telegraf(name: str) -> None:
    unit, fields, expected = telegraf_case(name)
    readings = [
        at(
            f"{f['measurement']}.{f['name']}",
            f["address"],
            f["type"].lower(),
            table=f["register"],
            scale=float(f.get("scale", 1)),
        )
        for f in fields
    ]
    with RawServer(telegraf_device) as server:
        device = device_of(server.port, *readings, unit_id=unit, max_gap=0)  # telegraf joins neighbours alone
        link = Lines().link(device)
        answers = BlockReader(device, link).read(range(len(readings)))
        link.leave()
    assert not answers.failed
    assert {readings[i].parameter: sample.value for i, sample in answers.values.items()} == expected


# --- ThingsBoard Gateway ---------------------------------------------------------------------------


LETTERS = {"16int": "h", "16uint": "H", "16float": "e", "32int": "i", "32uint": "I"}
LETTERS |= {"32float": "f", "64int": "q", "64uint": "Q", "64float": "d"}


def little(type_: str, number: float) -> list[int]:
    """Registers as its slave fills them with byteOrder LITTLE and wordOrder LITTLE."""
    packed = struct.pack("<" + LETTERS[type_], number)
    return list(struct.unpack(f">{len(packed) // 2}H", packed))


OUR_TYPES = {f"{size}{kind}": f"{kind}{size}" for size in (16, 32, 64) for kind in ("int", "uint", "float")}


@pytest.mark.parametrize("table", ["holding", "input"])
def test_cases_of_thingsboard_gateway(table: str) -> None:
    name = f"tbgw_configs_uplink_configs_modbus_uplink_converter_{table}_registers_reading_little.json"
    config = json.loads((DATA / name).read_text())
    (slave,) = config["Modbus"]["configurationJson"]["master"]["slaves"]
    expected = json.loads((DATA / f"tbgw_test_values_uplink_{table}_registers_values_little.json").read_text())
    preset = json.loads((DATA / "tbgw_default_slave_values.json").read_text())
    seen = set()
    for series in slave["timeseries"]:
        tag, first = series["tag"], series["address"]
        assert {3: "holding", 4: "input"}[series["functionCode"]] == table
        if tag == "string":
            registers = list(struct.unpack(">2H", preset[tag].encode()))  # text has no order of bytes there
            assert decode_text(registers, "ABCD") == expected[tag]
        elif tag == "bits":
            states = [state == "true" for state in preset[tag].strip("[]").split(",")]
            low, high = (sum(bit << i for i, bit in enumerate(states[at_ : at_ + 8])) for at_ in (0, 8))
            found = [
                value_of(at("x", first, "bit", "DCBA", table=table, bit=i), first, [low << 8 | high]) for i in range(16)
            ]
            assert [bool(bit) for bit in found] == [s == "true" for s in expected[tag].strip("[]").split(",")]
        elif tag in expected:
            registers = little(tag, float(preset[tag]) if "float" in tag else int(preset[tag]))
            reading = at("x", first, OUR_TYPES[series["type"]], "DCBA", table=table)
            found_value = value_of(reading, first, registers)
            assert found_value == pytest.approx(float(expected[tag]), rel=1e-7 if "float" in tag else 0)
        seen.add(tag)
    assert seen >= set(expected)


# --- captures --------------------------------------------------------------------------------------


def segments(capture: str) -> Iterator[tuple[int, int, bytes]]:
    """(source port, destination port, payload) of each TCP segment of an Ethernet capture that carries something."""
    data = (DATA / capture).read_bytes()
    assert data[:4] == b"\xd4\xc3\xb2\xa1"
    at_ = 24
    while at_ < len(data):
        (size,) = struct.unpack("<8xI4x", data[at_ : at_ + 16])
        frame, at_ = data[at_ + 16 : at_ + 16 + size], at_ + 16 + size
        if frame[12:14] != b"\x08\x00" or frame[23] != 6:
            continue
        packet = frame[14:]
        tcp = packet[4 * (packet[0] & 15) : int.from_bytes(packet[2:4], "big")]
        payload = tcp[4 * (tcp[12] >> 4) :]
        if payload:
            yield *struct.unpack(">2H", tcp[:4]), payload


def exchanges(capture: str) -> list[tuple[bytes, bytes]]:
    """Each request for registers or bits, and what was answered to it."""
    open_: dict[tuple[int, int], bytes] = {}
    found = []
    for source, target, payload in segments(capture):
        if target == 502:
            open_[source, int.from_bytes(payload[:2], "big")] = payload
        else:
            request = open_.pop((target, int.from_bytes(payload[:2], "big")), b"")
            if len(request) == 12 and request[7] in TABLES:
                found.append((request, payload))
    return found


def replayed(request: bytes, answer: bytes) -> list[int]:
    """What our link makes of a recorded answer to a recorded request."""

    def script(server: RawServer, connection: socket.socket, asked: bytes) -> None:
        assert asked[2:] == request[2:]
        connection.sendall(asked[:2] + answer[2:])
        connection.shutdown(socket.SHUT_RDWR)

    first, count = struct.unpack(">2H", request[8:12])
    with RawServer(script) as server:
        link = Lines().link(device_of(server.port, unit_id=request[6]))
        try:
            return list(link.read(Block(TABLES[request[7]], first, count)))
        finally:
            link.leave()


def test_a_capture_as_another_project_decodes_it() -> None:
    """icsnpp-modbus: the log that Zeek writes of the same packets."""
    lines = (DATA / "icsnpp_expected_modbus_detailed.log").read_text().splitlines()
    names = next(line for line in lines if line.startswith("#fields")).split("\t")[1:]
    rows = [dict(zip(names, line.split("\t"), strict=True)) for line in lines if not line.startswith("#")]
    reads = [
        row
        for row in rows
        if row["func"].startswith("READ_") and row["address"] not in ("-", "0") and row["quantity"] != "-"
    ]
    recorded = exchanges("icsnpp_modbus_example.pcap")
    assert len(recorded) == len(reads) == 9
    for (request, answer), row in zip(recorded, reads, strict=True):
        assert (str(request[6]), str(int.from_bytes(request[8:10], "big"))) == (row["unit"], row["address"])
        if row["exception_code"] != "-":
            with pytest.raises(ExceptionAnswer, match="illegal data address"):
                replayed(request, answer)
        else:
            assert replayed(request, answer) == [int(value) for value in row["response_values"].split(",")]


def test_the_reads_of_a_field_capture() -> None:
    read = [(r[7], replayed(r, a)) for r, a in exchanges("iti_modbus_test_data_part1.pcap") if a[7] == r[7]]
    assert read == [(1, [0]), (1, [0, 0]), (3, [9, 24])]


@pytest.mark.parametrize("capture", ["iti_fuzz-72", "iti_modbus_test_data_part1", "icsnpp_modbus_example"])
def test_nothing_in_a_capture_is_taken_for_the_answer_to_another_request(capture: str) -> None:
    """Each frame that devices sent, malformed ones too, as it is and with the transaction that was asked for."""
    frames = sorted({payload for source, _, payload in segments(f"{capture}.pcap") if source == 502})
    sends = b""

    def script(server: RawServer, connection: socket.socket, request: bytes) -> None:
        connection.sendall(sends.replace(b"\xff\xfftid", request[:2]))
        connection.shutdown(socket.SHUT_RDWR)

    outcomes = []
    with RawServer(script) as server:
        for unit in (1, 10):
            device: ModbusDevice = device_of(server.port, unit_id=unit, timeout_ms=2000)
            link = Lines().link(device)
            for frame in frames:
                for sends in (frame, b"\xff\xfftid" + frame[2:]):
                    for table, count in (("holding", 2), ("coil", 1)):
                        try:
                            found = list(link.read(Block(table, 0, count)))
                        except (LinkLost, ExceptionAnswer) as error:
                            outcomes.append(type(error))
                        else:
                            assert sends.startswith(b"\xff\xff") and frame[6] == unit
                            assert frame[7] == (3 if table == "holding" else 1) and len(found) == count
            link.leave()
    assert outcomes.count(LinkLost) > len(frames)
