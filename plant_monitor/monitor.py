"""The use cases: what the product does with a plant's readings, short enough to read top to bottom.

    readings --evaluate_days--> verdicts, episodes --exceedances--> alerts
    readings --bill_period----> statement

Readings come from any :class:`~plant_monitor.readings.ReadingSource`: the journal, InfluxDB, a file.
The work itself is done by the pure packages ``compliance``, ``allocation`` and ``alerts.lifecycle``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from plant_monitor.alerts.analysis import Case, Exceeded, MonthSpan, Row, analysis
from plant_monitor.alerts.deadlines import Trail
from plant_monitor.alerts.lifecycle import WARNINGS, Alert, Exceedance, Kind
from plant_monitor.allocation.running import Running, bill_so_far
from plant_monitor.allocation.split import CostItem
from plant_monitor.allocation.statement import Period, Statement, bill
from plant_monitor.annotations import AnnotatedSource
from plant_monitor.compliance.difference import COMPARED, differences
from plant_monitor.compliance.evaluate import (
    POINT_TABLES,
    Evaluation,
    PointResult,
    Span,
    evaluate,
    evaluate_point,
    points_in_order,
)
from plant_monitor.compliance.evidence import evidence_table
from plant_monitor.compliance.explain import explain_day
from plant_monitor.compliance.laboratory import LabResult, OnlineMean, lab_table, online_mean
from plant_monitor.compliance.means import PointVolume
from plant_monitor.compliance.scenario import Scenario, changed
from plant_monitor.compliance.suspects import PointDays, balances, suspect_sensors
from plant_monitor.compliance.suspicion import HISTORY_DAYS
from plant_monitor.compliance.tables import Table
from plant_monitor.compliance.warnings import PlantWarning
from plant_monitor.errors import InputError
from plant_monitor.plant import FLOW, VOLUME, Name, Plant, Point, Statistic
from plant_monitor.readings import Readings, ReadingSource, Touched
from plant_monitor.windows import Windows, day_start_ms, local_day, local_windows, rfc3339

EARLIER_MONTHS = 3  # that a month of alerts is compared with


def readings_around(
    plant: Plant, source: ReadingSource, start_ms: int, end_ms: int, *, chosen: Collection[int] | None = None
) -> Readings:
    """All readings of ``[start_ms, end_ms)`` and those outside that hold into them.

    That is one neighbour on each side of every series, and for a totaliser the next *valid* register on
    each side however far, since the slope between them stands in for a flow that is missing. ``chosen``: only
    the series of these indices.

    Raises
    ------
    InputError  readings of that time were dropped: what is left of them must not look like a result
    """
    if not is_kept(source, start_ms):
        kept = rfc3339(source.kept_from_ms() or 0, plant.zone)
        raise InputError(
            f"{rfc3339(start_ms, plant.zone)} lies before {kept}: older readings were dropped (store.retention);"
            " begin later, or evaluate a backup of that time"
        )
    parts = []
    for index in range(len(plant.series)) if chosen is None else sorted(chosen):
        registers = plant.series[index].parameter == VOLUME
        parts.append(source.before(index, start_ms, valid=registers))
        parts.append(source.read(index, start_ms, end_ms))
        parts.append(source.after(index, end_ms, valid=registers))
    return Readings.concat(parts)


def is_kept(source: ReadingSource, time_ms: int) -> bool:
    """Whether all readings that came from an instant on are still there."""
    kept = source.kept_from_ms()
    return kept is None or time_ms >= kept


def kept_days(plant: Plant, source: ReadingSource, days: Iterable[date]) -> set[date]:
    """Those of the days whose readings are still there."""
    return {day for day in days if is_kept(source, day_start_ms(day, plant.zone))}


def days_with_readings(plant: Plant, source: ReadingSource) -> tuple[date, date] | None:
    """The local days of the first and of the last accepted reading; None where there is none."""
    extent = source.extent()
    if extent is None:
        return None
    return local_day(extent[0], plant.zone), local_day(extent[1], plant.zone)


def evaluate_days(
    plant: Plant,
    source: ReadingSource,
    first: date,
    last: date,
    *,
    until_ms: int | None = None,
    rates: bool = False,
    warnings: bool = False,
) -> Evaluation:
    """Verdicts of the local days ``first`` … ``last``; the same bits as in an evaluation of more days.

    ``until_ms``: windows that end later still run and take part in no episode. ``rates``: count the readings
    that came, too. ``warnings``: what would have been warned of, too. What months tell is made of these days alone.
    """
    windows = local_windows(first, last, plant.zone)
    readings = Readings.empty()
    if windows.days:
        readings = readings_around(plant, source, windows.start_ms, windows.end_ms)
    return evaluate(plant, readings, windows, until_ms=until_ms, rates=rates, warnings=warnings)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Hours, days, episodes of some points: the rows that an evaluation of the whole plant has, in its order."""

    windows: Windows
    hourly: Table
    daily: Table
    exceedances: Table
    volumes: Mapping[str, PointVolume]  # by point


