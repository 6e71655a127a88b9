"""HTML as text. Whatever is put in is escaped, but for what these functions have made themselves."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Part = str | Html | int | None | Iterable["Part"]
_EMPTY = frozenset({"br", "hr", "img", "input", "link", "meta"})


def h(tag: str, *parts: Part, **attributes: str | int | bool | None) -> Html:
    """An element. ``class_`` is ``class``, ``aria_label`` is ``aria-label``; None and False leave an attribute out."""
    said = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{tag}{said}>") if tag in _EMPTY else Html(f"<{tag}{said}>{joined(parts)}</{tag}>")


def joined(parts: Part) -> Html:
    """Parts one after the other."""
    if parts is None:
        return Html("")
    if isinstance(parts, Html):
        return parts
    if isinstance(parts, str | int):
        return Html(escape(str(parts)))
    return Html("".join(joined(part) for part in parts))


def table(head: Iterable[Part], rows: Iterable[Iterable[Part]], *, caption: str, numeric: Iterable[int] = ()) -> Html:
    """A table that scrolls sideways where it is wide; ``numeric`` columns are set flush right."""
    right = set(numeric)

    def cell(tag: str, place: int, part: Part) -> Html:
        return h(tag, part, class_="number" if place in right else None, scope="col" if tag == "th" else None)

    def row(tag: str, parts: Iterable[Part]) -> Html:
        return h("tr", [cell(tag, place, part) for place, part in enumerate(parts)])

    body = [row("td", parts) for parts in rows]
    return h(
        "div",
        h("table", h("caption", caption, class_="unseen"), h("thead", row("th", head)), h("tbody", body)),
        class_="scrolls",
        tabindex=0,
        role="region",
        aria_label=caption,
    )
