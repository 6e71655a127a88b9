"""What an idle service costs: `python -m benchmarks.footprint`; nothing is asserted.

The plant of examples/xieqiao with its simulated field at real speed: three PLCs polled, stations that publish. The
time from start to the first answer of the API, then the share of one core and the memory over a minute.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "xieqiao" / "plant.yaml"
MEASURED_S = 60
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def plant_file(folder: Path) -> tuple[Path, int]:
    """The example on ports of its own, and that of its broker."""
    broker = free_port()
    text = re.sub(r"mqtt://127\.0\.0\.1:\d+", f"mqtt://127.0.0.1:{broker}", EXAMPLE.read_text(encoding="utf-8"))
    for address in sorted(set(re.findall(r"127\.0\.0\.1:150\d\d", text))):
        text = text.replace(address, f"127.0.0.1:{free_port()}")
    path = folder / "plant.yaml"
    path.write_text(text, encoding="utf-8")
    return path, broker


def ready_s(port: int, started: float) -> float:
    """Seconds from a start to the first answer of the API."""
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/health", timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return time.monotonic() - started


def cpu_s(pid: int) -> float:
    """Seconds of a core that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    (line,) = (x for x in Path(f"/proc/{pid}/status").read_text().splitlines() if x.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plant, broker = plant_file(folder)
        field_command = [sys.executable, "-m", "simulators", "run", str(plant), "--broker", f"127.0.0.1:{broker}"]
        field = subprocess.Popen(field_command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert field.stdout is not None
        if field.stdout.readline() != b"ready\n":
            raise SystemExit("the simulated field does not start")
        port = free_port()
        command = [sys.executable, "-m", "plant_monitor", "run", str(plant), "--data", str(folder / "data")]
        started = time.monotonic()
        service = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL)
        try:
            ready = ready_s(port, started)
            time.sleep(15)  # the start is not idle
            before, began = cpu_s(service.pid), time.monotonic()
            time.sleep(MEASURED_S)
            share = (cpu_s(service.pid) - before) / (time.monotonic() - began)
            print(f"ready after start        {ready:.1f} s      (target 3 s)")
            print(f"share of a core, idle    {share:.1%}      (target 3 %)")
            print(f"memory                   {memory_mb(service.pid):.0f} MB     (target 200 MB)", flush=True)
        finally:
            for process in (service, field):
                process.send_signal(signal.SIGTERM)
                process.wait(30)


if __name__ == "__main__":
    main()
