"""Every error as an RFC 9457 problem."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from parley_api.http.errors import TenantLimited, Unauthenticated
from parley_api.http.problem_kinds import CLIENT_CLOSED, CLIENT_CLOSED_REQUEST, INTERNAL_ERROR, KINDS
from parley_core.errors import ParleyError

MEDIA_TYPE = "application/problem+json"
SCOPE_KEY = "parley.problem"


class Problem(JSONResponse):
    """A problem response. It leaves its code in the scope of the request, where the middleware counts it."""

    media_type = MEDIA_TYPE

    def __init__(self, code: str, content: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        super().__init__(content, content["status"], headers)
        self.code = code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[SCOPE_KEY] = self.code
        await super().__call__(scope, receive, send)


def problem(
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    status: int | None = None,
    **members: object,
) -> Problem:
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
        sent.setdefault("Retry-After", str(kind.retry_after))
    content: dict[str, Any] = {
        "type": f"urn:parley:problem:{code}",
        "title": kind.title,
        "status": status or kind.status,
        "detail": detail,
        "code": code,
        **members,
    }
    return Problem(code, content, sent)


def from_error(error: ParleyError) -> Problem:
    """Return the problem for one of Parley's own errors."""
    headers = {"WWW-Authenticate": 'Bearer realm="parley"'} if isinstance(error, Unauthenticated) else {}
    if isinstance(error, TenantLimited):
        headers["Retry-After"] = str(error.retry_after)
    return problem(error.code, error.detail, headers, **getattr(error, "members", {}))


def internal_error() -> Problem:
    """Return the problem for an unexpected error. It tells the caller nothing else: messages may hold patient data."""
    return problem(INTERNAL_ERROR, "An unexpected error. The server's log has it under this response's `X-Request-ID`.")


def phrase(status: int) -> str:
    """Return the name of a status."""
    return KINDS[CLIENT_CLOSED].title if status == CLIENT_CLOSED_REQUEST else HTTPStatus(status).phrase