def verdicts_of_days(
    plant: Plant,
    source: ReadingSource,
    points: Collection[str],
    first: date,
    last: date,
    *,
    until_ms: int | None = None,
) -> Verdicts:
    """The same of some points alone, whose readings alone are read."""
    span = Span.of(plant, local_windows(first, last, plant.zone))
    results = []
    for point in points_in_order(plant):
        if point.id in points:
            own = _own_readings(plant, source, point, span.windows.start_ms, span.windows.end_ms)
            results.append(evaluate_point(plant, point, own, span, until_ms=until_ms))
    hourly, daily, exceedances = (
        Table.stack(POINT_TABLES[name], [result.tables[name] for result in results])
        for name in ("hourly", "daily", "exceedances")
    )
    return Verdicts(span.windows, hourly, daily, exceedances, {r.figures.point: r.figures.volume for r in results})


def warnings_of_days(
    plant: Plant, source: ReadingSource, evaluation: Evaluation, until_ms: int | None = None
) -> tuple[PlantWarning, ...]:
    """All that was, or would have been, warned of on the days of an evaluation that looked for warnings."""
    return (*evaluation.warned.rows, *suspicions(plant, source, evaluation.windows, until_ms))


def suspicions(
    plant: Plant, source: ReadingSource, windows: Windows, until_ms: int | None = None
) -> list[PlantWarning]:
    """The sensors that are suspect within the windows, each by its own history before; point after point."""
    whole = with_history(plant, source, windows)
    found: list[PlantWarning] = []
    days = {}
    for point in plant.points:
        signs, days[point.id] = suspicions_of_point(plant, source, point, whole, until_ms)
        found.extend(signs)
    return signs_within(windows, [*found, *balances(plant, days, whole)])


def with_history(plant: Plant, source: ReadingSource, windows: Windows) -> Windows:
    """The windows and the days before them from which suspicion learns; of dropped readings nothing is learnt."""
    if not windows.days:
        return windows
    history = days_between(windows.days[0] - timedelta(days=HISTORY_DAYS), windows.days[0])
    first = min(kept_days(plant, source, history), default=windows.days[0])
    return local_windows(first, windows.days[-1], plant.zone)


def suspicions_of_point(
    plant: Plant, source: ReadingSource, point: Point, whole: Windows, until_ms: int | None = None
) -> tuple[list[PlantWarning], PointDays]:
    """The suspicions about one point over windows with their history, and its days for ``balances``."""
    end_ms = whole.end_ms if until_ms is None else min(whole.end_ms, until_ms)
    return suspect_sensors(plant, point, _own_readings(plant, source, point, whole.start_ms, end_ms), whole)


def signs_within(windows: Windows, signs: Iterable[PlantWarning]) -> list[PlantWarning]:
    """Those of the signs that are not over before the windows."""
    return [w for w in signs if windows.days and w.end_ms > windows.start_ms]


