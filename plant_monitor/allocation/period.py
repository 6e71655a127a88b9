"""The period of a bill: a month or a quarter of the plant's calendar."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from plant_monitor.errors import InputError
from plant_monitor.windows import day_start_ms

_PERIOD = re.compile(r"([0-9]{4})-(?:(0[1-9]|1[0-2])|Q([1-4]))")


@dataclass(frozen=True, slots=True)
class Period:
    """A billing period, half-open ``[start_ms, end_ms)``, from local midnight to local midnight."""

    label: str  # YYYY-MM or YYYY-Qn
    first: date  # first local day
    last: date  # last local day
    months: int  # 1 or 3
    start_ms: int
    end_ms: int
    part: Fraction = Fraction(1)  # of the whole: less than 1 for one that is still running

    @property
    def days(self) -> int:
        """Calendar days; a day of daylight saving counts as one."""
        return (self.last - self.first).days + 1

    def so_far(self, until: date, zone: ZoneInfo) -> Period:
        """The days before ``until``, as a period of its own.

        Raises
        ------
        InputError  no day of the period is before it, or no day is left
        """
        if not self.first < until <= self.last:
            days = f"{self.first + timedelta(days=1)} to {self.last}"
            raise InputError(f"--until: found {until}, expected a day inside {self.label}, from {days}")
        last = until - timedelta(days=1)
        part = Fraction((until - self.first).days, self.days)
        return replace(self, last=last, end_ms=day_start_ms(until, zone), part=part)

    def before(self, months: int, zone: ZoneInfo) -> Period:
        """The month or quarter that many months earlier: of a quarter, a multiple of three."""
        year, month = divmod(self.first.year * 12 + self.first.month - 1 - months, 12)
        label = f"{year:04}-{month + 1:02}" if self.months == 1 else f"{year:04}-Q{month // 3 + 1}"
        return Period.parse(label, zone)

    @staticmethod
    def parse(text: str, zone: ZoneInfo) -> Period:
        """The period named by ``YYYY-MM`` or ``YYYY-Qn`` in the plant's zone.

        Raises
        ------
        InputError  the text is neither
        """
        match = _PERIOD.fullmatch(text)
        if match is None or not 1 <= int(match[1]) < date.max.year:
            raise InputError(
                f"--period: found {text!r}, expected a month YYYY-MM or a quarter YYYY-Qn (2026-10, 2026-Q4)"
            )
        year, months = int(match[1]), 1 if match[2] else 3
        month = int(match[2]) if match[2] else 3 * int(match[3]) - 2
        first = date(year, month, 1)
        next_month = month + months
        after = date(year + (next_month - 1) // 12, (next_month - 1) % 12 + 1, 1)
        last = after - timedelta(days=1)
        return Period(text, first, last, months, day_start_ms(first, zone), day_start_ms(after, zone))
