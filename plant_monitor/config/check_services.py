"""Tariff and store: what they name exists, and no secret stands in the file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from urllib.parse import urlsplit

from plant_monitor import units
from plant_monitor.config.draft import Draft, sound_unit
from plant_monitor.config.shape import Loc


def check_tariff(draft: Draft) -> None:
    """Members and parameters of the tariff, and the design loads."""
    tariff = draft.file.tariff
    for member in tariff.fixed_yuan_month:
        draft.known(("tariff", "fixed_yuan_month", member), member, draft.declared.members, "the id of a member")
    for member in tariff.minimum_yuan_month:
        draft.known(("tariff", "minimum_yuan_month", member), member, draft.declared.members, "the id of a member")
    for i, rule in enumerate(tariff.strength_steps):
        check_strength(draft, ("tariff", "strength_steps", i, "parameter"), rule.parameter)
        if rule.valid_from and rule.valid_to and rule.valid_to < rule.valid_from:
            loc: Loc = ("tariff", "strength_steps", i, "valid_to")
            draft.report(loc, str(rule.valid_to), f"a day from {rule.valid_from} on, or no valid_from")
    for i, change in enumerate(tariff.price_changes):
        for member in change.fixed_yuan_month:
            loc = ("tariff", "price_changes", i, "fixed_yuan_month", member)
            draft.known(loc, member, draft.declared.members, "the id of a member")
    check_days(draft, ("tariff", "price_changes"), [c.valid_from for c in tariff.price_changes])
    items = [v.item for v in tariff.vat]
    for i, item in enumerate(items):
        if item in items[:i]:
            draft.report(("tariff", "vat", i, "item"), f"{item!r} a second time", "each item once")


def check_days(draft: Draft, loc: Loc, days: Sequence[date]) -> None:
    """Two changes on one day would leave open which of them counts."""
    for i, day in enumerate(days):
        if day in days[:i]:
            draft.report((*loc, i, "valid_from"), f"{day} a second time", "one change a day")


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
    elif not is_http(store.influxdb.url):
        draft.report((*loc, "url"), repr(store.influxdb.url), "http://host:port or https://host:port")
    if store.influxdb.api == "v2" and store.influxdb.org is None:
        draft.report((*loc, "org"), "nothing", "the organisation (api: v2)")
    if store.influxdb.api == "v1" and store.influxdb.token is not None:
        draft.report((*loc, "token"), "a token with api: v1", "username and password, or api: v2")
    if store.influxdb.password is not None and store.influxdb.username is None:
        draft.report((*loc, "username"), "a password without username", "both")


def is_http(url: str) -> bool:
    """Whether it is an http:// or https:// address with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
