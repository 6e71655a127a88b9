"""From the registers wanted to requests."""

from __future__ import annotations

from fractions import Fraction

from field_parts import at
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.ingest.blocks import Block, check_spans, plan
from plant_monitor.ingest.registers import FORMATS
from plant_monitor.ingest.samples import Piece, pieces
from plant_monitor.register_maps import RegisterFraction, RegisterReading, StatusRegister, UnitCode


def wanted(*readings: RegisterReading) -> list[Piece]:
    return [piece for reading in readings for piece in pieces(reading)]


def test_neighbours_share_a_request_and_far_ones_do_not() -> None:
    readings = wanted(at("a", 0), at("b", 2), at("c", 20, "uint16"), at("d", 100))
    assert plan(readings) == [Block("holding", 0, 21), Block("holding", 100, 2)]
    assert plan(readings, max_gap=0) == [Block("holding", 0, 4), Block("holding", 20, 1), Block("holding", 100, 2)]
    assert plan(readings[3:] + readings[1:2]) == [Block("holding", 2, 2), Block("holding", 100, 2)]


def test_a_value_is_never_torn_at_the_limit_of_a_request() -> None:
    readings = wanted(*(at(f"p{i}", 2 * i) for i in range(63)))  # 126 registers, one more than a request may ask for
    assert [(b.first, b.count) for b in plan(readings)] == [(0, 124), (124, 2)]
    pair = at("v", 123, "int32", fraction=RegisterFraction(125, "float32", "ABCD"))
    blocks = plan(wanted(at("a", 0), at("b", 110), pair), max_gap=125)
    assert [(b.first, b.count) for b in blocks] == [(0, 112), (123, 4)]


def test_tables_and_forbidden_joints_separate() -> None:
    a, b, c, d = wanted(at("a", 0), at("b", 2), at("c", 4, table="input"), at("d", 6, table="coil"))
    assert [block.table for block in plan([a, b, c, d])] == ["coil", "holding", "input"]
    assert [(block.first, block.count) for block in plan([a, b], apart={b})] == [(0, 2), (2, 2)]


def test_unit_code_and_status_are_wanted_with_the_value_and_once() -> None:
    status = StatusRegister("holding", 1, "uint16", "ABCD", codes=((0, "N"),))
    code = UnitCode("input", 7, "uint16", "ABCD", ((0, Fraction(1)),))
    flow, level = at("flow", 2, status=(status,), unit_code=code), at("level", 5, "uint16", status=(status,))
    assert plan(wanted(flow, level)) == [Block("holding", 1, 5), Block("input", 7, 1)]


def test_spans_that_no_request_can_fetch() -> None:
    wide = at("v", 0, "int32", fraction=RegisterFraction(124, "float32", "ABCD"))
    problems = check_spans([at("a", 65535), wide, at("ok", 65534)])
    assert len(problems) == 2
    assert "p/a" in problems[0] and "65535" in problems[0]
    assert "p/v" in problems[1] and "126" in problems[1]


PLACES = st.lists(
    st.tuples(st.sampled_from(["holding", "input", "coil"]), st.integers(0, 400), st.sampled_from(sorted(FORMATS))),
    min_size=1,
    max_size=30,
)


@given(PLACES, st.integers(0, 130), st.sets(st.integers(0, 29)), st.sets(st.integers(0, 29)), st.integers(4, 125))
def test_every_piece_is_whole_in_exactly_one_legal_block(
    places: list[tuple[str, int, str]], gap: int, apart: set[int], alone: set[int], longest: int
) -> None:
    parts = wanted(*(at(f"x{i}", first, type_, table=table) for i, (table, first, type_) in enumerate(places)))
    apart_parts, lone = ({parts[i] for i in chosen if i < len(parts)} for chosen in (apart, alone))
    blocks = plan(parts, apart=apart_parts, alone=lone, max_gap=gap, max_block=longest)
    assert sorted(piece for block in blocks for piece in block.pieces) == sorted(set(parts))
    for block in blocks:
        assert block.count <= (min(2000, 16 * longest) if block.table == "coil" else longest)
        for piece in block.pieces:
            assert piece.table == block.table
            assert block.first <= piece.first and piece.end <= block.first + block.count
            assert piece not in apart_parts or piece == block.pieces[0]
            assert piece not in lone or block.pieces == (piece,)
