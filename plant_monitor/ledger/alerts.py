"""The alert log: alerts, the trail of what happened to each, and who is still to be told.

What happens to an alert is decided by pure functions (``alerts.lifecycle``) that are handed in; this module
runs them inside one transaction with everything that follows from them, so that nothing is decided twice
and no message is owed without its alert.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, or_, select, update

from plant_monitor.alerts.attachments import Attachment
from plant_monitor.alerts.deadlines import Trail
from plant_monitor.alerts.lifecycle import (
    Action,
    ActionRefused,
    Alert,
    Change,
    Exceedance,
    Kind,
    Span,
    State,
    Transition,
    next_state,
)
from plant_monitor.alerts.notices import Notices
from plant_monitor.errors import Refused
from plant_monitor.ledger.audit import note
from plant_monitor.ledger.database import Database
from plant_monitor.ledger.deliveries import owe
from plant_monitor.ledger.tables import alert_events, alert_files, alerts
from plant_monitor.plant import Name

Decide = Callable[[tuple[Alert, ...]], Sequence[Change]]
# An alert that is not closed and its trail -> the step that time makes it take, or None.
Due = Callable[[Alert, Trail], Transition | None]

_DONE = {
    Action.ACKNOWLEDGE: Transition.ACKNOWLEDGED,
    Action.ASSIGN: Transition.ASSIGNED,
    Action.REPLY: Transition.REPLIED,
    Action.CLOSE: Transition.CLOSED,
    Action.REOPEN: Transition.REOPENED,
}


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One step in the life of an alert. ``actor`` is empty where the facts made it."""

    alert_id: int
    seq: int
    time_ms: int
    transition: Transition
    actor: str
    comment: str
    snapshot: Mapping[str, Any]  # the alert's numbers after the step


@dataclass(frozen=True, slots=True)
class AlertFile:
    """A file that came with a step, without its content."""

    place: int  # 1, 2, … within the alert
    seq: int
    name: str
    media_type: str
    sha256: str
    bytes: int


