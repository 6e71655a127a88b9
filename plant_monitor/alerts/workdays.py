"""Working days of China and office hours: when a deadline that counts them ends.

The State Council's list of holidays and make-up workdays comes each year from the package chinesecalendar. For
a year that it does not know yet, weekdays count as working days unless plant.yaml says otherwise, and whoever
shows such a deadline says so (:meth:`WorkCalendar.knows`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar

from plant_monitor.notify import Office, Term

_LONGEST_SEARCH_DAYS = 400  # nobody closes for longer; a table of exceptions that does is refused


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Working days and office hours of one plant. The days that ``office`` names overrule the official list."""

    zone: ZoneInfo
    office: Office = field(default_factory=Office)

    def is_working(self, day: date) -> bool:
        """True where people work on a day; by weekday where nobody has said."""
        if day in self.office.workdays or day in self.office.holidays:
            return day in self.office.workdays
        try:
            return bool(chinese_calendar.is_workday(day))
        except NotImplementedError:
            return day.weekday() < 5

    def knows(self, start_ms: int, end_ms: int) -> bool:
        """False where a day between the two stands on neither the official list nor in plant.yaml."""
        day, last = self._day(start_ms), self._day(end_ms)
        while day <= last:
            if day not in self.office.workdays and day not in self.office.holidays and not _listed(day.year):
                return False
            day += timedelta(days=1)
        return True

    def after(self, start_ms: int, term: Term) -> int:
        """The instant at which a term that begins at ``start_ms`` ends, ms UTC."""
        if term.working_days:
            return self._after_days(start_ms, term.working_days)
        if term.working_ms:
            return self._after_office_time(start_ms, term.working_ms)
        return start_ms + term.clock_ms

    def before(self, end_ms: int, term: Term) -> int:
        """The latest instant from which a term of clock or office time still ends by ``end_ms``.

        Raises
        ------
        ValueError  a term of working days: nobody counts those backwards
        """
        if term.working_days:
            raise ValueError("a reminder comes hours before a deadline, not working days")
        left = term.working_ms
        if not left:
            return end_ms - term.clock_ms
        day = self._day(end_ms)
        for _ in range(_LONGEST_SEARCH_DAYS):
            opens, closes = self._hours(day)
            closes = min(closes, end_ms)
            if self.is_working(day) and closes > opens:
                if closes - opens >= left:
                    return closes - left
                left -= closes - opens
            day -= timedelta(days=1)
        raise ValueError("no working day within more than a year; look at the holidays in plant.yaml")

    def _after_days(self, start_ms: int, days: int) -> int:
        day, left = self._day(start_ms), days
        for _ in range(_LONGEST_SEARCH_DAYS + 7 * days):
            day += timedelta(days=1)
            left -= self.is_working(day)
            if left == 0:
                return self._hours(day)[1]
        raise ValueError("no working day within more than a year; look at the holidays in plant.yaml")

    def _after_office_time(self, start_ms: int, left: int) -> int:
        day = self._day(start_ms)
        for _ in range(_LONGEST_SEARCH_DAYS):
            opens, closes = self._hours(day)
            opens = max(opens, start_ms)
            if self.is_working(day) and closes > opens:
                if closes - opens >= left:
                    return opens + left
                left -= closes - opens
            day += timedelta(days=1)
        raise ValueError("no working day within more than a year; look at the holidays in plant.yaml")

    def _day(self, time_ms: int) -> date:
        return datetime.fromtimestamp(time_ms // 1000, self.zone).date()

    def _hours(self, day: date) -> tuple[int, int]:
        return tuple(  # type: ignore[return-value]
            round(datetime.combine(day, at, tzinfo=self.zone).timestamp()) * 1000
            for at in (self.office.opens, self.office.closes)
        )


def _listed(year: int) -> bool:
    try:
        chinese_calendar.is_workday(date(year, 6, 1))
    except NotImplementedError:
        return False
    return True
