"""The processes of a system, and a supervisor that restarts them as Kubernetes does."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from chaos import leftovers

RESTART_SECONDS = 0.5  # between the end of a process and its restart
POLL_SECONDS = 0.05


class Part:
    """A part of Parley as a process with its children."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name, self._command, self._environment, self._log = name, command, environment, log
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.starts += 1
        if self._process is not None:
            leftovers.remove(self._process.pid)
        seed = f"{self._environment.get('FAULTS_SEED', '')}:{self.name}:{self.starts}"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env={**os.environ, **self._environment, "FAULTS_SEED": seed},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        leftovers.add(self._process.pid)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def tree(self) -> list[psutil.Process]:
        """Return the main process, then all its descendants."""
        assert self._process is not None
        with suppress(psutil.NoSuchProcess):
            main = psutil.Process(self._process.pid)
            return [main, *main.children(recursive=True)]
        return []

    def children(self) -> set[int]:
        return {process.pid for process in self.tree()[1:]}

    def kill(self) -> None:
        """Send SIGKILL to all processes at once, as at the end of a container or a node."""
        self._signal(self.tree(), signal.SIGKILL)

    def kill_main(self) -> None:
        """Send SIGKILL to the main process only."""
        self._signal(self.tree()[:1], signal.SIGKILL)

    def terminate(self) -> None:
        """Send SIGTERM to the main process only, as Kubernetes does."""
        self._signal(self.tree()[:1], signal.SIGTERM)

    def freeze(self) -> None:
        self._signal(self.tree(), signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(self.tree(), signal.SIGCONT)

    def _signal(self, processes: Iterable[psutil.Process], number: int) -> None:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def end(self) -> None:
        """Kill the remaining processes at the end of the system."""
        left = self.tree()
        self._signal(left, signal.SIGKILL)
        psutil.wait_procs(left, 5)
        if self._process is not None:
            self._process.wait(5)
            leftovers.remove(self._process.pid)


class Supervisor:
    """Restarts parts RESTART_SECONDS after their end, until `stop`."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = list(parts)
        self._died: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        for part in self._parts:
            part.start()
        self._thread.start()

    def leave(self) -> None:
        """Restart nothing from now on."""
        self._stop.set()
        self._thread.join()

    def stop(self) -> None:
        self.leave()
        for part in self._parts:
            part.end()

    def _watch(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            for part in self._parts:
                self._check(part)

    def _check(self, part: Part) -> None:
        if part.alive:
            self._died.pop(part.name, None)
        elif time.monotonic() - self._died.setdefault(part.name, time.monotonic()) > RESTART_SECONDS:
            part.start()


def until(condition: Callable[[], bool], seconds: float, pause: float = 0.1) -> bool:
    """Wait for a condition. Return whether it became true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(pause)
    return condition()


def pick(parts: list[Part], rng: random.Random) -> Part:
    return rng.choice([part for part in parts if part.alive] or parts)
