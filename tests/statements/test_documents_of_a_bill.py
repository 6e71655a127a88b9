"""The workbook and the PDFs of a real bill: every formula recomputes to the fen, every figure is the document's."""

import json
import re
import subprocess
import sys
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.utils import range_boundaries
from servers import require_server
from statements.office import first_sheet

from plant_monitor.cli import main
from plant_monitor.statements.pdf import PdfNotPossible, render_pdf
from plant_monitor.statements.sheets import sheet_names
from plant_monitor.statements.workbook import workbook

PLANT = """
plant:
  id: shared
  name: {zh: 共用污水厂, en: Shared plant}
  timezone: Asia/Shanghai
  capacity_m3_d: 1200
  inlet: inlet
members:
  - {id: a, name: {zh: 甲公司, en: Company A}, capacity_share: 0.3}
  - {id: b, name: {zh: 乙公司, en: Company B}, capacity_share: 0.3}
  - {id: summary, name: {zh: 丙公司, en: Company C}, capacity_share: 0.4}
points:
  - id: out-a
    role: outfall
    member: a
    parameters: {flow: {unit: m3/h, interval: 6h}, volume: {unit: m3}, cod_cr: {unit: mg/L, interval: 1h}}
  - {id: out-b, role: outfall, member: b, parameters: {volume: {unit: m3}, cod_cr: {unit: mg/L, interval: 1h}}}
  - {id: out-c, role: outfall, member: summary, parameters: {volume: {unit: m3}, cod_cr: {unit: mg/L, interval: 1h}}}
  - {id: inlet, role: inlet, parameters: {volume: {unit: m3}}}
tariff:
  volume_price_yuan_m3: 1.37
  fixed_yuan_month: {a: 100, b: 100.5}
  unmetered_difference: proportional
"""
COSTS = """item,basis,amount_yuan
电费 energy,volume,1000.00
折旧 depreciation,capacity_share,333.34
退税 refund,equal,-100.01
"""


@pytest.fixture
def bill(tmp_path: Path) -> Path:
    """The files of one month: three members, 100.5, 200.25 and 33.001 m³; 350 m³ came in."""
    (tmp_path / "plant.yaml").write_text(PLANT, encoding="utf-8")
    (tmp_path / "costs.csv").write_text(COSTS, encoding="utf-8")
    rows = ["time,point,parameter,value"]
    for point, volume in (("out-a", 100.5), ("out-b", 200.25), ("out-c", 33.001), ("inlet", 350)):
        rows += [
            f"2026-10-01T00:00:00+08:00,{point},volume,1000",
            f"2026-11-01T00:00:00+08:00,{point},volume,{1000 + volume}",
        ]
    rows += [
        f"2026-10-{day:02}T{hour:02}:00:00+08:00,out-a,flow,0.13" for day in range(1, 32) for hour in (0, 6, 12, 18)
    ]
    (tmp_path / "readings.csv").write_text("\n".join(rows) + "\n")
    out = tmp_path / "bill"
    files = ("--costs", tmp_path / "costs.csv", "--readings", tmp_path / "readings.csv", "--out", out)
    arguments = ["bill", tmp_path / "plant.yaml", "--period", "2026-10", *files]
    assert main([str(a) for a in arguments]) == 0
    return out


def document(bill: Path) -> dict[str, Any]:
    return json.loads((bill / "statement.json").read_text(encoding="utf-8"))


class Formulas:
    """What the few kinds of formulas of the workbook come to, in decimals."""

    def __init__(self, book: Any) -> None:
        self.book = book
        self.seen = 0

    def value(self, sheet: str, cell: str) -> Decimal:
        content = self.book[sheet][cell].value
        if not isinstance(content, str):
            return Decimal(0) if content is None else Decimal(repr(content))
        self.seen += 1
        return self.formula(sheet, content.removeprefix("="))

    def formula(self, sheet: str, text: str) -> Decimal:
        if match := re.fullmatch(r"SUM\((\w+:\w+)\)", text):
            left, top, right, bottom = range_boundaries(match[1])
            cells = [
                self.book[sheet].cell(r, c).coordinate for r in range(top, bottom + 1) for c in range(left, right + 1)
            ]
            return sum((self.value(sheet, c) for c in cells), Decimal(0))
        if match := re.fullmatch(r"ROUND\((.+),(\d)\)", text):
            return self.formula(sheet, match[1]).quantize(Decimal(1).scaleb(-int(match[2])), ROUND_HALF_UP)
        if match := re.fullmatch(r"(\w+)([-+*])([\w.]+)", text):
            a, b = (self.operand(sheet, x) for x in (match[1], match[3]))
            return {"+": a + b, "-": a - b, "*": a * b}[match[2]]
        raise AssertionError(f"a formula this test does not know: {text}")

    def operand(self, sheet: str, text: str) -> Decimal:
        return Decimal(text) if re.fullmatch(r"[\d.]+", text) else self.value(sheet, text)


def test_every_formula_recomputes_to_what_stands_in_the_document(bill: Path) -> None:
    told = document(bill)
    book, cached = load_workbook(bill / "statement.xlsx"), load_workbook(bill / "statement.xlsx", data_only=True)
    formulas = Formulas(book)
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if isinstance(cell.value, str) and cell.value.startswith("="):
                    fresh = formulas.value(sheet.title, cell.coordinate)
                    shown = cached[sheet.title][cell.coordinate].value
                    assert float(fresh) == pytest.approx(shown, abs=1e-9), (sheet.title, cell.coordinate)
    assert formulas.seen > 40
    summary = book["Summary"]
    bottom = summary.max_row
    totals = [formulas.value("Summary", summary.cell(bottom, column).coordinate) for column in range(3, 7)]
    wanted = [Decimal(m["total_yuan"]) for m in told["members"]] + [Decimal(told["total_yuan"])]
    assert [round(t, 2) for t in totals] == wanted


