"""What all workbooks share: formats, headings, sums, the sheet of registers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from xlsxwriter.utility import xl_rowcol_to_cell

Document = Mapping[str, Any]
_FORBIDDEN = re.compile(r"[\[\]:*?/\\']")


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


class Sheets:
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
        self.alarm = book.add_format({"font_color": "#B00020"})
        self.names = sheet_names(document)

    def sheet(self, name: str, title: str, widths: Sequence[int]) -> Any:
        """A sheet with its heading: title, plant, document and period; row 3 says why it went out all the same."""
        sheet = self.book.add_worksheet(name)
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        period, plant = self.document["period"], self.document["plant"]
        sheet.write_string(0, 0, title, self.title)
        sheet.write_string(1, 0, f"{plant['name']['zh']} · {plant['name']['en']}")
        number_, state = self.document.get("number", ""), self.document.get("state", "draft")
        told = f"{number_ or period['label']}: {period['start']} – {period['end']} ({state})"
        sheet.write_string(2, 0, told)
        if reason := (self.document.get("issue") or {}).get("override_reason"):
            sheet.write_string(3, 0, f"尚有未决事项，经批准签发 issued with open findings: {reason}", self.alarm)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        return sheet

    def row(self, sheet: Any, row: int, texts: Sequence[str]) -> None:
        """The headings of columns."""
        for column, text in enumerate(texts):
            sheet.write_string(row, column, text, self.head)

    def registers(self, volumes: Sequence[Document]) -> None:
        """What each volume rests on, as in volumes.csv."""
        sheet = self.sheet("Registers", "表底数 Registers", [18, 22, 28, 20, 28, 20, 18, 14, 50])
        heads = ["member", "point", "start_time", "start_register", "end_time", "end_register", "volume_m3", "method"]
        self.row(sheet, 4, [*heads, "findings"])
        for row, volume in enumerate(volumes, start=5):
            for column, head in enumerate(heads):
                text = volume[head] or ""
                if text and head in ("start_register", "end_register", "volume_m3"):
                    sheet.write_number(row, column, number(text), self.m3)
                else:
                    sheet.write_string(row, column, text)
            sheet.write_string(row, 8, "; ".join(volume["findings"]), self.wrap)

    # -- sums ------------------------------------------------------------------------------------

    def sum_across(self, sheet: Any, row: int, first: int, last: int, total: Decimal | int, format_: Any) -> None:
        """The sum of a row's cells, behind them."""
        cells = f"{xl_rowcol_to_cell(row, first)}:{xl_rowcol_to_cell(row, last)}"
        sheet.write_formula(row, last + 1, f"=SUM({cells})", format_, float(total))

    def sum_down(
        self, sheet: Any, row: int, column: int, first: int, last: int, total: Decimal | int, format_: Any = None
    ) -> None:
        """The sum of a column's cells."""
        cells = f"{xl_rowcol_to_cell(first, column)}:{xl_rowcol_to_cell(last, column)}"
        formula = f"=SUM({cells})" if last >= first else "=0"
        sheet.write_formula(row, column, formula, format_ or self.sum, float(total))


def number(text: str) -> float:
    """A spreadsheet's number; the document's texts have at most 15 significant digits in practice."""
    return float(Decimal(text))
