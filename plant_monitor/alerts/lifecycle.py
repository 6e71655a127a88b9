"""The life of an alert as pure functions: what the facts do to it, and what people do to it.

There is one open alert per (kind, point, parameter, limit set). It *grows* with every further episode
instead of multiplying, and only a person closes it. :func:`assess` compares the alerts that are known
with the latest evaluation; :func:`next_state` says what an action of a person leads to. This module
knows no clock, no database and no channel: ``now_ms`` is an argument, and the same arguments always
give the same answer, so a replayed evaluation changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from plant_monitor.errors import PlantMonitorError
from plant_monitor.notify import Steadiness
from plant_monitor.plant import Name


class Kind(StrEnum):
    """What an alert is about: an exceedance, a warning, which is never one (design §5), or a person's case."""

    EXCEEDANCE = "exceedance"
    HOUR_ABOVE_LIMIT = "hour_above_limit"
    ON_COURSE = "on_course"
    OVER_RANGE = "over_range"
    SILENCE = "silence"
    SILENT_DEVICE = "silent_device"
    SUSPECT_SENSOR = "suspect_sensor"
    HEADROOM = "headroom"
    UNRECONCILED_DIFFERENCE = "unreconciled_difference"
    ENQUIRY = "enquiry"
    OBJECTION = "objection"


#: The warnings that every evaluation of today looks for.
WARNINGS = frozenset({Kind.HOUR_ABOVE_LIMIT, Kind.ON_COURSE, Kind.OVER_RANGE, Kind.SILENCE, Kind.SILENT_DEVICE})
#: What a person opens. It rests on no readings, and has the same life and the same deadlines.
CASES = frozenset({Kind.ENQUIRY, Kind.OBJECTION})


