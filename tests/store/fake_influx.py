"""An HTTP server that answers as a test wants: for what the one real InfluxDB we can run never says."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from plant_monitor.plant import InfluxSettings


@dataclass(frozen=True)
class Asked:
    """One request; ``body`` as it was before it was gzipped."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str
    gzipped: bool


@dataclass(frozen=True)
class Answer:
    status: int = 204
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def json(content: Any, status: int = 200) -> Answer:
        return Answer(status, json.dumps(content), {"Content-Type": "application/json"})


def error(status: int, text: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps({"error": text}), named)


class FakeInflux:
    """``answer`` decides what is said; ``asked`` is what came, ``lines`` what was written and accepted."""

    def __init__(self) -> None:
        self.answer: Callable[[Asked], Answer] = lambda asked: Answer()
        self.asked: list[Asked] = []
        self.lines: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def settings(self, api: str = "v2") -> InfluxSettings:
        return InfluxSettings(self.url, api, "org", "readings", "results", token="t0p" if api == "v2" else None)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def refusing(self, bad: Callable[[str], bool], told: str = "partial write: field type conflict dropped=0") -> None:
        """Keep the good lines of a write and answer 400 where one of them is ``bad``, as InfluxDB does."""

        def answer(asked: Asked) -> Answer:
            lines = asked.body.splitlines()
            self.lines += [line for line in lines if not bad(line)]
            return error(400, told) if any(bad(line) for line in lines) else Answer()

        self.answer = answer


def _handler(fake: FakeInflux) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            gzipped = self.headers.get("Content-Encoding") == "gzip"
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            body = (gzip.decompress(raw) if gzipped else raw).decode()
            asked = Asked(self.command, parts.path, query, dict(self.headers), body, gzipped)
            fake.asked.append(asked)
            answer = fake.answer(asked)
            said = answer.body.encode()
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_POST = do_PATCH = do_DELETE = do_GET

        def log_message(self, *args: object) -> None:
            return

    return Handler
