"""Every error as an RFC 9457 problem."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse

from parley_api.http.errors import Unauthenticated
from parley_api.http.problem_kinds import CLIENT_CLOSED, CLIENT_CLOSED_REQUEST, INTERNAL_ERROR, KINDS
from parley_core.errors import ParleyError

MEDIA_TYPE = "application/problem+json"


def problem(
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    status: int | None = None,
    **members: object,
) -> JSONResponse:
    """Return a problem response.

    Args:
        code: a key of `KINDS`; an unknown code is an internal error.
        detail: what happened, in a sentence for people.
        status: instead of the code's own.
        members: extension members that belong to the code.
    """
    kind = KINDS.get(code, KINDS[INTERNAL_ERROR])
    sent = dict(headers or {})
    if kind.retry_after is not None:
        sent["Retry-After"] = str(kind.retry_after)
    content: dict[str, Any] = {
        "type": f"urn:parley:problem:{code}",
        "title": kind.title,
        "status": status or kind.status,
        "detail": detail,
        "code": code,
        **members,
    }
    return JSONResponse(content, content["status"], sent, MEDIA_TYPE)


def from_error(error: ParleyError) -> JSONResponse:
    """Return the problem for one of Parley's own errors."""
    headers = {"WWW-Authenticate": 'Bearer realm="parley"'} if isinstance(error, Unauthenticated) else None
    return problem(error.code, error.detail, headers, **getattr(error, "members", {}))


def internal_error() -> JSONResponse:
    """Return the problem for an unexpected error. It tells the caller nothing else: messages may hold patient data."""
    return problem(INTERNAL_ERROR, "An unexpected error. The server's log has it under this response's `X-Request-ID`.")


def phrase(status: int) -> str:
    """Return the name of a status."""
    return KINDS[CLIENT_CLOSED].title if status == CLIENT_CLOSED_REQUEST else HTTPStatus(status).phrase