def evaluate_point_days(plant: Plant, source: ReadingSource, point: Point, span: Span) -> PointResult:
    """One point over the days of ``span``, reading nothing but its own; with rates, warnings and ``evidence``."""
    own = _own_readings(plant, source, point, span.windows.start_ms, span.windows.end_ms)
    result = evaluate_point(plant, point, own, span, rates=True, warnings=True)
    evidence = evidence_table(plant, point, own, span.windows, result.tables["daily"])
    return replace(result, tables={**result.tables, "evidence": evidence})


def _own_readings(plant: Plant, source: ReadingSource, point: Point, start_ms: int, end_ms: int) -> dict[str, Readings]:
    chosen = {s.parameter: plant.series_index[point.id, s.parameter] for s in point.series}
    readings = Readings.empty()
    if start_ms < end_ms:
        readings = readings_around(plant, source, start_ms, end_ms, chosen=chosen.values()).by_time()
    return {parameter: readings.of_series(index) for parameter, index in chosen.items()}


def laboratory(plant: Plant, source: ReadingSource, results: Iterable[LabResult]) -> Table:
    """Laboratory results judged, each beside the online analyser over the time of its sample."""
    return lab_table(plant, [(result, _online(plant, source, result)) for result in results])


def samples_within(results: Iterable[LabResult], windows: Windows) -> list[LabResult]:
    """The results whose sample touches the days."""
    if not windows.days:
        return []
    start_ms, end_ms = windows.start_ms, windows.end_ms
    return [r for r in results if r.start_ms < end_ms and max(r.end_ms, r.start_ms + 1) > start_ms]


def _online(plant: Plant, source: ReadingSource, result: LabResult) -> OnlineMean | None:
    point = plant.point_by_id.get(result.point)
    if point is None or point.find(result.parameter) is None or not is_kept(source, result.start_ms):
        return None
    needed = {plant.series_index[s.point, s.parameter] for s in point.series if s.parameter in (FLOW, VOLUME)}
    needed.add(plant.series_index[result.point, result.parameter])
    end_ms = max(result.end_ms, result.start_ms + 1)
    readings = readings_around(plant, source, result.start_ms, end_ms, chosen=needed).by_time()
    return online_mean(plant, result, {plant.series[i].parameter: readings.of_series(i) for i in needed})


def explained(plant: Plant, source: ReadingSource, point: str, parameter: str, day: date) -> list[Name]:
    """How the verdicts of one series on one day came about, line by line.

    Raises
    ------
    InputError  the plant has no such series, or one that has no verdict
    """
    index = plant.series_index.get((point, parameter))
    if index is None or parameter == VOLUME:
        known = ", ".join(f"{s.point}/{s.parameter}" for s in plant.series if s.parameter != VOLUME)
        raise InputError(f"nothing is judged of {point}/{parameter}; expected one of {known}")
    windows = local_windows(day, day, plant.zone)
    readings = readings_around(plant, source, windows.start_ms, windows.end_ms)
    annotations = source.annotations if isinstance(source, AnnotatedSource) else ()
    return explain_day(plant, readings, windows, plant.point_by_id[point], plant.series[index], annotations)


def what_if(
    plant: Plant, source: ReadingSource, scenario: Scenario, first: date, last: date
) -> tuple[Evaluation, Evaluation]:
    """The days as they were, and as they would have been; by the same core."""
    windows = local_windows(first, last, plant.zone)
    readings = Readings.empty()
    if windows.days:
        readings = readings_around(plant, source, windows.start_ms, windows.end_ms)
    other_plant, other_readings = changed(plant, readings, scenario)
    return evaluate(plant, readings, windows), evaluate(other_plant, other_readings, windows)


def compared(was: Evaluation, now: Evaluation) -> Table:
    """Every verdict in which two evaluations differ, with its cause."""
    sides = [{name: getattr(one, name).rows() for name in COMPARED} for one in (was, now)]
    return differences(*sides)


