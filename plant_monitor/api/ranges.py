"""Times, ranges and filters of a query."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import chain, pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from plant_monitor.alerts.lifecycle import Span
from plant_monitor.api.errors import ApiError, invalid
from plant_monitor.api.exports import Format
from plant_monitor.compliance.warnings import WarningKind
from plant_monitor.windows import day_start_ms, local_day, rfc3339

DAY_MS = 86_400_000
_YEARS = range(1971, 2200)
# A plus sign that was not escaped in the URL arrives as a space.
_LOST_PLUS = re.compile(r" (?=\d\d:\d\d$)")

MAX_LIMIT = 10_000


class Query(BaseModel):
    """Parameters of a query; one that is not known is an error, so that a misspelt filter filters."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class RangeQuery(Query):
    """A range of time."""

    from_: str | None = Field(
        None, alias="from", description="inclusive: RFC 3339, or a local date", examples=["2026-10-01"]
    )
    to: str | None = Field(
        None, description="exclusive: RFC 3339, or a local date; now where it is left out", examples=["2026-11-01"]
    )


class PageQuery(Query):
    """A page of a list."""

    limit: int = Field(1000, ge=1, le=MAX_LIMIT, description="rows of a page")
    cursor: str | None = Field(None, description="`next` of the page before")


class TableQuery(RangeQuery, PageQuery):
    """A range of a table, as pages of JSON or as one file."""

    format: Format = Field(
        "json", description="`json`: pages; `csv`, `ndjson` (an object a line), `parquet`: the whole range as one file"
    )


class ResultQuery(TableQuery):
    """Filters of results."""

    point: str | None = None
    parameter: str | None = None
    limit_set: str | None = None


class VerdictQuery(ResultQuery):
    """Filters of verdicts."""

    verdict: Literal["met", "exceeded", "insufficient_data", "no_discharge", "no_limit"] | None = None


class WarningQuery(ResultQuery):
    """Filters of warnings."""

    kind: WarningKind | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """A span of time and the local days it touches."""

    span: Span
    first: date
    last: date

    def months(self, today: date) -> Iterator[list[Range]]:
        """Its calendar months, of each the days that are evaluated at a time, with the span of the whole.

        A year so takes no more memory than a month. Yesterday and today stand apart: what is over is remembered while
        today goes on.
        """
        cuts = (today - timedelta(days=1), today, today + timedelta(days=1))
        first = self.first
        while first <= self.last:
            following = min((first.replace(day=1) + timedelta(days=31)).replace(day=1), self.last + timedelta(days=1))
            edges = [first, *(cut for cut in cuts if first < cut < following), following]
            yield [replace(self, first=a, last=b - timedelta(days=1)) for a, b in pairwise(edges)]
            first = following

    def parts(self, today: date) -> Iterator[Range]:
        """The same one after the other."""
        return chain.from_iterable(self.months(today))


def read_range(query: RangeQuery, zone: ZoneInfo, now_ms: int, *, default_days: int, max_days: int) -> Range | None:
    """The range of a query: ``default_days`` back where ``from`` is missing; nothing later than now. None: empty.

    Raises
    ------
    ApiError  no time, ``to`` before ``from``, or more than ``max_days``
    """
    to_ms = now_ms if query.to is None else read_instant(query.to, zone, "query.to")
    if query.from_ is None:
        from_ms = day_start_ms(local_day(min(to_ms, now_ms), zone) - timedelta(days=default_days), zone)
    else:
        from_ms = read_instant(query.from_, zone, "query.from")
    if query.to is not None and to_ms < from_ms:
        raise invalid("found a `to` before `from`, expected a later time", "query.to")
    end_ms = min(to_ms, now_ms)
    if end_ms <= from_ms:
        return None
    first, last = local_day(from_ms, zone), local_day(end_ms - 1, zone)
    if (last - first).days >= max_days:
        raise ApiError(
            422,
            "range_too_long",
            f"found a range of {(last - first).days + 1} days, expected at most {max_days}: ask for it in parts",
            "query.from",
        )
    return Range(Span(from_ms, end_ms), first, last)


def read_instant(text: str, zone: ZoneInfo, where: str) -> int:
    """Ms of an instant of a request: RFC 3339 with an offset, or a local date's beginning.

    Raises
    ------
    ApiError  it is neither
    """
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            day = date.fromisoformat(text)
            if day.year in _YEARS:
                return day_start_ms(day, zone)
        moment = datetime.fromisoformat(_LOST_PLUS.sub("+", text))
        if moment.tzinfo is not None and moment.year in _YEARS:
            return int(moment.timestamp() * 1000 // 1)
    except ValueError:
        pass
    example = rfc3339(1_790_784_000_000, zone)
    raise invalid(f"found {text!r}, expected a date (2026-10-01) or RFC 3339 with an offset ({example})", where)


def instant_of(text: str, zone: ZoneInfo) -> int:
    """Ms of an RFC 3339 time or the beginning of a local date, as this product writes them."""
    if len(text) == len("2026-10-01"):
        return day_start_ms(date.fromisoformat(text), zone)
    return round(datetime.fromisoformat(text).timestamp() * 1000)
