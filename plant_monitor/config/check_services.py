"""Tariff, store and channels: what they name exists, and no secret stands in the file."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from plant_monitor import units
from plant_monitor.config.draft import Draft, sound_unit
from plant_monitor.config.shape import Loc

# Apprise schemes whose address itself is no key: all others only from env:NAME or file:PATH.
_OPEN_SCHEMES = frozenset({"json", "jsons", "xml", "xmls", "form", "forms", "syslog", "mailto", "mailtos", "dbus"})
_SECRET_WORDS = re.compile(r"pass|token|secret|key|sign", re.IGNORECASE)


def check_tariff(draft: Draft) -> None:
    """Members and parameters of the tariff, and the design loads."""
    tariff = draft.file.tariff
    for member in tariff.fixed_yuan_month:
        draft.known(("tariff", "fixed_yuan_month", member), member, draft.declared.members, "the id of a member")
    for i, rule in enumerate(tariff.strength_steps):
        check_strength(draft, ("tariff", "strength_steps", i, "parameter"), rule.parameter)


def check_strength(draft: Draft, loc: Loc, parameter: str) -> None:
    """A parameter that outfalls measure, as a mass per volume."""
    outfalls = [p for p in draft.file.points if p.role == "outfall"]
    measured = {sound_unit(parameter, p.parameters[parameter].unit) for p in outfalls if parameter in p.parameters}
    if not any(parameter in keys for keys in draft.declared.parameters.values()):
        draft.report(loc, f"{parameter!r}, which no point measures", "a parameter of the outfalls")
    for unit in sorted(u for u in measured if u is not None and not units.is_concentration(u)):
        draft.report(loc, f"{parameter!r}, which is in {unit}", "a parameter that is a mass per volume, as mg/L")


def check_store(draft: Draft) -> None:
    """The address of InfluxDB, and that reading from it is possible."""
    store = draft.file.store
    if store.read_from == "influxdb" and store.influxdb is None:
        draft.report(("store", "read_from"), "influxdb", "store.influxdb to read from, or read_from: journal")
    if store.influxdb is None:
        return
    loc: Loc = ("store", "influxdb")
    if "@" in store.influxdb.url:
        draft.report((*loc, "url"), "an address with user or password", "token:, or username: and password:, instead")
    elif not _is_http(store.influxdb.url):
        draft.report((*loc, "url"), repr(store.influxdb.url), "http://host:port or https://host:port")
    if store.influxdb.api == "v2" and store.influxdb.org is None:
        draft.report((*loc, "org"), "nothing", "the organisation (api: v2)")
    if store.influxdb.api == "v1" and store.influxdb.token is not None:
        draft.report((*loc, "token"), "a token with api: v1", "username and password, or api: v2")
    if store.influxdb.password is not None and store.influxdb.username is None:
        draft.report((*loc, "username"), "a password without username", "both")


def check_notify(draft: Draft) -> None:
    """Channels."""
    draft.once("notify.channels", "each channel once")
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


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


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
