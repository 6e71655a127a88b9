"""The alert desk: from the episodes of an evaluation to people who know.

:meth:`AlertDesk.consider` records what an evaluation does to the alerts and, in the same transaction, the
messages that are owed. A thread sends what is due. A restart therefore repeats nothing that was settled and
loses nothing; only a crash between handing a message over and settling it makes the message go out twice, and
a folder does not even notice that (see ``ledger.deliveries``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, TypeVar

import structlog

from plant_monitor.alerts.attachments import Attachment
from plant_monitor.alerts.bulletins import (
    HAND_OVER,
    REPORT,
    DayFigures,
    bundle,
    hand_over,
    language_of,
    report,
    report_day,
)
from plant_monitor.alerts.deadlines import Trail, due, policy_for
from plant_monitor.alerts.envelope import Envelope, NotSent, Sender
from plant_monitor.alerts.lifecycle import Action, Alert, Change, Exceedance, Kind, Span, Transition, assess, case
from plant_monitor.alerts.mutes import Mute, held_back
from plant_monitor.alerts.notices import Notices, calendar_of, notices, roster_of
from plant_monitor.alerts.ports import AlertLedger, OwedMessage
from plant_monitor.clock import Clock
from plant_monitor.errors import StoreError
from plant_monitor.plant import Plant
from plant_monitor.windows import day_start_ms

FIRST_WAIT_MS = 10_000
LONGEST_WAIT_MS = 3_600_000
GIVE_UP_MS = 24 * 3_600_000  # news of yesterday helps nobody; the failure stays visible
TRIES = 3  # of one channel, before the next one of a person is tried
IDLE_MS = 60_000
SHORTEST_PAUSE_MS = 1_000

_log = structlog.get_logger(__name__)

T = TypeVar("T")


class AlertDesk:
    """Alerts of one plant. ``senders`` by channel id (``channels.open_senders``); ``changed`` is told of every step."""

    def __init__(
        self,
        ledger: AlertLedger,
        senders: Mapping[str, Sender],
        plant: Plant,
        clock: Clock,
        changed: Callable[[Sequence[Alert]], None] = lambda _: None,
        figures: Callable[[date], DayFigures] | None = None,
    ) -> None:
        self._ledger, self._senders, self._plant, self._clock = ledger, dict(senders), plant, clock
        self._changed, self._figures = changed, figures
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
            lambda known: assess(known, found, covered, now_ms, kinds, self._plant.notify.kinds),
            self._notices(),
            covered,
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

    def tell_the_day(self) -> None:
        """The daily report, and what is open to those whose duty begins, where they are due.

        Raises
        ------
        StoreError  nothing was recorded; it is done the next time
        """
        now_ms, outbox, plant = self._clock.now_ms(), self._ledger.deliveries, self._plant
        day = report_day(now_ms, plant)
        if day is not None and self._figures is not None and (outbox.place(REPORT) or 0) < day.toordinal():
            figures, unclosed = self._figures(day), self._unclosed()
            begin_ms = day_start_ms(day, plant.zone)
            end_ms = day_start_ms(day + timedelta(days=1), plant.zone)
            opened = len(self._ledger.alerts.opened_between(begin_ms, end_ms))
            outbox.once(REPORT, day.toordinal(), lambda: report(day, figures, opened, unclosed, now_ms, plant), now_ms)
        if plant.notify.shifts or plant.notify.stand_ins:
            since_ms = outbox.place(HAND_OVER)
            people = () if since_ms is None else roster_of(plant).taking_over(since_ms, now_ms)
            if since_ms is None or people:
                unclosed = self._unclosed()
                outbox.once(HAND_OVER, now_ms, lambda: hand_over(people, unclosed, now_ms, plant), now_ms)

    def _unclosed(self) -> list[tuple[Alert, Trail]]:
        """The oldest first."""
        return list(self._ledger.alerts.opened_between(0, self._clock.now_ms() + 1, unclosed=True))

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
        limit, outbox = self._plant.notify.messages_per_hour, self._ledger.deliveries
        while (owed := outbox.claim(self._clock.now_ms(), without=failed, per_hour=limit)) is not None:
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
        message = bundle((owed.message, *owed.also), language_of(owed.recipient, self._plant))
        envelope = Envelope(
            message, self._plant.id, owed.alert_id, owed.seq, str(owed.transition), owed.created_ms, owed.recipient
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
                self.tell_the_day()
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
