"""``annotate`` and ``annotations``: laid over readings, seen by every command that reads the store."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from plant_monitor.cli import main

CASE = Path(__file__).resolve().parents[1] / "cases" / "evaluate" / "flow_weighted_mean"
PLANT, READINGS = CASE / "plant.yaml", CASE / "readings.csv"


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    assert run("import", PLANT, READINGS, "--data", tmp_path / "data") == 0
    return tmp_path / "data"


def verdicts(data: Path, out: Path) -> dict[str, str]:
    assert run("evaluate", PLANT, "--data", data, "--out", out) == 0
    return {name: (out / f"{name}.csv").read_text() for name in ("hourly", "daily", "exceedances", "rates")}


def say(data: Path, *more: object) -> int:
    span = ("--from", "2026-10-01T06:00:00+08:00", "--to", "2026-10-01T18:00:00+08:00", "--author", "li")
    return run("annotate", PLANT, "--point", "out", "--parameter", "cod_cr", *span, *more, "--data", data)


def test_an_annotation_changes_verdicts_and_its_withdrawal_restores_every_byte(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = verdicts(data, tmp_path / "before")
    raw = ("export", PLANT, "--from", "2026-09-01", "--to", "2026-12-01", "--data", data, "--out")
    assert run(*raw, tmp_path / "raw.csv") == 0
    capsys.readouterr()
    assert say(data, "--kind", "exclusion", "--reason", "smells wrong") == 0
    told = capsys.readouterr()
    assert told.out == "1\n" and "readings in it" in told.err
    after = verdicts(data, tmp_path / "after")
    (row,) = [r for r in csv.DictReader(after["daily"].splitlines()) if r["parameter"] == "cod_cr"][:1]
    assert row["verdict"] == "insufficient_data" and after != before
    assert run(*raw, tmp_path / "again.csv") == 0
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "raw.csv").read_text()
    assert run("evaluate", PLANT, "--readings", READINGS, "--out", tmp_path / "file") == 0
    assert (tmp_path / "file" / "daily.csv").read_text() == before["daily"], "a file is judged as it is"
    assert run("annotations", "withdraw", PLANT, 1, "--reason", "it was water", "--data", data) == 0
    assert verdicts(data, tmp_path / "restored") == before
    capsys.readouterr()
    assert run("annotations", "list", PLANT, "--data", data) == 0
    listed = capsys.readouterr().out
    for words in ("exclusion", "smells wrong", "cli:li", "it was water"):
        assert words in listed


def test_an_explanation_names_what_was_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        say(data, "--kind", "manual_value", "--value", 250, "--reason", "lamp broken", "--evidence", "report 17") == 0
    )
    capsys.readouterr()
    assert run("explain", PLANT, "out", "cod_cr", "2026-10-01", "--data", data) == 0
    told = capsys.readouterr().out
    span = "2026-10-01T06:00:00+08:00 – 2026-10-01T18:00:00+08:00"
    assert f"Annotation 1: cod_cr, value by hand 250, {span}; because: lamp broken (report 17); by cli:li." in told
    assert f"标注 1：cod_cr 手工值 250，{span}；理由：lamp broken (report 17)；录入 cli:li。" in told
    assert run("explain", PLANT, "out", "cod_cr", "2026-10-01", "--readings", READINGS) == 0
    assert "Annotation" not in capsys.readouterr().out


def test_mistakes_are_told_and_nothing_is_kept(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert say(data, "--kind", "manual_value", "--value", 3, "--reason", "x") == 1
    assert "names its evidence" in capsys.readouterr().err
    assert say(data, "--kind", "guess", "--reason", "x") == 2
    assert run("annotations", "withdraw", PLANT, 7, "--reason", "x", "--data", data) == 1
    assert "there is no annotation 7" in capsys.readouterr().err
    assert run("annotations", "list", PLANT, "--data", data) == 0
    assert "smells" not in capsys.readouterr().out
