"""Who is told of a step of an alert, by which channels and in which language. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from plant_monitor.alerts.deadlines import Severity, Trail, deadlines, policy_for, severity_of
from plant_monitor.alerts.envelope import Notice, Pace
from plant_monitor.alerts.lifecycle import CASES, Action, Alert, Change, Kind, Transition
from plant_monitor.alerts.messages import is_told, message
from plant_monitor.alerts.mutes import Mute, held_back, is_muted
from plant_monitor.alerts.roster import Roster
from plant_monitor.alerts.workdays import WorkCalendar
from plant_monitor.notify import Person, Policy
from plant_monitor.plant import Plant

#: A step and the alert's trail, the step included -> the messages that follow.
Notices = Callable[[Change, Trail], Sequence[Notice]]

# Told to whom the alert was handed, besides or instead of those on duty.
_TO_ASSIGNEE = frozenset({Transition.ASSIGNED, Transition.REMINDED, Transition.OVERDUE, Transition.REOPENED})
_TO_SUPERIORS = frozenset({Transition.UNACKNOWLEDGED, Transition.OVERDUE})


def notices(change: Change, trail: Trail, plant: Plant, mutes: Sequence[Mute] = ()) -> tuple[Notice, ...]:
    """The messages that a step causes. ``trail`` of the alert, the step included.

    With people in plant.yaml, one for each of those whom the policy names and who are on duty, by their channels
    in order; else one for each channel.
    """
    muted = not change.actor and is_muted(change.alert, mutes, change.time_ms)
    if muted or not is_told(change.alert.kind, change.transition):
        return ()
    notify, alert = plant.notify, change.alert
    policy = policy_for(alert, notify.policies)
    if policy is None and notify.people:
        return ()
    until = None if policy is None else deadlines(alert, trail, policy, calendar_of(plant))
    when = _pace(change, plant)
    if policy is None or not notify.people:
        text = message(change, plant, notify.language, until)
        return tuple(Notice("", (channel.id,), text, *when) for channel in notify.channels)
    above = change.transition in _TO_SUPERIORS
    if change.transition is Transition.UNMUTED:
        above = bool(_TO_SUPERIORS & set(held_back(alert, trail[:-1], mutes, change.time_ms)))
    people = _people(change, policy, plant, above=above)
    return tuple(Notice(p.id, p.channels, message(change, plant, p.language, until), *when) for p in people)


def _pace(change: Change, plant: Plant) -> tuple[Pace, int]:
    """How the messages of a step go, and when: what the facts say of a warning waits for the digest, if any."""
    severity, digest_at = severity_of(change.alert), plant.notify.digest_at
    if severity is Severity.CRITICAL or change.transition in _TO_SUPERIORS:
        return Pace.URGENT, 0
    if digest_at is None or severity is not Severity.LOW or change.actor or change.transition in _TO_ASSIGNEE:
        return Pace.NORMAL, 0
    now = datetime.fromtimestamp(change.time_ms // 1000, plant.zone)
    day = now.date() + timedelta(days=0 if now.time() < digest_at else 1)
    return Pace.DIGEST, int(datetime.combine(day, digest_at, plant.zone).timestamp()) * 1000


def problem_of(action: Action, alert: Alert, plant: Plant, *, comment: str, assignee: str) -> tuple[str, str] | None:
    """What a step lacks that a person takes: the field, and what is expected there; None where nothing does."""
    if action is Action.ASSIGN:
        known = [one for one, _, _ in assignees(alert, plant)]
        if assignee not in known:
            return "assignee", f"expected one of: {', '.join(known)}"
    elif assignee:
        return "assignee", "only assign hands an alert to somebody"
    if alert.kind is Kind.OBJECTION and action in (Action.CLOSE, Action.REOPEN):
        return "action", "an objection is decided, and reopened by its member, as an objection"
    if action in (Action.REPLY, Action.REOPEN) and not comment.strip():
        return "comment", f"{action} needs a comment"
    return None


def assignees(alert: Alert, plant: Plant) -> list[tuple[str, str, str]]:
    """To whom an alert may be handed: id, role (of the company whose it is: ``company``), member.

    People of other companies may not know of it, nor officers of an objection, which speaks of costs.
    """
    owner = owner_of(alert, plant)
    found = [("operator", "operator", ""), *([(owner, "company", owner)] if owner else [])]
    for person in plant.notify.people:
        anothers = person.role == "member" and person.member != owner
        if not anothers and not (alert.kind is Kind.OBJECTION and person.role == "officer"):
            found.append((person.id, person.role, person.member))
    return found


def owner_of(alert: Alert, plant: Plant) -> str:
    """The member whose alert it is: its own case, or about its outfall; empty: the plant's."""
    point = plant.point_by_id.get(alert.point)
    return alert.member or ((point.member or "") if point is not None else "")


def calendar_of(plant: Plant) -> WorkCalendar:
    """The plant's working days."""
    return WorkCalendar(plant.zone, plant.notify.office)


def roster_of(plant: Plant) -> Roster:
    """The plant's people and their duty."""
    return Roster(plant.zone, plant.notify.people, plant.notify.shifts, plant.notify.stand_ins)


def _people(change: Change, policy: Policy, plant: Plant, *, above: bool) -> Iterable[Person]:
    roster, alert = roster_of(plant), change.alert
    member = owner_of(alert, plant)
    found: list[Person] = []
    if alert.kind in CASES and alert.member and change.transition is Transition.REPLIED:
        found += roster.on_duty("member", change.time_ms, alert.member)  # who asked says whether it is answered
    if change.transition in _TO_ASSIGNEE:
        person = roster.person(alert.assignee)
        found += [person] if person is not None else roster.on_duty("member", change.time_ms, alert.assignee)
    if not found or change.transition in (Transition.OVERDUE, Transition.REOPENED, Transition.REPLIED):
        found += roster.told(policy.tell, change.time_ms, member)
    if above:
        found += roster.told(policy.escalate, change.time_ms, member)
    if alert.kind is Kind.OBJECTION:  # it speaks of costs
        found = [p for p in found if p.role != "officer"]
    return {p.id: p for p in found}.values()
