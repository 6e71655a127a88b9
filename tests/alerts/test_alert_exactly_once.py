"""kill -9 between "sent" and "recorded", against a real HTTP and a real SMTP server.

The contract is at least once, with a key that is the same however often a message is sent: a receiver that knows the
key has each message once. Before the kill nothing is lost, after it nothing is sent a third time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from alerts.alert_plant import cod_day, make_plant
from alerts.test_alert_desk import COVERED, NOW
from servers import free_port

from plant_monitor.alerts.channels import KEY_HEADER, open_senders
from plant_monitor.alerts.desk import AlertDesk
from plant_monitor.clock import ManualClock
from plant_monitor.ledger import Ledger
from plant_monitor.ledger.deliveries import CLAIM_MS
from plant_monitor.notify import Channel


class Receiver:
    """A web hook and a mailbox; what came, by key and title."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.got.append((self.headers[KEY_HEADER], body["title"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http, self._port = ThreadingHTTPServer(("127.0.0.1", 0), Handler), free_port()
        self._smtp = Controller(self, hostname="127.0.0.1", port=self._port)
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        self._smtp.start()
        self.urls = {
            "hook": f"json://127.0.0.1:{self._http.server_port}/hook",
            "mail": f"mailto://127.0.0.1:{self._port}?from=monitor@plant.example&to=chen@office.example&mode=insecure",
        }

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        letter = message_from_bytes(envelope.content, policy=policy.default)
        self.got.append((str(letter[KEY_HEADER]), str(letter["Subject"])))
        return "250 OK"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._smtp.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


KILLED = """
    import os, signal, sys
    sys.path.insert(0, {tests!r})
    from alerts.alert_plant import cod_day, make_plant
    from alerts.test_alert_desk import COVERED, NOW
    from pathlib import Path
    from plant_monitor.alerts.channels import open_senders
    from plant_monitor.alerts.desk import AlertDesk
    from plant_monitor.clock import ManualClock
    from plant_monitor.ledger import Ledger
    from plant_monitor.notify import Channel

    channel = Channel("out", {url!r})
    real = open_senders([channel], base=Path({base!r}))["out"]

    class Killed:
        def send(self, envelope):
            if {when!r} == "after":
                real.send(envelope)
            os.kill(os.getpid(), signal.SIGKILL)

    ledger = Ledger("sqlite:///{base}/ledger.sqlite")
    desk = AlertDesk(ledger, {{"out": Killed()}}, make_plant(channels=(channel,)), ManualClock(NOW))
    desk.consider([cod_day()], COVERED, NOW)
    desk.deliver_due()
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("way", ["hook", "mail"])
def test_killed_between_sending_and_recording(tmp_path: Path, receiver: Receiver, way: str, when: str) -> None:
    url = receiver.urls[way]
    script = textwrap.dedent(KILLED).format(
        base=str(tmp_path), url=url, when=when, tests=str(Path(__file__).parents[1])
    )
    done = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert len(receiver.got) == (1 if when == "after" else 0)
    channel, clock = Channel("out", url), ManualClock(NOW)
    for _ in range(3):  # restarts; the claim of the dead process runs out after the second
        ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
        desk = AlertDesk(ledger, open_senders([channel], base=tmp_path), make_plant(channels=(channel,)), clock)
        assert desk.consider([cod_day()], COVERED, NOW) == ()
        desk.deliver_due()
        state = ledger.deliveries.counts()
        ledger.close()
        clock.set(clock.now_ms() + CLAIM_MS // 2 + 1)
    assert state == {"pending": 0, "sent": 1, "failed": 0}
    assert len(receiver.got) == (2 if when == "after" else 1)
    assert len(set(receiver.got)) == 1, "the same key and the same words: a receiver that knows it has it once"
    assert receiver.got[0][0].endswith("-xieqiao-000001-01-opened")
