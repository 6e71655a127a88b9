"""Each row of the table "When things go wrong" (design §6) has a test that names it in a docstring: row "…"."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

# The first column of the table.
ROWS = (
    "process killed at any instant",
    "a commit fails (disk full, file lost)",
    "InfluxDB down, slow, full, or refuses a point",
    "broker down / restarted",
    "a Modbus device is dead, slow, answers late, with another's transaction, or an exception",
    "a payload that cannot be read, an undeclared series, live data more than 10 minutes ahead or 400 days old",
    "clock jumps",
    "disk nearly full",
    "config error on reload",
    "alert channel fails",
)


@pytest.fixture(scope="module")
def docstrings() -> str:
    """All docstrings of test modules and test functions, each on a line."""
    return "\n".join(" ".join(text.split()) for path in TESTS for text in _docstrings(path))


TESTS = sorted(Path(__file__).parents[1].rglob("test_*.py"))


def _docstrings(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
    if path != Path(__file__):
        yield from (text for node in (tree, *tests) if (text := ast.get_docstring(node)) is not None)


@pytest.mark.parametrize("row", ROWS)
def test_a_test_names_it(docstrings: str, row: str) -> None:
    named = any("Design §6, row" in line and f'"{row}"' in line for line in docstrings.splitlines())
    assert named, f'expected a docstring with: Design §6, row "{row}"'


def test_these_are_the_rows(shared_data: Path) -> None:
    """Where the design is at hand."""
    design = shared_data.parent / "design.md"
    if not design.exists():
        pytest.skip("the design is not beside the data")
    section = design.read_text(encoding="utf-8").partition("## 6. When things go wrong")[2].partition("## 7.")[0]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("|")]
    assert tuple(rows[2:]) == ROWS
