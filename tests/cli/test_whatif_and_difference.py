"""What changed since, and what would have been: the same core, and every changed verdict with its cause."""

import csv
from pathlib import Path

import pytest

from plant_monitor.cli import main

PLANT = """
plant: {id: p, name: {zh: 厂, en: plant}, timezone: Asia/Shanghai, capacity_m3_d: 500}
members:
  - {id: a, name: {zh: 甲, en: A}}
  - {id: b, name: {zh: 乙, en: B}}
points:
  - id: out-a
    role: outfall
    member: a
    limits: [agreed]
    parameters: {flow: {interval: 6h}, volume: {rollover: 1000}, cod_cr: {interval: 6h}}
  - {id: out-b, role: outfall, member: b, parameters: {flow: {interval: 6h}}}
limit_sets:
  - id: agreed
    title: {zh: 协议, en: agreement}
    source: worked by hand
    limits: [{parameter: cod_cr, upper: 300, unit: mg/L}]
  - id: stricter
    title: {zh: 协议, en: agreement}
    source: worked by hand
    limits: [{parameter: cod_cr, upper: 200, unit: mg/L}]
"""


def readings_of(cod: float) -> str:
    """Two days: a sends 10 m³/h at ``cod``, b 5 m³/h; a's dial rolls over on the second day."""
    rows = ["time,point,parameter,value"]
    for step in range(8):
        time = f"2026-10-{1 + step // 4:02d}T{step % 4 * 6:02d}:00:00+08:00"
        dial = (800 + 60 * step) % 1000
        rows += [
            f"{time},out-a,flow,10",
            f"{time},out-a,cod_cr,{cod}",
            f"{time},out-b,flow,5",
            f"{time},out-a,volume,{dial}",
        ]
    return "\n".join(rows) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plant.yaml").write_text(PLANT, encoding="utf-8")
    (tmp_path / "readings.csv").write_text(readings_of(250))
    return tmp_path


def run(folder: Path, command: str, *more: object, readings: str = "readings.csv") -> int:
    arguments = [command, folder / "plant.yaml", "--readings", folder / readings, *more]
    return main([str(a) for a in arguments])


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def whatif(folder: Path, scenario: str) -> Path:
    (folder / "scenario.yaml").write_text(scenario, encoding="utf-8")
    assert run(folder, "whatif", "--scenario", folder / "scenario.yaml", "--out", folder / "would") == 0
    return folder / "would"


def daily(out: Path, point: str = "out-a", parameter: str = "cod_cr") -> dict[str, str]:
    return next(r for r in rows(out / "daily.csv") if (r["point"], r["parameter"]) == (point, parameter))


def test_nothing_differs_from_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "evaluate", "--out", folder / "old") == 0
    assert run(folder, "evaluate", "--diff", folder / "old", "--out", folder / "new") == 0
    assert rows(folder / "new" / "difference.csv") == []
    assert "0 verdicts differ" in capsys.readouterr().err


def test_another_mean_of_the_same_readings_is_a_matter_of_the_rule(folder: Path) -> None:
    """An earlier program may have computed another mean: the digests say that it saw the same readings."""
    assert run(folder, "evaluate", "--out", folder / "old") == 0
    for name, old, new in (("daily", ",250.0,", ",350.0,"), ("daily", ",met", ",exceeded")):
        path = folder / "old" / f"{name}.csv"
        first = "out-a,cod_cr,2026-10-01,"
        lines = [line.replace(old, new) if line.startswith(first) else line for line in path.read_text().splitlines()]
        path.write_text("\n".join(lines) + "\n")
    assert run(folder, "evaluate", "--diff", folder / "old", "--out", folder / "new") == 0
    (changed,) = rows(folder / "new" / "difference.csv")
    assert (changed["window"], changed["old_value"], changed["cause"]) == ("2026-10-01", "350.0", "rule")
    (folder / "old" / "evidence.csv").unlink()
    assert run(folder, "evaluate", "--diff", folder / "old", "--out", folder / "new") == 0
    (changed,) = rows(folder / "new" / "difference.csv")
    assert changed["cause"] == "data"  # without digests, all that can be said is that the value is another


