"""``/annotations``: what people say about readings, laid over them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from plant_monitor.annotations import Annotation, Kind, problem_of
from plant_monitor.api.access import Viewer, current_viewer
from plant_monitor.api.errors import invalid, not_found
from plant_monitor.api.paging import decode_cursor, encode_cursor
from plant_monitor.api.ranges import PageQuery, RangeQuery, read_instant
from plant_monitor.api.schemas import AnnotationView, Page
from plant_monitor.api.services import ApiServices, Withdrawal
from plant_monitor.plant import VOLUME
from plant_monitor.windows import rfc3339


class AnnotationQuery(RangeQuery, PageQuery):
    """Filters of annotations; the range is what they touch, all where none is given."""

    limit: int = Field(100, ge=1, le=1000, description="rows of a page")
    point: str | None = None
    parameter: str | None = None


class AnnotationBody(BaseModel):
    """An annotation to keep."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    point: str
    parameter: str = Field("", description="every one of the point, where it is left out (an exchange: volume)")
    from_: str = Field(alias="from", description="RFC 3339, or a local date", examples=["2026-10-03T09:00:00+08:00"])
    to: str | None = Field(None, description="exclusive; left out for an instant (a register, an exchange)")
    value: float | None = Field(None, description="manual_value; left out, it backs readings marked S")
    closing_register: float | None = None
    opening_register: float | None = None
    reason: str = Field(max_length=2000)
    evidence: str = Field("", max_length=2000, description="manual_value needs it")


class WithdrawBody(BaseModel):
    """Why an annotation is taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=2000)


def annotation_routes(services: ApiServices) -> APIRouter:
    """Routes about annotations."""
    router = APIRouter(tags=["annotations"])
    plant, log = services.plant, services.ledger.annotations

    @router.get("/annotations", response_model=Page[AnnotationView])
    def get_annotations(
        query: Annotated[AnnotationQuery, Query()], viewer: Annotated[Viewer, Depends(current_viewer)]
    ) -> Any:
        """Annotations of points that the key may see, withdrawn ones too, the newest first."""
        shown = [(p.id, s.parameter) for p in viewer.own_points for s in p.series]
        viewer.check_filters(shown, query.point, query.parameter, None)
        start_ms = None if query.from_ is None else read_instant(query.from_, plant.zone, "query.from")
        end_ms = None if query.to is None else read_instant(query.to, plant.zone, "query.to")
        found = log.find(
            points={p.id for p in viewer.own_points} if query.point is None else {query.point},
            parameter=query.parameter,
            start_ms=start_ms,
            end_ms=end_ms,
            before_id=None if query.cursor is None else int(decode_cursor(query.cursor, int)[0]),
            limit=query.limit + 1,
        )
        items = found[: query.limit]
        more = len(found) > query.limit
        return {
            "items": [_view(one.annotation, one.withdrawn, viewer) for one in items],
            "next": encode_cursor((items[-1].annotation.id,)) if more else None,
        }

    @router.post("/annotations", response_model=AnnotationView)
    def post_annotation(body: AnnotationBody, viewer: Annotated[Viewer, Depends(current_viewer)]) -> Any:
        """Lay an annotation over readings: they stay as they came, and their windows are judged anew."""
        viewer.require_to_enter()
        start_ms = read_instant(body.from_, plant.zone, "body.from")
        end_ms = start_ms if body.to is None else read_instant(body.to, plant.zone, "body.to")
        registers = body.closing_register, body.opening_register
        parameter = body.parameter or (VOLUME if body.kind is Kind.METER_EXCHANGE else "")
        said = (body.point, parameter, start_ms, end_ms, body.reason, body.evidence, body.value, *registers)
        one = Annotation(body.kind, *said)
        problem = problem_of(plant, one)
        if problem is not None:
            raise invalid(problem, "body")
        stored = log.add(one, now_ms=services.clock.now_ms(), actor=viewer.actor)
        return _view(stored, None, viewer)

    @router.post("/annotations/{number}/withdraw", response_model=AnnotationView)
    def post_withdrawal(
        number: Annotated[int, Path(ge=1, le=2**31 - 1)],
        body: WithdrawBody,
        viewer: Annotated[Viewer, Depends(current_viewer)],
    ) -> Any:
        """Take an annotation back: verdicts are again what they are without it. Both stay in the ledger."""
        own = {p.id for p in viewer.own_points}
        stored = next((s for s in log.find(before_id=number + 1, limit=1) if s.annotation.id == number), None)
        if stored is None or stored.annotation.point not in own:
            raise not_found("annotation", number, "path.number")
        viewer.require_to_enter()
        done = log.withdraw(number, body.reason, now_ms=services.clock.now_ms(), actor=viewer.actor)
        if done is None:
            raise not_found("annotation", number, "path.number")
        return _view(done.annotation, done.withdrawn, viewer)

    return router


def _view(one: Annotation, back: Withdrawal | None, viewer: Viewer) -> dict[str, Any]:
    zone = viewer.plant.zone

    def name(actor: str) -> str:
        return actor if viewer.sees_names else actor.partition(":")[0]

    return {
        "id": one.id,
        "kind": str(one.kind),
        "point": one.point,
        "parameter": one.parameter,
        "from": rfc3339(one.start_ms, zone),
        "to": rfc3339(one.end_ms, zone),
        "value": one.value,
        "closing_register": one.closing,
        "opening_register": one.opening,
        "reason": one.reason,
        "evidence": one.evidence,
        "author": name(one.author),
        "entered": rfc3339(one.entered_ms, zone),
        "withdrawn": None if back is None else rfc3339(back.time_ms, zone),
        "withdrawn_by": "" if back is None else name(back.author),
        "withdrawn_reason": "" if back is None else back.reason,
    }
