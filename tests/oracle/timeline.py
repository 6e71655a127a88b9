"""The sentences of design §5 *Readings in time* and *Flow*, in the plainest Python there is.

Written from the text alone, for the oracles beside it: exact fractions, whole milliseconds, loops. It shares
nothing with the product but the plant's records and must stay so; speed is of no concern.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import isfinite
from zoneinfo import ZoneInfo

from plant_monitor.plant import Plant, Point, Represents, Series

Row = tuple[int, str, str, "float | None", str]  # time ms, point, parameter, value, mark
HOUR = 3_600_000
NOISE = Fraction(1, 10**9)

CONCENTRATION = {  # in mg/L
    "mg/L": Fraction(1),
    "g/m3": Fraction(1),
    "g/L": Fraction(1000),
    "kg/m3": Fraction(1000),
    "ug/L": Fraction(1, 1000),
    "µg/L": Fraction(1, 1000),
    "ng/L": Fraction(1, 10**6),
}
FLOW = {  # in m3/h
    "m3/h": Fraction(1),
    "m3/d": Fraction(1, 24),
    "m3/min": Fraction(60),
    "m3/s": Fraction(3600),
    "L/s": Fraction(3600, 1000),
    "L/min": Fraction(60, 1000),
    "L/h": Fraction(1, 1000),
    "Mgal/d": Fraction(3785411784, 10**6) / 24,
}
VOLUME = {"m3": Fraction(1), "L": Fraction(1, 1000)}  # in m3
LOAD = {"kg/d": Fraction(1), "g/d": Fraction(1, 1000), "t/d": Fraction(1000)}  # in kg/d


def convert(value: Fraction, unit: str, target: str) -> Fraction:
    """``value`` told in another unit of the same kind."""
    if unit == target:
        return value
    for table in (CONCENTRATION, FLOW, VOLUME, LOAD):
        if unit in table and target in table:
            return value * table[unit] / table[target]
    raise ValueError(f"{unit} is no {target}")


def exact(number: float | Decimal) -> Fraction:
    """A number as people read it: the shortest text of a float, or the decimal itself."""
    return Fraction(str(number)) if isinstance(number, Decimal) else Fraction(repr(float(number)))


class Undecided(Exception):
    """Two numbers differ by about the 1e-9 itself: the text does not say to the last digit relative to what."""


def by_more_than_noise(difference: Fraction, scale: Fraction) -> bool:
    """True where the difference is more than 1e-9 of the scale."""
    if NOISE / 10 < abs(difference) / scale < NOISE * 10 if scale else False:
        raise Undecided
    return difference > NOISE * scale


def greater(a: Fraction, b: Fraction) -> bool:
    """True where ``a`` is greater than ``b`` by more than 1e-9 relative."""
    return by_more_than_noise(a - b, max(abs(a), abs(b)))


def is_valid(value: float | None, mark: str) -> bool:
    """Mark ``N`` (also where none is written) and a finite value."""
    return mark in ("N", "") and value is not None and isfinite(value)


# -- local time ---------------------------------------------------------------------------------


def local(time_ms: int, zone: ZoneInfo) -> datetime:
    """The wall clock at an instant."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)).astimezone(zone)


def day_start(day: date, zone: ZoneInfo) -> int:
    """The first quarter of an hour whose local date is ``day``: found by looking at each."""
    noon_utc = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()) * 1000
    moment = noon_utc - 28 * HOUR
    while local(moment, zone).date() < day:
        moment += HOUR // 4
    return moment


def days_between(first: date, last: date) -> list[date]:
    """Both inclusive."""
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def hour_starts(day: date, zone: ZoneInfo) -> list[int]:
    """Steps of 3600 s from local midnight, cut at the next."""
    return list(range(day_start(day, zone), day_start(day + timedelta(days=1), zone), HOUR))


def stamp(time_ms: int, zone: ZoneInfo) -> str:
    """RFC 3339 with the plant's offset."""
    return local(time_ms, zone).isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")


# -- readings in time ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Hold:
    """A reading and the time it speaks for, half-open; ``value`` None where it is invalid."""

    start: int
    end: int
    value: Fraction | None


@dataclass(frozen=True)
class Step:
    """Two neighbouring valid registers. ``amount`` in the register's unit, None where it does not count."""

    start: int
    end: int
    register: Fraction
    next_register: Fraction
    amount: Fraction | None


def readings_of(rows: Iterable[Row], point: str, parameter: str) -> list[tuple[int, Fraction | None]]:
    """Sorted by time, one per instant, the later accepted one standing; None = invalid."""
    by_time: dict[int, Fraction | None] = {}
    for time, row_point, row_parameter, value, mark in rows:
        if (row_point, row_parameter) == (point, parameter):
            by_time[time] = exact(value) if is_valid(value, mark) else None  # type: ignore[arg-type]
    return sorted(by_time.items())


