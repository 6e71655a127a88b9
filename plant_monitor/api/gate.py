"""The gate before every route: no valid key or session, no answer. A route that forgets to ask cannot open a hole.

Outside ``/api/`` it lets everything pass: what stands there (the page ``/docs``, the login, the console) holds no
data of its own and reads through ``/api/`` with the session of who looks.

Against other sites in the same browser: a request that may change something, and every web socket, has to come from
a page of ours (its ``Origin`` is the address asked), unless it brings a key, which no browser adds by itself. The
cookie is ``SameSite=Strict`` besides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plant_monitor.api.access import Viewer, ViewerRole, unauthorized
from plant_monitor.api.errors import ApiError
from plant_monitor.api.services import ApiServices, Holder
from plant_monitor.errors import StoreError

PREFIX = "/api/v1"
# Answered without a key: health says one word, public what plant.yaml publishes, the other two say how to ask.
OPEN = frozenset({f"{PREFIX}/health", f"{PREFIX}/public", f"{PREFIX}/openapi.json", f"{PREFIX}/docs"})
BURST_S = 10.0
MOST_KEPT = 10_000  # buckets of requests
SESSION_COOKIE = "plant_monitor_session"
_SAFE = ("GET", "HEAD", "OPTIONS")

# On every answer that does not say otherwise. The console and the pages bring policies of their own.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",  # no-referrer would take the Origin from our own forms
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
HEADERS = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]


class Gate:
    """ASGI middleware: authenticates, limits the rate by key or session, refuses other sites, adds the headers."""

    def __init__(self, app: ASGIApp, services: ApiServices) -> None:
        self._app, self._services = app, services
        self._rate = RateLimit(services.requests_per_s, BURST_S * services.requests_per_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it."""
        if scope["type"] == "websocket":
            if is_of_our_own(scope):
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["viewer"] = None

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(h for h in HEADERS if h[0] not in said)]
            await send(message)

        try:
            if scope["path"].startswith("/api"):
                scope["state"]["viewer"] = await self._viewer(scope)
                scope["state"]["ask_again"] = partial(self._viewer, scope)  # for an answer that goes on and on
            elif scope["method"] not in _SAFE:
                require_our_own(scope)
        except ApiError as error:
            await error.response()(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)

    async def _viewer(self, scope: Scope) -> Viewer | None:
        header = Headers(scope=scope).get("authorization")
        token = "" if header is not None else session_token(scope)
        if header is None and not token and scope["path"] in OPEN:
            return None
        try:
            found = (
                await run_in_threadpool(self._signed_in, token) if token else await run_in_threadpool(self._key, header)
            )
        except StoreError as error:
            raise ApiError(503, "unavailable", "keys cannot be checked now; try again") from error
        if found is None or (viewer := self._viewer_of(found[1])) is None:
            if token and scope["path"] in OPEN:  # a session that has ended takes nothing away
                return None
            raise unauthorized()
        if token and scope["method"] not in _SAFE:
            require_our_own(scope)
        wait_s = self._rate.wait_s(found[0])
        if wait_s > 0:
            retry = {"Retry-After": str(int(wait_s) + 1)}
            raise ApiError(429, "too_many_requests", f"try again in {wait_s:.1f} s", "header.authorization", retry)
        return viewer

    def _key(self, header: str | None) -> tuple[str, Holder] | None:
        """Who holds the key of an ``Authorization`` header, and the name of its bucket of requests."""
        scheme, _, secret = (header or "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        services = self._services
        key = services.ledger.keys.find(secret.strip(), services.clock.now_ms())
        return None if key is None else (f"key {key.id}", Holder(key.role, key.member, key.label or key.prefix))

    def _signed_in(self, token: str) -> tuple[str, Holder] | None:
        """Who is signed in with the token of a cookie, and the name of the session's bucket of requests."""
        services = self._services
        session = services.ledger.users.session(token, services.clock.now_ms())
        if session is None:
            return None
        return f"session {session.id}", Holder(session.user.role, session.user.member, session.user.name)

    def _viewer_of(self, holder: Holder) -> Viewer | None:
        """None for a member's key or account whose member is no longer in plant.yaml."""
        plant = self._services.plant
        if holder.role == ViewerRole.MEMBER and holder.member not in plant.member_by_id:
            return None
        return Viewer(plant, ViewerRole(holder.role), holder.member, holder.name)


def session_token(scope: Scope) -> str:
    """The token in the cookie of a request; empty where there is none."""
    try:
        cookies = SimpleCookie(Headers(scope=scope).get("cookie", ""))
    except CookieError:
        return ""
    return cookies[SESSION_COOKIE].value if SESSION_COOKIE in cookies else ""


def is_of_our_own(scope: Scope) -> bool:
    """True where a page of ours has sent the request: browsers name the page's origin, and we are the host asked."""
    headers = Headers(scope=scope)
    return bool(headers.get("host")) and urlsplit(headers.get("origin", "")).netloc == headers["host"]


def require_our_own(scope: Scope) -> None:
    """403 for a request that another site has sent."""
    if not is_of_our_own(scope):
        raise ApiError(
            403, "forbidden", "found a request from another site, expected one of our own pages", "header.origin"
        )


class RateLimit:
    """A bucket of requests per key or session that fills at ``per_s``. Used from the event loop alone."""

    def __init__(self, per_s: float, burst: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._burst, self._now_s = per_s, burst, now_s
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, who: str) -> float:
        """Take one request; 0, or how long until there is one to take."""
        now_s = self._now_s()
        left, then_s = self._buckets.get(who, (self._burst, now_s))
        left = min(self._burst, left + (now_s - then_s) * self._per_s)
        if left < 1:
            self._buckets[who] = left, now_s
            return (1 - left) / self._per_s
        self._buckets[who] = left - 1, now_s
        if len(self._buckets) > MOST_KEPT:  # each session is somebody new; a bucket that is full again says nothing
            full_s = self._burst / self._per_s
            self._buckets = {one: kept for one, kept in self._buckets.items() if now_s - kept[1] < full_s}
        return 0.0

    def kept(self) -> int:
        """How many buckets are remembered."""
        return len(self._buckets)
