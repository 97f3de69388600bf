"""The limits on time, memory and files that a decoding process puts on itself. Linux and macOS."""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

from parley_core.process import set_process_attribute

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38

OPEN_FILES = 64  # a decoder has five open
PAGE_BYTES = resource.getpagesize()


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when the process `parent`, which must have one thread, dies (Linux)."""
    if sys.platform == "linux":
        set_process_attribute(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call above
        os._exit(1)


def limit(cpu_seconds: float, memory_bytes: int, output_bytes: int) -> None:
    """Limit this process for good.

    Args:
        cpu_seconds: processor time; SIGXCPU ends the process, SIGKILL one second later.
        memory_bytes: address space on top of what is mapped now.
        output_bytes: longest file it may write.
    """
    cpu = math.ceil(cpu_seconds)
    _lower(resource.RLIMIT_CPU, cpu, cpu + 1)
    _lower(resource.RLIMIT_FSIZE, output_bytes)
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    _lower(resource.RLIMIT_CORE, 0)  # a core would hold the conversation
    _lower(resource.RLIMIT_NPROC, 0)  # no program, no thread; root is exempt
    _limit_memory(memory_bytes)
    if sys.platform == "linux":
        set_process_attribute(PR_SET_NO_NEW_PRIVS, 1)
        with suppress(OSError):  # the kernel kills this process before the worker: the job then tries again
            Path("/proc/self/oom_score_adj").write_bytes(b"1000")


def _lower(kind: int, soft: int, hard: int | None = None) -> None:
    """Lower a limit; a limit that is already lower stays."""
    ceiling = resource.getrlimit(kind)[1]
    wanted = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        soft, wanted = min(soft, ceiling), min(wanted, ceiling)
    resource.setrlimit(kind, (soft, wanted))


def _limit_memory(memory_bytes: int) -> None:
    """Limit the address space; macOS has no working RLIMIT_AS, there only the sizes that the readers check count."""
    if sys.platform == "linux":
        with open("/proc/self/statm", "rb", buffering=0) as statm:  # noqa: PTH123  # each object costs a fork pages
            pages = int(statm.read().split()[0])
        _lower(resource.RLIMIT_AS, pages * PAGE_BYTES + memory_bytes)
