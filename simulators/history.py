"""History as a readings file: CSV or Parquet by contract 4.2, or the bare columns as ``.npz``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from plant_monitor.config.readings_file import write_csv
from plant_monitor.errors import InputError
from plant_monitor.plant import Plant
from plant_monitor.readings import Readings
from plant_monitor.windows import rfc3339

FORMATS = (".csv", ".parquet", ".npz")


def write(readings: Readings, plant: Plant, path: Path) -> None:
    """Write readings in the format of the path's suffix.

    Raises
    ------
    InputError  another suffix, or Parquet without duckdb
    """
    if path.suffix == ".csv":
        write_csv(path, plant, readings)
    elif path.suffix == ".parquet":
        _write_parquet(readings, plant, path)
    elif path.suffix == ".npz":
        names = np.array([f"{s.point}/{s.parameter}" for s in plant.series])
        columns: dict[str, Any] = {n: getattr(readings, n) for n in ("time", "series", "value", "mark")}
        np.savez_compressed(path, names=names, **columns)
    else:
        raise InputError(f"{path}: found {path.suffix or 'no suffix'!r}, expected one of {', '.join(FORMATS)}")


def _write_parquet(readings: Readings, plant: Plant, path: Path) -> None:
    try:
        import duckdb
    except ImportError as error:
        raise InputError("Parquet needs duckdb: pip install 'plant-monitor[parquet]'") from error
    instants, which = np.unique(readings.time, return_inverse=True)
    texts = np.array([rfc3339(t, plant.zone) for t in instants.tolist()], dtype=object)
    with duckdb.connect() as connection:
        connection.register(
            "readings",
            {
                "time": texts[which],
                "point": np.array([s.point for s in plant.series], dtype=object)[readings.series],
                "parameter": np.array([s.parameter for s in plant.series], dtype=object)[readings.series],
                "value": readings.value,
                "mark": np.array([chr(c) for c in range(256)], dtype=object)[readings.mark],
            },
        )
        where = str(path).replace("'", "''")
        connection.execute(
            "COPY (SELECT time, point, parameter, CASE WHEN isnan(value) THEN NULL ELSE value END AS value, mark"
            f" FROM readings) TO '{where}' (FORMAT parquet)"
        )
