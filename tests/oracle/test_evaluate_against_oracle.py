"""The product's evaluation equals the oracle's, on small nasty cases."""

from __future__ import annotations

from fractions import Fraction
from math import isnan
from typing import Any

from hypothesis import HealthCheck, given, reject, settings

from oracle.cases import EvaluateCase, evaluate_cases, readings_from
from oracle.evaluate_oracle import evaluate as oracle
from oracle.timeline import Undecided
from plant_monitor.compliance.evaluate import evaluate
from plant_monitor.windows import local_windows

TABLES = ("hourly", "daily", "exceedances", "headroom")


def same(expected: Any, got: Any) -> bool:
    """Text and counts exactly; numbers within 1e-9 relative or absolute; unknown only with unknown."""
    if expected is None or got is None or isinstance(expected, str):
        return bool(expected == got)
    if isinstance(got, float) and isnan(got):
        return False
    difference = abs(Fraction(expected) - Fraction(got))
    return difference <= Fraction(1, 10**9) * max(1, abs(Fraction(expected)))


def told(row: dict[str, Any]) -> str:
    """A row for a failure message."""
    return ", ".join(f"{k}={float(v) if isinstance(v, Fraction) else v!r}" for k, v in row.items())


def differences(case: EvaluateCase) -> list[str]:
    """Every difference between the two, in words."""
    result = evaluate(
        case.plant, readings_from(case.plant, case.rows), local_windows(case.first, case.last, case.plant.zone)
    )
    expected = oracle(case.plant, case.rows, case.first, case.last)
    found = []
    for name in TABLES:
        got_rows = list(getattr(result, name).rows())
        if len(got_rows) != len(expected[name]):
            found.append(f"{name}: {len(got_rows)} rows, expected {len(expected[name])}")
        for want, got in zip(expected[name], got_rows, strict=False):
            if set(want) != set(got):
                found.append(f"{name}: columns {sorted(got)}, expected {sorted(want)}")
                break
            wrong = [k for k in got if not same(want[k], got[k])]
            if wrong:
                found.append(f"{name} {wrong}\n  expected {told(want)}\n  got      {told(got)}")
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(evaluate_cases())
def test_evaluation_equals_oracle(case: EvaluateCase) -> None:
    """All four tables, row by row."""
    try:
        found = differences(case)
    except Undecided:
        reject()
    assert not found, "\n".join(found[:6])
