"""`evaluate` writes evidence.csv: what each daily verdict rests on."""

import csv
import random
from pathlib import Path

import pytest

from plant_monitor.cli import main

PLANT = """
plant: {id: p, name: {zh: 厂, en: plant}, timezone: Asia/Shanghai, capacity_m3_d: 900}
members: [{id: m, name: {zh: 员, en: member}}]
points:
  - id: a
    role: outfall
    member: m
    limits: [l]
    parameters:
      flow: {unit: m3/h, interval: 1h}
      volume: {unit: m3}
      cod_cr: {unit: mg/L, interval: 2h, represents: before}
      ph: {interval: 1h}
limit_sets:
  - id: l
    title: {zh: 限, en: limits}
    source: made up
    limits:
      - {parameter: cod_cr, upper: 400, unit: mg/L}
      - {parameter: ph, lower: 6, upper: 9, statistic: hourly_median}
"""
HEADER = "time,point,parameter,value,mark\n"
KEY = ("parameter", "date", "limit_set", "statistic")

Readings = dict[tuple[str, str], str]  # (parameter, "day hour") -> "value,mark"


def readings() -> Readings:
    """Three days each hour; cod_cr each second hour; a register each sixth hour, and none on the second day."""
    draw = random.Random(5)
    made = {}
    for hour in range(72):
        at = f"{1 + hour // 24:02d} {hour % 24:02d}"
        made["flow", at] = f"{draw.uniform(1, 30):.2f},"
        made["ph", at] = f"{draw.uniform(5, 9):.2f},"
        if hour % 2 == 0:
            made["cod_cr", at] = f"{draw.uniform(100, 700):.1f},"
        if hour % 6 == 0 and not 24 <= hour < 48:
            made["volume", at] = f"{hour * 20},"
    del made["flow", "02 05"]  # the slope of the registers stands in
    return made


def text(chosen: Readings) -> list[str]:
    lines = []
    for (parameter, at), told in chosen.items():
        day, hour = at.split()
        lines.append(f"2026-10-{day}T{hour}:00:00+08:00,a,{parameter},{told}\n")
    return lines


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    path = tmp_path / "plant.yaml"
    path.write_text(PLANT, encoding="utf-8")
    return path


def evaluated(plant: Path, name: str, *options: str) -> dict[tuple[str, ...], dict[str, str]]:
    """The rows of evidence.csv by key."""
    out = plant.parent / name
    assert main(["evaluate", str(plant), *options, "--out", str(out)]) == 0
    return {tuple(row[k] for k in KEY): row for row in read(out / "evidence.csv")}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def of_file(plant: Path, name: str, chosen: Readings) -> dict[tuple[str, ...], dict[str, str]]:
    file = plant.parent / f"{name}.csv"
    file.write_text(HEADER + "".join(text(chosen)), encoding="utf-8")
    return evaluated(plant, name, "--readings", str(file), "--from", "2026-10-01", "--to", "2026-10-03")


def test_every_daily_row_has_its_evidence(plant: Path) -> None:
    rows = of_file(plant, "whole", readings())
    daily = read(plant.parent / "whole" / "daily.csv")
    assert [tuple(row[k] for k in KEY) for row in daily] == list(rows)
    assert [row["verdict"] for row in daily] == [row["verdict"] for row in rows.values()]
    assert {row["rule_version"] for row in rows.values()} == {"judge-1"}
    assert {row["limit_set_version"] for key, row in rows.items() if not key[2]} == {""}
    (version,) = {row["limit_set_version"] for key, row in rows.items() if key[2]}
    assert len(version) == 16
    # 24 of flow with the one before, 24 of pH with the one before, registers at 00, 06, 12, 18 and the next one
    assert int(rows["ph", "2026-10-03", "l", "hourly_median"]["readings"]) == 24 + 24 + 4
    # 12 of cod_cr, that of 00:00 says nothing of this day (represents: before)
    assert int(rows["cod_cr", "2026-10-03", "l", "daily_mean"]["readings"]) == 24 + 11 + 4
    plant.write_text(PLANT.replace("upper: 400", "upper: 401"), encoding="utf-8")
    edited = of_file(plant, "edited", readings())
    assert {row["limit_set_version"] for key, row in edited.items() if key[2]}.isdisjoint({version})
    assert [row["readings_sha256"] for row in edited.values()] == [row["readings_sha256"] for row in rows.values()]


def test_equal_readings_have_equal_digests_from_a_file_and_from_the_journal_in_any_order(plant: Path) -> None:
    whole = of_file(plant, "whole", readings())
    lines = text(readings())
    random.Random(1).shuffle(lines)
    data = ["--data", str(plant.parent / "data")]
    for number, first in enumerate(range(0, len(lines), 40)):
        part = plant.parent / f"part{number}.csv"
        part.write_text(HEADER + "".join(lines[first : first + 40]), encoding="utf-8")
        assert main(["import", str(plant), str(part), *data]) == 0
    assert evaluated(plant, "stored", *data) == whole
    second = evaluated(plant, "one-day", *data, "--from", "2026-10-02", "--to", "2026-10-02")
    assert second == {key: row for key, row in whole.items() if key[1] == "2026-10-02"}


@pytest.mark.parametrize(
    ("parameter", "at", "told", "touched"),
    [
        ("ph", "02 10", "6.66,", {("ph", "02")}),
        ("ph", "02 10", "6.66,D", {("ph", "02")}),
        ("ph", "01 23", "6.66,", {("ph", "01")}),  # the next reading, at midnight, ends its hold
        ("cod_cr", "02 00", "9,", {("cod_cr", "01")}),  # of the two hours before midnight
        ("cod_cr", "02 02", "9,", {("cod_cr", "02")}),
        ("flow", "02 10", "9,", {(p, "02") for p in ("ph", "cod_cr", "flow")}),
        ("flow", "02 04", "9,", {(p, "02") for p in ("ph", "cod_cr", "flow")}),
        # the step to the register of midnight begins at 18:00 two days before
        ("volume", "03 00", "1450,", {(p, d) for p in ("ph", "cod_cr", "flow") for d in ("01", "02", "03")}),
        ("volume", "01 18", "361,", {(p, d) for p in ("ph", "cod_cr", "flow") for d in ("01", "02")}),
    ],
)
def test_a_change_of_one_reading_changes_the_digests_of_the_days_it_holds_into(
    plant: Path, parameter: str, at: str, told: str, touched: set[tuple[str, str]]
) -> None:
    before = of_file(plant, "before", readings())
    after = of_file(plant, "after", readings() | {(parameter, at): told})
    changed = {
        (key[0], key[1][-2:]) for key, row in before.items() if after[key]["readings_sha256"] != row["readings_sha256"]
    }
    assert changed == touched
    old, new = (read(plant.parent / name / "daily.csv") for name in ("before", "after"))
    others = {(b["parameter"], b["date"][-2:]) for b, a in zip(old, new, strict=True) if a != b}
    assert others <= touched


def test_what_an_invalid_reading_says_changes_nothing(plant: Path) -> None:
    before = of_file(plant, "before", readings() | {("ph", "02 10"): "7,D"})
    assert of_file(plant, "after", readings() | {("ph", "02 10"): ",M"}) == before
