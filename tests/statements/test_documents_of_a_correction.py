"""The workbook and PDFs of a correction and of an overridden issue: the document's figures, formulas for sums."""

import subprocess
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from servers import require_server
from settlement.test_chain import PLANT, corrected, issued, store
from statements.office import first_sheet
from statements.test_documents_of_a_bill import Formulas

from plant_monitor import settlement
from plant_monitor.ledger import Ledger
from plant_monitor.statements.pdf import render_pdf
from plant_monitor.statements.workbook import workbook


@pytest.fixture
def chain(tmp_path: Path) -> list[dict[str, Any]]:
    """A statement that went out although a meter was missing, and its correction."""
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    issued(ledger, store(only="pa"), reason="表坏了 the meter of b is broken")
    corrected(ledger, store(a=310, inlet=410), cause="表修好 the register of b was read")
    documents = [settlement.shown(s, PLANT.zone) for s in ledger.statements.chain("2026-10")]
    ledger.close()
    return documents


def text_of(document: dict[str, Any], member: str, folder: Path) -> str:
    (folder / "it.pdf").write_bytes(render_pdf(document, member))
    command = [require_server("pdftotext"), "-layout", folder / "it.pdf", "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_formulas_of_a_correction_recompute_to_its_figures(chain: list[dict[str, Any]]) -> None:
    content = workbook(chain[1])
    book, cached = load_workbook(BytesIO(content)), load_workbook(BytesIO(content), data_only=True)
    assert book.sheetnames == ["Summary", "a", "b", "Registers"]
    formulas = Formulas(book)
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if isinstance(cell.value, str) and cell.value.startswith("="):
                    fresh = formulas.value(sheet.title, cell.coordinate)
                    assert float(fresh) == pytest.approx(cached[sheet.title][cell.coordinate].value, abs=1e-9)
    summary = book["Summary"]
    difference = [formulas.value("Summary", f"D{row}") for row in (6, 7, 8)]
    wanted = [*(m["total_yuan"] for m in chain[1]["members"]), chain[1]["total_yuan"]]
    assert [round(d, 2) for d in difference] == [Decimal(w) for w in wanted]
    assert "the register of b was read" in str([c.value for row in summary.iter_rows() for c in row])


def test_libreoffice_recalculates_a_correction_to_the_same_fen(chain: list[dict[str, Any]], tmp_path: Path) -> None:
    rows = first_sheet(workbook(chain[1]), tmp_path)
    bottom = next(row for row in rows if row and "total yuan" in row[0])
    sides = (chain[1]["before"], chain[1]["after"], chain[1])
    assert [Decimal(cell) for cell in bottom[1:4]] == [Decimal(side["total_yuan"]) for side in sides]


def test_the_pdfs_print_numbers_reason_and_cause_and_no_other_members_figures(
    chain: list[dict[str, Any]], tmp_path: Path
) -> None:
    statement, fix = chain
    text = text_of(statement, "b", tmp_path)
    for words in ("2026-10-01", "the meter of b is broken", "估算", "签发"):
        assert words in text
    assert "草稿" not in text
    text = text_of(fix, "a", tmp_path)
    own, other = fix["members"]
    figures = (own["total_yuan"], own["after"]["total_yuan"])
    for words in (fix["number"], "2026-10-01", "the register of b was read", *figures):
        assert words in text
    assert other["total_yuan"] not in text and other["after"]["total_yuan"] not in text
    for line in own["lines"]:
        assert line["item"] in text and line["amount_yuan"] in text
