"""Readings in time: how long each one holds, what flowed meanwhile, and integrals of one over the other.

This is the ground that ``compliance`` and ``allocation`` share (design §5, *Readings in time*, *Flow*).
Everything is a sorted pass over arrays; nothing loops over windows, and a window's result is summed
from what holds into that window alone, so a re-evaluation of one day gives the same bits as that of
a year.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from plant_monitor import units
from plant_monitor.plant import FLOW, VOLUME, Plant, Point, Represents, Series
from plant_monitor.readings import OPENING, BoolArray, FloatArray, IntArray, Readings

MS_PER_HOUR = 3_600_000.0

#: "Greater" means by more than this, relative: rounding noise decides nothing (design §5, *Verdict*).
RELATIVE_NOISE = 1e-9


def exceeds(value: FloatArray | float, bound: FloatArray | float) -> BoolArray:
    """True where ``value`` is greater than ``bound`` by more than rounding noise; NaN never is."""
    return np.asarray(np.subtract(value, bound) > RELATIVE_NOISE * np.abs(bound))


@dataclass(frozen=True, slots=True)
class Holds:
    """Half-open intervals ``[start, end)`` in time order, none overlapping; one per reading that holds.

    ``start``, ``end`` (n,) ms · ``value`` (n,) in the series' unit · ``valid`` (n,)
    """

    start: IntArray
    end: IntArray
    value: FloatArray
    valid: BoolArray


NO_HOLDS = Holds(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0, np.bool_))


def held(readings: Readings, series: Series) -> Holds:
    """The interval over which each reading of one series holds.

    ``readings`` are those of the series alone, sorted by time, one per instant. A reading holds over
    ``[t, min(next t, t + 2·interval))``, or with ``represents: before`` over
    ``[max(previous t, t − 2·interval), t)``; invalid readings end a hold like any other.

    Rule: design §5, *Readings in time*.
    """
    if series.interval_ms is None:
        raise ValueError(f"{series.point}.{series.parameter} has no interval, so its readings hold for no time")
    time, reach = readings.time, 2 * series.interval_ms
    if series.represents is Represents.BEFORE:
        start, end = time - reach, time
        start[1:] = np.maximum(start[1:], time[:-1])
    else:
        start, end = time, time + reach
        end[:-1] = np.minimum(end[:-1], time[1:])
    return Holds(start, end, readings.value, readings.valid)


@dataclass(frozen=True, slots=True)
class Pieces:
    """Valid holds cut at window edges, in time order; each lies in one window.

    ``start``, ``end`` (n,) ms · ``value`` (n,) · ``bounds`` (W+1,) window w has the pieces
    ``bounds[w]:bounds[w+1]``
    """

    start: IntArray
    end: IntArray
    value: FloatArray
    bounds: IntArray


def cut(holds: Holds, window_edges: IntArray) -> Pieces:
    """The valid holds inside ``[window_edges[0], window_edges[-1])``, cut at every edge.

    ``window_edges`` (W+1,) ascending ms; window w is ``[window_edges[w], window_edges[w+1])``.
    """
    begin_ms, end_ms = window_edges[[0, -1]]
    first = int(np.searchsorted(holds.end, begin_ms, side="right"))
    stop = int(np.searchsorted(holds.start, end_ms)) if end_ms > begin_ms else first
    kept = first + np.flatnonzero(holds.valid[first:stop])
    if window_edges.size <= 2:  # one window, as of a bill: nothing is cut inside it
        start, end = holds.start[kept], holds.end[kept]
        start[:1], end[-1:] = np.maximum(start[:1], begin_ms), np.minimum(end[-1:], end_ms)
        return Pieces(start, end, holds.value[kept], np.searchsorted(start, window_edges))
    # The edges inside a hold, few against the holds: each ends the piece before it and starts another.
    edges = window_edges[1:-1]
    crossed = np.searchsorted(holds.start, edges) - 1
    inside = crossed >= 0
    inside[inside] = holds.valid[crossed[inside]] & (holds.end[crossed[inside]] > edges[inside])
    edges, crossed = edges[inside], crossed[inside]
    at = np.searchsorted(kept, crossed) + 1
    hold = np.insert(kept, at, crossed)
    start, end = holds.start[hold], holds.end[hold]
    at += np.arange(at.size)
    start[at] = end[at - 1] = edges
    start[:1], end[-1:] = np.maximum(start[:1], begin_ms), np.minimum(end[-1:], end_ms)
    return Pieces(start, end, holds.value[hold], np.searchsorted(start, window_edges))


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps of a totaliser between neighbouring valid registers.

    ``time`` (n,) ms and ``register`` (n,) of the valid readings · ``increase`` (n−1,) in the series'
    unit, unwrapped where a rollover is recognised · ``counts`` (n−1,) False for a jump, reset or
    exchange · ``exchange`` (n−1,) True from the closing register of a meter to the opening one of the next, as an
    annotation states them
    """

    time: IntArray
    register: FloatArray
    increase: FloatArray
    counts: BoolArray
    exchange: BoolArray

    @property
    def at_once(self) -> BoolArray:
        """(n−1,) Exchanges that took no time: nothing flowed between the two registers."""
        return self.exchange & (np.diff(self.time) <= 1)


