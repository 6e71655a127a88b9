"""From the tree of a file to its model: every mistake of shape, and what is left without them.

The parts that are in order are still checked against each other, so that one run shows all mistakes.
For that the broken parts are taken out of a copy of the tree until the rest fits the model.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from plant_monitor.config.yaml_tree import Node, Problems, Text, described, join

Loc = tuple[str | int, ...]

_KEY = "[key]"  # how pydantic says that it means the key itself, not its value
_KINDS = {
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
    "dict_type": "a mapping of keys",
    "list_type": "a list",
    "too_short": "at least one entry",
    "string_type": "text",
}


def fitted(
    adapter: TypeAdapter[Any], root: Node, problems: Problems, stand_ins: dict[str, Node]
) -> tuple[Any, Node] | None:
    """The model of what is in order in ``root``, and the tree of that part.

    Parameters
    ----------
    stand_ins  values for required keys that others are checked with, by path without indices

    None where even the stand-ins do not help. Problems are added either way.
    """
    report(adapter, root, problems)
    kept = root.copy()
    for _ in range(50):  # each turn takes something out; no file needs that many
        errors = _errors(adapter, kept)
        if not errors:
            return adapter.validate_python(kept.plain()), kept
        if not _pruned(kept, errors, stand_ins):
            return None
    return None


def report(adapter: TypeAdapter[Any], root: Node, problems: Problems, *, missing: bool = True) -> None:
    """Add every mistake of shape in ``root``; ``missing=False`` for a part that need not be complete."""
    schema = adapter.json_schema()
    by_place: dict[tuple[int, str, str], list[str]] = {}
    for error in _errors(adapter, root):
        if error["type"] in ("missing", "union_tag_not_found") and not missing:
            continue
        line, path, found, expected = _told(error, root, schema)
        by_place.setdefault((line, path, found), []).append(expected)
    for (line, path, found), expectations in by_place.items():
        problems.add(line, path, found, " or ".join(dict.fromkeys(expectations)))


def place(root: Node, loc: Sequence[str | int]) -> tuple[int, str]:
    """Line and path of a location; where the last key is missing, the line of what should hold it."""
    node, _, rest = _walk(root, loc)
    return node.line, join(node.path, rest) if rest else node.path


def _errors(adapter: TypeAdapter[Any], root: Node) -> list[ErrorDetails]:
    try:
        adapter.validate_python(root.plain())
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _walk(root: Node, loc: Sequence[str | int]) -> tuple[Node, Loc, str]:
    """The deepest node on the way to ``loc``, the keys that lead to it, and the one key missing there, if any.

    Pydantic puts the name of a union's branch into a location; that is no key of the file and skipped.
    """
    node, keys = root, list[str | int]()
    for at, key in enumerate(loc):
        below = node.child(key)
        if below is not None:
            node = below
            keys.append(key)
        elif key == _KEY:
            break
        elif at == len(loc) - 1 and (node.value is None or isinstance(node.value, dict)):
            return node, tuple(keys), str(key)
    return node, tuple(keys), ""


def _told(error: ErrorDetails, root: Node, schema: dict[str, Any]) -> tuple[int, str, str, str]:
    """Line, path, found, expected."""
    loc, kind = error["loc"], error["type"]
    node, keys, rest = _walk(root, loc)
    line, path = place(root, loc)
    if kind == "missing" and rest:
        about = _properties(schema, root, keys).get(rest, {}).get("description", "")
        return line, path, "nothing", f"the key {rest!r}" + (f" ({about})" if about else "")
    if kind == "extra_forbidden" and keys:
        key = str(keys[-1])
        return line, path, f"the unknown key {key!r}", _one_of(key, sorted(_properties(schema, root, keys[:-1])))
    if kind.startswith("union_tag"):
        below = node.child("protocol")
        found = "nothing" if below is None else described(below.value)
        return (below or node).line, join(node.path, "protocol"), found, "'modbus-tcp' or 'mqtt'"
    found = f"the key {keys[-1]!r}" if loc[-1:] == (_KEY,) else described(node.value)
    return line, path, error.get("ctx", {}).get("found") or found, _expectation(error)


def _expectation(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    if "expected" in context:
        return str(context["expected"])
    return _KINDS.get(error["type"], error["msg"])


def _one_of(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"one of {', '.join(known)}{hint}" if known else "no further keys"


def _properties(schema: dict[str, Any], root: Node, keys: Loc) -> dict[str, dict[str, Any]]:
    """Keys that may stand in the mapping at ``keys``, each with its JSON Schema."""
    node, parts = root, _resolved(schema, schema, root)
    for key in keys:
        node = node.child(key) or node
        below = [_step(part, key) for part in parts]
        parts = [s for b in below if b is not None for s in _resolved(b, schema, node)]
    return {name: about for part in parts for name, about in part.get("properties", {}).items()}


def _step(part: dict[str, Any], key: str | int) -> dict[str, Any] | None:
    if isinstance(key, int):
        found = part.get("items")
    else:
        found = part.get("properties", {}).get(key, part.get("additionalProperties"))
    return found if isinstance(found, dict) else None


def _resolved(part: dict[str, Any], schema: dict[str, Any], node: Node) -> list[dict[str, Any]]:
    """A schema with references followed and unions spread; of devices, the one whose protocol it is."""
    if "$ref" in part:
        return _resolved(schema["$defs"][part["$ref"].rpartition("/")[2]], schema, node)
    if "discriminator" in part:
        ref = part["discriminator"]["mapping"].get(node.text("protocol") or "")
        if ref is not None:
            return _resolved({"$ref": ref}, schema, node)
    branches = part.get("anyOf", []) + part.get("oneOf", [])
    return [s for b in branches for s in _resolved(b, schema, node)] if branches else [part]


def _pruned(root: Node, errors: Sequence[ErrorDetails], stand_ins: dict[str, Node]) -> bool:
    """Take what is broken out of ``root``; False where nothing could be taken out."""
    doomed: set[int] = set()
    changed = False
    for error in errors:
        node, _, rest = _walk(root, error["loc"])
        needed = stand_ins.get(_kind_of_place(join(node.path, rest))) if rest else None
        if needed is not None and isinstance(node.value, dict):
            node.value[rest] = needed.copy()
            changed = True
        elif node is not root:
            doomed.add(id(node))
    return _without(root, doomed) or changed


def _kind_of_place(path: str) -> str:
    """``devices[3].readings[0].register`` -> ``devices[].readings[].register``; a template is like a device."""
    return re.sub(r"^templates\.[^.\[]+", "devices[]", re.sub(r"\[[0-9]+\]", "[]", path))


def _without(node: Node, doomed: set[int]) -> bool:
    """Remove the nodes with these identities, wherever they stand."""
    removed = False
    if isinstance(node.value, dict):
        for key in [k for k, below in node.value.items() if id(below) in doomed]:
            del node.value[key]
            removed = True
    elif isinstance(node.value, list):
        kept = [below for below in node.value if id(below) not in doomed]
        removed = len(kept) < len(node.value)
        node.value = kept
    for below in [n for _, n in node.items()] + node.elements():
        removed = _without(below, doomed) or removed
    return removed


def stand_in(value: Any, path: str) -> Node:
    """A node of given content that stands in no file."""
    if isinstance(value, dict):
        return Node({k: stand_in(v, join(path, k)) for k, v in value.items()}, 0, path)
    if isinstance(value, list):
        return Node([stand_in(v, join(path, i)) for i, v in enumerate(value)], 0, path)
    return Node(Text(str(value), plain=True), 0, path)
