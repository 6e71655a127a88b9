"""Messages without a time of their own, against a broker that sends again what it has no acknowledgement of."""

from __future__ import annotations

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from plant_monitor.ingest.arrivals import Arrivals
from plant_monitor.readings import Receipt
from plant_monitor.store import aside, schema

WINDOW = 3  # messages that the broker has under way
TOLD = ["deliver", "deliver", "commit", "commit", "send", "send", "hear", "hear", "lost_connection", "kill_process"]


class Session:
    """A broker's session, the process that reads from it, and the journal. All messages say the same.

    Packet ids go round soon (after 8), later than all that is under way, as at every broker.
    """

    def __init__(self) -> None:
        self.journal = sqlite3.connect(":memory:", isolation_level=None)
        schema.ensure(self.journal)
        self.stored: set[int] = set()
        self.unacknowledged: dict[int, bool] = {}  # packet id -> delivered on this connection
        self.sent_before: set[int] = set()
        self.lost: set[int] = set()  # packet ids whose acknowledgement the network lost
        self.published = self.now = 0
        self.start_process()

    def start_process(self) -> None:
        self.arrivals = Arrivals("s", aside.receipts(self.journal, "s"))
        self.clear_connection()

    def clear_connection(self) -> None:
        self.unacknowledged = dict.fromkeys(self.unacknowledged, False)
        self.queued: list[tuple[Receipt, list[Receipt]]] = []
        self.acknowledged: list[Receipt] = []  # by the process, not sent yet
        self.on_the_wire: list[Receipt] = []

    def deliver(self) -> None:
        self.now += 5
        again = [mid for mid, delivered in self.unacknowledged.items() if not delivered]
        if not again:
            if len(self.unacknowledged) == WINDOW:
                return
            again = [self.published % 8 + 1]
            self.published += 1
        mid = again[0]
        self.unacknowledged[mid] = True
        receipt = self.arrivals.of(self.now, mid, "topic", b"same", repeated=mid in self.sent_before)
        self.sent_before.add(mid)
        self.queued.append((receipt, self.arrivals.over()))

    def commit(self) -> None:
        if not self.queued:
            return
        receipt, over = self.queued.pop(0)
        aside.keep_receipts(self.journal, [*over, receipt])
        self.stored.add(receipt.stamp_ms)
        self.acknowledged.append(receipt)
        self.lost.discard(receipt.mid)

    def send(self) -> None:
        self.arrivals.settled(self.acknowledged)
        self.on_the_wire += self.acknowledged
        self.acknowledged = []

    def hear(self) -> None:
        for receipt in self.on_the_wire:
            self.unacknowledged.pop(receipt.mid, None)
            self.sent_before.discard(receipt.mid)
        self.on_the_wire = []

    def lost_connection(self) -> None:
        """What was on the wire is lost with it."""
        while self.queued:  # the intake commits all the same
            self.commit()
        self.lost.update(receipt.mid for receipt in self.on_the_wire)
        self.arrivals.reconnected()
        self.clear_connection()

    def kill_process(self) -> None:
        """What the system has to send is still sent. Not when the network had lost something before: decision 0006."""
        if self.lost:
            return
        self.hear()
        self.start_process()


@given(st.lists(st.sampled_from(TOLD), max_size=120))
def test_every_message_is_stored_once_whatever_is_lost_or_killed(steps: list[str]) -> None:
    session = Session()
    for step in steps:
        getattr(session, step)()
    session.lost_connection()
    for _ in range(2 * WINDOW):
        if session.unacknowledged:
            session.deliver()
        session.commit()
        session.send()
        session.hear()
    session.deliver()  # after it nothing but its own receipt is kept
    session.commit()
    session.send()
    session.hear()
    assert len(session.stored) == session.published
    session.deliver()
    session.commit()
    assert len(aside.receipts(session.journal, "s")) == 1
    session.journal.close()
