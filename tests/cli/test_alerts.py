"""`alerts open|list|show|act`: people's work on cases without the API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from plant_monitor.cli import main
from plant_monitor.ledger import Ledger

PLANT = """
plant: {id: p, name: {zh: 厂, en: plant}, timezone: Asia/Shanghai, capacity_m3_d: 900}
members: [{id: m, name: {zh: 员, en: member}}]
points: [{id: a, role: outfall, member: m, parameters: {flow: {unit: m3/h, interval: 1h}}}]
notify: {channels: [{id: c, url: 'folder:out'}]}
"""


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.chdir(tmp_path)
    Path("plant.yaml").write_text(PLANT, encoding="utf-8")

    def run(command: str, *more: str) -> int:
        return main(["alerts", command, "plant.yaml", *more, "--data", "d"])

    return run


def test_a_case_from_the_question_to_its_end(ask: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    Path("dial.txt").write_text("17")
    about = ["--subject", "flow?", "--text", "why", "--point", "a", "--parameter", "flow", "--member", "m"]
    assert ask("open", *about, "--attach", "dial.txt", "--author", "li") == 0
    assert capsys.readouterr().out == "1\n"
    assert ask("act", "1", "assign", "--assignee", "m") == 0
    assert ask("act", "1", "reply", "--comment", "rain", "--attach", "dial.txt") == 0
    assert ask("show", "1", "--save", "files") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("#1 enquiry a flow?: replied")
    assert "cli:li" in shown and "2: dial.txt (2 bytes)" in shown and "pending" in shown
    assert {p.name: p.read_text() for p in Path("files").iterdir()} == {"1-1-dial.txt": "17", "1-2-dial.txt": "17"}
    assert ask("act", "1", "close") == 0
    assert ask("list", "--state", "closed") == 0
    assert "flow?" in capsys.readouterr().out
    assert ask("messages") == 0
    assert "replied" in capsys.readouterr().out
    assert ask("messages", "--failed") == 0
    assert "replied" not in capsys.readouterr().out
    ledger = Ledger("sqlite:///d/ledger.sqlite")
    assert [(d.transition, d.channel) for d in ledger.deliveries.find()] == [
        ("replied", "c"), ("assigned", "c"), ("opened", "c"),
    ]  # fmt: skip
    ledger.close()


@pytest.mark.parametrize(
    ("words", "args"),
    [
        ("--point: found 'x'", ("open", "--subject", "s", "--text", "t", "--point", "x")),
        ("--parameter: found 'flow'", ("open", "--subject", "s", "--text", "t", "--parameter", "flow")),
        ("--member: found 'x'", ("open", "--subject", "s", "--text", "t", "--member", "x")),
        ("needs a --subject", ("open", "--subject", " ", "--text", "t")),
        ("No such file", ("open", "--subject", "s", "--text", "t", "--attach", "none")),
        ("expected at most 2000000", ("open", "--subject", "s", "--text", "t", "--attach", "large")),
        ("there is no alert 7", ("act", "7", "close")),
        ("there is no alert 7", ("show", "7")),
    ],
)
def test_mistakes_are_told(
    ask: Callable[..., int], words: str, args: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("large").write_bytes(b"x" * 2_000_001)
    assert ask(*args) == 1
    assert words in capsys.readouterr().err


def test_what_a_step_lacks_is_told(ask: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    ask("open", "--subject", "s", "--text", "t", "--point", "a")
    for args, words in (
        (("assign", "--assignee", "ghost"), "--assignee: expected one of: operator, m"),
        (("close", "--assignee", "m"), "--assignee: only assign"),
        (("reopen",), "--comment: reopen needs a comment"),
        (("reply", "--comment", "x"), "an alert that is open does not take"),
    ):
        assert ask("act", "1", *args) == 1
        assert words in capsys.readouterr().err
    assert ask("open", "--subject", "s", "--text", "t", "--point", "a") == 1
    assert "case #1 of this name is open" in capsys.readouterr().err
