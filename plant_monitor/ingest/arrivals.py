"""When messages came, for records that bring no time of their own: times that never go back and never meet. Pure."""

from __future__ import annotations


class Arrivals:
    """Stamps of one station's messages.

    A message that comes again on the same session has the packet id it had (MQTT 3.1.1 and 5, §4.4), so it gets
    its old stamp again and changes nothing. That memory ends with the process.
    """

    def __init__(self) -> None:
        self._last_ms = -(2**62)  # the last millisecond given out
        self._given: dict[int, tuple[int, int]] = {}  # packet id -> (hash of the message, its stamp)

    def of(self, now_ms: int, mid: int, topic: str, payload: bytes, *, repeated: bool) -> int:
        """The stamp of a message: now, or just after the last one; of one that came before, what it had then."""
        known = self._given.get(mid) if repeated else None
        told = hash((topic, payload))
        if known is not None and known[0] == told:
            return known[1]
        stamp = max(now_ms, self._last_ms + 1)
        self._last_ms = stamp
        if mid:  # quality 0 has none, and never comes again
            self._given[mid] = (told, stamp)
        return stamp

    def used(self, stamp: int, count: int) -> None:
        """So many milliseconds from a stamp on were given to records."""
        self._last_ms = max(self._last_ms, stamp + count - 1)

    def forget(self) -> None:
        """The session is another one: its packet ids mean other messages."""
        self._given.clear()
