"""Channels against real receivers: a folder, a console, an HTTP server on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from servers import free_port

from plant_monitor.alerts.channels import channel_problem, open_senders
from plant_monitor.alerts.envelope import Envelope, Message, NotSent
from plant_monitor.notify import Channel

LETTER = Envelope(Message("【超标】 [50] mg/L", "body\nline"), "xieqiao", 12, 1, "opened", 1_790_000_000_000)
NAME = "20260921T141320Z-xieqiao-000012-01-opened.txt"


class Receiver:
    """An HTTP server that keeps what it is sent; ``status`` is what it answers."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.received.append(json.loads(body))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


def send(url: str, base: Path, letter: Envelope = LETTER) -> None:
    open_senders([Channel("c", url)], base=base)["c"].send(letter)


def test_a_folder_gets_one_file_per_message_however_often_it_is_sent(tmp_path: Path) -> None:
    for _ in range(3):
        send("folder:alerts/out", tmp_path)
    (file,) = (tmp_path / "alerts" / "out").iterdir()
    assert file.name == NAME
    assert file.read_text(encoding="utf-8") == "【超标】 [50] mg/L\n\nbody\nline\n"
    send(f"folder:{tmp_path / 'absolute'}", Path("/nowhere"))
    assert (tmp_path / "absolute" / NAME).exists()


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotSent, match="file") as error:
        send("folder:file", tmp_path)
    assert error.value.retry


def test_a_console_is_a_callable_or_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown: list[Message] = []
    open_senders([Channel("c", "console:")], base=tmp_path, show=shown.append)["c"].send(LETTER)
    assert shown == [LETTER.message]
    send("console:", tmp_path)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "【超标】 [50] mg/L" in captured.err  # brackets are no markup


def test_apprise_hands_the_message_over(receiver: Receiver, tmp_path: Path) -> None:
    send(receiver.url, tmp_path)
    (got,) = receiver.received
    assert (got["title"], got["message"]) == ("【超标】 [50] mg/L", "body\nline")


class Mailbox:
    """What a real SMTP server on loopback was handed; ``refuse`` an answer instead."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []
        self.refuse = ""

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.refuse:
            return self.refuse
        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return "250 OK"


def test_mail_in_chinese_arrives_whole_and_a_refusal_is_a_reason(tmp_path: Path) -> None:
    mailbox, port = Mailbox(), free_port()
    server = Controller(mailbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        url = f"mailto://127.0.0.1:{port}?from=monitor@plant.example&to=chen@office.example&mode=insecure"
        send(url, tmp_path)
        (letter,) = mailbox.letters
        assert (letter["Subject"], letter["To"]) == ("【超标】 [50] mg/L", "chen@office.example")
        body = letter.get_body(("plain",))
        assert body is not None and body.get_content().splitlines() == ["body", "line"]
        mailbox.refuse = "452 4.2.2 mailbox full"
        with pytest.raises(NotSent) as error:
            send(url, tmp_path)
        assert error.value.retry
    finally:
        server.stop()
    assert len(mailbox.letters) == 1


def test_a_service_that_refuses_or_is_not_there_is_a_reason_to_retry(receiver: Receiver, tmp_path: Path) -> None:
    receiver.status = 500
    with pytest.raises(NotSent, match="500") as error:
        send(receiver.url, tmp_path)
    assert error.value.retry
    with pytest.raises(NotSent, match="onnection"):
        send(f"json://user:hush@127.0.0.1:{free_port()}/hush", tmp_path)


def test_no_secret_of_a_url_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotSent) as error:
        send("nonsense://token-hush@host", tmp_path)
    assert not error.value.retry
    assert "hush" not in str(error.value)
    assert "expected console:, folder:PATH or a URL that apprise knows" in str(error.value)
    with pytest.raises(NotSent) as error:
        send(f"json://user:hush@127.0.0.1:{free_port()}/hush", tmp_path)
    assert "hush" not in str(error.value)


@pytest.mark.parametrize("url", ["console:", "folder:out", "json://127.0.0.1/x", "mailto://u:p@example.com"])
def test_urls_that_work(url: str) -> None:
    assert channel_problem(url) is None


@pytest.mark.parametrize("url", ["", "folder:", "nonsense://x", "json://"])
def test_urls_that_do_not(url: str) -> None:
    assert channel_problem(url)
