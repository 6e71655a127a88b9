"""Who has been told what: one row per (alert, step, person or channel), its own record beside the alert.

A row is written in the transaction of the step it tells, so a crash loses none; it is claimed before the
message goes out and settled afterwards. A crash between sending and settling leaves the claim, which runs
out, and the message goes out again: *at least once*, exactly once for a channel that knows the message by
its name (a folder).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update

from plant_monitor.alerts.envelope import Message, Notice, Pace
from plant_monitor.ledger.database import Database
from plant_monitor.ledger.tables import deliveries, progress

# A claim is over after this time: its process died. No channel may take longer to send one message.
CLAIM_MS = 120_000
# A next try is never set further ahead; one that is was set before the clock was turned back.
LONGEST_WAIT_MS = 3_600_000
HOUR_MS = 3_600_000
_TOGETHER = (Pace.HELD, Pace.DIGEST)  # of which all that wait go in one message


class DeliveryState(StrEnum):
    """How far a message has come."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"  # given up; the last error says why


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one channel. ``attempts`` counts the claims, also one that a crash cut short.

    To a person it goes by ``channel``, and should that not take it, by those that are ``left``. ``also`` the messages
    that go along with it; what becomes of it becomes of them.
    """

    id: int
    alert_id: int  # 0: of none
    seq: int
    transition: str  # of the alert, or what the message is where it is of none
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
    pace: Pace
    bundle_of: int | None
    also: tuple[Message, ...] = ()


_earlier = deliveries.alias()
# Pending by itself, and no earlier step of the same alert still on its way to the same person or channel; what is
# gathered for the digest holds nothing up.
_NEXT = and_(
    deliveries.c.state == DeliveryState.PENDING,
    deliveries.c.bundle_of.is_(None),
    ~select(_earlier.c.id)
    .where(
        _earlier.c.alert_id == deliveries.c.alert_id,
        _earlier.c.recipient == deliveries.c.recipient,
        or_(deliveries.c.recipient != "", _earlier.c.channel == deliveries.c.channel),
        _earlier.c.seq < deliveries.c.seq,
        _earlier.c.state == DeliveryState.PENDING,
        or_(_earlier.c.pace != Pace.DIGEST, deliveries.c.pace == Pace.DIGEST),
    )
    .exists(),
)


class DeliveryLog:
    """All messages of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, now_ms: int, *, without: Collection[str] = (), per_hour: int | None = None) -> Delivery | None:
        """The next message that is due, claimed for :data:`CLAIM_MS`; None where there is none.

        The steps of one alert reach a channel in their order. ``without``: channels to leave alone. Who has had
        ``per_hour`` messages within the hour gets no other but urgent ones; then what waits goes along with one.
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
            while (row := connection.execute(query).one_or_none()) is not None:
                if (until := _held_until(connection, row, now_ms, per_hour)) is not None:
                    _change(connection, row.id, pace=str(Pace.HELD), next_try_ms=until)
                    continue
                _change(connection, row.id, attempts=row.attempts + 1, next_try_ms=now_ms + CLAIM_MS)
                if row.pace in _TOGETHER:
                    _gather(connection, row, now_ms)
                return _claimed(connection, row.id)
        return None

    def once(self, name: str, place: int, notices: Callable[[], Sequence[Notice]], now_ms: int) -> bool:
        """Owe what is told once at each place: a day, an instant. True where ``place`` is later than ever before.

        The first time of a name nothing is owed: the service has only begun.
        """
        with self._database.write() as connection:
            before = connection.execute(select(progress.c.done).where(progress.c.name == name)).scalar_one_or_none()
            if before is not None and before >= place:
                return False
            if before is None:
                connection.execute(insert(progress).values(name=name, done=place))
                return False
            connection.execute(update(progress).where(progress.c.name == name).values(done=place))
            owe(connection, None, 0, "", notices(), now_ms)
        return True

    def place(self, name: str) -> int | None:
        """The last place of a name; None: never."""
        with self._database.read() as connection:
            return connection.execute(select(progress.c.done).where(progress.c.name == name)).scalar_one_or_none()

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
        state: str | None = None,
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
        """What becomes of a message becomes of those that go along."""
        mine = or_(deliveries.c.id == delivery_id, deliveries.c.bundle_of == delivery_id)
        with self._database.write() as connection:
            connection.execute(update(deliveries).where(mine).values(**values))


def owe(
    connection: Connection,
    alert_id: int | None,
    seq: int,
    transition: str,
    notices: Sequence[Notice],
    now_ms: int,
) -> None:
    """Write down the messages of a step, within the transaction of the step itself."""
    for notice in notices:
        row = {
            "alert_id": alert_id,
            "seq": seq,
            "transition": notice.kind or str(transition),
            "recipient": notice.recipient,
            "channel": notice.channels[0],
            "left_channels": list(notice.channels[1:]),
            "title": notice.message.title,
            "body": notice.message.body,
            "state": str(DeliveryState.PENDING),
            "attempts": 0,
            "created_ms": now_ms,
            "next_try_ms": max(now_ms, notice.due_ms),
            "error": "",
            "pace": str(notice.pace),
        }
        connection.execute(insert(deliveries).values(**row))


def _due(now_ms: int) -> Any:
    wait = max(CLAIM_MS, LONGEST_WAIT_MS)
    astray = and_(deliveries.c.next_try_ms > now_ms + wait, deliveries.c.pace != Pace.DIGEST)
    return or_(deliveries.c.next_try_ms <= now_ms, astray)


def _held_until(connection: Connection, row: Row[Any], now_ms: int, per_hour: int | None) -> int | None:
    """Until when a message has to wait because there were too many; None: not at all."""
    if per_hour is None or row.pace not in (Pace.NORMAL, Pace.HELD):
        return None
    whose = deliveries.c.recipient == row.recipient if row.recipient else deliveries.c.channel == row.channel
    recent = and_(whose, deliveries.c.sent_ms > now_ms - HOUR_MS, deliveries.c.bundle_of.is_(None))
    times = select(deliveries.c.sent_ms).where(recent).order_by(deliveries.c.sent_ms.desc()).limit(per_hour)
    sent = connection.execute(times).scalars().all()
    return sent[-1] + HOUR_MS if len(sent) >= per_hour else None


def _gather(connection: Connection, head: Row[Any], now_ms: int) -> None:
    """All that wait for the same person and channel go along."""
    same = and_(deliveries.c.recipient == head.recipient, deliveries.c.channel == head.channel)
    waiting = and_(deliveries.c.state == DeliveryState.PENDING, deliveries.c.bundle_of.is_(None))
    together = and_(deliveries.c.pace.in_(_TOGETHER), deliveries.c.next_try_ms <= now_ms, deliveries.c.id != head.id)
    connection.execute(update(deliveries).where(same, waiting, together).values(bundle_of=head.id))


def _claimed(connection: Connection, delivery_id: int) -> Delivery:
    row = connection.execute(select(deliveries).where(deliveries.c.id == delivery_id)).one()
    others = select(deliveries.c.title, deliveries.c.body).where(deliveries.c.bundle_of == delivery_id)
    also = tuple(Message(*other) for other in connection.execute(others.order_by(deliveries.c.id)))
    return replace(_delivery(row), also=also)


def _change(connection: Connection, delivery_id: int, **values: Any) -> None:
    connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(**values))


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        row.id,
        row.alert_id or 0,
        row.seq,
        row.transition,
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
        Pace(row.pace),
        row.bundle_of,
    )
