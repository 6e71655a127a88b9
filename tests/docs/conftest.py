"""What the pages stand on: a scratch checkout, and the demo's plant, started once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.doc_demo import ROOT, Demo, running_demo
from docs.doc_shell import BIN


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo, with the history of two days."""
    with running_demo(tmp_path_factory.mktemp("demo") / "demo-data") as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def _compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where nothing may be written beside the sources, modules are compiled elsewhere, and not for each command."""
    with pytest.MonkeyPatch.context() as patch:
        if os.environ.get("PYTHONDONTWRITEBYTECODE"):
            patch.delenv("PYTHONDONTWRITEBYTECODE")
            patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("compiled")))
        yield


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A checkout to type in: what pages write to is a copy, the rest leads to ours."""
    (tmp_path / "tmp").mkdir()
    for name in ("examples", "deploy", "README.md", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(BIN.parent)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "data").symlink_to(ROOT / "tests" / "data")
    shutil.copytree(ROOT / "tests" / "e2e", tmp_path / "tests" / "e2e", ignore=shutil.ignore_patterns("*.py", "__*"))
    return tmp_path
