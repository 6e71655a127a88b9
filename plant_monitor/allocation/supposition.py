"""A member's use as it might have been: another volume, other strengths. What it costs, ``settle`` says as ever."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from plant_monitor.allocation.exact import INTEGRAL_PLACES, M3_PLACES
from plant_monitor.allocation.loads import MemberLoad, billed_load, grams_of
from plant_monitor.allocation.split import Shares
from plant_monitor.allocation.usage import Usage
from plant_monitor.errors import InputError
from plant_monitor.plant import Plant


@dataclass(frozen=True, slots=True)
class Supposition:
    """What a member supposes of a period: ``litres`` in all, None = as measured · ``means_mg_l`` by parameter."""

    member: str
    litres: int | None = None
    means_mg_l: Mapping[str, Decimal] = field(default_factory=dict)


def supposition(member: str, volume_m3: str | None, means_mg_l: Mapping[str, str]) -> Supposition:
    """From what people write: m³ with up to three decimals, mg/L with up to six, as bills have them.

    Raises
    ------
    InputError  a number that is none, or one that no plant has
    """
    litres = None if volume_m3 is None else int(_number("volume", volume_m3, "m3", M3_PLACES) * 1000)
    means = {p: _number(p, text, "mg/L", INTEGRAL_PLACES) for p, text in means_mg_l.items()}
    return Supposition(member, litres, means)


def _number(name: str, text: str, unit: str, places: int) -> Decimal:
    if not re.fullmatch(rf"[0-9]{{1,9}}(\.[0-9]{{1,{places}}})?", text):
        raise InputError(f"{name}: found {text!r}, expected {unit}, at most nine digits and {places} decimals")
    return Decimal(text)


def supposed(plant: Plant, usage: Usage, wish: Supposition) -> Usage:
    """The usage with one member's figures changed; all others' stay.

    Another volume is spread over its outfalls as they measured (equally where nothing was), and the inlet has as much
    more or less, so that what is unmetered stays. A strength that is not named stays, and its load follows the volume.

    Raises
    ------
    InputError  a parameter that no line of the bill rests on, or a volume of a member without an outfall
    """
    if unknown := sorted(wish.means_mg_l.keys() - usage.loads.keys()):
        known = ", ".join(usage.loads) or "none"
        raise InputError(f"no line of this bill rests on {', '.join(unknown)}; those that count: {known}")
    was = usage.litres(plant)[wish.member]
    litres = was if wish.litres is None else wish.litres
    own = {v.point: v.litres or 0 for v in usage.outfalls if v.member == wish.member}
    if litres != was and not own:
        raise InputError(f"{wish.member} has no outfall, so it can send no water")
    parts = Shares.of(own, {}).split(litres) if own else {}
    outfalls = tuple(replace(v, litres=parts.get(v.point, v.litres)) for v in usage.outfalls)
    inlet = usage.inlet
    if inlet is not None and inlet.litres is not None:
        inlet = replace(inlet, litres=max(0, inlet.litres + litres - was))
    loads = {
        parameter: {**of, wish.member: _load(of[wish.member], wish.means_mg_l.get(parameter), litres, litres != was)}
        for parameter, of in usage.loads.items()
    }
    return Usage(outfalls, inlet, loads)


def _load(load: MemberLoad, mean_mg_l: Decimal | None, litres: int, other_volume: bool) -> MemberLoad:
    if mean_mg_l is not None:
        return replace(load, mean_mg_l=mean_mg_l, grams=grams_of(float(mean_mg_l), litres))
    return billed_load(load.member, load.parameter, load.points, litres) if other_volume else load
