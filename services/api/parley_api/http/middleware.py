"""Around every request: a request id, a log line, metrics, security headers, and the answer to unexpected errors."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Mapping
from uuid import uuid4

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parley_api.http import rate_headers
from parley_api.http.problem_kinds import KINDS
from parley_api.http.problems import SCOPE_KEY, internal_error
from parley_core.logs import get_logger

log = get_logger(__name__)

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
QUIET_ROUTES = frozenset({"/healthz", "/livez", "/readyz", "/metrics"})  # polled every few seconds
QUIET_STATUSES = frozenset({401, 429})  # counted: strangers could fill the log with them
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300)  # seconds; long polls and uploads are long
REFUSALS = (
    "ambiguous_length",
    "handshake",
    "late_head",
    "malformed",
    "too_many",
    "too_many_uploads",
    "too_many_waits",
    "unknown_key",
    "unknown_link",
    "unread_response",
)
LOGGED_FRAMES = 12

HEADERS: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",  # responses hold patient data; the documentation's files set their own
}


class HttpMetrics:
    """Requests of this process by method, route pattern and status. The jobs' counters live in the record."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a third of all lines, and Prometheus ignores them
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "parley_http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "parley_http_request_seconds",
            "Seconds from the request's head to the end of its response. Routes with `?wait` are long polls.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._problems = Counter(
            "parley_http_problems",
            "Requests that got a problem, by its code: the reasons for which submits are refused among them.",
            ("code",),
            registry=self.registry,
        )
        for code in KINDS:  # a counter that starts at 1 shows no increase
            self._problems.labels(code)
        self._refused = Counter(
            "parley_http_refused",
            "Connections and requests that were refused before they were served.",
            ("reason",),
            registry=self.registry,
        )
        for reason in REFUSALS:
            self._refused.labels(reason)

    def refuse(self, reason: str) -> None:
        """Count one refusal."""
        self._refused.labels(reason).inc()

    def observe(
        self,
        method: str,
        route: str,
        status: int,
        seconds: float,
        problem: str | None = None,
        trace_id: str | None = None,
    ) -> None:
        """Count one request. Status 0 means that no response was sent; the trace is an exemplar of its bucket."""
        method = method if method in METHODS else "other"  # callers may send any text; labels must stay few
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds, {"trace_id": trace_id} if trace_id else None)
        if problem is not None:
            self._problems.labels(problem).inc()


class RequestMiddleware:
    """The outermost ASGI middleware. Logs the route's pattern, not the path or query: these may hold patient data."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        structlog.contextvars.clear_contextvars()  # what runs before in the same task must not name its job here
        with structlog.contextvars.bound_contextvars(request_id=exchange.request_id):
            try:
                await self._app(scope, receive, exchange.send)
            except Exception as error:  # noqa: BLE001 - the outermost handler; the message may hold patient data
                log.error("unhandled error", error=_innermost(error).__name__, where=_frames(error))
                if exchange.status is not None:
                    raise _AbortedError from None
                await internal_error()(scope, receive, exchange.send)
            finally:
                self._record(exchange)

    def _record(self, exchange: _Exchange) -> None:
        method, route, status = exchange.scope["method"], exchange.route, exchange.status or 0
        seconds = time.perf_counter() - exchange.began
        problem, trace_id = exchange.scope.get(SCOPE_KEY), structlog.contextvars.get_contextvars().get("trace_id")
        self._metrics.observe(method, exchange.measured_route, status, seconds, problem, trace_id)
        if status not in QUIET_STATUSES and (route not in QUIET_ROUTES or status >= 500):
            log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))


class _AbortedError(RuntimeError):
    """The response had begun, so the server can only close the connection."""


class _Exchange:
    """One request and its response."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.began = time.perf_counter()
        self.status: int | None = None
        self._send = send
        given = Headers(scope=scope).get("x-request-id", "")
        self.request_id = given if REQUEST_ID.fullmatch(given) else uuid4().hex

    @property
    def route(self) -> str:
        """The pattern that matched, for example `/v1/jobs/{job_id}`."""
        return str(getattr(self.scope.get("route"), "path", "unmatched"))

    @property
    def measured_route(self) -> str:
        """The pattern, marked if the caller chose how long the response takes: a long poll is not slow."""
        return f"{self.route}?wait" if "wait" in QueryParams(self.scope["query_string"]) else self.route

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self.request_id
            rate_headers.write(self.scope, headers)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


def _innermost(error: BaseException) -> type[BaseException]:
    """Return the class of an error, or of the only error in a group: a streamed response raises a group."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return type(error)


def _frames(error: Exception) -> list[str]:
    """Return file, line and function of the last frames, without messages and values: these may be a patient's."""
    frames = traceback.extract_tb(error.__traceback__)[-LOGGED_FRAMES:]
    return [f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
