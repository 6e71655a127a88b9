"""Messages that belong to no single alert: what was gathered, the daily report, the hand-over. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from plant_monitor.alerts.deadlines import Trail, deadlines, policy_for
from plant_monitor.alerts.envelope import Message, Notice
from plant_monitor.alerts.lifecycle import CASES, Alert, Change, Kind, Transition
from plant_monitor.alerts.messages import message
from plant_monitor.alerts.notices import calendar_of, owner_of, roster_of
from plant_monitor.notify import Person
from plant_monitor.plant import Name, Plant

REPORT, HAND_OVER = "report", "hand_over"
SHOWN = 20  # open alerts that a message lists


@dataclass(frozen=True, slots=True)
class DayFigures:
    """What an evaluation of a day says: lines about exceeded limits, and how much is not known."""

    exceeded: tuple[Name, ...]
    judged: int
    insufficient: int
    inflow: Name | None = None


def language_of(recipient: str, plant: Plant) -> str:
    """That of a person; of a channel the plant's."""
    return next((p.language for p in plant.notify.people if p.id == recipient), plant.notify.language)


def bundle(parts: Sequence[Message], language: str) -> Message:
    """What waited for one person, as one message."""
    if len(parts) == 1:
        return parts[0]
    title = _said(Name(f"【汇总】{len(parts)} 条消息", f"[{len(parts)} MESSAGES]"), language)
    listed = "\n".join(f"{i}. {part.title}" for i, part in enumerate(parts, 1))
    return Message(title, "\n\n".join([listed, *(f"{part.title}\n{part.body}" for part in parts)]))


def local_time_ms(day: date, at: time, plant: Plant) -> int:
    """The instant of a time of day at the plant."""
    return int(datetime.combine(day, at, plant.zone).timestamp()) * 1000


def report_day(now_ms: int, plant: Plant) -> date | None:
    """The day whose report has come due by now; None: no report is wanted."""
    report = plant.notify.report
    if report is None:
        return None
    today = datetime.fromtimestamp(now_ms // 1000, plant.zone).date()
    return today - timedelta(days=1 if now_ms >= local_time_ms(today, report.at, plant) else 2)


def report(
    day: date, figures: DayFigures, opened: int, unclosed: Sequence[tuple[Alert, Trail]], now_ms: int, plant: Plant
) -> list[Notice]:
    """The daily report, to whoever is on duty."""
    wanted = plant.notify.report
    if wanted is None:
        return []

    def told(language: str, member: str) -> Message:
        mine = [(a, t) for a, t in unclosed if not member or owner_of(a, plant) == member]
        name = plant.name
        title = _said(Name(f"【日报】{day} {name.zh}", f"[DAILY REPORT] {day} {name.en}"), language)
        lines = _figures(figures, language) if not member else []
        lines += [_said(Name(f"新开告警:{opened}", f"Alerts opened: {opened}"), language)] if not member else []
        return Message(title, "\n".join([*lines, *open_lines(mine, now_ms, plant, language)]))

    if not plant.notify.people:
        text = told(plant.notify.language, "")
        return [Notice("", (c.id,), text, kind=REPORT) for c in plant.notify.channels]
    roster = roster_of(plant)
    members = dict.fromkeys(p.member for p in plant.notify.people if p.role == "member")
    people = {p.id: p for p in roster.told([r for r in wanted.tell if r != "member"], now_ms)}
    if "member" in wanted.tell:
        people.update({p.id: p for m in members for p in roster.on_duty("member", now_ms, m)})
    return [Notice(p.id, p.channels, told(p.language, p.member), kind=REPORT) for p in people.values()]


def hand_over(
    people: Sequence[Person], unclosed: Sequence[tuple[Alert, Trail]], now_ms: int, plant: Plant
) -> list[Notice]:
    """What is open, to those who take over; to nobody where nothing is."""
    found = []
    for person in people:
        mine = [(a, t) for a, t in unclosed if _concerns(a, person, plant)]
        if mine:
            title = _said(Name(f"【交接班】{len(mine)} 条未办结", f"[HAND-OVER] {len(mine)} open"), person.language)
            text = Message(title, "\n".join(open_lines(mine, now_ms, plant, person.language)))
            found.append(Notice(person.id, person.channels, text, kind=HAND_OVER))
    return found


def open_lines(unclosed: Sequence[tuple[Alert, Trail]], now_ms: int, plant: Plant, language: str) -> list[str]:
    """What is open, a line each, with its deadline."""
    count = len(unclosed)
    lines = [_said(Name(f"未办结:{count}", f"Open: {count}"), language)]
    for alert, trail in unclosed[:SHOWN]:
        lines.append(
            f"#{alert.id} {_headline(alert, plant, language)}; {alert.state}{_due(alert, trail, now_ms, plant)}"
        )
    return lines + (["…"] if count > SHOWN else [])


def _headline(alert: Alert, plant: Plant, language: str) -> str:
    return message(Change(Transition.OPENED, alert, 0), plant, language).title


def _due(alert: Alert, trail: Trail, now_ms: int, plant: Plant) -> str:
    policy = policy_for(alert, plant.notify.policies)
    at = None if policy is None else deadlines(alert, trail, policy, calendar_of(plant)).answer_ms
    if at is None:
        return ""
    when = f"{datetime.fromtimestamp(at // 1000, plant.zone):%Y-%m-%d %H:%M}"
    return f", {'!! ' if at <= now_ms else '→ '}{when}"


def _figures(figures: DayFigures, language: str) -> list[str]:
    count, judged = len(figures.exceeded), figures.judged
    counts = Name(
        f"判定:{judged},超标 {count},数据不足 {figures.insufficient}",
        f"Verdicts: {judged}, exceeded {count}, insufficient data {figures.insufficient}",
    )
    lines = [counts, *figures.exceeded, *([] if figures.inflow is None else [figures.inflow])]
    return [_said(line, language) for line in lines]


def _concerns(alert: Alert, person: Person, plant: Plant) -> bool:
    if person.role == "member":
        return owner_of(alert, plant) == person.member
    if alert.kind is Kind.OBJECTION and person.role == "officer":
        return False
    policy = policy_for(alert, plant.notify.policies)
    above = policy is not None and person.role in (*policy.tell, *policy.escalate)
    return above or (alert.kind in CASES and alert.assignee == person.id)


def _said(text: Name, language: str) -> str:
    return {"zh": text.zh, "en": text.en}.get(language, f"{text.zh} / {text.en}")
