"""The project's own files agree: what pyproject.toml asks for is locked, and no file names a machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKED = [
    Requirement(line)
    for line in (ROOT / "requirements.lock").read_text().splitlines()
    if line and not line.lstrip().startswith("#")
]


def declared() -> list[Requirement]:
    extras = PROJECT["project"]["optional-dependencies"].values()
    groups = PROJECT["dependency-groups"].values()
    lists = [PROJECT["project"]["dependencies"], *extras, *groups]
    return [Requirement(text) for texts in lists for text in texts]


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_every_dependency_is_locked_in_a_version_it_allows(requirement: Requirement) -> None:
    locked = [one for one in LOCKED if canonicalize_name(one.name) == canonicalize_name(requirement.name)]
    assert locked, f"{requirement.name} is not in requirements.lock: make lock"
    for one in locked:
        (pin,) = one.specifier
        assert pin.operator == "=="
        assert requirement.specifier.contains(pin.version)


def test_lock_names_no_index() -> None:
    assert not re.search(
        r"://|--index|--find-links|^\s*(-i|-f)\b", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    )


def test_data_of_others_has_a_notice() -> None:
    notice = (ROOT / "tests" / "data" / "NOTICE").read_text()
    for path in (ROOT / "tests" / "data").rglob("*"):
        name = path.relative_to(ROOT / "tests" / "data").as_posix()
        if path.is_file() and name != "NOTICE":
            assert name in notice or name.startswith("billing/cases/"), f"{name} is not in tests/data/NOTICE"


def test_no_file_names_a_home_folder() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    found = subprocess.run(
        ["git", "grep", "-nIE", r"/(home|root|Users)/[a-z.]", "--", ".", ":!tests/test_project.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""
