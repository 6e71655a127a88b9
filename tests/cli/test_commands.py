"""The commands as a user types them: exit codes, where results and messages go, what a mistake looks like."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from servers import free_port

from plant_monitor import __version__
from plant_monitor.cli import main
from plant_monitor.cli.app import COMMANDS, GROUPS
from plant_monitor.clock import ManualClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.data_folder import DataFolder
from plant_monitor.plant import ModbusDevice
from simulators.rows import RowServer

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "xieqiao"
CASE = ROOT / "tests" / "cases" / "evaluate" / "flow_weighted_mean"


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


@pytest.fixture
def readings(tmp_path: Path) -> Path:
    """The readings of a golden case with three bad rows among them."""
    lines = (CASE / "readings.csv").read_text().splitlines()
    bad = [
        "2026-10-01T01:00:00,out,flow,1,N",  # no offset
        "2026-10-01T01:00:00+08:00,out,turbidity,1,N",  # not declared
        "2026-10-01T01:00:00+08:00,out,flow,1O,N",  # not a number
    ]
    path = tmp_path / "readings.csv"
    path.write_text("\n".join([*lines[:3], *bad, *lines[3:]]) + "\n")
    return path


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_evaluate_writes_all_results_and_lists_bad_rows(
    readings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, rejects = tmp_path / "out", tmp_path / "rejects.csv"
    assert run("evaluate", CASE / "plant.yaml", "--readings", readings, "--rejects", rejects, "--out", out) == 1
    (day,) = [r for r in rows(out / "daily.csv") if r["parameter"] == "cod_cr"]
    assert (day["value"], day["verdict"]) == ("280.0", "met"), "bad rows neither stop nor replace good ones"
    assert [r["line"] for r in rows(rejects)] == ["4", "5", "6"]
    err = capsys.readouterr().err
    assert "line 4" in err and "line 6" in err


def test_strict_refuses_the_file(readings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run("evaluate", CASE / "plant.yaml", "--readings", readings, "--strict", "--out", out) == 1
    assert not out.exists()
    assert "3 bad rows" in capsys.readouterr().err


def test_evaluate_between_days_uses_what_holds_into_them(tmp_path: Path) -> None:
    case = ROOT / "tests" / "cases" / "evaluate" / "represents_before"
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert run("evaluate", case / "plant.yaml", "--readings", case / "readings.csv", "--out", whole) == 0
    options = ("--from", "2026-10-02", "--to", "2026-10-02", "--out", part)
    assert run("evaluate", case / "plant.yaml", "--readings", case / "readings.csv", *options) == 0
    assert rows(part / "daily.csv") == [r for r in rows(whole / "daily.csv") if r["date"] == "2026-10-02"]
    assert rows(part / "hourly.csv") == [r for r in rows(whole / "hourly.csv") if r["hour"].startswith("2026-10-02")]


def test_import_evaluate_export_from_the_store(
    readings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out, exported = tmp_path / "data", tmp_path / "out", tmp_path / "exported.csv"
    assert run("import", CASE / "plant.yaml", readings, "--data", data) == 1, "the bad rows are told"
    assert "8 new, 0 known, 0 replaced, 3 bad rows" in capsys.readouterr().err
    assert run("evaluate", CASE / "plant.yaml", "--data", data, "--out", out) == 0
    (day,) = [r for r in rows(out / "daily.csv") if r["parameter"] == "cod_cr"]
    assert day["value"] == "280.0"
    capsys.readouterr()
    span = ("--from", "2026-10-01", "--to", "2026-10-02", "--parameter", "flow")
    assert run("export", CASE / "plant.yaml", *span, "--data", data, "--out", exported) == 0
    assert run("export", CASE / "plant.yaml", *span, "--data", data) == 0
    assert capsys.readouterr().out == exported.read_text()
    assert [r["value"] for r in rows(exported)] == ["10.0", "10.0", "30.0", "30.0"]
    assert run("doctor", CASE / "plant.yaml", "--data", data) == 0
    assert "readings: 8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["evaluate", CASE / "plant.yaml", "--out", "o", "--data", "nowhere"], 1, "nowhere/journal.sqlite"),
        (["evaluate", "missing.yaml", "--out", "o"], 2, "missing.yaml"),
        (["evaluate", CASE / "plant.yaml", "--out", "o", "--from", "1 October"], 2, "YYYY-MM-DD"),
        (["evaluate", CASE / "plant.yaml"], 2, "--out"),
        (
            ["bill", CASE / "plant.yaml", "--period", "2026-13", "--costs", EXAMPLE / "costs.csv", "--out", "o"],
            1,
            "2026-13",
        ),
        (["export", CASE / "plant.yaml", "--from", "2026-10-01", "--to", "x"], 2, "--to"),
        (["export", CASE / "plant.yaml", "--from", "2026-10-01", "--to", "2026-10-02", "--point", "z"], 1, "z.*"),
        (["keys", "add", CASE / "plant.yaml", "--role", "member", "--member", "nobody"], 1, "nobody"),
        (["keys", "add", CASE / "plant.yaml", "--role", "king"], 2, "king"),
        (["check", ROOT / "tests" / "cli" / "broken.yaml"], 1, "broken.yaml:"),
        (["probe", CASE / "plant.yaml"], 1, "no Modbus device"),
        (["nonsense"], 2, "nonsense"),
    ],
    ids=lambda value: " ".join(str(getattr(v, "name", v)) for v in value[:3]) if isinstance(value, list) else None,
)
def test_mistakes(
    arguments: list[object],
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    assert run(*arguments) == code
    told = capsys.readouterr()
    assert words in told.err and told.out == ""
    assert "Traceback" not in told.err


def test_check_reports_every_mistake_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", ROOT / "tests" / "cli" / "broken.yaml") == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 3, told
    assert all("found" in line and "expected" in line for line in told)


def test_check_of_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", EXAMPLE / "plant.yaml") == 0
    told = capsys.readouterr().out
    assert "海宁市洁净污水处理有限公司" in told and "5 members" in told


def test_schema_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("schema") == 0
    assert "plant" in json.loads(capsys.readouterr().out)["properties"]
    assert run("version") == 0
    assert __version__ in capsys.readouterr().out


def test_probe_of_a_device_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (EXAMPLE / "plant.yaml").read_text(encoding="utf-8").replace("127.0.0.1:15021", "127.0.0.1:1")
    (tmp_path / "plant.yaml").write_text(text, encoding="utf-8")
    assert run("probe", tmp_path / "plant.yaml", "--device", "shennong-plc") == 3
    told = capsys.readouterr()
    assert "127.0.0.1:1" in told.out + told.err


def test_probe_goes_on_with_the_devices_that_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (EXAMPLE / "plant.yaml").read_text(encoding="utf-8")
    text = text.replace("127.0.0.1:15022", f"127.0.0.1:{free_port()}").replace("127.0.0.1:1502", "127.0.0.1:2")
    (tmp_path / "plant.yaml").write_text(text, encoding="utf-8")
    devices = load_plant(tmp_path / "plant.yaml").devices
    here = next(d for d in devices if isinstance(d, ModbusDevice) and d.id == "longqiao-plc")
    with RowServer(here, np.array([0]), np.array([[1.5, 102124.537, 6.71, 8303.0]]), ManualClock(0)):
        assert run("probe", tmp_path / "plant.yaml") == 3
    told = capsys.readouterr()
    assert "shennong-plc: 127.0.0.1:21: no connection" in told.err
    volume, orders = [line.split() for line in told.out.splitlines() if "volume" in line]
    assert volume[1] == "longqiao-plc" and volume[3] == "longqiao-outfall", "names are whole, however long"
    assert "102124.537" in volume
    assert orders.count("102124.537") == 1, "under one of the four orders"


def test_keys_are_shown_once_and_can_be_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant, data = EXAMPLE / "plant.yaml", ("--data", tmp_path)
    assert run("keys", "add", plant, "--role", "member", "--member", "shennong", *data) == 0
    secret = capsys.readouterr().out.strip()
    assert run("keys", "list", plant, *data) == 0
    listed = capsys.readouterr().out
    prefix = secret.split("_")[1]
    assert prefix in listed and secret not in listed and "shennong" in listed
    assert run("keys", "revoke", plant, prefix, *data) == 0
    assert run("keys", "revoke", plant, "ffffffff", *data) == 1


def test_bill_from_a_file_with_the_published_example(tmp_path: Path) -> None:
    case = ROOT / "tests" / "data" / "billing" / "cases" / "uosa-capacity-shares"
    inputs = ("--costs", case / "costs.csv", "--readings", case / "readings.csv")
    assert run("bill", case / "plant.yaml", "--period", "2026-10", *inputs, "--out", tmp_path) == 0
    amounts = {r["member"]: r["amount_yuan"] for r in rows(tmp_path / "statement.csv") if r["item"] == "capital"}
    assert amounts == {
        "fairfax": "43.70",
        "prince-william": "36.66",
        "manassas": "14.24",
        "manassas-park": "5.40",
        "TOTAL": "100.00",
    }
    assert {p.name for p in tmp_path.iterdir()} >= {"statement.json", "statement.csv", "volumes.csv"}


def test_bad_costs_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = ROOT / "tests" / "data" / "billing" / "cases" / "uosa-capacity-shares"
    costs = tmp_path / "costs.csv"
    costs.write_text("item,basis,amount_yuan\na,volume,1.005\na,capacity,2\nTOTAL,equal,1\n")
    out = tmp_path / "out"
    inputs = ("--costs", costs, "--readings", case / "readings.csv")
    assert run("bill", case / "plant.yaml", "--period", "2026-10", *inputs, "--out", out) == 1
    told = capsys.readouterr().err
    assert not out.exists()
    assert all(f"costs.csv:{line}" in told for line in (2, 3, 4))


def test_what_was_dropped_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``store.retention``: no result of what is left of a dropped day, and no silence about it."""
    data, days, last = tmp_path / "data", tmp_path / "readings.csv", 1_790_784_000_000
    days.write_text(
        "time,point,parameter,value,mark\n"
        + "".join(f"2026-10-0{d}T12:00:00+08:00,out,flow,{d},N\n" for d in range(1, 8)),
        encoding="utf-8",
    )
    plant_file = CASE / "plant.yaml"
    assert run("import", plant_file, days, "--data", data) == 0
    with DataFolder(data).journal(load_plant(plant_file)) as journal:
        journal.touched_done(journal.touched()[0])
        assert journal.drop(last + 5 * 86_400_000, last).readings == 4
    capsys.readouterr()
    where = "--data", data, "--out", tmp_path / "out"
    assert run("evaluate", plant_file, "--from", "2026-10-02", "--to", "2026-10-06", *where) == 1
    assert "older readings were dropped (store.retention)" in capsys.readouterr().err
    assert run("evaluate", plant_file, *where) == 0
    assert {r["date"] for r in rows(tmp_path / "out" / "daily.csv")} == {"2026-10-06", "2026-10-07"}
    assert run("export", plant_file, "--from", "2026-10-01", "--to", "2026-10-08", "--data", data) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 + 3 and "were dropped" in err
    assert run("doctor", plant_file, "--data", data) == 0
    assert "dropped by retention: 4\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "spared"),
    [
        (("version",), "plant_monitor.config"),
        (("check", str(EXAMPLE / "plant.yaml")), "plant_monitor.service"),
        (("export", "--help"), "sqlalchemy"),
        (("evaluate", "--help"), "sqlalchemy"),
    ],
)
def test_a_command_imports_what_it_uses(command: tuple[str, ...], spared: str) -> None:
    """The service and its libraries take two seconds to import, which `version` need not wait for."""
    check = f"import sys; from plant_monitor.cli import main; main({command!r}); sys.exit({spared!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_knows_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    shown = capsys.readouterr().out
    assert all(f" {name} " in shown for name in (*COMMANDS, *GROUPS))
    for group in GROUPS:
        assert run(group, "--help") == 0
    assert run("nonsense") == 2
