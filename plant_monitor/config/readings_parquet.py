"""Readings as Parquet: the columns of the CSV, through duckdb (the extra ``parquet``).

``time`` is a timestamp with time zone (or RFC 3339 text), ``value`` a number (or text as in CSV), null
= no value. A row is named in the rejects as the line it would have in a CSV: the first row is line 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from plant_monitor.config.readings_columns import HEADER, Columns
from plant_monitor.config.rejects import Reject
from plant_monitor.config.timestamps import BAD, FIRST_MS, LAST_MS, times_ms
from plant_monitor.config.whole_file import replacing
from plant_monitor.errors import InputError
from plant_monitor.plant import Plant
from plant_monitor.readings import IntArray, Readings, mark_text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_CHUNK_ROWS = 500_000
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_FLOATS = ("FLOAT", "DOUBLE")


def iter_parquet(path: Path, plant: Plant) -> Iterator[tuple[Readings, list[Reject]]]:
    """Readings and bad rows of a Parquet file, part by part, in the order of the file.

    Raises
    ------
    InputError  duckdb is missing, the file is no Parquet, or its columns are not those of readings
    """
    connection = _connect()
    try:
        types = _columns(connection, path)
        total = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchall()[0][0]
        query = _query(types)
        for start in range(0, total, _CHUNK_ROWS):
            parameters = [str(path), start, start + _CHUNK_ROWS]
            yield _part(connection.execute(query, parameters).fetchnumpy(), plant, start + 2, types)
    finally:
        connection.close()


def write_parquet(path: Path, plant: Plant, readings: Readings | Iterable[Readings]) -> None:
    """Readings as Parquet; the file appears only when it is complete.

    Raises
    ------
    InputError  duckdb is missing, or the file cannot be written
    """
    connection = _connect()
    rows = readings if isinstance(readings, Readings) else Readings.concat(list(readings))
    table = {
        "us": rows.time * 1000,
        "point": np.array([s.point for s in plant.series], dtype=object)[rows.series],
        "parameter": np.array([s.parameter for s in plant.series], dtype=object)[rows.series],
        "value": rows.value,
        "mark": np.array([mark_text(code) for code in range(256)], dtype=object)[rows.mark],
    }
    try:
        with replacing(path) as partial:
            connection.register("readings", table)
            name = str(partial).replace("'", "''")
            connection.execute(
                "COPY (SELECT make_timestamptz(us) AS time, point::VARCHAR AS point, parameter::VARCHAR AS parameter, "
                "CASE WHEN isnan(value) THEN NULL ELSE value END AS value, mark::VARCHAR AS mark FROM readings) "
                f"TO '{name}' (FORMAT parquet, COMPRESSION zstd)"
            )
    finally:
        connection.close()


def _connect() -> DuckDBPyConnection:
    try:
        import duckdb  # an extra: 65 MB that a plant without Parquet files does not need
    except ImportError:
        raise InputError("Parquet needs duckdb: pip install 'plant-monitor[parquet]', or use CSV") from None
    return duckdb.connect(":memory:")


def _columns(connection: DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Type by column name."""
    import duckdb

    try:
        described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    except duckdb.Error as error:
        raise InputError(f"{path}: cannot be read as Parquet ({str(error).splitlines()[0]})") from None
    types = {str(name): str(kind) for name, kind, *_ in described}
    if tuple(types) not in (HEADER, HEADER[:4]):
        raise InputError(f"{path}: found the columns {', '.join(types)}, expected {', '.join(HEADER)}")
    if types["time"] not in ("TIMESTAMP WITH TIME ZONE", "VARCHAR"):
        raise InputError(f"{path}: time is {types['time']}, expected a timestamp with time zone, or RFC 3339 text")
    value = types["value"]
    if value not in (*_NUMBERS, *_FLOATS, "VARCHAR") and not value.startswith("DECIMAL"):
        raise InputError(f"{path}: value is {value}, expected a number")
    return types


def _query(types: dict[str, str]) -> str:
    """Columns as text or numbers; null texts are empty."""
    time = "epoch_us(time)" if types["time"] != "VARCHAR" else "coalesce(time, '')"
    value = "value::DOUBLE" if types["value"] != "VARCHAR" else "coalesce(value, '')"
    mark = "coalesce(mark::VARCHAR, '')" if "mark" in types else "''"
    return (
        f"SELECT {time} AS time, coalesce(point::VARCHAR, '') AS point, coalesce(parameter::VARCHAR, '') AS parameter, "
        f"{value} AS value, {mark} AS mark FROM read_parquet(?, file_row_number = true) "
        "WHERE file_row_number >= ? AND file_row_number < ? ORDER BY file_row_number"
    )


def _part(found: dict[str, Any], plant: Plant, first_line: int, types: dict[str, str]) -> tuple[Readings, list[Reject]]:
    texts = {name: [str(t).encode() for t in found[name].tolist()] for name in ("point", "parameter", "mark")}
    columns = Columns(plant)
    n = len(texts["point"])
    if types["time"] == "VARCHAR":
        raw_times = [str(t).encode() for t in found["time"].tolist()]
        time = times_ms(raw_times)
    else:
        time = _cut(found["time"])
        raw_times = [b""] * n
    raw_values: list[bytes] | NDArray[np.float64]
    if types["value"] == "VARCHAR":
        raw_values = [str(t).encode() for t in found["value"].tolist()]
    else:
        raw_values = np.ma.filled(np.ma.asarray(found["value"], dtype=np.float64), np.nan)
    lines = range(first_line, first_line + n)
    return columns.readings(lines, time, raw_times, texts["point"], texts["parameter"], raw_values, texts["mark"])


def _cut(microseconds: Any) -> IntArray:
    """Microseconds cut to ms; null and infinite are no times."""
    filled = np.ma.filled(np.ma.asarray(microseconds, dtype=np.int64), BAD)
    ms = np.floor_divide(filled, 1000)
    return np.where((filled == BAD) | (ms < FIRST_MS) | (ms > LAST_MS), BAD, ms)
