"""A thousand points, each a year of hourly flow and COD, evaluated by one command: with one process and with two.

The command runs as a user types it, on a Parquet file; what counts is seconds of a core (this machine may be busy), the
largest memory of a process, and that both write the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from plant_monitor.config.plant_file import load_plant
from plant_monitor.config.readings_file import write_readings
from plant_monitor.readings import Readings
from plant_monitor.windows import HOUR_MS, local_windows

POINTS = int(os.environ.get("BENCH_POINTS", "1000"))
HEAD = """
plant: {id: many, name: {zh: 大, en: many}, timezone: Asia/Shanghai, capacity_m3_d: 1200000}
members: [{id: m, name: {zh: 员, en: member}}]
limit_sets:
  - id: agreed
    title: {zh: 协议, en: agreement}
    source: the bench
    limits: [{parameter: cod_cr, upper: 500, unit: mg/L}]
points:
"""
POINT = (
    "  - {id: p%04d, role: outfall, member: m, limits: [agreed], "
    "parameters: {flow: {interval: 1h}, cod_cr: {interval: 1h}}}\n"
)
PREPARE = "import sys; from benchmarks import scale; print(scale.prepare(scale.Path(sys.argv[1])))"


def prepare(folder: Path) -> int:
    """plant.yaml and a year of readings; how many."""
    (folder / "plant.yaml").write_text(HEAD + "".join(POINT % k for k in range(POINTS)), encoding="utf-8")
    plant = load_plant(folder / "plant.yaml")
    windows = local_windows(date(2025, 1, 1), date(2025, 12, 31), ZoneInfo("Asia/Shanghai"))
    times = np.arange(windows.start_ms, windows.end_ms, HOUR_MS)
    rng = np.random.default_rng(2)
    parts = [
        Readings.of(times, i, rng.uniform(0, 30, times.size).round(2))
        if series.parameter == "flow"
        else Readings.of(times, i, rng.gamma(4.0, 100.0, times.size).round(1))
        for i, series in enumerate(plant.series)
    ]
    readings = Readings.concat(parts)
    write_readings(folder / "readings.parquet", plant, readings, "parquet")
    return len(readings)


def digest(out: Path) -> str:
    """Of all result files, which are removed."""
    total = hashlib.sha256()
    for path in sorted(out.iterdir()):
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
        path.unlink()
    return total.hexdigest()


def main() -> None:
    """Print what the command takes."""
    with tempfile.TemporaryDirectory() as name:
        folder, found = Path(name), []
        # Apart, so that the readings of the bench are no memory of the processes it starts.
        process = subprocess.run([sys.executable, "-c", PREPARE, name], check=True, capture_output=True, text=True)
        count = int(process.stdout.split()[-1])
        print(f"{POINTS:,} points, one year each hour, {count:,} readings = {count * 21 / 2**20:.0f} MiB of columns")
        for jobs in (1, 2):
            command = [sys.executable, "-m", "plant_monitor", "evaluate", str(folder / "plant.yaml")]
            command += [
                "--readings",
                str(folder / "readings.parquet"),
                "--out",
                str(folder / "out"),
                "--jobs",
                str(jobs),
            ]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            core_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"--jobs {jobs}: {core_s:.0f} s of a core, largest process {after.ru_maxrss / 1024:.0f} MiB")
            found.append(digest(folder / "out"))
    print(f"same bytes: {found[0] == found[1]}")


if __name__ == "__main__":
    main()
