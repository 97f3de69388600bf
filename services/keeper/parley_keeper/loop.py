"""The keeper's loop: each task runs in a thread of its own, so that a slow or failing task delays no other."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from parley_core.errors import ParleyError
from parley_core.logs import get_logger

AGAIN_SECONDS = 5.0  # until a failed round is tried again, where the usual pause is longer
STOP_SECONDS = 5.0  # how long a running round may take after the order to stop

NoteProgress = Callable[[], None]
"""Called by a task between two items: a long round is not a stuck one."""

log = get_logger(__name__)


@dataclass
class MaintenanceTask:
    """One task and its state.

    Attributes:
        name: in logs and metrics.
        every: seconds between two rounds.
        work: runs one round; returns the number of items it has dealt with.
        progress_at: monotonic time of the last sign of progress: an item or the end of a round.
        done_at: monotonic time of the last round without an error.
    """

    name: str
    every: float
    work: Callable[[NoteProgress], int]
    progress_at: float = field(default_factory=time.monotonic)
    done_at: float = field(default_factory=time.monotonic)
    rounds: int = 0
    failures: int = 0
    items_done: int = 0

    def note_progress(self) -> None:
        """Note that the round goes on."""
        self.progress_at = time.monotonic()


class Outages:
    """Logs the beginning and the end of an outage once, however many tasks meet it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._met_by: dict[str, set[str]] = defaultdict(set)

    def begin(self, code: str, task: str, detail: str) -> None:
        """Note that a task failed with this error code."""
        with self._lock:
            if not any(self._met_by[code]):
                log.warning("trouble", code=code, detail=detail, task=task)
            self._met_by[code].add(task)

    def end(self, task: str) -> None:
        """Note that a task has finished a round."""
        with self._lock:
            for code, tasks in self._met_by.items():
                if task in tasks:
                    tasks.discard(task)
                    if not tasks:
                        log.info("trouble over", code=code)


class Keeper:
    """Runs tasks until it is stopped."""

    def __init__(self, tasks: Sequence[MaintenanceTask]) -> None:
        self.tasks = tasks
        self._stop = threading.Event()
        self._outages = Outages()
        self._threads = [
            threading.Thread(target=self._run, args=(task,), name=task.name, daemon=True) for task in tasks
        ]

    def start(self) -> None:
        """Start every task; returns at once."""
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Return after `stop`, when the running rounds have ended or STOP_SECONDS have passed."""
        self._stop.wait()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def stop(self) -> None:
        """Start no further round."""
        self._stop.set()

    def _run(self, task: MaintenanceTask) -> None:
        while not self._stop.is_set():
            done = self.run_once(task)
            self._stop.wait(task.every if done else min(task.every, AGAIN_SECONDS))

    def run_once(self, task: MaintenanceTask) -> bool:
        """Run one round; return whether it ended without an error. Errors are counted and logged, not raised."""
        done = False
        try:
            task.items_done += task.work(task.note_progress)
            done = True
        except ParleyError as error:
            self._outages.begin(error.code, task.name, error.detail)
        except Exception:
            log.exception("task failed", task=task.name)
        task.rounds += 1
        task.note_progress()
        if done:
            task.done_at = task.progress_at
            self._outages.end(task.name)
        else:
            task.failures += 1
        return done
