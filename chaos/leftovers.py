"""Ends the processes of a run with the run, whatever ends it: they have sessions of their own, and outlive signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from parley_local import orphan_reaper

_reapers: list[subprocess.Popen[bytes]] = []


@contextmanager
def reaped() -> Iterator[None]:
    """Kill every process that is started in this block, at the end of the block or of this process.

    Ctrl-C and SIGTERM end this process at once, since its threads would wait minutes for jobs that nobody does.
    """
    mark = uuid.uuid4().hex
    command = [sys.executable, "-I", "-S", orphan_reaper.__file__, mark]
    reaper = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0, start_new_session=True)
    os.environ[orphan_reaper.MARK_VARIABLE] = mark
    _reapers.append(reaper)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, as behind `nohup … &`
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        _reapers.remove(reaper)
        reaper.communicate()


def add(group: int) -> None:
    """Kill this process group at the end: other users cannot read the mark of a process that is not dumpable."""
    for reaper in _reapers:
        assert reaper.stdin is not None
        reaper.stdin.write(f"+{group}\n".encode())


def remove(group: int) -> None:
    """Leave out a process group that has ended, since the system may reuse its number."""
    for reaper in _reapers:
        assert reaper.stdin is not None
        reaper.stdin.write(f"-{group}\n".encode())
