"""What the five makers send: pumped wash water of the shifts, the pickling seasons, and dumps of brine.

The smallest step of the water is a *slot* of ten minutes. In each slot an outfall's pump runs once, for a whole number
of seconds, so flow is a train of pulses and the volume up to any instant is known exactly; the strength of the water is
one number per slot and substance. Numbers: regulatory notes on pickle wastewater (two streams: brine, intermittent and
strong; wash water, weak and plentiful) scaled to the five members; invented where no source gives any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plant_monitor.plant import Plant, Point
from simulators.chance import around_one, stream, uniform
from simulators.slots import SLOT_MS, SLOTS_PER_DAY, Slots

FloatArray = NDArray[np.float64]

# The substances that are followed from the outfalls to the effluent, in the order of every mass array.
SUBSTANCES = ("cod_cr", "ammonia_n", "total_n", "total_p", "ss", "chloride")
SLOT_S = SLOT_MS // 1000


@dataclass(frozen=True, slots=True)
class Strength:
    """Concentrations of one kind of water, mg/L, and its pH."""

    cod_cr: float
    ammonia_n: float
    total_n: float
    total_p: float
    ss: float
    chloride: float
    ph: float

    def concentrations(self) -> FloatArray:
        """In the order of ``SUBSTANCES``, mg/L."""
        return np.array([getattr(self, s) for s in SUBSTANCES])


WASH = Strength(cod_cr=2050, ammonia_n=46, total_n=105, total_p=14, ss=420, chloride=1900, ph=6.9)
BRINE = Strength(cod_cr=28_000, ammonia_n=390, total_n=950, total_p=280, ss=900, chloride=52_000, ph=4.4)


@dataclass(frozen=True, slots=True)
class Profile:
    """How one outfall discharges."""

    mean_m3_d: float  # over a year
    pump_m3_h: float  # of one pump; a second one starts when one does not suffice
    evening: float  # strength of the evening shift against the day shift, 0 … 1
    saturday: float  # volume against a weekday
    sunday: float
    april: float  # extra volume at the height of the pickling season, in means
    winter: float  # the same for the second season
    strength: float  # of the wash water against WASH
    dumps_per_day: float  # of brine, in the season; a third of it otherwise
    dump_m3: float


_MEMBERS = {
    "shennong": Profile(100, 18, 0.5, 0.7, 0.25, 0.85, 0.5, 1.05, 0.5, 3.5),
    "longqiao": Profile(165, 30, 0.8, 0.9, 0.35, 0.85, 0.5, 1.10, 0.7, 5.0),
    "fengwang": Profile(125, 22, 0.6, 0.8, 0.20, 0.8, 0.45, 0.95, 0.5, 4.0),
    "tianma": Profile(140, 25, 0.6, 0.8, 0.30, 0.9, 0.5, 1.00, 0.6, 4.5),
    "keqiao": Profile(95, 16, 0.2, 1.1, 0.90, 0.4, 0.2, 0.75, 0.2, 2.0),  # tourism foods: sells at weekends
}


def profile_of(plant: Plant, outfall: Point) -> Profile:
    """The profile of an outfall: that of a known member, else one scaled to the member's quota or capacity share."""
    siblings = sum(p.member == outfall.member for p in plant.outfalls)
    known = _MEMBERS.get(outfall.member or "")
    if known is None:
        member = plant.member_by_id.get(outfall.member or "")
        shares = sum(m.capacity_share or 0 for m in plant.members)
        if member and member.quota_m3_d is not None:
            mean = 0.55 * float(member.quota_m3_d)
        elif member and member.capacity_share and shares:
            mean = 0.55 * float(plant.capacity_m3_d * member.capacity_share / shares)
        else:
            mean = 0.55 * float(plant.capacity_m3_d) / max(1, len(plant.outfalls))
        known = replace(_MEMBERS["fengwang"], mean_m3_d=mean, pump_m3_h=mean * 0.18, dump_m3=mean * 0.035)
    return replace(
        known,
        mean_m3_d=known.mean_m3_d / siblings,
        pump_m3_h=known.pump_m3_h / siblings,
        dump_m3=known.dump_m3 / siblings,
    )