class State(StrEnum):
    """How far people have come with an alert (design §5, *Alerts*)."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    REPLIED = "replied"
    CLOSED = "closed"
    REOPENED = "reopened"


class Action(StrEnum):
    """What a person may do with an alert."""

    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    REPLY = "reply"
    CLOSE = "close"
    REOPEN = "reopen"


class Transition(StrEnum):
    """What happened to an alert: the first five by the facts, the next four by time, the others by a person."""

    OPENED = "opened"
    GREW = "grew"  # more windows, a worse peak, a corrected number
    RESUMED = "resumed"  # over, and exceeded again
    OVER = "over"
    WITHDRAWN = "withdrawn"  # corrected data show no exceedance any more
    UNACKNOWLEDGED = "unacknowledged"  # nobody took notice in time
    REMINDED = "reminded"  # the answer is due soon
    OVERDUE = "overdue"  # it was due
    UNMUTED = "unmuted"  # messages were held back, and are no more
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    REPLIED = "replied"
    CLOSED = "closed"
    REOPENED = "reopened"


# (state, action) -> state; whatever is not here is refused.
NEXT: dict[tuple[State, Action], State] = {
    (State.OPEN, Action.ACKNOWLEDGE): State.ACKNOWLEDGED,
    (State.OPEN, Action.ASSIGN): State.ASSIGNED,
    (State.OPEN, Action.CLOSE): State.CLOSED,
    (State.ACKNOWLEDGED, Action.ASSIGN): State.ASSIGNED,
    (State.ACKNOWLEDGED, Action.REPLY): State.REPLIED,
    (State.ACKNOWLEDGED, Action.CLOSE): State.CLOSED,
    (State.ASSIGNED, Action.ASSIGN): State.ASSIGNED,  # to somebody else
    (State.ASSIGNED, Action.REPLY): State.REPLIED,
    (State.ASSIGNED, Action.CLOSE): State.CLOSED,
    (State.REPLIED, Action.CLOSE): State.CLOSED,
    (State.REPLIED, Action.REOPEN): State.REOPENED,  # the officer is not satisfied
    (State.CLOSED, Action.REOPEN): State.REOPENED,
    (State.REOPENED, Action.ACKNOWLEDGE): State.ACKNOWLEDGED,
    (State.REOPENED, Action.ASSIGN): State.ASSIGNED,
    (State.REOPENED, Action.REPLY): State.REPLIED,
    (State.REOPENED, Action.CLOSE): State.CLOSED,
}


class ActionRefused(PlantMonitorError):
    """An alert in this state does not take this action."""

    def __init__(self, state: State, action: Action, reason: str = "") -> None:
        self.state, self.action = state, action
        why = f": {reason}" if reason else ""
        super().__init__(f"an alert that is {state} does not take the action {action!s}{why}")


def next_state(state: State, action: Action) -> State:
    """The state an action leads to.

    Raises
    ------
    ActionRefused  the table of design §5 has no such step
    """
    if (state, action) not in NEXT:
        raise ActionRefused(state, action)
    return NEXT[state, action]


@dataclass(frozen=True, slots=True)
class Exceedance:
    """An episode of exceeded windows, as an evaluation reports it (design §5, *Episodes*), or of a warning.

    ``[start_ms, end_ms)`` from the first exceeded window to the last · ``windows`` the exceeded ones ·
    ``peak`` and the ``limit`` passed there in ``unit`` · ``peak_ratio`` ≥ 1, None where it would divide
    by 0 · ``ongoing`` no later window has ended it · of a warning, ``peak`` against ``limit`` is what it tells
    of, and ``evidence`` says it in words.
    """

    point: str
    parameter: str
    limit_set: str
    statistic: str
    start_ms: int
    end_ms: int
    windows: int
    peak: float
    limit: float
    peak_ratio: float | None
    ongoing: bool
    unit: str = ""  # that of the limit; empty = not shown
    withdrawn: bool = False  # reported once; corrected data no longer show it
    seen_ms: int = field(default=0, compare=False)  # end of the evaluation that showed it so
    kind: Kind = Kind.EXCEEDANCE
    evidence: Name | None = None
    subject: str = ""  # what it is about where no series is: a title, the id of a device
    member: str = ""  # whose it is where no point says so

    @property
    def key(self) -> Key:
        """That of the alert it belongs to."""
        return self.kind, self.point, self.parameter, self.limit_set, self.subject


@dataclass(frozen=True, slots=True)
class Span:
    """The time an evaluation covered, half-open: of what lies outside it says nothing."""

    start_ms: int
    end_ms: int

    def contains(self, episode: Exceedance) -> bool:
        """True where the evaluation saw all of the episode."""
        return self.start_ms <= episode.start_ms and episode.end_ms <= self.end_ms


Key = tuple[Kind, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: what it is about, how far people are, and the episodes it has gathered."""

    kind: Kind
    point: str
    parameter: str
    limit_set: str
    opened_ms: int
    episodes: tuple[Exceedance, ...]
    state: State = State.OPEN
    id: int = field(default=0)  # 0 = not recorded yet
    assignee: str = ""
    subject: str = ""
    member: str = ""

    @property
    def key(self) -> Key:
        """Of one key at most one alert is not closed."""
        return self.kind, self.point, self.parameter, self.limit_set, self.subject

    @property
    def standing(self) -> tuple[Exceedance, ...]:
        """The episodes that are not withdrawn."""
        return tuple(e for e in self.episodes if not e.withdrawn)

    @property
    def shown(self) -> tuple[Exceedance, ...]:
        """What the numbers below speak of: the standing episodes, or all once none is left."""
        return self.standing or self.episodes

    @property
    def ongoing(self) -> bool:
        """True while an episode has not ended."""
        return any(e.ongoing for e in self.standing)

    @property
    def since_ms(self) -> int:
        """Start of the first exceeded window."""
        return min(e.start_ms for e in self.shown)

    @property
    def until_ms(self) -> int:
        """End of the last exceeded window; while not :attr:`ongoing`, over since then."""
        return max(e.end_ms for e in self.shown)

    @property
    def windows(self) -> int:
        """Exceeded windows of all episodes."""
        return sum(e.windows for e in self.shown)

    @property
    def worst(self) -> Exceedance:
        """The episode with the largest ratio; of equals the earliest."""
        return min(self.shown, key=lambda e: (-severity(e), e.start_ms, e.statistic))

    @property
    def told(self) -> Exceedance:
        """The episode whose numbers are told: the worst; of a warning, which is about now, the last."""
        if self.kind is Kind.EXCEEDANCE:
            return self.worst
        return max(self.shown, key=lambda e: (e.end_ms, e.start_ms, e.statistic))


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one alert: the alert afterwards, the name of the step, and who said what with it.

    ``actor`` is empty where the facts or time made the step.
    """

    transition: Transition
    alert: Alert
    time_ms: int
    actor: str = ""
    comment: str = ""


def case(kind: Kind, *, subject: str, text: str, now_ms: int, member: str = "", series: tuple[str, str]) -> Alert:
    """What a person opens: about a ``subject``, perhaps one of a ``series`` (point, parameter), each may be empty.

    ``member`` whose person it was; empty: nobody of a member company.
    """
    told = Exceedance(
        *series, "", "", now_ms, now_ms, 0, 0.0, 0.0, None, False,
        kind=kind, evidence=Name(text, text), subject=subject, member=member,
    )  # fmt: skip
    return Alert(kind, *series, "", now_ms, (told,), subject=subject, member=member)


_AT_ONCE = Steadiness()


def severity(episode: Exceedance) -> float:
    """For comparing episodes: the ratio; one that would divide by 0 is the worst."""
    return math.inf if episode.peak_ratio is None else episode.peak_ratio


def assess(
    known: Sequence[Alert],
    found: Sequence[Exceedance],
    covered: Span,
    now_ms: int,
    kinds: Collection[Kind] = (Kind.EXCEEDANCE,),
    steady: Mapping[str, Steadiness] = MappingProxyType({}),
) -> tuple[Change, ...]:
    """What the episodes ``found`` by an evaluation of ``covered`` do to the ``known`` alerts.

    ``kinds`` that the evaluation looked for; alerts of others are left alone. ``steady`` by kind: an episode that
    did not last long enough is none yet, and one that has ended goes on until nothing was found for long enough.

    ``known`` are the alerts that are not closed, and those closed ones whose episodes may reach into
    ``covered``. At most one change per key, in the order of the keys.

    An episode that closed alerts have gathered opens nothing again, unless it now reaches beyond what they
    knew: then a new alert opens, so closing never silences what continues. Applied twice, nothing changes.
    """
    by_key: dict[Key, list[Exceedance]] = {}
    for episode in (replace(e, seen_ms=covered.end_ms) for e in found):
        by_key.setdefault(episode.key, []).append(episode)
    known = [a for a in known if a.kind in kinds]
    pending = {a.key: a for a in known if a.state is not State.CLOSED}
    closed: dict[Key, list[Exceedance]] = {}
    for alert in known:
        if alert.state is State.CLOSED:
            closed.setdefault(alert.key, []).extend(alert.standing)
    changes = []
    for key in sorted(by_key.keys() | pending.keys()):
        rule, before = steady.get(key[0], _AT_ONCE), pending.get(key)
        lasting = _lasting(by_key.get(key, []), before, rule)
        episodes = [e for e in lasting if not _dealt_with(e, closed.get(key, []))]
        change = (
            _open(key, episodes, now_ms, rule) if before is None else _grow(before, episodes, covered, now_ms, rule)
        )
        if change is not None:
            changes.append(change)
    return tuple(changes)


def _lasting(found: Iterable[Exceedance], before: Alert | None, rule: Steadiness) -> list[Exceedance]:
    """Those that lasted long enough, or are known already."""
    known = () if before is None else before.standing
    return [e for e in found if e.end_ms - e.start_ms >= rule.lasting_ms or any(_overlap(e, k) for k in known)]


def _not_clear(episodes: Iterable[Exceedance], now_ms: int, rule: Steadiness) -> list[Exceedance]:
    """Those that have ended not long ago still go on."""
    if not rule.clear_ms:
        return list(episodes)
    since = now_ms - rule.clear_ms
    return [replace(e, ongoing=True) if e.end_ms > since and not e.withdrawn else e for e in episodes]


def _dealt_with(episode: Exceedance, closed: Iterable[Exceedance]) -> bool:
    """True where the closed episodes, put together, cover all of this one."""
    reached = episode.start_ms
    for one in _sorted(c for c in closed if _overlap(episode, c)):
        if one.start_ms <= reached:
            reached = max(reached, one.end_ms)
    return reached >= episode.end_ms


def _overlap(a: Exceedance, b: Exceedance) -> bool:
    return a.statistic == b.statistic and a.start_ms < b.end_ms and b.start_ms < a.end_ms


def _open(key: Key, episodes: Sequence[Exceedance], now_ms: int, rule: Steadiness) -> Change | None:
    if not episodes:
        return None
    alert = Alert(
        *key[:4], now_ms, _sorted(_not_clear(episodes, now_ms, rule)), subject=key[4], member=episodes[0].member
    )
    return Change(Transition.OPENED, alert, now_ms)


def _grow(alert: Alert, found: Sequence[Exceedance], covered: Span, now_ms: int, rule: Steadiness) -> Change | None:
    after = replace(alert, episodes=_sorted(_not_clear(_merge(alert.episodes, found, covered), now_ms, rule)))
    if after.episodes == alert.episodes:
        return None
    new = any(not any(_overlap(e, k) for k in alert.standing) for e in after.standing)
    if rule.clear_ms and alert.ongoing:
        new = False  # it was not over
    if new or (after.ongoing and not alert.ongoing):
        transition = Transition.RESUMED
    elif alert.standing and not after.standing:
        transition = Transition.WITHDRAWN
    elif alert.ongoing and not after.ongoing:
        transition = Transition.OVER
    else:
        transition = Transition.GREW
    return Change(transition, after, now_ms)


def _merge(known: Sequence[Exceedance], found: Sequence[Exceedance], covered: Span) -> list[Exceedance]:
    """The evaluation replaces what it saw whole; what reaches beyond it is joined, never shortened."""
    standing = [k for k in known if not k.withdrawn]
    partly = [_at_rest(k, covered) for k in standing if not covered.contains(k)]
    over = [k for k in standing if not k.ongoing and k.seen_ms > covered.end_ms]
    # The end of these was seen after the time that this evaluation covers: it stands.
    found = [
        replace(e, ongoing=False, seen_ms=max(k.seen_ms for k in ended))
        if e.ongoing and (ended := [k for k in over if _overlap(k, e)])
        else e
        for e in found
    ]
    merged: list[Exceedance] = []
    for episode in _sorted([*partly, *found], by_statistic=True):
        if merged and _overlap(merged[-1], episode):
            merged[-1] = _join(merged[-1], episode)
        else:
            merged.append(episode)
    gone = [k for k in known if not any(_overlap(k, e) for e in merged)]
    return merged + [replace(k, ongoing=False, withdrawn=True) for k in gone]


def _at_rest(episode: Exceedance, covered: Span) -> Exceedance:
    """A warning that had ended before what is covered goes on no more, though nobody saw its end."""
    over = episode.end_ms <= covered.start_ms and covered.end_ms > episode.seen_ms
    return replace(episode, ongoing=False) if over and episode.kind is not Kind.EXCEEDANCE else episode


def _join(a: Exceedance, b: Exceedance) -> Exceedance:
    """Two sights of one episode, each perhaps cut by the edge of its evaluation."""
    worse = min(a, b, key=lambda e: (-severity(e), e.start_ms))
    later = max(a, b, key=lambda e: (e.end_ms, e.seen_ms))
    return replace(
        worse,
        start_ms=min(a.start_ms, b.start_ms),
        end_ms=later.end_ms,
        windows=max(a.windows, b.windows),
        ongoing=later.ongoing,
        seen_ms=later.seen_ms,
        evidence=later.evidence,
    )


def _sorted(episodes: Iterable[Exceedance], *, by_statistic: bool = False) -> tuple[Exceedance, ...]:
    def order(e: Exceedance) -> tuple[str | int, ...]:
        return (e.statistic, e.start_ms, e.end_ms) if by_statistic else (e.start_ms, e.end_ms, e.statistic)

    return tuple(sorted(episodes, key=order))
