"""A whole month of the simulated plant, from readings to a corrected PDF: rollover, exchange, outage, objection."""

from __future__ import annotations

import base64
import csv
import json
import re
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from servers import require_server
from statements.office import all_sheets

from plant_monitor.alerts.desk import AlertDesk
from plant_monitor.annotations import AnnotatedSource
from plant_monitor.api import ApiServices, create_app
from plant_monitor.cli import main
from plant_monitor.clock import SystemClock
from plant_monitor.config.plant_file import load_plant
from plant_monitor.data_folder import DataFolder
from plant_monitor.live import Feed

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "xieqiao"
FAULTS = """
faults:
  - {kind: rollover, point: fengwang-outfall, at: 4d}
  - {kind: meter_exchange, point: tianma-outfall, at: 10d, register: 12}
  - {kind: dead_device, device: keqiao-plc, at: 20d, for: 36h, mode: closed}
"""
# What the fitter wrote down when the meter was exchanged, and handed in after the bill.
LATE = """time,point,parameter,value
2026-10-10T23:42:00+08:00,tianma-outfall,volume,176611.5
2026-10-10T23:44:00+08:00,tianma-outfall,volume,10.02
"""


class Plant:
    """The plant in a folder, by its commands."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        text = (EXAMPLE / "plant.yaml").read_text(encoding="utf-8")
        # The same plant, read less often: a month in seconds.
        (folder / "plant.yaml").write_text(re.sub(r"interval: (10s|1m|10m)\b", "interval: 30m", text), encoding="utf-8")
        (folder / "faults.yaml").write_text(FAULTS)
        (folder / "late.csv").write_text(LATE)
        start_ms = round(datetime.fromisoformat("2026-10-01T00:00:00+08:00").timestamp() * 1000)
        span = ("--from", "2026-09-30", "--to", "2026-11-01", "--start-ms", str(start_ms))
        files = ("--scenario", str(folder / "faults.yaml"), "--out", str(folder / "history.csv"))
        command = [sys.executable, "-m", "simulators", "history", str(folder / "plant.yaml"), *span, *files]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def run(self, *arguments: object, code: int = 0) -> None:
        assert main([str(a) for a in (*arguments, "--data", self.data)]) == code, arguments

    def statements(self, command: str, *arguments: object) -> None:
        self.run("statements", command, self.folder / "plant.yaml", *arguments)

    def bill(self, out: str) -> Path:
        costs = ("--costs", EXAMPLE / "costs.csv", "--out", self.folder / out)
        self.run("bill", self.folder / "plant.yaml", "--period", "2026-10", *costs)
        return self.folder / out

    def shown(self, number: str) -> Path:
        self.statements("show", number, "--out", self.folder / number)
        return self.folder / number

    def ask(self, who: str, path: str, body: Any) -> Any:
        """Ask the API with a key of a role or member."""
        plant = load_plant(self.folder / "plant.yaml", secrets=False)

        def never(*_: object, **__: object) -> Any:
            raise AssertionError("neither a verdict nor an alert is asked for")

        with DataFolder(self.data).source(plant) as source, DataFolder(self.data).ledger() as ledger:
            role = who if who == "operator" else "member"
            key = ledger.keys.add(role, member="" if role == who else who, label=who, now_ms=1)
            judged = AnnotatedSource(plant, source, ledger.annotations.standing())
            desk = AlertDesk(ledger, {}, plant, SystemClock())
            services = ApiServices(
                plant,
                source,
                lambda: judged,
                ledger,
                never,
                never,
                never,
                never,
                desk=desk,
                health=lambda: {"status": "ok"},
                feed=Feed(plant, 1),
            )
            headers = {"Authorization": f"Bearer {key.secret}"}
            answer = TestClient(create_app(services)).post(f"/api/v1{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()


def totals(folder: Path) -> dict[str, Decimal]:
    with (folder / "statement.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["item"] == "TOTAL"]
    return {row["member"]: Decimal(row["amount_yuan"]) for row in rows}


def volume(folder: Path, point: str) -> dict[str, str]:
    with (folder / "volumes.csv").open(encoding="utf-8") as file:
        return next(row for row in csv.DictReader(file) if row["point"] == point)


def text_of(pdf: Path) -> str:
    command = [require_server("pdftotext"), "-layout", pdf, "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def row_of(sheet: list[list[str]], label: str) -> list[str]:
    return next(row for row in sheet if row and row[0].startswith(label))


def check_workbook(folder: Path, document: dict[str, Any]) -> None:
    """Every sum that LibreOffice computes anew from the workbook is the document's, to the fen and to the litre."""
    (folder / "office").mkdir()
    sheets = all_sheets((folder / "statement.xlsx").read_bytes(), folder / "office")
    correction = document["kind"] == "correction"
    totals = row_of(sheets["Summary"], "合计 total")
    if correction:
        wanted = [document[side]["total_yuan"] for side in ("before", "after")] + [document["total_yuan"]]
        assert [Decimal(x) for x in totals[1:4]] == [Decimal(x) for x in wanted]
    else:
        wanted = [m["total_yuan"] for m in document["members"]] + [document["total_yuan"]]
        assert [Decimal(x) for x in totals[2 : 2 + len(wanted)]] == [Decimal(x) for x in wanted]
    for member in document["members"]:
        total = row_of(sheets[member["member"]], "更正合计" if correction else "应付合计")
        assert Decimal([x for x in total if x][-1]) == Decimal(member["total_yuan"])
    if not correction:
        days = document["reconciliation"]["days"]
        sums = sheets["Reconciliation"][-1]  # 合计 total, below the days
        wanted = [str(sum(Decimal(d["members_m3"][m["member"]]) for d in days)) for m in document["members"]]
        assert [Decimal(x) for x in sums[1 : 1 + len(wanted)]] == [
            Decimal(m["measured_m3"]) for m in document["members"]
        ]
        assert [Decimal(x) for x in wanted] == [Decimal(m["measured_m3"]) for m in document["members"]]


