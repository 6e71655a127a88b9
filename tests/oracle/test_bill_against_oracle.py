"""The product's bill equals the oracle's, text by text, on small nasty cases."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import HealthCheck, given, reject, settings

from oracle.bill_oracle import FREE, Text
from oracle.bill_oracle import bill as oracle
from oracle.cases import BillCase, bill_cases, readings_from
from oracle.timeline import Undecided
from plant_monitor.allocation.documents import STATEMENT_HEADER, VOLUMES_HEADER, statement_rows, volume_rows
from plant_monitor.allocation.period import Period
from plant_monitor.allocation.split import CostItem
from plant_monitor.allocation.statement import bill


def cost_items(case: BillCase) -> list[CostItem]:
    """The costs as the product takes them."""
    return [CostItem(item, basis, int(Decimal(amount) * 100)) for item, basis, amount in case.costs]


def product(case: BillCase) -> dict[str, list[Text]]:
    """What the product writes."""
    period = Period.parse(case.period, case.plant.zone)
    made = bill(case.plant, readings_from(case.plant, case.rows), period, cost_items(case))
    return {
        "statement": [dict(zip(STATEMENT_HEADER, row, strict=True)) for row in statement_rows(made)],
        "volumes": [dict(zip(VOLUMES_HEADER, row, strict=True)) for row in volume_rows(made)],
    }


def differences(case: BillCase) -> list[str]:
    """Every difference between the two, in words."""
    expected, got = oracle(case.plant, case.rows, case.period, case.costs), product(case)
    found = []
    for name, want_rows in expected.items():
        if len(want_rows) != len(got[name]):
            found.append(f"{name}: {len(got[name])} rows, expected {len(want_rows)}")
        for want, row in zip(want_rows, got[name], strict=False):
            wrong = [k for k in want if want[k] not in (FREE, row.get(k))]
            if wrong or set(want) != set(row):
                found.append(f"{name} {wrong}\n  expected {want}\n  got      {row}")
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(bill_cases())
def test_bill_equals_oracle(case: BillCase) -> None:
    """Both files, row by row."""
    try:
        found = differences(case)
    except Undecided:
        reject()
    assert not found, "\n".join(found[:6])
