"""The process of one part, its process group and its output."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread

from parley_local import orphan_reaper

LAST_OUTPUT_SECONDS = 0.2  # bounded, since a process outside the group may keep the pipe open
POLL_SECONDS = 0.02  # between two checks of a process that is stopping


class OrphanReaper:
    """Starts orphan_reaper.py and tells it the process groups. Restarts it if it is killed.

    Args:
        mark: the mark in the environment of all processes of this system.
        keep_open: descriptor of the locked file, which stays locked until the reaper has ended.
    """

    def __init__(self, mark: str, keep_open: int) -> None:
        self._mark, self._keep_open = mark, keep_open
        self._groups: set[int] = set()
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-S", orphan_reaper.__file__, self._mark]
        return subprocess.Popen(  # noqa: S603 - our own script
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
            pass_fds=(self._keep_open,),
        )

    def add(self, group: int) -> None:
        """Register a process group to kill when the supervisor ends."""
        self._groups.add(group)
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        """Remove a process group that has ended, since the system may reuse its number."""
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    def check(self) -> None:
        """Restart the reaper if it has ended."""
        if self._process.poll() is not None:
            self._process = self._start()
            self._tell("".join(f"+{group}\n" for group in self._groups))

    def close(self) -> None:
        """Let the reaper kill the remaining processes, and wait for its end."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, lines: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended; `check` starts another one with all groups
            self._process.stdin.write(lines.encode())


class PartProcess:
    """A process in a session and group of its own, so that Ctrl-C in the terminal reaches the supervisor alone.

    Args:
        on_line: given each line that it prints, by a thread of its own.
    """

    def __init__(
        self,
        command: tuple[str, ...],
        environment: Mapping[str, str],
        on_line: Callable[[str], None],
        reaper: OrphanReaper,
    ) -> None:
        self._on_line, self._reaper = on_line, reaper
        self._process = subprocess.Popen(  # noqa: S603 - the commands are those of parts.py
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = Thread(target=self._read, daemon=True)
        reaper.add(self.pid)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The id of the process and of its group."""
        return self._process.pid

    @property
    def ended(self) -> str | None:
        """How the process ended, in words, or None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the process, and not to its group: that would end the running jobs of a worker."""
        self._process.terminate()

    def wait(self, seconds: float, hurry: Callable[[], bool]) -> bool:
        """Wait for the end, at most `seconds` or until `hurry` is true. Return whether it has ended."""
        deadline = time.monotonic() + seconds
        while self.ended is None and time.monotonic() < deadline and not hurry():
            time.sleep(POLL_SECONDS)
        return self.ended is not None

    def clear(self) -> None:
        """Kill the rest of the group and remove it from the reaper."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._reaper.remove(self.pid)
        self._reader.join(LAST_OUTPUT_SECONDS)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            for line in pipe:
                self._on_line(line.decode(errors="replace").rstrip())


def python_environment(extra: Mapping[str, str], mark: str) -> dict[str, str]:
    """Return the environment of a part: that of this process, `extra`, and the mark for the orphan reaper."""
    return {**os.environ, **extra, "PYTHONUNBUFFERED": "1", orphan_reaper.MARK_VARIABLE: mark}
