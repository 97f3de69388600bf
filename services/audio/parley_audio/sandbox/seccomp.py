"""An allowlist of system calls: what a decoder needs on descriptors that it has, and nothing that reaches further.

The filter is classic BPF, as seccomp(2) takes it. A call that is not in the list fails with EPERM; nothing can take
the filter off again.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Mapping
from functools import cache

from parley_audio.sandbox.system_call import system_call

# name: number on x86-64, number on 64-bit ARM
ALLOWED = {
    "pread64": (17, 67),
    "write": (1, 64),
    "lseek": (8, 62),
    "ftruncate": (77, 46),
    "close": (3, 57),
    "sendto": (44, 206),  # the result; the only socket that is open is the call's
    "setitimer": (38, 103),
    "futex": (202, 98),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    "getrandom": (318, 278),
    "clock_gettime": (228, 113),
    "sched_yield": (24, 124),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "restart_syscall": (219, 128),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
FOR_STREAMS = {"read": (0, 63)}  # where a process gets connections and pipes instead of files
WITHOUT_EXECUTION = {"mmap": (9, 222), "mprotect": (10, 226)}  # allowed for memory that is not executable
SECCOMP = (317, 277)

ARCHITECTURES = {"x86_64": (0, 0xC000_003E), "aarch64": (1, 0xC000_00B7)}  # column above, AUDIT_ARCH_*
SET_MODE_FILTER, GET_ACTION_AVAILABLE = 1, 2
ALLOW, KILL, REFUSE = 0x7FFF_0000, 0x8000_0000, 0x0005_0000 | errno.EPERM

# linux/filter.h: load a word of the call, compare, test a bit, return
LOAD, JUMP_IF_EQUAL, JUMP_IF_SET, RETURN = 0x20, 0x15, 0x45, 0x06
NUMBER, ARCHITECTURE, THIRD_ARGUMENT = 0, 4, 32  # where seccomp_data has them, low word first
PROT_EXEC = 4


class Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def available() -> bool:
    """Return whether this kernel filters system calls and this processor's are known here."""
    if sys.platform != "linux" or platform.machine() not in ARCHITECTURES:
        return False
    column, _ = ARCHITECTURES[platform.machine()]
    action = ctypes.create_string_buffer(struct.pack("=I", REFUSE & 0xFFFF_0000), 4)
    try:
        return system_call(SECCOMP[column], GET_ACTION_AVAILABLE, 0, action) == 0
    except OSError:
        return False


def restrict(streams: bool = False) -> None:
    """Refuse every system call that is not in the list to this process for good.

    Args:
        streams: the process reads from a stream.

    Needs `PR_SET_NO_NEW_PRIVS`. Raises OSError.
    """
    column, _ = ARCHITECTURES[platform.machine()]
    code = own_filter(streams)
    system_call(SECCOMP[column], SET_MODE_FILTER, 0, Program(len(code) // 8, code))


@cache
def own_filter(streams: bool) -> bytes:
    """Return the filter for this processor's architecture; for `streams` see `restrict`."""
    return filter_code(*ARCHITECTURES[platform.machine()], ALLOWED | FOR_STREAMS if streams else ALLOWED)


def filter_code(column: int, audit_name: int, calls: Mapping[str, tuple[int, int]]) -> bytes:
    """Return the filter for one architecture that allows these calls."""
    allowed = [numbers[column] for numbers in calls.values()]
    mapping = [numbers[column] for numbers in WITHOUT_EXECUTION.values()]
    to_mapping = len(allowed) + len(mapping) + 1  # behind the checks and their refusal
    to_allow = to_mapping + 3
    code = [
        _instruction(LOAD, ARCHITECTURE),
        _instruction(JUMP_IF_EQUAL, audit_name, if_true=1),
        _instruction(RETURN, KILL),
        _instruction(LOAD, NUMBER),
    ]
    for place, number in enumerate(mapping):
        code.append(_instruction(JUMP_IF_EQUAL, number, if_true=to_mapping - place - 1))
    for place, number in enumerate(allowed, len(mapping)):
        code.append(_instruction(JUMP_IF_EQUAL, number, if_true=to_allow - place - 1))
    code += [
        _instruction(RETURN, REFUSE),
        _instruction(LOAD, THIRD_ARGUMENT),
        _instruction(JUMP_IF_SET, PROT_EXEC, if_false=1),
        _instruction(RETURN, REFUSE),
        _instruction(RETURN, ALLOW),
    ]
    return b"".join(code)


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """struct sock_filter; jumps count from the next instruction."""
    return struct.pack("=HBBI", code, if_true, if_false, operand)
