"""The encoder against InfluxData's corpus of points and lines, for all that it emits; every bit comes back."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.readings import Readings
from plant_monitor.store.lineprotocol import encode_lines, escape_string, escape_tag, result_line
from tests.store.line_reader import Point, read_line


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


# --- read back by a reader of its own --------------------------------------------------------------


@pytest.fixture(scope="session")
def meanings(shared_data: Path) -> list[tuple[str, Point]]:
    """Every line of the corpus that stands alone and can be read, and what it means."""
    corpus = json.loads((shared_data / "lineproto" / "line_protocol_corpus_even.json").read_text())["decode"]
    found = []
    for case in corpus.values():
        text, points = case["input"]["text"], case["output"].get("result", ())
        if isinstance(text, str) and len(points) == 1 and "\n" not in text.strip("\n") and not text.startswith("#"):
            fields = tuple((f["key"], next(iter(f["value"].values()))) for f in points[0]["fields"])
            tags = tuple((tag["key"], tag["value"]) for tag in points[0]["tags"])
            found.append((text.strip("\n"), Point(points[0]["name"], tags, fields, None)))
    return found


def test_the_reader_reads_what_the_corpus_says(meanings: list[tuple[str, Point]]) -> None:
    for text, meant in meanings:
        read = read_line(text)
        assert (read.name, sorted(read.tags), read.fields) == (meant.name, sorted(meant.tags), meant.fields), text
    assert len(meanings) >= 200


def test_what_the_corpus_means_comes_back_from_our_lines(meanings: list[tuple[str, Point]]) -> None:
    """Every meaning in the corpus, written by us, read by the reader: names, tags, fields as they were."""
    compared = 0
    for _, meant in meanings:
        numbers = [value for _, value in meant.fields if isinstance(value, int | float)]
        names = [meant.name, *(text for tag in meant.tags for text in tag), *(key for key, _ in meant.fields)]
        if any(name.endswith("\\") or set(name) & set("\r\n") for name in names) or any(
            abs(n) > 2**53 for n in numbers
        ):
            continue  # what line protocol cannot say, and whole numbers that are no float64
        read = read_line(result_line(meant.name, meant.tags, meant.fields, 1_790_784_000_000))
        assert read == Point(meant.name, meant.tags, meant.fields, 1_790_784_000_000)
        compared += 1
    assert compared >= 180


_NAMES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), min_size=1).filter(
    lambda name: not name.endswith("\\")
)
_VALUES = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.text(st.characters(exclude_categories=("Cs",)))
)


@given(
    name=_NAMES.filter(lambda name: not name.startswith("#")),
    tags=st.lists(st.tuples(_NAMES, _NAMES), max_size=4),
    fields=st.lists(st.tuples(_NAMES, _VALUES), min_size=1, max_size=4),
    time=st.integers(-(2**62), 2**62),
)
def test_any_names_and_values_come_back(
    name: str, tags: list[tuple[str, str]], fields: list[tuple[str, object]], time: int
) -> None:
    assert read_line(result_line(name, tags, fields, time)) == Point(name, tuple(tags), tuple(fields), time)


@given(plant=_NAMES, point=_NAMES, parameter=_NAMES, value=st.floats(), time=st.integers(-(2**53), 2**53))
def test_any_reading_comes_back(plant: str, point: str, parameter: str, value: float, time: int) -> None:
    line = (
        encode_lines(plant, [(point, parameter)], Readings.of([time], 0, value, ord("T"))).decode().removesuffix("\n")
    )
    told = (("value", value), ("mark", "T")) if np.isfinite(value) else (("mark", "-"),)
    tags = (("plant", plant), ("point", point), ("parameter", parameter))
    assert read_line(line) == Point("readings", tags, told, time)


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
