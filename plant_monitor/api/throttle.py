"""How often passwords may be tried."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

FREE_TRIES = {"account": 5, "address": 20}  # wrong ones in a row before anybody has to wait
FIRST_WAIT_S = 2.0  # doubled by each further wrong one
LONGEST_WAIT_S = 300.0
FORGOTTEN_S = 3_600.0
MOST_KEPT = 10_000


class LoginThrottle:
    """Counts wrong passwords by account and by address; a right one clears the account. Lives as long as the process.

    A wait holds for everybody who names the account, so that many addresses gain nothing; it is short enough that
    locking somebody out takes a steady effort, which the audit trail shows. Used from the event loop alone.
    """

    def __init__(self, now_s: Callable[[], float] = monotonic) -> None:
        self._now_s = now_s
        self._wrong: dict[tuple[str, str], tuple[int, float]] = {}  # how many, and when the last one was

    def wait_s(self, account: str, address: str) -> float:
        """How long until the next try; 0: now."""
        now_s, waits = self._now_s(), [0.0]
        for key in (("account", account), ("address", address)):
            wrong, last_s = self._wrong.get(key, (0, now_s))
            over = wrong - FREE_TRIES[key[0]]
            if over >= 0:
                waits.append(last_s + min(FIRST_WAIT_S * 2.0**over, LONGEST_WAIT_S) - now_s)
        return max(waits)

    def wrong(self, account: str, address: str) -> None:
        """A try failed."""
        now_s = self._now_s()
        for key in (("account", account), ("address", address)):
            self._wrong[key] = self._wrong.pop(key, (0, 0.0))[0] + 1, now_s
        while self._wrong and (len(self._wrong) > MOST_KEPT or now_s - self._oldest_s() > FORGOTTEN_S):
            del self._wrong[next(iter(self._wrong))]

    def right(self, account: str, address: str) -> None:
        """A try that was counted as wrong turned out right."""
        self._wrong.pop(("account", account), None)
        wrong, last_s = self._wrong.get(("address", address), (0, 0.0))
        if wrong:
            self._wrong["address", address] = wrong - 1, last_s

    def _oldest_s(self) -> float:
        return next(iter(self._wrong.values()))[1]
