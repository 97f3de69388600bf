"""A reverse proxy that serves another server under a prefix and strips it, as an Ingress with a rewrite does."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

from tests.support.proxy import LoopThread

CHUNK = 65_536
NOT_HERE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class PrefixProxy(LoopThread):
    """Listens on `port`. Requests below the prefix go to `target`, a port of this machine; all others get 404.

    Attributes:
        outside: paths of the requests that were not below the prefix.
    """

    def __init__(self, target: int, prefix: str) -> None:
        self._target, self._prefix = target, prefix
        self.outside: list[str] = []
        self._carrying: set[asyncio.Task[None]] = set()
        super().__init__("prefix-proxy")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self._prefix}"

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()

        def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            carrying = asyncio.create_task(self._carry(reader, writer))
            self._carrying.add(carrying)
            carrying.add_done_callback(self._carrying.discard)

        server = await asyncio.start_server(carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for carrying in self._carrying:
            carrying.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one request: the connection is closed after its response."""
        sending: asyncio.Task[None] | None = None
        sink: asyncio.StreamWriter | None = None
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, rest = head.split(" ", 2)
            if not path.startswith(f"{self._prefix}/"):
                self.outside.append(path)
                writer.write(NOT_HERE)
                await writer.drain()
            else:
                rest = re.sub(r"(?i)\r\nconnection:[^\r]*", "", rest).replace("\r\n", "\r\nConnection: close\r\n", 1)
                upstream, sink = await asyncio.open_connection("127.0.0.1", self._target)
                sink.write(f"{method} {path.removeprefix(self._prefix)} {rest}".encode("latin-1"))
                sending = asyncio.create_task(_copy(reader, sink))
                await _copy(upstream, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the browser left
        finally:
            if sending:
                sending.cancel()
            if sink:  # also where the proxy stops in mid response: a writer that is left open is a warning
                sink.close()
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
