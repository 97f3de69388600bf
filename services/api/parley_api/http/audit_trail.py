"""Which requests are events of the audit log, and what their events say: ids, never content, names or addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping

import structlog
from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parley_api.http.audit_log import AuditLog
from parley_api.http.errors import AuditUnavailable
from parley_api.http.problems import SCOPE_KEY, from_error

ACTOR = "parley.actor"  # in the scope of a request: members of its events that say who calls
CONSULT = "/api/workflows/aurity/consult"
JOB, VOICEPRINTS, KEYS = "/v1/jobs/{job_id}", "/v1/voiceprints", "/v1/keys"
BATCHES = "/v1/batches"

ACTIONS: Mapping[tuple[str, str], str] = {
    ("POST", "/v1/jobs"): "job.submit",
    ("POST", CONSULT): "job.submit",
    ("POST", BATCHES): "batch.submit",  # each of its jobs has an event of its own
    ("POST", BATCHES + "/{batch_id}/cancel"): "batch.cancel",
    ("POST", "/v1/uploads"): "upload.begin",
    ("DELETE", "/v1/uploads/{upload_id}"): "upload.delete",
    ("POST", f"{JOB}/cancel"): "job.cancel",
    ("POST", f"{JOB}/retry"): "job.retry",
    ("DELETE", JOB): "job.delete",
    ("GET", f"{JOB}/turns"): "result.read",
    ("GET", f"{JOB}/timeline.svg"): "result.read",
    ("GET", f"{JOB}/timeline.png"): "result.read",
    ("GET", CONSULT + "/{job_id}"): "result.read",
    ("GET", f"{JOB}/transcript"): "result.read",
    ("POST", f"{JOB}/transcript"): "transcript.send",
    ("POST", f"{JOB}/transcribe"): "transcript.request",
    ("POST", f"{JOB}/corrections"): "result.correct",
    ("GET", f"{JOB}/corrections"): "corrections.read",
    ("GET", f"{JOB}/corrections/questions"): "corrections.read",
    ("GET", f"{JOB}/audio"): "audio.read",
    ("GET", f"{JOB}/peaks"): "peaks.read",
    ("POST", f"{JOB}/shares"): "share.make",
    ("GET", f"{JOB}/shares"): "share.list",
    ("DELETE", JOB + "/shares/{share_id}"): "share.revoke",
    ("GET", "/v1/shared"): "share.open",
    ("GET", "/v1/shared/turns"): "result.read",
    ("GET", "/v1/shared/peaks"): "peaks.read",
    ("GET", "/v1/shared/audio"): "audio.read",
    ("GET", VOICEPRINTS): "voiceprint.list",
    ("POST", VOICEPRINTS): "voiceprint.enrol",
    ("GET", VOICEPRINTS + "/{voiceprint_id}"): "voiceprint.read",
    ("DELETE", VOICEPRINTS + "/{voiceprint_id}"): "voiceprint.delete",
    ("POST", "/v1/deliveries/{delivery_id}/resend"): "webhook.resend",
    ("GET", KEYS): "key.list",
    ("POST", KEYS): "key.make",
    ("DELETE", KEYS + "/{key_id}"): "key.revoke",
}
NOT_AUDITED = frozenset(
    {
        ("GET", "/v1/jobs"),  # states without audio and turns, which programs and pages ask for every second
        ("GET", JOB),
        ("GET", BATCHES),
        ("GET", BATCHES + "/{batch_id}"),
        ("GET", f"{JOB}/events"),
        ("GET", "/v1/uploads"),
        ("OPTIONS", "/v1/uploads"),
        ("HEAD", "/v1/uploads/{upload_id}"),
        ("PATCH", "/v1/uploads/{upload_id}"),  # a part of a recording, of which there are many
        ("GET", "/v1/deliveries"),
        ("GET", "/v1/queues"),
        ("GET", "/v1/usage"),
        ("GET", "/v1/health"),
        ("GET", "/healthz"),
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
    }
)
"""Every call of the API is here or above."""

FAILURE: Message = {"type": "http.response.start", "status": 500, "headers": []}  # what an unexpected error becomes
EXPORT = "embeddings.export"
PROTECTED = ("/v1/", "/api/")  # refused where the log is required and cannot be written
ID = re.compile(r"[0-9a-f]{12,64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(:\d{1,9})?")


class AuditMiddleware:
    """Writes the event of a request as its response begins: nothing leaves before it is written.

    Requests without a valid key or link are no events: strangers could fill the log with them.
    """

    def __init__(self, app: ASGIApp, audit: AuditLog) -> None:
        self._app, self._audit = app, audit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        required = self._audit.required and path.startswith(PROTECTED)
        if required and not self._audit.is_writable():
            await from_error(AuditUnavailable())(scope, receive, send)
            return
        begun = withheld = False

        async def audited(message: Message) -> None:
            nonlocal begun, withheld
            begun = True
            if message["type"] == "http.response.start" and not self._note(scope, message) and required:
                withheld = True
                await from_error(AuditUnavailable())(scope, receive, send)
            elif not withheld:
                await send(message)

        try:
            await self._app(scope, receive, audited)
        except Exception:
            if not begun:
                self._note(scope, FAILURE)
            raise

    def _note(self, scope: Scope, start: Message) -> bool:
        """Write the event of a response; return False where that failed. A call that is no event returns True."""
        route = (scope["method"], getattr(scope.get("route"), "path", ""))
        actor = scope.get(ACTOR)
        if actor is None or route not in ACTIONS:
            return True
        status, context = start["status"], structlog.contextvars.get_contextvars()
        exports = route[1].endswith("/turns") and QueryParams(scope["query_string"]).get("embeddings") == "true"
        return self._audit.write(
            EXPORT if exports else ACTIONS[route],
            outcome="done" if status < 400 else "refused" if status < 500 else "failed",
            status=status,
            code=scope.get(SCOPE_KEY) if status >= 400 else None,
            **actor,
            job=context.get("job_id") or _id(scope["path_params"].get("job_id")),
            target=_target(scope, start) if status < 500 else None,
            request_id=context.get("request_id"),
            trace_id=context.get("trace_id"),
        )


def _target(scope: Scope, start: Message) -> str | None:
    """Return the id of what the request made, or else of what its path names last."""
    made = Headers(raw=start["headers"]).get("location", "").split("?")[0].split("/")
    named = [value for value in scope["path_params"].values() if isinstance(value, str)]
    return next((found for text in (made[-1], *reversed(named)) if (found := _id(text))), None)


def _id(text: str | None) -> str | None:
    """Return an id as Parley makes them; None for other text of a caller, which may be a name."""
    return text.lower() if text and ID.fullmatch(text.lower()) else None
