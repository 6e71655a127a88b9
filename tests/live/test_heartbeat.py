"""A dead monitor is loud: a real socket stands for systemd, a real HTTP server for the address outside."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from servers import free_port, wait_until

from plant_monitor.clock import ManualClock
from plant_monitor.heartbeat import Heartbeat
from plant_monitor.notify import Beat

EXAMPLE = Path(__file__).parents[2] / "examples" / "xieqiao" / "plant.yaml"


class Outside:
    """Who hears the heartbeat, and answers with what it is told to."""

    def __init__(self) -> None:
        outside, self.heard, self.status = self, 0, 200

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outside.heard += 1
                self.send_response(outside.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/ping/token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def outside() -> Iterator[Outside]:
    made = Outside()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def test_beats_while_well_and_falls_silent_when_not(outside: Outside, systemd: socket.socket) -> None:
    clock, amiss, storing = ManualClock(0), [None], [True]
    beat = Heartbeat(Beat(outside.url, 60_000), clock, alive=lambda: amiss[0], storing=lambda: storing[0])
    beat.step()
    beat.step()  # not due again
    assert (outside.heard, systemd.recv(100)) == (1, b"WATCHDOG=1")
    clock.set(60_000)
    storing[0] = False  # the disk is full: a restart helps nobody, but somebody must come
    beat.step()
    assert (outside.heard, beat.health()["error"]) == (1, "not sent, because readings are not stored")
    storing[0] = True
    clock.set(120_000)
    beat.step()
    assert (outside.heard, beat.health()["error"], beat.health()["last_ms"]) == (2, None, 120_000)
    systemd.setblocking(False)
    assert [systemd.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    amiss[0] = "watch ended"  # type: ignore[call-overload]
    clock.set(180_000)
    beat.step()
    assert outside.heard == 2
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


def test_an_address_that_fails_is_told_without_its_token(outside: Outside) -> None:
    clock = ManualClock(0)
    beat = Heartbeat(Beat(outside.url, 60_000), clock, alive=lambda: None, storing=lambda: True)
    outside.status = 503
    beat.step()
    assert beat.health() == {"outside": True, "last_ms": None, "error": "the address answered 503"}
    gone = Heartbeat(Beat(f"http://127.0.0.1:{free_port()}/token", 1), clock, alive=lambda: None, storing=lambda: True)
    gone.step()
    assert gone.health()["error"] == "the address is not reachable (URLError)"


def test_the_service_tells_systemd_and_the_outside(tmp_path: Path, outside: Outside, systemd: socket.socket) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    before, _, after = text.partition("\nnotify:\n")
    assert after
    plant = tmp_path / "plant.yaml"
    plant.write_text(f"{before}\nnotify:\n  heartbeat: {{url: '{outside.url}'}}\n{after}", encoding="utf-8")
    command = [sys.executable, "-m", "plant_monitor", "run", str(plant), "--data", str(tmp_path / "data")]
    process = subprocess.Popen([*command, "--port", str(free_port())], env=os.environ, stderr=subprocess.DEVNULL)
    try:
        assert [systemd.recv(100) for _ in range(2)] == [b"READY=1", b"WATCHDOG=1"]
        wait_until(lambda: outside.heard >= 1)
        process.send_signal(signal.SIGTERM)
        assert systemd.recv(100) == b"STOPPING=1"
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
