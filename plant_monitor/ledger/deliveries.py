"""Who has been told what: one row per (alert, step, person or channel), its own record beside the alert.

A row is written in the transaction of the step it tells, so a crash loses none; it is claimed before the
message goes out and settled afterwards. A crash between sending and settling leaves the claim, which runs
out, and the message goes out again: *at least once*, exactly once for a channel that knows the message by
its name (a folder).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update

from plant_monitor.alerts.envelope import Message, Notice
from plant_monitor.alerts.lifecycle import Transition
from plant_monitor.ledger.database import Database
from plant_monitor.ledger.tables import deliveries

# A claim is over after this time: its process died. No channel may take longer to send one message.
CLAIM_MS = 120_000
# A next try is never set further ahead; one that is was set before the clock was turned back.
LONGEST_WAIT_MS = 3_600_000


class DeliveryState(StrEnum):
    """How far a message has come."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"  # given up; the last error says why


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one channel. ``attempts`` counts the claims, also one that a crash cut short.

    To a person it goes by ``channel``, and should that not take it, by those that are ``left``.
    """

    id: int
    alert_id: int
    seq: int
    transition: Transition
    recipient: str
    channel: str
    left: tuple[str, ...]
    message: Message
    state: DeliveryState
    attempts: int
    created_ms: int
    next_try_ms: int
    sent_ms: int | None
    error: str


_earlier = deliveries.alias()
# Pending, and no earlier step of the same alert still on its way to the same person or channel.
_NEXT = and_(
    deliveries.c.state == DeliveryState.PENDING,
    ~select(_earlier.c.id)
    .where(
        _earlier.c.alert_id == deliveries.c.alert_id,
        _earlier.c.recipient == deliveries.c.recipient,
        or_(deliveries.c.recipient != "", _earlier.c.channel == deliveries.c.channel),
        _earlier.c.seq < deliveries.c.seq,
        _earlier.c.state == DeliveryState.PENDING,
    )
    .exists(),
)


class DeliveryLog:
    """All messages of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, now_ms: int, *, without: Collection[str] = ()) -> Delivery | None:
        """The next message that is due, claimed for :data:`CLAIM_MS`; None where there is none.

        The steps of one alert reach a channel in their order. ``without``: channels to leave alone.
        """
        query = (
            select(deliveries)
            .where(_NEXT, _due(now_ms))
            .where(deliveries.c.channel.not_in(sorted(without)))
            .order_by(deliveries.c.next_try_ms, deliveries.c.id)
            .limit(1)
        )
        with self._database.read() as connection:  # most of the time nothing is due, and a write would wait
            if connection.execute(query).one_or_none() is None:
                return None
        with self._database.write() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            change = {"attempts": row.attempts + 1, "next_try_ms": now_ms + CLAIM_MS}
            claimed = update(deliveries).where(deliveries.c.id == row.id).values(**change)
            return _delivery(connection.execute(claimed.returning(deliveries)).one())

    def sent(self, delivery_id: int, now_ms: int) -> None:
        """The message has been handed over; it is never sent again."""
        self._settle(delivery_id, state=DeliveryState.SENT, sent_ms=now_ms, error="")

    def retry(self, delivery_id: int, next_try_ms: int, error: str) -> None:
        """The message did not go out; it is tried again at ``next_try_ms``."""
        self._settle(delivery_id, next_try_ms=next_try_ms, error=error)

    def fall_back(self, delivery_id: int, left: Sequence[str], now_ms: int, error: str) -> None:
        """The message did not go out; it is tried now by the first of the channels ``left``."""
        values = {"channel": left[0], "left_channels": list(left[1:]), "attempts": 0}
        self._settle(delivery_id, **values, next_try_ms=now_ms, error=error)

    def give_up(self, delivery_id: int, error: str) -> None:
        """The message did not go out and is not tried again."""
        self._settle(delivery_id, state=DeliveryState.FAILED, error=error)

    def next_due_ms(self) -> int | None:
        """When the next message is due; None where none is pending."""
        query = select(func.min(deliveries.c.next_try_ms)).where(_NEXT)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def find(
        self,
        *,
        alert_id: int | None = None,
        state: DeliveryState | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> tuple[Delivery, ...]:
        """Messages that fit every filter given, the newest first."""
        query = select(deliveries).order_by(deliveries.c.id.desc()).limit(limit)
        if alert_id is not None:
            query = query.where(deliveries.c.alert_id == alert_id)
        if state is not None:
            query = query.where(deliveries.c.state == state)
        if before_id is not None:
            query = query.where(deliveries.c.id < before_id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(_delivery(row) for row in rows)

    def counts(self) -> dict[str, int]:
        """Messages by state."""
        with self._database.read() as connection:
            rows = connection.execute(select(deliveries.c.state, func.count()).group_by(deliveries.c.state)).all()
        return {str(state): 0 for state in DeliveryState} | {row[0]: row[1] for row in rows}

    def _settle(self, delivery_id: int, **values: Any) -> None:
        with self._database.write() as connection:
            connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(**values))


def owe(
    connection: Connection,
    alert_id: int,
    seq: int,
    transition: Transition,
    notices: Sequence[Notice],
    now_ms: int,
) -> None:
    """Write down the messages of a step, within the transaction of the step itself."""
    for notice in notices:
        row = {
            "alert_id": alert_id,
            "seq": seq,
            "transition": str(transition),
            "recipient": notice.recipient,
            "channel": notice.channels[0],
            "left_channels": list(notice.channels[1:]),
            "title": notice.message.title,
            "body": notice.message.body,
            "state": str(DeliveryState.PENDING),
            "attempts": 0,
            "created_ms": now_ms,
            "next_try_ms": now_ms,
            "error": "",
        }
        connection.execute(insert(deliveries).values(**row))


def _due(now_ms: int) -> Any:
    wait = max(CLAIM_MS, LONGEST_WAIT_MS)
    return or_(deliveries.c.next_try_ms <= now_ms, deliveries.c.next_try_ms > now_ms + wait)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        row.id,
        row.alert_id,
        row.seq,
        Transition(row.transition),
        row.recipient,
        row.channel,
        tuple(row.left_channels),
        Message(row.title, row.body),
        DeliveryState(row.state),
        row.attempts,
        row.created_ms,
        row.next_try_ms,
        row.sent_ms,
        row.error,
    )
