"""``/docs``: the OpenAPI document as a page, without a single request to the internet.

The page holds no data; whoever opens it types a key to try a route.
"""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import Response

_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'"
_FILES = {
    "/docs": ("docs.html", "text/html"),
    "/docs/page.js": ("docs.js", "text/javascript"),
    "/docs/page.css": ("docs.css", "text/css"),
}


def docs_routes() -> APIRouter:
    """The page and its two files, also reached as ``/api/v1/docs``."""
    router = APIRouter(include_in_schema=False)
    for path, (name, kind) in _FILES.items():
        _add(router, path, name, kind)
    _add(router, "/api/v1/docs", *_FILES["/docs"])
    return router


def _add(router: APIRouter, path: str, name: str, kind: str) -> None:
    content = files("plant_monitor.api").joinpath("page", name).read_text(encoding="utf-8")

    @router.get(path)
    async def get_file() -> Response:
        headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
        return Response(content, media_type=f"{kind}; charset=utf-8", headers=headers)
