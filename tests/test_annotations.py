"""Annotations laid over readings: what is judged, and that nothing else is changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from live.test_watch import PLANT, T0

from plant_monitor.annotations import MARKED, SINGLE, AnnotatedSource, Annotation, Kind, covered, problem_of
from plant_monitor.holds import held
from plant_monitor.readings import MADE, SET_BY_HAND, Readings, mark_text
from plant_monitor.store.memory import MemorySource
from plant_monitor.windows import HOUR_MS

FLOW, VOLUME, COD, PH = range(4)
EVER = (T0 - 1000 * HOUR_MS, T0 + 1000 * HOUR_MS)


def at(hour: float) -> int:
    return T0 + int(hour * HOUR_MS)


def said(kind: Kind, parameter: str, start: float, end: float, **more: object) -> Annotation:
    return Annotation(kind, "out", parameter, at(start), at(end), "why", **more)  # type: ignore[arg-type]


def judged(readings: Readings, *annotations: Annotation) -> AnnotatedSource:
    return AnnotatedSource(PLANT, MemorySource(readings), annotations)


def told(readings: Readings) -> list[tuple[float, float | None, str, bool]]:
    """(hour, value, mark, valid) of each."""
    columns = ((readings.time - T0) / HOUR_MS, readings.value, readings.mark, readings.valid)
    rows = zip(*(c.tolist() for c in columns), strict=True)
    return [(hour, None if np.isnan(value) else value, mark_text(mark), valid) for hour, value, mark, valid in rows]


HOURLY = Readings.of([at(h) for h in range(5)], FLOW, [10.0, 11.0, 12.0, 13.0, 14.0])


@pytest.mark.parametrize("kind", list(MARKED))
def test_a_mark_makes_its_span_invalid_and_no_more(kind: Kind) -> None:
    mark = chr(MARKED[kind])
    assert told(judged(HOURLY, said(kind, "flow", 1, 3)).read(FLOW, *EVER)) == [
        (0, 10, "N", True), (1, 11, mark, False), (2, 12, mark, False), (3, 13, "N", True), (4, 14, "N", True),
    ]  # fmt: skip


def test_a_mark_between_two_readings_cuts_the_hold() -> None:
    """20 minutes of calibration in an hour with one reading: the reading speaks until then."""
    found = judged(HOURLY, said(Kind.CALIBRATION, "", 1.5, 1.75)).read(FLOW, *EVER)
    assert told(found)[1:4] == [(1, 11, "N", True), (1.5, None, "B", False), (2, 12, "N", True)]


def test_a_result_for_the_time_before_it_is_covered_by_what_it_speaks_for() -> None:
    """An analyser that reports at the end of the hour: the calibration from 1 to 2 spoils the result of 2 o'clock."""
    cod = Readings.of([at(h) for h in (1, 2, 3)], COD, [100.0, 200.0, 300.0])
    found = judged(cod, said(Kind.CALIBRATION, "cod_cr", 1, 2)).read(COD, *EVER)
    assert told(found) == [(1, 100, "N", True), (2, 200, "C", False), (3, 300, "N", True)]


def test_a_manual_value_stands_for_its_span_and_no_longer() -> None:
    gap = HOURLY.take(np.array([0, 1]))
    one = said(Kind.MANUAL_VALUE, "flow", 0.5, 3.5, value=7.0, evidence="dial")
    holds = held(judged(gap, one).read(FLOW, *EVER), PLANT.series[FLOW])
    values = [(round((a - T0) / HOUR_MS, 3), v) for a, v in zip(holds.start[holds.valid], holds.value[holds.valid])]
    assert values == [(0, 10), (0.5, 7), (1, 7), (1.5, 7), (2.5, 7)]
    assert holds.end[holds.valid][-1] == at(3.5)


