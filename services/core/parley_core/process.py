"""What a process of Parley does to itself at its start."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ARITHMETIC_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
PR_SET_DUMPABLE = 4
LIBC = ctypes.CDLL(None, use_errno=True)


def compute_on_one_thread() -> None:
    """Let numpy compute on one thread, unless the environment says otherwise. Call it before numpy is imported.

    By default the libraries below numpy start a thread per core of the host, whatever the limits of the container,
    and these threads wait by computing. On 16 cores a recording of half an hour took 349 seconds of processor time
    instead of 22. PARLEY_ENGINE_THREADS is about the models, which have threads of their own.
    """
    for variable in ARITHMETIC_THREADS:
        os.environ.setdefault(variable, "1")


@contextmanager
def importing() -> Iterator[None]:
    """Import without garbage collections, and leave what was imported out of all later ones.

    Modules and classes stay until the process ends. To walk them again and again took a seventh of the processor time
    of the API's start, and each walk in a forked process copies the memory that it shares with its parent.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def keep_memory_private() -> None:
    """Close the environment, memory and descriptors of this process to others of the same user; dump no core.

    Forks inherit both; a program that this process starts inherits the second. Root is not kept out. Linux; on other
    systems only the core is left out.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        set_process_attribute(PR_SET_DUMPABLE, 0)


def set_process_attribute(option: int, value: int) -> None:
    """Call prctl(2) with one argument. Raises OSError."""
    if LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
