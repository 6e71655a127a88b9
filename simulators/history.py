"""History as a readings file: CSV or Parquet by contract 4.2, or the bare columns as ``.npz``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from plant_monitor.config.readings_file import write_readings
from plant_monitor.errors import InputError
from plant_monitor.plant import Plant
from plant_monitor.readings import Readings

FORMATS = (".csv", ".parquet", ".npz")


def write(readings: Readings, plant: Plant, path: Path) -> None:
    """Write readings in the format of the path's suffix.

    Raises
    ------
    InputError  another suffix, or Parquet without duckdb
    """
    if path.suffix == ".npz":
        names = np.array([f"{s.point}/{s.parameter}" for s in plant.series])
        columns: dict[str, Any] = {n: getattr(readings, n) for n in ("time", "series", "value", "mark")}
        np.savez_compressed(path, names=names, **columns)
    elif path.suffix in FORMATS:
        write_readings(path, plant, readings, path.suffix[1:])
    else:
        raise InputError(f"{path}: found {path.suffix or 'no suffix'!r}, expected one of {', '.join(FORMATS)}")
