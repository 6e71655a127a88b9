"""The port between the desk, which decides what is sent when, and the channels, which send it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from plant_monitor.errors import PlantMonitorError


@dataclass(frozen=True, slots=True)
class Message:
    """One message, ready to read."""

    title: str
    body: str


class Pace(StrEnum):
    """How a message goes."""

    URGENT = "urgent"  # at once, whatever else a person gets
    NORMAL = "normal"  # at once, unless there were too many within the hour
    HELD = "held"  # there were; it goes with the others that wait
    DIGEST = "digest"  # gathered until the time of the digest


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that is owed: to a person by their channels in order, or (``recipient`` empty) to one channel.

    ``kind`` of what belongs to no alert · ``due_ms`` when it is to go, 0 = at once
    """

    recipient: str
    channels: tuple[str, ...]
    message: Message
    pace: Pace = Pace.NORMAL
    due_ms: int = 0
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message with what makes it unmistakable: the same step of the same alert has the same name for ever."""

    message: Message
    plant: str
    alert_id: int
    seq: int
    transition: str
    time_ms: int  # when the step was recorded
    recipient: str = ""  # the id of a person; empty where the channel alone is told

    @property
    def name(self) -> str:
        """Sorts by time: ``20261001T003000Z-xieqiao-000012-01-opened``, and the recipient's id where there is one."""
        stamp = datetime.fromtimestamp(self.time_ms // 1000, UTC)
        of_alert = f"{self.alert_id:06d}-{self.seq:02d}-" if self.alert_id else ""
        name = f"{stamp:%Y%m%dT%H%M%SZ}-{self.plant}-{of_alert}{self.transition}"
        return f"{name}-{self.recipient}" if self.recipient else name


class NotSent(PlantMonitorError):
    """A channel did not take a message. ``retry``: another try may help."""

    def __init__(self, reason: str, *, retry: bool = True) -> None:
        self.retry = retry
        super().__init__(reason)


class Sender(Protocol):
    """A way to reach people."""

    def send(self, envelope: Envelope) -> None:
        """Hand the message over.

        Raises
        ------
        NotSent  it was not taken
        """
        ...
