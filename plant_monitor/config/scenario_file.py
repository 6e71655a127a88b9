"""SCENARIO.yaml: what would be otherwise (``whatif --scenario``). Every mistake is reported at once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter

from plant_monitor.compliance.scenario import Scenario, unknown_names
from plant_monitor.config.scalars import Flag, Id, NotNegative, Positive
from plant_monitor.config.section import Section
from plant_monitor.config.shape import fitted
from plant_monitor.config.yaml_tree import Problems, described, read_tree
from plant_monitor.errors import ConfigError, Problem
from plant_monitor.plant import Plant


class MemberSection(Section):
    """What a member would send."""

    flow: NotNegative = Field(Decimal(1), description="times the flow that was; 0 as with off")
    strength: dict[Id, NotNegative] = Field({}, description="parameter (or all) -> times the concentration that was")
    off: Flag = Field(False, description="its outfalls send nothing")


class ScenarioFile(Section):
    """SCENARIO.yaml."""

    members: dict[Id, MemberSection] = Field({}, description="by member")
    limits: dict[Id, list[Id]] = Field({}, description="point -> the limit sets that it would have instead")
    capacity_m3_d: Positive | None = Field(None, description="capacity of the plant; omitted: as it is")


def load_scenario(path: Path, plant: Plant) -> Scenario:
    """The scenario of a file.

    Raises
    ------
    ConfigError  the file cannot be read, or is wrong: all of its problems
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), "", str(error), "a readable YAML file")]) from None
    problems = Problems(str(path))
    root = read_tree(text, problems)
    if root is not None and not isinstance(root.value, dict):
        problems.add(root.line, "", described(root.value), "a mapping with members, limits or capacity_m3_d")
    elif root is not None and (fit := fitted(TypeAdapter(ScenarioFile), root, problems, {})) is not None:
        scenario = _scenario(fit[0])
        for name in unknown_names(plant, scenario):
            problems.add(root.line, "", name, f"one of the plant {plant.id}")
        if not len(problems):
            return scenario
    raise ConfigError(problems.sorted())


def _scenario(file: Any) -> Scenario:
    return Scenario(
        flow={member: Decimal(0) if one.off else one.flow for member, one in file.members.items()},
        strength={member: one.strength for member, one in file.members.items()},
        limits={point: tuple(sets) for point, sets in file.limits.items()},
        capacity_m3_d=file.capacity_m3_d,
    )
