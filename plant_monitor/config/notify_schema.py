"""The shape of ``notify`` in plant.yaml: channels, people, duty, policies, office hours."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from plant_monitor.config.scalars import Day, Duration, Id, Plain, expected
from plant_monitor.config.section import Section
from plant_monitor.config.yaml_tree import Text
from plant_monitor.notify import Term
from plant_monitor.windows import parse_rfc3339

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00", re.ASCII)
_TERM = re.compile(r"([1-9][0-9]{0,2}) ?(m|h|office hours?|working days?)", re.ASCII)
_UNIT_MS = {"m": 60_000, "h": 3_600_000}


def _clock_time(value: Any) -> time:
    if not isinstance(value, Text) or not _CLOCK.fullmatch(value):
        raise expected("a time of day as '08:30' (in quotes)")
    return time(0) if value == "24:00" else time.fromisoformat(str(value))


def _term(value: Any) -> Term:
    match = _TERM.fullmatch(value) if isinstance(value, Text) else None
    if not match:
        raise expected("30m or 2h (day and night), 4 office hours, or 2 working days")
    number, unit = int(match[1]), match[2]
    if unit in _UNIT_MS:
        return Term(clock_ms=number * _UNIT_MS[unit])
    return Term(working_days=number) if unit.startswith("working") else Term(working_ms=number * 3_600_000)


def _instant(value: Any) -> int:
    try:
        return parse_rfc3339(str(value) if isinstance(value, Text) else "")
    except ValueError:
        raise expected("a time with offset as 2026-10-01T08:00:00+08:00") from None


ClockTime = Annotated[time, BeforeValidator(_clock_time), WithJsonSchema({"type": "string", "pattern": "^..:..$"})]
TermText = Annotated[Term, BeforeValidator(_term), WithJsonSchema({"type": "string"})]
Instant = Annotated[int, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
DutyRole = Literal["operator", "officer", "supervisor", "member"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: list[Weekday] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class ChannelSection(Section):
    """A way to reach people."""

    id: Id = Field(description="short name of the channel")
    url: Plain = Field(description="console:, folder:PATH, an Apprise URL, or env:NAME / file:PATH that holds one")


class PersonSection(Section):
    """Somebody who is told, whenever on duty."""

    id: Id = Field(description="short name of the person")
    role: DutyRole = Field(
        description="operator; officer; supervisor: is told when a deadline is missed; member: of a member company"
    )
    member: Id | None = Field(None, description="the company (role: member), told of its own outfalls alone")
    channels: list[Id] = Field(min_length=1, description="channels of the person, in the order in which they are tried")
    language: Literal["zh", "en", "both"] | None = Field(None, description="language; omitted: that of notify")


class ShiftSection(Section):
    """Duty each week."""

    person: Id = Field(description="id of the person")
    days: list[Weekday] = Field(WEEK, min_length=1, description="weekdays on which the shift begins")
    begins: ClockTime = Field(time(0), description="when it begins, local time of the plant")
    ends: ClockTime = Field(time(0), description="when it ends; not after its begin: on the next day")


class StandInSection(Section):
    """Duty for a stretch of time, instead of whom the weekly shifts name for that role."""

    person: Id = Field(description="id of the person")
    begins: Instant = Field(description="first instant of it; the hand-over")
    ends: Instant = Field(description="first instant after it")


class PolicySection(Section):
    """Who is told of which alerts, and until when somebody has to do what."""

    kinds: list[Id] = Field([], description="kinds of alerts; omitted: all")
    severities: list[Literal["low", "high", "critical"]] = Field([], description="severities; omitted: all")
    tell: list[DutyRole] = Field(min_length=1, description="roles whose people on duty are told")
    acknowledge: TermText | None = Field(None, description="within what somebody takes notice; omitted: nobody need")
    answer: TermText | None = Field(
        Term(working_days=2), description="within what it is answered or closed; the day itself does not count"
    )
    remind: TermText | None = Field(
        Term(working_ms=4 * 3_600_000), description="so long before that, those who were told are reminded"
    )
    escalate: list[DutyRole] = Field(["supervisor"], description="roles that are told of a missed deadline")


class OfficeSection(Section):
    """Office hours, and days that overrule the official list."""

    opens: ClockTime = Field(time(8, 30), description="begin of the office hours of a working day")
    closes: ClockTime = Field(time(17, 30), description="end of the office hours")
    holidays: list[Day] = Field([], description="days that are not worked, whatever the official list says")
    workdays: list[Day] = Field([], description="days that are worked, whatever the official list says")


class HeartbeatSection(Section):
    """An address outside that raises the alarm when it is no longer asked for."""

    url: Plain = Field(description="http:// or https:// address, or env:NAME / file:PATH that holds one")
    every: Duration = Field(60_000, description="how often it is asked for while all is well")


class SteadinessSection(Section):
    """What an alert of a kind needs to open and to be over."""

    lasting: Duration = Field(
        0, description="warnings: it opens once they have lasted so long; an exceedance always at once"
    )
    clear_for: Duration = Field(0, description="it is over once nothing was found for so long")


class ReportSection(Section):
    """Each day, the day before in a few lines."""

    at: ClockTime = Field(description="when it is sent, local time of the plant")
    tell: list[DutyRole] = Field(["officer"], min_length=1, description="roles whose people on duty get it")


class NotifySection(Section):
    """Who is told of what."""

    channels: list[ChannelSection] = Field(
        [], description="ways to reach people; without people each gets every message"
    )
    language: Literal["zh", "en", "both"] = Field("zh", description="language of the messages")
    people: list[PersonSection] = Field([], description="people; those on duty are told, each by their own channels")
    shifts: list[ShiftSection] = Field([], description="weekly duty; a role without any: all of its people")
    stand_ins: list[StandInSection] = Field([], description="exceptions from it; of several the last counts")
    policies: list[PolicySection] = Field(
        [], description="who is told of what, with deadlines; the first that fits counts"
    )
    kinds: dict[Id, SteadinessSection] = Field({}, description="by kind of alert: minimum duration and hysteresis")
    messages_per_hour: Annotated[int, Field(ge=1)] = Field(
        30, description="most that one person (or channel) gets in an hour; the rest come as one, grave ones at once"
    )
    digest_at: ClockTime | None = Field(
        None, description="warnings are gathered, and come as one message at this time; omitted: at once"
    )
    report: ReportSection | None = Field(None, description="a daily report; omitted: none")
    console: Plain | None = Field(
        None, description="address at which people reach the console, as https://host; messages link there"
    )
    heartbeat: HeartbeatSection | None = Field(None, description="who is to notice that the monitor itself is dead")
    office: OfficeSection = Field(OfficeSection(), description="office hours and days that deadlines count")