def test_a_manual_value_outweighs_a_mark_and_a_mark_may_hold_all_of_a_point() -> None:
    fault = said(Kind.FAULT, "", 0, 5)
    found = judged(HOURLY, said(Kind.MANUAL_VALUE, "flow", 1, 3, value=7.0, evidence="x"), fault).read(FLOW, *EVER)
    assert [(h, v) for h, v, _, valid in told(found) if valid] == [(1, 7), (2, 7)]


def test_readings_set_by_hand_are_valid_where_an_annotation_backs_them() -> None:
    marks = [ord(m) for m in "NSSDS"]
    raw = Readings(HOURLY.time, HOURLY.series, HOURLY.value, np.array(marks, dtype=np.uint8))
    backed = judged(raw, said(Kind.MANUAL_VALUE, "flow", 1, 4, evidence="log book"))
    assert [h for h, _, _, valid in told(backed.read(FLOW, *EVER)) if valid] == [0, 1, 2]
    assert told(backed.before(FLOW, at(5), valid=True)) == [(2, 12, "S", True)]


def test_what_is_not_annotated_is_handed_through() -> None:
    source = judged(HOURLY, said(Kind.FAULT, "ph", 0, 9), replace(said(Kind.FAULT, "", 0, 9), point="other"))
    assert source.read(FLOW, *EVER).value is not None
    assert told(source.read(FLOW, *EVER)) == told(HOURLY)


def test_how_many_readings_it_speaks_of() -> None:
    cod = Readings.of([at(h) for h in (1, 2, 3)], COD, 1.0)
    source = MemorySource(Readings.concat([HOURLY, cod]))
    assert covered(PLANT, source, said(Kind.FAULT, "", 1, 3)) == 2 + 2
    assert covered(PLANT, source, said(Kind.FAULT, "cod_cr", 0.2, 0.9)) == 0


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (replace(said(Kind.FAULT, "", 0, 1), point="x"), "point 'x' is not declared; expected one of out"),
        (said(Kind.FAULT, "toc", 0, 1), "'toc' is not measured at out; expected one of flow, volume, cod_cr, ph"),
        (said(Kind.FAULT, "", 1, 1), "ends before it begins"),
        (replace(said(Kind.FAULT, "", 0, 1), reason=" "), "no reason"),
        (said(Kind.FAULT, "", 0, 1, value=1.0), "a value belongs to a manual_value"),
        (said(Kind.FAULT, "", 0, 1, closing=1.0), "registers belong to a meter_exchange"),
        (said(Kind.MANUAL_VALUE, "", 0, 1, value=1.0, evidence="x"), "names its parameter"),
        (said(Kind.MANUAL_VALUE, "flow", 0, 1, value=1.0), "names its evidence"),
        (said(Kind.MANUAL_VALUE, "flow", 0, 1, value=float("nan"), evidence="x"), "no finite number"),
        (said(Kind.MANUAL_VALUE, "volume", 0, 1, value=1.0, evidence="x"), "one instant"),
        (said(Kind.MANUAL_VALUE, "volume", 0, 0, evidence="x"), "has a value"),
        (said(Kind.METER_EXCHANGE, "flow", 0, 0, closing=1.0, opening=0.0), "about the parameter volume"),
        (said(Kind.METER_EXCHANGE, "volume", 0, 0, closing=1.0), "states the opening register"),
        (said(Kind.METER_EXCHANGE, "volume", 0, 0, closing=1000.0, opening=0.0), "not below the rollover 1000"),
        (said(Kind.METER_EXCHANGE, "volume", 1, 0, closing=1.0, opening=0.0), "ends before it begins"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(one: Annotation, words: str) -> None:
    assert words in (problem_of(PLANT, one) or "")


MOMENTS = st.integers(0, 40).map(lambda quarter: at(quarter / 4))


@st.composite
def annotations(draw: st.DrawFn) -> list[Annotation]:
    """Any that make sense together."""
    found: list[Annotation] = []
    for number in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(Kind))
        start, end = sorted((draw(MOMENTS), draw(MOMENTS)))
        parameter = draw(st.sampled_from(["flow", "volume", "cod_cr", ""]))
        more: dict[str, object] = {}
        if kind is Kind.MANUAL_VALUE:
            more = {"evidence": "x", "value": draw(st.one_of(st.none(), st.integers(0, 99).map(float)))}
            end = start if parameter == "volume" else end
        if kind is Kind.METER_EXCHANGE:
            more = {"closing": float(draw(st.integers(0, 99))), "opening": float(draw(st.integers(0, 99)))}
        one = Annotation(kind, "out", parameter, start, end, "why", id=number + 1, **more)  # type: ignore[arg-type]
        alike = [a for a in found if a.kind == kind and a.parameter == parameter]
        apart = all(start > a.end_ms or end < a.start_ms for a in alike)
        if problem_of(PLANT, one) is None and (kind not in SINGLE or apart):
            found.append(one)
    return found


