"""What a decoder might do once a recording has taken it over; run inside the sandbox, so it imports nearly nothing."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

X86 = os.uname().machine == "x86_64"
libc = ctypes.CDLL(None, use_errno=True)


def spin(source: int, sink: int) -> None:
    while True:
        pass


def swallow(source: int, sink: int) -> None:
    blocks = []
    while True:
        blocks.append(bytearray(16 * 1024 * 1024))


def write_without_end(source: int, sink: int) -> None:
    while True:
        os.write(sink, bytes(1000))


def crash(source: int, sink: int) -> None:
    ctypes.string_at(0)


def fail(source: int, sink: int) -> None:
    raise ZeroDivisionError("nobody expects this")


def environment(source: int, sink: int) -> dict[str, list[str]]:
    return {"names": sorted(os.environ)}


@dataclass(frozen=True)
class Target:
    """What lies outside: the owner's process id, a file beside the recording, and a port that answers."""

    owner: int
    file: str
    port: int


def reach(source: int, sink: int, owner: int, file: str, port: int) -> dict[str, str]:
    """Try every way out; return what each came to: "reached" or the name of the error, PermissionError if refused."""
    target = Target(owner, file, port)
    return {name: _outcome(attempt, target) for name, attempt in ATTEMPTS.items()}


def _outcome(attempt: Callable[[Target], Any], target: Target) -> str:
    try:
        attempt(target)
    except OSError as error:
        return type(error).__name__
    return "reached"


def system_call(number: int, *arguments: Any) -> int:
    result = int(libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def connect(family: int, address: Any) -> None:
    with socket.socket(family) as outside:
        outside.connect(address)


def fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def attach(owner: int) -> None:
    ptrace_seize, ptrace_detach = 0x4206, 17
    if libc.ptrace(ptrace_seize, owner, None, None) != 0:
        raise OSError(ctypes.get_errno(), "refused")
    libc.ptrace(ptrace_detach, owner, None, None)


def executable_memory() -> None:
    libc.mmap.restype = ctypes.c_void_p
    read_write_execute, private_anonymous = 7, 0x22
    if libc.mmap(None, 4096, read_write_execute, private_anonymous, -1, 0) == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "refused")


def send_descriptor() -> None:
    ours, theirs = socket.socketpair()
    socket.send_fds(ours, [b"x"], [0])
    theirs.close()
    ours.close()


def read_file(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY))


ATTEMPTS: dict[str, Callable[[Target], Any]] = {
    "open another recording": lambda target: read_file(target.file),
    "open a file to write": lambda target: os.close(os.open(target.file + ".new", os.O_CREAT | os.O_WRONLY)),
    "look whether a file exists": lambda target: os.stat(target.file),
    "list a folder": lambda target: os.listdir(os.path.dirname(target.file)),
    "remove a file": lambda target: os.unlink(target.file + ".new"),
    "read the owner's environment": lambda target: read_file(f"/proc/{target.owner}/environ"),
    "read the owner's memory": lambda target: read_file(f"/proc/{target.owner}/mem"),
    "attach to the owner": lambda target: attach(target.owner),
    "signal the owner": lambda target: os.kill(target.owner, 0),
    "hold the owner by a descriptor": lambda target: os.close(os.pidfd_open(target.owner)),
    "limit the owner": lambda target: resource.prlimit(target.owner, resource.RLIMIT_NOFILE),
    "connect over TCP": lambda target: connect(socket.AF_INET, ("127.0.0.1", target.port)),
    "make a UDP socket": lambda target: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
    "make a local socket": lambda target: socket.socket(socket.AF_UNIX).close(),
    "ask the kernel for its interfaces": lambda target: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "pass a descriptor": lambda target: send_descriptor(),
    "fork": lambda target: fork(),
    "start a program": lambda target: os.execv("/nowhere/program", ["program"]),
    "make memory executable": lambda target: executable_memory(),
    "make a file in memory": lambda target: os.close(os.memfd_create("program")),
    "start a program without a name": lambda target: system_call(322 if X86 else 281, -1, b"", None, None, 0x1000),
    "enter a namespace": lambda target: system_call(272 if X86 else 97, 0x1000_0000),
    "become another user": lambda target: os.setuid(os.getuid()),
    "change the root": lambda target: os.chroot("/"),
    "set up io_uring": lambda target: os.close(system_call(425, 4, ctypes.create_string_buffer(120))),
    "load a BPF program": lambda target: system_call(321 if X86 else 280, 0, None, 0),
    "move to another processor": lambda target: os.sched_setaffinity(target.owner, os.sched_getaffinity(target.owner)),
    "catch a signal": lambda target: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
    "change an attribute of the process": lambda target: system_call(157 if X86 else 167, 4, 1, 0, 0, 0),
}
"""Ways out, tried in this order."""


if __name__ == "__main__":  # the same without a sandbox: OWNER FILE PORT
    import json

    print(json.dumps(reach(0, 1, int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
