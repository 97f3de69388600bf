"""The fork server: a clean, warm process that forks one confined process per call.

Started by sandbox.py as `python -m parley_audio.sandbox.fork_server OWNER CONTROL_FD MODULE...`. It has one thread,
an almost empty environment, no connection and no secret. The decoders are already imported, so that a call costs one
fork.

Its owner sends one byte and one socket per call over CONTROL_FD. The forked process reads the request from that
socket and answers on it; the fork server adds how the process ended. When the owner closes a call's socket, the fork
server kills that process. When CONTROL_FD or the owner ends, it kills all processes and exits.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from parley_audio.sandbox.confinement import give_up_reach, prepare
from parley_audio.sandbox.protocol import receive_request, send
from parley_audio.sandbox.rlimits import die_with_parent, limit
from parley_core.errors import ParleyError
from parley_core.process import importing

MAX_DESCRIPTORS = 1024  # more than this process ever has open


def main(arguments: Sequence[str]) -> None:
    """Import the modules, then serve until the owner is gone."""
    owner, control = int(arguments[0]), socket.socket(fileno=int(arguments[1]))
    with importing():  # a collection in a forked process would copy every page it touches
        for module in arguments[2:]:
            importlib.import_module(module)
        prepare()
        gc.collect()
    ForkServer(owner, control).serve()


class ForkServer:
    """Forks, watches and buries the processes of one owner."""

    def __init__(self, owner: int, control: socket.socket) -> None:
        self._owner = _pidfd(owner)
        self._control = control
        self._children: dict[int, socket.socket] = {}
        self._woken, self._wake = os.pipe()
        self._poll = select.poll()

    def serve(self) -> None:
        """Return when the owner closed its end, or died."""
        self._listen()
        while not self._owner_is_gone():
            ready = dict(self._poll.poll())
            self._bury_dead()
            self._kill_abandoned(ready)
            if ready.get(self._control.fileno()) and not self._accept():
                break
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _listen(self) -> None:
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._poll.register(self._woken, select.POLLIN)
        self._poll.register(self._control, select.POLLIN)
        if self._owner is not None:
            self._poll.register(self._owner, select.POLLIN)

    def _owner_is_gone(self) -> bool:
        """The end of the control socket can come late when a fork of the owner holds a copy; this cannot."""
        return self._owner is not None and bool(select.select([self._owner], [], [], 0)[0])

    def _accept(self) -> bool:
        """Fork for the next call; False when the owner closed its end."""
        byte, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
        if not byte or not descriptors:
            return False
        call = socket.socket(fileno=descriptors[0])
        fork_server = os.getpid()
        pid = os.fork()
        if pid == 0:
            _become_child(call, fork_server)
        self._children[pid] = call
        self._poll.register(call, 0)  # POLLHUP only: what is written there is for the child
        return True

    def _kill_abandoned(self, ready: dict[int, int]) -> None:
        for pid, call in list(self._children.items()):
            if ready.get(call.fileno(), 0) & select.POLLHUP:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                self._forget(pid)

    def _bury_dead(self) -> None:
        try:
            os.read(self._woken, 4096)
        except BlockingIOError:
            return
        for pid in list(self._children):
            dead, status = os.waitpid(pid, os.WNOHANG)
            if dead:
                send(self._children[pid], {"exit_code": os.waitstatus_to_exitcode(status)})
                self._forget(pid)

    def _forget(self, pid: int) -> None:
        call = self._children.pop(pid)
        self._poll.unregister(call)
        call.close()


def _pidfd(pid: int) -> int | None:
    """A descriptor that is readable once the process is dead; None where the system has none (macOS)."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _become_child(call: socket.socket, parent: int) -> None:
    """Answer one request and end, whatever happens: nothing of the fork server's loop may run twice."""
    try:
        die_with_parent(parent)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        keep_only(call.fileno())
        answer(call)
    except BaseException:  # noqa: BLE001 - a fork must end here, also by SystemExit
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def keep_only(descriptor: int) -> None:
    """Close every descriptor but this one and the standard three: other calls and the control are none of ours."""
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, MAX_DESCRIPTORS)


def answer(call: socket.socket) -> None:
    """Read a request, confine this process, run the function and send what it returns or raises."""
    request, source, sink = receive_request(call)
    if not request["streams"]:
        os.ftruncate(sink, 0)  # a second try after a lost fork server finds it as the first one left it
        os.lseek(sink, 0, os.SEEK_SET)
    function = resolve(request["function"])  # an import opens files, so it comes before
    limit(request["cpu_seconds"], request["memory_bytes"], request["output_bytes"])
    give_up_reach(request["streams"])
    try:
        reply = {"result": function(source, sink, **request["arguments"])}
    except ParleyError as error:
        reply = {"error": error.code, "detail": error.detail}
    except MemoryError:
        reply = {"error": "memory", "detail": ""}
    except Exception as error:  # noqa: BLE001 - the owner logs it: standard error leads nowhere now
        reply = {"error": "crash", "detail": f"{error!r:.500} at {_place(error)}"}
    send(call, reply)


def _place(error: Exception) -> str:
    """Return the functions and lines that an error passed through; the source files are out of reach."""
    steps = [f"{frame.f_code.co_name}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)]
    return " > ".join(steps[-20:])


def resolve(name: str) -> Any:
    """Return the function called `module:function`."""
    module, function = name.split(":")
    return getattr(importlib.import_module(module), function)


if __name__ == "__main__":
    main(sys.argv[1:])
