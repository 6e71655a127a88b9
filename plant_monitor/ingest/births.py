"""What is known of Sparkplug edge nodes: their birth certificates, and how far their messages have been counted.

Data name their metrics by an alias that only the birth certificate explains, and births are not kept by the
broker. So they are kept here, in a file, and outlive the service. An alias is trusted as long as its node has
not died: the death certificate is a last will of QoS 1, which a broker that keeps our session keeps for us.
When it has lost the session, a death may be lost too, and no alias is trusted until the next birth.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from plant_monitor.ingest.sparkplug import Metric, Payload

log = structlog.get_logger()

_FORMAT = 1
NODE = ""  # the name under which a node's own metrics are kept, beside those of its devices


@dataclass(slots=True)
class Table:
    """The metrics of a birth certificate. ``since_ms``: births have said the same from this time on."""

    since_ms: int
    by_alias: dict[int, tuple[str, int | None]] = field(default_factory=dict)  # name, datatype
    datatypes: dict[str, int | None] = field(default_factory=dict)  # by name
    valid: bool = True

    @staticmethod
    def of(payload: Payload) -> Table:
        """The table of a birth certificate. An alias that it gives to two names means neither."""
        table, doubtful = Table(payload.timestamp or 0), set()
        for metric in payload.metrics:
            if metric.name is not None:
                table.datatypes[metric.name] = metric.datatype
                if metric.alias is not None:
                    named = table.by_alias.setdefault(metric.alias, (metric.name, metric.datatype))
                    if named[0] != metric.name:
                        doubtful.add(metric.alias)
        for alias in doubtful:
            del table.by_alias[alias]
        return table

    def says_the_same(self, other: Table) -> bool:
        """Whether two births give the same metrics the same aliases."""
        return self.by_alias == other.by_alias and self.datatypes == other.datatypes


@dataclass(slots=True)
class Sequence:
    """How far the messages of a node were counted (``seq`` goes from 0 to 255 and on with 0)."""

    last: int | None = None
    last_ms: int = 0  # timestamp of that message

    def follow(self, seq: int, timestamp_ms: int, repeated: bool) -> int:
        """How many messages are missing before this one (at least; they are counted modulo 256)."""
        last, last_ms = self.last, self.last_ms
        if last is not None and (repeated or timestamp_ms < last_ms or (seq, timestamp_ms) == (last, last_ms)):
            return 0  # come again, or overtaken: it tells nothing of what is missing
        self.last, self.last_ms = seq, timestamp_ms
        return 0 if last is None else (seq - last - 1) % 256


@dataclass(slots=True)
class EdgeNode:
    """One edge node and its devices."""

    bdseq: int | None = None
    tables: dict[str, Table] = field(default_factory=dict)  # by device
    sequence: Sequence = field(default_factory=Sequence)


class Births:
    """All edge nodes of one station. ``path``: where they are kept; None: only in memory."""

    def __init__(self, path: Path | None = None) -> None:
        self.nodes: dict[tuple[str, str], EdgeNode] = {}
        self._path = path
        if path is not None and path.exists():
            self._load(path)

    def node(self, group: str, name: str) -> EdgeNode:
        """A node, known or new."""
        return self.nodes.setdefault((group, name), EdgeNode())

    def born(self, node: EdgeNode, device: str | None, payload: Payload) -> None:
        """A birth: of a node, whose devices must be born again too, or of one device."""
        if device is None:
            node.bdseq = payload.bdseq
            for table in node.tables.values():
                table.valid = False
        table, before = Table.of(payload), node.tables.get(device or NODE)
        if before is not None and before.says_the_same(table):
            table.since_ms = min(before.since_ms, table.since_ms)
        node.tables[device or NODE] = table
        self._save()

    def died(self, node: EdgeNode, device: str | None, bdseq: int | None = None) -> bool:
        """A death; False where it is that of an earlier life of the node, which comes late and means nothing."""
        if device is None and None not in (bdseq, node.bdseq) and bdseq != node.bdseq:
            return False
        for name, table in node.tables.items():
            if device is None or name == device:
                table.valid = False
        self._save()
        return True

    def distrust(self) -> None:
        """Deaths may have been lost: no alias is known for sure any more."""
        for node in self.nodes.values():
            node.sequence.last = None
            for table in node.tables.values():
                table.valid = False
        if self.nodes:
            self._save()

    # --- the file --------------------------------------------------------------------------------

    def _save(self) -> None:
        if self._path is None:
            return
        text = json.dumps({"format": _FORMAT, "nodes": [_stored(*item) for item in self.nodes.items()]})
        partial = self._path.with_suffix(".partial")
        try:
            with partial.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path)
        except OSError as error:
            # Known while the service runs; after a restart data by alias wait in quarantine for the next birth.
            log.error("birth certificates cannot be kept", file=str(self._path), error=error.strerror)

    def _load(self, path: Path) -> None:
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["format"] != _FORMAT:
                raise ValueError(f"format {kept['format']}, expected {_FORMAT}")
            self.nodes = dict(_restored(node) for node in kept["nodes"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            self.nodes = {}
            log.error("birth certificates cannot be read; waiting for new ones", file=str(path), error=str(error))


def find_datatype(table: Table | None, metric: Metric, name: str) -> int | None:
    """The datatype of a metric: its own, else that of the birth."""
    return metric.datatype or (None if table is None else table.datatypes.get(name))


def _stored(key: tuple[str, str], node: EdgeNode) -> dict[str, Any]:
    tables = [
        {
            "device": device,
            "since_ms": table.since_ms,
            "valid": table.valid,
            "aliases": [[alias, name] for alias, (name, _) in table.by_alias.items()],
            "datatypes": list(table.datatypes.items()),
        }
        for device, table in node.tables.items()
    ]
    return {"group": key[0], "node": key[1], "bdseq": node.bdseq, "tables": tables}


def _restored(kept: dict[str, Any]) -> tuple[tuple[str, str], EdgeNode]:
    node = EdgeNode(bdseq=kept["bdseq"])
    for one in kept["tables"]:
        datatypes = {str(name): kind for name, kind in one["datatypes"]}
        aliases = {int(alias): (str(name), datatypes.get(name)) for alias, name in one["aliases"]}
        node.tables[str(one["device"])] = Table(int(one["since_ms"]), aliases, datatypes, bool(one["valid"]))
    return (str(kept["group"]), str(kept["node"])), node
