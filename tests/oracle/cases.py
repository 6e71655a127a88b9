"""Small, nasty plants and readings: builders for hand-worked cases, and hypothesis strategies.

A case has few readings but many edges: holds that end on window edges, marks, gaps, values exactly at a limit
or at the cut-off, rollovers, resets, daylight saving.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from oracle.timeline import CONCENTRATION, FLOW, HOUR, LOAD, VOLUME, Row, day_start, exact
from plant_monitor.plant import (
    Limit,
    LimitSet,
    Member,
    Name,
    Plant,
    Point,
    Represents,
    Role,
    Series,
    Statistic,
    StrengthStep,
    Tariff,
)
from plant_monitor.readings import Readings, mark_code

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE = 60_000

# -- builders ---------------------------------------------------------------------------------------


def at(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    """Ms UTC of a wall clock time ``2026-10-01 08:30``, or of one with its own offset."""
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() * 1000)


def series(point: str, parameter: str, unit: str, interval_ms: int | None = HOUR, **more: Any) -> Series:
    """One series; an hour's interval."""
    return Series(point=point, parameter=parameter, unit=unit, interval_ms=interval_ms, **more)


def limit_set(set_id: str, *limits: Limit) -> LimitSet:
    """A limit set."""
    return LimitSet(id=set_id, title=Name(set_id, set_id), source="", limits=limits)


def member(member_id: str, share: str | None = None, quota: str | None = None) -> Member:
    """A member."""
    return Member(
        id=member_id,
        name=Name(member_id, member_id),
        capacity_share=None if share is None else Decimal(share),
        quota_m3_d=None if quota is None else Decimal(quota),
    )


def plant(points: Sequence[Point], *limit_sets: LimitSet, zone: ZoneInfo = SHANGHAI, **more: Any) -> Plant:
    """A plant of 1200 m³/d."""
    defaults: dict[str, Any] = {"capacity_m3_d": Decimal(1200), "members": (member("m"),)}
    return Plant(
        id="p", name=Name("p", "p"), zone=zone, points=tuple(points), limit_sets=limit_sets, **(defaults | more)
    )


def readings_from(plant: Plant, rows: Sequence[Row]) -> Readings:
    """The rows as the columns the product takes, in the same order."""
    return Readings.of(
        [time for time, *_ in rows],
        [plant.series_index[point, parameter] for _, point, parameter, _, _ in rows],
        [float("nan") if value is None else value for *_, value, _ in rows],
        [mark_code(mark) for *_, mark in rows],
    )


# -- strategies: values -----------------------------------------------------------------------------

NOISE_UP, CLEARLY_UP, CLEARLY_DOWN = 1 + 1e-13, 1 + 1e-6, 1 - 1e-6
FLOW_VALUES = [0.0, -0.2, 0.05, 0.1, 0.1 * NOISE_UP, 0.1 * CLEARLY_UP, 0.2, 1.0, 7.3, 12.5, 30.0, 50.0]
LIMIT_VALUES = [
    0.0,
    -5.0,
    0.5,
    1.0,
    NOISE_UP,
    CLEARLY_UP,
    CLEARLY_DOWN,
    0.75,
    0.25,
    1.25 * NOISE_UP,
    1.5,
    4.0,
]  # x upper
PH_VALUES = [7.0, 7.25, 6.0, 6.0 * CLEARLY_DOWN, 9.0, 9.0 * NOISE_UP, 9.0 * CLEARLY_UP, 3.0, 12.0, 10.0, 5.0]
OTHER_VALUES = [10.0, 20.0, 20.5, 0.0, -1.0, 35.0, 35.0 * CLEARLY_UP, 40.0]
UPPER = {"cod_cr": 100.0, "ammonia_n": 8.0, "bod5": 50.0, "ss": 400.0, "toc": 30.0}  # mg/L
UNIT = {"ph": "1", "water_temperature": "degC", "conductivity": "uS/cm"}
NOT_VALID: list[tuple[float | None, str]] = [
    (None, "N"),
    (float("nan"), "N"),
    (float("inf"), "N"),
    (float("-inf"), "N"),
    (7.0, "F"),
    (7.0, "M"),
    (7.0, "S"),
    (7.0, "D"),
    (7.0, "C"),
    (7.0, "T"),
    (None, "B"),
    (7.0, "n"),
    (7.0, "?"),
]
INTERVALS = [10 * MINUTE, 30 * MINUTE, HOUR, HOUR, 2 * HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR]
MOST_READINGS = 60


