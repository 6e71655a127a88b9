"""Schema, migrations and errors of the ledger's database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy.exc
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from plant_monitor.errors import StoreError, StoreUnavailable
from plant_monitor.ledger import Ledger
from plant_monitor.ledger.database import HEAD, Database, alembic_config, translated
from plant_monitor.ledger.tables import metadata


def test_migrations_lead_to_the_tables_that_the_code_uses(ledger: Ledger, ledger_url: str) -> None:
    engine = create_engine(ledger_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert ScriptDirectory.from_config(alembic_config(connection)).get_current_head() == HEAD
    engine.dispose()


def test_migrations_lead_back(ledger: Ledger, ledger_url: str) -> None:
    ledger.keys.add("admin", now_ms=1)
    ledger.close()
    engine = create_engine(ledger_url)
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()
    again = Ledger(ledger_url)
    assert again.keys.list() == ()
    again.close()


def test_a_ledger_of_a_newer_version_is_left_alone(ledger: Ledger, ledger_url: str) -> None:
    ledger.close()
    engine = create_engine(ledger_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match="newer version"):
        Ledger(ledger_url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite://", "expected sqlite:///FILE"),
        ("mysql://u:hush@h/db", "expected sqlite:///FILE"),
        ("oracledb4://x", "expected sqlite:///FILE"),
        ("not a url", "expected sqlite:///FILE"),
    ],
)
def test_a_wrong_url_says_what_is_expected_and_no_password(url: str, words: str) -> None:
    with pytest.raises(StoreError, match=words) as error:
        Ledger(url)
    assert "hush" not in str(error.value)


def test_a_database_out_of_reach_is_worth_another_try(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreUnavailable):
        Ledger(f"sqlite:///{tmp_path}/file/ledger.sqlite")
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(StoreUnavailable):
        Ledger(f"sqlite:///{tmp_path}/folder.sqlite")


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_text("time,point,parameter,value,mark\n" * 99)
    with pytest.raises(StoreError, match="not a database"):
        Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")


def test_a_writer_that_fails_leaves_nothing_and_blocks_nobody(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/ledger.sqlite")
    with pytest.raises(KeyError), database.write() as connection:
        connection.execute(text("INSERT INTO audit VALUES (1, 1, 'a', 'b', 'c', '{}')"))
        raise KeyError
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM audit")).scalar_one() == 0
    with database.write() as connection:
        connection.execute(text("INSERT INTO audit VALUES (1, 1, 'a', 'b', 'c', '{}')"))
    database.close()
    # Everything is in the file itself: the rollback journal is used where SQLite's WAL has its bug.
    with sqlite3.connect(tmp_path / "ledger.sqlite") as raw:
        mode = raw.execute("PRAGMA journal_mode").fetchone()[0]
        assert mode == ("wal" if sqlite3.sqlite_version_info >= (3, 51, 3) else "delete")
    raw.close()


def _subclasses(cls: type[BaseException]) -> set[type[BaseException]]:
    return {cls}.union(*(_subclasses(sub) for sub in cls.__subclasses__()))


def test_every_error_of_sqlalchemy_has_a_translation() -> None:
    for cls in _subclasses(sqlalchemy.exc.SQLAlchemyError):
        error = cls.__new__(cls)
        Exception.__init__(error, "something")
        if isinstance(error, sqlalchemy.exc.DBAPIError):
            error.orig, error.connection_invalidated = None, False
        assert "ledger L: " in str(translated(error, "L"))  # type: ignore[arg-type]
