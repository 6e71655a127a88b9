"""Accounts by the command line: the password comes from stdin, and from nowhere else."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from plant_monitor.cli import main
from plant_monitor.data_folder import DataFolder

PLANT = Path(__file__).resolve().parents[2] / "examples" / "xieqiao" / "plant.yaml"
PASSWORD = "correct horse 电池"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    def run(command: str, *arguments: str, typed: str = "") -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        return main(["users", command, str(PLANT), *arguments, "--data", str(tmp_path)])

    return run


def signs_in(folder: Path, name: str, password: str) -> bool:
    with DataFolder(folder).ledger() as ledger:
        return ledger.users.sign_in(name, password, address="", now_ms=1) is not None


def test_an_account_from_its_making_to_its_end(run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    assert run("add", "wang", "--role", "member", "--member", "shennong", typed=PASSWORD + "\n") == 0
    assert signs_in(tmp_path, "wang", PASSWORD)
    assert run("password", "wang", typed="another password\n") == 0
    assert not signs_in(tmp_path, "wang", PASSWORD)
    assert signs_in(tmp_path, "wang", "another password")
    assert run("disable", "wang") == 0
    assert not signs_in(tmp_path, "wang", "another password")
    capsys.readouterr()
    assert run("list") == 0
    told = capsys.readouterr().out
    assert "wang" in told and "shennong" in told and "password" not in told
    assert run("enable", "wang") == 0
    assert signs_in(tmp_path, "wang", "another password")


@pytest.mark.parametrize(
    ("arguments", "typed", "words"),
    [
        (("add", "wang", "--role", "officer"), "", "found 0 characters"),
        (("add", "wang", "--role", "member", "--member", "nobody"), PASSWORD, "no such member"),
        (("add", "wang", "--role", "member"), PASSWORD, "expected the id of its member"),
        (("disable", "li"), "", "no account 'li'"),
    ],
)
def test_what_does_not_fit_is_refused(run, arguments, typed, words, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    assert run(*arguments, typed=typed) == 1
    assert words in " ".join(capsys.readouterr().err.split())
