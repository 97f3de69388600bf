"""System calls that the standard library does not offer, by their number (Linux)."""

from __future__ import annotations

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


Argument = int | ctypes.Array[ctypes.c_char] | ctypes.Structure | None


def system_call(number: int, *arguments: Argument) -> int:
    """Return what the kernel returns; buffers and structures are passed by their address. Raises OSError."""
    result: int = libc.syscall(ctypes.c_long(number), *map(_passed, arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"system call {number}: {os.strerror(error)}")
    return result


def _passed(argument: Argument) -> object:
    if isinstance(argument, int):
        return ctypes.c_long(argument)
    return None if argument is None else ctypes.byref(argument)
