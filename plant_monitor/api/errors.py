"""One shape for every error: ``{"error": {"code", "message", "where"}}``."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from plant_monitor.alerts.lifecycle import ActionRefused
from plant_monitor.errors import InputError, NotAvailable, PlantMonitorError, Refused, StoreUnavailable

_log = structlog.get_logger(__name__)


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: str = Field(description="for programs: one of a fixed set of words", examples=["not_found"])
    message: str = Field(description="for people", examples=["there is no point 'north-outfall'"])
    where: str = Field(description="the part of the request that is meant; may be empty", examples=["path.point"])


class ErrorBody(BaseModel):
    """The body of every answer that is no success."""

    error: ErrorDetail


class ApiError(PlantMonitorError):
    """A request that cannot be answered as it was meant."""

    def __init__(
        self, status: int, code: str, message: str, where: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        self.status, self.code, self.where, self.headers = status, code, where, dict(headers or {})
        super().__init__(message)

    def response(self) -> JSONResponse:
        """The answer."""
        return error_response(self.status, self.code, str(self), self.where, self.headers)


def not_found(what: str, name: object, where: str) -> ApiError:
    """For what does not exist and for what the viewer may not know to exist, in the same words."""
    return ApiError(404, "not_found", f"there is no {what} {str(name)!r}", where)


def invalid(message: str, where: str) -> ApiError:
    """A part of the request that cannot be understood."""
    return ApiError(422, "invalid", message, where)


def error_response(
    status: int, code: str, message: str, where: str = "", headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An error as an answer."""
    body = {"error": {"code": code, "message": message, "where": where}}
    return JSONResponse(body, status, headers=dict(headers or {}))


def install(app: FastAPI) -> None:
    """Answer every error of the app in the one shape."""
    app.add_exception_handler(PlantMonitorError, _product_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


async def _product_error(_request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, ApiError):
        return error.response()
    if isinstance(error, ActionRefused):
        return error_response(409, "conflict", str(error), "path.action")
    if isinstance(error, Refused):
        return error_response(409, "conflict", str(error))
    if isinstance(error, InputError):
        return error_response(422, "invalid", str(error))
    if isinstance(error, NotAvailable):
        return error_response(503, "unavailable", str(error))
    if isinstance(error, StoreUnavailable):
        _log.error("store out of reach for the API", reason=str(error))
        return error_response(503, "unavailable", "the store is out of reach; try again", headers={"Retry-After": "5"})
    return await _unexpected(_request, error)


async def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems: Sequence[Any] = error.errors()
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return error_response(422, "invalid", f"{first['msg']}{more}", ".".join(str(part) for part in first["loc"]))


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST:  # what FastAPI says of a body that is no text at all
        return error_response(422, "invalid", "the body cannot be read, expected JSON in UTF-8", "body")
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    message = HTTPStatus(error.status_code).phrase.lower()
    return error_response(error.status_code, code, f"{request.method} {request.url.path}: {message}", "", error.headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    """What is our own mistake: logged in full, told in one sentence that gives nothing away."""
    # The plain traceback: one with local variables would write keys into the log.
    told = "".join(traceback.format_exception(error))
    _log.error("API request failed", method=request.method, path=request.url.path, traceback=told)
    return error_response(500, "internal", "the server failed to answer; its log says why")
