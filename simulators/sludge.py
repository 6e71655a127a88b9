"""The works: equalisation tank, aeration basin with activated sludge, settling. One cheap step per slot.

The tank is one mixed volume that empties in proportion to its level. The basin is one mixed volume; substrate and
ammonia are taken up after Monod, limited by oxygen, temperature and by salt the sludge is not used to; each step is
solved implicitly, so nothing turns negative however long the step. Every sink is written down where it happens
(``Ledger.removed``), so that what came in equals what went out, was removed, and is still there.

It is a simplification for a demo, not a design model: one biomass, no alkalinity, no layered settler.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from simulators.slots import SLOTS_PER_DAY
from simulators.water import SUBSTANCES

FloatArray = NDArray[np.float64]

DT = 1 / SLOTS_PER_DAY  # days
INERT = 0.045  # of the influent COD: soluble, passes through
COD_OF_SS = 0.9  # g COD per g of suspended solids
YIELD = 0.45  # g COD of sludge per g COD of substrate taken up
DECAY = 0.07  # 1/d at 20 °C
UPTAKE = 0.85  # g COD per g SS and day at 20 °C, ample oxygen, no salt shock
HALF_COD = 90.0  # mg/L
NITRIFICATION = 0.014  # g N per g SS and day, likewise
HALF_NH = 1.5  # mg/L
HALF_OXYGEN = 0.35  # mg/L
AMMONIFICATION = 2.0  # 1/d
DENITRIFICATION = 0.8  # 1/d, of the nitrate, in the part of the basin without air
PRECIPITATION = 1.6  # 1/d, of phosphorus by the dosed iron
N_IN_SLUDGE, P_IN_SLUDGE = 0.055, 0.012  # g per g COD of new sludge
SALT_SHOCK = 2200.0  # mg/L of chloride above what the sludge is used to that halves its work
SALT_DAYS = 10.0  # to get used to it
MLSS_SETPOINT = 4000.0  # mg/L
AIR = 130.0  # 1/d, the largest oxygen transfer coefficient
OXYGEN_SETPOINT = 2.2  # mg/L
THICKENED = 30_000.0  # mg/L of the sludge that is wasted

# What a step yields, in this order: effluent, then the insides that instruments see.
COLUMNS = (
    "effluent_m3",
    *(f"effluent_{s}" for s in SUBSTANCES),
    *("tank_m3", "dissolved_oxygen", "mlss", "inhibition", "effluent_ph"),
)
_COD, _NH, _TN, _TP, _SS, _CL = range(len(SUBSTANCES))


@dataclass(slots=True)
class Ledger:
    """Water (m3, first) and substances (g) that came in, went out, and were taken out, since the beginning."""

    came_in: FloatArray = field(default_factory=lambda: np.zeros(1 + len(SUBSTANCES)))
    went_out: FloatArray = field(default_factory=lambda: np.zeros(1 + len(SUBSTANCES)))
    removed: FloatArray = field(default_factory=lambda: np.zeros(1 + len(SUBSTANCES)))


class Works:
    """The state of the works and its step of one slot."""

    def __init__(self, capacity_m3_d: float) -> None:
        self.capacity = capacity_m3_d
        self.basin_m3 = 1.4 * capacity_m3_d
        self.tank_days = 0.75
        self.tank_m3 = 0.4 * capacity_m3_d * self.tank_days
        self.tank_g = self.tank_m3 * np.array([2500.0, 50.0, 120.0, 20.0, 400.0, 3500.0])
        self.substrate, self.inert, self.ammonia, self.organic_n, self.nitrate = 40.0, 110.0, 2.0, 2.0, 15.0
        self.phosphorus, self.solids, self.chloride, self.used_to = 2.5, 3800.0, 3500.0, 3500.0
        self.oxygen = OXYGEN_SETPOINT
        self.ledger = Ledger()

    def stored(self) -> FloatArray:
        """Water (m3, first) and substances (g) in tank and basin."""
        s = self
        basin = (
            *(s.substrate + s.inert + COD_OF_SS * s.solids, s.ammonia, s.ammonia + s.organic_n + s.nitrate),
            *(s.phosphorus, s.solids, s.chloride),
        )
        return np.concatenate(([s.tank_m3 + s.basin_m3], s.tank_g + s.basin_m3 * np.array(basin)))

    def run(self, volume_m3: FloatArray, mass_g: FloatArray, temperature: FloatArray) -> FloatArray:
        """Step through slots.

        Parameters
        ----------
        volume_m3    (n,) into the tank in each slot
        mass_g       (n, substances) with it
        temperature  (n,) of the basin, °C

        Returns
        -------
        (n, ``COLUMNS``)  effluent volume m3, its concentrations mg/L; tank m3; basin mg/L; share of activity; pH
        """
        rows = np.empty((volume_m3.size, len(COLUMNS)))
        for i in range(volume_m3.size):
            through, fed = self._equalise(float(volume_m3[i]), mass_g[i])
            rows[i] = self._react(through, fed.tolist(), float(temperature[i]))
        self.ledger.came_in[0] += volume_m3.sum()
        self.ledger.came_in[1:] += mass_g.sum(axis=0)
        self.ledger.went_out[0] += rows[:, 0].sum()
        self.ledger.went_out[1:] += (rows[:, :1] * rows[:, 1 : 1 + len(SUBSTANCES)]).sum(axis=0)
        return rows

    def _equalise(self, volume_m3: float, mass_g: FloatArray) -> tuple[float, FloatArray]:
        """(m3, g) that leave the tank: the mixed content, faster the fuller it is."""
        kept = 1 / (1 + DT / self.tank_days)
        level, content = self.tank_m3 + volume_m3, self.tank_g + mass_g
        self.tank_m3, self.tank_g = level * kept, content * kept
        return level - self.tank_m3, content - self.tank_g

    def _react(self, through: float, fed: list[float], temperature: float) -> tuple[float, ...]:
        """One slot of the basin; ``through`` m3 with ``fed`` g flow in, as much flows out or is wasted."""
        v, wash = self.basin_m3, 1 + through / self.basin_m3
        warmth = temperature - 20
        self.chloride = (self.chloride + fed[_CL] / v) / wash
        self.used_to += (self.chloride - self.used_to) * DT / SALT_DAYS
        activity = 1 / (1 + (max(0.0, self.chloride - self.used_to) / SALT_SHOCK) ** 2)
        breath = self.oxygen / (HALF_OXYGEN + self.oxygen) * activity * self.solids * DT

        self.inert = (self.inert + INERT * fed[_COD] / v) / wash
        supply = self.substrate + ((1 - INERT) * fed[_COD] - COD_OF_SS * fed[_SS]) / v
        self.substrate, eaten = _monod(supply, UPTAKE * 1.05**warmth * breath, HALF_COD, wash)
        ammonified, nitrified, bound_n, denitrified = self._nitrogen(
            fed,
            eaten,
            1.09**warmth * breath * activity,
            wash,  # nitrifiers suffer from salt twice
        )
        bound_p, precipitated = self._phosphorus(fed, eaten, wash)
        grown, decayed, wasted, settled = self._sludge(fed, eaten, through, 1.04**warmth, activity)
        self._aerate(eaten, nitrified, decayed, temperature)

        waste_m3 = min(wasted * v / THICKENED, 0.3 * through)
        dissolved = (
            *(self.substrate + self.inert, self.ammonia, self.ammonia + self.organic_n + self.nitrate),
            *(self.phosphorus, 0.0, self.chloride),
        )
        in_basin = (
            (1 - YIELD) * eaten + COD_OF_SS * (decayed + wasted),
            nitrified + bound_n - ammonified,
            bound_n + denitrified,
            bound_p + precipitated,
            decayed + wasted - grown,
            0.0,
        )
        removed = self.ledger.removed
        removed[0] += waste_m3
        for k in range(len(SUBSTANCES)):
            removed[1 + k] += in_basin[k] * v + waste_m3 * dissolved[k]
        effluent_m3 = through - waste_m3
        solids = settled * v / effluent_m3  # what escaped settling, spread over the effluent
        ph = 7.75 - 0.55 * (1 - activity) - 0.25 * self.nitrate / (self.nitrate + 40) - 0.1 * (temperature - 20) / 10
        return (
            *(effluent_m3, dissolved[_COD] + COD_OF_SS * solids, *dissolved[_NH:_SS], solids, dissolved[_CL]),
            *(self.tank_m3, self.oxygen, self.solids, activity, ph),
        )

    def _nitrogen(self, fed: list[float], eaten: float, pace: float, wash: float) -> tuple[float, float, float, float]:
        """mg/L per slot: ammonified, nitrified, bound in new sludge, denitrified."""
        v = self.basin_m3
        self.organic_n = (self.organic_n + max(0.0, fed[_TN] - fed[_NH]) / v) / (wash + AMMONIFICATION * DT)
        ammonified = AMMONIFICATION * DT * self.organic_n
        supply = self.ammonia + fed[_NH] / v + ammonified
        bound = min(N_IN_SLUDGE * YIELD * eaten, 0.5 * supply)
        self.ammonia, nitrified = _monod(supply - bound, NITRIFICATION * pace, HALF_NH, wash)
        self.nitrate = (self.nitrate + nitrified) / (wash + DENITRIFICATION * DT)
        return ammonified, nitrified, bound, DENITRIFICATION * DT * self.nitrate

    def _phosphorus(self, fed: list[float], eaten: float, wash: float) -> tuple[float, float]:
        """mg/L per slot: bound in new sludge, precipitated."""
        supply = self.phosphorus + fed[_TP] / self.basin_m3
        bound = min(P_IN_SLUDGE * YIELD * eaten, 0.5 * supply)
        self.phosphorus = (supply - bound) / (wash + PRECIPITATION * DT)
        return bound, PRECIPITATION * DT * self.phosphorus

    def _sludge(
        self, fed: list[float], eaten: float, through: float, pace: float, activity: float
    ) -> tuple[float, float, float, float]:
        """mg/L of the basin per slot: grown, decayed, wasted, escaped over the weir."""
        grown = YIELD * eaten / COD_OF_SS
        decay = DECAY * pace * DT
        waste = 0.075 * (self.solids / MLSS_SETPOINT) ** 6 * DT
        load = through * SLOTS_PER_DAY / self.capacity
        escape = 0.009 * (1 + 0.8 * load**2) * (1.6 - 0.6 * activity) * through / self.basin_m3
        self.solids = (self.solids + fed[_SS] / self.basin_m3 + grown) / (1 + decay + waste + escape)
        return grown, decay * self.solids, waste * self.solids, escape * self.solids

    def _aerate(self, eaten: float, nitrified: float, decayed: float, temperature: float) -> None:
        """Dissolved oxygen: held at its set point as long as the blowers keep up with the demand."""
        demand = ((1 - YIELD) * eaten + 4.57 * nitrified + COD_OF_SS * decayed) / DT
        saturation = 14.6 - 0.39 * temperature + 0.0066 * temperature**2
        reachable = max(0.15, saturation - demand / AIR)
        self.oxygen += 0.3 * (min(OXYGEN_SETPOINT, reachable) - self.oxygen)


def _monod(supply: float, most: float, half: float, wash: float) -> tuple[float, float]:
    """(concentration after the slot, taken up in it) of ``wash·c + most·c/(half + c) = supply``, solved for c ≥ 0."""
    b = wash * half + most - supply
    c = (-b + sqrt(b * b + 4 * wash * half * supply)) / (2 * wash)
    if b > 0:  # the same root without cancellation
        c = 2 * half * supply / (b + sqrt(b * b + 4 * wash * half * supply))
    taken = supply - wash * c
    return c, taken
