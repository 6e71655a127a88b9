"""The sheets of a correction's workbook: what was charged, what is recomputed, the difference as a formula."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from xlsxwriter.utility import xl_rowcol_to_cell

from plant_monitor.statements.sheets import Sheets, number


def write_correction(sheets: Sheets) -> None:
    """A summary, a sheet per member, and the outfalls whose volume changed."""
    _summary(sheets)
    for member in sheets.document["members"]:
        _member(sheets, member)
    sheets.registers(sheets.document["volumes"])


def _summary(sheets: Sheets) -> None:
    """Members down: the total before, recomputed, and the difference."""
    document = sheets.document
    sheet = sheets.sheet("Summary", "更正汇总 Summary of the correction", [44, 20, 20, 20])
    sheets.row(sheet, 4, ["成员 member", "已计 before, yuan", "重算 recomputed, yuan", "差额 difference, yuan"])
    members = document["members"]
    for row, member in enumerate(members, start=5):
        sheet.write_string(row, 0, f"{member['name']['zh']} · {member['name']['en']}")
        _difference(sheets, sheet, row, 1, member, "total_yuan")
    bottom = 5 + len(members)
    sheet.write_string(bottom, 0, "合计 total, yuan", sheets.head)
    for column, total in enumerate(
        (document["before"]["total_yuan"], document["after"]["total_yuan"], document["total_yuan"]), start=1
    ):
        sheets.sum_down(sheet, bottom, column, 5, bottom - 1, Decimal(total))
    sheet.write_string(bottom + 2, 0, f"更正 corrects {document['predecessor']}; 原因 cause: {document['cause']}")


def _member(sheets: Sheets, member: Mapping[str, Any]) -> None:
    """One member's lines that changed."""
    name = sheets.names[sheets.document["members"].index(member)]
    title = f"{member['name']['zh']} · {member['name']['en']}"
    sheet = sheets.sheet(name, title, [34, 16, 12, 18, 18, 18, 20, 20, 20])
    quantities = ["数量：已计 quantity before", "重算 recomputed", "差 difference"]
    amounts = ["金额：已计 yuan before", "重算 recomputed", "差额 difference"]
    sheets.row(sheet, 4, ["费用项目 item", "分摊依据 basis", "单位 unit", *quantities, *amounts])
    for row, line in enumerate(member["lines"], start=5):
        for column, key in enumerate(("item", "basis", "unit")):
            sheet.write_string(row, column, line[key])
        if line["quantity"]:
            _difference(sheets, sheet, row, 3, line, "quantity", sheets.m3)
        _difference(sheets, sheet, row, 6, line, "amount_yuan")
    bottom = 5 + len(member["lines"])
    sheet.write_string(bottom, 0, "更正合计 total of the correction, yuan", sheets.head)
    sheets.sum_down(sheet, bottom, 8, 5, bottom - 1, Decimal(member["total_yuan"]))


def _difference(
    sheets: Sheets, sheet: Any, row: int, column: int, entry: Mapping[str, Any], key: str, format_: Any = None
) -> None:
    """Before and after as numbers, their difference as a formula."""
    shown = format_ or sheets.yuan
    before, after = entry["before"][key] or "0", entry["after"][key] or "0"
    sheet.write_number(row, column, number(before), shown)
    sheet.write_number(row, column + 1, number(after), shown)
    cells = xl_rowcol_to_cell(row, column + 1), xl_rowcol_to_cell(row, column)
    places = 2 if format_ is None else 9
    sheet.write_formula(row, column + 2, f"=ROUND({cells[0]}-{cells[1]},{places})", shown, float(Decimal(entry[key])))
