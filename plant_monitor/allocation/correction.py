"""A correction: by what a recomputed statement differs from what is issued (design §5, *Statements*).

It works on documents, the texts that were issued: what was charged is what stands there, whatever today's
code would make of the old inputs. Every figure of a correction is *recomputed − issued so far*, so the
documents of a period always sum to the recomputed truth, line by line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from plant_monitor.allocation.capitals import capitals
from plant_monitor.allocation.costs import TOTAL
from plant_monitor.allocation.documents import FINDINGS_SEPARATOR, VOLUMES_HEADER
from plant_monitor.allocation.exact import plain_text

Document = Mapping[str, Any]

#: Columns of a line that add up along a chain.
FIGURES = ("quantity", "share", "amount_yuan")
_MEMBER_FIGURES = ("measured_m3", "unmetered_m3", "billed_m3", "total_yuan")
_Key = tuple[str, str]  # item, basis


def truth(document: Document) -> Document:
    """The full statement a document stands for: itself, or what a correction has recomputed."""
    recomputed: Document = document.get("recomputed", document)
    return recomputed


def correction(issued: Document, recomputed: Document, cause: str) -> dict[str, Any]:
    """What ``recomputed`` differs by from the last issued document of its period; that one may be a correction.

    ``lines`` hold differences alone, each with the figures before and after; a line without one is left out.
    Its key is (member, item, basis): where a cost goes by another basis now, one line is taken back and
    another one charged. ``recomputed`` is carried along whole: the next correction starts from it.
    """
    was = truth(issued)
    members = _by_member(was, recomputed)
    return {
        "plant": recomputed["plant"],
        "rule_version": recomputed["rule_version"],
        "inputs": recomputed["inputs"],
        "kind": "correction",
        "predecessor": issued.get("number", ""),
        "cause": cause,
        "period": recomputed["period"],
        "members": [_member(*pair) for pair in members],
        "items": _items(was, recomputed),
        **_figures(was, recomputed, ("total_yuan",)),
        "volumes": _changed(was["volumes"], recomputed["volumes"]),
        "findings": [f for f in recomputed["findings"] if f not in was["findings"]],
        "findings_gone": [f for f in was["findings"] if f not in recomputed["findings"]],
        "recomputed": dict(recomputed),
    }


def changes_nothing(document: Document) -> bool:
    """True for a correction without a line."""
    return not any(member["lines"] for member in document["members"])


def correction_rows(document: Document) -> list[tuple[str, ...]]:
    """The rows of statement.csv for a correction: differences, in the same columns, the same totals below."""
    rows: list[tuple[str, ...]] = []
    for member in document["members"]:
        for line in member["lines"]:
            texts = (line[c] for c in ("item", "basis", "quantity", "unit", "share", "amount_yuan"))
            rows.append((member["member"], *texts))
        rows.append((member["member"], TOTAL, "", "", "", "", member["total_yuan"]))
    for item in document["items"]:
        rows.append((TOTAL, item["item"], item["basis"], "", "", "", item["amount_yuan"]))
    rows.append((TOTAL, TOTAL, "", "", "", "", document["total_yuan"]))
    return rows


def correction_volume_rows(document: Document) -> list[tuple[str, ...]]:
    """The rows of volumes.csv for a correction: the outfalls that changed, as they are recomputed."""
    texts = [{**v, "findings": FINDINGS_SEPARATOR.join(v["findings"])} for v in document["volumes"]]
    return [tuple(str(v[c]) for c in VOLUMES_HEADER) for v in texts]


def differences(was: Any, now: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Every place in which two documents differ: its path, what it was, what it is."""
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        found = []
        for key in dict.fromkeys([*was, *now]):
            found += differences(was.get(key), now.get(key), f"{path}.{key}" if path else str(key))
        return found
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        return [d for i, (a, b) in enumerate(zip(was, now)) for d in differences(a, b, f"{path}[{_label(a, i)}]")]
    return [] if was == now else [(path, was, now)]


def _label(entry: Any, index: int) -> str:
    """How a path names an entry of a list: by its member, item or point, else by its place."""
    names = entry if isinstance(entry, Mapping) else {}
    return next((str(names[k]) for k in ("item", "point", "code", "member") if names.get(k)), str(index))


def _by_member(was: Document, now: Document) -> list[tuple[Document, Document]]:
    """Members as in the recomputed statement, then those that have left; a missing side is all zero."""
    old, new = ({m["member"]: m for m in d["members"]} for d in (was, now))
    return [(old.get(m) or _nothing(new[m]), new.get(m) or _nothing(old[m])) for m in dict.fromkeys([*new, *old])]


def _nothing(member: Document) -> dict[str, Any]:
    zero = dict.fromkeys(_MEMBER_FIGURES[:3], "0.000")
    return {"member": member["member"], "name": member["name"], **zero, "total_yuan": "0.00", "lines": []}


def _member(was: Document, now: Document) -> dict[str, Any]:
    old, new = ({(x["item"], x["basis"]): x for x in side["lines"]} for side in (was, now))
    lines = [_line(old.get(key), new.get(key)) for key in dict.fromkeys([*new, *old])]
    figures = _figures(was, now, _MEMBER_FIGURES)
    return {
        "member": now["member"],
        "name": now["name"],
        **figures,
        "total_capitals": capitals(int(Decimal(figures["total_yuan"]).scaleb(2))),
        "lines": [line for line in lines if any(line["before"][f] != line["after"][f] for f in FIGURES)],
    }


def _line(was: Document | None, now: Document | None) -> dict[str, Any]:
    """One line's differences; where it is new or gone the other side is nothing, which counts as 0."""
    shown = now or was or {}
    empty = dict.fromkeys(FIGURES, "") | {"amount_yuan": "0.00"}
    line = {key: shown[key] for key in ("item", "basis", "unit")} | _figures(was or empty, now or empty, FIGURES)
    return line | ({"details": now["details"]} if now and "details" in now else {})


def _items(was: Document, now: Document) -> list[dict[str, Any]]:
    """Every item of which some member's line differs, with its total."""
    old, new = (_totals(d) for d in (was, now))
    touched = {
        (x["item"], x["basis"])
        for pair in _by_member(was, now)
        for x in _member(*pair)["lines"]
    }  # fmt: skip
    keys = [key for key in dict.fromkeys([*new, *old]) if key in touched]
    nothing = {"amount_yuan": "0.00"}
    return [
        {"item": item, "basis": basis}
        | _figures(old.get((item, basis), nothing), new.get((item, basis), nothing), ("amount_yuan",))
        for item, basis in keys
    ]


def _totals(document: Document) -> dict[_Key, Document]:
    return {(item["item"], item["basis"]): item for item in document["items"]}


def _figures(was: Document, now: Document, names: Iterable[str]) -> dict[str, Any]:
    """The differences under their names, and both sides beside them."""
    names = tuple(names)
    return {
        **{name: _minus(now[name], was[name]) for name in names},
        "before": {name: was[name] for name in names},
        "after": {name: now[name] for name in names},
    }


def _minus(now: str, was: str) -> str:
    """The difference of two decimals as text; nothing counts as 0, and nothing − nothing is nothing."""
    if not now and not was:
        return ""
    return plain_text(Decimal(now or "0") - Decimal(was or "0"))


def _changed(was: Sequence[Document], now: Sequence[Document]) -> list[dict[str, Any]]:
    """The outfalls whose volume rests on something else now, as recomputed, with what it was."""
    before = {v["point"]: v for v in was}
    return [{**v, "before": before.get(v["point"])} for v in now if before.get(v["point"]) != v]
