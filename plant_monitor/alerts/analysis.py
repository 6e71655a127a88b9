"""A month of alerts in numbers: how many of which kind, how long people took, who offends again, what is rising.

Pure: alerts with their trails in, rows out. Hours and days exceeded are the evaluation's to tell; it hands them
in. Counts are small, so a tendency is told only where chance is a poor explanation: the month's count is held
against the months before by the exact conditional test of two Poisson rates (given their sum, the count is
binomial), one-sided, with Holm's correction over all rows of the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from plant_monitor.alerts.deadlines import Trail
from plant_monitor.alerts.lifecycle import Alert, Transition

SIGNIFICANT = 0.05
HOUR_MS = 3_600_000
_NOTICED = frozenset({Transition.ACKNOWLEDGED, Transition.ASSIGNED, Transition.REPLIED, Transition.CLOSED})
_ANSWERED = frozenset({Transition.REPLIED, Transition.CLOSED})

Owner = str  # a member's id; empty: the plant itself
Key = tuple[Owner, str]  # owner, kind


@dataclass(frozen=True, slots=True)
class Case:
    """An alert and what happened to it. ``owner`` the member whose outfall it is about, empty for the plant."""

    owner: Owner
    alert: Alert
    trail: Trail


@dataclass(frozen=True, slots=True)
class Exceeded:
    """What an evaluation of the month counted for one owner."""

    days: int = 0
    hours: int = 0
    worst_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class MonthSpan:
    """One local month, ``[start_ms, end_ms)``, named ``2026-10``."""

    label: str
    start_ms: int
    end_ms: int

    def holds(self, time_ms: int) -> bool:
        """True where an instant lies in the month."""
        return self.start_ms <= time_ms < self.end_ms


@dataclass(frozen=True, slots=True)
class Row:
    """One owner and kind in one month.

    ``opened`` alerts · ``*_hours`` medians from opening, of those that came so far by the month's end ·
    ``overdue`` answers that were late · ``sent_back`` answers that did not satisfy · ``satisfied`` closed after
    an answer · ``unclosed`` at the month's end · ``repeated`` keys that opened again within the month, or had
    opened in one of the earlier months too · ``earlier_mean`` alerts a month before, over ``earlier_months`` ·
    ``tendency`` rising, falling or none, with ``p_value`` (of the side that the numbers lean to, uncorrected)
    """

    month: str
    owner: Owner
    kind: str
    opened: int
    days_exceeded: int
    hours_exceeded: int
    worst_ratio: float | None
    acknowledged_hours: float | None
    answered_hours: float | None
    closed_hours: float | None
    overdue: int
    sent_back: int
    satisfied: int
    unclosed: int
    repeated: int
    earlier_mean: float | None
    earlier_months: int
    tendency: str = "none"
    p_value: float | None = None


def analysis(
    cases: Sequence[Case],
    month: MonthSpan,
    earlier: Sequence[MonthSpan],
    exceeded: Mapping[Owner, Exceeded],
    owners: Iterable[Owner],
) -> tuple[Row, ...]:
    """The rows of a month, by owner, then kind; owners without an alert have a row of zeros for ``exceedance``.

    ``cases`` that opened in the month or in ``earlier``; ``earlier`` months for which alerts were kept.
    """
    by_key: dict[Key, list[Case]] = {(owner, "exceedance"): [] for owner in owners}
    for case in cases:
        by_key.setdefault((case.owner, str(case.alert.kind)), []).append(case)
    rows = [_row(key, by_key[key], month, earlier, exceeded) for key in sorted(by_key)]
    return _with_tendencies(rows, month, earlier)


def _row(
    key: Key, cases: Sequence[Case], month: MonthSpan, earlier: Sequence[MonthSpan], exceeded: Mapping[Owner, Exceeded]
) -> Row:
    owner, kind = key
    mine = [c for c in cases if month.holds(c.alert.opened_ms)]
    before = [c for c in cases if any(m.holds(c.alert.opened_ms) for m in earlier)]
    trails = [[(what, t) for what, t in c.trail if t < month.end_ms] for c in mine]
    counted = exceeded.get(owner, Exceeded()) if kind == "exceedance" else Exceeded()
    keys = [c.alert.key for c in mine]
    again = {k for k in keys if keys.count(k) > 1} | ({c.alert.key for c in before} & set(keys))
    return Row(
        month.label,
        owner,
        kind,
        len(mine),
        counted.days,
        counted.hours,
        counted.worst_ratio,
        _median_hours(mine, trails, _NOTICED),
        _median_hours(mine, trails, _ANSWERED),
        _median_hours(mine, trails, frozenset({Transition.CLOSED})),
        sum(_times(trail, Transition.OVERDUE) for trail in trails),
        sum(_sent_back(trail) for trail in trails),
        sum(_satisfied(trail) for trail in trails),
        sum(_unclosed(trail) for trail in trails),
        len(again),
        len(before) / len(earlier) if earlier else None,
        len(earlier),
    )


def _median_hours(cases: Sequence[Case], trails: Sequence[Trail], steps: frozenset[Transition]) -> float | None:
    """From opening to the first of the steps, over the alerts in which it came."""
    taken = [
        (first - case.alert.opened_ms) / HOUR_MS
        for case, trail in zip(cases, trails, strict=True)
        if (first := min((t for what, t in trail if what in steps), default=None)) is not None
    ]
    return median(taken) if taken else None


def _times(trail: Trail, step: Transition) -> int:
    return sum(what is step for what, _ in trail)


def _sent_back(trail: Trail) -> int:
    """Answers after which somebody reopened."""
    steps = [what for what, _ in trail]
    return sum(1 for i, what in enumerate(steps) if what is Transition.REOPENED and Transition.REPLIED in steps[:i])


def _satisfied(trail: Trail) -> bool:
    """True where the last thing that people did was to close, after an answer in the same round."""
    steps = [what for what, _ in trail]
    begins = max((i for i, what in enumerate(steps) if what is Transition.REOPENED), default=0)
    return _closed(trail) and Transition.REPLIED in steps[begins:]


def _closed(trail: Trail) -> bool:
    state = {Transition.CLOSED: True, Transition.REOPENED: False}
    return next((state[what] for what, _ in reversed(trail) if what in state), False)


def _unclosed(trail: Trail) -> bool:
    return not _closed(trail)


def _with_tendencies(rows: Sequence[Row], month: MonthSpan, earlier: Sequence[MonthSpan]) -> tuple[Row, ...]:
    """Holm: the smallest of m p-values is held against 0.05/m, the next against 0.05/(m − 1), until one fails."""
    length, before = month.end_ms - month.start_ms, sum(m.end_ms - m.start_ms for m in earlier)
    if not before:
        return tuple(rows)
    share = length / (length + before)
    tested = [_tested(row, share) for row in rows]
    order = sorted(
        (i for i, row in enumerate(tested) if row.p_value is not None), key=lambda i: (tested[i].p_value or 0.0, i)
    )
    for rank, i in enumerate(order):
        if (tested[i].p_value or 0.0) > SIGNIFICANT / (len(order) - rank):
            break
        expected = (tested[i].opened + (tested[i].earlier_mean or 0.0) * len(earlier)) * share
        tested[i] = replace(tested[i], tendency="rising" if tested[i].opened > expected else "falling")
    return tuple(tested)


def _tested(row: Row, share: float) -> Row:
    from scipy.special import bdtr, bdtrc  # half a second and 20 MB that a service needs once a month

    both = row.opened + round((row.earlier_mean or 0.0) * row.earlier_months)
    if both == 0:
        return row
    rising = bdtrc(row.opened - 1, both, share) if row.opened else 1.0
    falling = bdtr(row.opened, both, share)
    return replace(row, p_value=float(min(rising, falling, 1.0)))
