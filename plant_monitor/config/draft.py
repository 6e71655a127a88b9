"""A plant.yaml under examination: the parts that fit the model, and what the whole file declares.

References are looked up among everything the file declares, also in parts that are broken elsewhere:
one mistake is reported once, not again wherever its place is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from plant_monitor import units
from plant_monitor.config.parameters import DEFAULT_UNITS, misspelt, required_kind
from plant_monitor.config.schema import LimitSetSection, PlantFile
from plant_monitor.config.shape import Loc, place
from plant_monitor.config.yaml_tree import Node, Problems


@dataclass(frozen=True, slots=True)
class Declared:
    """Ids that stand in the file, whether or not what they name is in order."""

    members: tuple[str, ...]
    points: tuple[str, ...]
    limit_sets: tuple[str, ...]
    parameters: Mapping[str, frozenset[str]]  # point id -> parameter keys

    @staticmethod
    def of(root: Node) -> Declared:
        """Everything with an id in the tree of a file."""
        points = _listed(root, "points")
        return Declared(
            _ids(_listed(root, "members")),
            _ids(points),
            _ids(_listed(root, "limit_sets")),
            {i: frozenset(_keys(p)) for p in points if (i := p.text("id")) is not None},
        )


@dataclass(slots=True)
class Draft:
    """What the checks look at, and where they report."""

    file: PlantFile
    root: Node  # the part of the tree that ``file`` was made from
    whole: Node
    declared: Declared
    shipped: Mapping[str, LimitSetSection]
    problems: Problems
    shape_paths: set[str] = field(default_factory=set)  # where the shape is broken already

    def report(self, loc: Loc, found: str, expected: str) -> None:
        """Note a mistake at a place of the file, unless its very shape was reported there already."""
        line, path = place(self.root, loc)
        if path not in self.shape_paths:
            self.problems.add(line, path, found, expected)

    def known(self, loc: Loc, id_: str, among: tuple[str, ...], what: str) -> bool:
        """True where ``id_`` is declared; else it is reported."""
        if id_ in among:
            return True
        self.report(loc, repr(id_), f"{what} ({', '.join(among) or 'none is declared'})")
        return False

    def once(self, part: str, what: str) -> None:
        """Report ids that two entries of a list have."""
        first: dict[str, int] = {}
        for node in _listed(self.whole, part):
            id_, at = node.text("id"), node.child("id")
            if id_ is None or at is None:
                continue
            if id_ in first:
                self.problems.add(at.line, at.path, f"{id_!r} a second time", f"{what} (line {first[id_]} has it)")
            first.setdefault(id_, at.line)


def unit_of(parameter: str, stated: str | None) -> str | None:
    """The unit of a series: as stated, else that of the parameters known by name, else None."""
    return stated or DEFAULT_UNITS.get(parameter)


def sound_unit(parameter: str, stated: str | None) -> str | None:
    """The unit of a series, or None where it is itself a mistake (and reported as one)."""
    unit = unit_of(parameter, stated)
    if unit is None or misspelt(unit) is not None or required_kind(parameter) not in (None, units.kind(unit)):
        return None
    return unit


def _listed(root: Node, part: str) -> list[Node]:
    node = root
    for key in part.split("."):
        below = node.child(key)
        if below is None:
            return []
        node = below
    return node.elements()


def _ids(nodes: list[Node]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(i for node in nodes if (i := node.text("id")) is not None))


def _keys(point: Node) -> list[str]:
    parameters = point.child("parameters")
    return [key for key, _ in parameters.items()] if parameters is not None else []
