"""A TCP proxy in a process of its own, between Parley and Redis: it delays, swallows, cuts and forgets connections.

Commands on standard input, one a line: `pass`, `delay SECONDS`, `blackhole` (connections stay open, no byte moves),
`forget` (those open now are silent for ever, new ones pass: half-open sockets), `cut` (reset all that are open).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass, field

CHUNK = 65_536


@dataclass(slots=True)
class State:
    """What the network is like now. `open` holds every connection's two writers."""

    delay: float = 0.0
    passing: asyncio.Event = field(default_factory=asyncio.Event)
    generation: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)


class Proxy:
    def __init__(self, target: int) -> None:
        self._target, self.state = target, State()
        self.state.passing.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        generation = self.state.generation
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, far_writer)
        self.state.open.update(pair)
        await asyncio.wait(
            [
                asyncio.create_task(self._pump(reader, far_writer, generation)),
                asyncio.create_task(self._pump(far_reader, writer, generation)),
            ],
            return_when=asyncio.FIRST_COMPLETED,
        )
        self.state.open.difference_update(pair)
        for end in pair:
            end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, generation: int) -> None:
        try:
            while chunk := await reader.read(CHUNK):
                await asyncio.sleep(self.state.delay)
                await self.state.passing.wait()
                if generation < self.state.generation:
                    await asyncio.Event().wait()  # forgotten: silent, and never closed
                writer.write(chunk)
                await writer.drain()
        except OSError:
            return

    def obey(self, command: str) -> None:
        """Change the network."""
        word, _, value = command.partition(" ")
        if word == "blackhole":
            self.state.passing.clear()
            return
        if word == "forget":
            self.state.generation += 1
        if word == "cut":
            for end in list(self.state.open):
                end.transport.abort()
        self.state.delay = float(value or 0) if word == "delay" else 0.0
        self.state.passing.set()


async def run(port: int, target: int) -> None:
    """Serve until standard input ends."""
    proxy = Proxy(target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", port)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        proxy.obey(line.decode().strip())
    server.close()


class Network:
    """The proxy as the harness holds it."""

    def __init__(self, port: int, target: int) -> None:
        command = [sys.executable, "-m", "chaos.proxy", str(port), str(target)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)

    def tell(self, command: str) -> None:
        """See the module's commands."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), int(sys.argv[2])))
