"""A client of the HTTP API for Python programs, on the standard library's own HTTP.

    plant = Client("http://127.0.0.1:8000/api/v1", "pm_…")
    for day in plant.daily(from_="2026-10-01", verdict="exceeded"):
        print(day.date, day.point, day.parameter, day.value, day.upper)

Rows are the models that the server itself answers with (``plant_monitor.api.schemas``); what is unknown is None.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from pydantic import BaseModel

from plant_monitor.api.schemas import (
    AlertView,
    DayView,
    ExceedanceView,
    HeadroomNowView,
    HeadroomView,
    HourView,
    PlantView,
    ReadingView,
    StatementHeadView,
    UsageView,
    WindowView,
)
from plant_monitor.config.whole_file import replacing
from plant_monitor.errors import PlantMonitorError

Row = TypeVar("Row", bound=BaseModel)
TRIES = 3  # of a request that the server has no time for just now


class ApiProblem(PlantMonitorError):
    """The answer is an error: ``status`` (0: the server cannot be reached), ``code``, ``where``, and its message."""

    def __init__(self, status: int, code: str, message: str, where: str = "") -> None:
        self.status, self.code, self.where = status, code, where
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """Something that happened: ``kind`` readings, hours, days, alert, or reset (read again what you show)."""

    id: str
    kind: str
    data: dict[str, Any]


class Client:
    """What a key may see. ``url`` ends in ``/api/v1``. Any method may raise :class:`ApiProblem`."""

    def __init__(
        self, url: str, key: str, *, timeout_s: float = 30.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._url, self._key, self._timeout_s, self._sleep = url.rstrip("/"), key, timeout_s, sleep

    # --- the routes that are asked most ---------------------------------------------------------

    def plant(self) -> PlantView:
        """The plant, its points and limits, as this key may see them."""
        return PlantView.model_validate(self.get("/plant"))

    def usage(
        self, member: str, *, step: Literal["hour", "day", "month"] = "day", **range_: str
    ) -> Iterator[UsageView]:
        """A member's volumes and loads. Ranges everywhere: ``from_`` inclusive, ``to`` exclusive; dates or RFC 3339."""
        return self.rows(UsageView, f"/members/{quote(member)}/usage", step=step, **range_)

    def readings(
        self, point: str, parameter: str, *, pixels: int | None = None, **range_: str
    ) -> Iterator[ReadingView]:
        """Readings as they came; with ``pixels`` thinned for a chart so wide, without losing a peak."""
        return self.rows(ReadingView, f"/points/{quote(point)}/readings", parameter=parameter, pixels=pixels, **range_)

    def windows(
        self, point: str, parameter: str, *, step: Literal["minute", "hour", "day"] = "hour", **range_: str
    ) -> Iterator[WindowView]:
        """Readings put together by minute, hour or day."""
        return self.rows(WindowView, f"/points/{quote(point)}/readings", parameter=parameter, step=step, **range_)

    def daily(self, **query: str) -> Iterator[DayView]:
        """Daily means and verdicts; filters as the route has them."""
        return self.rows(DayView, "/compliance/daily", **query)

    def hourly(self, **query: str) -> Iterator[HourView]:
        """Hourly means and verdicts."""
        return self.rows(HourView, "/compliance/hourly", **query)

    def exceedances(self, **query: str) -> Iterator[ExceedanceView]:
        """Runs of exceeded windows."""
        return self.rows(ExceedanceView, "/exceedances", **query)

    def headroom(self, **range_: str) -> Iterator[HeadroomView]:
        """Inflow, capacity and what is left of it, by day."""
        return self.rows(HeadroomView, "/headroom", **range_)

    def headroom_now(self) -> HeadroomNowView:
        """What is left now, and the forecast of the week."""
        return HeadroomNowView.model_validate(self.get("/headroom/now"))

    def alerts(self, **query: str) -> Iterator[AlertView]:
        """Alerts, the newest first."""
        return self.rows(AlertView, "/alerts", **query)

    def statements(self, **query: str) -> Iterator[StatementHeadView]:
        """Bills and their corrections, the newest first."""
        return self.rows(StatementHeadView, "/statements", **query)

    # --- any route ------------------------------------------------------------------------------

    def get(self, path: str, **query: Any) -> Any:
        """The JSON that a route answers with."""
        with self._ask("GET", path, query) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any) -> Any:
        """The same of a route that takes something."""
        with self._ask("POST", path, {}, json.dumps(body).encode()) as answer:
            return json.load(answer)

    def rows(self, row: type[Row], path: str, **query: Any) -> Iterator[Row]:
        """Every row of a list; a page is asked for when its first row is."""
        cursor = None
        while True:
            page = self.get(path, cursor=cursor, **query)
            yield from (row.model_validate(item) for item in page["items"])
            cursor = page["next"]
            if cursor is None:
                return

    def save(self, path: str, file: Path | str, **query: Any) -> Path:
        """A whole list (``format="csv"``, ``"ndjson"``, ``"parquet"``) or a document as a file, whole or not at all."""
        with self._ask("GET", path, query) as answer, replacing(Path(file)) as partial, partial.open("wb") as out:
            while block := answer.read(65_536):
                out.write(block)
        return Path(file)

    def live(self, *, last_id: str = "", **filters: str) -> Iterator[LiveEvent]:
        """What happens, for as long as one listens. A line that breaks is taken up again where it was left."""
        connected = False
        while True:
            try:
                with self._ask("GET", "/live", filters, headers={"Last-Event-ID": last_id}) as answer:
                    connected = True
                    for event in _events(answer):
                        last_id = event.id or last_id
                        if event.kind:
                            yield event
            except (OSError, HTTPException):
                pass  # it broke while it was read: dead, or the service ended
            except ApiProblem as problem:
                if not connected or problem.status not in (0, 429, 503):
                    raise  # it never was there, or it is there and says no
            self._sleep(3.0)

    def _ask(
        self,
        method: str,
        path: str,
        query: dict[str, Any],
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> HTTPResponse:
        said = {name.rstrip("_"): value for name, value in query.items() if value is not None}
        url = f"{self._url}{path}" + (f"?{urlencode(said)}" if said else "")
        every = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json", **(headers or {})}
        for left in reversed(range(TRIES)):
            try:
                answer: HTTPResponse = urlopen(Request(url, body, every, method=method), timeout=self._timeout_s)
                return answer
            except HTTPError as error:
                problem, wait = _problem(error), error.headers.get("Retry-After")
                if error.code not in (429, 503) or wait is None or not left:
                    raise problem from None
                self._sleep(float(wait))
            except URLError as error:
                raise ApiProblem(0, "unreachable", f"{self._url}: {error.reason}") from None
        raise AssertionError("unreachable")


def _problem(error: HTTPError) -> ApiProblem:
    try:
        told = json.load(error)["error"]
        return ApiProblem(error.code, told["code"], told["message"], told["where"])
    except (ValueError, KeyError, TypeError):  # a proxy's own page
        return ApiProblem(error.code, "http_error", f"{error.code} {error.reason}")


def _events(answer: HTTPResponse) -> Iterator[LiveEvent]:
    fields: dict[str, str] = {}
    for line in answer:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            fields[name] = value
        elif fields:
            yield LiveEvent(fields.get("id", ""), fields.get("event", ""), json.loads(fields.get("data", "{}")))
            fields = {}
