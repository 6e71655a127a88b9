"""The audit of locked versions: what the database says decides; a database that cannot be asked does not.

The database is played by a server of the test, in the answers of its published interface: the real one is elsewhere.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from servers import free_port

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(not (ROOT / ".venv" / "bin" / "pip-audit").exists(), reason="make check installs it")


@contextmanager
def database(status: int, vulnerable: str = "") -> Iterator[tuple[str, set[str]]]:
    """Its address, and the names that it was asked for."""
    asked: set[str] = set()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = query["package"]["name"]
            asked.add(name)
            told = json.dumps(_known(name) if name == vulnerable else {}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query", asked
    finally:
        server.shutdown()
        server.server_close()


def _known(name: str) -> dict[str, object]:
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9999"}]}]
    affected = [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": ranges}]
    times = {"published": "2026-01-01T00:00:00Z", "modified": "2026-01-01T00:00:00Z"}
    return {"vulns": [{"id": "GHSA-test", "aliases": ["CVE-2026-0"], "summary": "bad", "affected": affected, **times}]}


def audit(url: str) -> tuple[int, str]:
    done = subprocess.run(
        [ROOT / "scripts" / "audit", "--osv-url", url], capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout


def test_nothing_known_is_ok_and_every_locked_version_was_asked_for() -> None:
    with database(200) as (url, asked):
        assert audit(url) == (0, "audit: ok\n")
    assert {"fastapi", "numpy", "pydantic", "uvicorn"} <= asked
    assert len(asked) > 60


def test_a_vulnerable_version_fails_and_is_named() -> None:
    with database(200, vulnerable="fastapi") as (url, _):
        code, said = audit(url)
    assert code == 1
    assert "fastapi" in said and "9999" in said and "make lock" in said


def test_a_database_in_trouble_or_out_of_reach_is_said_and_fails_nothing() -> None:
    with database(503) as (url, _):
        in_trouble = audit(url)
    assert in_trouble == audit(f"http://127.0.0.1:{free_port()}/")
    assert in_trouble[0] == 0 and "NOT DONE" in in_trouble[1]


def test_a_mistake_of_the_audit_itself_fails() -> None:
    assert audit("--no-such-option")[0] == 1
