"""What becomes of a second reading of one instant (design §1, idea 4): pure, on columns.

An identical one (same bits of the value, NaN equal to NaN, same mark) changes nothing. A differing one
replaces the first, which is kept as superseded. The same holds within one batch, in order of acceptance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_monitor.readings import BoolArray, IntArray, Readings

_NAN_BITS = np.array(np.nan).view(np.int64)


@dataclass(frozen=True, slots=True)
class Known:
    """Readings that stand already, one per (series, time), with the instants they were accepted."""

    readings: Readings
    accepted_ms: IntArray


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a batch does to the readings that stand.

    ``stands`` the readings to be written, one per (series, time) · ``replaced`` those that move to
    superseded, in the order they were replaced, with ``replaced_accepted_ms`` · ``changed`` of
    ``stands``, those that replace one known before · counts: batch rows = new + identical + superseding.
    """

    stands: Readings
    changed: BoolArray
    replaced: Readings
    replaced_accepted_ms: IntArray
    new: int
    identical: int
    superseding: int


def value_bits(readings: Readings) -> IntArray:
    """The bits of the values, all NaN alike: equal bits are equal readings."""
    bits: IntArray = readings.value.view(np.int64)
    return np.where(np.isnan(readings.value), _NAN_BITS, bits)


def resolve(batch: Readings, accepted_ms: int, known: Known) -> Resolution:
    """Lay a batch over the readings known at its instants.

    ``batch`` in order of acceptance, instants may repeat · ``known`` may hold more instants than the
    batch has. Cost: one sort of both.
    """
    rows = Readings.concat([known.readings, batch])
    accepted = np.concatenate([known.accepted_ms, np.full(len(batch), accepted_ms, dtype=np.int64)])
    from_batch = np.arange(len(rows)) >= len(known.readings)
    order = np.lexsort((rows.time, rows.series))  # stable: known first, then as accepted
    same_key = _equals_previous(rows.series[order], rows.time[order])
    same = same_key & _equals_previous(value_bits(rows)[order], rows.mark[order])
    kept = order[~same]  # each differs from the one before it at its instant
    follows = same_key[~same]
    last = np.append(~follows[1:], True)[: kept.size]
    written = last & from_batch[kept]
    gone = kept[:-1][follows[1:]]
    by_acceptance = np.lexsort((gone, accepted[gone]))
    stands = kept[written]
    had_known = np.isin(_group(same_key)[~same][written], _group(same_key)[~from_batch[order]])
    new = int(np.count_nonzero(~follows & from_batch[kept]))
    superseding = int(np.count_nonzero(follows))
    return Resolution(
        stands=rows.take(stands),
        changed=had_known,
        replaced=rows.take(gone[by_acceptance]),
        replaced_accepted_ms=accepted[gone[by_acceptance]],
        new=new,
        identical=len(batch) - new - superseding,
        superseding=superseding,
    )


def _equals_previous(*columns: NDArray[Any]) -> BoolArray:
    same = np.zeros(columns[0].size, dtype=bool)
    same[1:] = np.logical_and.reduce([c[1:] == c[:-1] for c in columns])
    return same


def _group(same_key: BoolArray) -> IntArray:
    return np.cumsum(~same_key)
