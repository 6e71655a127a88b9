"""``ETag`` and ``If-None-Match``: an answer that the asker already has is not sent again.

The tag is a digest of the answer itself, so it differs between two keys that see different things, and an answer is
computed before it is compared: what is saved is its way. Files and streams have none.
"""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Etags:
    """ASGI middleware: tags every whole JSON answer to a GET."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say that nothing has changed."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        known = Headers(scope=scope).get("if-none-match", "")
        start: Message | None = None

        async def tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _taggable(message):
                start = message  # waits for its body
                return
            if start is not None:
                head, start = start, None
                if not message.get("more_body"):
                    head, message = _tag(head, message, known)
                await send(head)
            await send(message)

        await self._app(scope, receive, tagged)


def _taggable(start: Message) -> bool:
    return start["status"] == 200 and Headers(raw=start["headers"]).get("content-type") == "application/json"


def _tag(start: Message, body: Message, known: str) -> tuple[Message, Message]:
    tag = f'"{hashlib.sha256(body.get("body", b"")).hexdigest()[:32]}"'
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["etag"] = tag
    headers["cache-control"] = "private, no-cache"  # kept by the asker alone, and asked for again each time
    headers.add_vary_header("Authorization, Cookie")
    if tag not in known and known.strip() != "*":
        return {**start, "headers": headers.raw}, body
    del headers["content-length"]
    return {**start, "status": 304, "headers": headers.raw}, {"type": "http.response.body", "body": b""}
