"""What the processes of this worker use, read from /proc: the main process and everything that it has started."""

from __future__ import annotations

import os
from collections import defaultdict
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
    by_parent: dict[int, list[Process]] = defaultdict(list)
    found = []
    for process in _all():
        by_parent[process.parent].append(process)
        if process.pid == os.getpid():
            found.append(process)
    for process in found:  # grows while it is read
        found += by_parent[process.pid]
    return found


def _all() -> Iterator[Process]:
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError, ValueError):  # it has ended meanwhile
            fields = (folder / "stat").read_text().rpartition(") ")[2].split()
            times = sum(int(field) for field in fields[11:15])
            yield Process(int(folder.name), int(fields[1]), times * TICK, int(fields[21]) * PAGE)
