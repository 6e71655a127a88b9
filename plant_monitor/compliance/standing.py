"""What is left of capacity, quotas and design loads now, and what the next days may bring (design §5, *Headroom*)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from plant_monitor.compliance.forecast import DAYS_NEEDED, HORIZONS, forecast
from plant_monitor.compliance.headroom import Headroom, all_known_ms, inflow_points, sum_known
from plant_monitor.compliance.means import ENOUGH, PointVolume, series_statistics
from plant_monitor.compliance.tables import FORECAST_COLUMNS, STANDING_COLUMNS, Table
from plant_monitor.holds import FlowCurve, flow_curve
from plant_monitor.plant import FLOW, VOLUME, Member, Plant, Point
from plant_monitor.readings import FloatArray, IntArray, Readings
from plant_monitor.windows import HOUR_MS, Windows, day_start_ms, local_day, rfc3339

DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Outlook:
    """How plant and members stand at ``now_ms``, and what the next days may bring.

    ``standing`` rows by member and quantity, the plant's (no member) first · ``forecast`` rows by day, today the first;
    none where too few days are known · ``known_days`` on which it rests, of ``DAYS_NEEDED``.
    """

    now_ms: int
    standing: Table
    forecast: Table
    known_days: int
    needed_days: int = DAYS_NEEDED


@dataclass(frozen=True, slots=True)
class _Amounts:
    """What came in consecutive pieces of time: ``amount`` (n,) m³ or kg, NaN = unknown; ``share`` (n,) of it known."""

    amount: FloatArray
    share: FloatArray
    length_ms: IntArray

    def since(self, first: int) -> tuple[float, float]:
        """Amount and known share from a piece on; without pieces 0, known for sure."""
        amount, length = self.amount[first:], self.length_ms[first:]
        if amount.size == 0:
            return 0.0, 1.0
        known = ~np.isnan(amount)
        total = float(amount[known].sum()) if known.any() else np.nan
        return total, float((self.share[first:] * length).sum() / length.sum())


def standing_series(plant: Plant) -> set[int]:
    """Indices of the series that :func:`standing` looks at."""
    parameters = {FLOW, VOLUME, *(parameter for parameter, _ in plant.design_load_kg_d)}
    points = {p.id for p in (*inflow_points(plant), *plant.outfalls)}
    return {i for i, s in enumerate(plant.series) if s.point in points and s.parameter in parameters}


def standing(plant: Plant, readings: Readings, now_ms: int) -> Table:
    """Where plant and members stand at an instant.

    Rows of the plant's inflow, of its load of each parameter with a design load, and of each member's volume against
    its quota (or its share of the capacity): the ``last_hour``, the ``last_24_h``, ``today`` so far, and by
    ``midnight``, that is today so far and the rest of the day as the last hour. ``allowed`` is what capacity, quota
    or design load allow in a day, and in the hour a 24th of it; ``headroom`` and ``used_share`` stay unknown where
    less than 75 % of the span is known.

    ``readings`` since 24 h ago or midnight, whichever is earlier, and those around that hold into them, in order of
    acceptance.
    """
    today, (begin_ms, end_ms) = local_day(now_ms, plant.zone), _day_of(now_ms, plant)
    starts = {"last_hour": now_ms - HOUR_MS, "last_24_h": now_ms - DAY_MS, "today": begin_ms, "midnight": begin_ms}
    edges = np.unique(np.array([*starts.values(), now_ms], dtype=np.int64))
    by_series = readings.by_time()
    own = {
        p.id: {s.parameter: by_series.of_series(plant.series_index[p.id, s.parameter]) for s in p.series}
        for p in (*inflow_points(plant), *plant.outfalls)
    }
    curves = {id_: flow_curve(plant.point_by_id[id_], plant, of, edges) for id_, of in own.items()}
    rows: list[tuple[object, ...]] = []

    def tell(member: str, quantity: str, unit: str, allowed: float | None, amounts: _Amounts) -> None:
        hour, hour_share = amounts.since(int(np.searchsorted(edges, starts["last_hour"])))
        for span, start in starts.items():
            amount, share = amounts.since(int(np.searchsorted(edges, start)))
            end, most = now_ms, allowed
            if span == "last_hour":
                most = None if allowed is None else allowed / 24
            if span == "midnight":
                end, share = end_ms, min(share, hour_share)
                amount = amount + hour * (end_ms - now_ms) / HOUR_MS if share >= ENOUGH else np.nan
            when = rfc3339(start, plant.zone), rfc3339(end, plant.zone)
            rows.append((member, quantity, unit, span, *when, *_against(amount, most, share), share))

    tell("", VOLUME, "m3", float(plant.capacity_m3_d), _volumes([curves[p.id] for p in inflow_points(plant)], edges))
    for parameter, design in plant.design_load_kg_d:
        tell("", parameter, "kg", float(design), _loads(plant, parameter, own, curves, edges))
    for member in plant.members:
        outfalls = [curves[p.id] for p in plant.outfalls if p.member == member.id]
        tell(member.id, VOLUME, "m3", _daily_quota(plant, member, today), _volumes(outfalls, edges))
    return Table.of_rows(STANDING_COLUMNS, rows)


def standing_since_ms(plant: Plant, now_ms: int) -> int:
    """From when on :func:`standing` looks at readings."""
    return min(_day_of(now_ms, plant)[0], now_ms - DAY_MS)


def _day_of(now_ms: int, plant: Plant) -> tuple[int, int]:
    today = local_day(now_ms, plant.zone)
    return day_start_ms(today, plant.zone), day_start_ms(today + timedelta(days=1), plant.zone)


def _against(amount: float, allowed: float | None, share: float) -> tuple[float | None, ...]:
    """Amount, allowed, headroom, used share; None = unknown."""
    known = None if np.isnan(amount) else amount
    if known is None or allowed is None or share < ENOUGH:
        return known, allowed, None, None
    return known, allowed, allowed - known, known / allowed if allowed else None


def _daily_quota(plant: Plant, member: Member, day: date) -> float | None:
    if member.quota_m3_d is not None:
        return float(member.quota_m3_d)
    begun = [c for c in member.share_changes if c.valid_from <= day]
    share = max(begun, key=lambda c: c.valid_from).capacity_share if begun else member.capacity_share
    return None if share is None else float(share * plant.capacity_m3_d)


def _volumes(curves: Sequence[FlowCurve], edges: IntArray) -> _Amounts:
    length, parts = np.diff(edges), [PointVolume(curve, _pieces(edges)) for curve in curves]
    return _Amounts(sum_known([p.hourly for p in parts], length.size), all_known_ms(parts, edges) / length, length)


def _pieces(edges: IntArray) -> Windows:
    """The time between the edges, as if it were the hours of a day."""
    return Windows((date.min,), edges[[0, -1]], edges, np.zeros(edges.size - 1, dtype=np.int64))


def _loads(
    plant: Plant,
    parameter: str,
    own: Mapping[str, Mapping[str, Readings]],
    curves: Mapping[str, FlowCurve],
    edges: IntArray,
) -> _Amounts:
    """The load that comes in: the inlet's where it measures the parameter, else of the outfalls, which all must."""
    length = np.diff(edges)
    points: tuple[Point, ...] = plant.outfalls
    if plant.inlet is not None and plant.point_by_id[plant.inlet].find(parameter) is not None:
        points = inflow_points(plant)
    windows = _pieces(edges)
    share, loads = np.ones(length.size) if points else np.zeros(length.size), []
    for point in points:
        series, curve = point.find(parameter), curves[point.id]
        if series is None or not curve.metered:
            share = np.zeros(length.size)
            continue
        found, _ = series_statistics(series, own[point.id][parameter], curve, windows, medians=False)
        loads.append(found.load_kg)
        share = np.minimum(share, np.where(found.due_ms > 0, found.valid_ms / np.maximum(found.due_ms, 1), 1.0))
    return _Amounts(sum_known(loads, length.size), share, length)


# --- the next days ----------------------------------------------------------------------------------------------------


def daily_inflow(headroom: Headroom) -> FloatArray:
    """(D,) m³ that came in each day, NaN where less than 75 % of it is known; the unknown rest as the known."""
    enough = headroom.valid_share >= ENOUGH
    return np.where(enough, headroom.inflow_m3 / np.where(enough, headroom.valid_share, 1.0), np.nan)


def forecast_rows(plant: Plant, inflow_m3: FloatArray, today: date) -> Table:
    """The inflow that today and the six days after may bring; no rows where too few days are known.

    ``inflow_m3`` (T,) of the days up to yesterday, NaN = unknown.
    """
    told = forecast(inflow_m3, (today - timedelta(days=inflow_m3.size)).weekday())
    if told is None:
        return Table.of_rows(FORECAST_COLUMNS, [])
    capacity = float(plant.capacity_m3_d)
    days = [(today + timedelta(days=h)).isoformat() for h in range(HORIZONS)]
    quantiles = [told.quantile(chance).tolist() for chance in (0.1, 0.5, 0.9)]
    rows = zip(days, *quantiles, [capacity] * HORIZONS, told.passing(capacity).tolist(), strict=True)
    return Table.of_rows(FORECAST_COLUMNS, list(rows))
