"""Days and hours of the plant's zone as windows on the UTC time line.

Days are those of the local calendar, half-open; hours are steps of 3600 s from local midnight, cut
at the next midnight (design §5). A day of daylight saving so has 23 or 25 hours, and a zone that
shifts by half an hour has one short hour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from plant_monitor.readings import IntArray

HOUR_MS = 3_600_000


def day_start_ms(day: date, zone: ZoneInfo) -> int:
    """The first instant of a local day, ms UTC (also where midnight itself is skipped)."""
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000


def local_day(time_ms: int, zone: ZoneInfo) -> date:
    """The local date of an instant."""
    return datetime.fromtimestamp(time_ms // 1000, zone).date()


def window_start_ms(label: str, zone: ZoneInfo) -> int:
    """The first instant of an hour, day or month, as results name them (RFC 3339, ``2026-10-01``, ``2026-10``)."""
    if len(label) > len("2026-10-01"):
        return parse_rfc3339(label)
    return day_start_ms(date.fromisoformat(label if len(label) > len("2026-10") else f"{label}-01"), zone)


def rfc3339(time_ms: int, zone: ZoneInfo) -> str:
    """RFC 3339 with the zone's offset; milliseconds only where there are any."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC) + timedelta(milliseconds=time_ms % 1000)
    return moment.astimezone(zone).isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")


_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def parse_rfc3339(text: str) -> int:
    """ms UTC of an RFC 3339 time with offset, cut to ms (down, also before 1970).

    As in readings files, a blank may stand for ``T`` (RFC 3339 §5.6, note).

    Raises
    ------
    ValueError  another format, no offset, or a date or time that does not exist (so also second 60)
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError("no RFC 3339 time with offset, such as 2026-10-01T08:00:00+08:00")
    return (datetime.fromisoformat(text.upper()) - _EPOCH) // _MILLISECOND


@dataclass(frozen=True, slots=True)
class Windows:
    """Consecutive local days and their hours.

    ``days`` dates, length D · ``day_edges`` (D+1,) ms · ``hour_edges`` (H+1,) ms, every day edge
    among them · ``hour_day`` (H,) index of the hour's day.
    """

    days: tuple[date, ...]
    day_edges: IntArray
    hour_edges: IntArray
    hour_day: IntArray

    @property
    def start_ms(self) -> int:
        """First instant covered."""
        return int(self.day_edges[0])

    @property
    def end_ms(self) -> int:
        """First instant no longer covered."""
        return int(self.day_edges[-1])


def local_windows(first: date, last: date, zone: ZoneInfo) -> Windows:
    """The local days ``first`` … ``last``, both inclusive; none where ``last < first``."""
    count = max(0, (last - first).days + 1)
    days = tuple(first + timedelta(days=i) for i in range(count))
    edges = np.array([day_start_ms(first + timedelta(days=i), zone) for i in range(count + 1)], dtype=np.int64)
    lengths = np.diff(edges)
    hours = -(-lengths // HOUR_MS)  # a cut last step counts as an hour
    hour_day = np.repeat(np.arange(count, dtype=np.int64), hours)
    first_hour = np.cumsum(hours) - hours
    within = np.arange(hour_day.size, dtype=np.int64) - first_hour[hour_day]
    starts = edges[hour_day] + within * HOUR_MS
    return Windows(days, edges, np.append(starts, edges[-1]).astype(np.int64), hour_day)


def hour_labels(windows: Windows, zone: ZoneInfo) -> list[str]:
    """RFC 3339 of the start of every hour. An ordinary day is told from its first hour, the others hour by hour."""
    labels: list[str] = []
    starts = np.split(windows.hour_edges[:-1], np.searchsorted(windows.hour_edges, windows.day_edges[1:-1]))
    for hours, end_ms in zip(starts, windows.day_edges[1:].tolist()):
        first, last = rfc3339(int(hours[0]), zone), rfc3339(end_ms - HOUR_MS, zone)
        if hours.size == 24 and first[11:19] == "00:00:00" and last[11:] == f"23{first[13:]}":
            labels += [f"{first[:11]}{hour:02d}{first[13:]}" for hour in range(24)]
        else:
            labels += [rfc3339(int(t), zone) for t in hours]
    return labels
