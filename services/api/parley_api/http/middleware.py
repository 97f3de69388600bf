"""Around every request: an id, a line in the log, headers that browsers heed, and an answer when all else fails."""

from __future__ import annotations

import re
import sys
import time
import traceback
from collections.abc import Mapping
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parley_api.http.http_metrics import HttpMetrics
from parley_api.http.problems import internal_error
from parley_core.logs import get_logger

log = get_logger(__name__)

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
QUIET_ROUTES = frozenset({"/healthz", "/livez", "/readyz", "/metrics"})  # asked every few seconds, for ever

HEADERS: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",  # answers are about patients; a page of ours may say otherwise
}


class RequestMiddleware:
    """ASGI middleware, outermost. Logs the route's pattern, never the address: a query may hold a reference."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        with structlog.contextvars.bound_contextvars(request_id=exchange.request_id):
            await self._answer(exchange, receive)
            self._note(exchange)

    async def _answer(self, exchange: _Exchange, receive: Receive) -> None:
        try:
            await self._app(exchange.scope, receive, exchange.send)
        except Exception as error:  # noqa: BLE001 - the last one who can answer; the message may hold anything
            log.error("unhandled error", error=type(error).__name__, where=_where(error))
            if exchange.status is None:
                await internal_error()(exchange.scope, receive, exchange.send)
            else:
                raise _AbortedError from None

    def _note(self, exchange: _Exchange) -> None:
        route, seconds = exchange.route, time.perf_counter() - exchange.began
        status, method = exchange.status or 0, exchange.scope["method"]
        self._metrics.observe(method, route, status, seconds)
        if route not in QUIET_ROUTES or status >= 500:
            log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))


class _AbortedError(RuntimeError):
    """The answer had begun, so that the server can only cut the connection."""


class _Exchange:
    """One request and what was answered."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope, self._send, self.began = scope, send, time.perf_counter()
        self.status: int | None = None
        given = Headers(scope=scope).get("x-request-id", "")
        self.request_id = given if REQUEST_ID.fullmatch(given) else uuid4().hex

    @property
    def route(self) -> str:
        """The pattern that matched: `/v1/jobs/{job_id}`."""
        return str(getattr(self.scope.get("route"), "path", "unmatched"))

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self.request_id
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


def _where(error: Exception) -> list[str]:
    """File and line of every frame; no message and no values, which may be a patient's."""
    frames = traceback.extract_tb(error.__traceback__ or sys.exc_info()[2])
    return [f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-12:]]
