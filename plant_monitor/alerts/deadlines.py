"""What the passing of time does to an alert: reminders, and word to those above when a deadline is missed.

Pure: from an alert, its trail, the policy and ``now_ms`` to the steps that are due. Each step is taken once in
a *round*, which begins when the alert opens and anew when somebody is not satisfied; so the trail itself says
what has been done, and a restart neither repeats nor loses a step. What came due while nobody looked is taken
at the next look, the later step standing for the earlier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from plant_monitor.alerts.lifecycle import Alert, Kind, State, Transition
from plant_monitor.alerts.workdays import WorkCalendar
from plant_monitor.notify import Policy

CRITICAL_RATIO = 2.0  # an engineering choice: no standard grades exceedances by their ratio


class Severity(StrEnum):
    """How grave an alert is, by its facts."""

    LOW = "low"  # a warning: no limit has been passed yet, or it is about an instrument
    HIGH = "high"  # a limit has been passed
    CRITICAL = "critical"  # … by a factor of two or more, or one that would divide by 0


def severity_of(alert: Alert) -> Severity:
    """The severity of an alert as it stands."""
    if alert.kind is not Kind.EXCEEDANCE:
        return Severity.LOW
    ratio = alert.worst.peak_ratio
    return Severity.CRITICAL if ratio is None or ratio >= CRITICAL_RATIO else Severity.HIGH


def policy_for(alert: Alert, policies: Sequence[Policy]) -> Policy | None:
    """The first policy that covers an alert."""
    return next((p for p in policies if _covers(p, alert)), None)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Of one round of an alert, ms UTC; None where there is none, or what it asks for has been done."""

    round_ms: int
    acknowledge_ms: int | None
    remind_ms: int | None
    answer_ms: int | None
    certain: bool  # False: working days of a year that the official list does not know yet


def _covers(policy: Policy, alert: Alert) -> bool:
    kind = not policy.kinds or alert.kind in policy.kinds
    return kind and (not policy.severities or severity_of(alert) in policy.severities)


Trail = Sequence[tuple[Transition, int]]  # what happened when, in order

_ROUND = (Transition.OPENED, Transition.REOPENED)
_ANSWERED = (State.REPLIED, State.CLOSED)
_STEPS = (Transition.UNACKNOWLEDGED, Transition.REMINDED, Transition.OVERDUE)


def deadlines(alert: Alert, trail: Trail, policy: Policy, calendar: WorkCalendar) -> Deadlines:
    """The deadlines that an alert is under. An alert whose exceedance was withdrawn is under none."""
    began = max((t for what, t in trail if what in _ROUND), default=alert.opened_ms)
    waits = alert.state not in _ANSWERED and bool(alert.standing)
    unseen = waits and alert.state in (State.OPEN, State.REOPENED)
    acknowledge = calendar.after(began, policy.acknowledge) if unseen and policy.acknowledge else None
    answer = calendar.after(began, policy.answer) if waits and policy.answer else None
    remind = None
    if answer is not None and policy.remind is not None:
        remind = calendar.before(answer, policy.remind)
        remind = remind if remind > began else None  # a deadline so near needs no reminder
    last = max((t for t in (acknowledge, answer) if t is not None), default=began)
    return Deadlines(began, acknowledge, remind, answer, calendar.knows(began, last))


def due(alert: Alert, trail: Trail, policy: Policy, calendar: WorkCalendar, now_ms: int) -> Transition | None:
    """The step that time makes an alert take now; None where there is none."""
    at = deadlines(alert, trail, policy, calendar)
    begins = max((i for i, (what, _) in enumerate(trail) if what in _ROUND), default=0)
    taken = {what for what, _ in trail[begins:] if what in _STEPS}
    if at.answer_ms is not None and now_ms >= at.answer_ms:
        return None if Transition.OVERDUE in taken else Transition.OVERDUE
    if at.acknowledge_ms is not None and now_ms >= at.acknowledge_ms and Transition.UNACKNOWLEDGED not in taken:
        return Transition.UNACKNOWLEDGED
    if at.remind_ms is not None and now_ms >= at.remind_ms and Transition.REMINDED not in taken:
        return Transition.REMINDED
    return None


def next_due_ms(alert: Alert, trail: Trail, policy: Policy, calendar: WorkCalendar) -> int | None:
    """When the next step that was not taken comes due; None where none will."""
    at = deadlines(alert, trail, policy, calendar)
    begins = max((i for i, (what, _) in enumerate(trail) if what in _ROUND), default=0)
    taken = {what for what, _ in trail[begins:]}
    if Transition.OVERDUE in taken:
        return None
    steps = zip(_STEPS, (at.acknowledge_ms, at.remind_ms, at.answer_ms), strict=True)
    return min((t for what, t in steps if t is not None and what not in taken), default=None)
