"""A TCP proxy in a thread of the test: one address behind which servers change, as behind a Kubernetes Service."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.support.waiting import HANG_SECONDS

CHUNK = 65_536


class LoopThread:
    """An event loop in a thread. `_run` sets `_loop` and `_stop`, then `_ready`, and returns after `_stop`."""

    _loop: asyncio.AbstractEventLoop
    _stop: asyncio.Event

    def __init__(self, name: str) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(HANG_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(HANG_SECONDS)

    async def _run(self) -> None:
        raise NotImplementedError


class TcpProxy(LoopThread):
    """Listens on `port` and carries connections to `target`, a port of this machine.

    A new target counts for new connections; those that are open stay with the server that they have.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()
        super().__init__("proxy")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """Reset every open connection."""
        self._loop.call_soon_threadsafe(self._abort)

    def block(self) -> None:
        """Let nothing through: connections stay open, and no byte moves."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def unblock(self) -> None:
        self._loop.call_soon_threadsafe(self._passing.set)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop, self._passing = asyncio.Event(), asyncio.Event()
        self._passing.set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        self._ready.set()
        await self._stop.wait()
        server.close()
        self._passing.set()
        self._abort()
        await asyncio.sleep(0.1)  # transports close in the next turns of the loop

    def _abort(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._open |= ends
        async with asyncio.TaskGroup() as group:
            for source, sink in ((reader, far_writer), (far_reader, writer)):
                group.create_task(self._carry(source, sink, ends))
        self._open -= ends

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ends: set[asyncio.StreamWriter]
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._passing.wait()
                writer.write(chunk)
                await writer.drain()
        for end in ends:
            end.transport.abort()
