"""Who is on duty: a weekly pattern, and exceptions that stand before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from plant_monitor.notify import Person, Shift, StandIn


@dataclass(frozen=True, slots=True)
class Roster:
    """People and their duty, in one zone."""

    zone: ZoneInfo
    people: tuple[Person, ...] = ()
    shifts: tuple[Shift, ...] = ()
    stand_ins: tuple[StandIn, ...] = ()

    def person(self, id: str) -> Person | None:
        """Somebody by id."""
        return next((p for p in self.people if p.id == id), None)

    def on_duty(self, role: str, time_ms: int, member: str = "") -> tuple[Person, ...]:
        """The people of a role to tell at an instant; of the role ``member`` those of that company alone.

        The last stand-in that contains it; else all whose shift does; else, so that nobody is told never,
        everybody of the role.
        """
        everybody = tuple(p for p in self.people if p.role == role and (role != "member" or p.member == member))
        return self.named(role, time_ms, member) or everybody

    def named(self, role: str, time_ms: int, member: str = "") -> tuple[Person, ...]:
        """The people of a role whom a stand-in or a shift names at an instant; perhaps nobody."""
        mine = {p.id: p for p in self.people if p.role == role and (role != "member" or p.member == member)}
        standing = [s.person for s in self.stand_ins if s.person in mine and s.start_ms <= time_ms < s.end_ms]
        if standing:
            return (mine[standing[-1]],)
        moment = datetime.fromtimestamp(time_ms // 1000, self.zone)
        working = _once(s.person for s in self.shifts if s.person in mine and _covers(s, moment))
        return tuple(mine[id] for id in working)

    def taking_over(self, since_ms: int, now_ms: int) -> tuple[Person, ...]:
        """Those who are named now and were not then."""
        found = {}
        for role, member in dict.fromkeys((p.role, p.member) for p in self.people):
            before = self.named(role, since_ms, member)
            found.update({p.id: p for p in self.named(role, now_ms, member) if p not in before})
        return tuple(found.values())

    def told(self, roles: Sequence[str], time_ms: int, member: str = "") -> tuple[Person, ...]:
        """Those on duty in any of the roles, each once."""
        found = (p for role in roles for p in self.on_duty(role, time_ms, member))
        return tuple({p.id: p for p in found}.values())


def _once(ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(ids))


def _covers(shift: Shift, moment: datetime) -> bool:
    """True where a shift contains a local moment."""
    at = moment.time().replace(tzinfo=None)
    if shift.begins < shift.ends:
        return moment.weekday() in shift.weekdays and shift.begins <= at < shift.ends
    today = moment.weekday() in shift.weekdays and at >= shift.begins
    yesterday = (moment - timedelta(days=1)).weekday() in shift.weekdays and at < shift.ends
    return today or yesterday
