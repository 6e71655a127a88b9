"""Data quality settings: what is shipped with its marks, and what plant.yaml says instead."""

from __future__ import annotations

import pytest

from plant_monitor.config.plant_file import parse_plant
from plant_monitor.errors import ConfigError
from plant_monitor.plant import MarkedNumber, Quality, Tolerance

BASE = """
plant: {id: p, name: {zh: 厂, en: P}, timezone: Asia/Shanghai, capacity_m3_d: 1200}
points: [{id: o, role: process, parameters: {ph: {interval: 1m}}}]
"""


def quality(text: str = "") -> Quality:
    return parse_plant(BASE + text, "plant.yaml", {}).quality


def test_every_shipped_number_says_how_sure_it_is() -> None:
    shipped = quality()
    assert shipped.required_rate is not None and shipped.required_rate.value == 0.9
    assert shipped.substitution_days is not None and shipped.substitution_days.value == 30
    numbers = [shipped.required_rate, shipped.substitution_days, *shipped.tolerances]
    assert all(n.mark in ("1", "M") and n.source for n in numbers)  # none was seen in the text of the standard
    cod = [(t.below, t.absolute, t.relative) for t in shipped.tolerances if t.parameter == "cod_cr"]
    assert cod == [(30, 5, None), (60, None, 0.3), (100, None, 0.2), (None, None, 0.15)]


def test_what_plant_yaml_states_replaces_what_is_shipped() -> None:
    own = quality(
        "quality:\n"
        "  transmission: {required: 0.75, source: permit}\n"
        "  comparison: [{parameter: cod_cr, relative: 0.1, unit: mg/L, mark: E}]\n"
    )
    assert own.required_rate == MarkedNumber(0.75, "V", "permit")
    assert own.substitution_days == quality().substitution_days
    assert [t for t in own.tolerances if t.parameter == "cod_cr"] == [
        Tolerance("cod_cr", "mg/L", relative=0.1, mark="E")
    ]
    assert [t for t in own.tolerances if t.parameter != "cod_cr"] == [
        t for t in quality().tolerances if t.parameter != "cod_cr"
    ]


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("transmission: {required: 90}", "quality.transmission.required", "from 0 to 1"),
        ("transmission: {required: 0.9, mark: '2'}", "quality.transmission.mark", "'V'"),
        ("substitution: {effective_days: 0}", "quality.substitution.effective_days", "whole number from 1"),
        ("comparison: [{parameter: ph, unit: 1}]", "quality.comparison[0]", "one of the two"),
        ("comparison: [{parameter: ph, unit: 1, absolute: 1, relative: 1}]", "quality.comparison[0]", "one of the two"),
        ("comparison: [{parameter: cod_cr, unit: kg, relative: 1}]", "quality.comparison[0].unit", "converted to mg/L"),
        (
            "comparison: [{parameter: x, unit: u, relative: 1}, {parameter: x, unit: u, below: 3, relative: 1}]",
            "quality.comparison[1].below",
            "ascending",
        ),
        (
            (
                "comparison: [{parameter: x, unit: u, below: 3, relative: 1}, "
                "{parameter: x, unit: u, below: 3, relative: 2}]"
            ),
            "quality.comparison[1].below",
            "ascending",
        ),
    ],
    ids=lambda value: value[:40],
)
def test_mistakes_are_told_with_their_place(text: str, where: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        quality(f"quality:\n  {text}\n")
    (problem,) = caught.value.problems
    assert problem.path == where and words in problem.expected
