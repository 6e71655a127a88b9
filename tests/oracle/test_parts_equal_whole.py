"""A day evaluated from what the source hands out equals the day in an evaluation of everything, bit for bit.

And what a late reading changes lies within the days that are said to be affected (design §1.3, §5 *Late data*).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.cases import BillCase, EvaluateCase, bill_cases, evaluate_cases, readings_from
from oracle.test_bill_against_oracle import cost_items
from plant_monitor.allocation.documents import document
from plant_monitor.allocation.period import Period
from plant_monitor.allocation.statement import bill
from plant_monitor.compliance.evaluate import Evaluation, evaluate
from plant_monitor.monitor import affected_days, bill_period, evaluate_days
from plant_monitor.readings import Touched
from plant_monitor.store.memory import MemorySource
from plant_monitor.windows import local_windows

Rows = dict[tuple[str, str], list[dict[str, Any]]]


def by_day(evaluation: Evaluation) -> Rows:
    """(table, local date) -> rows."""
    found: Rows = {}
    for name in ("hourly", "daily", "headroom"):
        for row in getattr(evaluation, name).rows():
            day = str(row.get("date") or row["hour"])[:10]
            found.setdefault((name, day), []).append(row)
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(evaluate_cases())
def test_days_alone_equal_days_together(case: EvaluateCase) -> None:
    """The tables by day; text compares floats by every bit that can be seen."""
    readings = readings_from(case.plant, case.rows)
    whole = by_day(evaluate(case.plant, readings, local_windows(case.first, case.last, case.plant.zone)))
    source = MemorySource(readings)
    parts: Rows = {}
    for i in range((case.last - case.first).days + 1):
        day = case.first + timedelta(days=i)
        parts |= by_day(evaluate_days(case.plant, source, day, day))
    assert {k: repr(v) for k, v in parts.items()} == {k: repr(v) for k, v in whole.items()}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(bill_cases())
def test_a_period_alone_equals_a_period_among_others(case: BillCase) -> None:
    """The whole document, findings and all."""
    readings = readings_from(case.plant, case.rows)
    period = Period.parse(case.period, case.plant.zone)
    costs = cost_items(case)
    part = bill_period(case.plant, MemorySource(readings), period, costs)
    assert repr(document(part)) == repr(document(bill(case.plant, readings, period, costs)))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(evaluate_cases(), st.data())
def test_a_late_reading_changes_only_affected_days(case: EvaluateCase, data: st.DataObject) -> None:
    """One reading comes last; days whose rows change are among those named."""
    if not case.rows:
        return
    late = data.draw(st.integers(0, len(case.rows) - 1))
    before = [row for i, row in enumerate(case.rows) if i != late]
    after = [*before, case.rows[late]]
    plant, zone = case.plant, case.plant.zone
    windows = local_windows(case.first - timedelta(days=2), case.last + timedelta(days=2), zone)
    old = by_day(evaluate(plant, readings_from(plant, before), windows))
    new = by_day(evaluate(plant, readings_from(plant, after), windows))
    changed = {date.fromisoformat(day) for (table, day), rows in new.items() if repr(rows) != repr(old[table, day])}
    time, point, parameter, _, _ = case.rows[late]
    touched = Touched(plant.series_index[point, parameter], time, time)
    named = affected_days(plant, MemorySource(readings_from(plant, after)), [touched])
    assert changed <= named