class AlertLog:
    """All alerts of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, decide: Decide, notices: Notices, covered: Span) -> tuple[Change, ...]:
        """Apply what ``decide`` makes of the known alerts, and owe the messages of ``notices``: all or nothing.

        ``decide`` is handed the alerts that are not closed and the closed ones that reach into ``covered``.
        The changes come back with the ids of new alerts.
        """
        with self._database.write() as connection:
            changes = []
            for change in decide(_known(connection, covered)):
                changes.append(_store(connection, change, notices))
        return tuple(changes)

    def pass_time(self, due: Due, notices: Notices, now_ms: int) -> tuple[Change, ...]:
        """Take the steps that are ``due`` by now, and owe their messages: all or nothing."""
        with self._database.read() as connection:  # most of the time nothing is due, and a write would wait
            if not _due(connection, due, now_ms):
                return ()
        with self._database.write() as connection:
            return tuple(_store(connection, change, notices) for change in _due(connection, due, now_ms))

    def open_case(
        self,
        case: Alert,
        *,
        actor: str,
        comment: str,
        files: Sequence[Attachment] = (),
        notices: Notices = lambda _change, _trail: (),
    ) -> Alert:
        """Keep a case that a person opens (``lifecycle.case``), and the messages it causes.

        Raises
        ------
        Refused  one of the same name about the same is not closed yet
        """
        with self._database.write() as connection:
            return opened(connection, case, actor=actor, comment=comment, files=files, notices=notices)

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
        notices: Notices = lambda _change, _trail: (),
    ) -> Alert | None:
        """What a person does with an alert, and the messages it causes; None where there is no such alert.

        Raises
        ------
        ActionRefused  the alert's state does not take the action, or another alert of its key is open
        """
        said = {"comment": comment, "assignee": assignee}
        with self._database.write() as connection:
            return acted(connection, alert_id, action, actor=actor, now_ms=now_ms, files=files, notices=notices, **said)

    def get(self, alert_id: int) -> Alert | None:
        """One alert, or None."""
        with self._database.read() as connection:
            return alert_of(connection, alert_id)

    def events(self, alert_id: int) -> tuple[AlertEvent, ...]:
        """The trail of an alert, the oldest step first."""
        with self._database.read() as connection:
            return events_of(connection, alert_id)

    def files(self, alert_id: int) -> tuple[AlertFile, ...]:
        """The files of an alert, in the order in which they came."""
        with self._database.read() as connection:
            return files_of(connection, alert_id)

    def file(self, alert_id: int, place: int) -> Attachment | None:
        """One file of an alert with its content, by its place from 1; None where there is none."""
        columns = [alert_files.c[name] for name in ("name", "media_type", "content")]
        query = select(*columns).where(alert_files.c.alert_id == alert_id).order_by(alert_files.c.id)
        with self._database.read() as connection:
            row = connection.execute(query.limit(1).offset(place - 1)).one_or_none()
        return None if row is None else Attachment(*row)

    def find(
        self,
        *,
        points: Collection[str] | None = None,
        member: str | None = None,
        without: Collection[Kind] = (),
        states: Collection[State] | None = None,
        kind: Kind | None = None,
        parameter: str | None = None,
        limit_set: str | None = None,
        span: Span | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> tuple[Alert, ...]:
        """Alerts that fit every filter given, the newest first; ``before_id`` goes on below a page.

        ``span``: those with an exceeded window that touches it. ``member``: beside those of ``points`` the
        member's own. ``without`` these kinds.
        """
        query = _filtered(select(alerts), states, parameter, limit_set, span)
        if points is not None:
            there = alerts.c.point.in_(sorted(points))
            query = query.where(there if member is None else or_(there, alerts.c.member == member))
        if without:
            query = query.where(alerts.c.kind.not_in(sorted(without)))
        if kind is not None:
            query = query.where(alerts.c.kind == kind)
        if before_id is not None:
            query = query.where(alerts.c.id < before_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(alerts.c.id.desc()).limit(limit)).all()
        return tuple(_alert(row) for row in rows)

    def all(self) -> Iterator[Alert]:
        """Every alert, the newest first, page by page."""
        before: int | None = None
        while page := self.find(before_id=before):
            yield from page
            before = page[-1].id

    def revision(self) -> int:
        """A number that grows with every change of any alert, whoever made it."""
        with self._database.read() as connection:
            found: int = connection.execute(select(func.count()).select_from(alert_events)).scalar_one()
        return found

    def opened_between(self, start_ms: int, end_ms: int, *, unclosed: bool = False) -> list[tuple[Alert, Trail]]:
        """The alerts that opened in ``[start_ms, end_ms)``, the oldest first, each with its trail.

        ``unclosed``: those of them that are not closed.
        """
        query = select(alerts).where(alerts.c.opened_ms >= start_ms, alerts.c.opened_ms < end_ms)
        if unclosed:
            query = query.where(alerts.c.state != State.CLOSED)
        with self._database.read() as connection:
            found = [_alert(row) for row in connection.execute(query.order_by(alerts.c.id))]
            return [(alert, _trail(connection, alert.id)) for alert in found]

    def ongoing_since_ms(self) -> int | None:
        """Start of the earliest exceedance that has not ended, over all alerts not closed; None: there is none.

        From there on the next evaluation has to look, so that it sees these episodes whole.
        """
        kind = alerts.c.kind == Kind.EXCEEDANCE  # a warning speaks of now: nothing has to be looked back for
        query = select(alerts).where(alerts.c.state != State.CLOSED, alerts.c.ongoing, kind)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return min((e.start_ms for row in rows for e in _alert(row).standing if e.ongoing), default=None)

    def counts(self) -> dict[str, int]:
        """Alerts by state."""
        with self._database.read() as connection:
            rows = connection.execute(select(alerts.c.state, func.count()).group_by(alerts.c.state)).all()
        return {str(state): 0 for state in State} | {row[0]: row[1] for row in rows}


def opened(
    connection: Connection, case: Alert, *, actor: str, comment: str, files: Sequence[Attachment], notices: Notices
) -> Alert:
    """Keep a case, within a transaction (:meth:`AlertLog.open_case`)."""
    if (other := _open_id(connection, case)) is not None:
        raise Refused(f"case #{other} of this name is open: go on there, or choose another name")
    stored = _store(connection, Change(Transition.OPENED, case, case.opened_ms, actor, comment), notices, files)
    detail = {"kind": str(case.kind), "subject": case.subject}
    note(connection, case.opened_ms, actor, "alert.open", str(stored.alert.id), detail)
    return stored.alert


def acted(
    connection: Connection,
    alert_id: int,
    action: Action,
    *,
    actor: str,
    now_ms: int,
    comment: str,
    assignee: str,
    files: Sequence[Attachment],
    notices: Notices,
) -> Alert | None:
    """Take a person's step, within a transaction (:meth:`AlertLog.act`)."""
    before = alert_of(connection, alert_id)
    if before is None:
        return None
    state = next_state(before.state, action)
    if before.state is State.CLOSED and (other := _open_id(connection, before)) is not None:
        raise ActionRefused(before.state, action, f"alert #{other} of the same kind and place is open")
    alert = replace(before, state=state, assignee=assignee or before.assignee)
    _store(connection, Change(_DONE[action], alert, now_ms, actor, comment), notices, files)
    note(connection, now_ms, actor, f"alert.{action}", str(alert_id))
    return alert


