"""statement.xlsx: a summary, a sheet per member, the reconciliation of the water, the registers.

Amounts are numbers as they stand in the document; every sum and every check is a formula, which a spreadsheet
recomputes, so a reader can follow each figure to the fen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

Document = Mapping[str, Any]
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_FORBIDDEN = re.compile(r"[\[\]:*?/\\']")


def workbook(document: Document) -> bytes:
    """The workbook of a statement's document (``allocation.documents.document``)."""
    # Fixed properties: the same statement gives the same bytes.
    content = BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    book.set_properties({"title": f"{document['plant']['id']} {document['period']['label']}", "created": _EPOCH})
    sheets = _Sheets(book, document)
    sheets.summary()
    for member in document["members"]:
        sheets.member(member)
    sheets.reconciliation()
    sheets.registers()
    book.close()
    return content.getvalue()


def sheet_names(document: Document) -> list[str]:
    """Names of the members' sheets, in order: their ids as far as a sheet may be called so."""
    names: list[str] = []
    taken = {"summary", "reconciliation", "registers", "history"}
    for number, member in enumerate(document["members"], start=1):
        name = _FORBIDDEN.sub("_", str(member["member"]))[:31] or f"member {number}"
        if name.lower() in taken:
            name = f"{number} {name}"[:31]
        taken.add(name.lower())
        names.append(name)
    return names


