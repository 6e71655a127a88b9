"""The simulator's registers against the product's decoder, which was written apart from it."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from register_image import value_of

from plant_monitor.ingest.registers import FORMATS, ORDERS, decode
from plant_monitor.ingest.samples import span
from plant_monitor.register_maps import RegisterFraction, RegisterReading
from simulators.registers import encode, shown, words_of


def reading(
    type_: str, order: str, scale: float = 1.0, offset: float = 0.0, fraction: RegisterFraction | None = None
) -> RegisterReading:
    return RegisterReading("p", "volume", "holding", 10, type_, order, scale, offset, fraction)


def block(spec: RegisterReading, value: float) -> list[int]:
    """The block that a device with this reading alone would answer with."""
    first, count = span(spec)
    words = [0] * count
    for register, part in encode(spec, np.array([value])):
        words[register - first : register - first + part.shape[1]] = part[0].tolist()
    return words


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("type_", FORMATS)
@given(data=st.data())
def test_every_type_in_every_order_reads_back(type_: str, order: str, data: st.DataObject) -> None:
    bits = struct.calcsize(FORMATS[type_]) * 8
    if type_.startswith("float"):
        number = data.draw(st.floats(width=bits, allow_nan=False))
    else:
        low = 0 if type_[0] == "u" else -(2 ** (bits - 1))
        number = data.draw(st.integers(low, low + 2**bits - 1))
    words = words_of(np.array([number], dtype=np.float64 if type_[0] == "f" else type_), type_, order)
    assert decode(words[0].tolist(), type_, order) == number


def test_the_orders_are_the_bytes_as_they_travel() -> None:
    value = np.array([struct.unpack(">f", bytes.fromhex("41424344"))[0]])
    sent = {order: words_of(value, "float32", order).astype(">u2").tobytes().decode() for order in ORDERS}
    assert sent == {"ABCD": "ABCD", "CDAB": "CDAB", "BADC": "BADC", "DCBA": "DCBA"}


@given(
    type_=st.sampled_from(["uint16", "int32", "uint32", "int64", "float32", "float64"]),
    order=st.sampled_from(ORDERS),
    scale=st.sampled_from([1.0, 0.1, 0.01, 0.001, 1000.0, 3.6]),
    steps=st.integers(0, 60_000),
)
def test_what_is_shown_is_what_a_monitor_decodes(type_: str, order: str, scale: float, steps: int) -> None:
    spec = reading(type_, order, scale)
    value = steps * scale
    decoded = value_of(spec, 10, block(spec, value))
    assert shown(spec, np.array([value]))[0] == pytest.approx(decoded, rel=1e-15, abs=0)
    assert decoded == pytest.approx(value, rel=1e-7)


@given(st.integers(0, 2_000_000_000), st.sampled_from(["float32", "uint32"]))
def test_totals_in_two_parts_read_back_to_the_litre(litres: int, type_: str) -> None:
    part = RegisterFraction(12, type_, "CDAB", 1.0 if type_ == "float32" else 0.001)
    spec = reading("int32", "CDAB", fraction=part)
    decoded = value_of(spec, 10, block(spec, litres / 1000))
    assert round(decoded * 1000) == litres
    assert shown(spec, np.array([litres / 1000]))[0] == decoded


def test_beyond_its_range_a_register_stands_at_the_end() -> None:
    assert value_of(reading("uint16", "ABCD"), 10, block(reading("uint16", "ABCD"), 70_000.0)) == 65_535
    assert value_of(reading("int16", "ABCD"), 10, block(reading("int16", "ABCD"), -70_000.0)) == -32_768


def test_no_value_is_nan_or_the_end_that_instruments_use_for_it() -> None:
    assert math.isnan(value_of(reading("float32", "CDAB"), 10, block(reading("float32", "CDAB"), math.nan)))
    assert value_of(reading("uint16", "ABCD"), 10, block(reading("uint16", "ABCD"), math.nan)) == 65_535
    assert value_of(reading("int16", "ABCD"), 10, block(reading("int16", "ABCD"), math.nan)) == -32_768
