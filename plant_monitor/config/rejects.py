"""Rows of a readings file that cannot be taken: kept with line and reason, beside the good ones."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from plant_monitor.config.whole_file import replacing


@dataclass(frozen=True, slots=True)
class Reject:
    """A bad row: its physical line (the header is line 1), and why it cannot be taken."""

    line: int
    reason: str


def write_rejects(path: Path, rejects: Iterable[Reject]) -> None:
    """Bad rows as CSV ``line,reason``."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("line", "reason"))
        writer.writerows((r.line, r.reason) for r in rejects)
