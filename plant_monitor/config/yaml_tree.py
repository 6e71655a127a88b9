"""YAML as a tree that remembers where everything stands.

Scalars keep their literal text: what a scalar means is decided by the key that holds it, so the
traps of YAML 1.1 do not exist here (``on`` is text, ``12:30`` is no number, a date is no surprise,
``1e3`` is a number where a number is expected).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from plant_monitor.errors import Problem

_MAX_NODES = 200_000  # an alias may repeat a part; no honest plant needs more
_NULLS = ("", "~", "null", "Null", "NULL")


class Text(str):
    """The literal text of a scalar; ``plain`` where it stood without quotes."""

    plain: bool

    def __new__(cls, text: str, *, plain: bool) -> Text:
        """Text that knows whether it was quoted."""
        made = super().__new__(cls, text)
        made.plain = plain
        return made


@dataclass(slots=True)
class Node:
    """A value, the line of its key (or its own), and the path by which the file names it."""

    value: dict[str, Node] | list[Node] | Text | None
    line: int
    path: str

    def plain(self) -> Any:
        """The value without its places: dict, list, :class:`Text` or None."""
        if isinstance(self.value, dict):
            return {Text(key, plain=False): node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def copy(self) -> Node:
        """The same tree from new nodes."""
        if isinstance(self.value, dict):
            return Node({key: node.copy() for key, node in self.value.items()}, self.line, self.path)
        if isinstance(self.value, list):
            return Node([node.copy() for node in self.value], self.line, self.path)
        return Node(self.value, self.line, self.path)

    def child(self, key: str | int) -> Node | None:
        """The value under a key or index, or None."""
        if isinstance(self.value, dict) and isinstance(key, str):
            return self.value.get(key)
        if isinstance(self.value, list) and isinstance(key, int) and 0 <= key < len(self.value):
            return self.value[key]
        return None

    def items(self) -> Iterator[tuple[str, Node]]:
        """The entries of a mapping; nothing for any other value."""
        return iter(self.value.items() if isinstance(self.value, dict) else ())

    def elements(self) -> list[Node]:
        """The elements of a list; nothing for any other value."""
        return self.value if isinstance(self.value, list) else []

    def text(self, key: str) -> str | None:
        """The text under a key, or None where there is none."""
        node = self.child(key)
        return str(node.value) if node is not None and isinstance(node.value, Text) else None


class Problems:
    """The mistakes found in one file, in any order; each is kept once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: dict[tuple[int, str, str, str], Problem] = {}

    def add(self, line: int, path: str, found: str, expected: str) -> None:
        """Note a mistake."""
        where = f"{self.file}:{line}" if line else self.file
        self._found.setdefault((line, path, found, expected), Problem(where, path, found, expected))

    def paths(self) -> set[str]:
        """Paths of what was found so far."""
        return {path for _, path, _, _ in self._found}

    def __len__(self) -> int:
        return len(self._found)

    def sorted(self) -> list[Problem]:
        """By line, then path."""
        return [self._found[key] for key in sorted(self._found)]


def join(path: str, key: str | int) -> str:
    """``points`` + 0 -> ``points[0]``; ``plant`` + ``id`` -> ``plant.id``."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def read_tree(text: str, problems: Problems) -> Node | None:
    """The tree of a YAML document; None where it cannot be read at all (the problem says why)."""
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        line, found = _syntax(error, text)
        problems.add(line, "", found, "YAML")
        return None
    except RecursionError:
        problems.add(0, "", "values nested too deeply", "at most some twenty levels")
        return None
    if root is None:
        problems.add(1, "", "an empty file", "a mapping of keys")
        return None
    try:
        return _Builder(problems).build(root, "", root.start_mark.line + 1)
    except _TooLarge:
        problems.add(0, "", f"more than {_MAX_NODES} values (aliases of aliases?)", "a plant")
        return None


def _syntax(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """Line and description of what PyYAML could not read."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = " ".join(s for s in (error.context, error.problem) if s)
        return (mark.line + 1 if mark else 0), f"text that is no YAML ({said})"
    position = getattr(error, "position", 0)
    code = getattr(error, "character", None)
    named = f"U+{code:04X}" if isinstance(code, int) else "a character"
    return text.count("\n", 0, position) + 1, f"{named}, which YAML does not allow"


class _TooLarge(Exception):
    """The file has more values than any plant."""


class _Builder:
    """Turns PyYAML nodes into :class:`Node`, noting what is wrong on the way."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.open: set[int] = set()  # nodes being built: an alias to one of them would never end
        self.count = 0

    def build(self, node: yaml.Node, path: str, line: int) -> Node:
        """The node and all below it."""
        self.count += 1
        if self.count > _MAX_NODES:
            raise _TooLarge
        if id(node) in self.open:
            self.problems.add(node.start_mark.line + 1, path, "an alias that holds itself", "a finite file")
            return Node(None, line, path)
        self.open.add(id(node))
        try:
            return Node(self._value(node, path), line, path)
        finally:
            self.open.discard(id(node))

    def _value(self, node: yaml.Node, path: str) -> dict[str, Node] | list[Node] | Text | None:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if isinstance(node, yaml.ScalarNode):
            if kind != "str":
                self.problems.add(node.start_mark.line + 1, path, f"the tag {node.tag!r}", "a value without a tag")
            if node.style is None and node.value in _NULLS:
                return None
            return Text(node.value, plain=node.style is None)
        if kind not in ("map", "seq"):
            self.problems.add(node.start_mark.line + 1, path, f"the tag {node.tag!r}", "a value without a tag")
        if isinstance(node, yaml.SequenceNode):
            return [self.build(n, join(path, i), n.start_mark.line + 1) for i, n in enumerate(node.value)]
        return self._mapping(node, path)

    def _mapping(self, node: yaml.Node, path: str) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.add(line, path, "a key that is a list or a mapping", "text as key")
                continue
            key = str(key_node.value)
            if key in entries:
                self.problems.add(
                    line, join(path, key), f"{key!r} a second time", f"it once (line {entries[key].line})"
                )
                continue
            entries[key] = self.build(value_node, join(path, key), line)
        return entries


def described(value: Any) -> str:
    """What stands in the file, in words, for an error message."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = str(value)
    if len(text) > 60:
        text = text[:57] + "…"
    return text if getattr(value, "plain", False) and text.isprintable() else repr(text)
