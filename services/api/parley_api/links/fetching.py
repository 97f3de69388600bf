"""Fetches recordings by links, each in a confined process.

This process looks the name up once, checks its addresses, and connects. The confined process speaks TLS and HTTP on
that connection, so that no process that has rights parses the answer of a host.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import anyio.to_thread

from parley_api.http.errors import LinkChanged, LinkNotAllowed, LinkUnreachable, LinkUnusable
from parley_api.links.link import Link
from parley_audio import DecodeLimits
from parley_audio.sandbox.sandbox import Sandbox
from parley_core.errors import DecodingInterrupted, ParleyError, RecordingTooLarge, UnreadableRecording, UnsafeTarget
from parley_core.logs import get_logger
from parley_core.settings import Settings
from parley_core.targets import PORTS

AT_ONCE = 16  # recordings fetched at a time by one process of the API
CONFINED = "parley_api.links.confined"
CONNECT_SECONDS = 5.0
SILENT_SECONDS = 30  # as an upload
LEAVING_SECONDS = 5.0  # a fetch whose connection was shut down ends in milliseconds
CHUNK_BYTES = 256 * 1024
BYTES_PER_CPU_SECOND = 20 * 1024**2  # a tenth of what TLS and HTTP take here
MEMORY_BYTES = 128 * 1024**2
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses after which the same link may work

log = get_logger(__name__)


class LinkFetcher:
    """Fetches recordings. Nothing is started before the first one."""

    def __init__(self, settings: Settings) -> None:
        self._seconds, self._max_bytes = settings.link_seconds, settings.max_recording_bytes
        self._sandbox = Sandbox((CONFINED,), AT_ONCE)
        self._threads = anyio.CapacityLimiter(2 * AT_ONCE)  # those of fetches that are given up end a little later
        self._limits = DecodeLimits(
            cpu_seconds=10 + self._max_bytes / BYTES_PER_CPU_SECOND,
            memory_bytes=MEMORY_BYTES,
            wall_seconds=self._seconds + SILENT_SECONDS,
        )

    @asynccontextmanager
    async def opened(self, link: Link) -> AsyncIterator[AsyncIterator[bytes]]:
        """Connect, and give the bytes of the recording. They end with an error unless all of them arrived.

        Raises:
            LinkNotAllowed: the host has an address that is not public.
            LinkUnreachable: the host does not answer in time, or says that it will answer later.
            LinkUnusable: the host's answer is not the recording.
            LinkChanged: the recording has another `ETag`.
            RecordingTooLarge: at the first byte over the limit, or as soon as the host announces it.
        """
        deadline = asyncio.get_running_loop().time() + self._seconds
        connection = await anyio.to_thread.run_sync(_connect, link, limiter=self._threads)
        reading, writing = os.pipe()
        fetch = anyio.to_thread.run_sync(self._fetch, link, connection, writing, limiter=self._threads)
        call = asyncio.ensure_future(fetch)
        reader = asyncio.StreamReader(CHUNK_BYTES)
        pipe = os.fdopen(reading, "rb", 0)
        try:
            await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
            yield self._bytes(link, reader, call, deadline)
        finally:
            with suppress(OSError):  # ended already
                connection.shutdown(socket.SHUT_RDWR)
            with anyio.CancelScope(shield=True):
                await asyncio.wait({call}, timeout=LEAVING_SECONDS)

    def close(self) -> None:
        """End every fetch."""
        self._sandbox.close()

    async def _bytes(
        self, link: Link, reader: asyncio.StreamReader, call: asyncio.Future[dict[str, Any]], deadline: float
    ) -> AsyncIterator[bytes]:
        try:
            while True:
                async with asyncio.timeout_at(deadline):
                    chunk = await reader.read(CHUNK_BYTES)
                if not chunk:
                    break
                yield chunk
            async with asyncio.timeout_at(deadline):
                outcome = await asyncio.shield(call)
        except TimeoutError:
            raise LinkUnreachable(f"The recording did not arrive within {self._seconds:.0f} s.") from None
        if outcome["outcome"] != "complete":
            log.warning("recording not fetched", host=link.target.host, **outcome)
            raise _error_of(outcome, self._max_bytes)

    def _fetch(self, link: Link, connection: socket.socket, writing: int) -> dict[str, Any]:
        """Have the recording written into a pipe; return the outcome. Closes both descriptors."""
        arguments = {"request": _request(link), "max_bytes": self._max_bytes}
        try:
            return self._sandbox.run(
                f"{CONFINED}:fetch", arguments, self._limits, connection.fileno(), writing, 0, streams=True
            )
        except (UnreadableRecording, DecodingInterrupted):  # what the sandbox says of a process that has died
            return {"outcome": "died"}
        finally:
            os.close(writing)
            connection.close()


def _request(link: Link) -> dict[str, Any]:
    target = link.target
    host = f"[{target.host}]" if ":" in target.host else target.host
    if target.port != PORTS[target.scheme]:
        host = f"{host}:{target.port}"
    headers = [("Host", host), ("User-Agent", "Parley"), ("Accept-Encoding", "identity"), ("Connection", "close")]
    if link.etag is not None:
        headers.append(("If-Match", link.etag))
    return {
        "host": target.host,
        "tls": target.scheme == "https",
        "path": target.path,
        "headers": headers,
        "etag": link.etag,
        "digest": link.sha256 is not None,
    }


def _connect(link: Link) -> socket.socket:
    """Return a connection to the first address that answers. Raises LinkNotAllowed or LinkUnreachable."""
    try:
        addresses = link.guard.resolve(link.target.host, link.target.port)
    except UnsafeTarget:
        raise LinkNotAllowed("The host has an address that is not public (PARLEY_LINK_NETWORKS).") from None
    except OSError:
        raise LinkUnreachable("The name of the host does not resolve.") from None
    for address in addresses:
        with suppress(OSError):
            connection = socket.create_connection((address, link.target.port), CONNECT_SECONDS)
            connection.setblocking(True)
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                connection.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", SILENT_SECONDS, 0))
            return connection
    raise LinkUnreachable("The host does not take the connection.")


def _error_of(outcome: dict[str, Any], max_bytes: int) -> ParleyError:
    """Return what an outcome means for the caller."""
    kind, status = outcome["outcome"], outcome.get("status", 0)
    if kind == "too_large":
        return RecordingTooLarge(f"The recording is larger than {max_bytes} bytes, the limit here.")
    if kind == "changed":
        return LinkChanged("The recording has another ETag than `etag`.")
    if kind == "status":
        answer = f"The host answered with status {status} instead of the recording."
        if 300 <= status < 400:
            return LinkUnusable(f"{answer} Redirects are not followed: send the address that it leads to.")
        return LinkUnreachable(answer) if status in AGAIN else LinkUnusable(answer)
    return FAILURES.get(kind, LinkUnusable)(SENTENCES.get(kind, SENTENCES["protocol"]))


SENTENCES = {
    "certificate": "The certificate of the host is not trusted.",
    "tls": "The host does not speak TLS as expected.",
    "silent": f"The host sent nothing for {SILENT_SECONDS} s.",
    "protocol": "The answer of the host is not well-formed HTTP, or ended early.",
    "connection": "The connection to the host ended early.",
    "died": "The process that fetched the recording has died. Send the request again.",
    "encoded": "The host sent the recording with a `Content-Encoding`, which is not undone. Store it without one.",
    "endless": "The host did not say how long the recording is, so that a cut would not be noticed. Send its `sha256`.",
}
FAILURES = {"silent": LinkUnreachable, "connection": LinkUnreachable, "died": LinkUnreachable}
