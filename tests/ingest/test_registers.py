"""Registers to numbers and marks."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from field_parts import at
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor import units
from plant_monitor.errors import DecodeError
from plant_monitor.ingest.registers import (
    FORMATS,
    ORDERS,
    Image,
    Sample,
    decode,
    decode_text,
    encode,
    pieces,
    sample_of,
    span,
    value_of,
    width,
)
from plant_monitor.readings import MARKS
from plant_monitor.register_maps import RegisterFraction, RegisterReading, StatusRegister, UnitCode

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


@pytest.fixture(scope="module")
def instruments() -> dict[str, dict[str, Any]]:
    """By the first two words of their family."""
    found = json.loads(FACTS.read_text())["instruments"]
    return {" ".join(instrument["family"].split()[:2]): instrument for instrument in found}


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
    sample = sample_of(reading, image_of(holding=(0, registers)))
    if value is None:
        assert math.isnan(sample.value) and sample.note is not None and "decimal number" in sample.note
    else:
        assert (sample.value, sample.note) == (value, None)
    swapped = list(struct.unpack("<3H", data))
    assert decode_text(swapped, "BADC") == decode_text(registers, "ABCD")


def test_what_is_no_bcd_is_no_value_and_says_so() -> None:
    sample = sample_of(at("x", 0, "bcd16"), image_of(holding=(0, [0x12A4])))
    assert math.isnan(sample.value) and "0x12A4" in str(sample.note)


# --- what stands beside a value --------------------------------------------------------------------


def image_of(**tables: tuple[int, list[int]]) -> Image:
    image = Image()
    for table, (first, registers) in tables.items():
        image.add(table, first, registers)
    return image


@pytest.mark.parametrize(("family", "code"), [("L-mag magnetic", 5), ("MB-mag magnetic", 2)])
def test_the_unit_code_decides_over_the_unit(instruments: dict[str, dict[str, Any]], family: str, code: int) -> None:
    """One flow, one register block, two makers' tables of codes: 45 m3/h either way, and L/s by its code."""
    (register,) = [r for r in instruments[family]["registers"] if r["name"] == "flow unit code"]
    known = {int(c): u for c, u in register["codes"].items() if c.isdecimal() and u in units.known()}
    (vector,) = [v for v in instruments[family]["check_vectors"] if "unit_code" in v]
    assert vector["unit_code"] == code
    factors = tuple((c, units.ratio(unit, "L/s")) for c, unit in known.items())
    place = "input" if register["function_code"] == 4 else "holding"
    flow = at("flow", 4112, table=place, unit_code=UnitCode(place, 4128, "uint16", "ABCD", factors))
    answer = [*words(vector["registers"][:2]), *[0] * 14, code]
    assert sample_of(flow, image_of(**{place: (4112, answer)})) == Sample(vector["equals_L_s"])
    (litres,) = [c for c, unit in known.items() if unit == "L/s"]
    assert sample_of(flow, image_of(**{place: (4112, [*answer[:-1], litres])})).value == 45.0
    unknown = sample_of(flow, image_of(**{place: (4112, [*answer[:-1], 99])}))
    assert math.isnan(unknown.value) and "unit code 99" in str(unknown.note)


LITRES = ((0, Fraction(1, 1000)), (1, Fraction(1)), (2, Fraction(1000)))  # L, m3, 1000 m3


def test_a_total_in_the_unit_that_its_code_tells() -> None:
    """L-mag: 7654321 + 0.25, by code 0 in litres."""
    total = at(
        "volume",
        4120,
        "int32",
        table="input",
        fraction=RegisterFraction(4122, "float32", "ABCD"),
        unit_code=UnitCode(
            "input", 4129, "uint16", "ABCD", ((0, Fraction("0.001")), (1, Fraction(1)), (2, Fraction(1000)))
        ),
    )
    answer = [*words(["0x0074", "0xCBB1", "0x3E80", "0x0000"]), 0, 0, 0, 0, 0]
    for code, value in ((0, 7654.32125), (1, 7654321.25), (2, 7654321250.0)):
        assert sample_of(total, image_of(input=(4120, [*answer, code]))) == Sample(value)


