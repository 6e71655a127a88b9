"""When messages came, for records that bring no time of their own: times that never go back and never meet. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from hashlib import blake2b

from plant_monitor.readings import Receipt


class Arrivals:
    """Stamps of one station's messages.

    A message that comes again on the same session has the packet id it had (MQTT 3.1.1 and 5, §4.4), so it gets
    its old stamp again and changes nothing. Receipts are journaled with what they stamped and deleted when the
    acknowledgement is out, so that this holds over a kill; ``kept`` are those of the process before.
    """

    def __init__(self, station: str, kept: Iterable[Receipt] = ()) -> None:
        self._station = station
        self._last_ms = -(2**62)  # the last millisecond given out
        self._given = {receipt.mid: receipt for receipt in kept}  # until the packet id means another message
        self._journaled = set(self._given.values())
        self._earlier = set(self._given)  # packet ids of earlier connections that have not come again on this one
        self._over: list[Receipt] = []  # to be deleted with the next commit

    def of(self, now_ms: int, mid: int, topic: str, payload: bytes, *, repeated: bool) -> Receipt:
        """The stamp of a message: now, or just after the last one; of one that came before, what it had then."""
        digest = blake2b(topic.encode() + b"\0" + payload, digest_size=16).digest()
        if repeated:
            self._earlier.discard(mid)
            known = self._given.get(mid)
            if known is not None and known.digest == digest:
                self._journaled.add(known)
                return known
        else:  # a broker begins with what was not acknowledged (§4.4, §4.6): the rest was
            self._forget(self._earlier)
        self._last_ms = max(now_ms, self._last_ms + 1)
        receipt = Receipt(self._station, mid, self._last_ms, digest)
        if mid:  # quality 0 has none, and never comes again
            self._given[mid] = receipt
            self._journaled.add(receipt)
        return receipt

    def used(self, stamp: int, count: int) -> None:
        """So many milliseconds from a stamp on were given to records."""
        self._last_ms = max(self._last_ms, stamp + count - 1)

    def settled(self, receipts: Iterable[Receipt]) -> None:
        """The acknowledgements of these messages are out, so a kill cannot lose them. While the process lives they
        are remembered all the same: the network may lose them yet."""
        for receipt in receipts:
            if receipt in self._journaled:
                self._journaled.remove(receipt)
                self._over.append(receipt)

    def over(self) -> list[Receipt]:
        """What the next commit is to delete; told once."""
        over, self._over = self._over, []
        return [replace(receipt, digest=None) for receipt in over]

    def not_deleted(self, over: Iterable[Receipt]) -> None:
        """That commit failed: the next one is to."""
        self._over += over

    def reconnected(self) -> None:
        """Another connection: which acknowledgements the broker has got shows in what it sends again."""
        self._earlier = set(self._given)
        self._journaled.update(receipt for receipt in self._over if receipt.digest is not None)
        self._over = [receipt for receipt in self._over if receipt.digest is None]

    def forget(self) -> None:
        """The session is another one: its packet ids mean other messages."""
        self._forget(set(self._given))

    def _forget(self, mids: set[int]) -> None:
        self.settled([self._given.pop(mid) for mid in mids])
        self._earlier = set()