def values_of(series: Series) -> list[float]:
    """Values worth trying for a series, in its unit."""
    if series.parameter == "flow":
        return [float(exact(v) / FLOW[series.unit]) for v in FLOW_VALUES]
    if series.parameter == "ph":
        return PH_VALUES
    if series.unit in CONCENTRATION:
        upper = exact(UPPER[series.parameter]) / CONCENTRATION[series.unit]
        return [float(exact(v) * upper) for v in LIMIT_VALUES]
    return OTHER_VALUES


@st.composite
def series_rows(draw: st.DrawFn, series: Series, start: int, end: int) -> list[Row]:
    """A short pattern of readings repeated over a part of the time, and a few strays."""
    interval = series.interval_ms or HOUR
    value = st.sampled_from(values_of(series)).map(lambda v: (v, "N"))
    clean = draw(st.booleans())
    usual = value if clean else st.one_of(*[value] * 6, st.sampled_from(NOT_VALID), st.none())
    pattern = draw(st.lists(usual, min_size=1, max_size=6))
    step = draw(st.sampled_from([interval, interval, interval, interval // 2, 2 * interval, 3 * interval]))
    first = start + draw(st.sampled_from([0, 0, -interval, -HOUR, interval // 2, 5 * HOUR, -3 * MINUTE, 1, 7001]))
    most = draw(st.sampled_from([3, 12, MOST_READINGS, MOST_READINGS, MOST_READINGS, MOST_READINGS]))
    count = min(most, (end - first) // step + 2)
    rows: list[Row] = []
    for i in range(count):
        one = pattern[i % len(pattern)]
        if one is not None:
            rows.append((first + i * step, series.point, series.parameter, *one))
    span = (end - start) // MINUTE
    when = st.one_of(
        st.integers(-4, span // 60 + 4).map(lambda h: start + h * HOUR),
        st.integers(-300, span + 300).map(lambda m: start + m * MINUTE),
        st.integers(-1, span // 60 + 1).map(lambda h: start + h * HOUR - 1),
    )
    strays = draw(st.lists(st.tuples(when, st.one_of(value, value, st.sampled_from(NOT_VALID))), max_size=4))
    stray_rows: list[Row] = [(t, series.point, series.parameter, *one) for t, one in strays]
    return stray_rows + rows if draw(st.booleans()) else rows + stray_rows


@st.composite
def register_rows(draw: st.DrawFn, plant: Plant, series: Series, start: int, end: int) -> list[Row]:
    """A totaliser that counts up, rolls over, is reset, jumps, falls silent."""
    step = draw(st.sampled_from([MINUTE * 10, HOUR, HOUR, 3 * HOUR, 8 * HOUR, 26 * HOUR]))
    hours = exact(step) / HOUR
    most = exact(plant.max_rate_m3_h(series)) * hours / VOLUME[series.unit] + exact(series.resolution)
    usual = [0.0, 0.01, 1.0, float(hours * 3), float(hours * 20), float(round(most, 6))]
    over = [
        float(round(most, 6)) + float(exact(0.001) / VOLUME[series.unit]),
        float(round(most + exact(series.resolution), 6)),
    ]
    odd = ["reset", "jump", "jump", "back", *over, *over]
    change = st.one_of(*[st.sampled_from(usual)] * 5, st.sampled_from(odd), st.none(), st.sampled_from(NOT_VALID))
    pattern = draw(st.lists(change, min_size=1, max_size=8))
    first = start + draw(
        st.sampled_from([0, -HOUR, -5 * HOUR, -40 * HOUR, 3 * HOUR, 90 * MINUTE + 1, -step, 26 * HOUR])
    )
    count = min(draw(st.sampled_from([1, 2, 4, 12, MOST_READINGS])), (end - first) // step + 4)
    register = Decimal(draw(st.sampled_from(["0", "12.5", "990", "999.99", "95", "500", "9876543.21"])))
    size = series.rollover
    rows: list[Row] = []
    for i in range(max(count, 0)):
        now = pattern[i % len(pattern)]
        if isinstance(now, tuple):
            rows.append((first + i * step, series.point, series.parameter, *now))
            continue
        if now is None:
            continue
        if now == "reset":
            register = Decimal(0)
        elif now == "jump":
            register += 50_000
        elif now == "back":
            register = max(register - 3, Decimal(0))
        else:
            register += Decimal(repr(now))
        if size is not None:
            register %= size
        rows.append((first + i * step, series.point, series.parameter, float(register), "N"))
    return rows


# -- strategies: plants -----------------------------------------------------------------------------

ZONES = [
    (SHANGHAI, [date(2026, 10, 1), date(2026, 12, 31)]),
    (ZoneInfo("Europe/Berlin"), [date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 25)]),
    (ZoneInfo("Australia/Lord_Howe"), [date(2026, 4, 5), date(2026, 10, 3), date(2026, 10, 4)]),
    (ZoneInfo("America/Chicago"), [date(2026, 3, 8), date(2026, 11, 1)]),
    (ZoneInfo("Asia/Beirut"), [date(2026, 3, 28), date(2026, 10, 24)]),  # changes at midnight itself, both ways
    (ZoneInfo("America/Havana"), [date(2026, 11, 1)]),  # midnight comes twice
]


@st.composite
def point_series(draw: st.DrawFn, point: str) -> tuple[Series, ...]:
    """Flow and volume or not, and up to two other parameters."""
    interval = st.sampled_from(INTERVALS)
    represents = st.sampled_from(list(Represents))
    found = []
    measured = draw(st.sampled_from(["flow", "flow", "both", "both", "both", "volume", "neither"]))
    if measured in ("flow", "both"):
        cut_off = draw(st.sampled_from([0.1, 0.1, 0.0, 1.0]))
        unit = draw(st.sampled_from(["m3/h", "m3/h", "L/s", "m3/d", "Mgal/d", "m3/min"]))
        found.append(
            series(point, "flow", unit, draw(interval), represents=draw(represents), no_flow_below_m3_h=cut_off)
        )
    if measured in ("volume", "both"):
        found.append(
            series(
                point,
                "volume",
                draw(st.sampled_from(["m3", "m3", "L"])),
                None,
                rollover=draw(st.sampled_from([None, Decimal(1000), Decimal(100000)])),
                resolution=draw(st.sampled_from([Decimal(1), Decimal("0.1")])),
                max_rate_m3_h=draw(st.sampled_from([None, Decimal(20), Decimal("0.7")])),
            )
        )
    names = draw(st.lists(st.sampled_from([*UPPER, *UNIT]), unique=True, max_size=2))
    for name in names:
        unit = UNIT.get(name) or draw(st.sampled_from(["mg/L", "mg/L", "ug/L", "g/L"]))
        found.append(series(point, name, unit, draw(interval), represents=draw(represents)))
    return tuple(draw(st.permutations(found)))


def measured_upper(parameter: str, unit: str) -> float:
    """A limit about which the values of a parameter lie."""
    if parameter == "flow":
        return float(10 / FLOW[unit])
    if parameter in UPPER:
        return float(exact(UPPER[parameter]) / CONCENTRATION[unit])
    return {"ph": 9.0}.get(parameter, 35.0)


@st.composite
def dated_limits(draw: st.DrawFn, parameter: str, statistic: Statistic, first: date) -> list[Limit]:
    """One limit, or several of one key with different dates."""
    if statistic is Statistic.DAILY_LOAD:
        unit: str | None = draw(st.sampled_from(list(LOAD)))
        upper = float(2 / LOAD[unit])
    else:
        units = [None, "mg/L", "ug/L"] if parameter in UPPER else [None, *FLOW] if parameter == "flow" else [None]
        unit = draw(st.sampled_from(units))
        upper = measured_upper(parameter, unit or ("mg/L" if parameter in UPPER else "m3/h"))
    bounds = [(None, upper), (None, upper), (upper / 2, upper), (upper / 2, None), (None, upper * 2), (None, 0.0)]
    if parameter == "ph":
        bounds = [(6.0, 9.0), (6.0, 9.0), (None, 9.0), (6.0, None)]
    froms = draw(st.lists(st.sampled_from([None, -1, 0, 1, 2]), min_size=1, max_size=3, unique=True))
    found = []
    for offset in froms:
        lower, high = draw(st.sampled_from(bounds))
        until = draw(st.sampled_from([None, None, 0, 1]))
        found.append(
            Limit(
                parameter=parameter,
                statistic=statistic,
                lower=lower,
                upper=high,
                unit=unit,
                valid_from=None if offset is None else first + timedelta(days=offset),
                valid_to=None if until is None else first + timedelta(days=max(until, offset or 0)),
            )
        )
    return found


@st.composite
def limit_sets(draw: st.DrawFn, parameters: Sequence[str], first: date) -> tuple[LimitSet, ...]:
    """Up to three sets; set ``load`` has the daily loads."""
    found = []
    for set_id in draw(st.lists(st.sampled_from(["a", "b", "load"]), unique=True, min_size=1, max_size=3)):
        limits: list[Limit] = []
        for parameter in parameters:
            if set_id == "load":
                statistics = [Statistic.DAILY_LOAD] if parameter in UPPER else []
            elif parameter == "ph":
                statistics = [Statistic.HOURLY_MEDIAN]
            else:
                statistics = [Statistic.DAILY_MEAN, Statistic.HOURLY_MEAN, Statistic.HOURLY_MEDIAN]
            for statistic in statistics:
                if draw(st.sampled_from([True, True, False])):
                    limits += draw(dated_limits(parameter, statistic, first))
        found.append(limit_set(set_id, *draw(st.permutations(limits))))
    return tuple(found)


@dataclass(frozen=True)
class EvaluateCase:
    """What ``evaluate`` is given."""

    plant: Plant
    rows: list[Row]
    first: date
    last: date


def _units_fit(found: LimitSet, of_point: Sequence[Series]) -> bool:
    """A limit without a unit speaks in that of the series: values then lie far from it, which is fine."""
    return all(x.statistic is not Statistic.DAILY_LOAD for x in found.limits) or any(
        s.parameter in ("flow", "volume") for s in of_point
    )


@st.composite
def evaluate_cases(draw: st.DrawFn) -> EvaluateCase:
    """A plant of 1–3 points over 1–3 days."""
    zone, starts = draw(st.sampled_from(ZONES))
    first = draw(st.sampled_from(starts))
    last = first + timedelta(days=draw(st.sampled_from([0, 0, 1, 2, 2])))
    ids = draw(st.permutations(["b-out", "a-out", "in", "Z"]))[: draw(st.sampled_from([1, 1, 2, 3]))]
    by_point = {point: draw(point_series(point)) for point in ids}
    if not any(by_point.values()):
        by_point[ids[0]] = (series(ids[0], "flow", "m3/h"),)
    parameters = sorted({s.parameter for all_of in by_point.values() for s in all_of} - {"volume"})
    sets = draw(limit_sets(parameters, first))
    points = []
    for i, (point, own) in enumerate(by_point.items()):
        role = Role.OUTFALL if i == 0 else draw(st.sampled_from(list(Role)))
        fitting = [x.id for x in sets if _units_fit(x, own)]
        chosen = [x for x in fitting if draw(st.sampled_from([True, True, True, False]))]
        points.append(Point(point, role, own, member="m" if role is Role.OUTFALL else None, limits=tuple(chosen)))
    inlets = [None, *(p.id for p in points if p.role is Role.INLET)]
    made = plant(
        points,
        *sets,
        zone=zone,
        inlet=draw(st.sampled_from(inlets)),
        capacity_m3_d=draw(st.sampled_from([Decimal(1200), Decimal(240), Decimal("1000.5")])),
    )
    start, end = day_start(first, zone), day_start(last + timedelta(days=1), zone)
    rows: list[Row] = []
    for one in made.series:
        if one.parameter == "volume":
            rows += draw(register_rows(made, one, start, end))
        else:
            rows += draw(series_rows(one, start, end))
    return EvaluateCase(made, rows, first, last)


# -- strategies: bills ------------------------------------------------------------------------------

PERIODS = ["2026-10", "2026-02", "2026-12", "2027-03", "2026-11", "2026-04", "2024-02", "2026-Q1", "2026-Q4"]
BILL_INTERVALS = [HOUR, 12 * HOUR, 24 * HOUR, 24 * HOUR, 72 * HOUR, 240 * HOUR]
BASES = ["volume", "volume", "capacity_share", "equal", "load"]


@dataclass(frozen=True)
class BillCase:
    """What ``bill`` is given; costs are (item, basis, amount in yuan)."""

    plant: Plant
    rows: list[Row]
    period: str
    costs: list[tuple[str, str, str]]


def span_of(period: str, zone: ZoneInfo) -> tuple[int, int]:
    """First and last instant of a period."""
    year, part = int(period[:4]), period[5:]
    month, months = (3 * int(part[1]) - 2, 3) if part.startswith("Q") else (int(part), 1)
    after = month + months
    return (
        day_start(date(year, month, 1), zone),
        day_start(date(year + (after > 12), after - 12 if after > 12 else after, 1), zone),
    )


def halves_of(series: Series) -> list[float]:
    """Values that lead to half a litre in an hour, or to half a gram in a cubic metre."""
    if series.parameter == "flow":
        return [float(exact(v) / FLOW[series.unit]) for v in (1.0005, 0.0005, 2.1105)]
    return [float(exact(v) / CONCENTRATION[series.unit]) for v in (100.5, 7.0005)]


@st.composite
def bill_registers(draw: st.DrawFn, plant: Plant, series: Series, start: int, end: int) -> list[Row]:
    """A few registers about the boundaries of the period, with odd steps between them."""
    near = [-30 * HOUR, -HOUR, -1, 0, 1, HOUR, 31 * HOUR]
    days = (end - start) // (24 * HOUR)
    when = st.one_of(
        st.sampled_from([start + x for x in near]),
        st.sampled_from([end + x for x in near]),
        st.integers(-3, days + 3).map(lambda d: start + d * 24 * HOUR),
        st.integers(0, days * 1440).map(lambda m: start + m * MINUTE),
    )
    fewest = draw(st.sampled_from([0, 2, 2, 2]))
    times = sorted(draw(st.lists(when, unique=True, min_size=fewest, max_size=9)))
    usual = [0.0, 0.0005, 0.25, 1.0, 3.5, 40.0]
    change = st.one_of(
        *[st.sampled_from(usual)] * 5,
        st.sampled_from(["most", "over", "over by far", "reset", "jump", "back", "invalid"]),
    )
    register = Decimal(draw(st.sampled_from(["0", "12.5", "990", "999.99", "500", "0.333", "9876543.211"])))
    rate, before = exact(plant.max_rate_m3_h(series)) / VOLUME[series.unit], start
    rows: list[Row] = []
    for time in times:
        now = draw(change)
        if now == "invalid":
            rows.append((time, series.point, series.parameter, *draw(st.sampled_from(NOT_VALID))))
            continue
        if now == "reset":
            register = Decimal(0)
        elif now == "jump":
            register += 500_000
        elif now == "back":
            register = max(register - 3, Decimal(0))
        elif now in ("most", "over", "over by far"):
            most = float(rate * max(time - before, 0) / HOUR + exact(series.resolution))
            more = {
                "most": 0.0,
                "over": float(exact(0.01) / VOLUME[series.unit]),
                "over by far": float(series.resolution),
            }[now]
            register += Decimal(repr(round(most + more, 6)))
        else:
            register += Decimal(repr(now))
        if series.rollover is not None:
            register %= series.rollover
        register, before = round(register, 6), time
        rows.append((time, series.point, series.parameter, float(register), "N"))
    return rows


@st.composite
def bill_rows(draw: st.DrawFn, series: Series, start: int, end: int) -> list[Row]:
    """A short pattern over a part of the period."""
    interval = series.interval_ms or HOUR
    value = st.sampled_from([*values_of(series), *halves_of(series)]).map(lambda v: (v, "N"))
    clean = draw(st.booleans())
    usual = value if clean else st.one_of(*[value] * 5, st.sampled_from(NOT_VALID), st.none())
    pattern = draw(st.lists(usual, min_size=1, max_size=4))
    step = draw(st.sampled_from([interval, 2 * interval, 3 * interval]))
    first = start + draw(st.sampled_from([0, 0, -interval, interval // 2, 5 * HOUR, 1, 7001]))
    count = draw(st.sampled_from([0, 3, 31, 31, 31, 31]))
    rows: list[Row] = []
    for i in range(min(count, (end - first) // step + 2)):
        one = pattern[i % len(pattern)]
        if one is not None:
            rows.append((first + i * step, series.point, series.parameter, *one))
    return rows


@st.composite
def bill_series(draw: st.DrawFn, point: str, parameters: Sequence[str]) -> tuple[Series, ...]:
    """Flow and volume or not, and the parameters asked for."""
    interval, represents = st.sampled_from(BILL_INTERVALS), st.sampled_from(list(Represents))
    measured = draw(st.sampled_from([*["flow"] * 3, *["both"] * 6, *["volume"] * 3, "neither"]))
    found = []
    if measured in ("flow", "both"):
        unit = draw(st.sampled_from(["m3/h", "m3/h", "L/s", "m3/d"]))
        cut_off = draw(st.sampled_from([0.1, 0.0]))
        found.append(
            series(point, "flow", unit, draw(interval), represents=draw(represents), no_flow_below_m3_h=cut_off)
        )
    if measured in ("volume", "both"):
        found.append(
            series(
                point,
                "volume",
                draw(st.sampled_from(["m3", "m3", "L"])),
                None,
                rollover=draw(st.sampled_from([None, Decimal(1000), Decimal(1000)])),
                resolution=draw(st.sampled_from([Decimal(1), Decimal("0.01")])),
                max_rate_m3_h=draw(st.sampled_from([None, Decimal(20), Decimal("0.7")])),
            )
        )
    for name in parameters:
        unit = UNIT.get(name) or draw(st.sampled_from(["mg/L", "mg/L", "ug/L", "g/L"]))
        found.append(series(point, name, unit, draw(interval), represents=draw(represents)))
    return tuple(found)


@st.composite
def tariffs(draw: st.DrawFn, members: Sequence[Member], parameters: Sequence[str]) -> Tariff:
    """Any of the four parts."""
    steps = []
    for name in draw(st.lists(st.sampled_from(parameters), max_size=3)) if parameters else []:
        upper = Decimal(repr(UPPER[name]))
        steps.append(
            StrengthStep(
                parameter=name,
                above=draw(st.sampled_from([Decimal(0), upper / 4, upper / 2, upper, upper - Decimal("0.000001")])),
                step=draw(st.sampled_from([upper / 4, Decimal(3), Decimal("0.7")])),
                yuan_m3=draw(st.sampled_from([Decimal("0.30"), Decimal("0.0031692"), Decimal(-1)])),
                partial_step=draw(st.sampled_from(["ceil", "floor", "proportional"])),
            )
        )
    chosen = draw(st.lists(st.sampled_from([m.id for m in members]), unique=True))
    return Tariff(
        volume_price_yuan_m3=draw(st.sampled_from([None, Decimal("4.50"), Decimal("0.335"), Decimal(0)])),
        fixed_yuan_month=tuple((m, draw(st.sampled_from([Decimal(3000), Decimal("1.65")]))) for m in chosen),
        strength_steps=tuple(steps),
        unmetered_difference=draw(st.sampled_from(["report", "proportional", "proportional", "equal"])),
    )


@st.composite
def bill_cases(draw: st.DrawFn) -> BillCase:
    """A plant of 1–3 members and up to 4 outfalls, over a month or a quarter."""
    zone, _ = draw(st.sampled_from(ZONES))
    period = draw(st.sampled_from(PERIODS))
    ids = draw(st.permutations(["b", "a", "B", "é"]))[: draw(st.integers(1, 3))]
    share = st.sampled_from([None, "0.3", "0.5", "0", "1", "33.333333"])
    quota = st.sampled_from([None, None, "10", "0.0005", "7.1235", "0"])
    members = tuple(member(m, draw(share), draw(quota)) for m in ids)
    asked = draw(st.lists(st.sampled_from([*UPPER]), unique=True, max_size=3))
    points = []
    owners = [draw(st.sampled_from(ids)) for _ in range(draw(st.integers(1, 4)))]
    for i, owner in enumerate(owners):
        own = [x for x in asked if draw(st.sampled_from([True, True, True, False]))]
        points.append(Point(f"o{i}", Role.OUTFALL, draw(bill_series(f"o{i}", own)), member=owner))
    with_inlet = draw(st.booleans())
    if with_inlet:
        points.append(Point("in", Role.INLET, draw(bill_series("in", []))))
    measured = sorted({s.parameter for p in points for s in p.series} & set(UPPER))
    made = plant(
        draw(st.permutations(points)),
        zone=zone,
        members=members,
        inlet="in" if with_inlet else None,
        tariff=draw(tariffs(members, measured)),
        capacity_m3_d=draw(st.sampled_from([Decimal(1200), Decimal(48), Decimal("1000.5")])),
    )
    start, end = span_of(period, zone)
    rows: list[Row] = []
    for one in made.series:
        if one.parameter == "volume":
            rows += draw(bill_registers(made, one, start, end))
        else:
            rows += draw(bill_rows(one, start, end))
    bases = [*BASES, *(f"direct:{m}" for m in ids), *(f"load:{x}" for x in measured)]
    if not measured:
        bases.remove("load")
    amount = st.sampled_from(["100.00", "0.01", "0", "-33.34", "12372988.07", "0.1", "1000", "-0.02"])
    chosen = draw(st.lists(st.tuples(st.sampled_from(bases), amount), min_size=1, max_size=6))
    return BillCase(made, rows, period, [(f"item{i}", basis, x) for i, (basis, x) in enumerate(chosen)])
