"""From ``notify`` in plant.yaml to the records of who is told of what."""

from __future__ import annotations

from collections.abc import Callable

from plant_monitor.config.notify_schema import WEEK, NotifySection, PolicySection
from plant_monitor.notify import Beat, Channel, Notify, Office, Person, Policy, Report, Shift, StandIn, Steadiness

# With people and without a policy: those who act and those who watch are told of everything.
_USUAL = PolicySection(tell=["operator", "officer"])


def notify_record(notify: NotifySection, secret: Callable[[str], str | None]) -> Notify:
    """``secret`` turns ``env:NAME`` and ``file:PATH`` into what they name; None: not needed now."""
    found = ((c.id, _address(c.url, secret)) for c in notify.channels)
    policies = notify.policies or ([_USUAL] if notify.people else [])
    return Notify(
        channels=tuple(Channel(id_, url) for id_, url in found if url is not None),
        language=notify.language,
        people=tuple(
            Person(p.id, p.role, tuple(p.channels), p.language or notify.language, p.member or "")
            for p in notify.people
        ),
        shifts=tuple(
            Shift(s.person, frozenset(WEEK.index(day) for day in s.days), s.begins, s.ends) for s in notify.shifts
        ),
        stand_ins=tuple(StandIn(s.person, s.begins, s.ends) for s in notify.stand_ins),
        policies=tuple(
            Policy(
                tell=tuple(p.tell),
                kinds=frozenset(p.kinds),
                severities=frozenset(p.severities),
                acknowledge=p.acknowledge,
                answer=p.answer,
                remind=p.remind,
                escalate=tuple(p.escalate),
            )
            for p in policies
        ),
        office=Office(
            notify.office.opens,
            notify.office.closes,
            frozenset(notify.office.holidays),
            frozenset(notify.office.workdays),
        ),
        heartbeat=_beat(notify, secret),
        kinds={kind: Steadiness(s.lasting, s.clear_for) for kind, s in notify.kinds.items()},
        messages_per_hour=notify.messages_per_hour,
        console=None if notify.console is None else notify.console.rstrip("/"),
        digest_at=notify.digest_at,
        report=None if notify.report is None else Report(notify.report.at, tuple(notify.report.tell)),
    )


def _beat(notify: NotifySection, secret: Callable[[str], str | None]) -> Beat | None:
    url = None if notify.heartbeat is None else _address(notify.heartbeat.url, secret)
    return None if notify.heartbeat is None or url is None else Beat(url, notify.heartbeat.every)


def _address(text: str, secret: Callable[[str], str | None]) -> str | None:
    return secret(text) if text.startswith(("env:", "file:")) else text