def test_a_status_letter_is_the_mark(instruments: dict[str, dict[str, Any]]) -> None:
    """Endress+Hauser Liquiline: an ASCII letter beside the value; what is not listed is never N."""
    (register,) = [r for r in instruments["Endress+Hauser Liquiline"]["registers"] if r["name"] == "status letter"]
    codes = tuple((int(c, 16), letter) for c, letter in register["codes"].items() if letter in MARKS)
    place = register["address_pdu"]
    numeric = StatusRegister("input", place, "uint16", "ABCD", codes=codes)
    text = StatusRegister(
        "input", place, "string", "ABCD", codes=(("", "N"), ("N", "N"), ("M", "M"), ("S", "C")), length=1
    )
    for status in (numeric, text):
        reading = at("ammonia_n", 0, table="input", order="CDAB", status=(status,))
        for word, mark in ((0, "N"), (0x4E, "N"), (0x4D, "M"), (0x53, "C"), (0x4B, "D"), (0xFFFF, "D")):
            image = image_of(input=(0, [0, 0x3FA0]))
            image.add("input", place, [word])
            sample = sample_of(reading, image)
            assert (sample.value, chr(sample.mark)) == (1.25, mark)
            assert (sample.note is None) == (word not in (0x4B, 0xFFFF))


def test_the_first_status_bit_of_the_file_that_is_set_counts() -> None:
    status = StatusRegister("holding", 2, "uint32", "CDAB", bits=((31, "D"), (0, "C"), (4, "M")))
    reading = at("x", 0, "uint16", status=(status,))
    for registers, mark in (([0, 0], "N"), ([0x10, 0], "M"), ([0x11, 0], "C"), ([0x11, 0x8000], "D"), ([2, 0], "N")):
        assert chr(sample_of(reading, image_of(holding=(0, [7, 0, *registers]))).mark) == mark


def test_the_first_status_that_is_not_normal_counts() -> None:
    """Kaifeng Xintai: the pipe is empty (0x55) or full (0xAA); a contact says that somebody works there."""
    pipe = StatusRegister("holding", 6, "uint16", "ABCD", codes=((0xAA, "N"), (0x55, "F")))
    work = StatusRegister("discrete", 0, "bool", "ABCD", codes=((0, "N"), (1, "M")))
    reading = at("flow", 0, order="DCBA", status=(pipe, work))
    for level, hand, mark in ((0xAA, 0, "N"), (0xAA, 1, "M"), (0x55, 1, "F")):
        image = image_of(holding=(0, [*words(["0x0000", "0x3442"]), 0, 0, 0, 0, level]), discrete=(0, [hand]))
        assert sample_of(reading, image) == Sample(45.0, ord(mark))


PLACED = st.builds(
    lambda type_, order, bit, length, scale, fraction, codes, bits: at(
        "x",
        0,
        type_,
        order,
        bit=bit if type_ == "bit" else None,
        length=length if type_ == "string" else None,
        scale=scale,
        fraction=RegisterFraction(9, fraction, order) if fraction and "int" in type_ else None,
        unit_code=UnitCode("holding", 13, "bcd32", order, ((1, Fraction(18, 5)), (2, Fraction(10**300)))),
        status=(
            StatusRegister("holding", 15, "string", order, codes=tuple((c, "M") for c in codes), length=2),
            StatusRegister("holding", 17, "uint16", order, bits=tuple((b, "C") for b in bits)),
        ),
    ),
    st.sampled_from([*FORMATS, "float16", "bcd16", "bcd32", "bcd64", "bit", "string"]),
    st.sampled_from(ORDERS),
    st.integers(0, 15),
    st.integers(1, 8),
    st.sampled_from([1.0, 0.1, -3.6e-7, 1e300]),
    st.sampled_from([None, "float32", "uint16", "bcd32"]),
    st.lists(st.text(max_size=4), max_size=3),
    st.lists(st.integers(0, 15), max_size=3),
)
REGISTER = st.one_of(st.integers(0, 65535), st.sampled_from([0, 1, 2, 0x7FC0, 0x7F80, 0xFFFF, 0x3132, 0x2E35]))


@given(PLACED, st.lists(REGISTER, min_size=20, max_size=20))
def test_whatever_the_registers_hold_there_is_a_sample_or_a_note(
    reading: RegisterReading, registers: list[int]
) -> None:
    """No content is an error; what cannot be understood is NaN with the reason, never silently a number."""
    sample = sample_of(reading, image_of(holding=(0, registers)))
    assert chr(sample.mark) in "NMCD"
    floats = reading.type.startswith("float") or (reading.fraction and reading.fraction.type.startswith("float"))
    assert math.isfinite(sample.value) or sample.note or floats or reading.scale == 1e300
    for missing in pieces(reading):
        short = Image()
        short.add("holding", 0, registers[: missing.first])
        with pytest.raises(DecodeError, match="did not come"):
            sample_of(reading, short)
