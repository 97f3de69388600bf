"""A small HTTP server with scripted replies, so that the client meets real sockets and real faults."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

JOB_ID = "01a21a6c-6601-7000-8000-000000000001"
HANG_UP = object()  # a reply: reset the connection without a response


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """`before` runs after the request has arrived, before the response is sent."""

    status: int = 200
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    before: Callable[[], None] = lambda: None


def problem(status: int, code: str, detail: str, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    document = {"title": code, "status": status, "code": code, "detail": detail}
    return Reply(status, document, {"Content-Type": "application/problem+json"} | named)


class ScriptedServer:
    """Replies of a path are used up in order; the last one stays."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.slow = threading.Event()  # once set, bodies are read slowly
        self.slowed = threading.Event()  # the first chunk of such a body has arrived
        self._replies: dict[tuple[str, str], list[Any]] = defaultdict(list)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._http.handle_error = lambda request, address: None  # type: ignore[method-assign]  # clients may disconnect
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def on(self, method: str, path: str, *replies: Any) -> None:
        self._replies[method, path].extend(replies)

    def reply_to(self, request: Request) -> Any:
        self.requests.append(request)
        replies = self._replies[request.method, request.path]
        if not replies:
            return problem(404, "job_not_found", "There is no such job.")
        return replies.pop(0) if len(replies) > 1 else replies[0]

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def _handler(server: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            parts = urlsplit(self.path)
            body = self.body(int(self.headers.get("Content-Length", 0)))
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            reply = server.reply_to(Request(self.command, parts.path, query, dict(self.headers), body))
            if reply is HANG_UP:
                # A reset instead of an orderly close, as when a process is killed.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                return
            reply.before()
            self.write(reply)

        def body(self, length: int) -> bytes:
            if not length or not server.slow.is_set():
                return self.rfile.read(length)
            while self.rfile.read(64 * 1024):
                server.slowed.set()
                time.sleep(0.05)
            raise ConnectionAbortedError("the client disconnected during its request body")

        def write(self, reply: Reply) -> None:
            payload = (reply.text if reply.text is not None else json.dumps(reply.document)).encode()
            self.send_response(reply.status)
            length = {"Content-Length": str(len(payload))}  # a reply may promise more than it sends
            for name, value in ({"Content-Type": "application/json"} | length | reply.headers).items():
                self.send_header(name, value)
            self.close_connection = "Content-Length" in reply.headers
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Log nothing: tests read the requests."""

    for method in ("GET", "POST", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.respond)
    return Handler


def job_document(job_id: str = JOB_ID, state: str = "accepted", **changes: Any) -> dict[str, Any]:
    """A job in the JSON of the HTTP API."""
    document = {
        "id": job_id,
        "state": state,
        "queue": "interactive",
        "reference": None,
        "created_at": "2026-01-02T03:04:05Z",
        "started_at": None,
        "finished_at": None,
        "recording": {"sha256": "ab" * 32, "bytes": 4, "seconds": 30.0, "media_type": "audio/flac"},
        "speakers": {"min": None, "max": None},
        "position": None,
        "eta_seconds": None,
        "eta": None,
        "phase": None,
        "progress": 0.0,
        "attempts": [],
        "error": None,
        "result": None,
        "links": {"self": f"/v1/jobs/{job_id}"},
    }
    return document | changes


def turns_document(job_id: str = JOB_ID) -> dict[str, Any]:
    """Two speakers who overlap; the first turn has no confidence."""
    turns = [
        {"start": 0.0, "end": 12.5, "speaker": "SPEAKER_00", "confidence": None},
        {"start": 12.0, "end": 30.0, "speaker": "SPEAKER_01", "confidence": 0.6, "needs_review": True},
    ]
    return {
        "job_id": job_id,
        "turns": turns,
        "exclusive_turns": turns,
        "overlaps": [{"start": 12.0, "end": 12.5}],
        "speakers": ["SPEAKER_00", "SPEAKER_01"],
        "engine": {"name": "onnx", "version": "1", "weights": {}, "parameters": {}},
        "recording": {"sha256": "ab" * 32, "seconds": 30.0},
    }
