"""``import --lab`` and ``evaluate --lab``: from a file to verdicts, by way of the ledger or without any store."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from plant_monitor.cli import main

CASE = Path(__file__).resolve().parents[1] / "cases" / "evaluate" / "laboratory"
PLANT, READINGS, RESULTS = CASE / "plant.yaml", CASE / "readings.csv", CASE / "lab_results.csv"


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_the_ledger_gives_what_the_file_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, stored, direct = tmp_path / "data", tmp_path / "stored", tmp_path / "direct"
    assert run("import", PLANT, READINGS, "--data", data) == 0
    assert run("import", "--lab", PLANT, RESULTS, "--data", data) == 0
    assert "10 new, 0 known, 0 replaced, 0 bad rows" in capsys.readouterr().err
    assert run("import", "--lab", PLANT, RESULTS, "--data", data) == 0
    assert "0 new, 10 known, 0 replaced, 0 bad rows" in capsys.readouterr().err
    assert run("evaluate", PLANT, "--data", data, "--out", stored) == 0
    assert run("evaluate", PLANT, "--readings", READINGS, "--lab", RESULTS, "--out", direct) == 0
    assert (stored / "lab.csv").read_text() == (direct / "lab.csv").read_text()
    assert len(rows(direct / "lab.csv")) == 10


def test_without_results_there_are_headers_alone_and_no_ledger(tmp_path: Path) -> None:
    data, out, bare = tmp_path / "data", tmp_path / "out", tmp_path / "bare"
    assert run("import", PLANT, READINGS, "--data", data) == 0
    assert run("evaluate", PLANT, "--data", data, "--out", out) == 0
    assert run("evaluate", PLANT, "--readings", READINGS, "--out", bare) == 0
    assert rows(out / "lab.csv") == [] and (out / "lab.csv").read_text() == (bare / "lab.csv").read_text()
    assert not (data / "ledger.sqlite").exists()
    for name in ("hourly", "daily", "monthly", "exceedances", "findings"):
        assert (out / f"{name}.csv").read_text() == (bare / f"{name}.csv").read_text()


def test_bad_rows_are_told_and_good_ones_are_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.csv"
    lines = RESULTS.read_text(encoding="utf-8").splitlines()
    bad.write_text("\n".join([*lines[:2], lines[1].replace("bod5", "bod_5"), *lines[2:]]) + "\n", encoding="utf-8")
    rejects, data, out = tmp_path / "rejects.csv", tmp_path / "data", tmp_path / "out"
    assert run("import", "--lab", PLANT, bad, "--data", data, "--rejects", rejects) == 1
    assert "10 new, 0 known, 0 replaced, 1 bad rows" in capsys.readouterr().err
    assert [r["line"] for r in rows(rejects)] == ["3"]
    common = ("evaluate", PLANT, "--readings", READINGS, "--lab", bad, "--out", out)
    assert run(*common, "--strict") == 1
    assert not out.exists()
    assert run(*common) == 1
    assert len(rows(out / "lab.csv")) == 10
    assert "bod_5" in capsys.readouterr().err


def test_a_map_is_for_readings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", "--lab", PLANT, RESULTS, "--map", PLANT, "--data", tmp_path) == 2
    assert "--map" in capsys.readouterr().err
