"""Every error as an RFC 9457 problem: which class answers which status stands in one table."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from parley_api.http import errors as api
from parley_core import errors as core
from parley_core.errors import ParleyError

MEDIA_TYPE = "application/problem+json"
CLIENT_CLOSED_REQUEST = 499  # nobody is there to read it; it only shows in the log

STATUS: Mapping[type[ParleyError], int] = {
    core.InvalidRequest: 422,
    core.EmptyRecording: 422,
    core.NotAudio: 415,
    core.RecordingTooLarge: 413,
    core.RecordingError: 422,
    core.JobNotFound: 404,
    core.JobPurged: 410,
    core.JobNotFinished: 409,
    core.JobNotSucceeded: 409,
    core.JobAlreadyTerminal: 409,
    core.JobNotRetryable: 409,
    core.VoiceprintNotFound: 404,
    core.VoiceprintNameTaken: 409,
    core.TooManyVoiceprints: 409,
    core.IdempotencyKeyReused: 422,
    core.IdempotencyKeyInUse: 409,
    core.JobStoreUnusable: 503,
    core.QueueFull: 429,
    core.RetryableError: 503,
    api.UnsupportedBody: 415,
    api.BodyTooLarge: 413,
    api.BodyStalled: 408,
    api.SpeakerEmbeddingsNotKept: 409,
    api.NotAcceptable: 406,
    api.Unauthenticated: 401,
    api.UnknownHost: 421,
}

RETRY_AFTER: Mapping[type[ParleyError], int] = {  # seconds
    core.IdempotencyKeyInUse: 2,
    core.JobStoreUnusable: 60,  # somebody has to change Redis or the settings first
    core.QueueFull: 10,  # about how long a few jobs take to leave the queue
    core.JobStoreFull: 30,  # memory comes back when jobs are purged, not in a moment
    core.RetryableError: 5,
}

FRAMEWORK_CODES: Mapping[int, str] = {404: "not_found", 405: "method_not_allowed"}


def look_up(table: Mapping[type[ParleyError], int], error: ParleyError) -> int | None:
    """Return the entry of the error's class, or of its nearest ancestor that has one."""
    return next((table[kind] for kind in type(error).__mro__ if kind in table), None)


def problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **members: object
) -> JSONResponse:
    """Return a problem response. `members` are extensions of the format that belong to the code."""
    content: dict[str, Any] = {
        "type": f"urn:parley:problem:{code}",
        "title": title(status),
        "status": status,
        "detail": detail,
        "code": code,
        **members,
    }
    return JSONResponse(content, status, headers, MEDIA_TYPE)


def title(status: int) -> str:
    """Return the status in words."""
    return "Client Closed Request" if status == CLIENT_CLOSED_REQUEST else HTTPStatus(status).phrase


def from_error(error: ParleyError) -> JSONResponse:
    """Return the problem that an error of ours stands for."""
    headers = {}
    if (seconds := look_up(RETRY_AFTER, error)) is not None:
        headers["Retry-After"] = str(seconds)
    if isinstance(error, api.Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="parley"'
    status = look_up(STATUS, error) or 500
    return problem(status, error.code, error.detail, headers, **getattr(error, "members", {}))


def internal_error() -> JSONResponse:
    """Return what a caller sees of an error that nobody foresaw: nothing but that there was one."""
    return problem(500, "internal_error", "Something went wrong here. The log has it under the request's id.")


async def _on_parley_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ParleyError)
    return from_error(error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = FRAMEWORK_CODES.get(error.status_code, title(error.status_code).lower().replace(" ", "_"))
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    return problem(error.status_code, code, _sentence(request, error), headers)


def _methods(request: Request) -> set[str]:
    """What the address can do: the framework names the methods of its first route alone."""
    route = request.scope["route"]
    described = request.app.openapi()["paths"].get(route.path, {})
    return {method.upper() for method in (*described, *route.methods)}


def _sentence(request: Request, error: HTTPException) -> str:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return "There is nothing at this address. /docs lists what there is."
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{request.method} is not possible here."
    return str(error.detail)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [{"at": ".".join(str(part) for part in one["loc"]), "detail": one["msg"]} for one in error.errors()]
    unknown = all(one["type"] == "extra_forbidden" for one in error.errors())
    code = api.UnknownOption.code if unknown else api.InvalidOption.code
    detail = "; ".join(f"{one['at']}: {one['detail']}" for one in found)
    return problem(422, code, detail, errors=found)


async def _on_disconnect(request: Request, error: Exception) -> Response:
    return problem(CLIENT_CLOSED_REQUEST, "client_closed_request", "The caller went away.")


def install(app: FastAPI) -> None:
    """Make every error of the application a problem response."""
    app.add_exception_handler(ParleyError, _on_parley_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
