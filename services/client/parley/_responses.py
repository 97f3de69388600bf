"""The server's responses as values or as errors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from parley._httpx import httpx
from parley.errors import ParleyApiError, ParleyUnavailable, UnexpectedResponse
from parley.models import Document

T = TypeVar("T")


def parse(response: httpx.Response, build: Callable[[Document], T]) -> T:
    """Return what `build` makes of the JSON object in a response.

    Raises:
        UnexpectedResponse: it is not a JSON object, or not one that `build` understands.
    """
    try:
        document = response.json()
        if not isinstance(document, dict):
            raise TypeError("not a JSON object")
        return build(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        request = response.request
        raise UnexpectedResponse(
            f"The response to {request.method} {request.url.path} does not come from Parley ({error!r}). "
            "Check that PARLEY_URL is the address of a Parley server of the same major version."
        ) from error


def api_error(response: httpx.Response) -> ParleyApiError:
    """Return the error for a response with a status of 400 or more."""
    problem = _problem(response)
    unavailable = response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error
    kind = ParleyUnavailable if unavailable else ParleyApiError
    detail = problem.get("detail") or problem.get("title") or response.reason_phrase or "The server gives no reason."
    return kind(
        response.status_code,
        str(problem.get("code") or f"http_{response.status_code}"),
        str(detail),
        _retry_after(response.headers.get("Retry-After")),
    )


def _problem(response: httpx.Response) -> Document:
    """Return the problem (RFC 9457) in a response; empty if a proxy sent a page of its own."""
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header in either form of RFC 9110, 10.2.3; None for anything else."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment.replace(tzinfo=moment.tzinfo or UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
