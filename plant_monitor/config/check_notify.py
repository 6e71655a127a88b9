"""Who is told of what: channels without secrets, people with channels, policies for people there are."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from plant_monitor.alerts.lifecycle import CASES, Kind
from plant_monitor.config.check_services import is_http
from plant_monitor.config.draft import Draft
from plant_monitor.config.shape import Loc

# Apprise schemes whose address itself is no key: all others only from env:NAME or file:PATH.
_OPEN_SCHEMES = frozenset({"json", "jsons", "xml", "xmls", "form", "forms", "syslog", "mailto", "mailtos", "dbus"})
_SECRET_WORDS = re.compile(r"pass|token|secret|key|sign", re.IGNORECASE)


def check_notify(draft: Draft) -> None:
    """Channels, people and what is said of them."""
    draft.once("notify.channels", "each channel once")
    draft.once("notify.people", "each person once")
    _check_channels(draft)
    _check_people(draft)
    _check_policies(draft)
    _check_kinds(draft)
    beat = draft.file.notify.heartbeat
    if beat is not None and not beat.url.startswith(("http://", "https://", "env:", "file:")):
        draft.report(("notify", "heartbeat", "url"), repr(beat.url[:12]), "http://…, https://…, env:NAME or file:PATH")
    console = draft.file.notify.console
    if console is not None and not is_http(console):
        draft.report(("notify", "console"), repr(console), "http://host:port or https://host:port")
    office = draft.file.notify.office
    if office.closes <= office.opens:
        draft.report(("notify", "office", "closes"), f"{office.closes:%H:%M}", f"a time after {office.opens:%H:%M}")
    for day in sorted(set(office.holidays) & set(office.workdays)):
        at = office.workdays.index(day)
        draft.report(("notify", "office", "workdays", at), f"{day}, a holiday too", "each day in one of the two lists")


def _check_channels(draft: Draft) -> None:
    for i, channel in enumerate(draft.file.notify.channels):
        loc: Loc = ("notify", "channels", i, "url")
        scheme, _, rest = channel.url.partition(":")
        if scheme in ("console", "env", "file", "folder"):
            if (scheme == "console") == bool(rest.strip()):
                draft.report(loc, repr(channel.url), "console:, folder:PATH, env:NAME or file:PATH")
        elif "://" not in channel.url:
            draft.report(loc, _without_secret(channel.url), "console:, folder:PATH, or an Apprise URL")
        elif _holds_secret(channel.url):
            expected = "env:NAME or file:PATH that holds the address (a secret never stands in the file itself)"
            draft.report(loc, f"an address of the kind {scheme}: with its secret", expected)


def _check_people(draft: Draft) -> None:
    notify = draft.file.notify
    channels = tuple(c.id for c in notify.channels)
    for i, person in enumerate(notify.people):
        for j, channel in enumerate(person.channels):
            draft.known(("notify", "people", i, "channels", j), channel, channels, "the id of a channel")
        loc: Loc = ("notify", "people", i, "member")
        if person.member is not None:
            draft.known(loc, person.member, draft.declared.members, "the id of a member")
        if (person.member is None) == (person.role == "member"):
            found = "nothing" if person.member is None else f"a member for the role {person.role}"
            draft.report(loc, found, "the id of the company with role: member, and only there")
    people = tuple(p.id for p in notify.people)
    for i, shift in enumerate(notify.shifts):
        draft.known(("notify", "shifts", i, "person"), shift.person, people, "the id of a person")
    for i, one in enumerate(notify.stand_ins):
        draft.known(("notify", "stand_ins", i, "person"), one.person, people, "the id of a person")
        if one.ends <= one.begins:
            draft.report(("notify", "stand_ins", i, "ends"), "a time that is not after begins", "a later time")


def _check_policies(draft: Draft) -> None:
    notify = draft.file.notify
    roles = {p.role for p in notify.people}
    kinds = tuple(Kind)
    for i, policy in enumerate(notify.policies):
        loc: Loc = ("notify", "policies", i)
        for j, kind in enumerate(policy.kinds):
            draft.known((*loc, "kinds", j), kind, kinds, "a kind of alert")
        if notify.people and not roles & set(policy.tell):
            draft.report(
                (*loc, "tell"), f"{', '.join(policy.tell)}, of whom there is nobody", "a role that people have"
            )
        if policy.remind is not None and policy.remind.working_days:
            draft.report((*loc, "remind"), "working days", "a time as 2h or 4 office hours before the answer is due")


def _check_kinds(draft: Draft) -> None:
    for kind, said in draft.file.notify.kinds.items():
        loc: Loc = ("notify", "kinds", kind)
        draft.known(loc, kind, tuple(k for k in Kind if k not in CASES), "a kind of alert that readings open")
        if kind == Kind.EXCEEDANCE and said.lasting:
            expected = "nothing: a verdict is told at once (its limit says over which window)"
            draft.report((*loc, "lasting"), f"{said.lasting / 1000:g} s", expected)


def _holds_secret(url: str) -> bool:
    try:
        parts = urlsplit(url)
        secret_keys = [key for key, _ in parse_qsl(parts.query, keep_blank_values=True) if _SECRET_WORDS.search(key)]
        return parts.scheme not in _OPEN_SCHEMES or parts.password is not None or bool(secret_keys)
    except ValueError:
        return True


def _without_secret(url: str) -> str:
    """An address that is none, short enough to tell and too short to give a key away."""
    return repr(url if len(url) <= 12 else url[:8] + "…")
