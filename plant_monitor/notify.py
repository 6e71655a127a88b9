"""Who is told of what, as plain frozen records: channels, people, duty, policies, office hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time


@dataclass(frozen=True, slots=True)
class Channel:
    """A way to reach people: an apprise URL, resolved from env:NAME or file:PATH if secret."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is told. ``channels`` in the order in which they are tried; ``member`` of a company's people."""

    id: str
    role: str  # operator | officer | supervisor | member
    channels: tuple[str, ...]
    language: str = "zh"  # zh | en | both
    member: str = ""


@dataclass(frozen=True, slots=True)
class Shift:
    """Duty each week: on ``weekdays`` (Monday = 0) from ``begins`` to ``ends``, over midnight where that is earlier.

    The weekday is that on which the shift begins; equal times are a whole day.
    """

    person: str
    weekdays: frozenset[int] = frozenset(range(7))
    begins: time = time(0)
    ends: time = time(0)


@dataclass(frozen=True, slots=True)
class StandIn:
    """Duty in ``[start_ms, end_ms)``, instead of whom the weekly pattern names for that role."""

    person: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Term:
    """A length of time until a deadline; exactly one of the three is set.

    ``clock_ms`` runs day and night · ``working_ms`` runs in office hours only · ``working_days`` leaves out the
    day on which it begins, and ends with the office hours of its last day.
    """

    clock_ms: int = 0
    working_ms: int = 0
    working_days: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """Who is told of which alerts, and until when somebody has to do what.

    ``kinds`` and ``severities`` empty = all · ``tell`` roles · ``acknowledge`` None = nobody need ·
    ``answer`` until replied or closed · ``remind`` so long before · ``escalate`` roles that are told of a miss.
    """

    tell: tuple[str, ...]
    kinds: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()
    acknowledge: Term | None = None
    answer: Term | None = Term(working_days=2)
    remind: Term | None = Term(working_ms=4 * 3_600_000)
    escalate: tuple[str, ...] = ("supervisor",)


@dataclass(frozen=True, slots=True)
class Office:
    """Office hours of each working day; ``holidays`` and ``workdays`` overrule the official list."""

    opens: time = time(8, 30)
    closes: time = time(17, 30)
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Beat:
    """An http(s) address outside that is asked for while all is well."""

    url: str
    every_ms: int


@dataclass(frozen=True, slots=True)
class Steadiness:
    """What an alert of a kind needs: to last so long before it opens, and to be clear so long before it is over."""

    lasting_ms: int = 0
    clear_ms: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """Each day at a time, in the plant's zone, the day before is told to whoever is on duty in ``tell``."""

    at: time
    tell: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notify:
    """Who is told of what.

    Without ``people`` every channel gets every message; without ``policies`` nothing has a deadline. The first
    policy that covers an alert is its own; an alert that none covers is told to nobody, and shown all the same.
    """

    channels: tuple[Channel, ...] = ()
    language: str = "zh"  # zh | en | both
    people: tuple[Person, ...] = ()
    shifts: tuple[Shift, ...] = ()
    stand_ins: tuple[StandIn, ...] = ()
    policies: tuple[Policy, ...] = ()
    office: Office = Office()
    heartbeat: Beat | None = None
    kinds: Mapping[str, Steadiness] = field(default_factory=dict)
    messages_per_hour: int | None = None  # to one person or channel; more come as one
    digest_at: time | None = None  # warnings are gathered until then; None: told at once
    report: Report | None = None
    console: str | None = None  # where people reach the console, for the links in messages
