"""What a process of Parley does to itself at its start."""

from __future__ import annotations

import ctypes
import resource
import sys

PR_SET_DUMPABLE = 4
LIBC = ctypes.CDLL(None, use_errno=True)


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
