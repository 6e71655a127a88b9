"""The costs file: items in whole fen, or every mistake of the file at once and nothing billed."""

from __future__ import annotations

from pathlib import Path

import pytest

from plant_monitor.allocation.split import CostItem
from plant_monitor.config.costs_file import read_costs
from plant_monitor.config.plant_file import load_plant, parse_plant
from plant_monitor.errors import InputError

PLANT = parse_plant(
    """
plant: {id: p, name: {zh: 厂, en: P}, timezone: Asia/Shanghai, capacity_m3_d: 1200}
members: [{id: a, name: {zh: 甲, en: A}}, {id: b, name: {zh: 乙, en: B}}]
points:
  - {id: o, role: outfall, member: a, parameters: {flow: {interval: 10s}, cod_cr: {interval: 1h}, ph: {interval: 1m}}}
  - {id: i, role: inlet, parameters: {ss: {interval: 1h}, ph: {interval: 1m}}}
""",
    "plant.yaml",
    {},
)


def costs(tmp_path: Path, text: str | bytes) -> tuple[CostItem, ...]:
    path = tmp_path / "costs.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_costs(path, PLANT)


def test_items(tmp_path: Path) -> None:
    text = (
        "﻿item,basis,amount_yuan,note\r\n"
        "电费,volume,58320.60,\r\n\r\n"
        '"a, b",load:cod_cr,-5120.3,a credit\r\n'
        "c,direct:b,7,\r\nd,load,+0.07,\r\ne,equal,0,\r\nf,capacity_share,-0.05,\r\ng,load:ss,000123.00,\r\n"
    )
    assert costs(tmp_path, text) == (
        CostItem("电费", "volume", 5_832_060),
        CostItem("a, b", "load:cod_cr", -512_030, "a credit"),
        CostItem("c", "direct:b", 700),
        CostItem("d", "load", 7),
        CostItem("e", "equal", 0),
        CostItem("f", "capacity_share", -5),
        CostItem("g", "load:ss", 12_300),
    )


def test_the_example() -> None:
    folder = Path(__file__).parents[2] / "examples" / "xieqiao"
    items = read_costs(folder / "costs.csv", load_plant(folder / "plant.yaml", env={}))
    assert {i.basis for i in items} == {"volume", "capacity_share", "equal", "direct:shennong"}
    assert any(i.amount_fen < 0 for i in items)


def test_a_header_alone_is_no_cost(tmp_path: Path) -> None:
    assert costs(tmp_path, "item,basis,amount_yuan") == ()


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        (",volume,1", "item", "found nothing"),
        ("  ,volume,1", "item", "found nothing"),
        ("TOTAL,volume,1", "item", "statements call the sum so"),
        ("volume_price,volume,1", "item", "lines of the tariff"),
        ("fixed,volume,1", "item", "lines of the tariff"),
        ("strength:cod_cr:2,volume,1", "item", "lines of the tariff"),
        ("first,volume,1", "item", "'first' a second time, expected each item once (line 2 has it)"),
        ("x,,1", "basis", "found nothing"),
        ("x,weight,1", "basis", "found 'weight', expected volume, capacity_share, equal"),
        ("x,Volume,1", "basis", "found 'Volume'"),
        ("x,direct:c,1", "basis", "the id of a member (a, b)"),
        ("x,direct:,1", "basis", "the id of a member (a, b)"),
        ("x,load:bod5,1", "basis", "no point measures 'bod5'"),
        ("x,load:ph,1", "basis", "'ph' is in 1"),
        ("x,load:flow,1", "basis", "'flow' is in m3/h"),
        ("x,load:,1", "basis", "no point measures ''"),
        ("x,volume,", "amount_yuan", "found nothing"),
        ("x,volume,1.005", "amount_yuan", "at most two decimals"),
        ("x,volume,1.000", "amount_yuan", "at most two decimals"),
        ("x,volume,1.", "amount_yuan", "at most two decimals"),
        ("x,volume,1e3", "amount_yuan", "found '1e3'"),
        ("x,volume,inf", "amount_yuan", "found 'inf'"),
        ("x,volume,nan", "amount_yuan", "found 'nan'"),
        ("x,volume,１２", "amount_yuan", "found '１２'"),
        ('x,volume,"1,000.00"', "amount_yuan", "found '1,000.00'"),
        ("x,volume,1_000", "amount_yuan", "found '1_000'"),
        ("x,volume,¥5", "amount_yuan", "found '¥5'"),
        ("x,volume,- 5", "amount_yuan", "found '- 5'"),
        ("x,volume", "", "found 2 fields, expected 3"),
        ("x,volume,1,000.00", "", "found 4 fields, expected 3"),
        ('x,"volume,1', "", "quotes that do not match"),
    ],
)
def test_bad_rows(tmp_path: Path, row: str, column: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        costs(tmp_path, f"item,basis,amount_yuan\nfirst,equal,1\n{row}\nlast,equal,2\n")
    (problem,) = caught.value.problems
    assert problem.where.endswith("costs.csv:3") and problem.path == column
    assert words in str(problem)


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    text = b"item,basis,amount_yuan,note\n,x,y,\na,volume,1,\na,volume,1.234,\n\xb5\xe7,volume,1,\nb,volume\n"
    with pytest.raises(InputError, match="7 problems; nothing is billed") as caught:
        costs(tmp_path, text)
    assert [(int(p.where.rpartition(":")[2]), p.path) for p in caught.value.problems] == [
        (2, "item"), (2, "basis"), (2, "amount_yuan"), (4, "item"), (4, "amount_yuan"), (5, ""), (6, "")
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "\n", "a,volume,1\n", "item;basis;amount_yuan\n", "item,basis,amount\n"])
def test_files_without_the_header(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="header"):
        costs(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_costs(tmp_path / "none.csv", PLANT)
