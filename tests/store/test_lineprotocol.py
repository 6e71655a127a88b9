"""The encoder against InfluxData's corpus of points and lines, for all that it emits; every bit comes back."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plant_monitor.readings import Readings
from plant_monitor.store.lineprotocol import encode_lines, escape_string, escape_tag, result_line


def test_readings_escape_and_keep_every_bit() -> None:
    values = np.array([0.1, 1e-300, -0.0, 1e22, np.inf])
    lines = encode_lines("p p", [("a=b", "c,d")], Readings.of(np.arange(5), 0, values)).decode().splitlines()
    assert lines[0] == 'readings,plant=p\\ p,point=a\\=b,parameter=c\\,d value=0.1,mark="N" 0'
    back = [np.float64(line.split("value=")[1].split(",")[0]) for line in lines[:4]]
    assert [b.tobytes() for b in back] == [v.tobytes() for v in values[:4]]
    assert lines[4] == 'readings,plant=p\\ p,point=a\\=b,parameter=c\\,d mark="-" 4'


def test_no_readings_no_lines() -> None:
    assert encode_lines("p", [("a", "b")], Readings.empty()) == b""


def test_every_point_of_the_corpus_that_we_could_emit(shared_data: Path) -> None:
    """Names, tags and field keys to the letter; strings and flags to the letter; numbers as the same float64."""
    corpus = json.loads((shared_data / "lineproto" / "line_protocol_corpus_even.json").read_text())["encode"]
    compared = 0
    for case in corpus.values():
        point, expected = case["input"]["point"], case["output"]["result"]
        fields = [(f["key"], _value(f["value"])) for f in point["fields"]]
        if any(value is None for _, value in fields):
            continue  # whole numbers with a suffix: every number of ours is a float
        tags = [(tag["key"], tag["value"]) for tag in point["tags"]]
        line = result_line(point["name"], tags, fields, point["time"])
        assert _numbers_alike(line) == _numbers_alike(expected), case
        compared += 1
    assert compared >= 25


def _value(value: dict[str, Any]) -> object:
    (kind, content), *_ = value.items()
    return float(content) if kind == "float" else content if kind in ("string", "bool") else None


def _numbers_alike(line: str) -> str:
    """Each number written in one way: Go and Python choose other shortest texts of one float64."""
    return re.sub(r"=(-?[0-9][0-9.e+-]*)(?=[, ])", lambda found: f"={float(found[1])!r}", line)


@pytest.mark.parametrize(
    ("text", "tag", "string"),
    [
        ("a b", "a\\ b", "a b"),
        ("a,b=c", "a\\,b\\=c", "a,b=c"),
        ('say "x"', 'say\\ "x"', 'say \\"x\\"'),
        ("back\\slash", "back\\slash", "back\\\\slash"),  # in a tag a backslash speaks only before , = and a blank
        ("two\nlines", "two\\ lines", "two\nlines"),
        ("出水", "出水", "出水"),
    ],
)
def test_escapes(text: str, tag: str, string: str) -> None:
    assert (escape_tag(text), escape_string(text)) == (tag, string)