def bill_period(plant: Plant, source: ReadingSource, period: Period, costs: Sequence[CostItem]) -> Statement:
    """The statement of a month or quarter."""
    readings = readings_around(plant, source, period.start_ms, period.end_ms)
    return bill(plant, readings, period, costs)


def bill_running(
    plant: Plant, source: ReadingSource, period: Period, costs: Sequence[CostItem], until: date
) -> Running:
    """The bill so far of a period that is still running: the days before ``until``, and a projection."""
    readings = readings_around(plant, source, period.start_ms, day_start_ms(until, plant.zone))
    return bill_so_far(plant, readings, period, costs, until)


def month_of_alerts(
    plant: Plant,
    source: ReadingSource,
    alerts: Iterable[tuple[Alert, Trail]],
    month: Period,
    judged: Callable[[date, date], Evaluation] | None = None,
) -> tuple[Row, ...]:
    """What a month's alerts come to, beside the hours and days that its readings exceed.

    ``alerts`` that opened in the month or in the :data:`EARLIER_MONTHS` before it, with their trails. Months
    before the first reading are not compared with. ``judged(first, last)`` the evaluation of local days, where it is
    remembered; the last day, which may still grow, is asked for by itself.

    Raises
    ------
    InputError  a quarter, or a month without readings
    """
    extent = days_with_readings(plant, source)
    if month.months != 1 or extent is None or extent[1] < month.first or extent[0] > month.last:
        raise InputError(f"found {month.label}, expected a month with readings, as 2026-10")
    last = min(month.last, extent[1])
    parts = [(month.first, last - timedelta(days=1)), (last, last)] if last > month.first else [(last, last)]
    evaluate_part = judged or (lambda a, b: evaluate_days(plant, source, a, b))
    evaluations = [evaluate_part(*part) for part in parts]
    earlier, before = [], month
    for _ in range(EARLIER_MONTHS):
        before = Period.parse(f"{before.first - timedelta(days=1):%Y-%m}", plant.zone)
        if before.last >= extent[0]:
            earlier.append(MonthSpan(before.label, before.start_ms, before.end_ms))
    owners = {p.id: p.member or "" for p in plant.points}
    cases = [Case(alert.member or owners.get(alert.point, ""), alert, trail) for alert, trail in alerts]
    span = MonthSpan(month.label, month.start_ms, month.end_ms)
    return analysis(cases, span, earlier, _exceeded(evaluations, owners), set(owners.values()))


def compared_from_ms(plant: Plant, month: Period) -> int:
    """Start of the earliest month that a month of alerts is compared with."""
    before = month
    for _ in range(EARLIER_MONTHS):
        before = Period.parse(f"{before.first - timedelta(days=1):%Y-%m}", plant.zone)
    return before.start_ms


def _exceeded(evaluations: Sequence[Evaluation], owners: Mapping[str, str]) -> dict[str, Exceeded]:
    """Days, hours and the worst ratio by owner; an hour counts where a limit speaks of hours."""
    days: dict[str, set[str]] = {}
    hours: dict[str, set[str]] = {}
    worst: dict[str, float] = {}
    for row in (row for one in evaluations for row in one.daily.rows()):
        if row["verdict"] == "exceeded":
            owner = owners[row["point"]]
            days.setdefault(owner, set()).add(row["date"])
            worst[owner] = max(worst.get(owner, 0.0), row["ratio"] or 0.0)
    for row in (row for one in evaluations for row in one.hourly.rows()):
        if row["verdict"] == "exceeded" and row["statistic"] in (Statistic.HOURLY_MEAN, Statistic.HOURLY_MEDIAN):
            hours.setdefault(owners[row["point"]], set()).add(row["hour"])
    return {
        owner: Exceeded(len(days.get(owner, ())), len(hours.get(owner, ())), worst.get(owner) or None)
        for owner in days.keys() | hours.keys()
    }


