"""The derivation of a verdict, as a lay reader gets it: the numbers are those of the hand-worked cases."""

from pathlib import Path

import pytest

from plant_monitor.cli import main

CASES = Path(__file__).resolve().parents[1] / "cases" / "evaluate"


def explained(case: str, parameter: str, day: str, capsys: pytest.CaptureFixture[str]) -> str:
    folder = CASES / case
    arguments = ["explain", folder / "plant.yaml", "out", parameter, day, "--readings", folder / "readings.csv"]
    assert main([str(a) for a in arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("case", "parameter", "day", "words"),
    [
        (
            "totaliser_stands_in",
            "cod_cr",
            "2026-10-01",
            [
                "206.667 m³",
                "For 6 h of that",
                "29.3333 kg ÷ 206.667 m³ = 141.935 mg/L",
                "limit 300 mg/L: met",
                "达标",
                "in force at all times",
            ],
        ),
        ("no_discharge", "cod_cr", "2026-10-02", ["no time is due", "nothing was discharged", "没有排放"]),
        ("three_quarters", "cod_cr", "2026-10-02", ["valid 18 h", "less than 75 %", "不能判定达标"]),
        (
            "marks_end_holds",
            "cod_cr",
            "2026-10-01",
            ["4 readings that day, 2 of them valid", "D × 1 (fault)", "N × 1 (没有数值)"],
        ),
        ("represents_before", "cod_cr", "2026-10-01", ["at most 720 min", "126 kg ÷ 480.000 m³ = 262.5 mg/L"]),
        (
            "ph_is_never_averaged",
            "ph",
            "2026-10-01",
            [
                "5.8, limit 6 … 9: exceeded",
                "insufficient_data × 23",
                "the day's value is its tightest hour's: 10:00",
                "exceeded in the hour of 10:00 (5.8)",
                "超标 × 1",
            ],
        ),
        ("dated_limits", "cod_cr", "2026-10-02", ["limit 500 mg/L", "2026-10-02 – 2026-10-03"]),
        ("dated_limits", "cod_cr", "2026-10-04", ["no limit is in force", "没有有效限值"]),
        ("units", "cod_cr", "2026-10-01", ["108 kg ÷ 432.000 m³ = 0.25 g/L", "limit 0.3 g/L"]),
        (
            "daily_load",
            "cod_cr",
            "2026-10-02",
            ["summed over the valid time: 50.4 kg", "50400 g/d, limit 50000 g/d: exceeded"],
        ),
    ],
)
def test_words_and_numbers(
    case: str, parameter: str, day: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = explained(case, parameter, day, capsys)
    for each in words:
        assert each in told, told


def test_what_is_not_judged_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    folder = CASES / "totaliser_stands_in"
    inputs = (folder / "plant.yaml", "out", "volume", "2026-10-01", "--readings", folder / "readings.csv")
    assert main(["explain", *(str(a) for a in inputs)]) == 1
    assert "out/cod_cr" in capsys.readouterr().err


def test_a_statement_is_explained_down_to_its_readings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = CASES.parent / "bill" / "strength_steps"
    data = tmp_path / "data"
    assert main(["import", str(case / "plant.yaml"), str(case / "readings.csv"), "--data", str(data)]) == 0
    period = (case / "period").read_text().strip()
    files = ("--costs", case / "costs.csv", "--data", data, "--out", tmp_path / "bill")
    assert main([str(a) for a in ("bill", case / "plant.yaml", "--period", period, *files)]) == 0
    capsys.readouterr()
    asked = ("explain", "statement", f"{period}-01", "--data", str(data))
    assert main([*asked, "--member", "a"]) == 0
    told = capsys.readouterr().out
    for words in (
        "Statement 2026-10-01 (draft)",
        "strength:cod_cr (tariff): (mean ",
        "flow-weighted mean",
        "  reading: ",
    ):
        assert words in told, told
    total = next(r for r in (tmp_path / "bill" / "statement.csv").read_text().splitlines() if r.startswith("a,TOTAL"))
    assert f"Total due: {total.rpartition(',')[2]} yuan" in told
    assert main([*asked, "--member", "nobody"]) == 1
    assert "expected one of" in capsys.readouterr().err
    assert main(list(asked)) == 2  # whose?
    assert main(["explain", "statement"]) == 2
    assert main(["verify", str(tmp_path / "bill" / "statement.json"), "--data", str(data)]) == 0
    assert "identical" in capsys.readouterr().out
