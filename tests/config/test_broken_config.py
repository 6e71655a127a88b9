"""One file per mistake: the error names the line, the key path, what was found and what is expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from plant_monitor.config.plant_file import load_plant
from plant_monitor.errors import ConfigError

CASES = sorted((Path(__file__).parents[1] / "cases" / "broken_config").glob("*.yaml"))


def test_there_are_cases() -> None:
    assert len(CASES) > 60


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.stem)
def test_each_mistake_is_told_where_it_stands_and_nothing_else(case: Path) -> None:
    """``# expect:`` lists words of the one message; the line marked ``# <-`` is the one it must name."""
    lines = case.read_text(encoding="utf-8").splitlines()
    words = [line.removeprefix("# expect: ").split(" | ") for line in lines if line.startswith("# expect: ")]
    marked = [number for number, line in enumerate(lines, 1) if line.endswith("# <-")]
    with pytest.raises(ConfigError) as caught:
        load_plant(case, env={})
    problems = caught.value.problems
    assert len(problems) == len(words), "\n".join(map(str, problems))
    for problem, expected in zip(problems, words, strict=True):
        for word in expected:
            assert word in str(problem)
    assert [int(p.where.rpartition(":")[2]) for p in problems] == (marked or [1] * len(problems))
    assert all(p.where.startswith(str(case)) for p in problems)
    assert "geheim" not in str(caught.value)  # a secret is never shown


def test_the_same_file_without_its_mistake_is_a_plant(tmp_path: Path) -> None:
    """The base of the cases is right: each error comes from its one mistake."""
    text = (CASES[0].parent / "capacity_zero.yaml").read_text(encoding="utf-8")
    fixed = tmp_path / "plant.yaml"
    fixed.write_text(text.replace("capacity_m3_d: 0", "capacity_m3_d: 1200"), encoding="utf-8")
    assert load_plant(fixed, env={}).capacity_m3_d == 1200
