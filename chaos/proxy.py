"""A TCP proxy between Parley and Redis, as a process, that delays, blocks and resets connections.

Commands on standard input, one a line: `pass`, `delay SECONDS`, `blackhole` (no byte passes, connections stay open),
`half-open` (no byte of the present connections passes, new ones work), `cut` (reset all connections), `no-peers` (no
byte of Sentinels and replicas passes, clients go on).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass, field

CHUNK = 65_536
PEERS = (b"sentinel-", b"REPLCONF", b"PSYNC")  # what only other servers send, when they connect


@dataclass(slots=True)
class State:
    """State of the network. `open` has both writers of every connection."""

    delay: float = 0.0
    peers_pass: asyncio.Event = field(default_factory=asyncio.Event)
    passing: asyncio.Event = field(default_factory=asyncio.Event)
    generation: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)


class Proxy:
    def __init__(self, target: int) -> None:
        self._target, self.state = target, State()
        self.state.passing.set()
        self.state.peers_pass.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection until either side ends it."""
        generation, peer = self.state.generation, list[bool]()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, far_writer)
        self.state.open.update(pair)
        await asyncio.wait(
            [
                asyncio.create_task(self._pump(reader, far_writer, generation, peer)),
                asyncio.create_task(self._pump(far_reader, writer, generation, peer)),
            ],
            return_when=asyncio.FIRST_COMPLETED,
        )
        self.state.open.difference_update(pair)
        for end in pair:
            end.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, generation: int, peer: list[bool]
    ) -> None:
        """Forward one direction. `peer` is shared by both, and not empty once the other end is known to be a server."""
        try:
            while chunk := await reader.read(CHUNK):
                await asyncio.sleep(self.state.delay)
                await self.state.passing.wait()
                if any(word in chunk for word in PEERS):
                    peer.append(True)
                if peer:
                    await self.state.peers_pass.wait()
                if generation < self.state.generation:
                    await asyncio.Event().wait()  # half-open: silent, and never closed
                writer.write(chunk)
                await writer.drain()
        except OSError:
            return

    def apply(self, command: str) -> None:
        """Execute a command."""
        word, _, value = command.partition(" ")
        if word == "blackhole":
            self.state.passing.clear()
            return
        if word == "no-peers":
            self.state.peers_pass.clear()
            return
        self.state.peers_pass.set()
        if word == "half-open":
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
        proxy.apply(line.decode().strip())
    server.close()


class Network:
    """The handle of the harness on the proxy."""

    def __init__(self, port: int, target: int) -> None:
        command = [sys.executable, "-m", "chaos.proxy", str(port), str(target)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)

    def send(self, command: str) -> None:
        """Send one of the commands of this module."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), int(sys.argv[2])))
