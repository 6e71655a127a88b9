"""Reading from InfluxDB: the same answers as the journal's, by InfluxQL (design §4.7, ``store.read_from: influxdb``).

InfluxQL over ``/query`` with CSV is the one way of reading that 1.x, 2.x and 3.x share.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plant_monitor.errors import StoreError
from plant_monitor.readings import NORMAL, Readings, mark_code
from plant_monitor.store.influx import InfluxServer, quoted
from plant_monitor.store.lineprotocol import NO_VALUE

PAGE_ROWS = 250_000  # of one answer: about 25 MB of text
_LATEST_MS = 9_000_000_000_000  # InfluxDB counts in ns and knows no later time (2255)
_VALID = f" AND \"mark\" = '{chr(NORMAL)}'"
CORE_REFUSED = (
    "InfluxDB 3 Core answers queries of about 72 hours only, and a day's verdict or a bill may rest on readings from"
    " before: use store.read_from: journal here, or InfluxDB 1.x, 2.x or 3 Enterprise"
)


class InfluxSource:
    """A ReadingSource over the readings that the forwarder has written.

    ``series`` (point, parameter) by index. A reading without a finite value has lost its mark there
    (design §4.7); it is invalid all the same, as is any mark but ``N``, whatever value stands there.

    Every method raises StoreUnavailable where the server is out of reach or the database is not there, and
    StoreError where the server is one that cannot be read from.
    """

    def __init__(
        self, server: InfluxServer, plant_id: str, series: Sequence[tuple[str, str]], *, page_rows: int = PAGE_ROWS
    ) -> None:
        self._server, self._plant_id, self._series = server, plant_id, tuple(series)
        self._page_rows = page_rows
        self._fit = False  # the server was asked what it is

    def read(self, series: int, start_ms: int, end_ms: int) -> Readings:
        """Readings with ``start_ms <= time < end_ms``."""
        pages: list[Readings] = []
        while start_ms < end_ms:
            span = f"time >= {_ms(start_ms)} AND time < {_ms(end_ms)}"
            page = self._select(series, span, f"ORDER BY time ASC LIMIT {self._page_rows}")
            pages.append(page)
            if len(page) < self._page_rows:
                break
            start_ms = int(page.time[-1]) + 1
        return Readings.concat(pages)

    def before(self, series: int, time_ms: int, *, valid: bool = False) -> Readings:
        """The last reading (or last valid one) with time < ``time_ms``: none or one row."""
        return self._select(series, f"time < {_ms(time_ms)}{_VALID if valid else ''}", "ORDER BY time DESC LIMIT 1")

    def after(self, series: int, time_ms: int, *, valid: bool = False) -> Readings:
        """The first reading (or first valid one) with time >= ``time_ms``: none or one row."""
        return self._select(series, f"time >= {_ms(time_ms)}{_VALID if valid else ''}", "ORDER BY time ASC LIMIT 1")

    def extent(self) -> tuple[int, int] | None:
        """Times of the first and the last reading of all series; None where there is none."""
        edges = []
        for function in ("first", "last"):
            query = f'SELECT {function}("mark") FROM "readings" WHERE "plant" = \'{quoted(self._plant_id)}\''
            edges += [int(row[0]) for row in self._rows(query, ("time", function))]
        return (min(edges), max(edges)) if edges else None

    def kept_from_ms(self) -> int | None:
        """What the server drops by its own retention it does not tell."""
        return None

    def _select(self, series: int, condition: str, order: str) -> Readings:
        point, parameter = self._series[series]
        tags = {"plant": self._plant_id, "point": point, "parameter": parameter}
        where = " AND ".join(f"\"{key}\" = '{quoted(value)}'" for key, value in tags.items())
        rows = self._rows(
            f'SELECT "value", "mark" FROM "readings" WHERE {where} AND {condition} {order}', ("time", "value", "mark")
        )
        if not rows:
            return Readings.empty()
        time, value, mark = zip(*rows, strict=True)
        numbers = [np.nan if m == NO_VALUE or not v else float(v) for v, m in zip(value, mark, strict=True)]
        codes = {m: mark_code(m) for m in set(mark)}
        return Readings.of([int(t) for t in time], series, numbers, [codes[m] for m in mark])

    def _rows(self, query: str, columns: tuple[str, ...]) -> list[tuple[str, ...]]:
        """The rows of an answer: CSV whose last columns are those asked for, by name (none of ours holds a comma)."""
        self._be_sure()
        lines = self._server.query(self._server.settings.bucket, query).splitlines()
        if not lines:
            return []
        header = lines[0].split(",")
        missing = set(columns) - set(header)
        if missing:
            raise StoreError(f"InfluxDB answered {lines[0]!r}, expected the columns {', '.join(columns)}")
        at = [header.index(column) - len(header) for column in columns]  # from the right: a tag may hold a comma
        return [tuple(fields[i] for i in at) for fields in (line.split(",") for line in lines[1:]) if len(fields) > 1]

    def _be_sure(self) -> None:
        """Once: is it a server that can be read from?"""
        if self._fit:
            return
        version = self._server.version()
        if version.is_core:
            raise StoreError(f"{self._server.settings.url} is {version}: {CORE_REFUSED}")
        self._fit = True


def _ms(time_ms: int) -> str:
    return f"{min(max(time_ms, -_LATEST_MS), _LATEST_MS)}ms"
