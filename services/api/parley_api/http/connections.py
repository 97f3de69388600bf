"""Deadlines and caps on the connections of one API process. uvicorn has none (its issue 157).

A connection either waits for the head of a request, or a request is being answered on it. Waiting costs a caller
nothing. So it ends at a deadline, and a full process closes the connection that has waited longest for a new one.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from typing import Any, cast

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from parley_api.http.errors import AmbiguousLength
from parley_api.http.problems import from_error

UNREAD_SECONDS = 120.0  # without progress of a response: the caller has stopped to read
CLOSE_SECONDS = 5.0  # for the caller's part of the end of TLS
OTHER_FILES = 512  # open files that are no connections: Redis, the object store, uploads in progress

quiet = logging.getLogger("parley_api.connections")  # uvicorn logs a line per malformed request; here it is counted
quiet.setLevel(logging.ERROR)


class ConnectionGuard:
    """The limits of one process, and the connections that wait for a head.

    Args:
        most: largest number of connections.
        head_seconds: from the start of a connection to the end of the first request's head. The next request gets the
            keep-alive time in addition: without a byte, uvicorn has closed the connection by then.
        refused: called with a reason for each connection that is closed here.
    """

    def __init__(self, most: int, head_seconds: float, refused: Callable[[str], None]) -> None:
        self.most = allowed_connections(most)
        self.head_seconds = head_seconds
        self.refused = refused
        self.waiting: dict[GuardedProtocol | GuardedHandshake, None] = {}  # the one that has waited longest first
        self.handshakes: set[GuardedHandshake] = set()  # of TLS: connections without a GuardedProtocol yet

    def make_room(self, connections: int) -> None:
        """Close the connection that has waited longest where there are more than `most`.

        Args:
            connections: number of those that have a GuardedProtocol.
        """
        if connections + len(self.handshakes) > self.most and self.waiting:
            next(iter(self.waiting)).abort("too_many")


class GuardedProtocol(H11Protocol):
    """uvicorn's protocol on h11 with the limits of a ConnectionGuard."""

    def __init__(self, *arguments: Any, guard: ConnectionGuard, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.logger = quiet
        self._guard = guard
        self.handshake: GuardedHandshake | None = None  # what came before, on a connection with TLS
        self._has_served = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.handshake is not None:
            self.handshake.end()
        self._wait_for_head()
        self._guard.make_room(len(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._has_served = True
        if self.cycle.response_complete and not self.transport.is_closing():  # no pipelined request has begun
            self._wait_for_head()

    def send_400_response(self, msg: str) -> None:
        self._guard.refused("malformed")
        super().send_400_response(msg)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_timer = self.loop.call_later(UNREAD_SECONDS, self.abort, "unread_response")

    def resume_writing(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
        super().resume_writing()

    def abort(self, reason: str) -> None:
        """Close the connection at once and count it."""
        self._stop_waiting()
        self.connections.discard(self)
        if not self.transport.is_closing():
            self._guard.refused(reason)
            self.transport.abort()

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._guard.waiting[self] = None
        idle = self.timeout_keep_alive if self._has_served else 0.0
        self._head_timer = self.loop.call_later(idle + self._guard.head_seconds, self.abort, "late_head")

    def _stop_waiting(self) -> None:
        self._guard.waiting.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()


class GuardedHandshake(SSLProtocol):
    """TLS around a GuardedProtocol. A handshake has the deadline of a head, and counts as a connection that waits.

    `asyncio` makes the same protocol for a server with TLS, but the server learns of a connection after its handshake.
    """

    def __init__(self, context: ssl.SSLContext, guard: ConnectionGuard, **options: Any) -> None:
        inner = GuardedProtocol(guard=guard, **options)
        inner.handshake = self
        super().__init__(
            asyncio.get_running_loop(),
            inner,
            context,
            cast(Any, None),  # nothing waits for the handshake
            server_side=True,
            ssl_handshake_timeout=cast(Any, guard.head_seconds),
            ssl_shutdown_timeout=cast(Any, CLOSE_SECONDS),
        )
        self._guard, self._connections = guard, inner.connections
        self._raw: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        self._raw = transport
        super().connection_made(transport)
        self._guard.waiting[self] = None
        self._guard.handshakes.add(self)
        self._guard.make_room(len(self._connections))

    def connection_lost(self, exc: BaseException | None) -> None:
        if self in self._guard.handshakes:
            self._guard.refused("handshake")
        self.end()
        super().connection_lost(exc)

    def abort(self, reason: str) -> None:
        """Close the connection at once and count it."""
        self.end()
        self._guard.refused(reason)
        if self._raw is not None:
            self._raw.abort()

    def end(self) -> None:
        """Count it as a handshake no more."""
        self._guard.waiting.pop(self, None)
        self._guard.handshakes.discard(self)


def allowed_connections(most: int) -> int:
    """Raise the limit of open files as far as needed and allowed; return how many connections fit into it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return most if soft == resource.RLIM_INFINITY else max(1, min(most, soft - OTHER_FILES))


class RefuseAmbiguousLength:
    """Refuses requests with both `Content-Length` and `Transfer-Encoding`, and closes their connection (RFC 9112, 6.3).

    A proxy in front may have read the other length, and then what follows is not what it takes for the next request.
    """

    def __init__(self, app: ASGIApp, refused: Callable[[str], None]) -> None:
        self._app = app
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if "content-length" in headers and "transfer-encoding" in headers:
                self._refused("ambiguous_length")
                answer = from_error(AmbiguousLength("Send either `Content-Length` or `Transfer-Encoding`, not both."))
                answer.headers["connection"] = "close"
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)
