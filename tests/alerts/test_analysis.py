"""The month in numbers: hand-worked, and tendencies that small counts do not make up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.alerts.analysis import Case, Exceeded, MonthSpan, analysis
from plant_monitor.alerts.lifecycle import Alert, Exceedance, Kind, State, Transition

HOUR = 3_600_000
DAY = 24 * HOUR
MONTHS = [MonthSpan(f"2026-{m:02d}", (m - 7) * 30 * DAY, (m - 6) * 30 * DAY) for m in (7, 8, 9, 10)]
OCTOBER = MONTHS[-1]


def case(opened_ms: int, *steps: tuple[Transition, int], point: str = "a-outfall", owner: str = "a") -> Case:
    episode = Exceedance(point, "cod_cr", "agreed", "daily_mean", opened_ms - DAY, opened_ms, 1, 2.0, 1.0, 2.0, False)
    alert = Alert(Kind.EXCEEDANCE, point, "cod_cr", "agreed", opened_ms, (episode,), State.OPEN, 1)
    return Case(owner, alert, [(Transition.OPENED, opened_ms), *((what, opened_ms + h * HOUR) for what, h in steps)])


def test_a_month_worked_by_hand() -> None:
    start = OCTOBER.start_ms
    cases = [
        # noticed after 2 h, answered after 20, closed after 30: satisfied
        case(start, (Transition.ACKNOWLEDGED, 2), (Transition.REPLIED, 20), (Transition.CLOSED, 30)),
        # noticed after 4 h by handing it on, late, answered after 60, sent back, answered again, closed after 100
        case(
            start + 10 * DAY,
            (Transition.ASSIGNED, 4),
            (Transition.OVERDUE, 50),
            (Transition.REPLIED, 60),
            (Transition.REOPENED, 70),
            (Transition.REPLIED, 80),
            (Transition.CLOSED, 100),
        ),
        # nobody has looked
        case(start + 20 * DAY, point="plant-effluent", owner=""),
        # in September, another outfall
        case(start - 5 * DAY, (Transition.CLOSED, 1), point="b-outfall", owner="b"),
        # what comes after the month's end is not of this report
        case(OCTOBER.end_ms - HOUR, (Transition.CLOSED, 2), point="b-outfall", owner="b"),
    ]
    rows = analysis(cases, OCTOBER, MONTHS[:-1], {"a": Exceeded(3, 40, 2.5)}, ["a", "b", "c", ""])
    assert [(r.owner, r.kind, r.opened) for r in rows] == [
        ("", "exceedance", 1),
        ("a", "exceedance", 2),
        ("b", "exceedance", 1),
        ("c", "exceedance", 0),
    ]
    plant, a, b, c = rows
    assert (a.days_exceeded, a.hours_exceeded, a.worst_ratio) == (3, 40, 2.5)
    assert (a.acknowledged_hours, a.answered_hours, a.closed_hours) == (3.0, 40.0, 65.0)
    assert (a.overdue, a.sent_back, a.satisfied, a.unclosed, a.repeated) == (1, 1, 2, 0, 1)
    assert (plant.acknowledged_hours, plant.unclosed, plant.satisfied) == (None, 1, 0)
    assert (b.closed_hours, b.unclosed, b.repeated) == (None, 1, 1)
    assert (b.earlier_mean, b.earlier_months) == (1 / 3, 3)
    assert (c.opened, c.p_value, c.tendency) == (0, None, "none")


def test_one_more_than_usual_is_no_tendency_and_twelve_after_none_is() -> None:
    def opened(count: int, before: int) -> tuple[str, float | None]:
        cases = [case(OCTOBER.start_ms + i * HOUR) for i in range(count)]
        cases += [case(MONTHS[i % 3].start_ms + HOUR) for i in range(before)]
        (row,) = analysis(cases, OCTOBER, MONTHS[:-1], {}, ["a"])
        return row.tendency, row.p_value

    assert opened(2, 3) == ("none", 1 - 0.75**5 - 5 * 0.25 * 0.75**4)  # by hand: P(X ≥ 2 of 5), each with 1/4
    assert opened(12, 0)[0] == "rising"
    assert opened(0, 30)[0] == "falling"
    assert opened(0, 3)[0] == "none"


def test_many_rows_need_more_evidence() -> None:
    """Four in a month after none in three: 0.4 % alone; among twenty companies that is no surprise."""
    mine = [case(OCTOBER.start_ms + i * HOUR) for i in range(4)]
    others = [case(MONTHS[i % 4].start_ms, owner=f"m{n}", point=f"m{n}-outfall") for n in range(20) for i in range(8)]
    assert next(r for r in analysis(mine, OCTOBER, MONTHS[:-1], {}, ["a"])).tendency == "rising"
    many = analysis([*mine, *others], OCTOBER, MONTHS[:-1], {}, ["a"])
    assert {r.tendency for r in many} == {"none"}


def test_without_earlier_months_nothing_is_said_of_tendencies() -> None:
    (row,) = analysis([case(OCTOBER.start_ms)], OCTOBER, [], {}, ["a"])
    assert (row.earlier_mean, row.p_value, row.tendency) == (None, None, "none")


@given(counts=st.lists(st.integers(0, 6), min_size=4, max_size=4), order=st.randoms())
def test_the_order_of_alerts_changes_nothing(counts: list[int], order: object) -> None:
    cases = [
        case(month.start_ms + i * HOUR, owner=owner, point=owner + "-outfall")
        for owner in "ab"
        for month, count in zip(MONTHS, counts, strict=True)
        for i in range(count)
    ]
    shuffled = list(cases)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert analysis(shuffled, OCTOBER, MONTHS[:-1], {}, "ab") == analysis(cases, OCTOBER, MONTHS[:-1], {}, "ab")