def totaliser_steps(readings: Readings, series: Series, plant: Plant) -> Steps:
    """The steps of a totaliser, and which of them count (design §5, *Volumes for bills*).

    A step d ≥ 0 counts if d ≤ max_rate·Δt + resolution; d < 0 is a rollover if d + rollover passes the
    same test. Registers are decimals, the shortest text of the stored float64: what float noise could
    decide is decided in exact fractions. ``readings`` are those of the series alone, sorted by time, one
    per instant.
    """
    valid = readings.valid
    time, register = readings.time[valid], readings.value[valid]
    rate_per_h = Fraction(plant.max_rate_m3_h(series)) / units.ratio(series.unit, "m3")
    rise, noise, wrapped = _rises(register, series)
    length_ms = np.diff(time)
    largest = float(rate_per_h) * (length_ms / MS_PER_HOUR) + float(series.resolution)
    counts = (rise >= 0) & ~exceeds(rise, largest)
    doubtful = (np.abs(rise - largest) <= noise + 10 * RELATIVE_NOISE * largest) | (wrapped & (np.abs(rise) <= noise))
    for i in np.flatnonzero(doubtful):
        exact = exact_rise(float(register[i]), float(register[i + 1]), series)
        bound = rate_per_h * int(length_ms[i]) / int(MS_PER_HOUR) + Fraction(series.resolution)
        counts[i] = exact >= 0 and exact - bound <= Fraction(1, 10**9) * bound
    exchange = readings.mark[valid][1:] == OPENING
    return Steps(time, register, np.where(exchange, 0.0, rise), counts & ~exchange, exchange)


def exact_rise(before: float, after: float, series: Series) -> Fraction:
    """The increase between two registers as the decimals they are, unwrapped, in the series' unit."""
    rise = Fraction(repr(after)) - Fraction(repr(before))
    return rise + Fraction(series.rollover) if rise < 0 and series.rollover is not None else rise


def _rises(register: FloatArray, series: Series) -> tuple[FloatArray, FloatArray, BoolArray]:
    """(n−1,) the increases, unwrapped; the noise of each; where the register went down and was unwrapped.

    Float registers near 1e7 resolve 2e-9, so the difference of two of them is no decimal any more: it is
    rounded to the last decimal that both can hold, which gives it back.
    """
    rise = np.diff(register)
    size = np.maximum(np.maximum(np.abs(register[1:]), np.abs(register[:-1])), 1.0)
    wrapped = np.zeros(rise.size, dtype=bool)
    if series.rollover is not None:
        full = float(series.rollover)
        wrapped = rise < 0
        rise = np.where(wrapped, rise + full, rise)
        size = np.where(wrapped, np.maximum(size, full), size)
    noise = 4 * np.spacing(size)
    places = 10.0 ** np.floor(-np.log10(noise))
    return np.rint(rise * places) / places, noise, wrapped


