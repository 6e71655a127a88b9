"""What the desk needs of a ledger."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from plant_monitor.alerts.attachments import Attachment
from plant_monitor.alerts.deadlines import Trail
from plant_monitor.alerts.envelope import Message, Notice
from plant_monitor.alerts.lifecycle import Action, Alert, Change, Span, Transition
from plant_monitor.alerts.mutes import Mute
from plant_monitor.alerts.notices import Notices


class OwedMessage(Protocol):
    """A message that was claimed for sending."""

    @property
    def id(self) -> int: ...  # noqa: D102
    @property
    def alert_id(self) -> int: ...  # noqa: D102
    @property
    def seq(self) -> int: ...  # noqa: D102
    @property
    def transition(self) -> str: ...  # noqa: D102
    @property
    def recipient(self) -> str: ...  # noqa: D102
    @property
    def channel(self) -> str: ...  # noqa: D102
    @property
    def left(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def message(self) -> Message: ...  # noqa: D102
    @property
    def attempts(self) -> int: ...  # noqa: D102
    @property
    def created_ms(self) -> int: ...  # noqa: D102
    @property
    def also(self) -> tuple[Message, ...]: ...  # noqa: D102


class AlertBook(Protocol):
    """Where alerts are kept."""

    def record(
        self,
        decide: Callable[[tuple[Alert, ...]], Sequence[Change]],
        notices: Notices,
        covered: Span,
    ) -> tuple[Change, ...]:
        """Apply changes and owe their messages in one transaction."""
        ...

    def pass_time(
        self,
        due: Callable[[Alert, Trail], Transition | None],
        notices: Notices,
        now_ms: int,
    ) -> tuple[Change, ...]:
        """Take the steps that time demands, and owe their messages in one transaction."""
        ...

    def open_case(
        self,
        case: Alert,
        *,
        actor: str,
        comment: str,
        files: Sequence[Attachment] = (),
        notices: Notices,
    ) -> Alert:
        """Keep a case that a person opens, and owe its messages in one transaction."""
        ...

    def act(
        self,
        alert_id: int,
        action: Action,
        *,
        actor: str,
        now_ms: int,
        comment: str = "",
        assignee: str = "",
        files: Sequence[Attachment] = (),
        notices: Notices,
    ) -> Alert | None:
        """What a person does, and its messages, in one transaction."""
        ...

    def opened_between(self, start_ms: int, end_ms: int, *, unclosed: bool = False) -> Sequence[tuple[Alert, Trail]]:
        """The alerts that opened in a stretch of time; ``unclosed`` those of them that are not closed."""
        ...

    def ongoing_since_ms(self) -> int | None:
        """Start of the earliest episode that has not ended."""
        ...


class Outbox(Protocol):
    """Where messages wait."""

    def claim(self, now_ms: int, *, without: Collection[str] = (), per_hour: int | None = None) -> OwedMessage | None:
        """The next message that is due, for this process alone, perhaps with others that go along."""
        ...

    def once(self, name: str, place: int, notices: Callable[[], Sequence[Notice]], now_ms: int) -> bool:
        """Owe what is told once, when ``place`` is later than ever before under this name; the first time nothing."""
        ...

    def place(self, name: str) -> int | None:
        """The last place of a name; None: never."""
        ...

    def sent(self, delivery_id: int, now_ms: int) -> None:
        """It was handed over."""
        ...

    def retry(self, delivery_id: int, next_try_ms: int, error: str) -> None:
        """It was not; try again then."""
        ...

    def fall_back(self, delivery_id: int, left: Sequence[str], now_ms: int, error: str) -> None:
        """It was not; try the next channel."""
        ...

    def give_up(self, delivery_id: int, error: str) -> None:
        """It was not, and that was the last try."""
        ...

    def next_due_ms(self) -> int | None:
        """When the next one is due."""
        ...

    def counts(self) -> dict[str, int]:
        """Messages by state."""
        ...


class Mutes(Protocol):
    """Where mutes are kept."""

    def find(self) -> Sequence[Mute]:
        """All of them, the newest first."""
        ...


class AlertLedger(Protocol):
    """What the desk needs of a ledger."""

    @property
    def alerts(self) -> AlertBook:
        """Where alerts are kept."""
        ...

    @property
    def deliveries(self) -> Outbox:
        """Where messages wait."""
        ...

    @property
    def mutes(self) -> Mutes:
        """Where mutes are kept."""
        ...
