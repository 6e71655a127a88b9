"""Mutes and maintenance windows: stretches of time in which messages are held back. Pure.

Nothing else changes: an alert opens, grows, counts and comes due while it is muted, and what people hand to one
another is told all the same. When no mute covers it any more, what had been held back of an alert that is still
open is told in one message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plant_monitor.alerts.deadlines import Trail
from plant_monitor.alerts.lifecycle import CASES, Alert, Kind, Transition
from plant_monitor.plant import Plant

# The steps that the facts and time take. Those that people take are never held back.
_BY_ITSELF = frozenset(
    {
        Transition.OPENED,
        Transition.RESUMED,
        Transition.OVER,
        Transition.WITHDRAWN,
        Transition.UNACKNOWLEDGED,
        Transition.REMINDED,
        Transition.OVERDUE,
    }
)


@dataclass(frozen=True, slots=True)
class Mute:
    """Messages are held back in ``[start_ms, until_ms)``; ``kind``, ``point`` and ``parameter`` empty = all."""

    start_ms: int
    end_ms: int
    reason: str
    kind: str = ""
    point: str = ""
    parameter: str = ""
    id: int = 0  # 0 = not recorded yet
    entered_ms: int = 0
    author: str = ""
    lifted_ms: int | None = None  # ended before its end
    lifted_by: str = ""
    lifted_reason: str = ""

    @property
    def until_ms(self) -> int:
        """When it ends, or was lifted."""
        return self.end_ms if self.lifted_ms is None else min(self.end_ms, self.lifted_ms)

    def state(self, now_ms: int) -> str:
        """How it is at an instant: planned, in force, over, or lifted."""
        if self.lifted_ms is not None:
            return "lifted"
        return "planned" if now_ms < self.start_ms else "in force" if now_ms < self.end_ms else "over"

    def is_about(self, alert: Alert) -> bool:
        """True where it covers an alert at some time."""
        said = (self.kind, alert.kind), (self.point, alert.point), (self.parameter, alert.parameter)
        return all(mine in ("", its) for mine, its in said)

    def covers(self, alert: Alert, time_ms: int) -> bool:
        """True where messages about an alert are held back at an instant."""
        return self.start_ms <= time_ms < self.until_ms and self.is_about(alert)


def is_muted(alert: Alert, mutes: Sequence[Mute], time_ms: int) -> bool:
    """True where any of the mutes holds messages about an alert back."""
    return any(mute.covers(alert, time_ms) for mute in mutes)


def held_back(alert: Alert, trail: Trail, mutes: Sequence[Mute], now_ms: int) -> tuple[Transition, ...]:
    """The steps whose messages were held back since people last heard, once no mute covers the alert any more.

    None of an alert that is closed or withdrawn, nor of a warning that is over.
    """
    mine = [mute for mute in mutes if mute.is_about(alert)]
    over = not alert.standing or (alert.kind not in CASES and alert.kind is not Kind.EXCEEDANCE and not alert.ongoing)
    if not mine or over or is_muted(alert, mine, now_ms):
        return ()
    heard = (Transition.UNMUTED, Transition.REOPENED)
    told = max((i for i, (what, _) in enumerate(trail) if what in heard), default=-1)
    since = trail[told + 1 :]
    return tuple(what for what, time_ms in since if what in _BY_ITSELF and is_muted(alert, mine, time_ms))


def problem_of(mute: Mute, plant: Plant, now_ms: int) -> tuple[str, str] | None:
    """What is wrong with a mute: the field, and what is expected there; None where nothing is."""
    point = plant.point_by_id.get(mute.point)
    if mute.point and point is None:
        return "point", f"found {mute.point!r}, expected one of {', '.join(plant.point_by_id)}"
    places = plant.points if point is None else (point,)
    if mute.parameter and not any(place.find(mute.parameter) for place in places):
        return "parameter", f"found {mute.parameter!r}, expected a parameter that is measured there"
    if not mute.reason.strip():
        return "reason", "expected why messages are held back"
    if mute.start_ms < now_ms:
        return "from", "expected now or later: what has been told cannot be held back"
    if mute.end_ms <= mute.start_ms:
        return "to", "expected a time after its beginning"
    return None
