"""Receivers of deliveries: real HTTP servers on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from types import TracebackType
from typing import Self

SECRET, NEXT_SECRET = "whsec_" + "QUJD" * 8, "whsec_" + "REVG" * 8


@dataclass(frozen=True, slots=True)
class Received:
    """One request, and the status of its answer."""

    headers: Mapping[str, str]
    body: bytes
    status: int


class LoopbackServer:
    """A server whose threads end with the test."""

    _server: ThreadingHTTPServer

    def listen(self, handler: type[BaseHTTPRequestHandler], host: str, port: int, tls: SSLContext | None = None) -> int:
        """Start to answer; return the port."""
        self._server = ThreadingHTTPServer((host, port), handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self._server.server_port

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Receiver(LoopbackServer):
    """Keeps what it is sent. `answers` are the statuses of the first requests; later ones get 204."""

    host: str = "127.0.0.1"
    port: int = 0
    answers: list[int] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    before_answer: Callable[[BaseHTTPRequestHandler], None] | None = None
    received: list[Received] = field(default_factory=list)

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                body = self.rfile.read(length)
                if len(body) < length:  # its sender was killed: no server takes half a request
                    self.close_connection = True
                    return
                status = receiver.answers.pop(0) if receiver.answers else 204
                receiver.received.append(Received({k.lower(): v for k, v in self.headers.items()}, body, status))
                if receiver.before_answer:
                    receiver.before_answer(self)
                self.send_response(status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Tests print what they need."""

        self.port = self.listen(Handler, self.host, self.port)
        return self

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/parley?source=test"
