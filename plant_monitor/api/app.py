"""The app put together: the gate, the routes, one shape of errors, a page of documentation."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from plant_monitor import __version__
from plant_monitor.api import errors
from plant_monitor.api.alert_routes import alert_routes
from plant_monitor.api.analysis_routes import analysis_routes
from plant_monitor.api.annotation_routes import annotation_routes
from plant_monitor.api.compliance_routes import compliance_routes
from plant_monitor.api.docs_page import docs_routes
from plant_monitor.api.etags import Etags
from plant_monitor.api.gate import OPEN, PREFIX, Gate
from plant_monitor.api.lab_routes import lab_routes
from plant_monitor.api.latest_routes import latest_routes
from plant_monitor.api.live_routes import live_routes
from plant_monitor.api.login_page import login_routes
from plant_monitor.api.member_routes import member_routes
from plant_monitor.api.message_routes import message_routes
from plant_monitor.api.metrics import ApiMetrics, Measure
from plant_monitor.api.mute_routes import mute_routes
from plant_monitor.api.objection_routes import objection_routes
from plant_monitor.api.plant_routes import plant_routes
from plant_monitor.api.public_routes import public_routes
from plant_monitor.api.readings_routes import readings_routes
from plant_monitor.api.service_routes import service_routes
from plant_monitor.api.services import ApiServices
from plant_monitor.api.settlement_routes import settlement_routes
from plant_monitor.api.statement_routes import statement_routes
from plant_monitor.api.summaries import EXAMPLES, SUMMARIES

__all__ = ["ApiServices", "create_app"]

DESCRIPTION = (
    "Readings, compliance, headroom, alerts and statements of one shared wastewater plant.\n\n"
    "每个请求都要带密钥 Authorization: Bearer <key>。成员只能看到自己的数据和全厂公开数据,其余一律 404。\n\n"
    "Every request carries a key. A member sees its own data and the plant's public figures; whatever else there is "
    "answers 404, as if it did not exist. null is unknown, never 0. Times are RFC 3339 with the plant's offset."
)

TAGS = {
    "plant": "厂、监测点、限值,以及成员的用水量。The plant, its points and limits, and what members used.",
    "members": "成员自己的比较与设想。A member's comparisons, and what would be if.",
    "readings": "读数:原始、逐分、逐时、逐日,最近一次。Readings as they came or put together, the last of each series.",
    "compliance": "均值与判定、超标、余量、预警。Means and verdicts, exceedances, headroom, warnings.",
    "annotations": "对读数的标注:校准、剔除、手工值、换表。What is said about readings; they stay as they came.",
    "laboratory": "化验结果,与在线数据分开。Laboratory results, beside the online data and never in them.",
    "alerts": "告警与事项、处理、静默、月度分析。Alerts and cases, what is done about them, mutes, a month of them.",
    "statements": "结算单、更正、异议。Bills, their corrections, objections.",
    "live": "实时事件流。What happens, as it happens.",
    "public": "公示大屏,无需密钥。What is published to everybody; needs no key.",
    "service": "服务本身。The service itself, and who asks.",
}

# Every route may answer with these, all in the one shape.
_ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": errors.ErrorBody, "description": text}
    for code, text in {
        401: "no valid key",
        403: "this key may read here and not write",
        404: "there is no such thing, or this key may not know of it",
        409: "it does not fit the state of things",
        422: "a parameter cannot be understood",
        429: "too many requests with this key",
        503: "the store is out of reach, or a file cannot be made here",
    }.items()
}


def create_app(services: ApiServices) -> FastAPI:
    """The API of one plant, an ASGI app."""
    app = FastAPI(
        title="plant-monitor",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        openapi_tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        docs_url=None,  # FastAPI's own page loads its scripts from the internet
        redoc_url=None,
    )
    metrics = ApiMetrics(services)
    api = APIRouter(prefix=PREFIX, responses=_ERRORS)
    for routes in (
        plant_routes,
        member_routes,
        readings_routes,
        latest_routes,
        public_routes,
        compliance_routes,
        annotation_routes,
        lab_routes,
        alert_routes,
        message_routes,
        mute_routes,
        analysis_routes,
        statement_routes,
        settlement_routes,
        objection_routes,
        live_routes,
    ):
        api.include_router(routes(services))
    api.include_router(service_routes(services, metrics))
    app.include_router(api)
    app.include_router(docs_routes())
    app.include_router(login_routes(services))
    errors.install(app)
    app.add_middleware(Etags)
    app.add_middleware(Gate, services=services)
    app.add_middleware(Measure, metrics=metrics)
    _describe_keys(app)
    return app


def _describe_keys(app: FastAPI) -> None:
    """The OpenAPI document says that the gate wants a key."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            schemes = schema.setdefault("components", {}).setdefault("securitySchemes", {})
            schemes["key"] = {"type": "http", "scheme": "bearer", "description": "plant-monitor keys add …"}
            for name, example in EXAMPLES.items():
                schema["components"]["schemas"][name]["examples"] = [example]
            for path, operations in schema["paths"].items():
                for method, operation in operations.items():
                    operation["summary"] = SUMMARIES.get(f"{method.upper()} {path.removeprefix(PREFIX)}", "")
                    operation["security"] = [{"key": []}, {}] if path in OPEN else [{"key": []}]
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