def alert_of(connection: Connection, alert_id: int) -> Alert | None:
    """One alert, or None."""
    row = connection.execute(select(alerts).where(alerts.c.id == alert_id)).one_or_none()
    return None if row is None else _alert(row)


def events_of(connection: Connection, alert_id: int) -> tuple[AlertEvent, ...]:
    """The trail of an alert, the oldest step first."""
    query = select(alert_events).where(alert_events.c.alert_id == alert_id).order_by(alert_events.c.seq)
    return tuple(
        AlertEvent(r.alert_id, r.seq, r.time_ms, Transition(r.transition), r.actor, r.comment, r.snapshot)
        for r in connection.execute(query)
    )


def files_of(connection: Connection, alert_id: int) -> tuple[AlertFile, ...]:
    """The files of an alert, in the order in which they came."""
    columns = [alert_files.c[name] for name in ("seq", "name", "media_type", "sha256", "bytes")]
    query = select(*columns).where(alert_files.c.alert_id == alert_id).order_by(alert_files.c.id)
    return tuple(AlertFile(i, *row) for i, row in enumerate(connection.execute(query), 1))


def _filtered(
    query: Select[Any],
    states: Collection[State] | None,
    parameter: str | None,
    limit_set: str | None,
    span: Span | None,
) -> Select[Any]:
    if states is not None:
        query = query.where(alerts.c.state.in_(sorted(str(s) for s in states)))
    if parameter is not None:
        query = query.where(alerts.c.parameter == parameter)
    if limit_set is not None:
        query = query.where(alerts.c.limit_set == limit_set)
    if span is not None:
        query = query.where(alerts.c.since_ms < span.end_ms, alerts.c.until_ms > span.start_ms)
    return query


def _known(connection: Connection, covered: Span) -> tuple[Alert, ...]:
    reaches_in = and_(alerts.c.since_ms < covered.end_ms, alerts.c.until_ms > covered.start_ms)
    query = select(alerts).where(or_(alerts.c.state != State.CLOSED, reaches_in)).order_by(alerts.c.id)
    return tuple(_alert(row) for row in connection.execute(query))


def _open_id(connection: Connection, alert: Alert) -> int | None:
    same = [alerts.c[name] == value for name, value in zip(_KEY, alert.key, strict=True)]
    return connection.execute(select(alerts.c.id).where(*same, alerts.c.state != State.CLOSED)).scalar_one_or_none()


_KEY = ("kind", "point", "parameter", "limit_set", "subject")


def _due(connection: Connection, due: Due, now_ms: int) -> list[Change]:
    query = select(alerts).where(alerts.c.state != State.CLOSED).order_by(alerts.c.id)
    waiting = [_alert(row) for row in connection.execute(query)]
    trails: dict[int, list[tuple[Transition, int]]] = {alert.id: [] for alert in waiting}
    columns = alert_events.c.alert_id, alert_events.c.transition, alert_events.c.time_ms
    events = select(*columns).join(alerts, alerts.c.id == alert_events.c.alert_id)
    ordered = events.where(alerts.c.state != State.CLOSED).order_by(alert_events.c.alert_id, alert_events.c.seq)
    for alert_id, what, time_ms in connection.execute(ordered):
        trails[alert_id].append((Transition(what), time_ms))
    steps = ((alert, due(alert, trails[alert.id])) for alert in waiting)
    return [Change(step, alert, now_ms) for alert, step in steps if step is not None]


