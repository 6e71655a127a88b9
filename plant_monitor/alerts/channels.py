"""Ways to reach people, each a few lines around what does the work.

``console:`` prints, ``folder:PATH`` writes one text file per message, and every other URL is one of apprise's
(e-mail, DingTalk, WeCom, Feishu, webhooks, SMS, …). A channel sends once and raises :class:`NotSent`; when to
try again is the desk's matter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import apprise
from rich.console import Console
from rich.text import Text

from plant_monitor.alerts.envelope import Envelope, Message, NotSent, Sender
from plant_monitor.notify import Channel

#: Names the message in what has headers, the same however often it is sent.
KEY_HEADER = "Idempotency-Key"


def open_senders(
    channels: Iterable[Channel], *, base: Path, show: Callable[[Message], None] | None = None
) -> dict[str, Sender]:
    """A sender for each channel, by its id.

    ``base`` is where a relative ``folder:PATH`` begins; ``show`` takes the messages of ``console:`` instead of
    stderr. A URL that cannot be used becomes a sender that refuses, with the reason: the other channels work.
    """
    return {channel.id: _open_sender(channel, base, show) for channel in channels}


def channel_problem(url: str) -> str | None:
    """Why a channel's URL cannot be used, or None. Touches neither network nor disk."""
    if _scheme(url) == "folder":
        return None if url.partition(":")[2] else "found folder: without a path, expected folder:PATH"
    if _scheme(url) == "console":
        return None
    if apprise.Apprise.instantiate(url, suppress_exceptions=True) is None:
        return f"found {_redacted(url)}, expected console:, folder:PATH or a URL that apprise knows"
    return None


def _open_sender(channel: Channel, base: Path, show: Callable[[Message], None] | None) -> Sender:
    problem = channel_problem(channel.url)
    if problem is not None:
        return _Refusing(f"channel {channel.id}: {problem}")
    if _scheme(channel.url) == "console":
        return _ConsoleSender(show or _print)
    if _scheme(channel.url) == "folder":
        return _FolderSender(base / channel.url.partition(":")[2])
    return _AppriseSender(channel.url)


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()


def _redacted(url: str) -> str:
    return f"{_scheme(url)}:…"  # what follows may hold a token


class _Refusing:
    def __init__(self, reason: str) -> None:
        self._reason = reason

    def send(self, envelope: Envelope) -> None:
        raise NotSent(self._reason, retry=False)


class _ConsoleSender:
    def __init__(self, show: Callable[[Message], None]) -> None:
        self._show = show

    def send(self, envelope: Envelope) -> None:
        self._show(envelope.message)


def _print(message: Message) -> None:
    console = Console(stderr=True)
    console.print(Text(message.title, style="bold red"))
    console.print(Text(message.body))


class _FolderSender:
    """One file per message. Sent again, a message replaces its own file: exactly once in effect."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, envelope: Envelope) -> None:
        text = f"{envelope.message.title}\n\n{envelope.message.body}\n"
        target = self._folder / f"{envelope.name}.txt"
        draft = self._folder / f".{envelope.name}.draft"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
            self._keep_name()
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise NotSent(f"{target}: {error.strerror or error}") from error

    def _keep_name(self) -> None:
        """The file's name outlives a power cut, too."""
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class _AppriseSender:
    def __init__(self, url: str) -> None:
        self._target = apprise.Apprise()
        self._target.add(url)

    def send(self, envelope: Envelope) -> None:
        message = envelope.message
        for service in self._target:
            if hasattr(service, "headers"):  # e-mail and web hooks: by it a receiver knows a message that comes again
                service.headers[KEY_HEADER] = envelope.name
        with apprise.LogCapture(level=apprise.logging.WARNING) as log:
            try:
                taken = self._target.notify(
                    title=message.title,
                    body=message.body,
                    body_format=apprise.NotifyFormat.TEXT,
                    notify_type=apprise.NotifyType.WARNING,
                )
            except (TypeError, apprise.exception.AppriseException) as error:
                raise NotSent(_reason(str(error))) from error
            if not taken:
                raise NotSent(_reason(log.getvalue()))


def _reason(log: str) -> str:
    """The last line that says something, without time, level and whatever looks like a URL (it may hold a token)."""
    lines = [line for line in log.strip().splitlines() if line.strip()] or ["the service did not take it"]
    text = re.sub(r"^[\d\-: ,]+ - [A-Z]+ - ", "", lines[-1])
    return re.sub(r"\w+://\S+", "…", text)[:300]
