"""How the keeper goes on for ever: each task in a thread of its own, so that none waits for another's trouble."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from parley_core.errors import ParleyError
from parley_core.logs import get_logger

AGAIN_SECONDS = 5.0  # to the next try of a round that failed, where the usual pause is longer
STOP_SECONDS = 5.0  # how long a round on its way may take after the order to stop

log = get_logger(__name__)


@dataclass
class MaintenanceTask:
    """One task and how it goes.

    Attributes:
        name: as in logs and metrics.
        every: seconds between two rounds.
        work: one round; returns how many things it put right.
        tried_at: monotonic time of the last round, done or not.
        done_at: monotonic time of the last round that was done.
    """

    name: str
    every: float
    work: Callable[[], int]
    tried_at: float = field(default_factory=time.monotonic)
    done_at: float = field(default_factory=time.monotonic)
    rounds: int = 0
    failures: int = 0
    items_done: int = 0


class Outages:
    """Says once that something is down, however many tasks run into it, and once that it is back."""

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
        """Note that a task was done."""
        with self._lock:
            for code, tasks in self._met_by.items():
                if task in tasks:
                    tasks.discard(task)
                    if not tasks:
                        log.info("trouble over", code=code)


class Keeper:
    """Runs tasks until it is told to stop."""

    def __init__(self, tasks: Sequence[MaintenanceTask]) -> None:
        self.tasks = tasks
        self._stop = threading.Event()
        self._outages = Outages()
        self._threads = [
            threading.Thread(target=self._go_round, args=(task,), name=task.name, daemon=True) for task in tasks
        ]

    def start(self) -> None:
        """Begin; returns at once."""
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Return once the keeper was told to stop and its rounds have ended, or had their time to."""
        self._stop.wait()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def stop(self) -> None:
        """Start no further round."""
        self._stop.set()

    def _go_round(self, task: MaintenanceTask) -> None:
        while not self._stop.is_set():
            done = self.round(task)
            self._stop.wait(task.every if done else min(task.every, AGAIN_SECONDS))

    def round(self, task: MaintenanceTask) -> bool:
        """Do one round and say whether it was done; whatever goes wrong is counted and told, and ends nothing else."""
        failures = task.failures
        try:
            task.items_done += task.work()
        except ParleyError as error:
            task.failures += 1
            self._outages.begin(error.code, task.name, error.detail)
        except Exception:
            task.failures += 1
            log.exception("task failed", task=task.name)
        else:
            task.done_at = time.monotonic()
            self._outages.end(task.name)
        task.rounds += 1
        task.tried_at = time.monotonic()
        return task.failures == failures
