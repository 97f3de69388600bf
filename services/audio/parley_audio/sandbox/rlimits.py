"""The bounds that a decoding process puts on itself before it looks at a hostile byte. Linux and macOS."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38

OPEN_FILES = 64  # a decoder has five open
PAGE_BYTES = resource.getpagesize()


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when the process `parent`, which must have one thread, dies (Linux)."""
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was told
        os._exit(1)


def confine(cpu_seconds: float, memory_bytes: int, output_bytes: int) -> None:
    """Bound this process for good.

    Args:
        cpu_seconds: processor time; SIGXCPU ends the process, SIGKILL one second later.
        memory_bytes: address space on top of what is mapped now.
        output_bytes: longest file it may write.
    """
    cpu = math.ceil(cpu_seconds)
    _limit(resource.RLIMIT_CPU, cpu, cpu + 1)
    _limit(resource.RLIMIT_FSIZE, output_bytes)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _limit(resource.RLIMIT_CORE, 0)  # a core would hold the conversation
    _limit(resource.RLIMIT_NPROC, 0)  # no program, no thread; root is exempt
    _limit_memory(memory_bytes)
    if sys.platform == "linux":
        _prctl(PR_SET_NO_NEW_PRIVS, 1)
        _be_first_to_go()


def _limit(kind: int, soft: int, hard: int | None = None) -> None:
    """Lower a limit; one that is already lower stays."""
    ceiling = resource.getrlimit(kind)[1]
    wanted = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        soft, wanted = min(soft, ceiling), min(wanted, ceiling)
    resource.setrlimit(kind, (soft, wanted))


def _limit_memory(memory_bytes: int) -> None:
    """macOS has no working RLIMIT_AS: there the sizes that the readers check must do."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        _limit(resource.RLIMIT_AS, pages * PAGE_BYTES + memory_bytes)


def _be_first_to_go() -> None:
    """When memory runs out, the kernel shall kill this process and not the worker: the job then tries again."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
