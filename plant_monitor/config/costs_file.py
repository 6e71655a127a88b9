"""The costs of a period (design §4.5): every mistake of the file at once, or the items.

Money is read as text and becomes whole fen; no float is ever involved.
"""

from __future__ import annotations

import re
from pathlib import Path

from plant_monitor import units
from plant_monitor.allocation.split import (
    CAPACITY_SHARE,
    DIRECT_PREFIX,
    EQUAL,
    LOAD,
    LOAD_PREFIX,
    VOLUME_BASIS,
    CostItem,
)
from plant_monitor.allocation.tariff import is_reserved
from plant_monitor.config.text_lines import fields, line_blocks
from plant_monitor.errors import InputError, Problem
from plant_monitor.plant import Plant, Role, Tariff

HEADER = ("item", "basis", "amount_yuan", "note")
_AMOUNT = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,2})?", re.ASCII)
_BASES = (VOLUME_BASIS, CAPACITY_SHARE, EQUAL, LOAD)
_BASES_TEXT = "volume, capacity_share, equal, load, load:<parameter> or direct:<member>"


def read_costs(path: Path, plant: Plant) -> tuple[CostItem, ...]:
    """The cost items, in the order of the file.

    Raises
    ------
    InputError  the file cannot be read, or is wrong: *all* of its problems
    """
    problems: list[Problem] = []
    rows = _rows(path, problems)
    items: list[CostItem] = []
    first: dict[str, int] = {}
    for line, row in rows:
        item, basis, amount = (text.strip() for text in row[:3])
        where = f"{path}:{line}"
        problems += [Problem(where, *p) for p in _wrong_item(item, first, plant.tariff)]
        problems += [Problem(where, "basis", *p) for p in _wrong_basis(basis, plant)]
        first.setdefault(item, line)
        if not _AMOUNT.fullmatch(amount):
            expected = "an amount in yuan with at most two decimals, as 58320.60"
            problems.append(Problem(where, "amount_yuan", repr(amount[:40]) if amount else "nothing", expected))
            continue
        items.append(CostItem(item, basis, _fen(amount), row[3].strip() if len(row) > 3 else ""))
    problems.sort(key=lambda p: int(p.where.rpartition(":")[2]))
    if problems:
        raise InputError(f"{path}: {len(problems)} problems; nothing is billed", problems)
    return tuple(items)


def _rows(path: Path, problems: list[Problem]) -> list[tuple[int, list[str]]]:
    """Rows with as many fields as the header, and their lines; empty lines are skipped."""
    rows: list[tuple[int, list[str]]] = []
    header: tuple[str, ...] = ()
    number = 0
    for first_line, block in line_blocks(path):
        for number, line in enumerate(block.split(b"\n"), first_line):
            try:
                row = fields(line.decode("utf-8"))
            except UnicodeDecodeError:
                problems.append(Problem(f"{path}:{number}", "", "bytes that are not UTF-8", "a file saved as UTF-8"))
                row = []
            except InputError as error:
                problems.append(Problem(f"{path}:{number}", "", str(error), "fields divided by commas"))
                row = []
            if number == 1:
                header = tuple(row)
                if header not in (HEADER, HEADER[:3]):
                    found = line[:80].decode("utf-8", "replace")
                    raise InputError(f"{path}:1: found the header {found!r}, expected 'item,basis,amount_yuan[,note]'")
            elif row in ([], [""]):
                continue
            elif len(row) != len(header):
                expected = f"{len(header)}, as in the header (quote a field that holds a comma)"
                problems.append(Problem(f"{path}:{number}", "", f"{len(row)} fields", expected))
            else:
                rows.append((number, row))
    if not number:
        raise InputError(f"{path}: the file is empty; expected the header 'item,basis,amount_yuan[,note]'")
    return rows


def _wrong_item(item: str, first: dict[str, int], tariff: Tariff) -> list[tuple[str, str, str]]:
    """Column, found, expected."""
    if not item:
        return [("item", "nothing", "a name for the cost")]
    if not item.isprintable():
        return [("item", repr(item[:40]), "a name without control characters")]
    if item == "TOTAL":
        return [("item", "'TOTAL'", "another name: statements call the sum so")]
    if is_reserved(item, tariff):
        return [("item", repr(item), "another name: lines of the tariff are called so")]
    if item in first:
        return [("item", f"{item!r} a second time", f"each item once (line {first[item]} has it)")]
    return []


def _wrong_basis(basis: str, plant: Plant) -> list[tuple[str, str]]:
    """Found, expected."""
    if basis in _BASES:
        return []
    if basis.startswith(DIRECT_PREFIX):
        member = basis.removeprefix(DIRECT_PREFIX)
        if member in plant.member_by_id:
            return []
        return [(repr(basis), f"direct: with the id of a member ({', '.join(plant.member_by_id)})")]
    if not basis.startswith(LOAD_PREFIX):
        return [(repr(basis[:60]) if basis else "nothing", _BASES_TEXT)]
    return _wrong_load(basis.removeprefix(LOAD_PREFIX), plant)


def _wrong_load(parameter: str, plant: Plant) -> list[tuple[str, str]]:
    """A load is of a mass per volume that is measured; where outfalls measure it, they decide."""
    measured = [(plant.point_by_id[s.point].role, s.unit) for s in plant.series if s.parameter == parameter]
    deciding = [unit for role, unit in measured if role is Role.OUTFALL] or [unit for _, unit in measured]
    if not deciding:
        return [(f"'load:{parameter}'", f"a parameter that the plant measures: no point measures {parameter!r}")]
    others = sorted({unit for unit in deciding if not units.is_concentration(unit)})
    if others:
        return [(f"'load:{parameter}'", f"a mass per volume, as mg/L: {parameter!r} is in {', '.join(others)}")]
    return []


def _fen(amount: str) -> int:
    whole, _, decimals = amount.lstrip("+-").partition(".")
    fen = int(whole) * 100 + int((decimals + "00")[:2])
    return -fen if amount.startswith("-") else fen
