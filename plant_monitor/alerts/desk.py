"""The alert desk: from the episodes of an evaluation to people who know.

:meth:`AlertDesk.consider` records what an evaluation does to the alerts and, in the same transaction, the
messages that are owed. A thread sends what is due. A restart therefore repeats nothing that was settled and
loses nothing; only a crash between handing a message over and settling it makes the message go out twice, and
a folder does not even notice that (see ``ledger.deliveries``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import structlog

from plant_monitor.alerts.attachments import Attachment
from plant_monitor.alerts.deadlines import Trail, due, policy_for
from plant_monitor.alerts.envelope import Envelope, Message, NotSent, Sender
from plant_monitor.alerts.lifecycle import Action, Alert, Change, Exceedance, Kind, Span, Transition, assess, case
from plant_monitor.alerts.mutes import Mute, held_back
from plant_monitor.alerts.notices import Notices, calendar_of, notices
from plant_monitor.clock import Clock
from plant_monitor.errors import StoreError
from plant_monitor.plant import Plant

FIRST_WAIT_MS = 10_000
LONGEST_WAIT_MS = 3_600_000
GIVE_UP_MS = 24 * 3_600_000  # news of yesterday helps nobody; the failure stays visible
TRIES = 3  # of one channel, before the next one of a person is tried
IDLE_MS = 60_000
SHORTEST_PAUSE_MS = 1_000

_log = structlog.get_logger(__name__)

T = TypeVar("T")


class OwedMessage(Protocol):
    """A message that was claimed for sending."""

    @property
    def id(self) -> int: ...  # noqa: D102
    @property
    def alert_id(self) -> int: ...  # noqa: D102
    @property
    def seq(self) -> int: ...  # noqa: D102
    @property
    def transition(self) -> Transition: ...  # noqa: D102
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

    def ongoing_since_ms(self) -> int | None:
        """Start of the earliest episode that has not ended."""
        ...


class Outbox(Protocol):
    """Where messages wait."""

    def claim(self, now_ms: int, *, without: Collection[str] = ()) -> OwedMessage | None:
        """The next message that is due, for this process alone."""
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


class AlertDesk:
    """Alerts of one plant. ``senders`` by channel id (``channels.open_senders``); ``changed`` is told of every step."""

    def __init__(
        self,
        ledger: AlertLedger,
        senders: Mapping[str, Sender],
        plant: Plant,
        clock: Clock,
        changed: Callable[[Sequence[Alert]], None] = lambda _: None,
    ) -> None:
        self._ledger, self._senders, self._plant, self._clock = ledger, dict(senders), plant, clock
        self._changed = changed
        self._calendar = calendar_of(plant)
        self._failing: dict[str, str] = {}  # channel -> why its last message was not taken
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def consider(
        self,
        found: Sequence[Exceedance],
        covered: Span,
        now_ms: int,
        kinds: Collection[Kind] = (Kind.EXCEEDANCE,),
    ) -> tuple[Change, ...]:
        """Record what the episodes of an evaluation of ``covered`` do to the alerts, and owe the messages.

        ``kinds`` that the evaluation looked for. It should begin at :meth:`look_back_ms` or earlier and reach to
        now. Considered again, or after a restart, the same episodes change nothing.

        Raises
        ------
        StoreError  nothing was recorded; consider it again later
        """
        changes = self._ledger.alerts.record(
            lambda known: assess(known, found, covered, now_ms, kinds), self._notices(), covered
        )
        if changes:
            self._wake.set()
            self._changed([change.alert for change in changes])
        return changes

    def open_case(
        self,
        kind: Kind,
        *,
        actor: str,
        subject: str,
        text: str,
        member: str = "",
        point: str = "",
        parameter: str = "",
        files: Sequence[Attachment] = (),
    ) -> Alert:
        """A case that a person opens, and word to those whom it concerns; it lives and is due like any alert.

        ``member`` whose person opens it; empty: nobody of a member company.

        Raises
        ------
        Refused     one of this name about the same is not closed yet
        StoreError  nothing was recorded
        """
        now_ms, series = self._clock.now_ms(), (point, parameter)
        made = case(kind, subject=subject, text=text, now_ms=now_ms, member=member, series=series)
        alert = self._ledger.alerts.open_case(made, actor=actor, comment=text, files=files, notices=self._notices())
        self._wake.set()
        self._changed([alert])
        return alert

    def act(
        self,
        alert_id: int,
        action: Action,
        *,
        actor: str,
        comment: str = "",
        assignee: str = "",
        files: Sequence[Attachment] = (),
    ) -> Alert | None:
        """What a person does with an alert, and word to those whom it concerns; None where there is no such alert.

        Raises
        ------
        ActionRefused  the alert's state does not take the action
        StoreError     nothing was recorded
        """
        alert = self._ledger.alerts.act(
            alert_id,
            action,
            actor=actor,
            now_ms=self._clock.now_ms(),
            comment=comment,
            assignee=assignee,
            files=files,
            notices=self._notices(),
        )
        self._wake.set()
        if alert is not None:
            self._changed([alert])
        return alert

    def telling(self, step: Callable[[Notices], T]) -> T:
        """Take a step that is kept beside the alerts (an objection's), with the messages that follow it."""
        done = step(self._notices())
        self._wake.set()
        return done

    def pass_time(self) -> tuple[Change, ...]:
        """Remind of answers that are due, tell those above of missed deadlines, and what mutes had held back.

        Raises
        ------
        StoreError  nothing was recorded; it is done the next time
        """
        mutes = self._ledger.mutes.find()
        if not self._plant.notify.policies and not mutes:
            return ()
        now_ms = self._clock.now_ms()

        def step(alert: Alert, trail: Trail) -> Transition | None:
            policy = policy_for(alert, self._plant.notify.policies)
            late = None if policy is None else due(alert, trail, policy, self._calendar, now_ms)
            held = held_back(alert, trail, mutes, now_ms)
            return Transition.UNMUTED if late is None and held else late

        changes = self._ledger.alerts.pass_time(step, self._notices(mutes), now_ms)
        self._changed([change.alert for change in changes])
        return changes

    def look_back_ms(self) -> int | None:
        """Where the next evaluation has to begin, so that it sees every ongoing episode whole; None: anywhere."""
        return self._ledger.alerts.ongoing_since_ms()

    def deliver_due(self) -> int:
        """Send all that is due now; the number of messages that were taken.

        A channel that fails is left alone until its next round.

        Raises
        ------
        StoreError  the ledger cannot be read or written
        """
        taken, failed = 0, set[str]()
        while (owed := self._ledger.deliveries.claim(self._clock.now_ms(), without=failed)) is not None:
            if self._send(owed):
                taken += 1
            else:
                failed.add(owed.channel)
        return taken

    def start(self) -> None:
        """Begin to send from a thread."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="alert-desk", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the thread after the message it is at."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def health(self) -> dict[str, Any]:
        """Messages by state, and why a channel fails."""
        return {"messages": self._ledger.deliveries.counts(), "failing": dict(self._failing)}

    def _notices(self, mutes: Sequence[Mute] | None = None) -> Notices:
        known = self._ledger.mutes.find() if mutes is None else mutes
        return lambda change, trail: notices(change, trail, self._plant, known)

    def _send(self, owed: OwedMessage) -> bool:
        envelope = Envelope(
            owed.message, self._plant.id, owed.alert_id, owed.seq, str(owed.transition), owed.created_ms, owed.recipient
        )
        try:
            sender = self._senders.get(owed.channel)
            if sender is None:
                raise NotSent(f"channel {owed.channel} is no longer in plant.yaml", retry=False)
            sender.send(envelope)
        except NotSent as error:
            self._not_sent(owed, str(error), retry=error.retry)
            return False
        except Exception as error:  # noqa: BLE001  a channel is foreign code; it must not end the thread of all
            self._not_sent(owed, f"{type(error).__name__}: {error}", retry=True)
            return False
        self._ledger.deliveries.sent(owed.id, self._clock.now_ms())
        if self._failing.pop(owed.channel, None) is not None:
            _log.info("alert channel works again", channel=owed.channel)
        return True

    def _not_sent(self, owed: OwedMessage, reason: str, *, retry: bool) -> None:
        if owed.channel not in self._failing:
            _log.error("alert channel fails", channel=owed.channel, alert=owed.alert_id, reason=reason)
        self._failing[owed.channel] = reason
        now_ms = self._clock.now_ms()
        hopeless = now_ms - owed.created_ms >= GIVE_UP_MS
        if owed.left and not hopeless and (not retry or owed.attempts >= TRIES):
            # One that can be tried again stands behind the others: they may all be out of reach for a while.
            left = (*owed.left, owed.channel) if retry else owed.left
            self._ledger.deliveries.fall_back(owed.id, left, now_ms, f"{owed.channel}: {reason}")
        elif retry and not hopeless:
            self._ledger.deliveries.retry(owed.id, now_ms + wait_ms(owed.attempts), reason)
        else:
            self._ledger.deliveries.give_up(owed.id, reason)

    def _run(self) -> None:
        reachable = True
        while not self._stopping.is_set():
            self._wake.clear()
            now_ms = self._clock.now_ms()
            due_ms: int | None = None
            try:
                self.pass_time()
                self.deliver_due()
                due_ms = self._ledger.deliveries.next_due_ms()
                if not reachable:
                    _log.info("ledger reachable again: messages go out")
                reachable = True
            except StoreError as error:
                if reachable:
                    _log.error("ledger out of reach: messages wait", reason=str(error))
                reachable = False
            idle = now_ms + IDLE_MS
            until = idle if due_ms is None else min(max(due_ms, now_ms + SHORTEST_PAUSE_MS), idle)
            if not self._stopping.is_set():
                self._clock.wait_until(until, self._wake)


def wait_ms(attempts: int) -> int:
    """How long to wait after so many tries: 10 s, 30 s, 90 s, …, at most an hour."""
    return int(min(FIRST_WAIT_MS * 3.0 ** min(attempts - 1, 20), LONGEST_WAIT_MS))
