"""Alerts as the API shows them: what each viewer may read of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from plant_monitor.alerts.deadlines import deadlines, policy_for
from plant_monitor.alerts.lifecycle import CASES, Alert, Exceedance, Transition
from plant_monitor.alerts.notices import assignees, calendar_of
from plant_monitor.api.access import Viewer
from plant_monitor.api.errors import not_found
from plant_monitor.api.schemas import AlertFileView
from plant_monitor.api.services import ApiServices, StoredDelivery, StoredEvent, StoredFile
from plant_monitor.plant import Plant
from plant_monitor.windows import rfc3339


class AlertViews:
    """Looks alerts up, for a viewer."""

    def __init__(self, services: ApiServices) -> None:
        self._ledger, self._plant, self._clock = services.ledger, services.plant, services.clock

    def visible(self, alert_id: int, viewer: Viewer) -> Alert:
        """An alert that is open to the viewer, else 404."""
        alert = self._ledger.alerts.get(alert_id)
        if alert is None or not viewer.sees_alert(alert):
            raise not_found("alert", alert_id, "path.alert")
        return alert

    def shown(self, alert: Alert, viewer: Viewer) -> dict[str, Any]:
        """A row of the list."""
        return {**_alert(alert, self._plant.zone), "assignee": viewer.assignee_shown(alert.assignee)}

    def detail(self, alert: Alert, viewer: Viewer) -> dict[str, Any]:
        """An alert with all that belongs to it."""
        log, zone = self._ledger.alerts, self._plant.zone
        sent = self._ledger.deliveries.find(alert_id=alert.id, limit=1000) if viewer.sees_service else None
        now_ms = self._clock.now_ms()
        until = max((m.until_ms for m in self._ledger.mutes.find() if m.covers(alert, now_ms)), default=None)
        events, files = log.events(alert.id), log.files(alert.id)
        return {
            **self.shown(alert, viewer),
            "assignees": self._assignees(alert, viewer),
            "muted_until": None if until is None else rfc3339(until, zone),
            "deadlines": deadlines_view(alert, events, self._plant),
            "episodes": [_episode(e, zone) for e in alert.episodes if alert.kind not in CASES],
            "events": [_event(e, [f for f in files if f.seq == e.seq], zone, viewer) for e in events],
            "deliveries": None if sent is None else [_delivery(d, zone) for d in reversed(sent)],
        }

    def _assignees(self, alert: Alert, viewer: Viewer) -> list[dict[str, str]]:
        found = assignees(alert, self._plant) if viewer.sees_names else ()
        return [{"id": who, "role": role, "member": member} for who, role, member in found]


class Step(Protocol):
    """What deadlines are counted from."""

    @property
    def transition(self) -> Transition: ...  # noqa: D102
    @property
    def time_ms(self) -> int: ...  # noqa: D102


def deadlines_view(alert: Alert, events: Sequence[Step], plant: Plant) -> dict[str, Any] | None:
    """Until when somebody has to act; None where no policy asks."""
    policy = policy_for(alert, plant.notify.policies)
    if policy is None:
        return None
    at = deadlines(alert, [(e.transition, e.time_ms) for e in events], policy, calendar_of(plant))
    return {
        "acknowledge_by": None if at.acknowledge_ms is None else rfc3339(at.acknowledge_ms, plant.zone),
        "answer_by": None if at.answer_ms is None else rfc3339(at.answer_ms, plant.zone),
        "certain": at.certain,
    }


def _alert(alert: Alert, zone: Any) -> dict[str, Any]:
    worst, counted = alert.told, alert.kind not in CASES
    return {
        "id": alert.id,
        "kind": str(alert.kind),
        "point": alert.point,
        "parameter": alert.parameter,
        "limit_set": alert.limit_set,
        "subject": alert.subject,
        "member": alert.member,
        "state": str(alert.state),
        "assignee": alert.assignee,
        "opened": rfc3339(alert.opened_ms, zone),
        "since": rfc3339(alert.since_ms, zone),
        "until": rfc3339(alert.until_ms, zone),
        "ongoing": alert.ongoing,
        "windows": alert.windows,
        "statistic": worst.statistic,
        "peak": worst.peak if counted else None,
        "limit": worst.limit if counted else None,
        "unit": worst.unit,
        "peak_ratio": worst.peak_ratio,
        "evidence": _words(worst),
    }


def _episode(episode: Exceedance, zone: Any) -> dict[str, Any]:
    return {
        "statistic": episode.statistic,
        "start": rfc3339(episode.start_ms, zone),
        "end": rfc3339(episode.end_ms, zone),
        "windows": episode.windows,
        "peak": episode.peak,
        "limit": episode.limit,
        "unit": episode.unit,
        "peak_ratio": episode.peak_ratio,
        "evidence": _words(episode),
        "ongoing": episode.ongoing,
        "withdrawn": episode.withdrawn,
    }


def _words(episode: Exceedance) -> dict[str, str] | None:
    return None if episode.evidence is None else {"zh": episode.evidence.zh, "en": episode.evidence.en}


def _event(event: StoredEvent, files: Sequence[StoredFile], zone: Any, viewer: Viewer) -> dict[str, Any]:
    return {
        "time": rfc3339(event.time_ms, zone),
        "transition": str(event.transition),
        "actor": event.actor if viewer.sees_names else event.actor.partition(":")[0],
        "comment": event.comment,
        "attachments": [{n: getattr(f, n) for n in AlertFileView.model_fields} for f in files],
    }


def _delivery(delivery: StoredDelivery, zone: Any) -> dict[str, Any]:
    pending = delivery.state == "pending"
    return {
        "transition": str(delivery.transition),
        "recipient": delivery.recipient,
        "channel": delivery.channel,
        "state": str(delivery.state),
        "attempts": delivery.attempts,
        "created": rfc3339(delivery.created_ms, zone),
        "sent": None if delivery.sent_ms is None else rfc3339(delivery.sent_ms, zone),
        "next_try": rfc3339(delivery.next_try_ms, zone) if pending else None,
        "error": delivery.error,
    }