def discharging(flow: FloatArray, series: Series) -> FloatArray:
    """Flow with the cut-off applied, in the series' unit: at or below ``no_flow_below`` it is 0."""
    above = exceeds(flow * units.factor(series.unit, "m3/h"), series.no_flow_below_m3_h)
    return np.where(above | np.isnan(flow), flow, 0.0)


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Time for which something holds, from the first edge on; integers, so differences are exact.

    ``edges`` (K+1,) ms · ``flagged`` (K+1,) whether it holds over the segment that begins at an edge ·
    ``at_edge`` (K+1,) ms up to each edge
    """

    edges: IntArray
    flagged: BoolArray
    at_edge: IntArray

    @staticmethod
    def over(edges: IntArray, flags: BoolArray) -> Elapsed:
        """``flags`` (K,) for each segment, whole."""
        total = np.zeros(edges.size, dtype=np.int64)
        np.cumsum(np.diff(edges) * flags, out=total[1:])
        return Elapsed(edges, np.append(flags, False), total)

    def at(self, time: IntArray, segment: IntArray) -> IntArray:
        """Up to each instant, which lies in the segment given."""
        return self.at_edge[segment] + (time - self.edges[segment]) * self.flagged[segment]


@dataclass(frozen=True)
class FlowCurve:
    """What a point discharges, as a step function over ``[edges[0], edges[-1])``.

    ``edges`` (K+1,) ms, every window edge among them · ``q`` (K,) m³/h, 0 where unknown · ``known``
    (K,) · ``window_edges`` (W+1,) ms · ``metered`` False at a point with neither flow nor totaliser:
    q = 1 stands for time weighting · ``own`` the flow series' own valid holds after the cut-off, in its unit. What
    every series of the point asks for is computed once.
    """

    edges: IntArray
    q: FloatArray
    known: BoolArray
    window_edges: IntArray
    metered: bool
    own: Pieces

    @property
    def windows(self) -> int:
        """W, the number of windows."""
        return self.window_edges.size - 1

    @cached_property
    def length_ms(self) -> IntArray:
        """(K,) duration of each segment."""
        return np.diff(self.edges)

    @cached_property
    def flowed(self) -> FloatArray:
        """(K+1,) q · dt of each segment, m³/h · ms, and a last 0."""
        return np.append(self.q * self.length_ms, 0.0)

    @cached_property
    def q_to_end(self) -> FloatArray:
        """(K+1,) q of each segment, and a last 0."""
        return np.append(self.q, 0.0)

    @cached_property
    def due(self) -> BoolArray:
        """(K,) the point discharges, or its flow is unknown."""
        return ~self.known | (self.q > 0)

    @cached_property
    def due_time(self) -> Elapsed:
        """Due time up to any instant."""
        return Elapsed.over(self.edges, self.due)

    @cached_property
    def flowing_time(self) -> Elapsed:
        """Time of known discharge up to any instant."""
        return Elapsed.over(self.edges, self.known & (self.q > 0))

    @cached_property
    def _bounds(self) -> IntArray:
        """(W+1,) index of each window edge among the edges."""
        return np.searchsorted(self.edges, self.window_edges)

    @cached_property
    def due_ms(self) -> IntArray:
        """(W,) due time of each window."""
        return np.diff(self.due_time.at_edge[self._bounds])

    @cached_property
    def known_ms(self) -> IntArray:
        """(W,) time of each window in which the flow is known."""
        if self.windows == 0:
            return np.zeros(0, dtype=np.int64)
        return np.add.reduceat(self.length_ms * self.known, self._bounds[:-1])

    @cached_property
    def volume_m3(self) -> FloatArray:
        """(W,) ∫ q dt over known time; NaN where nothing is known, and at an unmetered point."""
        if not self.metered:
            return np.full(self.windows, np.nan)
        window = np.repeat(np.arange(self.windows), np.diff(self._bounds))
        sums = np.bincount(window, self.q * (self.length_ms / MS_PER_HOUR), self.windows)
        return np.where(self.known_ms > 0, sums, np.nan)


def flow_curve(
    point: Point,
    plant: Plant,
    readings: Mapping[str, Readings],
    window_edges: IntArray,
    *,
    totaliser: bool = True,
) -> FlowCurve:
    """The flow of a point over the windows.

    ``readings`` parameter -> the point's readings, sorted by time, one per instant; those of ``flow``
    and ``volume`` are looked at. Where the flow reading is missing or invalid, the slope between the
    neighbouring valid registers stands in, if their step counts; ``totaliser=False`` leaves that out
    (bills take the flow's own integral).

    Rule: design §5, *Flow*.
    """
    flow, volume = point.find(FLOW), point.find(VOLUME)
    if flow is None and volume is None:
        return unmetered(window_edges)
    own = _own_flow(flow, readings.get(FLOW, Readings.empty()), window_edges)
    edges, q, known = _segments(own, window_edges)
    if flow is not None:
        q *= units.factor(flow.unit, "m3/h")
    if totaliser and volume is not None and VOLUME in readings and not known.all():
        steps = totaliser_steps(readings[VOLUME], volume, plant)
        edges, q, known = _with_totaliser(edges, q, known, steps, volume, flow)
    return FlowCurve(edges, q, known, window_edges, True, own)


def unmetered(window_edges: IntArray) -> FlowCurve:
    """A point with neither flow nor totaliser: it always discharges, and every moment weighs the same."""
    windows = window_edges.size - 1
    none = cut(NO_HOLDS, window_edges)
    return FlowCurve(window_edges, np.ones(windows), np.ones(windows, dtype=bool), window_edges, False, none)


def _own_flow(flow: Series | None, readings: Readings, window_edges: IntArray) -> Pieces:
    """The valid holds of the flow readings, after the cut-off."""
    if flow is None or len(readings) == 0:
        return cut(NO_HOLDS, window_edges)
    holds = held(readings, flow)
    return cut(Holds(holds.start, holds.end, discharging(holds.value, flow), holds.valid), window_edges)


def _segments(own: Pieces, window_edges: IntArray) -> tuple[IntArray, FloatArray, BoolArray]:
    """The pieces as segments, and between them others in which the flow is unknown, cut at the window edges too."""
    gap = np.ones(own.end.size, dtype=bool)
    gap[:-1] = own.end[:-1] < own.start[1:]
    edges = sorted_union(own.end[gap], window_edges)
    at = np.searchsorted(own.start, edges)
    fresh = np.ones(edges.size, dtype=bool)
    inner = at < own.start.size
    fresh[inner] = own.start[at[inner]] != edges[inner]
    edges, at = edges[fresh], at[fresh]
    known = np.ones(own.start.size + edges.size, dtype=bool)
    known[at + np.arange(at.size)] = False
    return np.insert(own.start, at, edges), np.insert(own.value, at, 0.0)[:-1], known[:-1]  # the last edge only ends


def _with_totaliser(
    edges: IntArray, q: FloatArray, known: BoolArray, steps: Steps, volume: Series, flow: Series | None
) -> tuple[IntArray, FloatArray, BoolArray]:
    """The unknown segments, cut at the registers in them, with the slope of each step that counts.

    Known segments are not cut: their sums must not depend on registers that say nothing there.
    """
    if steps.counts.size == 0:
        return edges, q, known
    segment = np.searchsorted(edges, steps.time, side="right") - 1
    inside = (segment >= 0) & (segment < known.size)
    inside[inside] = ~known[segment[inside]]
    finer = sorted_union(edges, steps.time[inside])
    old = np.searchsorted(edges, finer[:-1], side="right") - 1
    q, known = q[old], known[old]
    step = np.searchsorted(steps.time, finer[:-1], side="right") - 1
    usable = ~known & (step >= 0) & (step < steps.counts.size)
    usable[usable] = (steps.counts | steps.at_once)[step[usable]]
    hours = np.diff(steps.time) / MS_PER_HOUR
    slope = steps.increase / hours * units.factor(volume.unit, "m3")
    cut_off = flow.no_flow_below_m3_h if flow is not None else 0.0
    slope = np.where(exceeds(slope, cut_off), slope, 0.0)
    q[usable] = slope[step[usable]]
    return finer, q, known | usable


def sorted_union(*parts: IntArray) -> IntArray:
    """The sorted union of sorted arrays (timsort merges their runs in one pass; np.unique hashes)."""
    merged = np.sort(np.concatenate(parts), kind="stable")
    fresh = np.ones(merged.size, dtype=bool)
    fresh[1:] = merged[1:] != merged[:-1]
    return merged[fresh]


@dataclass(frozen=True, slots=True)
class Weights:
    """What each piece of a series weighs in its window.

    ``value`` (n,) of the pieces with any valid time, in time order · ``valid_ms`` (n,) their due time in
    which the value counts · ``volume_m3`` (n,) what flowed in it; empty at an unmetered point and for
    time-weighted series · ``bounds`` (W+1,) window w has the pieces ``bounds[w]:bounds[w+1]``.
    """

    value: FloatArray
    valid_ms: IntArray
    volume_m3: FloatArray
    bounds: IntArray


def weigh(pieces: Pieces, curve: FlowCurve, *, by_volume: bool) -> Weights:
    """Valid time, and with ``by_volume`` the volume, under each piece.

    Valid time is due time in which the parameter is valid and, ``by_volume``, the flow is known.

    Rule: design §5, *Due time*, *Mean*. Volumes are sums over the segments under a piece and never
    differences of one long cumulated curve: a window's bits then depend on nothing outside it.
    """
    elapsed = curve.flowing_time if by_volume else curve.due_time
    k0 = np.searchsorted(curve.edges, pieces.start, side="right") - 1
    at0 = elapsed.at(pieces.start, k0)
    # Mostly a piece ends where the next one starts: only the others are looked up again.
    k1, at1 = np.concatenate([k0[1:], k0[:1]]), np.concatenate([at0[1:], at0[:1]])
    apart = np.flatnonzero(np.append(pieces.end[:-1] != pieces.start[1:], pieces.end.size > 0))
    k1[apart] = np.searchsorted(curve.edges, pieces.end[apart], side="right") - 1
    at1[apart] = elapsed.at(pieces.end[apart], k1[apart])
    valid_ms = at1 - at0
    some = np.flatnonzero(valid_ms)
    value, valid_ms, bounds = pieces.value[some], valid_ms[some], np.searchsorted(some, pieces.bounds)
    if not (by_volume and curve.metered):
        return Weights(value, valid_ms, np.empty(0), bounds)
    start, end, k0, k1 = pieces.start[some], pieces.end[some], k0[some], k1[some]
    q = curve.q_to_end
    head = np.minimum(curve.edges[np.minimum(k0 + 1, curve.q.size)], end) - start
    tail = np.where(k1 > k0, end - curve.edges[k1], 0)
    volume = q[k0] * head + _sum_between(curve.flowed, k0 + 1, k1) + q[k1] * tail
    return Weights(value, valid_ms, volume / MS_PER_HOUR, bounds)


def _sum_between(amount: FloatArray, first: IntArray, stop: IntArray) -> FloatArray:
    """Sums of ``amount[first:stop]`` for ascending, non-overlapping ranges; 0 for empty ones.

    ``amount`` ends with one element that belongs to no range.
    """
    if first.size == 0:
        return np.empty(0)
    sums = np.zeros(first.size)
    full = stop > first
    bounds = np.empty(2 * int(full.sum()), dtype=np.int64)
    bounds[0::2], bounds[1::2] = first[full], stop[full]
    if bounds.size:
        sums[full] = np.add.reduceat(amount, bounds)[0::2]
    return sums
