"""The reference of every key in docs/configuration.md is the one the models give.

``UPDATE_DOCS=1 pytest tests/config/test_configuration_docs.py`` writes it anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from plant_monitor.config.column_map import MapFile, load_map
from plant_monitor.config.parameters import DEFAULT_UNITS
from plant_monitor.config.plant_file import json_schema, load_plant, parse_plant
from plant_monitor.config.standards import shipped_sets
from plant_monitor.plant import Plant
from plant_monitor.readings import MARKS
from plant_monitor.units import known

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "configuration.md"
EXAMPLE = DOCS.parent / "examples" / "xieqiao" / "plant.yaml"


def _parts(schema: dict[str, Any], part: dict[str, Any]) -> list[dict[str, Any]]:
    """A schema with references followed and unions spread, ``null`` left out."""
    if "$ref" in part:
        return _parts(schema, schema["$defs"][part["$ref"].rpartition("/")[2]])
    branches = part.get("anyOf", part.get("oneOf"))
    if branches is None:
        return [] if part.get("type") == "null" else [part]
    return [p for b in branches for p in _parts(schema, b)]


def _value(part: dict[str, Any]) -> str:
    """What a key takes, in a word."""
    if "const" in part:
        return f"`{part['const']}`"
    if "enum" in part:
        return " · ".join(f"`{e}`" for e in part["enum"])
    kind = part.get("type")
    if kind in ("number", "integer"):
        bounds = [f"> {part['exclusiveMinimum']}"] if "exclusiveMinimum" in part else []
        bounds += [f"≥ {part['minimum']}"] if "minimum" in part else []
        bounds += [f"≤ {part['maximum']}"] if "maximum" in part else []
        bounds += ["not 0"] if "not" in part else []
        return " ".join(["number" if kind == "number" else "whole number", *bounds])
    if "pattern" in part:
        return "secret" if "env" in part["pattern"] else "duration"
    if part.get("format") == "date":
        return "date"
    return {"boolean": "`true` · `false`", "array": "list", "object": "mapping"}.get(str(kind), "text")


def _rows(schema: dict[str, Any], part: dict[str, Any], path: str) -> list[tuple[str, str, str, str]]:
    rows = []
    for name, about in part.get("properties", {}).items():
        key = f"{path}.{name}" if path else name
        below = _parts(schema, about)
        values = " or ".join(dict.fromkeys(_value(p) for p in below))
        default = "required" if name in part.get("required", []) else _default(about)
        rows.append((key, values, default, about["description"]))
        for one in below:
            rows += _below(schema, one, key)
    return rows


def _below(schema: dict[str, Any], part: dict[str, Any], key: str) -> list[tuple[str, str, str, str]]:
    if part.get("type") == "array" and isinstance(part.get("items"), dict):
        return [r for p in _parts(schema, part["items"]) for r in _rows(schema, p, f"{key}[]")]
    if isinstance(part.get("additionalProperties"), dict):
        return [r for p in _parts(schema, part["additionalProperties"]) for r in _rows(schema, p, f"{key}.KEY")]
    return _rows(schema, part, key)


def _default(about: dict[str, Any]) -> str:
    default = about.get("default")
    if isinstance(default, str):
        return f"`{default}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, int):
        return f"{default // 1000}s" if "duration" in {_value(p) for p in [about]} else str(default)
    return "–"


def table(schema: dict[str, Any], *, skip: str = "\0") -> str:
    rows = list(dict.fromkeys(r for r in _rows(schema, schema, "") if not r[0].startswith(skip)))
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| `{k}` | {v} | {d} | {m} |" for k, v, d, m in rows])


TABLES = {
    "plant.yaml": lambda: table(json_schema(), skip="templates."),
    "MAP.yaml": lambda: table(TypeAdapter(MapFile).json_schema()),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_reference_lists_every_key(name: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    start, end = f"<!-- keys of {name} -->", f"<!-- end of the keys of {name} -->"
    wanted = f"{start}\n\n{TABLES[name]()}\n\n{end}"
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    assert found and closed
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(before + wanted + after, encoding="utf-8")
        return
    assert wanted in text, "docs/configuration.md is old: UPDATE_DOCS=1 pytest tests/config/test_configuration_docs.py"


def test_the_examples_of_the_page_are_right(tmp_path: Path) -> None:
    """Every YAML block of the page that is a whole plant or map loads."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    plants = [b for b in blocks if b.startswith("plant:")]
    maps = [b for b in blocks if re.search(r"^values:", b, re.MULTILINE)]
    assert plants and maps
    plant: Plant = load_plant(EXAMPLE, env={})
    for text in plants:
        parse_plant(text, "docs", {})
    for i, text in enumerate(maps):
        path = tmp_path / f"{i}.yaml"
        path.write_text(text, encoding="utf-8")
        load_map(path, plant)


def test_the_page_names_every_unit_and_limit_set() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [u for u in known() if f"`{u}`" not in text] == []
    assert [s for s in shipped_sets() if f"`{s}`" not in text] == []


def test_the_nomenclature_names_every_parameter_and_mark() -> None:
    text = (DOCS / "nomenclature.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z0-9_]+)` \| [^|]* \| [^|]* \| `?([^|`]*)`? \|", text, re.MULTILINE))
    assert rows == DEFAULT_UNITS
    assert [m for m in MARKS if f"| `{m}` |" not in text] == []