def test_from_readings_to_a_corrected_pdf(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant = Plant(tmp_path)
    plant.run("import", plant.folder / "plant.yaml", plant.folder / "history.csv")
    bill = plant.bill("bill")
    # The dial goes round, another meter is put in, a device is dead for 36 hours: the water is billed all the same.
    rollover = volume(bill, "fengwang-outfall")
    assert (rollover["method"], rollover["findings"]) == ("totaliser", "")
    assert Decimal(rollover["end_register"]) < Decimal(rollover["start_register"])
    assert volume(bill, "tianma-outfall")["findings"] == "jump"
    assert volume(bill, "keqiao-outfall")["findings"] == ""  # the register spans the outage
    assert totals(bill)["TOTAL"] == Decimal("239702.17")

    plant.statements("issue", "2026-10-01")
    before = plant.shown("2026-10-01")
    plant.run("verify", before / "statement.json")
    assert "identical" in capsys.readouterr().out

    plant.statements("whatif", "2026-10-01", "--member", "tianma", "--volume", "1000")
    was = str(totals(bill)["tianma"])
    table = capsys.readouterr().out
    assert re.search(rf"TOTAL[ │]+[\d.]+[ │]+1000\.000[ │]+{re.escape(was)}", table), table
    for wrong in (("nobody",), ("tianma", "--mean", "cod_cr=100")):  # no cost here goes by a load
        plant.run("statements", "whatif", plant.folder / "plant.yaml", "2026-10-01", "--member", *wrong, code=1)

    note = {"name": "note.txt", "media_type": "text/plain", "content": base64.b64encode(LATE.encode()).decode()}
    why = {"item": "TOTAL", "reason": "the exchange was read, see the fitter's note", "attachments": [note]}
    path = f"/objections/{plant.ask('tianma', '/statements/2026-10-01/objections', why)['id']}"
    plant.ask("operator", f"{path}/acknowledge", {"comment": "the note is right"})

    plant.run("import", plant.folder / "plant.yaml", plant.folder / "late.csv")
    again = plant.bill("again")
    plant.statements("correct", "2026-10-02", "--cause", "异议 1：换表读数迟到 objection 1: registers of the exchange")
    after = plant.shown("2026-10-03")
    granted = ("1", "granted", "--comment", "corrected", "--correction", "2026-10-03")
    plant.run("objections", "decide", plant.folder / "plant.yaml", *granted)
    capsys.readouterr()
    plant.run("objections", "list", plant.folder / "plant.yaml", "--member", "tianma")
    assert re.search(r"2026-10-01[ │]+tianma[ │]+TOTAL[ │]+closed[ │]+granted[ │]+2026-10-03", capsys.readouterr().out)

    # What was issued is as it was; statement and correction sum to what the store says now, to the fen.
    assert plant.shown("2026-10-01") and totals(before) == totals(bill)
    assert {m: totals(before)[m] + totals(after)[m] for m in totals(again)} == totals(again)
    assert totals(after)["TOTAL"] == 0 and totals(after)["tianma"] > 0
    capsys.readouterr()
    plant.run("verify", after / "statement.json")
    plant.run("verify", before / "statement.json", code=1)  # late readings: it says so
    assert "volumes[tianma-outfall].volume_m3" in capsys.readouterr().out
    plant.run("explain", "statement", "2026-10-03", "--member", "tianma")
    assert "Corrects 2026-10-01, because: 异议 1" in capsys.readouterr().out

    told = json.loads((after / "statement.json").read_text(encoding="utf-8"))
    own = next(m for m in told["members"] if m["member"] == "tianma")
    check_workbook(before, json.loads((before / "statement.json").read_text(encoding="utf-8")))
    check_workbook(after, told)
    text = text_of(after / "statement-tianma.pdf")
    figures = (own["total_yuan"], own["before"]["total_yuan"], own["after"]["total_yuan"], own["total_capitals"])
    for figure in ("2026-10-03", "2026-10-01", "异议 1", "编制 Prepared by", *figures):
        assert figure in text
    page = [require_server("pdftoppm"), "-r", "50", "-png", after / "statement-tianma.pdf", after / "page"]
    subprocess.run(page, check=True)
    assert len(list(after.glob("page*.png"))) == 1  # on one sheet of paper