def holds_of(series: Series, rows: Iterable[Row]) -> list[Hold]:
    """How long each reading of a series holds."""
    readings = readings_of(rows, series.point, series.parameter)
    assert series.interval_ms is not None
    reach = 2 * series.interval_ms
    holds = []
    for i, (time, value) in enumerate(readings):
        if series.represents is Represents.AFTER:
            end = time + reach
            if i + 1 < len(readings):
                end = min(readings[i + 1][0], end)
            holds.append(Hold(time, end, value))
        else:
            start = time - reach
            if i > 0:
                start = max(readings[i - 1][0], start)
            holds.append(Hold(start, time, value))
    return holds


def steps_of(plant: Plant, series: Series, rows: Iterable[Row]) -> list[Step]:
    """The steps between a totaliser's valid registers, and which of them count."""
    registers = [(t, v) for t, v in readings_of(rows, series.point, series.parameter) if v is not None]
    to_m3 = VOLUME[series.unit]
    rate = 4 * exact(plant.capacity_m3_d) / 24 if series.max_rate_m3_h is None else exact(series.max_rate_m3_h)
    steps = []
    for (start, register), (end, following) in pairwise(registers):
        most = rate * Fraction(end - start, HOUR) + exact(series.resolution) * to_m3
        change = following - register
        if change < 0 and series.rollover is not None:
            change += exact(series.rollover)
        counts = change >= 0 and not greater(change * to_m3, most)
        steps.append(Step(start, end, register, following, change if counts else None))
    return steps


# -- a point's time, cut where anything changes ----------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """A stretch of time in which nothing changes at a point.

    ``q`` m3/h, None = unknown · ``own_q`` the same from flow readings alone · ``values`` parameter -> value in
    the unit of its series, None where it is invalid or missing.
    """

    start: int
    end: int
    q: Fraction | None
    own_q: Fraction | None
    values: dict[str, Fraction | None]

    @property
    def hours(self) -> Fraction:
        """Its length."""
        return Fraction(self.end - self.start, HOUR)


def measures_flow(point: Point) -> bool:
    """True where a point declares ``flow`` or ``volume``."""
    return point.find("flow") is not None or point.find("volume") is not None


def after_cut_off(q: Fraction, cut_off: Fraction) -> Fraction:
    """At or below the cut-off the point does not discharge."""
    return q if greater(q, cut_off) else Fraction(0)


def within(pieces: Sequence[Piece], start: int, end: int) -> list[Piece]:
    """The pieces of a window; windows begin and end where pieces do."""
    return list(pieces[bisect_left(pieces, start, key=_start) : bisect_left(pieces, end, key=_start)])


def _start(piece: Piece) -> int:
    return piece.start


def changes_at(plant: Plant, rows: Sequence[Row]) -> set[int]:
    """Every instant at which anything begins or ends to hold, in the whole plant."""
    instants: set[int] = set()
    for series in plant.series:
        if series.parameter == "volume":
            instants |= {t for t, _ in readings_of(rows, series.point, "volume")}
        else:
            for hold in holds_of(series, rows):
                instants |= {hold.start, hold.end}
    return instants


def held_at(holds: Sequence[Hold], time: int) -> Fraction | None:
    """The valid value that holds at an instant, or None."""
    i = bisect_right(holds, time, key=lambda h: h.start) - 1
    return holds[i].value if i >= 0 and time < holds[i].end else None


def slope_at(steps: Sequence[Step], unit: str, time: int) -> Fraction | None:
    """m3/h of the counting step around an instant, or None."""
    for step in steps:
        if step.start <= time < step.end:
            if step.amount is None:
                return None
            return step.amount * VOLUME[unit] / Fraction(step.end - step.start, HOUR)
    return None


def pieces_of(plant: Plant, point: Point, rows: Sequence[Row], edges: Iterable[int]) -> list[Piece]:
    """The time from the first to the last edge, cut at every edge and at every change in the plant."""
    fixed = sorted(set(edges))
    if not fixed:
        return []
    cuts = sorted(set(fixed) | {t for t in changes_at(plant, rows) if fixed[0] <= t <= fixed[-1]})
    flow, volume = point.find("flow"), point.find("volume")
    holds = {s.parameter: holds_of(s, rows) for s in point.series if s.parameter != "volume"}
    steps = steps_of(plant, volume, rows) if volume is not None else []
    cut_off = exact(flow.no_flow_below_m3_h) if flow is not None else Fraction(0)
    pieces = []
    for start, end in pairwise(cuts):
        values = {parameter: held_at(h, start) for parameter, h in holds.items()}
        own_q = q = None
        if flow is not None and values["flow"] is not None:
            own_q = q = after_cut_off(values["flow"] * FLOW[flow.unit], cut_off)
        elif volume is not None:
            slope = slope_at(steps, volume.unit, start)
            q = None if slope is None else after_cut_off(slope, cut_off)
        elif flow is None:
            q = Fraction(1)
        pieces.append(Piece(start, end, q, own_q, values))
    return pieces
