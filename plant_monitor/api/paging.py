"""Pages of a list."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from plant_monitor.api.errors import invalid

Key = tuple[str | int, ...]
Row = Mapping[str, Any]


def page(rows: Iterable[Row], key: Callable[[Row], Key], limit: int, cursor: str | None) -> dict[str, Any]:
    """``{"items", "next"}``: at most ``limit`` rows behind the cursor; ``next`` is null on the last page.

    ``rows`` are sorted by ``key``, which is unique. The cursor is the last row's key, not its place, so rows
    that come or go between two pages neither repeat nor hide others.
    """
    if cursor is not None:
        after = _decode(cursor)
        rows = (row for row in rows if _later(key(row), after))
    items = list(islice(rows, limit + 1))
    more = len(items) > limit
    return {"items": items[:limit], "next": encode_cursor(key(items[limit - 1])) if more else None}


def encode_cursor(key: Key) -> str:
    """A key as an opaque word."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *types: type[str] | type[int]) -> Key:
    """The key of a cursor, of the types given.

    Raises
    ------
    ApiError  it is none of ours
    """
    key = _decode(cursor)
    if tuple(map(type, key)) != types:
        raise _no_cursor(cursor)
    return key


def _decode(cursor: str) -> Key:
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise _no_cursor(cursor) from error
    if not isinstance(key, list) or not all(type(part) in (str, int) for part in key):
        raise _no_cursor(cursor)
    return tuple(key)


def _later(key: Key, after: Key) -> bool:
    if tuple(map(type, key)) != tuple(map(type, after)):
        raise _no_cursor(encode_cursor(after))
    return key > after


def _no_cursor(cursor: str) -> Exception:
    return invalid(f"found {cursor[:80]!r}, expected the `next` of a page of this list", "query.cursor")
