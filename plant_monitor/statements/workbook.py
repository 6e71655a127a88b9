"""statement.xlsx: a summary, a sheet per member, the reconciliation of the water, the registers.

Amounts are numbers as they stand in the document; every sum and every check is a formula, which a spreadsheet
recomputes, so a reader can follow each figure to the fen.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

from plant_monitor.statements.correction_sheets import write_correction
from plant_monitor.statements.sheets import Document, Sheets, number

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def workbook(document: Document) -> bytes:
    """The workbook of a statement's document (``allocation.documents.document``)."""
    # Fixed properties: the same statement gives the same bytes.
    content = BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    book.set_properties({"title": f"{document['plant']['id']} {document['period']['label']}", "created": _EPOCH})
    if document.get("kind") == "correction":
        write_correction(Sheets(book, document))
    else:
        _write_statement(_StatementSheets(book, document))
    book.close()
    return content.getvalue()


def _write_statement(sheets: _StatementSheets) -> None:
    document = sheets.document
    sheets.summary()
    for member in document["members"]:
        sheets.member(member)
    sheets.reconciliation()
    sheets.registers([*document["volumes"], *([document["inlet"]] if document["inlet"] else [])])


class _StatementSheets(Sheets):
    """The sheets of a whole statement."""

    def summary(self) -> None:
        """Items down, members across; sums are formulas, and the last column checks each item against its cost."""
        members, items = self.document["members"], self.document["items"]
        sheet = self.sheet("Summary", "结算汇总 Summary of the statement", [34, 14] + [16] * (len(members) + 3))
        names = [f"{m['name']['zh']}\n{m['name']['en']}" for m in members]
        self.row(sheet, 4, ["费用项目 item", "分摊依据 basis", *names, "合计 total", "费用 cost", "差 difference"])
        last = 1 + len(members)
        sheet.write_string(5, 0, "水量 billed volume, m³")
        for column, member in enumerate(members, start=2):
            sheet.write_number(5, column, number(member["billed_m3"]), self.m3)
        self.sum_across(sheet, 5, 2, last, sum(Decimal(m["billed_m3"]) for m in members), self.m3_sum)
        for row, item in enumerate(items, start=6):
            sheet.write_string(row, 0, item["item"])
            sheet.write_string(row, 1, item["basis"])
            for column, member in enumerate(members, start=2):
                sheet.write_number(row, column, number(member["lines"][row - 6]["amount_yuan"]), self.yuan)
            self.sum_across(sheet, row, 2, last, Decimal(item["amount_yuan"]), self.yuan)
            sheet.write_number(row, last + 2, number(item["amount_yuan"]), self.yuan)
            total, cost = xl_rowcol_to_cell(row, last + 1), xl_rowcol_to_cell(row, last + 2)
            sheet.write_formula(row, last + 3, f"=ROUND({total}-{cost},2)", self.check, 0)
        bottom = 6 + len(items)
        sheet.write_string(bottom, 0, "合计 total, yuan", self.head)
        totals = [m["total_yuan"] for m in members]
        for column, total in enumerate([*totals, self.document["total_yuan"]], start=2):
            self.sum_down(sheet, bottom, column, 6, bottom - 1, Decimal(total))
        sheet.freeze_panes(5, 1)

    def member(self, member: Mapping[str, Any]) -> None:
        """One member's lines; beside each share the exact part it was rounded from."""
        name = self.names[self.document["members"].index(member)]
        sheet = self.sheet(name, f"{member['name']['zh']} · {member['name']['en']}", [34, 16, 16, 14, 18, 16, 18, 16])
        heads = ["费用项目 item", "分摊依据 basis", "数量 quantity", "单位 unit", "份额 share", "费用总额 cost"]
        self.row(sheet, 4, [*heads, "未舍入 exact part", "应付 amount, yuan"])
        for row, (line, item) in enumerate(zip(member["lines"], self.document["items"], strict=True), start=5):
            sheet.write_string(row, 0, line["item"])
            sheet.write_string(row, 1, line["basis"])
            if line["quantity"]:
                sheet.write_number(row, 2, number(line["quantity"]), self.m3)
            sheet.write_string(row, 3, line["unit"])
            if line["share"]:
                share, cost = xl_rowcol_to_cell(row, 4), xl_rowcol_to_cell(row, 5)
                sheet.write_number(row, 4, number(line["share"]), self.share)
                sheet.write_number(row, 5, number(item["amount_yuan"]), self.yuan)
                part = Decimal(line["share"]) * Decimal(item["amount_yuan"])
                sheet.write_formula(row, 6, f"={share}*{cost}", self.exact, float(part))
            sheet.write_number(row, 7, number(line["amount_yuan"]), self.yuan)
        bottom = 5 + len(member["lines"])
        sheet.write_string(bottom, 0, "应付合计 total due, yuan", self.head)
        self.sum_down(sheet, bottom, 7, 5, bottom - 1, Decimal(member["total_yuan"]))
        sheet.write_string(bottom + 2, 0, "份额按最大余数法舍入到分，各成员之和恒等于费用。")
        sheet.write_string(bottom + 3, 0, "Parts are rounded to the fen by largest remainder: they sum to the cost.")

    def reconciliation(self) -> None:
        """The water: what each member's outfalls measured, what it bears of the difference, what is billed."""
        sheet = self.sheet("Reconciliation", "水量对账 Reconciliation of the water, m³", [40] + [18] * 20)
        self.row(sheet, 4, ["成员 member", "计量 measured", "分摊差额 part of difference", "计费 billed", "核对 check"])
        members = self.document["members"]
        for row, member in enumerate(members, start=5):
            sheet.write_string(row, 0, f"{member['name']['zh']} · {member['name']['en']}")
            sheet.write_number(row, 1, number(member["measured_m3"]), self.m3)
            sheet.write_number(row, 2, number(member["unmetered_m3"]), self.m3)
            billed = Decimal(member["billed_m3"])
            cells = [xl_rowcol_to_cell(row, column) for column in (1, 2, 3)]
            sheet.write_formula(row, 3, f"={cells[0]}+{cells[1]}", self.m3, float(billed))
            sheet.write_formula(row, 4, f"=ROUND({cells[2]}-{billed},3)", self.check, 0)
        bottom = 5 + len(members)
        sheet.write_string(bottom, 0, "合计 total", self.head)
        for column, key in ((1, "measured_m3"), (2, "unmetered_m3"), (3, "billed_m3")):
            total = sum(Decimal(m[key]) for m in members)
            self.sum_down(sheet, bottom, column, 5, bottom - 1, total, self.m3_sum)
        row = bottom + 2
        difference = self.document["unmetered_difference"]
        if difference is not None:
            sheet.write_string(row, 0, "进水口 inlet")
            sheet.write_number(row, 1, number(difference["inlet_m3"]), self.m3)
            sheet.write_string(row + 1, 0, f"差额 inlet − outfalls (rule: {difference['rule']})")
            formula = f"={xl_rowcol_to_cell(row, 1)}-{xl_rowcol_to_cell(bottom, 1)}"
            sheet.write_formula(row + 1, 1, formula, self.m3, float(Decimal(difference["difference_m3"])))
            row += 3
        for finding in self.document["findings"]:
            where = " ".join(x for x in (finding["member"], finding["point"], finding["parameter"]) if x)
            sheet.write_string(row, 0, f"{finding['severity']} {finding['code']} {where}")
            sheet.write_string(row, 1, f"{finding['message']['zh']} {finding['message']['en']}")
            row += 1
        if self.document.get("reconciliation") is not None:
            self._days(sheet, row + 1)

    def _days(self, sheet: Any, row: int) -> None:
        """Inlet and outfalls day by day, a member a column, then each flow meter against the register beside it."""
        days, meters = self.document["reconciliation"]["days"], self.document["reconciliation"]["meters"]
        members = [m["member"] for m in self.document["members"]]
        names = [f"{m['name']['zh']}\n{m['name']['en']}" for m in self.document["members"]]
        outfalls, inlet, difference = 1 + len(members), 2 + len(members), 3 + len(members)
        flows = [f"流量 − 表底\nflow − register\n{meter['point']}" for meter in meters]
        heads = ["日期 date", *names, "各排放口 outfalls", "进水口 inlet", "差额 difference", *flows]
        self.row(sheet, row, heads)
        first = row + 1
        for row, day in enumerate(days, start=first):
            sheet.write_string(row, 0, day["date"], self.alarm if day["beyond_tolerance"] else None)
            for column, member in enumerate(members, start=1):
                sheet.write_number(row, column, number(day["members_m3"][member]), self.m3)
            self.sum_across(sheet, row, 1, len(members), Decimal(day["outfalls_m3"]), self.m3)
            if day["inlet_m3"] is not None:
                sheet.write_number(row, inlet, number(day["inlet_m3"]), self.m3)
                formula = f"={xl_rowcol_to_cell(row, inlet)}-{xl_rowcol_to_cell(row, outfalls)}"
                sheet.write_formula(row, difference, formula, self.m3, float(Decimal(day["difference_m3"])))
            for column, meter in enumerate(meters, start=difference + 1):
                if (apart := day["flow_minus_register_m3"][meter["point"]]) is not None:
                    sheet.write_number(row, column, number(apart), self.m3)
        bottom = first + len(days)
        sheet.write_string(bottom, 0, "合计 total", self.head)
        sums = [sum(Decimal(day["members_m3"][m]) for day in days) for m in members]
        sums += [sum(Decimal(day[key] or 0) for day in days) for key in ("outfalls_m3", "inlet_m3", "difference_m3")]
        sums += [Decimal(meter["difference_m3"]) for meter in meters]
        for column, total in enumerate(sums, start=1):
            self.sum_down(sheet, bottom, column, first, bottom - 1, total, self.m3_sum)
