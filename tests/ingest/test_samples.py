"""Values, units and marks from the registers of a reading."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from field_parts import at
from hypothesis import given
from hypothesis import strategies as st
from register_image import Image

from plant_monitor import units
from plant_monitor.errors import DecodeError
from plant_monitor.ingest.registers import FORMATS, ORDERS
from plant_monitor.ingest.samples import Sample, pieces
from plant_monitor.readings import MARKS
from plant_monitor.register_maps import RegisterFraction, RegisterReading, StatusRegister, UnitCode


def words(texts: list[str]) -> list[int]:
    return [int(t, 16) for t in texts]


FACTS = Path(__file__).parents[1] / "data" / "modbus" / "curated_instrument_registers.json"


@pytest.fixture(scope="module")
def instruments() -> dict[str, dict[str, Any]]:
    """By the first two words of their family."""
    found = json.loads(FACTS.read_text())["instruments"]
    return {" ".join(instrument["family"].split()[:2]): instrument for instrument in found}


# --- what stands beside a value --------------------------------------------------------------------


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
    assert Image(**{place: (4112, answer)}).sample(flow) == Sample(vector["equals_L_s"])
    (litres,) = [c for c, unit in known.items() if unit == "L/s"]
    assert Image(**{place: (4112, [*answer[:-1], litres])}).sample(flow).value == 45.0
    unknown = Image(**{place: (4112, [*answer[:-1], 99])}).sample(flow)
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
        assert Image(input=(4120, [*answer, code])).sample(total) == Sample(value)


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
            image = Image(input=(0, [0, 0x3FA0]))
            image.add("input", place, [word])
            sample = image.sample(reading)
            assert (sample.value, chr(sample.mark)) == (1.25, mark)
            assert (sample.note is None) == (word not in (0x4B, 0xFFFF))


def test_the_first_status_bit_of_the_file_that_is_set_counts() -> None:
    status = StatusRegister("holding", 2, "uint32", "CDAB", bits=((31, "D"), (0, "C"), (4, "M")))
    reading = at("x", 0, "uint16", status=(status,))
    for registers, mark in (([0, 0], "N"), ([0x10, 0], "M"), ([0x11, 0], "C"), ([0x11, 0x8000], "D"), ([2, 0], "N")):
        assert chr(Image(holding=(0, [7, 0, *registers])).sample(reading).mark) == mark


def test_the_first_status_that_is_not_normal_counts() -> None:
    """Kaifeng Xintai: the pipe is empty (0x55) or full (0xAA); a contact says that somebody works there."""
    pipe = StatusRegister("holding", 6, "uint16", "ABCD", codes=((0xAA, "N"), (0x55, "F")))
    work = StatusRegister("discrete", 0, "bool", "ABCD", codes=((0, "N"), (1, "M")))
    reading = at("flow", 0, order="DCBA", status=(pipe, work))
    for level, hand, mark in ((0xAA, 0, "N"), (0xAA, 1, "M"), (0x55, 1, "F")):
        image = Image(holding=(0, [*words(["0x0000", "0x3442"]), 0, 0, 0, 0, level]), discrete=(0, [hand]))
        assert image.sample(reading) == Sample(45.0, ord(mark))


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
    sample = Image(holding=(0, registers)).sample(reading)
    assert chr(sample.mark) in "NMCD"
    floats = reading.type.startswith("float") or (reading.fraction and reading.fraction.type.startswith("float"))
    assert math.isfinite(sample.value) or sample.note or floats or reading.scale == 1e300
    for missing in pieces(reading):
        short = Image()
        short.add("holding", 0, registers[: missing.first])
        with pytest.raises(DecodeError, match="did not come"):
            short.sample(reading)
