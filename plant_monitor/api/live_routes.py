"""``/live``: what happens, as server-sent events, for as long as the asker stays and its key holds."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response, StreamingResponse

from plant_monitor.alerts.lifecycle import Alert
from plant_monitor.api import ranges
from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.alert_views import AlertViews
from plant_monitor.api.errors import ApiError
from plant_monitor.api.services import ApiServices
from plant_monitor.live import Event, Feed
from plant_monitor.plant import Plant
from plant_monitor.readings import Readings, mark_text
from plant_monitor.windows import rfc3339

AlertShown = Callable[[Alert, Viewer], dict[str, Any]]

HEARTBEAT_S = 15.0
STREAMS_OF_A_KEY = 10

EXAMPLE = """retry: 3000

id: 1790784000000-17
event: readings
data: {"items": [{"time": "2026-10-01T08:00:00+08:00", "point": "shennong-outfall", "parameter": "cod_cr", \
"value": 412.0, "mark": "N"}]}

id: 1790784000000-18
event: hours
data: {"items": [{"point": "shennong-outfall", "parameter": "cod_cr", "hour": "2026-10-01T08:00:00+08:00", …}]}

"""


class LiveQuery(ranges.Query):
    """Filters of what happens."""

    point: str | None = None
    parameter: str | None = None


def live_routes(services: ApiServices) -> APIRouter:
    """The route of what happens."""
    router = APIRouter(tags=["live"])
    streams: Counter[tuple[str, ...]] = Counter()
    alerts = AlertViews(services)
    event_stream: dict[int | str, dict[str, Any]] = {
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}}}
    }

    @router.get("/live", response_class=Response, responses=event_stream)
    async def get_live(
        request: Request,
        query: Annotated[LiveQuery, Query()],
        viewer: Annotated[Viewer, Depends(current_viewer)],
        last_event_id: Annotated[
            str, Header(description="`id` of the last event that was seen: those after it come first")
        ] = "",
    ) -> StreamingResponse:
        """What happens, as server-sent events: `readings` as they are stored; `hours` and `days` whose numbers
        changed, rows of `/compliance/hourly` and `/compliance/daily`; `alert`, one of `/alerts`.

        With `Last-Event-ID` it goes on where it was left. `reset`: some events in between are not kept any more, read
        again what you show. Every 15 seconds an `id` alone says that the line stands.
        """
        seen = viewer.result_series | {(p.id, s.parameter) for p in viewer.own_points for s in p.series}
        viewer.check_filters(seen, query.point, query.parameter, None)
        holder = (str(viewer.role), viewer.member_id, viewer.name)
        if streams[holder] >= STREAMS_OF_A_KEY:
            raise ApiError(429, "too_many_requests", f"this key has {STREAMS_OF_A_KEY} streams open; close one")

        async def counted() -> AsyncIterator[str]:
            streams[holder] += 1
            try:
                show = Shown(viewer, query, alerts.shown)
                async for text in stream(services.feed, show, last_event_id, request.state.ask_again):
                    yield text
            finally:
                streams[holder] -= 1

        return StreamingResponse(counted(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    return router


async def stream(
    feed: Feed,
    show: Callable[[Event], Any],
    last_event_id: str,
    still_there: Callable[[], Awaitable[Any]],
    heartbeat_s: float = HEARTBEAT_S,
) -> AsyncIterator[str]:
    """The text of a stream (WHATWG HTML §9.2). It ends with the feed, or when ``still_there`` raises an ApiError."""
    seen = _number(feed, last_event_id)
    yield "retry: 3000\n\n"
    if seen is None:
        seen = feed.newest
        yield f"id: {_id(feed, seen)}\nevent: reset\ndata: {{}}\n\n"
    loop, new = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is there to be woken
            loop.call_soon_threadsafe(new.set)

    with feed.watching(wake):
        while True:
            new.clear()
            events = feed.since(seen)
            if events is None:
                seen = feed.newest
                yield f"id: {_id(feed, seen)}\nevent: reset\ndata: {{}}\n\n"
                continue
            for event in events:
                seen = event.number
                shown = show(event)
                if shown is not None:
                    text = json.dumps(shown, ensure_ascii=False, allow_nan=False)
                    yield f"id: {_id(feed, seen)}\nevent: {event.kind}\ndata: {text}\n\n"
            if feed.closed:
                return
            try:
                await asyncio.wait_for(new.wait(), heartbeat_s)
            except TimeoutError:
                try:
                    await still_there()
                except ApiError:
                    return
                yield f"id: {_id(feed, seen)}\n\n"


class Shown:
    """What a viewer may read of an event: the same as of the routes that have it; None for nothing."""

    def __init__(self, viewer: Viewer, query: LiveQuery, alert_shown: AlertShown) -> None:
        self._viewer, self._plant, self._alert_shown = viewer, viewer.plant, alert_shown
        self._point, self._parameter = query.point, query.parameter
        own = {p.id for p in viewer.own_points}
        self._own_series = [i for i, s in enumerate(viewer.plant.series) if s.point in own and self._asked(s)]

    def __call__(self, event: Event) -> Any:
        """The data of the event."""
        if isinstance(event.content, Readings):
            chosen = np.isin(event.content.series, self._own_series)
            items = list(_reading_rows(self._plant, event.content.take(chosen)))
        elif isinstance(event.content, Alert):
            visible = self._viewer.sees_alert(event.content) and self._asked(event.content)
            return self._alert_shown(event.content, self._viewer) if visible else None
        else:
            open_series = self._viewer.result_series
            items = [
                row
                for row in event.content
                if (row["point"], row["parameter"]) in open_series
                and self._point in (None, row["point"])
                and self._parameter in (None, row["parameter"])
            ]
        return {"items": items} if items else None

    def _asked(self, one: Any) -> bool:
        return self._point in (None, one.point) and self._parameter in (None, one.parameter)


def _reading_rows(plant: Plant, readings: Readings) -> Any:
    columns = (readings.time.tolist(), readings.series.tolist(), readings.value.tolist(), readings.mark.tolist())
    for time_ms, index, value, mark in zip(*columns, strict=True):
        series = plant.series[index]
        yield {
            "time": rfc3339(time_ms, plant.zone),
            "point": series.point,
            "parameter": series.parameter,
            "value": value if np.isfinite(value) else None,
            "mark": mark_text(mark),
        }


def _id(feed: Feed, number: int) -> str:
    return f"{feed.started_ms}-{number}"


def _number(feed: Feed, last_event_id: str) -> int | None:
    """The number that an id stands for: now where there is none, None where it is not of this process."""
    if not last_event_id:
        return feed.newest
    started, _, number = last_event_id.partition("-")
    if started != str(feed.started_ms) or not number.isdecimal() or len(number) > 18:
        return None
    return int(number)
