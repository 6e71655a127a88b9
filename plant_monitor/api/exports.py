"""A whole list as one file, written while it is read: CSV, JSON lines, Parquet.

However long the list is, a few thousand of its rows are in memory; a Parquet file, which can only be handed over
when it is complete, is made on disk.
"""

from __future__ import annotations

import csv
import io
import json
import math
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from plant_monitor.errors import NotAvailable

Format = Literal["json", "csv", "ndjson", "parquet"]
#: What the route of every table may answer with beside JSON, for the OpenAPI document.
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in MEDIA_TYPES.values()}}
}

_CHUNK_ROWS = 2_000
_PARQUET_ROWS = 20_000
_PARQUET_MEMORY = "256MB"
_one_parquet_at_a_time = threading.Lock()

Tuples = Iterable[Sequence[Any]]


def export(
    kind: Format, name: str, header: Sequence[str], rows: Tuples, row: type[BaseModel] | None = None
) -> StreamingResponse:
    """Rows as a file to be kept. None is an empty field, null; floats are those that read back exactly.

    ``row`` says which columns are text; what it does not name is a number.

    Raises
    ------
    NotAvailable  Parquet without duckdb
    """
    if kind == "parquet":
        chunks: Iterator[str | bytes] = _parquet(header, rows, _texts(header, row))
    elif kind == "ndjson":
        chunks = _lines(header, rows)
    else:
        chunks = _csv(header, rows)
    first = next(chunks)  # so that what cannot be read at all is an error and no broken file
    disposition = f'attachment; filename="{name}.{kind}"'
    return StreamingResponse(
        chain((first,), chunks), media_type=MEDIA_TYPES[kind], headers={"Content-Disposition": disposition}
    )


def _csv(header: Sequence[str], rows: Tuples) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    remaining = iter(rows)
    while True:
        part = list(islice(remaining, _CHUNK_ROWS))
        writer.writerows(part)
        yield text.getvalue()
        if len(part) < _CHUNK_ROWS:
            return
        text.seek(0)
        text.truncate()


def _lines(header: Sequence[str], rows: Tuples) -> Iterator[str]:
    remaining = iter(rows)
    while True:
        part = list(islice(remaining, _CHUNK_ROWS))
        objects = (dict(zip(header, map(_finite, values), strict=True)) for values in part)
        yield "".join(json.dumps(one, ensure_ascii=False, allow_nan=False) + "\n" for one in objects)
        if len(part) < _CHUNK_ROWS:
            return


def _finite(value: Any) -> Any:
    """JSON knows no other number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _texts(header: Sequence[str], row: type[BaseModel] | None) -> list[bool]:
    """Which columns are text."""
    fields = {} if row is None else row.model_fields
    kinds = [fields[name].annotation if name in fields else float for name in header]
    return [kind is str or str in get_args(kind) for kind in kinds]


def _parquet(header: Sequence[str], rows: Tuples, texts: Sequence[bool]) -> Iterator[bytes]:
    try:
        import duckdb  # an extra
    except ImportError:
        raise NotAvailable("Parquet needs duckdb, which is not installed here; expected csv or ndjson") from None
    with tempfile.TemporaryDirectory(prefix="plant-monitor-") as folder:
        path = Path(folder) / "rows.parquet"
        with _one_parquet_at_a_time, duckdb.connect(str(Path(folder) / "rows.duckdb")) as connection:
            connection.execute(f"SET memory_limit='{_PARQUET_MEMORY}'; SET threads=1")
            columns = [f'"{name}" {"VARCHAR" if text else "DOUBLE"}' for name, text in zip(header, texts, strict=True)]
            connection.execute(f"CREATE TABLE rows ({', '.join(columns)})")
            remaining = iter(rows)
            while part := list(islice(remaining, _PARQUET_ROWS)):
                connection.register("part", _columns(header, part, texts))
                chosen = [
                    f'"{name}"::VARCHAR' if text else f'CASE WHEN isnan("{name}") THEN NULL ELSE "{name}" END'
                    for name, text in zip(header, texts, strict=True)
                ]
                connection.execute(f"INSERT INTO rows SELECT {', '.join(chosen)} FROM part")
                connection.unregister("part")
            connection.execute(f"COPY rows TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
        with path.open("rb") as file:
            while block := file.read(65_536):
                yield block


def _columns(header: Sequence[str], rows: Sequence[Sequence[Any]], texts: Sequence[bool]) -> dict[str, Any]:
    found = {}
    for i, (name, text) in enumerate(zip(header, texts, strict=True)):
        values = [row[i] for row in rows]
        if text:
            found[name] = np.array([None if v is None else str(v) for v in values], dtype=object)
        else:
            found[name] = np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64)
    return found
