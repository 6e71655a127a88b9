"""What changed between two evaluations, verdict by verdict, and why.

Yesterday's verdict can always be recomputed; where today's data or rules say something else, the new verdict
names the old one and its cause.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plant_monitor.compliance.tables import Table

DIFFERENCE_COLUMNS = (
    "table", "point", "parameter", "window", "limit_set", "statistic", "old_verdict", "new_verdict",
    "old_value", "new_value", "old_lower", "new_lower", "old_upper", "new_upper", "cause",
)  # fmt: skip
#: Table -> (column of the window, column of the value).
COMPARED = {"hourly": ("hour", "mean"), "daily": ("date", "value"), "monthly": ("month", "value")}

Row = Mapping[str, Any]
Key = tuple[str, str, str, str, str]


def differences(old: Mapping[str, Iterable[Row]], new: Mapping[str, Iterable[Row]]) -> Table:
    """Every verdict that differs, by table: rows in the order of the files.

    ``old``, ``new``: rows of ``hourly``, ``daily`` and ``monthly`` with the columns of design §4.3, None for
    unknown, and of ``evidence``, if there are any. A row that one of them does not have is told with an empty verdict.

    ``cause``: ``limit`` (another number, or none, is in force) · ``data`` (the evidence names other readings; without
    evidence: the value, or how much of it is valid, changed) · ``days`` (only one of the two covers the window) ·
    ``rule`` (nothing of the kind: the product judges otherwise today).
    """
    rows = []
    digests = _digests(old.get("evidence", ())), _digests(new.get("evidence", ()))
    for table, (window, value) in COMPARED.items():
        before, after = _by_key(old.get(table, ()), window), _by_key(new.get(table, ()), window)
        covered = {key[2] for key in before}, {key[2] for key in after}
        for key in sorted(before.keys() | after.keys()):
            was, now = before.get(key), after.get(key)
            if (was and was["verdict"]) == (now and now["verdict"]):
                continue
            in_both = key[2] in covered[0] and key[2] in covered[1]
            cause = _cause(was, now, value, in_both, _same_readings(digests, key))
            sides = [(_get(was, column), _get(now, column)) for column in ("verdict", value, "lower", "upper")]
            rows.append((table, *key, *(x for side in sides for x in side), cause))
    return Table.of_rows(DIFFERENCE_COLUMNS, rows)


def _by_key(rows: Iterable[Row], window: str) -> dict[Key, Row]:
    return {(r["point"], r["parameter"], r[window], r["limit_set"] or "", r["statistic"] or ""): r for r in rows}


def _digests(evidence: Iterable[Row]) -> dict[tuple[str, str], dict[str, str]]:
    """Digest of the readings by series and day."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in evidence:
        found.setdefault((row["point"], row["parameter"]), {})[row["date"]] = row["readings_sha256"]
    return found


def _same_readings(digests: Sequence[Mapping[tuple[str, str], Mapping[str, str]]], key: Key) -> bool | None:
    """Whether a window rests on the same readings as before, by the days it is of; None: nothing says so."""
    point, parameter, window = key[:3]
    was, now = (
        {day: digest for day, digest in side.get((point, parameter), {}).items() if day.startswith(window[:10])}
        for side in digests
    )
    return was == now if was and now else None


def _get(row: Row | None, column: str) -> Any:
    return None if row is None else row[column]


def _cause(was: Row | None, now: Row | None, value: str, in_both: bool, same_readings: bool | None) -> str:
    if not in_both:
        return "days"
    if was is None or now is None or any(_apart(was[bound], now[bound]) for bound in ("lower", "upper")):
        return "limit"
    if same_readings is not None:
        return "rule" if same_readings else "data"
    measured = (value, "valid_share", "effective_days", "volume_m3", "load_kg")
    if any(_apart(was.get(column), now.get(column)) for column in measured):
        return "data"
    return "rule"


def _apart(a: Any, b: Any) -> bool:
    """Different by more than what writing and reading a number can do."""
    if a is None or b is None:
        return a is not b
    return not math.isclose(float(a), float(b), rel_tol=1e-12, abs_tol=1e-12)
