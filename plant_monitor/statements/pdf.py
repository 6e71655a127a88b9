"""statement-<member>.pdf: one page a member, typeset by typst from statement.json (extra ``pdf``)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from plant_monitor.errors import InputError

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


class PdfNotPossible(InputError):
    """No PDF can be made on this machine, and why."""


def render_pdfs(document: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """(member id, PDF) of every member of a statement's document.

    Raises
    ------
    PdfNotPossible  typst is not installed, or no font has Chinese letters
    """
    try:
        import typst
    except ImportError as error:
        raise PdfNotPossible("no PDF: typst is not installed (pip install 'plant-monitor[pdf]')") from error
    font = _font(typst)
    source = files("plant_monitor.statements").joinpath("statement.typ").read_bytes()
    data = json.dumps(document, ensure_ascii=False)
    for number, member in enumerate(document["members"]):
        inputs = {"data": data, "member": str(number), "font": font}
        yield str(member["member"]), typst.compile(source, sys_inputs=inputs)


def _font(typst: Any) -> str:
    there = set(typst.Fonts().families())
    for name in FONTS:
        if name in there:
            return name
    raise PdfNotPossible("no PDF: no font with Chinese letters (apt-get install fonts-wqy-microhei)")
