"""A reader of line protocol that shares nothing with the encoder: written from the format's description, held against
InfluxData's corpus of lines and what they mean (``test_lineprotocol``)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TRUE, _FALSE = {"t", "T", "true", "True", "TRUE"}, {"f", "F", "false", "False", "FALSE"}
_INTEGER = re.compile(r"-?[0-9]+[iu]\Z")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")


@dataclass(frozen=True)
class Point:
    name: str
    tags: tuple[tuple[str, str], ...]
    fields: tuple[tuple[str, object], ...]
    time: int | None


def read_line(line: str) -> Point:
    """One line; ValueError where it is none."""
    name, rest = _until(line, ", ", escapes=", ")
    tags = []
    while rest[:1] == ",":
        key, rest = _until(rest[1:], "=", escapes=",= ")
        value, rest = _until(rest[1:], ", ", escapes=",= ")
        if not key or not value:
            raise ValueError(f"a tag without a key or a value: {line!r}")
        tags.append((key, value))
    if not name or rest[:1] != " ":
        raise ValueError(f"no measurement, or nothing after it: {line!r}")
    fields = []
    rest = "," + rest.lstrip(" ")
    while rest[:1] == ",":
        key, rest = _until(rest[1:], "=", escapes=",= ")
        value, rest = _value(rest[1:])
        fields.append((key, value))
    told = rest.strip(" \r")
    return Point(name, tuple(tags), tuple(fields), int(told) if told else None)


def _until(text: str, ends: str, *, escapes: str) -> tuple[str, str]:
    """The word before an end that no backslash precedes; a backslash before anything but ``escapes`` is itself."""
    word, i = [], 0
    while i < len(text) and text[i] not in ends:
        if text[i] == "\\" and text[i + 1 : i + 2] and text[i + 1] in escapes:
            i += 1
        word.append(text[i])
        i += 1
    if i == len(text):
        raise ValueError(f"no {ends!r} after {text!r}")
    return "".join(word), text[i:]


def _value(text: str) -> tuple[object, str]:
    if text[:1] == '"':
        found = re.match(r'"((?:[^"\\]|\\.)*)"', text, re.S)
        if found is None:
            raise ValueError(f"a string without an end: {text!r}")
        return re.sub(r'\\(["\\])', r"\1", found[1]), text[found.end() :]
    found = re.match(r"[^, \r\n]+", text)
    word = found[0] if found else ""
    rest = text[len(word) :]
    if word in _TRUE | _FALSE:
        return word in _TRUE, rest
    if _INTEGER.match(word):
        return int(word[:-1]), rest
    if _FLOAT.match(word):
        return float(word), rest
    raise ValueError(f"no value: {text!r}")