class _Sheets:
    """The sheets of one workbook, and the formats they share."""

    def __init__(self, book: Any, document: Document) -> None:
        self.book, self.document = book, document
        self.title = book.add_format({"bold": True, "font_size": 14})
        self.head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.yuan = book.add_format({"num_format": "#,##0.00"})
        self.sum = book.add_format({"num_format": "#,##0.00", "bold": True, "top": 1})
        self.m3 = book.add_format({"num_format": "#,##0.000"})
        self.m3_sum = book.add_format({"num_format": "#,##0.000", "bold": True, "top": 1})
        self.share = book.add_format({"num_format": "0.000000000000"})
        self.exact = book.add_format({"num_format": "#,##0.0000", "font_color": "#777777"})
        self.check = book.add_format({"num_format": "0.00;[Red]-0.00;[Green]0.00"})
        self.wrap = book.add_format({"text_wrap": True, "valign": "top"})
        self.names = sheet_names(document)

    def _sheet(self, name: str, title: str, widths: Sequence[int]) -> Any:
        sheet = self.book.add_worksheet(name)
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        period, plant = self.document["period"], self.document["plant"]
        sheet.write_string(0, 0, title, self.title)
        sheet.write_string(1, 0, f"{plant['name']['zh']} · {plant['name']['en']}")
        sheet.write_string(2, 0, f"{period['label']}: {period['start']} – {period['end']} ({self.document['state']})")
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        return sheet

    def _row(self, sheet: Any, row: int, texts: Sequence[str]) -> None:
        for column, text in enumerate(texts):
            sheet.write_string(row, column, text, self.head)

    # -- the sheets ------------------------------------------------------------------------------

    def summary(self) -> None:
        """Items down, members across; sums are formulas, and the last column checks each item against its cost."""
        members, items = self.document["members"], self.document["items"]
        sheet = self._sheet("Summary", "结算汇总 Summary of the statement", [34, 14] + [16] * (len(members) + 3))
        names = [f"{m['name']['zh']}\n{m['name']['en']}" for m in members]
        self._row(sheet, 4, ["费用项目 item", "分摊依据 basis", *names, "合计 total", "费用 cost", "差 difference"])
        last = 1 + len(members)
        sheet.write_string(5, 0, "水量 billed volume, m³")
        for column, member in enumerate(members, start=2):
            sheet.write_number(5, column, _number(member["billed_m3"]), self.m3)
        self._sum_across(sheet, 5, 2, last, sum(Decimal(m["billed_m3"]) for m in members), self.m3_sum)
        for row, item in enumerate(items, start=6):
            sheet.write_string(row, 0, item["item"])
            sheet.write_string(row, 1, item["basis"])
            for column, member in enumerate(members, start=2):
                sheet.write_number(row, column, _number(member["lines"][row - 6]["amount_yuan"]), self.yuan)
            self._sum_across(sheet, row, 2, last, Decimal(item["amount_yuan"]), self.yuan)
            sheet.write_number(row, last + 2, _number(item["amount_yuan"]), self.yuan)
            total, cost = xl_rowcol_to_cell(row, last + 1), xl_rowcol_to_cell(row, last + 2)
            sheet.write_formula(row, last + 3, f"=ROUND({total}-{cost},2)", self.check, 0)
        bottom = 6 + len(items)
        sheet.write_string(bottom, 0, "合计 total, yuan", self.head)
        totals = [m["total_yuan"] for m in members]
        for column, total in enumerate([*totals, self.document["total_yuan"]], start=2):
            self._sum_down(sheet, bottom, column, 6, bottom - 1, Decimal(total))
        sheet.freeze_panes(5, 1)

    def member(self, member: Mapping[str, Any]) -> None:
        """One member's lines; beside each share the exact part it was rounded from."""
        name = self.names[self.document["members"].index(member)]
        sheet = self._sheet(name, f"{member['name']['zh']} · {member['name']['en']}", [34, 16, 16, 14, 18, 16, 18, 16])
        heads = ["费用项目 item", "分摊依据 basis", "数量 quantity", "单位 unit", "份额 share", "费用总额 cost"]
        self._row(sheet, 4, [*heads, "未舍入 exact part", "应付 amount, yuan"])
        for row, (line, item) in enumerate(zip(member["lines"], self.document["items"], strict=True), start=5):
            sheet.write_string(row, 0, line["item"])
            sheet.write_string(row, 1, line["basis"])
            if line["quantity"]:
                sheet.write_number(row, 2, _number(line["quantity"]), self.m3)
            sheet.write_string(row, 3, line["unit"])
            if line["share"]:
                share, cost = xl_rowcol_to_cell(row, 4), xl_rowcol_to_cell(row, 5)
                sheet.write_number(row, 4, _number(line["share"]), self.share)
                sheet.write_number(row, 5, _number(item["amount_yuan"]), self.yuan)
                part = Decimal(line["share"]) * Decimal(item["amount_yuan"])
                sheet.write_formula(row, 6, f"={share}*{cost}", self.exact, float(part))
            sheet.write_number(row, 7, _number(line["amount_yuan"]), self.yuan)
        bottom = 5 + len(member["lines"])
        sheet.write_string(bottom, 0, "应付合计 total due, yuan", self.head)
        self._sum_down(sheet, bottom, 7, 5, bottom - 1, Decimal(member["total_yuan"]))
        sheet.write_string(bottom + 2, 0, "份额按最大余数法舍入到分，各成员之和恒等于费用。")
        sheet.write_string(bottom + 3, 0, "Parts are rounded to the fen by largest remainder: they sum to the cost.")

    def reconciliation(self) -> None:
        """The water: what each member's outfalls measured, what it bears of the difference, what is billed."""
        sheet = self._sheet("Reconciliation", "水量对账 Reconciliation of the water, m³", [40, 18, 18, 18, 18])
        self._row(
            sheet, 4, ["成员 member", "计量 measured", "分摊差额 part of difference", "计费 billed", "核对 check"]
        )
        members = self.document["members"]
        for row, member in enumerate(members, start=5):
            sheet.write_string(row, 0, f"{member['name']['zh']} · {member['name']['en']}")
            sheet.write_number(row, 1, _number(member["measured_m3"]), self.m3)
            sheet.write_number(row, 2, _number(member["unmetered_m3"]), self.m3)
            billed = Decimal(member["billed_m3"])
            cells = [xl_rowcol_to_cell(row, column) for column in (1, 2, 3)]
            sheet.write_formula(row, 3, f"={cells[0]}+{cells[1]}", self.m3, float(billed))
            sheet.write_formula(row, 4, f"=ROUND({cells[2]}-{billed},3)", self.check, 0)
        bottom = 5 + len(members)
        sheet.write_string(bottom, 0, "合计 total", self.head)
        for column, key in ((1, "measured_m3"), (2, "unmetered_m3"), (3, "billed_m3")):
            total = sum(Decimal(m[key]) for m in members)
            self._sum_down(sheet, bottom, column, 5, bottom - 1, total, self.m3_sum)
        row = bottom + 2
        difference = self.document["unmetered_difference"]
        if difference is not None:
            sheet.write_string(row, 0, "进水口 inlet")
            sheet.write_number(row, 1, _number(difference["inlet_m3"]), self.m3)
            sheet.write_string(row + 1, 0, f"差额 inlet − outfalls (rule: {difference['rule']})")
            formula = f"={xl_rowcol_to_cell(row, 1)}-{xl_rowcol_to_cell(bottom, 1)}"
            sheet.write_formula(row + 1, 1, formula, self.m3, float(Decimal(difference["difference_m3"])))
            row += 3
        for finding in self.document["findings"]:
            where = " ".join(x for x in (finding["member"], finding["point"], finding["parameter"]) if x)
            sheet.write_string(row, 0, f"{finding['severity']} {finding['code']} {where}")
            sheet.write_string(row, 1, f"{finding['message']['zh']} {finding['message']['en']}")
            row += 1

    def registers(self) -> None:
        """What each volume rests on, as in volumes.csv."""
        sheet = self._sheet("Registers", "表底数 Registers", [18, 22, 28, 20, 28, 20, 18, 14, 50])
        heads = ["member", "point", "start_time", "start_register", "end_time", "end_register", "volume_m3", "method"]
        self._row(sheet, 4, [*heads, "findings"])
        volumes = [*self.document["volumes"], *([self.document["inlet"]] if self.document["inlet"] else [])]
        for row, volume in enumerate(volumes, start=5):
            for column, head in enumerate(heads):
                text = volume[head] or ""
                if text and head in ("start_register", "end_register", "volume_m3"):
                    sheet.write_number(row, column, _number(text), self.m3)
                else:
                    sheet.write_string(row, column, text)
            sheet.write_string(row, 8, "; ".join(volume["findings"]), self.wrap)

    # -- sums ------------------------------------------------------------------------------------

    def _sum_across(self, sheet: Any, row: int, first: int, last: int, total: Decimal | int, format_: Any) -> None:
        cells = f"{xl_rowcol_to_cell(row, first)}:{xl_rowcol_to_cell(row, last)}"
        sheet.write_formula(row, last + 1, f"=SUM({cells})", format_, float(total))

    def _sum_down(
        self, sheet: Any, row: int, column: int, first: int, last: int, total: Decimal | int, format_: Any = None
    ) -> None:
        cells = f"{xl_rowcol_to_cell(first, column)}:{xl_rowcol_to_cell(last, column)}"
        formula = f"=SUM({cells})" if last >= first else "=0"
        sheet.write_formula(row, column, formula, format_ or self.sum, float(total))


def _number(text: str) -> float:
    """A spreadsheet's number; the document's texts have at most 15 significant digits in practice."""
    return float(Decimal(text))