@st.composite
def raw_readings(draw: st.DrawFn) -> Readings:
    rows = draw(
        st.lists(st.tuples(MOMENTS, st.sampled_from([FLOW, VOLUME, COD]), st.sampled_from("NNNSD")), max_size=40)
    )
    times, series, marks = zip(*rows, strict=True) if rows else ((), (), ())
    return Readings.of(times, series, np.arange(len(rows)) * 1.5, [ord(m) for m in marks])


@settings(deadline=None, max_examples=300)
@given(raw_readings(), annotations(), st.randoms(use_true_random=False), MOMENTS, MOMENTS)
def test_an_annotated_source_is_a_source(
    raw: Readings, notes: list[Annotation], random: object, one: int, other: int
) -> None:
    """Any part, any neighbour: those of the whole; and the order of annotations changes nothing."""
    source = judged(raw, *notes)
    random.shuffle(notes)  # type: ignore[attr-defined]
    again = judged(raw, *notes)
    start, end = min(one, other), max(one, other)
    for series in (FLOW, VOLUME, COD):
        whole = source.read(series, *EVER)
        assert told(again.read(series, *EVER)) == told(whole)
        inside = (whole.time >= start) & (whole.time < end)
        assert told(source.read(series, start, end)) == told(whole.take(inside))
        for valid in (False, True):
            wanted = whole.take(whole.valid) if valid else whole
            assert told(source.before(series, start, valid=valid)) == told(wanted.take(wanted.time < start))[-1:]
            assert told(source.after(series, start, valid=valid)) == told(wanted.take(wanted.time >= start))[:1]


@settings(deadline=None, max_examples=200)
@given(raw_readings(), annotations())
@example(  # what backs the S ends before the maintenance does
    Readings.of([at(0)], FLOW, [2.0], [SET_BY_HAND]),
    [said(Kind.MAINTENANCE, "flow", 0, 1), said(Kind.MANUAL_VALUE, "flow", 0, 0.25, evidence="x")],
)
def test_no_time_under_a_mark_is_valid_and_all_time_under_a_value_is(raw: Readings, notes: list[Annotation]) -> None:
    source = judged(raw, *notes)
    for index in (FLOW, COD):
        series = PLANT.series[index]
        holds = held(source.read(index, *EVER), series)
        mine = [a for a in notes if a.concerns(series)]
        values = [a for a in mine if a.kind is Kind.MANUAL_VALUE]
        for quarter in range(40):
            moment = at(quarter / 4 + 0.1)  # between the instants at which anything can begin or end
            over = [a for a in mine if a.start_ms <= moment < a.end_ms]
            standing = holds.value[(holds.start <= moment) & (moment < holds.end) & holds.valid]
            by_value = [a for a in over if a in values and a.value is not None]
            if by_value:
                assert standing.tolist() == [by_value[0].value]
            elif any(a.kind in MARKED for a in over) and not any(a.value is None for a in over if a in values):
                assert standing.size == 0
    assert source.raw.read(FLOW, *EVER).mark.max(initial=0) < MADE, "what came is as it came"
