"""Laws of every evaluation: what must change nothing, and what a rise can never do (design §5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from oracle.cases import HOUR, SHANGHAI, EvaluateCase, evaluate_cases, readings_from
from oracle.test_evaluate_against_oracle import same
from oracle.timeline import Row
from plant_monitor import units
from plant_monitor.compliance.evaluate import Evaluation, evaluate
from plant_monitor.plant import FLOW, VOLUME, Plant, Represents, Series
from plant_monitor.readings import Readings
from plant_monitor.windows import local_windows

TABLES = ("hourly", "daily", "monthly", "exceedances", "headroom", "findings", "removal", "substituted")
laws = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
Rows = list[dict[str, Any]]


def evaluated(case: EvaluateCase, rows: list[Row], plant: Plant | None = None) -> Evaluation:
    of = plant or case.plant
    return evaluate(of, readings_from(of, rows), local_windows(case.first, case.last, of.zone))


def told(evaluation: Evaluation) -> dict[str, Rows]:
    """Every row of every table."""
    return {name: list(getattr(evaluation, name).rows()) for name in TABLES}


def distinct(rows: list[Row]) -> list[Row]:
    """One row per series and instant: the one that stands."""
    return list({row[:3]: row for row in rows}.values())


def series_of(plant: Plant, row: Row) -> Series:
    return plant.series[plant.series_index[row[1], row[2]]]


def chosen(data: st.DataObject, rows: list[Row], fits: Callable[[Row], bool]) -> int:
    """The index of a row that fits; no example without one."""
    fitting = [i for i, row in enumerate(rows) if fits(row)]
    assume(fitting)
    return data.draw(st.sampled_from(fitting))


@laws
@given(evaluate_cases(), st.randoms())
def test_the_order_of_distinct_readings_changes_nothing(case: EvaluateCase, random: Any) -> None:
    rows = distinct(case.rows)
    other = rows.copy()
    random.shuffle(other)
    assert repr(told(evaluated(case, other))) == repr(told(evaluated(case, rows)))


@laws
@given(evaluate_cases(), st.integers(1, 40))
def test_readings_may_come_in_chunks_and_again(case: EvaluateCase, size: int) -> None:
    """As from a broker that sends everything since the last acknowledgement once more."""
    readings = readings_from(case.plant, case.rows)
    chunks = [readings.take(slice(i, i + size)) for i in range(0, len(readings), size)]
    again = Readings.concat([part for chunk in chunks for part in (chunk, chunk)])
    windows = local_windows(case.first, case.last, case.plant.zone)
    assert repr(told(evaluate(case.plant, again, windows))) == repr(told(evaluated(case, case.rows)))


@laws
@given(evaluate_cases(), st.data())
def test_an_equal_reading_inside_a_hold_changes_nothing(case: EvaluateCase, data: st.DataObject) -> None:
    """Where the hold ended at the next reading, not at its reach. Rounding aside: sums have one term more."""
    rows = distinct(case.rows)
    times: dict[tuple[str, str], list[int]] = {}
    for time, point, parameter, _, _ in sorted(rows, key=lambda row: row[0]):
        times.setdefault((point, parameter), []).append(time)

    def neighbour(row: Row) -> int:
        """The reading up to which (or from which) this one holds."""
        mine, step = times[row[1:3]], 1 if series_of(case.plant, row).represents is Represents.AFTER else -1
        at = mine.index(row[0]) + step
        return mine[at] if 0 <= at < len(mine) else row[0]

    def fits(row: Row) -> bool:
        interval = series_of(case.plant, row).interval_ms
        return row[2] != VOLUME and interval is not None and 1 < abs(neighbour(row) - row[0]) <= 2 * interval

    row = rows[chosen(data, rows, fits)]
    low, high = sorted((row[0], neighbour(row)))
    more = [*rows, (data.draw(st.integers(low + 1, high - 1)), *row[1:])]
    before, after = told(evaluated(case, rows)), told(evaluated(case, more))
    del before["findings"], after["findings"]  # their texts round numbers
    for name, was in before.items():
        assert len(after[name]) == len(was)
        for one, other in zip(was, after[name], strict=True):
            changed = {key: (one[key], other[key]) for key in one if not same(one[key], other[key])}
            assert not changed, (name, changed)


@laws
@given(evaluate_cases(), st.data())
def test_a_raised_value_never_turns_exceeded_into_met(case: EvaluateCase, data: st.DataObject) -> None:
    """Of limits with an upper bound alone, of any series but the flow: that one weighs the others."""
    rows = distinct(case.rows)
    at = chosen(data, rows, lambda row: row[2] not in (FLOW, VOLUME) and row[3] is not None and row[4] == "N")
    time, point, parameter, value, mark = rows[at]
    raised = [*rows]
    raised[at] = (time, point, parameter, value + data.draw(st.sampled_from([1e-9, 0.5, 100.0, 1e6])), mark)
    for name in ("hourly", "daily"):
        was = [row for row in getattr(evaluated(case, rows), name).rows() if row["lower"] is None]
        now = [row for row in getattr(evaluated(case, raised), name).rows() if row["lower"] is None]
        for one, other in zip(was, now, strict=True):
            assert (one["verdict"], other["verdict"]) != ("exceeded", "met"), (one, other)


@laws
@given(evaluate_cases())
def test_units_decide_no_verdict(case: EvaluateCase) -> None:
    """Concentrations in ng/L and flows in L/min instead of what they were in, the limits as they are."""
    to = {"concentration": "ng/L", "flow": "L/min"}

    def unit_of(series: Series) -> str:
        if series.parameter == FLOW:
            return to["flow"]
        return to["concentration"] if units.is_concentration(series.unit) else series.unit

    points = tuple(
        replace(point, series=tuple(replace(s, unit=unit_of(s)) for s in point.series)) for point in case.plant.points
    )
    limits = tuple(
        replace(
            one,
            limits=tuple(
                limit if limit.unit is not None else replace(limit, unit=_unit(case.plant, limit.parameter))
                for limit in one.limits
            ),
        )
        for one in case.plant.limit_sets
    )
    plant = replace(case.plant, points=points, limit_sets=limits)

    def scaled(row: Row) -> Row:
        series = series_of(case.plant, row)
        if row[3] is None or row[2] == VOLUME or unit_of(series) == series.unit:
            return row
        factor = units.factor(series.unit, unit_of(series))
        return (*row[:3], row[3] * factor, row[4])

    was, now = evaluated(case, case.rows), evaluated(case, [scaled(row) for row in case.rows], plant)
    for name in ("hourly", "daily"):
        pairs = zip(getattr(was, name).rows(), getattr(now, name).rows(), strict=True)
        assert all(one["verdict"] == other["verdict"] for one, other in pairs)


def _unit(plant: Plant, parameter: str) -> str | None:
    """The unit a limit without one is in, where all series of the parameter agree; else no example."""
    found = {s.unit for s in plant.series if s.parameter == parameter}
    assume(len(found) <= 1)
    return next(iter(found), None)


@laws
@given(evaluate_cases(), st.sampled_from([-5, 0, 3, 11]))
def test_the_zone_shifts_the_windows(case: EvaluateCase, hours: int) -> None:
    """The same wall clock in another fixed zone gives the same rows, an offset aside."""
    here, there = replace(case.plant, zone=SHANGHAI), replace(case.plant, zone=ZoneInfo(f"Etc/GMT{-hours:+d}"))
    moved = [(time + (8 - hours) * HOUR, *rest) for time, *rest in case.rows]
    was, now = evaluated(case, case.rows, here), evaluated(case, moved, there)
    assert repr(told(was)).replace("+08:00", "") == repr(told(now)).replace(f"{hours:+03d}:00", "")