@dataclass(frozen=True, slots=True)
class Shock:
    """A scripted dump: brine pumped out beside the ordinary discharge, evenly over the slots it touches."""

    point: str
    start_ms: int
    end_ms: int
    volume_m3: float
    strength: Strength = BRINE


@dataclass(frozen=True, slots=True)
class Discharge:
    """One outfall over consecutive slots (arrays of length n; ``concentration`` is (n, substances))."""

    pump_from_s: FloatArray  # seconds into the slot
    pump_for_s: FloatArray  # whole seconds
    pump_m3_h: FloatArray  # while the pump runs
    extra_m3_h: FloatArray  # through the whole slot: a scripted shock
    brine_share: FloatArray  # of the volume, 0 … 1
    concentration: FloatArray  # mg/L, also where nothing flows (what stands in the sump)
    ph: FloatArray

    @property
    def volume_m3(self) -> FloatArray:
        """Discharged in each slot."""
        return (self.pump_m3_h * self.pump_for_s + self.extra_m3_h * SLOT_S) / 3600

    @staticmethod
    def concat(parts: Sequence[Discharge]) -> Discharge:
        """The parts one after the other."""
        return Discharge(*(np.concatenate([getattr(p, name) for p in parts]) for name in Discharge.__slots__))


def season(day_of_year: NDArray[np.int64], profile: Profile) -> FloatArray:
    """Volume of a day against the mean of the year: a quiet base, the April season, a smaller one in December."""

    def curve(day: NDArray[np.int64]) -> FloatArray:
        april = np.exp(-(((day - 105) / 20.0) ** 2))
        winter = np.exp(-((((day - 345 + 182) % 365 - 182) / 22.0) ** 2))
        result: FloatArray = 0.75 + profile.april * april + profile.winter * winter
        return result

    result: FloatArray = curve(day_of_year) / curve(np.arange(1, 366)).mean()
    return result


def discharge(seed: int, outfall: str, profile: Profile, slots: Slots, shocks: Sequence[Shock] = ()) -> Discharge:
    """The discharge of an outfall over whole local days; the same for a day however the days are asked for."""
    key = stream(seed, outfall, "water")
    wash = _wash_volume(key, profile, slots)
    brine = _brine_volume(key, profile, slots)
    extra = _shock_volume(shocks, slots)
    running_for, rate = _pump(wash + brine, profile.pump_m3_h)
    pumped = rate * running_for / 3600
    # Rounding to whole seconds scales brine and wash water alike.
    brine = np.where(pumped > 0, brine * pumped / np.maximum(wash + brine, 1e-12), 0.0)
    total = pumped + sum(extra.values(), np.zeros(slots.count))
    shock_brine = sum(extra.values(), np.zeros(slots.count))
    share = np.where(total > 0, (brine + shock_brine) / np.maximum(total, 1e-12), 0.0)
    strength = _mixed(key, profile, slots, brine, pumped, extra)
    return Discharge(
        pump_from_s=np.floor(uniform(stream(key, "start"), slots.number) * (SLOT_S - running_for + 1)),
        pump_for_s=running_for,
        pump_m3_h=rate,
        extra_m3_h=shock_brine * 3600 / SLOT_S,
        brine_share=share,
        concentration=strength,
        ph=_ph(key, slots, share),
    )


