"""Kills the processes of a supervisor that ended without stopping them, for example by SIGKILL.

The supervisor starts it with a pipe as standard input. Lines `+ID` and `-ID` add and remove process groups. The pipe
ends when the supervisor ends, for whatever reason, and the reaper kills all groups. The parts need no code for this,
and it works for their children too. PR_SET_PDEATHSIG does not, and macOS lacks it.

It runs as a script, `python orphan_reaper.py MARK`, and imports the standard library only, so that it starts fast.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

MARK_VARIABLE = "PARLEY_MACHINE"  # set in the environment of every process of one system
SWEEP_SECONDS = 5.0  # a killed process ends in milliseconds, unless it waits for a disk
POLL_SECONDS = 0.02


def main(mark: str) -> None:
    """Wait for the end of the pipe, then kill the processes that are left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they are meant for the supervisor
    sweep(read_groups(sys.stdin), mark)


def read_groups(lines: Iterable[str]) -> set[int]:
    """Return the process groups that were added and not removed."""
    groups: set[int] = set()
    for line in lines:
        change: Callable[[int], None] = groups.add if line[0] == "+" else groups.discard
        change(int(line[1:]))
    return groups


def sweep(groups: Iterable[int], mark: str) -> None:
    """Kill the groups, then all processes with the mark: a decoding process may have left its group."""
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + SWEEP_SECONDS
    while (pids := marked(mark)) and time.monotonic() < deadline:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def marked(mark: str) -> list[int]:
    """Return the processes with the mark in their environment. macOS does not show it, so there the list is empty."""
    wanted = f"{MARK_VARIABLE}={mark}".encode()
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if wanted in _environment(path)]


def _environment(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\0")
    except OSError:  # it has ended, or belongs to another user
        return []


if __name__ == "__main__":
    main(sys.argv[1])
