"""A ledger on each database it can live on: every test of this folder runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ledger.postgres import Postgres, find_server
from servers import missing
from sqlalchemy import create_engine, text

from plant_monitor.ledger import Ledger


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    executable = find_server()
    if importlib.util.find_spec("psycopg") is None or executable is None:
        missing("PostgreSQL", "pip install 'psycopg[binary]', apt-get install postgresql")
        raise AssertionError("unreachable")
    server = Postgres(executable)
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'deep' / 'ledger.sqlite'}"
    server: Postgres = request.getfixturevalue("postgres")
    engine = create_engine(server.url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return server.url


@pytest.fixture
def open_ledger(ledger_url: str) -> Iterator[Callable[[], Ledger]]:
    """Opens the test's ledger, as often as asked: a restart."""
    opened: list[Ledger] = []

    def again() -> Ledger:
        opened.append(Ledger(ledger_url))
        return opened[-1]

    yield again
    for ledger in opened:
        ledger.close()


@pytest.fixture
def ledger(open_ledger: Callable[[], Ledger]) -> Ledger:
    return open_ledger()
