"""JSON paths in configuration files: a small part of RFC 9535, enough to say where a value stands.

``a.b``, ``['a name']``, ``[0]``, ``[-1]`` and, for what there may be many of, ``*`` or ``[*]``. A path that
begins with ``$`` starts at the whole message, any other at the record.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from plant_monitor.config.scalars import expected
from plant_monitor.config.yaml_tree import Text
from plant_monitor.payload_maps import JsonPath

_NAME = r"[^.\[\]'\"*$]+"
_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_STEP = re.compile(rf"\.?\[(?:(-?[0-9]{{1,9}})|(\*)|({_QUOTED}))\]|\.(?:(\*)|({_NAME}))")
_START = re.compile(rf"\$|\*|{_NAME}|(?=\[)")
_ESCAPED = re.compile(r"\\(.)")
_WHAT = "a JSON path, as values.ph, $.sensors[0].value or ['a name']"


def json_path(text: str) -> JsonPath | None:
    """The path that a text means, or None where it is none."""
    start = _START.match(text)
    if start is None or (start[0] and not start[0].strip()):
        return None
    first = start[0]
    steps: list[str | int | None] = [] if first in ("$", "") else [None if first == "*" else first]
    at = start.end()
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            return None
        steps.append(_step(found))
        at = found.end()
    return JsonPath(text, tuple(steps), first == "$")


def _step(found: re.Match[str]) -> str | int | None:
    index, every, quoted, star, name = found.groups()
    if index is not None:
        return int(index)
    if every or star:
        return None
    return str(name) if name is not None else _ESCAPED.sub(r"\1", quoted[1:-1])


def _path(value: Any) -> JsonPath:
    found = json_path(str(value)) if isinstance(value, Text) else None
    if found is None:
        raise expected(_WHAT)
    return found


def _single(value: Any) -> JsonPath:
    found = _path(value)
    if None in found.steps or not found.steps:
        raise expected(f"{_WHAT}; of one value, so without *")
    return found


_SCHEMA = WithJsonSchema({"type": "string", "minLength": 1})
Path = Annotated[JsonPath, PlainValidator(_path), _SCHEMA]
SinglePath = Annotated[JsonPath, PlainValidator(_single), _SCHEMA]