def test_new_data_and_a_new_limit_are_told_apart(folder: Path) -> None:
    assert run(folder, "evaluate", "--out", folder / "old") == 0
    (folder / "late.csv").write_text(readings_of(350))
    assert run(folder, "evaluate", "--diff", folder / "old", "--out", folder / "new", readings="late.csv") == 0
    changed = [r for r in rows(folder / "new" / "difference.csv") if r["table"] == "daily"]
    assert [(r["window"], r["old_verdict"], r["new_verdict"], r["cause"]) for r in changed] == [
        ("2026-10-01", "met", "exceeded", "data"),
        ("2026-10-02", "met", "exceeded", "data"),
    ]
    assert (changed[0]["old_value"], changed[0]["new_value"]) == ("250.0", "350.0")
    (folder / "plant.yaml").write_text(PLANT.replace("upper: 300", "upper: 240"), encoding="utf-8")
    assert run(folder, "evaluate", "--diff", folder / "old", "--out", folder / "newer") == 0
    changed = [r for r in rows(folder / "newer" / "difference.csv") if r["table"] == "daily"]
    assert {(r["new_verdict"], r["cause"], r["old_upper"], r["new_upper"]) for r in changed} == {
        ("exceeded", "limit", "300.0", "240.0")
    }


def test_days_that_only_one_of_them_covers(folder: Path) -> None:
    assert run(folder, "evaluate", "--to", "2026-10-01", "--out", folder / "old") == 0
    assert run(folder, "evaluate", "--diff", folder / "old", "--out", folder / "new") == 0
    changed = [r for r in rows(folder / "new" / "difference.csv") if r["table"] == "daily"]
    assert {(r["window"], r["old_verdict"], r["cause"]) for r in changed} == {("2026-10-02", "", "days")}


def test_a_folder_without_results_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "empty").mkdir()
    assert run(folder, "evaluate", "--diff", folder / "empty", "--out", folder / "new") == 1
    assert "no results here" in capsys.readouterr().err


def test_twice_the_flow_is_twice_the_volume_through_a_rollover(folder: Path) -> None:
    out = whatif(folder, "members: {a: {flow: 2}}")
    assert float(daily(out)["volume_m3"]) == pytest.approx(480)
    assert float(daily(out)["value"]) == pytest.approx(250)
    headroom = rows(out / "headroom.csv")[0]
    assert float(headroom["inflow_m3"]) == pytest.approx(600)
    assert float(headroom["headroom_m3"]) == pytest.approx(-100)


def test_strength_limits_and_capacity(folder: Path) -> None:
    out = whatif(folder, "members: {a: {strength: {cod_cr: 1.3}}}\ncapacity_m3_d: 720\n")
    assert float(daily(out)["value"]) == pytest.approx(325)
    assert daily(out)["verdict"] == "exceeded"
    assert float(rows(out / "headroom.csv")[0]["used_share"]) == pytest.approx(0.5)
    assert {r["cause"] for r in rows(out / "difference.csv")} == {"data"}
    out = whatif(folder, "limits: {out-a: [stricter]}")
    assert daily(out)["verdict"] == "exceeded"
    assert {r["cause"] for r in rows(out / "difference.csv")} == {"limit"}


def test_an_outfall_that_is_off(folder: Path) -> None:
    out = whatif(folder, "members: {a: {off: true}}")
    assert daily(out)["verdict"] == "no_discharge"
    assert float(rows(out / "headroom.csv")[0]["inflow_m3"]) == pytest.approx(120)
    out = whatif(folder, "members: {a: {strength: {all: 1}}}")
    assert rows(out / "difference.csv") == []


def test_a_scenario_that_names_what_is_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "scenario.yaml").write_text("members: {c: {flow: 2}, a: {flow: -1}}\nlimits: {out-z: [none]}\n")
    assert run(folder, "whatif", "--scenario", folder / "scenario.yaml", "--out", folder / "would") == 1
    told = capsys.readouterr().err
    assert all(words in told for words in ("member 'c'", "members.a.flow", "point 'out-z'", "limit set 'none'"))
    assert not (folder / "would").exists()
