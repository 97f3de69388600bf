"""One running part: its process, its group, and what it prints."""

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

LAST_WORDS_SECONDS = 0.2  # no longer: a process outside the group may still hold the pipe
CHECK_SECONDS = 0.02  # between two looks at a process that is told to stop


class OrphanReaper:
    """The supervisor's end of orphan_reaper.py; stays until `close`, and is replaced should it be killed.

    Args:
        mark: of this system, in its processes' environment.
        keep_open: a file that must stay open, and so locked, until everything is cleared up.
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
        """A group to kill when the supervisor dies."""
        self._groups.add(group)
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        """The group is gone, and its number may soon be somebody else's."""
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    def check(self) -> None:
        """Replace it when it died."""
        if self._process.poll() is not None:
            self._process = self._start()
            self._tell("".join(f"+{group}\n" for group in self._groups))

    def close(self) -> None:
        """Let it kill what is left, and wait for that."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, lines: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it is dead; `check` tells its successor
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
        """Of the process, and of its group."""
        return self._process.pid

    @property
    def ended(self) -> str | None:
        """How it ended, in words; None while it lives."""
        code = self._process.poll()
        if code is None:
            return None
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def ask_to_stop(self) -> None:
        """SIGTERM to the process alone: one to the whole group would end a worker's running jobs."""
        self._process.terminate()

    def wait(self, seconds: float, hurry: Callable[[], bool]) -> bool:
        """Wait for its end, for so long or until there is a hurry; say whether it ended."""
        deadline = time.monotonic() + seconds
        while self.ended is None and time.monotonic() < deadline and not hurry():
            time.sleep(CHECK_SECONDS)
        return self.ended is not None

    def clear(self) -> None:
        """Kill what is left of the group, and forget it."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._reaper.remove(self.pid)
        self._reader.join(LAST_WORDS_SECONDS)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            for line in pipe:
                self._on_line(line.decode(errors="replace").rstrip())


def python_environment(extra: Mapping[str, str], mark: str) -> dict[str, str]:
    """Return the environment of a part: this one's and `extra`, with the mark by which the orphan_reaper knows it."""
    return {**os.environ, **extra, "PYTHONUNBUFFERED": "1", orphan_reaper.MARK_VARIABLE: mark}
