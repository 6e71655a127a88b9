"""The gate before every route: no valid key, no answer. A route that forgets to ask cannot open a hole.

Outside ``/api/`` it lets everything pass: what stands there (the page ``/docs``, later the console) holds no
data of its own or has its own login.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plant_monitor.api.access import Viewer, ViewerRole, unauthorized
from plant_monitor.api.errors import ApiError
from plant_monitor.api.services import ApiServices, StoredKey
from plant_monitor.errors import StoreError

PREFIX = "/api/v1"
# Answered without a key: health says one word, the other two say how to ask.
OPEN = frozenset({f"{PREFIX}/health", f"{PREFIX}/openapi.json", f"{PREFIX}/docs"})
BURST_S = 10.0


class Gate:
    """ASGI middleware: authenticates, limits the rate by key, keeps answers out of caches."""

    def __init__(self, app: ASGIApp, services: ApiServices) -> None:
        self._app, self._services = app, services
        self._rate = RateLimit(services.requests_per_s, BURST_S * services.requests_per_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["viewer"] = None
        try:
            if scope["path"].startswith("/api"):
                scope["state"]["viewer"] = await self._viewer(scope)
        except ApiError as error:
            await error.response()(scope, receive, send)
            return

        async def send_private(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        await self._app(scope, receive, send_private)

    async def _viewer(self, scope: Scope) -> Viewer | None:
        header = Headers(scope=scope).get("authorization")
        if header is None and scope["path"] in OPEN:
            return None
        scheme, _, secret = (header or "").partition(" ")
        if scheme.lower() != "bearer":
            raise unauthorized()
        services = self._services
        try:
            key = await run_in_threadpool(services.ledger.keys.find, secret.strip(), services.clock.now_ms())
        except StoreError as error:
            raise ApiError(503, "unavailable", "keys cannot be checked now; try again") from error
        if key is None or (viewer := self._holder(key)) is None:
            raise unauthorized()
        wait_s = self._rate.wait_s(key.id)
        if wait_s > 0:
            retry = {"Retry-After": str(int(wait_s) + 1)}
            raise ApiError(429, "too_many_requests", f"try again in {wait_s:.1f} s", "header.authorization", retry)
        return viewer

    def _holder(self, key: StoredKey) -> Viewer | None:
        """None for a member's key whose member is no longer in plant.yaml."""
        plant = self._services.plant
        if key.role == ViewerRole.MEMBER and key.member not in plant.member_by_id:
            return None
        return Viewer(plant, ViewerRole(key.role), key.member, key.label or key.prefix)


class RateLimit:
    """A bucket of requests per key that fills at ``per_s``. Used from the event loop alone."""

    def __init__(self, per_s: float, burst: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._burst, self._now_s = per_s, burst, now_s
        self._buckets: dict[int, tuple[float, float]] = {}

    def wait_s(self, key_id: int) -> float:
        """Take one request; 0, or how long until there is one to take."""
        now_s = self._now_s()
        left, then_s = self._buckets.get(key_id, (self._burst, now_s))
        left = min(self._burst, left + (now_s - then_s) * self._per_s)
        if left < 1:
            self._buckets[key_id] = left, now_s
            return (1 - left) / self._per_s
        self._buckets[key_id] = left - 1, now_s
        return 0.0
