"""Callers who hold connections of the API without asking for anything, and what others see of them."""

from __future__ import annotations

import hashlib
import itertools
import resource
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from rich.console import Console

from benchmarks.data.audio import flac
from benchmarks.measure import Measure
from parley_core.settings import Settings
from tests.support.api_process import ApiProcess
from tests.support.valkey import Valkey

SILENT, SLOW_HEADS, SLOW_UPLOADS = 1100, 500, 200
ROUNDS, REQUESTS = 3, 60
MEMORY_LIMIT_MIB = 768  # of the API in the chart
ATTACKER, CALLER = "attacker-key", "caller-key"
SLOW_HEAD = b"GET /livez HTTP/1.1\r\nX-Endless: "
SLOW_UPLOAD = (
    "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nContent-Type: audio/flac\r\n"
    "Content-Length: 100000000\r\n\r\n"
)


def held_connection_rows(console: Console) -> list[Measure]:
    """Compare submits of one tenant alone with submits beside silent connections, slow heads and slow uploads."""
    console.print(f"bench: {SILENT} silent connections, {SLOW_HEADS} slow heads, {SLOW_UPLOADS} slow uploads")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with two_tenants() as api:
        return _measured(api)


@contextmanager
def two_tenants() -> Iterator[ApiProcess]:
    """A running API with a key of an attacker and one of a caller."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as home:
        server = Valkey(Path(home) / "valkey")
        server.start()
        keys = Path(home) / "keys"
        named = {"attacker": ATTACKER, "caller": CALLER}
        keys.write_text("".join(f"{who}:{hashlib.sha256(key.encode()).hexdigest()}\n" for who, key in named.items()))
        settings = Settings(redis_url=server.url, objects_url=f"file://{home}/objects")
        try:
            with ApiProcess(settings, Path(home) / "api.log", PARLEY_API_KEYS_FILE=str(keys)) as api:
                yield api
        finally:
            server.stop()


def _measured(api: ApiProcess) -> list[Measure]:
    submit_times(api, 20)  # the first ones start what later ones find
    alone, beside, memory = [], [], 0.0
    for _ in range(ROUNDS):
        alone += submit_times(api, REQUESTS)
        stop = threading.Event()
        attack = threading.Thread(target=_attack, args=(api.port, stop))
        attack.start()
        time.sleep(3)
        beside += submit_times(api, REQUESTS)
        memory = max(memory, api.resident_bytes() / 2**20)
        stop.set()
        attack.join()
    note = f"{p95(alone) * 1000:.0f} ms alone, {p95(beside) * 1000:.0f} ms beside them"
    return [
        Measure("submit beside held connections over alone, p95", p95(beside) / p95(alone), "x", 2, note=note),
        Measure("memory of the API with held connections", memory, "MiB", MEMORY_LIMIT_MIB),
    ]


def submit_times(api: ApiProcess, number: int) -> list[float]:
    """Return the seconds of so many submits of the caller."""
    times = []
    headers = {"Authorization": f"Bearer {CALLER}", "Content-Type": "audio/flac"}
    recording = flac(3)
    for _ in range(number):
        began = time.perf_counter()
        httpx.post(f"{api.url}/v1/jobs", content=recording, headers=headers, timeout=60).raise_for_status()
        times.append(time.perf_counter() - began)
    return times


def p95(times: list[float]) -> float:
    """Return the time that 95 of 100 stay below."""
    return statistics.quantiles(times, n=20)[-1]


def _attack(port: int, stop: threading.Event) -> None:
    """Hold all connections; closed ones are opened again, slow ones get a byte every two seconds."""
    upload = SLOW_UPLOAD.format(key=ATTACKER).encode() + b"fLaC" + bytes(5_000_000)
    firsts = [b""] * SILENT + [SLOW_HEAD] * SLOW_HEADS + [upload] * SLOW_UPLOADS
    held: dict[int, socket.socket] = {}
    for number in itertools.cycle(range(len(firsts))):
        if stop.is_set():
            break
        held[number] = _kept(held.get(number), firsts[number], port)
        if number % 50 == 0:
            time.sleep(0.05)
    for connection in held.values():
        connection.close()


def _kept(connection: socket.socket | None, first: bytes, port: int) -> socket.socket:
    """Return the connection with one more byte sent, or a new one."""
    try:
        if connection is None:
            connection = socket.create_connection(("127.0.0.1", port), timeout=5)
            connection.setblocking(False)
            connection.send(first)
        elif first:
            connection.send(b"x")
        elif connection.recv(1) == b"":
            raise ConnectionResetError
    except BlockingIOError:
        pass
    except OSError:
        if connection is not None:
            connection.close()
            connection = None
        return connection or _kept(None, first, port)
    return connection
