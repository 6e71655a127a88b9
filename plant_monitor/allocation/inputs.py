"""The digest of what a statement rests on, so that anyone can see whether two rest on the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from plant_monitor.plant import VOLUME
from plant_monitor.readings import Readings


@dataclass(frozen=True, slots=True)
class ReadingsDigest:
    """The readings that a bill looked at: their sha256, and how many they are."""

    sha256: str
    count: int


def readings_digest(by_point: Mapping[str, Mapping[str, Readings]], start_ms: int, end_ms: int) -> ReadingsDigest:
    """Of point -> parameter -> readings sorted by time, for a bill of ``[start_ms, end_ms)``.

    Only what can decide a figure counts: the readings of the period and one neighbour on each side; of an
    invalid reading its time alone, of a totaliser the valid readings alone. So the same readings from a file,
    the journal or InfluxDB have the same digest, whatever else stands there.
    """
    digest, count = hashlib.sha256(), 0
    for point, parameter in sorted((p, q) for p, of_point in by_point.items() for q in of_point):
        readings = by_point[point][parameter]
        if parameter == VOLUME:
            readings = readings.take(readings.valid)
        first, end = np.searchsorted(readings.time, [start_ms, end_ms])
        readings = readings.take(np.arange(max(first - 1, 0), min(end + 1, len(readings))))
        valid = np.asarray(readings.valid)
        count += len(readings)
        digest.update(f"{point}\n{parameter}\n{len(readings)}\n".encode())
        digest.update(np.ascontiguousarray(readings.time, dtype="<i8").tobytes())
        digest.update(valid.astype(np.uint8).tobytes())
        digest.update((np.where(valid, readings.value, 0.0) + 0.0).astype("<f8").tobytes())
    return ReadingsDigest(digest.hexdigest(), count)


def text_digest(lines: Iterable[str]) -> str:
    """sha256 of lines of text."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
