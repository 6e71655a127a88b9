"""statement-<member>.pdf: one page a member, typeset by typst from statement.json (extra ``pdf``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from plant_monitor.errors import NotAvailable

#: Fonts with Chinese and Latin letters, the preferred first.
FONTS = (
    "WenQuanYi Micro Hei",
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Noto Serif CJK SC",
    "Microsoft YaHei",
    "SimSun",
    "PingFang SC",
)


class PdfNotPossible(NotAvailable):
    """No PDF can be made on this machine, and why."""


def render_pdf(document: Mapping[str, Any], member: str) -> bytes:
    """The PDF of one member of a statement's document.

    Raises
    ------
    PdfNotPossible  typst is not installed, or no font has Chinese letters
    """
    try:
        import typst
    except ImportError as error:
        raise PdfNotPossible("no PDF: typst is not installed (pip install 'plant-monitor[pdf]')") from error
    source = files("plant_monitor.statements").joinpath("statement.typ").read_bytes()
    number = next(i for i, m in enumerate(document["members"]) if m["member"] == member)
    inputs = {"data": json.dumps(document, ensure_ascii=False), "member": str(number), "font": _font(typst)}
    return bytes(typst.compile(source, sys_inputs=inputs))


def _font(typst: Any) -> str:
    there = set(typst.Fonts().families())
    for name in FONTS:
        if name in there:
            return name
    raise PdfNotPossible("no PDF: no font with Chinese letters (apt-get install fonts-wqy-microhei)")