def _wash_volume(key: int, profile: Profile, slots: Slots) -> FloatArray:
    """m3 of wash water per slot."""
    weekday = np.array([1, 1, 1, 1, 1, profile.saturday, profile.sunday])
    day = profile.mean_m3_d * season(slots.day_of_year, profile) * weekday[slots.weekday] / weekday.mean()
    day = day * around_one(stream(key, "day"), slots.day_number, 0.12)
    hour = slots.hour
    # Day shift 7:30-17:30 with a lull at noon, evening shift 18-22 with the cleaning of the halls; nothing at night.
    shift = np.where((hour >= 7.5) & (hour < 17.5), np.where((hour >= 11.5) & (hour < 12.5), 0.4, 1.0), 0.0)
    shift = np.where((hour >= 18) & (hour < 22), profile.evening, shift)
    mean_shift = (9 * 1.0 + 1 * 0.4 + 4 * profile.evening) * SLOTS_PER_DAY / 24
    return day * shift / mean_shift * around_one(stream(key, "slot"), slots.number, 0.35)


def _brine_volume(key: int, profile: Profile, slots: Slots) -> FloatArray:
    """m3 of brine per slot: at most one dump a workday, in the day shift, over half an hour to an hour."""
    in_season = np.clip(season(slots.day_of_year, profile) - 0.6, 0.33, 1.0)
    day = slots.day_number
    workday = slots.weekday < 5
    happens = workday & (uniform(stream(key, "dump"), day) < profile.dumps_per_day * in_season)
    start = np.floor(8 * 6 + uniform(stream(key, "dump start"), day) * 8 * 6)
    length = np.floor(3 + uniform(stream(key, "dump length"), day) * 4)
    volume = profile.dump_m3 * (0.5 + uniform(stream(key, "dump volume"), day))
    runs = happens & (slots.within_day >= start) & (slots.within_day < start + length)
    return np.where(runs, volume / length, 0.0)


def _shock_volume(shocks: Sequence[Shock], slots: Slots) -> dict[Strength, FloatArray]:
    """m3 of scripted brine per slot and strength; a slot counts where it begins within the shock."""
    volumes: dict[Strength, FloatArray] = {}
    for shock in shocks:
        first = -(-shock.start_ms // SLOT_MS)
        last = max(first + 1, -(-shock.end_ms // SLOT_MS))
        touched = (slots.number >= first) & (slots.number < last)
        volume = volumes.setdefault(shock.strength, np.zeros(slots.count))
        volume += np.where(touched, shock.volume_m3 / (last - first), 0.0)
    return volumes


def _pump(volume_m3: FloatArray, pump_m3_h: float) -> tuple[FloatArray, FloatArray]:
    """(seconds the pump runs, its rate) per slot; below fifteen seconds the level switch does not start it."""
    pumps = np.maximum(1.0, np.ceil(volume_m3 / (pump_m3_h * SLOT_S / 3600)))
    rate = pumps * pump_m3_h
    seconds = np.rint(volume_m3 / rate * 3600)
    return np.where(seconds < 15, 0.0, seconds), rate


def _mixed(
    key: int,
    profile: Profile,
    slots: Slots,
    brine_m3: FloatArray,
    pumped_m3: FloatArray,
    extra: dict[Strength, FloatArray],
) -> FloatArray:
    """Concentrations (n, substances) of what leaves: wash water, ordinary brine and scripted brine, by volume."""
    strong = around_one(stream(key, "strength day"), slots.day_number, 0.12)
    strong = strong * around_one(stream(key, "strength slot"), slots.number, 0.07) * profile.strength
    wash = strong[:, None] * WASH.concentrations()
    water = np.maximum(pumped_m3 - brine_m3, 0.0)
    mass = water[:, None] * wash + brine_m3[:, None] * BRINE.concentrations()
    total = water + brine_m3
    for strength, volume in extra.items():
        mass = mass + volume[:, None] * strength.concentrations()
        total = total + volume
    return np.where(total[:, None] > 0, mass / np.maximum(total, 1e-12)[:, None], wash)


def _ph(key: int, slots: Slots, brine_share: FloatArray) -> FloatArray:
    """pH: wash water near neutral; a little brine, full of lactic acid, pulls it down fast."""
    wash = WASH.ph + 0.35 * (2 * uniform(stream(key, "ph day"), slots.day_number) - 1)
    return wash - (wash - BRINE.ph) * brine_share / (brine_share + 0.12)
