"""The service as a process of its own, for tests that kill it or take its disk away."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def service(plant_file: Path, data: Path, port: int, log_file: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "plant_monitor", "run", str(plant_file), "--data", str(data), "--port", str(port)]
    with (log_file or data.parent / "service.log").open("ab") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield running
    finally:
        running.kill()
        running.wait(10)


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/health", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False
