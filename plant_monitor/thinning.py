"""Readings thinned for a chart: far fewer rows that draw the same line, so that no peak and no mark is lost.

Of each pixel's time the first, smallest, largest and last valid reading stay (Jugel et al., M4, VLDB 2014: a line
through them fills the same pixels), and the first of every other mark. They are readings as they came, no means.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from plant_monitor.readings import IntArray, Readings, ReadingSource

AT_ONCE_MS = 86_400_000  # what is in memory at a time


def curve(source: ReadingSource, series: int, start_ms: int, end_ms: int, pixels: int) -> Readings:
    """The readings of ``[start_ms, end_ms)`` of one series, by time, thinned to ``pixels`` equal stretches."""
    edges = start_ms + (end_ms - start_ms) * np.arange(pixels + 1) // pixels
    starts = range(start_ms, end_ms, AT_ONCE_MS)
    return thinned((source.read(series, a, min(a + AT_ONCE_MS, end_ms)) for a in starts), edges)


def thinned(parts: Iterable[Readings], edges: IntArray) -> Readings:
    """The readings of one series, in parts each sorted by time, thinned to the stretches between ``edges`` (P+1,).

    Thinning what is thinned changes nothing, so that only one part and what stays of the others is in memory.
    Readings outside the edges are dropped.
    """
    return _thin(Readings.concat([_thin(part, edges) for part in parts]), edges)


def _thin(readings: Readings, edges: IntArray) -> Readings:
    inside = readings.take((readings.time >= edges[0]) & (readings.time < edges[-1]))
    pixel = np.searchsorted(edges, inside.time, side="right")
    valid = np.flatnonzero(inside.valid)
    by_value = valid[np.lexsort((inside.value[valid], pixel[valid]))]  # stable: of equal ones the earliest is first
    other = np.flatnonzero(~inside.valid)
    by_mark = other[np.lexsort((inside.mark[other], pixel[other]))]
    marks = np.stack([pixel[by_mark], inside.mark[by_mark]])
    stay = np.concatenate(
        [
            valid[_starts(pixel[valid])],
            valid[_ends(pixel[valid])],
            by_value[_starts(pixel[by_value])],
            by_value[_ends(pixel[by_value])],
            by_mark[np.flatnonzero((np.diff(marks, axis=1, prepend=-1) != 0).any(axis=0))],
        ]
    )
    return inside.take(np.unique(stay))


def _starts(groups: IntArray) -> IntArray:
    """Where a run of equal numbers begins."""
    return np.flatnonzero(np.diff(groups, prepend=-1))


def _ends(groups: IntArray) -> IntArray:
    """Where a run of equal numbers ends."""
    return np.flatnonzero(np.diff(groups, append=-1))
