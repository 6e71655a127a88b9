"""Registers to numbers."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from field_parts import at
from hypothesis import given
from hypothesis import strategies as st
from register_image import Image, value_of

from plant_monitor.errors import DecodeError
from plant_monitor.ingest.registers import FORMATS, ORDERS, decode, decode_text, encode, width
from plant_monitor.ingest.samples import span
from plant_monitor.register_maps import RegisterFraction

# (number, type, order, registers), each worked out by hand from the big-endian bytes.
CODEC = [
    (-2, "int16", "ABCD", [0xFFFE]),
    (-2, "int16", "CDAB", [0xFFFE]),
    (-2, "int16", "BADC", [0xFEFF]),
    (-2, "int16", "DCBA", [0xFEFF]),
    (65534, "uint16", "ABCD", [0xFFFE]),
    (0x0A0B0C0D, "int32", "ABCD", [0x0A0B, 0x0C0D]),
    (0x0A0B0C0D, "uint32", "CDAB", [0x0C0D, 0x0A0B]),
    (0x0A0B0C0D, "uint32", "BADC", [0x0B0A, 0x0D0C]),
    (0x0A0B0C0D, "uint32", "DCBA", [0x0D0C, 0x0B0A]),
    (4294967295, "uint32", "ABCD", [0xFFFF, 0xFFFF]),
    (-1, "int32", "ABCD", [0xFFFF, 0xFFFF]),
    (0x0102030405060708, "int64", "ABCD", [0x0102, 0x0304, 0x0506, 0x0708]),
    (0x0102030405060708, "uint64", "CDAB", [0x0708, 0x0506, 0x0304, 0x0102]),
    (0x0102030405060708, "uint64", "BADC", [0x0201, 0x0403, 0x0605, 0x0807]),
    (0x0102030405060708, "uint64", "DCBA", [0x0807, 0x0605, 0x0403, 0x0201]),
    (2**64 - 1, "uint64", "ABCD", [0xFFFF] * 4),
    (1.0, "float32", "ABCD", [0x3F80, 0x0000]),
    (1.0, "float32", "CDAB", [0x0000, 0x3F80]),
    (1.0, "float32", "BADC", [0x803F, 0x0000]),
    (1.0, "float32", "DCBA", [0x0000, 0x803F]),
    (-2.5, "float64", "ABCD", [0xC004, 0, 0, 0]),
    (-2.5, "float64", "DCBA", [0, 0, 0, 0x04C0]),
]


@pytest.mark.parametrize(("number", "type_", "order", "registers"), CODEC)
def test_decode_and_encode(number: float, type_: str, order: str, registers: list[int]) -> None:
    assert decode(registers, type_, order) == number
    assert encode(number, type_, order) == registers


# Instrument families of the register facts -> how their check vectors are read: (index, type, order).
VECTORS = {
    "Siemens SITRANS F M MAG 6000": [(0, "float32", "ABCD"), (1, "float64", "ABCD")],
    "Siemens SITRANS F M MAG 8000": [(0, "float32", "ABCD")],
    "Krohne IFC 050": [(0, "float32", "ABCD"), (1, "float64", "ABCD")],
    "Krohne battery water meter": [(0, "float64", "ABCD")],
    "TUF-2000": [(0, "float32", "CDAB")],
    "Endress+Hauser Proline": [(i, "float32", o) for i, o in enumerate(("CDAB", "ABCD", "DCBA", "BADC"))],
    "Endress+Hauser Liquiline": [(0, "float32", "CDAB")],
    "Hach Amtax": [(0, "float32", "CDAB")],
    "ABB AquaMaster 3": [(0, "float32", "ABCD"), (1, "uint32", "ABCD")],
    "Kaifeng Xintai": [(0, "float32", "DCBA")],
}


def words(texts: list[str]) -> list[int]:
    return [int(t, 16) for t in texts]


FACTS = Path(__file__).parents[1] / "data" / "modbus" / "curated_instrument_registers.json"


@pytest.fixture(scope="module")
def families() -> dict[str, list[dict[str, object]]]:
    return {i["family"]: i["check_vectors"] for i in json.loads(FACTS.read_text())["instruments"]}


@pytest.mark.parametrize(("family", "index", "type_", "order"), [(f, *v) for f, vs in VECTORS.items() for v in vs])
def test_instruments_of_the_field(
    families: dict[str, list[dict[str, object]]], family: str, index: int, type_: str, order: str
) -> None:
    (vectors,) = [v for name, v in families.items() if name.startswith(family)]
    vector = vectors[index]
    expected = vector["value"]
    if type_ == "float32":
        (expected,) = struct.unpack(">f", struct.pack(">f", expected))
    assert decode(words(vector["registers"]), type_, order) == expected  # type: ignore[arg-type]


def test_instruments_with_several_values_in_an_answer() -> None:
    """Hach NPW-160 (TN, TP), Yosemitech (temperature, pH), Hamilton Arc (value at offset 2)."""
    npw = words(["0x4145", "0x70A4", "0x3EA4", "0x5A1D"])
    assert value_of(at("tn", 0), 0, npw) == pytest.approx(12.34, rel=1e-7)
    assert value_of(at("tp", 2), 0, npw) == pytest.approx(0.321, rel=1e-7)
    yosemitech = words(["0x0000", "0x7041", "0x0000", "0xE840"])
    assert value_of(at("t", 9728, order="DCBA"), 9728, yosemitech) == 15.0
    assert value_of(at("ph", 9730, order="DCBA"), 9728, yosemitech) == 7.25
    hamilton = [0, 0, *words(["0xA3D7", "0x40E0"]), 0, 0]
    assert value_of(at("ph", 2091, order="CDAB"), 2089, hamilton) == pytest.approx(7.02, rel=1e-7)


def test_integer_and_fraction_make_one_total() -> None:
    """TUF-2000 (m3) and L-mag (litres, told in m3): int32 and float32, each with its scale."""
    tuf = at("volume", 8, "int32", "CDAB", fraction=RegisterFraction(10, "float32", "CDAB"))
    assert span(tuf) == (8, 4)
    assert value_of(tuf, 8, words(["0xE240", "0x0001", "0x0000", "0x3F40"])) == 123456.75
    lmag = at("volume", 4120, "int32", scale=0.001, fraction=RegisterFraction(4122, "float32", "ABCD", scale=0.001))
    assert value_of(lmag, 4120, words(["0x0074", "0xCBB1", "0x3E80", "0x0000"])) == 7654.32125


def test_scaled_integers_are_what_the_dial_shows() -> None:
    """3 * 0.1 in floats is 0.30000000000000004, and a bill would print it."""
    assert value_of(at("x", 0, "uint16", scale=0.1), 0, [3]) == 0.3
    assert value_of(at("x", 0, "uint32", scale=0.01, offset=-0.3), 0, [0x00BC, 0x614E]) == 123456.48
    assert value_of(at("x", 0, "int16", scale=0.1, offset=-50.0), 0, [0xFFFF]) == -50.1


@pytest.mark.parametrize("bits", [[0x7FC0, 0], [0x7F80, 0], [0xFF80, 0]])
def test_nan_and_infinity_come_out_as_they_are(bits: list[int]) -> None:
    (expected,) = struct.unpack(">f", struct.pack(">2H", *bits))
    found = value_of(at("x", 0, scale=2.0, offset=1.0), 0, bits)
    assert found == expected or (math.isnan(found) and math.isnan(expected))
    pair = at("x", 0, "int32", fraction=RegisterFraction(2, "float32", "ABCD"))
    assert not math.isfinite(value_of(pair, 0, [0, 1, *bits]))


def test_a_block_that_does_not_hold_the_value_whole_is_an_error() -> None:
    with pytest.raises(DecodeError, match="p/x"):
        value_of(at("x", 10), 9, [0, 0])
    with pytest.raises(DecodeError, match="takes 2"):
        decode([1], "float32", "ABCD")


NUMBERS = {
    t: st.floats(width=32 if t == "float32" else 64, allow_nan=False)
    if t.startswith("float")
    else st.integers(
        *(
            (0, 2 ** (16 * width(t)) - 1)
            if t.startswith("u")
            else (-(2 ** (16 * width(t) - 1)), 2 ** (16 * width(t) - 1) - 1)
        )
    )
    for t in FORMATS
}


@given(st.sampled_from(sorted(FORMATS)).flatmap(lambda t: st.tuples(st.just(t), NUMBERS[t])), st.sampled_from(ORDERS))
def test_codec_round_trip(typed: tuple[str, float], order: str) -> None:
    type_, number = typed
    assert decode(encode(number, type_, order), type_, order) == number


@given(st.lists(st.integers(0, 65535), min_size=4, max_size=4), st.sampled_from(ORDERS))
def test_the_four_orders_extend_to_64_bit(registers: list[int], order: str) -> None:
    """A 64-bit value in an order is its two halves in that order, swapped where words are."""
    whole = decode(registers, "uint64", order)
    high, low = (registers[:2], registers[2:]) if order in ("ABCD", "BADC") else (registers[2:], registers[:2])
    assert whole == decode(high, "uint32", order) << 32 | decode(low, "uint32", order)  # type: ignore[operator]


def test_a_value_that_stands_for_none_is_none() -> None:
    reading = replace(at("ph", 0, "int16"), scale=0.1, no_value=(-999.9, 0.0))
    told = [value_of(reading, 0, [word & 0xFFFF]) for word in (-9999, 0, 3, -9998)]
    assert math.isnan(told[0]) and math.isnan(told[1])
    assert told[2:] == [0.3, -999.8]


# --- BCD, bits, text -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("registers", "type_", "order", "number"),
    [
        ([0x1234], "bcd16", "ABCD", 1234),
        ([0x0012, 0x3456], "bcd32", "ABCD", 123456),
        ([0x3456, 0x0012], "bcd32", "CDAB", 123456),
        ([0x5634, 0x1200], "bcd32", "DCBA", 123456),
        ([0, 0x0012, 0x3456, 0x7890], "bcd64", "ABCD", 1234567890),
        ([0x4A2C], "float16", "ABCD", 12.34375),
    ],
)
def test_bcd_and_half_floats(registers: list[int], type_: str, order: str, number: float) -> None:
    assert decode(registers, type_, order) == number
    assert encode(number, type_, order) == registers


def test_a_bit_of_a_register() -> None:
    assert [value_of(at("x", 5, "bit", bit=bit), 5, [0x8005]) for bit in (0, 1, 2, 14, 15)] == [1, 0, 1, 0, 1]
    assert value_of(at("x", 5, "bit", "BADC", bit=0), 5, [0x0100]) == 1
    assert value_of(at("x", 5, "bit", bit=3, scale=-1.0, offset=1.0), 5, [0x0008]) == 0  # an inverted contact
    assert value_of(at("x", 5, "bool", table="discrete"), 4, [0, 1, 0]) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7.25  ", 7.25),
        (" -0.5\0", -0.5),
        ("1e3\0xy", 1000.0),
        ("+7.", 7.0),
        ("12,5  ", None),
        ("", None),
        ("n/a ", None),
    ],
)
def test_a_number_in_text(text: str, value: float | None) -> None:
    data = text.encode().ljust(6, b"\0")
    registers = list(struct.unpack(">3H", data))
    reading = at("ph", 0, "string", length=3)
    sample = Image(holding=(0, registers)).sample(reading)
    if value is None:
        assert math.isnan(sample.value) and sample.note is not None and "decimal number" in sample.note
    else:
        assert (sample.value, sample.note) == (value, None)
    swapped = list(struct.unpack("<3H", data))
    assert decode_text(swapped, "BADC") == decode_text(registers, "ABCD")


def test_what_is_no_bcd_is_no_value_and_says_so() -> None:
    sample = Image(holding=(0, [0x12A4])).sample(at("x", 0, "bcd16"))
    assert math.isnan(sample.value) and "0x12A4" in str(sample.note)
