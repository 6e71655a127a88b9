"""A workbook as LibreOffice computes it: the results that stand in the file are taken out before."""

import csv
import re
import shutil
import subprocess
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import load_workbook

# LibreOffice trusts the results in a file unless it is told to recompute when it loads one.
_ALWAYS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse">
<value>0</value></prop></item></oor:items>
"""


def first_sheet(content: bytes, folder: Path) -> list[list[str]]:
    """The cells of the first sheet, recomputed; skips where LibreOffice is not there."""
    return next(iter(all_sheets(content, folder).values()))


def all_sheets(content: bytes, folder: Path) -> dict[str, list[list[str]]]:
    """The cells of every sheet by its name, recomputed; skips where LibreOffice is not there."""
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("LibreOffice is not there; other tests evaluate the formulas themselves")
    (folder / "profile" / "user").mkdir(parents=True)
    (folder / "profile" / "user" / "registrymodifications.xcu").write_text(_ALWAYS)
    (folder / "book.xlsx").write_bytes(_without_results(content))
    # comma, quotes, UTF-8; the last -1: each sheet into a file of its own
    filter_ = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"
    command = [office, "--headless", f"-env:UserInstallation=file://{folder}/profile", "--convert-to", filter_]
    subprocess.run([*command, "--outdir", folder, folder / "book.xlsx"], check=True, capture_output=True, timeout=120)
    names = load_workbook(folder / "book.xlsx", read_only=True).sheetnames
    return {name: _cells(folder / f"book-{name}.csv") for name in names}


def _cells(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [[cell.replace(",", "") for cell in row] for row in csv.reader(file)]


def _without_results(content: bytes) -> bytes:
    bare = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as book, zipfile.ZipFile(bare, "w") as out:
        for name in book.namelist():
            data = book.read(name)
            if name.startswith("xl/worksheets/"):
                data, count = re.subn(rb"(</f>)<v>[^<]*</v>", rb"\1<v>777</v>", data)
                assert count or b"<f>" not in data
            out.writestr(name, data)
    return bare.getvalue()
