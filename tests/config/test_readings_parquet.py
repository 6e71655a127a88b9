"""Readings as Parquet: the same columns, the same bad rows."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest

from plant_monitor.config import readings_parquet
from plant_monitor.config.plant_file import parse_plant
from plant_monitor.config.readings_file import Reject, read_readings, write_readings
from plant_monitor.errors import InputError
from plant_monitor.readings import Readings

PLANT = parse_plant(
    """
plant: {id: p, name: {zh: 厂, en: P}, timezone: Asia/Shanghai, capacity_m3_d: 1200}
points:
  - {id: 排口, role: process, parameters: {flow: {interval: 10s}, cod_cr: {interval: 1h}}}
""",
    "plant.yaml",
    {},
)


def query(path: Path, sql: str) -> None:
    duckdb.connect().execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")


def test_what_is_written_reads_back_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings_parquet, "_CHUNK_ROWS", 7)
    rng = np.random.default_rng(7)
    value = rng.normal(size=20)
    value[:4] = [math.nan, math.inf, -math.inf, 0.1]
    readings = Readings.of(rng.integers(-(10**13), 10**13, 20), np.arange(20) % 2, value, 66 + np.arange(20))
    path = tmp_path / "r.parquet"
    write_readings(path, PLANT, readings, "parquet")
    back, bad = read_readings(path, PLANT)
    assert bad == []
    assert back.time.tolist() == readings.time.tolist() and back.series.tolist() == readings.series.tolist()
    assert np.array_equal(back.value, value, equal_nan=True) and back.mark.tolist() == readings.mark.tolist()
    kinds = duckdb.connect().execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
    assert [(k[0], k[1]) for k in kinds] == [
        ("time", "TIMESTAMP WITH TIME ZONE"), ("point", "VARCHAR"), ("parameter", "VARCHAR"), ("value", "DOUBLE"),
        ("mark", "VARCHAR"),
    ]  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["r.parquet"]


def test_bad_rows_are_named_like_lines_of_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    query(
        path,
        """SELECT * FROM (VALUES
            (1, '2026-10-01T00:00:00+08:00', '排口', 'flow', '1.5', NULL),
            (2, '2026-10-01T00:00:00', '排口', 'flow', '1.5', 'N'),
            (3, '2026-10-01T00:00:00Z', '排口', 'ph', '1_0', 'N'),
            (4, NULL, NULL, 'flow', NULL, 'N'),
            (5, '2026-10-01T00:00:00Z', '排口', 'cod_cr', NULL, 'Q')) t(i, time, point, parameter, value, mark)
        """.replace("SELECT *", "SELECT time, point, parameter, value, mark"),
    )
    readings, bad = read_readings(path, PLANT)
    assert readings.time.tolist() == [1_790_784_000_000, 1_790_812_800_000]
    assert bytes(readings.mark) == b"NQ" and math.isnan(readings.value[1])
    assert bad == [
        Reject(3, "time '2026-10-01T00:00:00' has no offset from UTC"),
        Reject(4, "plant.yaml declares no series 排口/ph; value '1_0' is no number"),
        Reject(5, "no time; plant.yaml declares no series /flow"),
    ]


def test_times_are_cut_to_ms_and_null_or_infinite_ones_are_bad(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    query(
        path,
        """SELECT t::TIMESTAMPTZ AS time, '排口' AS point, 'flow' AS parameter, 1::DECIMAL(5, 2) AS value FROM (VALUES
            ('1969-12-31 23:59:59.9999+00'), ('1970-01-01 00:00:00.0019+00'), (NULL), ('infinity')) v(t)""",
    )
    readings, bad = read_readings(path, PLANT)
    assert readings.time.tolist() == [-1, 1]
    assert [r.line for r in bad] == [4, 5]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 1 AS time, 'a' AS point", "found the columns time, point"),
        ("SELECT now()::TIMESTAMP AS time, 'a' AS point, 'b' AS parameter, 1.0 AS value", "timestamp with time zone"),
        ("SELECT now() AS time, 'a' AS point, 'b' AS parameter, true AS value", "value is BOOLEAN"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, sql: str, words: str) -> None:
    path = tmp_path / "r.parquet"
    query(path, sql)
    with pytest.raises(InputError, match=words):
        read_readings(path, PLANT)


def test_no_parquet_at_all(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    path.write_bytes(b"time,point\n")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_readings(path, PLANT)


def test_without_duckdb_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(InputError, match=r"plant-monitor\[parquet\]"):
        write_readings(tmp_path / "r.parquet", PLANT, Readings.empty(), "parquet")
    with pytest.raises(InputError, match=r"plant-monitor\[parquet\]"):
        read_readings(tmp_path / "r.parquet", PLANT)
