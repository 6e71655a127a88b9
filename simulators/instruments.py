"""What instruments make of the truth: noise, resolution, range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.chance import normal

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument's manners, in the parameter's ``unit`` (see ``UNITS``)."""

    unit: str
    relative: float  # standard deviation of the noise against the value
    absolute: float  # standard deviation of the noise beside it
    decimals: int  # shown
    low: float
    high: float  # range; above it the instrument shows its end, with mark T where it can send marks


INSTRUMENTS: dict[str, Instrument] = {
    "flow": Instrument("m3/h", 0.004, 0.008, 2, -1.0, 500.0),  # so a flow of nothing shows as 0.00 to 0.03
    "ph": Instrument("1", 0.0, 0.02, 2, 0.0, 14.0),
    "water_temperature": Instrument("degC", 0.0, 0.05, 1, -5.0, 60.0),
    "conductivity": Instrument("uS/cm", 0.006, 3.0, 0, 0.0, 120_000.0),
    "cod_cr": Instrument("mg/L", 0.018, 2.0, 1, 0.0, 50_000.0),
    "bod5": Instrument("mg/L", 0.05, 2.0, 1, 0.0, 20_000.0),
    "ammonia_n": Instrument("mg/L", 0.015, 0.03, 2, 0.0, 1_000.0),
    "total_n": Instrument("mg/L", 0.02, 0.1, 2, 0.0, 2_000.0),
    "total_p": Instrument("mg/L", 0.02, 0.01, 2, 0.0, 500.0),
    "ss": Instrument("mg/L", 0.03, 1.0, 1, 0.0, 5_000.0),
    "chloride": Instrument("mg/L", 0.015, 5.0, 0, 0.0, 100_000.0),
    "dissolved_oxygen": Instrument("mg/L", 0.01, 0.03, 2, 0.0, 20.0),
    "mlss": Instrument("mg/L", 0.008, 10.0, 0, 0.0, 20_000.0),
}


def measured(instrument: Instrument, truth: FloatArray, key: int, counter: NDArray[np.int64]) -> FloatArray:
    """The truth with the instrument's noise, before rounding."""
    wobble: FloatArray = normal(key, counter)
    return truth * (1 + instrument.relative * wobble) + instrument.absolute * wobble


def displayed(instrument: Instrument, values: FloatArray, factor: float) -> FloatArray:
    """Cut to the range and rounded, told in plant.yaml's unit (``factor`` of it to the instrument's).

    Rounded to about the same step in that unit: one more digit for every tenth.
    """
    decimals = max(0, instrument.decimals - round(float(np.log10(factor))))
    return np.round(np.clip(values, instrument.low, instrument.high) * factor, decimals) + 0.0


def dial(total_m3: FloatArray, resolution: float, rollover: float | None) -> FloatArray:
    """A totaliser's register: whole steps of its resolution, cut down, from 0 again at ``rollover``."""
    steps = np.floor(total_m3 / resolution + 1e-6)
    if rollover is not None:
        steps = np.mod(steps, np.rint(rollover / resolution))
    decimals = max(0, round(-float(np.log10(resolution))))
    return np.round(steps * resolution, decimals + 3)
