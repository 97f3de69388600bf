"""Clears up after a supervisor that died without stopping its parts, by SIGKILL for example.

The supervisor starts it with a pipe as standard input. Lines `+ID` and `-ID` say which process groups there are.
The end of the pipe is the end of the supervisor, however that came about; then everything of it is killed. This
needs nothing of the parts and works for their children too, unlike PR_SET_PDEATHSIG, which macOS does not have.

Run as a script of its own: `python orphan_reaper.py MARK`. Standard library only, so that it is there at once.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

MARK_VARIABLE = "PARLEY_MACHINE"  # in the environment of every process of one system, and of no other
SWEEP_SECONDS = 5.0  # after a SIGKILL a process is gone in milliseconds, unless its disk hangs
PAUSE = 0.02  # seconds between two looks


def main(mark: str) -> None:
    """CancellationWatchdog until the pipe ends, then kill what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they are meant for the supervisor; its end is the only sign
    sweep(read_groups(sys.stdin), mark)


def read_groups(lines: Iterable[str]) -> set[int]:
    """Return the process groups that were still there when the lines ended."""
    groups: set[int] = set()
    for line in lines:
        change: Callable[[int], None] = groups.add if line[0] == "+" else groups.discard
        change(int(line[1:]))
    return groups


def sweep(groups: Iterable[int], mark: str) -> None:
    """Kill the groups, then whatever carries the mark: a decoding process may have left its group."""
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + SWEEP_SECONDS
    while (left := marked(mark)) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(PAUSE)


def marked(mark: str) -> list[int]:
    """Return the living processes with the mark; on macOS, which shows no environment, none."""
    wanted = f"{MARK_VARIABLE}={mark}".encode()
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if wanted in _environment(path)]


def _environment(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\0")
    except OSError:  # gone meanwhile, or somebody else's
        return []


if __name__ == "__main__":
    main(sys.argv[1])
