"""What the processes of this worker use, read from /proc: the main process and everything that it has started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICK = 1 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Process:
    """A process at one moment.

    Attributes:
        cpu_seconds: of the process and of its children that have ended.
    """

    pid: int
    parent: int
    cpu_seconds: float
    resident_bytes: int


def of_this_worker() -> list[Process]:
    """Return this process first, then all that descend from it. Empty where there is no /proc."""
    pids = [os.getpid()]
    for pid in pids:  # grows while it is read
        pids += _children(pid)
    return [process for process in map(_process, pids) if process]


def _children(pid: int) -> Iterator[int]:
    """Yield the children of each thread of a process. A machine may run thousands of processes of others."""
    with suppress(OSError):  # it has ended meanwhile
        for thread in (PROC / str(pid) / "task").iterdir():
            with suppress(OSError):
                yield from map(int, (thread / "children").read_text().split())


def _process(pid: int) -> Process | None:
    with suppress(OSError, ValueError):
        fields = (PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()
        times = sum(int(field) for field in fields[11:15])
        return Process(pid, int(fields[1]), times * TICK, int(fields[21]) * PAGE)
    return None
