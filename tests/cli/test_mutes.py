"""`mutes add|list|lift`."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cli.test_alerts import PLANT

from plant_monitor.cli import main


def test_mutes_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plant.yaml").write_text(PLANT, encoding="utf-8")
    soon = datetime.now(ZoneInfo("Asia/Shanghai")).replace(microsecond=0) + timedelta(days=1)

    def run(command: str, *more: str) -> int:
        return main(["mutes", command, "plant.yaml", *more, "--data", "d"])

    assert run("add", "--to", soon.isoformat(), "--reason", "pump", "--point", "a", "--author", "li") == 0
    later = (soon + timedelta(days=2)).isoformat()
    assert run("add", "--from", soon.isoformat(), "--to", later, "--reason", "all of it") == 0
    assert capsys.readouterr().out == "1\n2\n"
    assert run("lift", "1", "--reason", "done") == 0
    assert run("list") == 0
    shown = capsys.readouterr().out
    assert "lifted" in shown and "planned" in shown and "cli:li" in shown and "done" in shown
    assert run("lift", "1", "--reason", "done") == 1
    assert run("lift", "9", "--reason", "done") == 1
    assert run("add", "--to", "2020-01-01", "--reason", "x") == 1
    assert run("add", "--to", later, "--reason", "x", "--point", "ghost") == 1
    told = capsys.readouterr().err
    assert "mute 1 is over already" in told and "there is no mute 9" in told
    assert "--to: expected a time after" in told and "--point: found 'ghost', expected one of a" in told