def _trail(connection: Connection, alert_id: int) -> list[tuple[Transition, int]]:
    columns = alert_events.c.transition, alert_events.c.time_ms
    query = select(*columns).where(alert_events.c.alert_id == alert_id).order_by(alert_events.c.seq)
    return [(Transition(what), time_ms) for what, time_ms in connection.execute(query)]


def _store(connection: Connection, change: Change, notices: Notices, files: Sequence[Attachment] = ()) -> Change:
    """Keep the alert as it is now, its event, and the messages owed; the change with the id of a new alert."""
    alert = change.alert
    if alert.id:
        _update(connection, alert, change.time_ms)
    else:
        row = {**_columns(alert), "opened_ms": alert.opened_ms, "changed_ms": change.time_ms}
        new_id = connection.execute(insert(alerts).values(**row).returning(alerts.c.id)).scalar_one()
        alert = replace(alert, id=new_id)
    stored = replace(change, alert=alert)
    seq = _add_event(connection, stored)
    for file in files:
        about = {"alert_id": alert.id, "seq": seq, "name": file.name, "media_type": file.media_type}
        content = {"sha256": file.sha256, "bytes": len(file.content), "content": file.content}
        connection.execute(insert(alert_files).values(**about, **content))
    owed = notices(stored, _trail(connection, alert.id))
    owe(connection, alert.id, seq, change.transition, owed, change.time_ms)
    return stored


def _update(connection: Connection, alert: Alert, now_ms: int) -> None:
    connection.execute(update(alerts).where(alerts.c.id == alert.id).values(**_columns(alert), changed_ms=now_ms))


def _add_event(connection: Connection, change: Change) -> int:
    alert = change.alert
    of_alert = select(func.coalesce(func.max(alert_events.c.seq), 0)).where(alert_events.c.alert_id == alert.id)
    seq: int = connection.execute(of_alert).scalar_one() + 1
    row = {
        "alert_id": alert.id,
        "seq": seq,
        "time_ms": change.time_ms,
        "transition": str(change.transition),
        "actor": change.actor,
        "comment": change.comment,
        "snapshot": {"state": str(alert.state), **_numbers(alert)},
    }
    connection.execute(insert(alert_events).values(**row))
    return seq


def _numbers(alert: Alert) -> dict[str, Any]:
    worst = alert.told
    return {
        "since_ms": alert.since_ms,
        "until_ms": alert.until_ms,
        "ongoing": alert.ongoing,
        "windows": alert.windows,
        "peak": worst.peak,
        "limit_value": worst.limit,
        "peak_ratio": worst.peak_ratio,
    }


def _columns(alert: Alert) -> dict[str, Any]:
    return {
        **dict(zip(_KEY, map(str, alert.key), strict=True)),
        "state": str(alert.state),
        "assignee": alert.assignee,
        "member": alert.member,
        "episodes": [_episode_json(e) for e in alert.episodes],
        **_numbers(alert),
    }


# Point, parameter, limit set, subject and member are those of the alert.
_EPISODE = (
    "statistic",
    "start_ms",
    "end_ms",
    "windows",
    "peak",
    "limit",
    "peak_ratio",
    "ongoing",
    "unit",
    "withdrawn",
    "seen_ms",
    "evidence",
)


def _episode_json(episode: Exceedance) -> dict[str, Any]:
    values = asdict(episode)
    return {name: values[name] for name in _EPISODE}


def _alert(row: Row[Any]) -> Alert:
    about = {name: getattr(row, name) for name in ("point", "parameter", "limit_set", "subject", "member")}
    about["kind"] = Kind(row.kind)
    return Alert(
        **about,
        opened_ms=row.opened_ms,
        episodes=_episodes(row.episodes, about),
        state=State(row.state),
        id=row.id,
        assignee=row.assignee,
    )


def _episodes(stored: Iterable[Mapping[str, Any]], about: Mapping[str, Any]) -> tuple[Exceedance, ...]:
    found = []
    for one in stored:
        values: dict[str, Any] = {name: one[name] for name in _EPISODE if name != "evidence"}
        words = one.get("evidence")  # older rows have none
        found.append(Exceedance(**about, **values, evidence=None if words is None else Name(**words)))
    return tuple(found)
