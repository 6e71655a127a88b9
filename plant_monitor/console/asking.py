"""How a page asks the API: as any client would, without a socket in between, with the session of who looks."""

from __future__ import annotations

from typing import Any

import httpx
from starlette.types import ASGIApp

_HOST = "http://console"


class NotAnswered(Exception):
    """The API has refused, or could not answer."""

    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


class Asking:
    """The API, as one session sees it; an empty cookie sees what is open to everybody."""

    def __init__(self, app: ASGIApp, cookie: str) -> None:
        headers = {"Origin": _HOST, **({"Cookie": cookie} if cookie else {})}
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url=f"{_HOST}/api/v1", headers=headers, timeout=None)

    async def get(self, path: str, **query: Any) -> Any:
        """The answer to a GET; parameters that are None are left out, ``from_`` is ``from``.

        Raises
        ------
        NotAnswered  anything but a success
        """
        asked = {name.rstrip("_"): value for name, value in query.items() if value is not None}
        return _read(await self._client.get(path, params=asked))

    async def post(self, path: str, body: Any) -> Any:
        """The answer to a POST.

        Raises
        ------
        NotAnswered  anything but a success
        """
        return _read(await self._client.post(path, json=body))


def _read(response: httpx.Response) -> Any:
    try:
        answer = response.json()
    except ValueError:
        answer = {}
    if response.is_success:
        return answer
    error = answer.get("error", {}) if isinstance(answer, dict) else {}
    field = str(error.get("where") or "").removeprefix("body.") if response.status_code == 422 else ""
    message = str(error.get("message", response.reason_phrase))
    raise NotAnswered(response.status_code, f"{field}: {message}" if field else message)
