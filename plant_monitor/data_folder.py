"""What a data folder holds, opened: part of the composition root, for commands that need no service.

The ledger and InfluxDB are imported where they are used: to evaluate a file needs neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from plant_monitor.annotations import AnnotatedSource, Annotation
from plant_monitor.errors import InputError
from plant_monitor.plant import Plant
from plant_monitor.readings import ReadingSource
from plant_monitor.store.journal import Journal, open_journal

if TYPE_CHECKING:
    from plant_monitor.ledger import Ledger


class DataFolder:
    """What a data folder holds: the journal of readings and the ledger of alerts, statements and keys."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def journal_file(self) -> Path:
        """The readings."""
        return self.path / "journal.sqlite"

    @contextmanager
    def journal(self, plant: Plant, *, read_only: bool = False) -> Iterator[Journal]:
        """The journal; only one process may write it, any may read."""
        if not read_only:
            self.path.mkdir(parents=True, exist_ok=True)
        elif not self.journal_file.exists():
            raise InputError(
                f"{self.journal_file}: no journal; import readings, run the service, or name it with --data"
            )
        series = [(s.point, s.parameter) for s in plant.series]
        journal = open_journal(self.journal_file, series, outbox=plant.influxdb is not None, read_only=read_only)
        try:
            yield journal
        finally:
            journal.close()

    @contextmanager
    def source(self, plant: Plant) -> Iterator[ReadingSource]:
        """Where readings are read from by ``store.read_from``: this folder's journal, or InfluxDB."""
        if plant.read_from == "influxdb" and plant.influxdb is not None:
            from plant_monitor.store.influx import InfluxServer
            from plant_monitor.store.influx_source import InfluxSource

            server = InfluxServer(plant.influxdb)
            try:
                yield InfluxSource(server, plant.id, [(s.point, s.parameter) for s in plant.series])
            finally:
                server.close()
            return
        with self.journal(plant, read_only=True) as journal:
            yield journal

    @contextmanager
    def judged(self, plant: Plant) -> Iterator[AnnotatedSource]:
        """The readings of :meth:`source` under the annotations of this folder's ledger."""
        with self.source(plant) as source:
            standing: Sequence[Annotation] = ()
            if self.ledger_file.exists():
                with self.ledger() as ledger:
                    standing = ledger.annotations.standing()
            yield AnnotatedSource(plant, source, standing)

    @property
    def ledger_file(self) -> Path:
        """Alerts, statements, laboratory results, annotations, keys."""
        return self.path / "ledger.sqlite"

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """The ledger; made where there is none."""
        from plant_monitor.ledger import Ledger

        self.path.mkdir(parents=True, exist_ok=True)
        ledger = Ledger(f"sqlite:///{self.ledger_file}")
        try:
            yield ledger
        finally:
            ledger.close()
