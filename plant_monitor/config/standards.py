"""The limit sets that come with the product: dated YAML files beside the compliance package."""

from __future__ import annotations

from functools import cache
from importlib import resources

from pydantic import TypeAdapter

from plant_monitor.config.schema import LimitSetSection
from plant_monitor.config.shape import fitted
from plant_monitor.config.yaml_tree import Problems, read_tree
from plant_monitor.errors import ConfigError

_FOLDER = "plant_monitor.compliance"


@cache
def shipped_sets() -> dict[str, LimitSetSection]:
    """The shipped limit sets by id, in the order of their file names.

    Raises
    ------
    ConfigError  a file of the installation is damaged
    """
    folder = resources.files(_FOLDER) / "standards"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    sets = [_read(f.name, f.read_text(encoding="utf-8")) for f in files]
    return {s.id: s for s in sets}


def _read(name: str, text: str) -> LimitSetSection:
    problems = Problems(f"{_FOLDER}/standards/{name}")
    root = read_tree(text, problems)
    if root is not None:
        fit = fitted(TypeAdapter(LimitSetSection), root, problems, {})
        if fit is not None and not len(problems):
            found: LimitSetSection = fit[0]
            return found
    raise ConfigError(problems.sorted())