def test_checks_show_no_difference(bill: Path) -> None:
    book = load_workbook(bill / "statement.xlsx")
    formulas = Formulas(book)
    checks = [
        (sheet.title, cell.coordinate)
        for sheet in book.worksheets
        for row in sheet.iter_rows()
        for cell in row
        if isinstance(cell.value, str) and cell.value.startswith("=ROUND(")
    ]
    assert len(checks) == 5 + 3  # items, members
    assert {formulas.value(*check) for check in checks} == {Decimal(0)}


def test_the_reconciliation_goes_day_by_day(bill: Path) -> None:
    told, sheet = document(bill), load_workbook(bill / "statement.xlsx")["Reconciliation"]
    formulas = Formulas(load_workbook(bill / "statement.xlsx"))
    top = next(r for r in range(1, sheet.max_row) if sheet.cell(r, 1).value == "日期 date")
    days = told["reconciliation"]["days"]
    assert [sheet.cell(top + 1 + i, 1).value for i in range(31)] == [day["date"] for day in days]

    def row(number: int) -> list[Decimal]:
        return [round(formulas.value("Reconciliation", sheet.cell(number, c).coordinate), 3) for c in range(2, 9)]

    keys = ("outfalls_m3", "inlet_m3", "difference_m3")
    for i, day in enumerate(days):
        members = [day["members_m3"][m["member"]] for m in told["members"]]
        wanted = [*members, *(day[key] for key in keys), day["flow_minus_register_m3"]["out-a"]]
        assert row(top + 1 + i) == [Decimal(text) for text in wanted]
    (meter,) = told["reconciliation"]["meters"]  # 0.13 m³/h for 744 h are 96.72 m³, where the register says 100.5
    assert meter["difference_m3"] == "-3.780"
    assert row(top + 32) == [Decimal(x) for x in ("100.5", "200.25", "33.001", "333.751", "350", "16.249", "-3.78")]


def test_a_sheet_per_member_whatever_it_is_called(bill: Path) -> None:
    book = load_workbook(bill / "statement.xlsx")
    assert book.sheetnames == ["Summary", "a", "b", "3 summary", "Reconciliation", "Registers"]
    odd = {"members": [{"member": m} for m in ("x" * 40, "x" * 40, "a/b", "A_B")]}
    names = sheet_names(odd)
    assert len({n.lower() for n in names}) == 4 and all(0 < len(n) <= 31 for n in names)


def test_the_same_statement_gives_the_same_workbook(bill: Path) -> None:
    assert workbook(document(bill)) == (bill / "statement.xlsx").read_bytes()


def test_the_pdf_of_a_member_says_what_the_document_says(bill: Path) -> None:
    pdftotext = require_server("pdftotext")
    told = document(bill)
    for member in told["members"]:
        path = bill / f"statement-{member['member']}.pdf"
        done = subprocess.run([pdftotext, "-layout", path, "-"], capture_output=True, text=True, check=True)
        text = done.stdout
        assert member["name"]["zh"] in text and member["name"]["en"] in text and "草稿" in text
        assert member["total_yuan"] in text and member["billed_m3"] in text
        assert f"大写 In words {member['total_capitals']}" in re.sub(r"\s+", " ", text)
        for line in member["lines"]:
            assert line["item"] in text and line["amount_yuan"] in text
        others = [m["total_yuan"] for m in told["members"] if m is not member]
        assert not any(total in text for total in others), "another member's total stands in it"


def test_the_same_statement_gives_the_same_pdf(bill: Path) -> None:
    for member in ("a", "b", "summary"):
        assert render_pdf(document(bill), member) == (bill / f"statement-{member}.pdf").read_bytes()


def test_without_typst_the_pdfs_are_left_out_and_said_so(
    bill: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for pdf in bill.glob("*.pdf"):
        pdf.unlink()
    monkeypatch.setitem(sys.modules, "typst", None)
    inputs = bill.parent
    files = ("--costs", inputs / "costs.csv", "--readings", inputs / "readings.csv", "--out", bill)
    assert main([str(a) for a in ("bill", inputs / "plant.yaml", "--period", "2026-10", *files)]) == 0
    assert "plant-monitor[pdf]" in capsys.readouterr().err
    assert not list(bill.glob("*.pdf")) and (bill / "statement.xlsx").exists()


def test_without_a_chinese_font_no_pdf_is_made(bill: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typst

    class NoFonts:
        def families(self) -> list[str]:
            return ["DejaVu Sans"]

    monkeypatch.setattr(typst, "Fonts", NoFonts)
    with pytest.raises(PdfNotPossible, match="fonts-wqy-microhei"):
        render_pdf(document(bill), "a")


def test_libreoffice_recalculates_to_the_same_fen(bill: Path, tmp_path: Path) -> None:
    told = document(bill)
    bottom = next(
        r for r in first_sheet((bill / "statement.xlsx").read_bytes(), tmp_path) if r and "total yuan" in r[0]
    )
    wanted = [*(m["total_yuan"] for m in told["members"]), told["total_yuan"]]
    assert [Decimal(cell) for cell in bottom[2:6]] == [Decimal(w) for w in wanted]
