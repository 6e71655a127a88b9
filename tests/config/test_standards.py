"""The shipped limit sets: what they say, and that they say what the compiled source says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plant_monitor import units
from plant_monitor.config.parameters import DEFAULT_UNITS, required_kind
from plant_monitor.config.plant_file import parse_plant
from plant_monitor.config.standards import shipped_sets
from plant_monitor.plant import Limit, Statistic

PLANT = parse_plant(
    """
plant: {id: p, name: {zh: 厂, en: P}, timezone: Asia/Shanghai, capacity_m3_d: 1200}
points: [{id: o, role: process, parameters: {ph: {interval: 1m}}}]
""",
    "plant.yaml",
    {},
)
# The set of a row of the source: by standard, and the level or category it states.
SETS = {
    ("GB 8978-1996", "second_class"): "gb8978-1996-grade3",
    ("GB 8978-1996", "first_class"): "gb8978-1996-first-class",
    ("DB33/887-2013", "indirect_discharge"): "db33-887-2013",
    ("GB/T 31962-2015", "A"): "gbt31962-2015-a",
    ("GB/T 31962-2015", "B"): "gbt31962-2015-b",
    ("GB/T 31962-2015", "C"): "gbt31962-2015-c",
}


def limits(set_id: str) -> dict[str, Limit]:
    found = {x.parameter: x for x in PLANT.limit_set_by_id[set_id].limits}
    assert len(found) == len(PLANT.limit_set_by_id[set_id].limits)
    return found


def test_the_sets_that_ship() -> None:
    assert set(shipped_sets()) == set(SETS.values()) == {s.id for s in PLANT.limit_sets}


def test_grade_3_of_gb_8978() -> None:
    grade3 = limits("gb8978-1996-grade3")
    assert (grade3["cod_cr"].upper, grade3["ss"].upper, grade3["bod5"].upper) == (500, 400, 300)
    assert grade3["animal_vegetable_oil"].upper == 100
    assert (grade3["ph"].lower, grade3["ph"].upper, grade3["ph"].statistic) == (6, 9, Statistic.HOURLY_MEDIAN)
    assert not {"ammonia_n", "total_n", "total_p", "chloride", "total_hg"} & set(grade3)
    assert all(x.verified and x.clause and x.source for x in grade3.values())


def test_numbers_that_were_not_seen_are_marked() -> None:
    nitrogen = limits("db33-887-2013")
    assert {p: x.upper for p, x in nitrogen.items()} == {"ammonia_n": 35, "total_p": 8}
    assert not any(x.verified for x in nitrogen.values())
    for grade in "abc":
        assert not any(x.verified for x in limits(f"gbt31962-2015-{grade}").values())
    assert limits("gbt31962-2015-c")["ammonia_n"].upper == 25


def test_first_class_pollutants_are_a_set_of_their_own() -> None:
    first = limits("gb8978-1996-first-class")
    assert first["total_hg"].upper == 0.05 and first["alkyl_hg"].upper == 0
    assert not set(first) & set(limits("gb8978-1996-grade3"))


@pytest.mark.parametrize("set_id", sorted(SETS.values()))
def test_each_set_is_dated_data_with_a_source(set_id: str) -> None:
    limit_set = PLANT.limit_set_by_id[set_id]
    assert limit_set.source and limit_set.title.zh != limit_set.title.en
    for limit in limit_set.limits:
        assert limit.valid_from is None and limit.valid_to is None  # the source gives no dates
        assert (limit.statistic is Statistic.HOURLY_MEDIAN) == (limit.parameter == "ph")
        unit = DEFAULT_UNITS[limit.parameter]
        assert limit.unit is not None and units.convertible(limit.unit, unit)
        assert required_kind(limit.parameter) in (None, units.kind(unit))


def test_the_sets_are_those_of_the_compiled_source(shared_data: Path) -> None:
    """Every number that the source gives for this region, and no other."""
    source = json.loads((shared_data.parent / "regulatory" / "limits.json").read_text(encoding="utf-8"))
    expected = {
        (SETS.get((r["standard"], r["category"])) or SETS[r["standard"], r["level"]], r["parameter"]): (
            r["lower"], r["upper"], r["unit"], r["verified"]
        )
        for r in source["limits"]
        if r["limit_exists"] and r["category"] != "reference_other_region"
    }  # fmt: skip
    shipped = {(s.id, x.parameter): (x.lower, x.upper, x.unit, x.verified) for s in PLANT.limit_sets for x in s.limits}
    assert shipped == expected


def test_every_parameter_of_the_compiled_source_has_its_unit(shared_data: Path) -> None:
    source = json.loads((shared_data.parent / "regulatory" / "limits.json").read_text(encoding="utf-8"))
    known = {r["parameter"]: r["unit"] for r in source["limits"] if r["parameter"] in DEFAULT_UNITS}
    assert {p: DEFAULT_UNITS[p] for p in known} == known
    # What has no limit and no unit of measure: a dilution, a count of bacteria.
    assert {r["parameter"] for r in source["limits"]} - set(known) == {"colour", "faecal_coliform"}
