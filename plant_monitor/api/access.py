"""Who may see what: the one place where isolation is decided.

A :class:`Viewer` stands for the holder of a key or a person who is signed in. Every route asks it for points,
members, rows and statement lines, and no route decides by role itself. What a viewer may not know is answered with
the same 404 as what does not exist.

A member sees its own points, usage and statement rows, and the plant's public figures: the compliance of the
effluent, the inflow, headroom, limits, statement totals. An officer sees every point and no costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from starlette.requests import Request

from plant_monitor.alerts.lifecycle import Action, Alert, Kind, State
from plant_monitor.api.errors import ApiError, not_found
from plant_monitor.plant import FLOW, LimitSet, Member, Plant, Point, Series

TOTAL = "TOTAL"


class ViewerRole(StrEnum):
    """The roles of keys."""

    OPERATOR = "operator"
    MEMBER = "member"
    OFFICER = "officer"
    ADMIN = "admin"


@dataclass(frozen=True)
class Viewer:
    """The holder of a key, and what it may see of the plant."""

    plant: Plant
    role: ViewerRole
    member_id: str  # empty unless the role is member
    name: str  # label or prefix of the key, or name of the account

    @property
    def actor(self) -> str:
        """How trails name this viewer."""
        return f"{self.role}:{self.name}"

    # --- points and members --------------------------------------------------------------------

    @cached_property
    def own_points(self) -> tuple[Point, ...]:
        """Points whose readings and alerts are open to the viewer."""
        if self.role is not ViewerRole.MEMBER:
            return self.plant.points
        return tuple(p for p in self.plant.outfalls if p.member == self.member_id)

    @cached_property
    def result_series(self) -> frozenset[tuple[str, str]]:
        """(point, parameter) whose means and verdicts are open: a member's own, the effluent's, the inflow."""
        shown = {(p.id, s.parameter) for p in self.own_points for s in p.series}
        if self.role is ViewerRole.MEMBER:
            public = [self.plant.point_by_id[p] for p in (self.plant.effluent, self.plant.inlet) if p]
            for point in public:
                flow_only = point.id != self.plant.effluent
                shown |= {(point.id, s.parameter) for s in point.series if not flow_only or s.parameter == FLOW}
        return frozenset(shown)

    @cached_property
    def result_points(self) -> tuple[Point, ...]:
        """Points that have a row in :attr:`result_series`, in the order of plant.yaml."""
        ids = {point for point, _ in self.result_series}
        return tuple(p for p in self.plant.points if p.id in ids)

    @cached_property
    def lab_points(self) -> frozenset[str]:
        """Points whose laboratory results are open: a member's own, and the effluent, whose compliance is public."""
        shown = {p.id for p in self.own_points}
        if self.plant.effluent is not None:
            shown.add(self.plant.effluent)
        return frozenset(shown)

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The members the viewer may know of."""
        if self.role is not ViewerRole.MEMBER:
            return self.plant.members
        return tuple(m for m in self.plant.members if m.id == self.member_id)

    @cached_property
    def limit_sets(self) -> tuple[LimitSet, ...]:
        """The limit sets that apply at a point the viewer sees."""
        used = {s for p in self.result_points for s in p.limits}
        return tuple(s for s in self.plant.limit_sets if s.id in used)

    def point(self, point_id: str) -> Point:
        """A point whose readings are open to the viewer, else 404."""
        found = next((p for p in self.own_points if p.id == point_id), None)
        if found is None:
            raise not_found("point", point_id, "path.point")
        return found

    def member(self, member_id: str) -> Member:
        """A member the viewer may know of, else 404."""
        found = next((m for m in self.members if m.id == member_id), None)
        if found is None:
            raise not_found("member", member_id, "path.member")
        return found

    def check_filters(
        self, series: Iterable[tuple[str, str]], point: str | None, parameter: str | None, limit_set: str | None
    ) -> None:
        """404 for a filter that names what is not among ``series`` (point, parameter) or the viewer's limit sets."""
        shown = list(series)
        if point is not None and point not in {p for p, _ in shown}:
            raise not_found("point", point, "query.point")
        if parameter is not None and parameter not in {q for p, q in shown if point in (None, p)}:
            raise not_found("parameter", parameter, "query.parameter")
        if limit_set is not None and limit_set not in {s.id for s in self.limit_sets}:
            raise not_found("limit set", limit_set, "query.limit_set")

    # --- alerts ----------------------------------------------------------------------------------

    @property
    def alert_points(self) -> frozenset[str] | None:
        """Points whose alerts are open to the viewer; None for all, also those of points that are gone."""
        return frozenset(p.id for p in self.own_points) if self.role is ViewerRole.MEMBER else None

    @property
    def hidden_kinds(self) -> frozenset[Kind]:
        """Kinds of alerts that do not exist for the viewer: an objection speaks of costs."""
        return frozenset({Kind.OBJECTION}) if self.role is ViewerRole.OFFICER else frozenset()

    def sees_alert(self, alert: Alert) -> bool:
        """True where an alert is open to the viewer: a member's are those of its points, and its own cases."""
        mine = self.alert_points is None or alert.point in self.alert_points or alert.member == self.member_id
        return mine and alert.kind not in self.hidden_kinds

    def require_to_act(self, action: Action, alert: Alert) -> None:
        """403 for who may read an alert and not do this with it.

        A member answers what was handed to it, and says of its own enquiry whether the answer satisfies.
        """
        if self.role is not ViewerRole.MEMBER or (action is Action.REPLY and alert.assignee == self.member_id):
            return
        asked = alert.kind is Kind.ENQUIRY and alert.member == self.member_id
        if not asked or action not in (Action.CLOSE, Action.REOPEN) or alert.state not in (State.REPLIED, State.CLOSED):
            text = "a member's key may reply to what was assigned to it, and close or reopen its own answered enquiry"
            raise ApiError(403, "forbidden", text)

    def require_to_ask(self, point: str) -> None:
        """404 for an enquiry about a point that the viewer may not know of."""
        if point and point not in {p.id for p in (*self.own_points, *self.result_points)}:
            raise not_found("point", point, "body.point")

    def require_to_enter(self) -> None:
        """403 for who may not enter data."""
        if self.role not in (ViewerRole.OPERATOR, ViewerRole.ADMIN):
            raise ApiError(403, "forbidden", "entering data needs the key of an operator or admin")

    def assignee_shown(self, assignee: str) -> str:
        """To whom an alert is handed; a member reads of persons their role alone."""
        person = next((p for p in self.plant.notify.people if p.id == assignee), None)
        return assignee if self.sees_names or person is None else person.role

    @property
    def sees_names(self) -> bool:
        """True where trails name persons; a member reads their role alone."""
        return self.role is not ViewerRole.MEMBER

    # --- costs -----------------------------------------------------------------------------------

    @property
    def sees_costs(self) -> bool:
        """True where costs are open at all."""
        return self.role is not ViewerRole.OFFICER

    def require_costs(self) -> None:
        """404 for an officer, to whom no statement exists."""
        if not self.sees_costs:
            raise ApiError(404, "not_found", "there are no statements for this key")

    def require_to_settle(self) -> None:
        """403 for who may not draft, issue or correct a statement."""
        if self.role not in (ViewerRole.OPERATOR, ViewerRole.ADMIN):
            raise ApiError(403, "forbidden", "statements are issued by operators")

    def require_to_object(self) -> None:
        """403 for who is no member: an objection is a member's."""
        if self.role is not ViewerRole.MEMBER:
            raise ApiError(403, "forbidden", "objections are made with a member's key")

    def statement_rows(self, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The rows of a statement that are open: a member's own and the totals.

        A cost that is charged to another member directly is left out, since its total is that member's.
        """
        if self.role is not ViewerRole.MEMBER:
            return list(rows)
        mine = (self.member_id, TOTAL)
        return [row for row in rows if row["member"] in mine and not self._anothers(str(row.get("basis", "")))]

    def volume_rows(self, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The rows of the volumes that are open: a member's own and the inlet's (no member)."""
        if self.role is not ViewerRole.MEMBER:
            return list(rows)
        return [row for row in rows if row["member"] in (self.member_id, "")]

    @property
    def sees_documents(self) -> bool:
        """True where the whole of a statement is open."""
        return self.role in (ViewerRole.OPERATOR, ViewerRole.ADMIN)

    def _anothers(self, basis: str) -> bool:
        kind, _, member = basis.partition(":")
        return kind == "direct" and member != self.member_id

    # --- the service itself ----------------------------------------------------------------------

    @property
    def sees_service(self) -> bool:
        """True where the service's health and metrics, devices and messages are open."""
        return self.role in (ViewerRole.OPERATOR, ViewerRole.ADMIN)

    def require_service(self) -> None:
        """403 for who does not run the service."""
        if not self.sees_service:
            raise ApiError(403, "forbidden", "this needs the key of an operator or admin")


def published(plant: Plant) -> tuple[Series, ...]:
    """The series that everybody may see, with values and verdicts: what plant.yaml publishes, and nothing else."""
    screen = plant.public_screen
    if screen is None:
        return ()
    shown = [plant.point_by_id[p] for p in screen.points]
    return tuple(s for p in shown for s in p.series if not screen.parameters or s.parameter in screen.parameters)


def current_viewer(request: Request) -> Viewer:
    """The viewer that the gate has let in (``gate.py``)."""
    viewer = request.state.viewer
    if not isinstance(viewer, Viewer):
        raise unauthorized()
    return viewer


def unauthorized() -> ApiError:
    """The one answer to no key and to every wrong one."""
    return ApiError(
        401,
        "unauthorized",
        "found no valid key, expected the header `Authorization: Bearer <key>`",
        "header.authorization",
        {"WWW-Authenticate": "Bearer"},
    )
