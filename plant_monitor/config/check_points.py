"""What the plant, its members and its points mean for each other."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from plant_monitor import units
from plant_monitor.config.draft import Draft, unit_of
from plant_monitor.config.parameters import misspelt, required_kind, units_of
from plant_monitor.config.schema import ParameterSection, PointSection
from plant_monitor.config.shape import Loc
from plant_monitor.plant import FLOW, VOLUME

_TOTALISER_KEYS = ("rollover", "resolution", "max_rate_m3_h")


def check_plant(draft: Draft) -> None:
    """Zone, inlet and effluent."""
    plant = draft.file.plant
    try:
        ZoneInfo(plant.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        draft.report(("plant", "timezone"), repr(plant.timezone), "a zone of the IANA database, as Asia/Shanghai")
    for key, id_ in (("inlet", plant.inlet), ("effluent", plant.effluent)):
        if id_ is None or not draft.known(("plant", key), id_, draft.declared.points, "the id of a point"):
            continue
        role = next((p.role for p in draft.file.points if p.id == id_), key)
        if role != key:
            draft.report(("plant", key), f"the point {id_!r}, whose role is {role}", f"a point with role: {key}")


def check_members(draft: Draft) -> None:
    """Ids."""
    draft.once("members", "each member once")
    for i, member in enumerate(draft.file.members):
        if member.id == "TOTAL":
            draft.report(("members", i, "id"), "'TOTAL'", "another id: statements call the sum so")
        days = [c.valid_from for c in member.share_changes]
        for j, day in enumerate(days):
            if day in days[:j]:
                loc: Loc = ("members", i, "share_changes", j, "valid_from")
                draft.report(loc, f"{day} a second time", "one change a day")


def check_public_screen(draft: Draft) -> None:
    """Points that there are, and parameters that one of them has."""
    screen = draft.file.public_screen
    if screen is None:
        return
    if not screen.points:
        draft.report(("public_screen", "points"), "no point", "at least one point, or no public_screen")
    measured = set[str]()
    for i, point in enumerate(screen.points):
        if draft.known(("public_screen", "points", i), point, draft.declared.points, "the id of a point"):
            measured |= {q for p in draft.file.points if p.id == point for q in p.parameters}
    for i, parameter in enumerate(screen.parameters):
        if parameter not in measured:
            expected = f"a parameter of these points ({', '.join(sorted(measured)) or 'they have none'})"
            draft.report(("public_screen", "parameters", i), repr(parameter), expected)


def check_points(draft: Draft) -> None:
    """Points, their members and their series."""
    draft.once("points", "each point once")
    if not draft.file.points and not draft.declared.points:
        draft.report(("points",), "no point", "at least one point")
    for i, point in enumerate(draft.file.points):
        _check_member(draft, ("points", i, "member"), point)
        for parameter, series in point.parameters.items():
            _check_series(draft, ("points", i, "parameters", parameter), parameter, series)


def _check_member(draft: Draft, loc: Loc, point: PointSection) -> None:
    members = ", ".join(draft.declared.members) or "none is declared"
    if point.role == "outfall" and point.member is None:
        draft.report(loc, "an outfall without member", f"the id of a member ({members})")
    elif point.role != "outfall" and point.member is not None:
        draft.report(loc, f"a member on a point with role {point.role}", "a member on outfalls only")
    elif point.member is not None:
        draft.known(loc, point.member, draft.declared.members, "the id of a member")


def _check_series(draft: Draft, loc: Loc, parameter: str, series: ParameterSection) -> None:
    if series.interval is None and parameter != VOLUME:
        draft.report((*loc, "interval"), "nothing", "the time between two readings, as 10s, 1m or 1h")
    if parameter != VOLUME:
        for key in _TOTALISER_KEYS:
            if getattr(series, key) is not None:
                draft.report((*loc, key), f"{key} on {parameter}", "it on volume only: it describes a totaliser")
    elif series.rollover is not None and series.resolution is not None and series.resolution >= series.rollover:
        draft.report((*loc, "resolution"), str(series.resolution), f"less than rollover ({series.rollover})")
    if parameter != FLOW and series.no_flow_below is not None:
        draft.report((*loc, "no_flow_below"), f"no_flow_below on {parameter}", "it on flow only")
    check_unit(draft, (*loc, "unit"), parameter, series.unit)


def check_unit(draft: Draft, loc: Loc, parameter: str, stated: str | None) -> None:
    """The unit of a series, or of a limit on a concentration: understood, and of the right kind."""
    unit = unit_of(parameter, stated)
    if unit is None:
        draft.report(loc, "nothing", f"the unit of {parameter!r}, which is not a parameter known by name")
    elif stated is not None and (meant := misspelt(stated)) is not None:
        draft.report(loc, repr(stated), f"{meant!r} (units are written as in the table of units)")
    elif (kind := required_kind(parameter)) is not None and units.kind(unit) != kind:
        draft.report(loc, repr(unit), f"a unit of {kind} for {parameter}: {units_of(kind)}")
