"""What a decoder might do once a recording has taken it over; run inside the sandbox, so it imports nearly nothing."""

from __future__ import annotations

import os
import signal


def spin(source: int, sink: int) -> None:
    while True:
        pass


def swallow(source: int, sink: int) -> None:
    blocks = []
    while True:
        blocks.append(bytearray(16 * 1024 * 1024))


def write_without_end(source: int, sink: int) -> None:
    while True:
        os.write(sink, bytes(1000))


def crash(source: int, sink: int) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def killed(source: int, sink: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def environment(source: int, sink: int) -> dict[str, list[str]]:
    return {"names": sorted(os.environ)}
