"""Data quality after HJ 355/356: the numbers that come with the product, and what plant.yaml says instead."""

from __future__ import annotations

from functools import cache
from importlib import resources

from pydantic import TypeAdapter

from plant_monitor import units
from plant_monitor.config.draft import Draft, unit_of
from plant_monitor.config.schema import QualitySection, SuspicionSection, ToleranceSection
from plant_monitor.config.shape import Loc, fitted
from plant_monitor.config.yaml_tree import Problems, read_tree
from plant_monitor.errors import ConfigError
from plant_monitor.plant import MarkedNumber, PhysicalRange, Quality, Suspicion, Tolerance

SUSPICION_NUMBERS = ("flat_hours", "spike_sigmas", "jump_times", "drift_sigmas", "balance_share", "ratio_share")

_PACKAGE, _FILE = "plant_monitor.compliance", "quality.yaml"


@cache
def shipped_quality() -> QualitySection:
    """The numbers that come with the product, each with its mark.

    Raises
    ------
    ConfigError  the file of the installation is damaged
    """
    problems = Problems(f"{_PACKAGE}/{_FILE}")
    root = read_tree((resources.files(_PACKAGE) / _FILE).read_text(encoding="utf-8"), problems)
    if root is not None:
        fit = fitted(TypeAdapter(QualitySection), root, problems, {})
        if fit is not None and not len(problems):
            found: QualitySection = fit[0]
            return found
    raise ConfigError(problems.sorted())


def quality_record(own: QualitySection, shipped: QualitySection) -> Quality:
    """What plant.yaml states, and what is shipped where it states nothing."""
    transmission = own.transmission or shipped.transmission
    substitution = own.substitution or shipped.substitution
    stated = {x.parameter for x in own.comparison}
    comparison = [*own.comparison, *(x for x in shipped.comparison if x.parameter not in stated)]
    return Quality(
        None
        if transmission is None
        else MarkedNumber(float(transmission.required), transmission.mark, transmission.source or ""),
        None
        if substitution is None
        else MarkedNumber(substitution.effective_days, substitution.mark, substitution.source or ""),
        tuple(_tolerance(x) for x in comparison),
        _suspicion(own.suspicion, shipped.suspicion),
    )


def _suspicion(own: SuspicionSection, shipped: SuspicionSection) -> Suspicion:
    def number(name: str) -> float:
        stated = getattr(own, name)
        return float(getattr(shipped, name) if stated is None else stated)

    stated = {x.parameter for x in own.ranges}
    ranges = [*own.ranges, *(x for x in shipped.ranges if x.parameter not in stated)]
    return Suspicion(
        **{name: number(name) for name in SUSPICION_NUMBERS},
        ranges=tuple(
            PhysicalRange(
                x.parameter,
                x.unit,
                None if x.lower is None else float(x.lower),
                None if x.upper is None else float(x.upper),
            )
            for x in ranges
        ),
    )


def _tolerance(section: ToleranceSection) -> Tolerance:
    def number(value: object) -> float | None:
        return None if value is None else float(str(value))

    return Tolerance(
        section.parameter,
        section.unit,
        number(section.below),
        number(section.absolute),
        number(section.relative),
        section.mark,
        section.source or "",
    )


def check_quality(draft: Draft) -> None:
    """Tolerances of plant.yaml: one kind each, in a unit of the parameter, and none that is never reached."""
    _check_ranges(draft)
    last: dict[str, float | None] = {}
    for i, one in enumerate(draft.file.quality.comparison):
        loc: Loc = ("quality", "comparison", i)
        if (one.absolute is None) == (one.relative is None):
            found = "neither absolute nor relative" if one.absolute is None else "absolute and relative"
            draft.report(loc, found, "one of the two")
        usual = unit_of(one.parameter, None)
        if usual is not None and not units.convertible(one.unit, usual):
            draft.report((*loc, "unit"), repr(one.unit), f"a unit that can be converted to {usual}")
        below = None if one.below is None else float(one.below)
        if one.parameter in last:
            before = last[one.parameter]
            if before is None or (below is not None and below <= before):
                found = "nothing" if below is None else str(one.below)
                expected = "entries of a parameter in ascending order, the one without below last"
                draft.report((*loc, "below"), found, expected)
        last[one.parameter] = below


def _check_ranges(draft: Draft) -> None:
    """Ranges of plant.yaml: one a parameter, the right way round, in a unit of the parameter."""
    seen: set[str] = set()
    for i, one in enumerate(draft.file.quality.suspicion.ranges):
        loc: Loc = ("quality", "suspicion", "ranges", i)
        if one.parameter in seen:
            draft.report((*loc, "parameter"), repr(one.parameter), "each parameter once")
        seen.add(one.parameter)
        if one.lower is not None and one.upper is not None and one.lower >= one.upper:
            draft.report((*loc, "upper"), str(one.upper), f"a number above lower ({one.lower})")
        usual = unit_of(one.parameter, None)
        if usual is not None and not units.convertible(one.unit, usual):
            draft.report((*loc, "unit"), repr(one.unit), f"a unit that can be converted to {usual}")
