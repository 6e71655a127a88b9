"""`objections file|list|show|act|decide`: what comes by letter, and how it ends."""

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
notify:
  channels: [{id: c, url: 'folder:out'}]
  policies: [{kinds: [objection], tell: [operator]}]
"""
LINES = [
    {"member": "m", "item": "power", "amount_yuan": "1.00"},
    {"member": "m", "item": "TOTAL", "amount_yuan": "1.00"},
]
LETTER = ("--member", "m", "--item", "power", "--reason", "the dial says less")


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The commands over a ledger with an issued statement and a draft."""
    monkeypatch.chdir(tmp_path)
    Path("plant.yaml").write_text(PLANT, encoding="utf-8")
    Path("d").mkdir()
    ledger = Ledger("sqlite:///d/ledger.sqlite")
    for period in ("2026-09", "2026-10"):
        ledger.statements.save(
            period=period, plant_digest="x", total_fen=100, document={}, lines=LINES, volumes=[], now_ms=1
        )
    ledger.statements.issue("2026-09-01", override_reason="", now_ms=2, actor="me")
    ledger.close()

    def run(command: str, *more: str) -> int:
        return main(["objections", command, "plant.yaml", *more, "--data", "d"])

    return run


def test_from_a_letter_to_the_decision(ask: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    Path("dial.txt").write_text("17")
    assert ask("file", "2026-09-01", *LETTER, "--attach", "dial.txt", "--author", "li") == 0
    assert capsys.readouterr().out == "1\n"
    assert ask("act", "1", "assign", "--assignee", "operator", "--comment", "please look") == 0
    assert ask("act", "1", "reply", "--comment", "we read it together", "--attach", "dial.txt") == 0
    assert ask("decide", "1", "rejected", "--comment", "the dial agrees") == 0
    capsys.readouterr()
    assert ask("list", "--statement", "2026-09-01") == 0
    listed = capsys.readouterr().out
    assert all(word in listed for word in ("2026-09-01", "power", "closed", "rejected"))
    assert ask("show", "1", "--save", "files") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("objection 1 to 2026-09-01, power, by m (alert 1): closed\n")
    assert "cli:li" in shown and "the dial agrees" in shown and "2: dial.txt (2 bytes)" in shown
    assert {p.name for p in Path("files").iterdir()} == {"1-1-dial.txt", "1-2-dial.txt"}
    ledger = Ledger("sqlite:///d/ledger.sqlite")
    assert [str(d.transition) for d in ledger.deliveries.find()] == ["replied", "assigned", "opened"]
    ledger.close()


def test_an_open_one_says_until_when(ask: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("file", "2026-09-01", *LETTER) == 0
    capsys.readouterr()
    assert ask("show", "1") == 0
    assert "open, answer by " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("file", "2026-10-01", *LETTER), "is not issued"),
        (("file", "2026-12-01", *LETTER), "there is no statement"),
        (("file", "2026-09-01", "--member", "m", "--item", "rent", "--reason", "x"), "expected one of power, TOTAL"),
        (("file", "2026-09-01", "--member", "n", "--item", "power", "--reason", "x"), "with lines of n"),
        (("file", "2026-09-01", "--member", "m", "--item", "power", "--reason", " "), "needs a --reason"),
        (("show", "1"), "there is no objection 1"),
        (("decide", "1", "rejected", "--comment", "x"), "there is no objection 1"),
    ],
    ids=["draft", "unknown", "line", "member", "reason", "show", "decide"],
)
def test_what_cannot_be(
    ask: Callable[..., int], capsys: pytest.CaptureFixture[str], command: tuple[str, ...], words: str
) -> None:
    assert ask(*command) == 1
    assert words in capsys.readouterr().err


def test_what_does_not_fit_its_state(ask: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("file", "2026-09-01", *LETTER) == 0
    for command, words in (
        (("act", "1", "assign", "--comment", "x", "--assignee", "ghost"), "--assignee: expected one of: operator, m"),
        (("act", "1", "reopen", "--comment", "x"), "is open does not take the action reopen"),
        (("decide", "1", "granted", "--comment", "x", "--correction", "2026-09-01"), "leads to a correction"),
        (("decide", "1", "granted", "--comment", "x", "--annotation", "7"), "found annotation 7"),
    ):
        assert ask(*command) == 1
        assert words in capsys.readouterr().err
    assert main(["alerts", "act", "plant.yaml", "1", "close", "--data", "d"]) == 1
    assert "an objection is decided" in capsys.readouterr().err