def affected_days(plant: Plant, source: ReadingSource, touched: Iterable[Touched]) -> set[date]:
    """The local days whose results may differ once these readings are in.

    A reading changes how long its neighbours hold, at most twice the interval away; a register changes
    the slope up to the next valid registers.
    """
    days: set[date] = set()
    for one in touched:
        series = plant.series[one.series]
        reach = 2 * (series.interval_ms or 0)
        start, end = one.first_ms - reach, one.last_ms + reach
        if series.parameter == VOLUME:
            previous = source.before(one.series, one.first_ms, valid=True)
            following = source.after(one.series, one.last_ms + 1, valid=True)
            start = int(previous.time[0]) if len(previous) else one.first_ms
            end = int(following.time[0]) if len(following) else one.last_ms
        days |= set(days_between(local_day(start, plant.zone), local_day(end, plant.zone)))
    return days


def days_between(first: date, last: date) -> list[date]:
    """``first`` … ``last``, both inclusive."""
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def with_ended_months(plant: Plant, days: Iterable[date], until_ms: int) -> set[date]:
    """The days, and all others of their months that are over, where a limit speaks of months.

    A month is judged as a whole: once when it ends, and again when anything in it changes.
    """
    found = set(days)
    used = {set_id for point in plant.points for set_id in point.limits}
    statistics = {x.statistic for set_id in used for x in plant.limit_set_by_id[set_id].limits}
    if Statistic.MONTHLY_MEAN not in statistics:
        return found
    for first in {day.replace(day=1) for day in found}:
        following = (first + timedelta(days=31)).replace(day=1)
        if day_start_ms(following, plant.zone) <= until_ms:
            found |= set(days_between(first, following - timedelta(days=1)))
    return found


def runs_of_days(days: Iterable[date]) -> list[tuple[date, date]]:
    """The days as runs without gaps, each by its first and last day."""
    runs: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if runs and (day - runs[-1][1]).days == 1:
            runs[-1] = runs[-1][0], day
        else:
            runs.append((day, day))
    return runs


def exceedances(evaluation: Evaluation) -> list[Exceedance]:
    """The episodes of an evaluation, as what alerts are opened for."""
    return [
        Exceedance(
            point=e.point,
            parameter=e.parameter,
            limit_set=e.limit_set,
            statistic=str(e.statistic),
            start_ms=e.start_ms,
            end_ms=e.end_ms,
            windows=e.windows,
            peak=e.peak,
            limit=e.limit,
            peak_ratio=e.peak_ratio,
            # A month that is over is judged for good: nothing goes on that an evaluation would have to look back to.
            ongoing=e.ongoing and e.statistic is not Statistic.MONTHLY_MEAN,
            unit=e.unit,
        )
        for e in evaluation.episodes
    ]


def warned(warnings: Iterable[PlantWarning]) -> list[Exceedance]:
    """Warnings, as what alerts are opened for; one that suspects a sensor by the name of its test."""
    return [
        Exceedance(
            point=w.point,
            parameter=w.parameter,
            limit_set=w.limit_set,
            statistic=w.statistic or str(w.kind),
            start_ms=w.start_ms,
            end_ms=w.end_ms,
            windows=w.count,
            peak=float(w.count) if w.value is None or w.bound is None else w.value,
            limit=0.0 if w.value is None or w.bound is None else w.bound,
            peak_ratio=_beyond(w.value, w.bound),
            ongoing=w.ongoing,
            unit="" if w.value is None or w.bound is None else w.unit,
            kind=Kind(str(w.kind)) if str(w.kind) in WARNINGS else Kind.SUSPECT_SENSOR,
            evidence=w.evidence,
        )
        for w in warnings
    ]


def _beyond(value: float | None, bound: float | None) -> float | None:
    """How many times beyond its bound, for telling which is worse; None where that has no meaning."""
    if value is None or bound is None or value <= 0 or bound <= 0:
        return None
    return max(value / bound, bound / value)
