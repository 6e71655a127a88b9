"""The contract of a ReadingSource against readings in memory and the journal, hot, sealed and mixed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from servers import Influxd

from plant_monitor.clock import SystemClock
from plant_monitor.plant import InfluxSettings, Name, Plant
from plant_monitor.readings import Readings, ReadingSource
from plant_monitor.store.forwarder import Forwarder
from plant_monitor.store.influx import InfluxServer
from plant_monitor.store.influx_source import InfluxSource
from plant_monitor.store.journal import Journal, open_journal
from plant_monitor.store.memory import MemorySource
from tests.store.contract import DAY_MS, SERIES, START_MS, Make, SourceContract


class TestMemory(SourceContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda batches: MemorySource(Readings.concat(batches))


class TestJournal(SourceContract):
    """``seal``: before which instant each batch is sealed, when the next one comes."""

    @pytest.fixture(params=["hot", "sealed", "half"])
    def make(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Make]:
        before = {"hot": 0, "sealed": START_MS + 500 * DAY_MS, "half": START_MS + 2 * DAY_MS + 1}[request.param]
        opened: list[Journal] = []

        def make(batches: Sequence[Readings]) -> ReadingSource:
            journal = open_journal(tmp_path / "journal.db", SERIES)
            opened.append(journal)
            for number, batch in enumerate(batches):
                journal.append(batch, accepted_ms=number)
                journal.seal(before)
            return journal

        yield make
        for journal in opened:
            journal.close()


class TestJournalFromAnotherProcess(SourceContract):
    """As a command sees it: opened for reading only, while the service holds it."""

    @pytest.fixture
    def make(self, tmp_path: Path) -> Iterator[Make]:
        opened: list[Journal] = []

        def make(batches: Sequence[Readings]) -> ReadingSource:
            journal = open_journal(tmp_path / "journal.db", SERIES)
            opened.append(journal)
            for number, batch in enumerate(batches):
                journal.append(batch, accepted_ms=number)
            opened.append(open_journal(tmp_path / "journal.db", SERIES, read_only=True))
            return opened[-1]

        yield make
        for journal in opened:
            journal.close()


class TestInfluxDb(SourceContract):
    """What the forwarder has written to a real InfluxDB."""

    @pytest.fixture
    def make(self, tmp_path: Path, influxd: Influxd) -> Iterator[Make]:
        influxd.create_database("readings")
        settings = InfluxSettings(influxd.url, "v1", "", "readings", "results")
        plant = Plant("the 'plant', p", Name("p", "p"), ZoneInfo("Asia/Shanghai"), Decimal(1), (), ())
        server = InfluxServer(settings)
        journal = open_journal(tmp_path / "journal.db", SERIES, outbox=True)

        def make(batches: Sequence[Readings]) -> ReadingSource:
            forwarder = Forwarder(journal, plant, server, SystemClock())
            for number, batch in enumerate(batches):
                journal.append(batch, accepted_ms=number)
                while forwarder.forward_once():
                    pass
            return InfluxSource(server, plant.id, SERIES)

        yield make
        journal.close()
        server.close()
