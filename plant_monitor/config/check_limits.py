"""Limit sets: each limit for itself, the limits of a set beside each other, and at the points they apply to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from plant_monitor import units
from plant_monitor.config.check_points import check_unit
from plant_monitor.config.draft import Draft, sound_unit
from plant_monitor.config.parameters import units_of
from plant_monitor.config.schema import LimitSection, LimitSetSection, PointSection
from plant_monitor.config.shape import Loc
from plant_monitor.plant import PH, VOLUME, Statistic

_LOAD = Statistic.DAILY_LOAD.value


def statistic_of(limit: LimitSection) -> str:
    """The statistic of a limit, with its default."""
    return limit.statistic or (Statistic.HOURLY_MEDIAN if limit.parameter == PH else Statistic.DAILY_MEAN).value


def check_limit_sets(draft: Draft) -> None:
    """Every set of the file."""
    draft.once("limit_sets", "each limit set once")
    for i, limit_set in enumerate(draft.file.limit_sets):
        if limit_set.id in draft.shipped:
            draft.report(("limit_sets", i, "id"), repr(limit_set.id), "another id: a set that is shipped has this one")
        for j, limit in enumerate(limit_set.limits):
            _check_limit(draft, ("limit_sets", i, "limits", j), limit)
        _check_beside(draft, ("limit_sets", i, "limits"), limit_set.limits)


def check_limits_of_points(draft: Draft) -> None:
    """Every set that a point names: it exists, and its units can be told in those of the series."""
    sets: dict[str, LimitSetSection] = {**draft.shipped, **{s.id: s for s in draft.file.limit_sets}}
    known = (*draft.shipped, *draft.declared.limit_sets)
    for i, point in enumerate(draft.file.points):
        for j, id_ in enumerate(point.limits):
            loc: Loc = ("points", i, "limits", j)
            if id_ in point.limits[:j]:
                draft.report(loc, f"{id_!r} a second time", "each limit set once")
            elif draft.known(loc, id_, known, "the id of a limit set") and id_ in sets:
                _check_at_point(draft, loc, point, sets[id_])


def _check_limit(draft: Draft, loc: Loc, limit: LimitSection) -> None:
    statistic = statistic_of(limit)
    if limit.lower is None and limit.upper is None:
        draft.report(loc, f"a limit on {limit.parameter} without bound", "lower, upper or both")
    elif limit.lower is not None and limit.upper is not None and limit.lower > limit.upper:
        draft.report((*loc, "lower"), str(limit.lower), f"at most upper ({limit.upper})")
    if limit.valid_from is not None and limit.valid_to is not None and limit.valid_to < limit.valid_from:
        draft.report((*loc, "valid_to"), str(limit.valid_to), f"valid_from ({limit.valid_from}) or later")
    if limit.parameter == PH and statistic != Statistic.HOURLY_MEDIAN:
        draft.report((*loc, "statistic"), statistic, "hourly_median: pH is never averaged")
    if limit.parameter == VOLUME:
        draft.report((*loc, "parameter"), repr(VOLUME), "another parameter: a totaliser is not judged (flow is)")
    if statistic == _LOAD:
        if limit.unit is not None and units.kind(limit.unit) != "load":
            draft.report((*loc, "unit"), repr(limit.unit), f"a unit of load for daily_load: {units_of('load')}")
    elif limit.unit is not None:
        check_unit(draft, (*loc, "unit"), limit.parameter, limit.unit)


def _check_beside(draft: Draft, loc: Loc, limits: Sequence[LimitSection]) -> None:
    """Limits of one parameter and statistic: never twice from the same day, and all in one unit."""
    first: dict[tuple[str, str, date | None], int] = {}
    unit_first: dict[tuple[str, str], tuple[int, str]] = {}
    for j, limit in enumerate(limits):
        key = (limit.parameter, statistic_of(limit))
        since = limit.valid_from
        if (*key, since) in first:
            when = f"from {since}" if since else "without valid_from"
            draft.report(
                (*loc, j),
                f"a second limit on {key[0]}, {key[1]}, {when}",
                f"one (limits[{first[(*key, since)]}] is the same one)",
            )
        first.setdefault((*key, since), j)
        if limit.unit is None:
            continue
        at, unit = unit_first.setdefault(key, (j, limit.unit))
        if unit != limit.unit:
            draft.report((*loc, j, "unit"), repr(limit.unit), f"{unit!r} as in limits[{at}]: one unit for {key[0]}")


def _check_at_point(draft: Draft, loc: Loc, point: PointSection, limit_set: LimitSetSection) -> None:
    implied: dict[tuple[str, str], set[str]] = {}
    stated: dict[tuple[str, str], set[str]] = {}
    for limit in limit_set.limits:
        series = point.parameters.get(limit.parameter)
        unit = None if series is None else sound_unit(limit.parameter, series.unit)
        is_load = statistic_of(limit) == _LOAD
        own = limit.unit or ("kg/d" if is_load else unit)
        if unit is None or own is None or not _sound(limit):
            continue
        key = (limit.parameter, statistic_of(limit))
        (implied if limit.unit is None else stated).setdefault(key, set()).add(own)
        if is_load and not units.is_concentration(unit):
            draft.report(loc, f"a daily_load of {limit.parameter}, which is in {unit}", "a mass per volume")
        elif not is_load and not units.convertible(own, unit):
            found = f"a limit on {limit.parameter} in {own} for a series in {unit}"
            draft.report(loc, found, "units that can be converted")
    for key, without in implied.items():
        # A limit without unit has that of the series: it may so differ from the others of its kind.
        units_found = without | stated.get(key, set())
        if len(units_found) > 1:
            found = f"limits of {limit_set.id!r} on {key[0]}, {key[1]} in {' and '.join(sorted(units_found))}"
            draft.report(loc, found, "one unit (a limit without unit has that of the series)")


def _sound(limit: LimitSection) -> bool:
    """The unit of the limit is right for itself."""
    if limit.unit is None:
        return True
    if statistic_of(limit) == _LOAD:
        return units.kind(limit.unit) == "load"
    return sound_unit(limit.parameter, limit.unit) is not None
