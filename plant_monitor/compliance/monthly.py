"""Monthly means of effective daily means, and their verdicts (design §4.1 ``monthly_mean``; rules.md §4.2 [M]).

The mean is the arithmetic one of the effective daily means; a month is judged when at least 75 % of its
calendar days are effective. How the sentences are read is written down in docs/decisions/0005.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plant_monitor.compliance.episodes import Episode, episodes
from plant_monitor.compliance.limits import (
    EXCEEDED,
    INSUFFICIENT_DATA,
    MET,
    NO_DISCHARGE,
    NO_LIMIT,
    AppliedLimit,
    VerdictArray,
    applied_limits,
    exceeded,
)
from plant_monitor.compliance.means import WindowStatistics
from plant_monitor.compliance.months import Months, effective_days
from plant_monitor.compliance.rows import VERDICT_TEXT, interleave, one_sided_ratio
from plant_monitor.compliance.tables import MONTHLY_COLUMNS, Table, text_column
from plant_monitor.plant import PH, Plant, Point, Series, Statistic
from plant_monitor.readings import BoolArray, Finding, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class JudgedMonths:
    """Months of a series against one limit; ``value`` (M,) in the limit's unit."""

    limit: AppliedLimit
    value: FloatArray
    verdict: VerdictArray


@dataclass(frozen=True, slots=True)
class MonthlyResult:
    """One series over M months.

    ``mean`` (M,) in the series' unit, NaN without effective day · ``effective`` (M,) effective days ·
    ``idle`` (M,) days seen without due time · ``judged`` by limit set
    """

    series: Series
    mean: FloatArray
    effective: IntArray
    idle: IntArray
    judged: tuple[JudgedMonths, ...]


def judge_months(plant: Plant, point: Point, series: Series, daily: WindowStatistics, months: Months) -> MonthlyResult:
    """Monthly mean of a series, judged by the limits in force on the first day of each month.

    ``daily`` (D,) statistics of the days that ``months`` divides.
    """
    good = effective_days(daily)
    effective, idle = months.count(good), months.count(daily.due_ms == 0)
    averaged = (effective > 0) & (series.parameter != PH)  # pH is never averaged
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(averaged, months.total(daily.mean, good) / effective, np.nan)
    limits = applied_limits(plant, point, series, months.first_days, only=Statistic.MONTHLY_MEAN)
    dry = idle == months.days
    judged = tuple(_judge(limit, mean * limit.factor, months.enough(effective), dry) for limit in limits)
    return MonthlyResult(series, mean, effective, idle, judged)


def _judge(limit: AppliedLimit, value: FloatArray, enough: BoolArray, dry: BoolArray) -> JudgedMonths:
    """No limit · no discharge in the whole month · insufficient data · exceeded · met, in this order."""
    decided = np.where(exceeded(value, limit.lower, limit.upper), EXCEEDED, MET)
    decided = np.where(enough, decided, INSUFFICIENT_DATA)
    decided = np.where(dry, NO_DISCHARGE, decided)
    return JudgedMonths(limit, value, np.where(limit.in_force, decided, NO_LIMIT).astype(np.int8))


def monthly_rows(result: MonthlyResult, months: Months) -> Table:
    """Rows of ``monthly.csv``: every month and limit in force, and months without one."""
    count = result.mean.size
    names = np.empty(count, dtype=object)
    names[:] = months.names
    free, nan = np.ones(count, dtype=bool), np.full(count, np.nan)
    for one in result.judged:
        free &= ~one.limit.in_force
    blocks = [(free, "", result.mean, nan, nan, np.full(count, NO_LIMIT, dtype=np.int8))]
    for one in result.judged:
        limit = one.limit
        blocks.append((limit.in_force, limit.limit_set, one.value, limit.lower, limit.upper, one.verdict))
    order, rows = [], []
    for on, limit_set, value, lower, upper, verdict in blocks:
        at = np.flatnonzero(on)
        order.append(at)
        rows.append({
            "month": names[at],
            "statistic": text_column(str(Statistic.MONTHLY_MEAN), at.size),
            "value": value[at],
            "lower": lower[at],
            "upper": upper[at],
            "limit_set": text_column(limit_set, at.size),
            "ratio": one_sided_ratio(value[at], lower[at], upper[at]),
            "effective_days": result.effective[at],
            "days": months.days[at],
            "verdict": VERDICT_TEXT[verdict[at]],
        })  # fmt: skip
    return interleave(result.series, MONTHLY_COLUMNS, order, rows)


def monthly_episodes(result: MonthlyResult, months: Months, until_ms: int | None) -> list[Episode]:
    """Runs of exceeded months.

    With ``until_ms`` (live) a month takes part once it is over and was seen whole: a part of it may be
    exceeded by chance of where an evaluation begins.
    """
    series, found = result.series, []
    for one in result.judged:
        limit, verdict = one.limit, one.verdict
        if until_ms is not None:
            seen = months.whole & (months.edges[1:] <= until_ms)
            verdict = np.where(seen, verdict, INSUFFICIENT_DATA).astype(np.int8)
        key = (series.point, series.parameter, limit.limit_set, limit.statistic, limit.unit)
        found.extend(episodes(key, one.value, limit.lower, limit.upper, verdict, months.edges))
    return found


def monthly_findings(result: MonthlyResult, months: Months) -> list[Finding]:
    """What a person should know about the months of a series."""
    found = []
    for one in result.judged:
        found.extend(_unverified(result.series, one, months))
        found.extend(_mostly_idle(result, one, months))
    return found


def _unverified(series: Series, one: JudgedMonths, months: Months) -> list[Finding]:
    deciding = np.flatnonzero(~one.limit.verified & ((one.verdict == EXCEEDED) | (one.verdict == MET)))
    if deciding.size == 0:
        return []
    first = int(deciding[0])
    message = (
        f"{one.limit.limit_set} {one.limit.statistic}: the number was not seen in the text of the standard; "
        f"it decides {deciding.size} month(s) from {months.names[first]} on"
    )
    return [_finding(series, months, first, "unverified_limit", message)]


def _mostly_idle(result: MonthlyResult, one: JudgedMonths, months: Months) -> Sequence[Finding]:
    """Months that lack days only because nothing was discharged on them."""
    judged = one.verdict == INSUFFICIENT_DATA
    few = judged & months.enough(result.effective + result.idle) & (result.effective > 0)
    return [
        _finding(
            result.series,
            months,
            int(m),
            "few_discharge_days",
            f"{one.limit.limit_set} {one.limit.statistic} of {months.names[m]}: {result.effective[m]} of "
            f"{months.days[m]} days are effective, {result.idle[m]} were without discharge; the rule asks for 75 % of "
            "the days of the month, so the month is not judged",
        )
        for m in np.flatnonzero(few)
    ]


def _finding(series: Series, months: Months, month: int, code: str, message: str) -> Finding:
    return Finding(int(months.edges[month]), series.point, series.parameter, code, message, "warning")
